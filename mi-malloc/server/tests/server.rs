//! The server as a client sees it, and what memory it has at rest.

use serde_json::{json, Value};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

#[path = "../src/client.rs"]
mod client;

use client::{document, Client};

struct Server {
    process: Child,
    address: String,
}

impl Server {
    /// On a port of its own. Memory stays only so many milliseconds, or the test would have to wait for seconds.
    fn start(purge_delay: u32) -> Server {
        let mut process = Command::new(env!("CARGO_BIN_EXE_server"))
            .arg("127.0.0.1:0") // any port
            .env("MIMALLOC_PURGE_DELAY", purge_delay.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        let output = process.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut url).unwrap();
        let address = url.trim().trim_start_matches("http://").to_string();
        Server { process, address }
    }

    fn connect(&self) -> Client {
        Client::connect(&self.address).unwrap()
    }

    /// Bytes of its memory that are resident. On Linux the system tells, for a request is work.
    fn resident(&self) -> u64 {
        let status = format!("/proc/{}/status", self.process.id());
        match std::fs::read_to_string(status) {
            Ok(status) => {
                let line = status.lines().find(|line| line.starts_with("VmRSS:"));
                let kib = line.and_then(|line| line.split_whitespace().nth(1));
                kib.unwrap().parse::<u64>().unwrap() << 10
            }
            Err(_) => self.connect().resident().unwrap(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn documents() {
    let server = Server::start(100);
    let mut client = server.connect();
    let text = json!({"text": "To be or not to be"}).to_string();
    let words = json!({"words": 6, "most_frequent": [
        {"word": "be", "count": 2},
        {"word": "to", "count": 2},
        {"word": "not", "count": 1},
        {"word": "or", "count": 1},
    ]});
    let (status, body) = client.request("PUT", "/documents/a", &text).unwrap();
    assert_eq!(status, 200);
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), words);
    let (status, body) = client.request("GET", "/documents/a", "").unwrap();
    assert_eq!(status, 200);
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), words);
    for (method, path, body, status) in [
        ("GET", "/documents/b", "", 404),
        ("PUT", "/documents/b", "{\"text\": ", 400),
        ("PUT", "/documents/b", "{\"texts\": \"\"}", 422),
        ("DELETE", "/documents/b", "", 404),
        ("DELETE", "/documents/a", "", 204),
        ("GET", "/documents/a", "", 404),
    ] {
        let found = client.request(method, path, body).unwrap().0;
        assert_eq!(found, status, "{method} {path}");
    }
}

#[test]
fn memory_metrics_and_profile() {
    const MIB: u64 = 1 << 20;
    let server = Server::start(10);
    let mut client = server.connect();
    let before = server.resident();
    assert!(client.resident().unwrap().abs_diff(before) < 8 * MIB);

    let text = document(1, 3000);
    thread::scope(|scope| {
        for connection in 0..4 {
            let (server, text) = (&server, &text);
            scope.spawn(move || {
                let mut client = server.connect();
                for n in 0..100 {
                    let path = format!("/documents/{connection}-{n}");
                    let (status, _) = client.request("PUT", &path, text).unwrap();
                    assert_eq!(status, 200);
                }
            });
        }
    });
    let peak = server.resident();
    assert!(peak > before + 30 * MIB, "{before} {peak}");

    #[cfg(mi_v3)]
    {
        let (status, profile) = client.request("GET", "/debug/pprof/heap", "").unwrap();
        assert_eq!(status, 200);
        let found = pprof::message_with(&profile, "space");
        let in_use = found.sum().inuse_bytes as u64;
        assert!(
            in_use > (peak - before) / 3 && in_use < 2 * peak,
            "{in_use} {peak}"
        );
        names(&profile);
    }

    for connection in 0..4 {
        for n in 1..100 {
            let path = format!("/documents/{connection}-{n}");
            assert_eq!(client.request("DELETE", &path, "").unwrap().0, 204);
        }
    }
    // Nobody sends anything: what is purged is purged by the server itself.
    let start = Instant::now();
    let enough = before + (peak - before) / 3;
    let resident = loop {
        thread::sleep(Duration::from_millis(100));
        let resident = server.resident();
        if resident < enough || start.elapsed() > Duration::from_secs(15) {
            break resident;
        }
    };
    println!("resident: {before} before, {peak} at the peak, {resident} at rest");
    assert!(resident < enough, "{before} {peak} {resident}");
}

/// The functions that pprof names as those that hold the memory.
#[cfg(mi_v3)]
fn names(profile: &[u8]) {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("server.pb");
    std::fs::write(&file, profile).unwrap();
    let pprof = Command::new("pprof")
        .args(["-top", "-cum", "-nodecount=1000", "-nodefraction=0"])
        .arg(&file)
        .output();
    match pprof {
        Ok(output) => {
            let table = String::from_utf8_lossy(&output.stdout);
            assert!(table.contains("server::store"), "{table}");
        }
        Err(error) => println!("not run: `pprof`: {error}"),
    }
}

#[cfg(mi_v3)]
#[allow(dead_code)]
#[path = "../../../tests/support/pprof.rs"]
mod pprof;
