//! Loads the server, and says how much memory it has before, at the peak, and when it is at rest again:
//!
//! ```sh
//! cargo run --release -p server -- 127.0.0.1:8080 &
//! cargo run --release -p server --bin load -- 127.0.0.1:8080
//! ```

use std::io;
use std::thread;
use std::time::{Duration, Instant};

#[path = "../client.rs"]
mod client;

use client::{document, Client};

const CONNECTIONS: usize = 8;
/// Of each connection.
const DOCUMENTS: usize = 300;
const WORDS: usize = 3000;
const ROUNDS: usize = 3;
const REST: Duration = Duration::from_secs(8);

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8080");
    let resident = || Client::connect(address)?.resident();

    println!("{:>5} MiB before", resident()? >> 20);
    let texts: Vec<String> = (0..50).map(|n| document(n, WORDS)).collect();
    let start = Instant::now();
    for _ in 0..ROUNDS {
        each_connection(address, |client, connection| {
            for n in 0..DOCUMENTS {
                let path = format!("/documents/{connection}-{n}");
                expect(client.request("PUT", &path, &texts[n % texts.len()])?, 200)?;
                expect(client.request("GET", &path, "")?, 200)?;
            }
            Ok(())
        })?;
    }
    let took = start.elapsed().as_secs_f64();
    let requests = (ROUNDS * CONNECTIONS * DOCUMENTS * 2) as f64;
    println!("{:>5.0} requests a second", requests / took);
    println!("{:>5} MiB at the peak", resident()? >> 20);
    // Some documents stay, for nothing is ever all freed.
    each_connection(address, |client, connection| {
        for n in (0..DOCUMENTS).filter(|n| n % 100 != 0) {
            let path = format!("/documents/{connection}-{n}");
            expect(client.request("DELETE", &path, "")?, 204)?;
        }
        Ok(())
    })?;
    println!("{:>5} MiB with all but 1 % deleted", resident()? >> 20);
    thread::sleep(REST);
    println!(
        "{:>5} MiB {} seconds later",
        resident()? >> 20,
        REST.as_secs()
    );
    Ok(())
}

fn each_connection(
    address: &str,
    work: impl Fn(&mut Client, usize) -> io::Result<()> + Sync,
) -> io::Result<()> {
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS)
            .map(|n| scope.spawn(move || work(&mut Client::connect(address)?, n)))
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().expect("no panic"))
    })
}

fn expect((status, body): (u16, Vec<u8>), wanted: u16) -> io::Result<()> {
    if status == wanted {
        return Ok(());
    }
    let body = String::from_utf8_lossy(&body);
    Err(io::Error::other(format!("status {status}: {body}")))
}
