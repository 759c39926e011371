//! The names that pprof finds for a heap profile, and the example that serves one.
#![cfg(mi_v3)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

#[allow(dead_code)]
#[path = "../../tests/support/pprof.rs"]
mod pprof;

/// A program that is killed at the end of the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program that `cargo test` has built beside this one.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap(); // of target/debug/deps/profile_names-0123
    let program = profile.join("examples").join("heap_profile_http");
    let program = program.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(program.is_file(), "{}: run `cargo test`", program.display());
    program
}

#[test]
fn names_over_http() {
    let mut server = Killed(
        Command::new(example())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut url = String::new();
    let output = server.0.stdout.take().unwrap();
    BufReader::new(output).read_line(&mut url).unwrap();
    let url = url.trim();
    std::thread::sleep(Duration::from_millis(500)); // some work
    let (address, path) = url["http://".len()..].split_once('/').unwrap();
    let get = |path: &str| {
        let mut connection = TcpStream::connect(address).unwrap();
        write!(
            connection,
            "GET /{path} HTTP/1.1\r\nHost: {address}\r\n\r\n"
        )
        .unwrap();
        let mut response = Vec::new();
        connection.read_to_end(&mut response).unwrap();
        let end = response.windows(4).position(|four| four == b"\r\n\r\n");
        let body = response.split_off(end.unwrap() + 4);
        (String::from_utf8(response).unwrap(), body)
    };
    let (head, _) = get("");
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    let (head, body) = get(path);
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let sum = pprof::message_with(&body, "space").sum();
    assert!(
        (35_000_000..70_000_000).contains(&sum.inuse_bytes),
        "{sum:?}"
    );
    assert!(sum.alloc_bytes > 2 * sum.inuse_bytes, "{sum:?}");

    if cfg!(not(target_os = "linux")) {
        println!("not run: names are checked on Linux only");
        return;
    }
    if Command::new("pprof").arg("--help").output().is_err() {
        println!("not run: there is no `pprof`");
        return;
    }
    let in_use = Table::of(url, "inuse_space");
    // With the vector of vectors, which has fewer samples.
    assert!(in_use.percent("fill_cache") > 90.0, "{}", in_use.0);
    assert!(in_use.percent("parse_lines") < 5.0, "{}", in_use.0);
    let allocated = Table::of(url, "alloc_space");
    assert!(allocated.percent("parse_lines") > 50.0, "{}", allocated.0);
    // Each function appears under its caller.
    assert!(
        in_use.percent("heap_profile_http::main") > 90.0,
        "{}",
        in_use.0
    );
    // The allocator's frames are left out; those of its callers are not.
    for table in [in_use, allocated] {
        for left_out in [
            "_mi_",
            "mi_theap_",
            "mi_profiler_",
            "GlobalAlloc",
            "__rust_alloc",
            "profile::on_alloc",
            "Stack::here",
        ] {
            assert!(!table.0.contains(left_out), "{left_out}: {}", table.0);
        }
    }
}

/// What `pprof -top -cum` prints.
struct Table(String);

impl Table {
    fn of(url: &str, index: &str) -> Table {
        let output = Command::new("pprof")
            .args(["-top", "-cum", "-nodecount=1000", "-nodefraction=0"])
            .arg(format!("-sample_index={index}"))
            .arg(url)
            .env("PPROF_TMPDIR", env!("CARGO_TARGET_TMPDIR"))
            .output()
            .unwrap();
        let [table, errors] =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(output.status.success(), "{table}{errors}");
        Table(table)
    }

    /// The cumulative share of a function.
    fn percent(&self, function: &str) -> f64 {
        // Flat, its percentage, their sum, cumulative, its percentage, and the name.
        let rows = self.0.lines().filter(|row| row.contains(function));
        let shares = rows.map(|row| {
            let column = row.split_whitespace().nth(4).unwrap();
            column.trim_end_matches('%').parse().unwrap()
        });
        shares.fold(0.0, f64::max)
    }
}
