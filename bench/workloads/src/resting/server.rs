//! A server that stores values by key, with a thread for each of its connections, and the clients that generate its
//! load. The clients are in the same process, but allocate next to nothing.
//!
//! Requests are lines: `put KEY LENGTH`, followed by the value; `get KEY`; `remove KEY`. The answer is a line with
//! the length of what follows: the value for `get`, nothing for the others.

use super::{Idle, Rest};
use crate::random::Random;
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// The number of server threads that wait for connections.
const CLIENTS: usize = 8;
/// Values of each client.
const VALUES: usize = 2_500;
const LARGEST: usize = 32 << 10;
/// One in this many values stays.
const STAYS: usize = 50;

type Store = Mutex<HashMap<String, Vec<u8>>>;

/// Pauses after each phase.
pub fn serve(pause: Duration, idle: Idle) -> Rest {
    let store = Arc::new(Store::default());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
    let address = listener.local_addr().expect("a bound port has an address");
    let listener = Arc::new(listener);
    for _ in 0..CLIENTS {
        let (listener, store) = (listener.clone(), store.clone());
        thread::spawn(move || loop {
            idle();
            let (connection, _) = listener.accept().expect("a connection");
            answer(connection, &store).expect("a client that ends after its last answer");
        });
    }
    // A new connection for each phase: any free thread of the server accepts it.
    let mut checksum = 0;
    for phase in [put, get, remove] {
        checksum += load(address, phase);
        thread::sleep(pause);
    }
    let bytes_in_use = store
        .lock()
        .expect("no thread of the server panics")
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    Rest {
        checksum,
        bytes_in_use,
        _kept: Box::new((listener, store)),
    }
}

/// One connection, until its client closes it.
fn answer(connection: TcpStream, store: &Store) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut output = connection.try_clone()?;
    let mut input = BufReader::new(connection);
    let mut line = String::new();
    while input.read_line(&mut line)? > 0 {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut response = Vec::new();
        match words[..] {
            ["put", key, length] => {
                let mut value = vec![0; length.parse().map_err(io::Error::other)?];
                input.read_exact(&mut value)?;
                locked(store).insert(key.to_string(), value);
                respond(&mut response, &[]);
            }
            ["get", key] => {
                let value = locked(store).get(key).cloned().unwrap_or_default();
                respond(&mut response, &value);
            }
            ["remove", key] => {
                locked(store).remove(key);
                respond(&mut response, &[]);
            }
            _ => return Err(io::Error::other("no such request")),
        }
        output.write_all(&response)?;
        line.clear();
    }
    Ok(())
}

fn locked(store: &Store) -> std::sync::MutexGuard<'_, HashMap<String, Vec<u8>>> {
    store.lock().expect("no thread of the server panics")
}

fn respond(response: &mut Vec<u8>, value: &[u8]) {
    response.extend_from_slice(format!("{}\n", value.len()).as_bytes());
    response.extend_from_slice(value);
}

/// All clients at once, each with its own keys. The sum of what they were answered.
fn load(address: SocketAddr, phase: fn(&mut Client, usize) -> io::Result<u64>) -> u64 {
    let run = |number: usize| -> io::Result<u64> {
        let mut client = Client::new(address, number)?;
        (0..VALUES).map(|value| phase(&mut client, value)).sum()
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| scope.spawn(move || run(number)))
            .collect();
        clients
            .into_iter()
            .map(|client| {
                let sum = client.join().expect("a client does not panic");
                sum.expect("a server that answers")
            })
            .sum()
    })
}

struct Client {
    number: usize,
    random: Random,
    output: TcpStream,
    input: BufReader<TcpStream>,
    value: [u8; LARGEST],
}

impl Client {
    fn new(address: SocketAddr, number: usize) -> io::Result<Client> {
        let output = TcpStream::connect(address)?;
        output.set_nodelay(true)?;
        Ok(Client {
            number,
            random: Random::new(50 + number as u64),
            input: BufReader::new(output.try_clone()?),
            output,
            value: [number as u8 + 1; LARGEST],
        })
    }

    /// Sends a request, with this many bytes of the value behind it, and adds up what comes back.
    fn request(&mut self, line: std::fmt::Arguments, length: usize) -> io::Result<u64> {
        let mut buffer = [0; 64 + LARGEST];
        let mut unwritten = &mut buffer[..];
        unwritten.write_fmt(line)?;
        unwritten.write_all(&self.value[..length])?;
        let unwritten = unwritten.len();
        self.output.write_all(&buffer[..buffer.len() - unwritten])?;

        let mut digits = [0; 1];
        let mut length = 0;
        loop {
            self.input.read_exact(&mut digits)?;
            match digits[0] {
                b'\n' => break,
                digit => length = 10 * length + usize::from(digit - b'0'),
            }
        }
        self.input.read_exact(&mut buffer[..length])?;
        Ok(buffer[..length].iter().map(|&byte| u64::from(byte)).sum())
    }
}

fn put(client: &mut Client, value: usize) -> io::Result<u64> {
    let (number, length) = (client.number, client.random.size(512, LARGEST));
    client.request(
        format_args!("put client-{number}/value-{value} {length}\n"),
        length,
    )
}

fn get(client: &mut Client, value: usize) -> io::Result<u64> {
    let number = client.number;
    client.request(format_args!("get client-{number}/value-{value}\n"), 0)
}

#[allow(clippy::manual_is_multiple_of)] // newer than the compilers of some targets
fn remove(client: &mut Client, value: usize) -> io::Result<u64> {
    if value % STAYS == 0 {
        return Ok(0);
    }
    let number = client.number;
    client.request(format_args!("remove client-{number}/value-{value}\n"), 0)
}
