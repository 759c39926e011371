//! A heap profile under `/debug/pprof/heap`, where pprof expects it, with only the standard library (v3):
//!
//!     cargo run --release --example heap_profile_http -- 6060
//!     pprof -top -cum http://127.0.0.1:6060/debug/pprof/heap
//!     pprof -http=: -sample_index=alloc_space http://127.0.0.1:6060/debug/pprof/heap
//!
//! Serve it on a port that only you can reach: a profile reveals much about a program.

#[global_allocator]
static GLOBAL: mi_malloc::MiMalloc = mi_malloc::MiMalloc;

#[cfg(mi_v2)]
fn main() {
    println!("This example needs v3: v2 has no profiler.");
}

#[cfg(mi_v3)]
fn main() {
    use std::{net::TcpListener, process::exit, thread, time::Duration};

    let port = match std::env::args().nth(1).map(|port| port.parse::<u16>()) {
        None => 0, // any
        Some(Ok(port)) => port,
        Some(Err(error)) => {
            eprintln!("{}\nUsage: heap_profile_http [PORT]", error);
            exit(2);
        }
    };
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap_or_else(|error| {
        eprintln!("port {}: {}", port, error);
        exit(1);
    });
    let interval = mi_malloc::profile::Interval::default();
    let profile = mi_malloc::profile::start(interval).expect("the first one");

    // The program's work.
    let cache = program::fill_cache();
    thread::spawn(|| {
        mi_malloc::profile::include_thread();
        loop {
            program::parse_lines();
            thread::sleep(Duration::from_millis(20));
        }
    });

    let address = listener.local_addr().expect("a bound socket has one");
    println!("http://{}/debug/pprof/heap", address);
    for connection in listener.incoming().flatten() {
        if let Err(error) = http::answer(connection, &profile) {
            eprintln!("a client: {}", error);
        }
    }
    drop(cache);
}

#[cfg(mi_v3)]
mod http {
    use mi_malloc::profile::Profile;
    use std::io::{self, BufRead, BufReader, Write};
    use std::net::TcpStream;
    use std::time::Duration;

    pub fn answer(mut connection: TcpStream, profile: &Profile) -> io::Result<()> {
        connection.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut request = String::new();
        let mut lines = BufReader::new(&connection);
        lines.read_line(&mut request)?;
        let mut header = String::new();
        while lines.read_line(&mut header)? > 2 {
            header.clear();
        }
        if request.starts_with("GET /debug/pprof/heap ") {
            connection.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nConnection: close\r\n\r\n",
            )?;
            profile.dump(connection)
        } else {
            connection.write_all(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n")
        }
    }
}

#[cfg(mi_v3)]
mod program {
    /// Memory that is retained: nearly all of what is in use.
    #[inline(never)]
    pub fn fill_cache() -> Vec<Vec<u8>> {
        (0..10_000).map(|n| vec![n as u8; 5000]).collect()
    }

    /// Memory that is allocated and freed.
    #[inline(never)]
    pub fn parse_lines() -> usize {
        let lines = (0..1000).map(|n| "word ".repeat(1000 + n % 100));
        lines.map(|line| line.trim_end().len()).sum()
    }
}
