//! A client that sends exactly what it is told to.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than any answer takes.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines
        .find(|(one, _)| one.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

/// A connection to `address`.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

/// The answer to a request of the line `line` with `headers`, each a whole line, and `body`.
pub(crate) fn ask(address: SocketAddr, line: &str, headers: &[&str], body: &[u8]) -> Answer {
    let mut stream = connect(address);
    let mut request = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|header| header.starts_with("Host:")) {
        request += &format!("Host: {address}\r\n");
    }
    if !body.is_empty() || line.starts_with("POST") {
        request += &format!("Content-Length: {}\r\n", body.len());
    }
    for header in headers {
        request += &format!("{header}\r\n");
    }
    stream
        .write_all(format!("{request}\r\n").as_bytes())
        .unwrap();
    stream.write_all(body).unwrap();
    let mut reader = BufReader::new(stream);
    let head = read_head(&mut reader);
    let mut body = Vec::new();
    if header(&head, "transfer-encoding") == Some("chunked") {
        while let Some(piece) = read_chunk(&mut reader) {
            body.extend(piece);
        }
    } else if let Some(length) = header(&head, "content-length") {
        // Some have a length and no body.
        let length = length.parse().unwrap();
        reader.by_ref().take(length).read_to_end(&mut body).unwrap();
    } else {
        reader.read_to_end(&mut body).unwrap();
    }
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body }
}

fn read_head(reader: &mut BufReader<TcpStream>) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(
            reader.read_line(&mut head).unwrap() > 0,
            "a head that ends: {head:?}"
        );
    }
    head.replace("\r\n", "\n")
}

/// The next piece of a body; `None` at its end, also where it is broken off.
fn read_chunk(reader: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut length = String::new();
    reader.read_line(&mut length).ok()?;
    let length = usize::from_str_radix(length.trim(), 16).ok()?;
    let mut piece = vec![0; length + 2];
    reader.read_exact(&mut piece).ok()?;
    piece.truncate(length);
    (length > 0).then_some(piece)
}

/// An answer that goes on.
pub(crate) struct Stream {
    reader: BufReader<TcpStream>,
    pub(crate) head: String,
    pending: Vec<u8>,
    /// The event that it began with, if that was read.
    pub(crate) first: serde_json::Value,
}

impl Stream {
    /// The answer to a request for `path` with `headers`.
    pub(crate) fn open(address: SocketAddr, path: &str, headers: &[&str]) -> Self {
        let mut stream = connect(address);
        let mut request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n");
        for header in headers {
            request += &format!("{header}\r\n");
        }
        stream
            .write_all(format!("{request}\r\n").as_bytes())
            .unwrap();
        let mut reader = BufReader::new(stream);
        let head = read_head(&mut reader);
        Self {
            reader,
            head,
            pending: Vec::new(),
            first: serde_json::Value::Null,
        }
    }

    /// The next line; `None` at the end.
    pub(crate) fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                return Some(String::from_utf8(line).unwrap().trim_end().to_owned());
            }
            let piece = read_chunk(&mut self.reader)?;
            self.pending.extend(piece);
        }
    }

    /// The next line as JSON; `None` at the end.
    pub(crate) fn json(&mut self) -> Option<serde_json::Value> {
        self.line().map(|line| serde_json::from_str(&line).unwrap())
    }

    /// The next event that is a row, and none of those that a server itself makes when it seals:
    /// at which moment it does depends on how busy the machine is.
    pub(crate) fn row(&mut self) -> Option<serde_json::Value> {
        loop {
            let event = self.json()?;
            let record = event["record"]["event"].as_str().unwrap_or_default();
            let is_of_seal = matches!(record, "trail_sealed" | "chain_started");
            if event.get("id").is_some() && !is_of_seal {
                return Some(event);
            }
        }
    }
}
