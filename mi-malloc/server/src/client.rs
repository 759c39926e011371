//! As much of an HTTP client as the load and the test need: requests over one connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

pub struct Client {
    connection: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(address: &str) -> std::io::Result<Client> {
        let connection = TcpStream::connect(address)?;
        connection.set_nodelay(true)?;
        Ok(Client {
            connection: BufReader::new(connection),
        })
    }

    /// Sends a request, with JSON or nothing as its body. Returns the status and the body of the response.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        json: &str,
    ) -> std::io::Result<(u16, Vec<u8>)> {
        let length = json.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: server\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{json}"
        );
        self.connection.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.connection.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status =
            status.ok_or_else(|| std::io::Error::other(format!("a response: {line:?}")))?;
        let mut body = Vec::new();
        loop {
            line.clear();
            self.connection.read_line(&mut line)?;
            match line.trim_end().split_once(": ") {
                None => break,
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    body.resize(value.parse().map_err(std::io::Error::other)?, 0);
                }
                Some(_) => {}
            }
        }
        self.connection.read_exact(&mut body)?;
        Ok((status, body))
    }

    /// Bytes of the server that are resident, as its metrics say.
    pub fn resident(&mut self) -> std::io::Result<u64> {
        let (_, page) = self.request("GET", "/metrics", "")?;
        let page = String::from_utf8_lossy(&page);
        let value = page
            .lines()
            .find_map(|line| line.strip_prefix("mimalloc_resident_bytes "));
        let value = value.and_then(|value| value.parse().ok());
        value.ok_or_else(|| std::io::Error::other("no metric of the resident memory"))
    }
}

/// A document of so many words, of which some are more frequent; another one for each number.
pub fn document(number: usize, words: usize) -> String {
    let mut random = number as u64 + 1;
    let mut text = String::from("{\"text\": \"");
    for _ in 0..words {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let word = (random % 5000) * (random >> 40) % 5000;
        text.push_str(&format!("word{word} "));
    }
    text.push_str("\"}");
    text
}
