//! The allocator's statistics of a running program, as JSON over HTTP, for a dashboard or a monitor.
//!
//!     cargo run --release --example live_stats               # queries itself a few times, and ends
//!     cargo run --release --example live_stats -- 8080 &     # works and serves until it is stopped
//!     curl http://localhost:8080/
//!
//! A thread's numbers become visible to others when the thread publishes them, see `publish`. A program that
//! never does serves numbers that are old, or zero. What each number means, the fields of `mi_stats_t` and the
//! arguments of `mi_process_info` say; on Linux `rss_peak` includes what the process was before `exec`.

use mi_malloc_sys::*;
use std::ffi::CStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;
use std::{ptr, thread};

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

fn main() -> io::Result<()> {
    let port = match std::env::args().nth(1).map(|port| port.parse::<u16>()) {
        None => None,
        Some(Ok(port)) => Some(port), // 0 is any that is free
        Some(Err(error)) => {
            eprintln!(
                "Usage: live_stats [PORT]\n\nPORT must be a number below 65536: {}",
                error
            );
            std::process::exit(2);
        }
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0)))?;
    let address = listener.local_addr()?;
    println!("statistics at http://{}/", address);
    thread::spawn(move || serve(&listener));

    if port.is_some() {
        loop {
            work(|_| {
                publish();
                thread::sleep(Duration::from_millis(500));
                Ok(())
            })?;
        }
    }
    let mut pages = Vec::new();
    work(|records| {
        publish();
        pages.push(ask(address, records)?);
        Ok(())
    })?;
    let (at_last, growing) = pages.split_last().expect("a number from each round");
    assert!(
        growing.windows(2).all(|pair| pair[0] < pair[1]),
        "{:?}",
        pages
    );
    assert!(*at_last < growing[1], "{:?}", pages);
    Ok(())
}

/// The program's own work: it stores more and more records, and then drops them all. After each step `report`
/// receives their number.
fn work(mut report: impl FnMut(usize) -> io::Result<()>) -> io::Result<()> {
    let mut records: Vec<String> = Vec::new();
    for round in 0..4 {
        report(records.len())?;
        records
            .extend((0..50_000).map(|n| format!("record {} of round {}, which is kept", n, round)));
    }
    drop(records);
    report(0)
}

/// Prints how many pages are in use while the program has this many records, from the server's answer.
fn ask(address: SocketAddr, records: usize) -> io::Result<i64> {
    let json = get(address)?;
    let pages = current(&json, "pages");
    println!(
        "{:>7} records, {:>4} pages, {} bytes of JSON",
        records,
        pages,
        json.len()
    );
    Ok(pages)
}

/// Adds the calling thread's numbers to those that all threads see. A program's busy threads do that now and
/// then: without it v3 does so after some tens of MiB, and v2 when the thread ends.
fn publish() {
    // SAFETY: always safe to call.
    unsafe {
        mi_collect(true);
        #[cfg(mi_v2)]
        mi_stats_merge();
    }
}

fn serve(listener: &TcpListener) -> io::Result<()> {
    for connection in listener.incoming() {
        // If the client disconnects, that is no error of the server.
        let _ = connection.and_then(answer);
    }
    Ok(())
}

fn answer(mut connection: TcpStream) -> io::Result<()> {
    for line in BufReader::new(&connection).lines() {
        if line?.is_empty() {
            break; // the end of the request
        }
    }
    let json = statistics();
    write!(
        connection,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
        json.len(),
        json
    )
}

fn statistics() -> String {
    // SAFETY: without a buffer the text is a new block, which is copied and freed.
    unsafe {
        let text = mi_stats_get_json(0, ptr::null_mut());
        assert!(!text.is_null(), "out of memory");
        let json = CStr::from_ptr(text).to_string_lossy().into_owned();
        mi_free(text.cast());
        json
    }
}

/// As `curl` does it.
fn get(address: SocketAddr) -> io::Result<String> {
    let mut connection = TcpStream::connect(address)?;
    write!(
        connection,
        "GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        address
    )?;
    let mut response = String::new();
    connection.read_to_string(&mut response)?;
    let (head, json) = response.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"));
    Ok(json.to_string())
}

/// The `current` value of `"name": { "total": .., "peak": .., "current": .. }`; a real client uses a JSON library.
fn current(json: &str, name: &str) -> i64 {
    let after = |text: &str, what: &str| {
        let at = text
            .find(what)
            .unwrap_or_else(|| panic!("no {} in {}", what, text));
        text[at + what.len()..].to_string()
    };
    let value = after(&after(json, &format!("\"{}\":", name)), "\"current\":");
    let number: String = value
        .trim_start()
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '-')
        .collect();
    number.parse().expect("a number")
}
