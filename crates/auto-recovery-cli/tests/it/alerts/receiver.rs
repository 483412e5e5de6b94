//! Somebody who takes messages, and writes down what came and in which order.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use auto_recovery::mutex::lock;
use serde_json::Value;

/// What was told.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) id: String,
    pub(super) body: Value,
}

/// A receiver of webhooks. Its thread ends with the tests.
pub(super) struct Receiver {
    address: String,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Receiver {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let told = Arc::new(Mutex::new(Vec::new()));
        let of_thread = Arc::clone(&told);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // One that was killed half-way told nothing.
                let _told = taken(stream, &of_thread);
            }
        });
        Self { address, told }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(super) fn told(&self) -> Vec<Told> {
        lock(&self.told).clone()
    }

    pub(super) fn count(&self) -> usize {
        lock(&self.told).len()
    }
}

/// Reads a request, notes it, and only then answers.
fn taken(stream: TcpStream, told: &Mutex<Vec<Told>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut id, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader
            .read_line(&mut line)
            .ok()
            .filter(|bytes| *bytes > 0)?;
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        match &*name.to_ascii_lowercase() {
            "webhook-id" => id = value.trim().to_owned(),
            "content-length" => length = value.trim().parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).ok()?;
    lock(told).push(Told { id, body });
    reader
        .into_inner()
        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .ok()
}
