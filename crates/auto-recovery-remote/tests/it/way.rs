//! The way to a server, on which strange things happen to what is asked and answered.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use auto_recovery_remote::Address;

/// What happens to a request on its way, and to its answer on the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It passes.
    Passes,
    /// The connection is made, and nothing is ever said.
    Silence,
    /// The connection is made and closed.
    Close,
    /// An answer that the server did not give.
    Instead(&'static str),
    /// The same, a byte now and then.
    Trickle(&'static str),
    /// The server has it, and nothing comes back.
    Unanswered,
    /// The server has it, and half of its answer comes back, of the length that was said.
    Half,
    /// The server has it, and its answer says to be shorter than it is.
    TooShort,
    /// The server has it, and its answer comes back, a byte now and then.
    Slow,
}

/// A way to a server.
pub(crate) struct Way {
    pub(crate) address: Address,
    fate: Arc<Mutex<Fate>>,
    connections: Arc<AtomicUsize>,
    passed: Arc<Mutex<Vec<Passed>>>,
}

/// A request and its answer, as they were on the wire.
pub(crate) struct Passed {
    pub(crate) request: Vec<u8>,
    pub(crate) answer: Vec<u8>,
}

impl Way {
    /// The way to `server`, on which everything passes at first.
    pub(crate) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let way = Self {
            address: Address::parse(&url).unwrap(),
            fate: Arc::new(Mutex::new(Fate::Passes)),
            connections: Arc::default(),
            passed: Arc::default(),
        };
        let (fate, connections) = (Arc::clone(&way.fate), Arc::clone(&way.connections));
        let passed = Arc::clone(&way.passed);
        thread::spawn(move || {
            for client in listener.incoming() {
                connections.fetch_add(1, Ordering::SeqCst);
                let (client, fate) = (client.unwrap(), *fate.lock().unwrap());
                let passed = Arc::clone(&passed);
                // Whoever goes away is not answered.
                thread::spawn(move || drop(pass(client, server, fate, &passed)));
            }
        });
        way
    }

    pub(crate) fn set(&self, fate: Fate) {
        *self.fate.lock().unwrap() = fate;
    }

    /// What passed since it was asked last.
    pub(crate) fn passed(&self) -> Vec<Passed> {
        std::mem::take(&mut *self.passed.lock().unwrap())
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn pass(
    mut client: TcpStream,
    server: SocketAddr,
    fate: Fate,
    passed: &Mutex<Vec<Passed>>,
) -> std::io::Result<()> {
    if fate == Fate::Close {
        return Ok(());
    }
    let request = request(&client)?;
    match fate {
        Fate::Silence => return wait_for_its_end(&mut client),
        Fate::Instead(answer) => return client.write_all(answer.as_bytes()),
        Fate::Trickle(answer) => return trickle(&mut client, answer.as_bytes()),
        _ => {}
    }
    let mut stream = TcpStream::connect(server)?;
    stream.write_all(&request)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let head = find(&answer, b"\r\n\r\n").unwrap() + 4;
    match fate {
        Fate::Unanswered => wait_for_its_end(&mut client),
        Fate::Half => client.write_all(&answer[..head + (answer.len() - head) / 2]),
        Fate::Slow => trickle(&mut client, &answer),
        Fate::TooShort => {
            let length = (answer.len() - head) / 2;
            let said = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\
                 Content-Length: {length}\r\n\r\n"
            );
            client.write_all(said.as_bytes())?;
            client.write_all(&answer[head..])
        }
        _ => {
            // Before it arrives: who asked looks at it then.
            let one = Passed {
                request,
                answer: answer.clone(),
            };
            passed.lock().unwrap().push(one);
            client.write_all(&answer)
        }
    }
}

/// The request of `client`, which is to be the last on its connection.
fn request(client: &TcpStream) -> std::io::Result<Vec<u8>> {
    let mut reader = BufReader::new(client);
    let (mut request, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
        request.extend_from_slice(line.as_bytes());
    }
    request.extend_from_slice(b"Connection: close\r\n\r\n");
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    request.extend(body);
    Ok(request)
}

fn wait_for_its_end(client: &mut TcpStream) -> std::io::Result<()> {
    std::io::copy(client, &mut std::io::sink()).map(drop)
}

/// Sends `bytes` one by one, so slowly that nobody waits for all of them, until nobody does.
fn trickle(client: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    client.set_read_timeout(Some(std::time::Duration::from_millis(40)))?;
    for byte in bytes {
        client.write_all(&[*byte])?;
        // It ends when the other end does.
        if matches!(client.read(&mut [0]), Ok(0)) {
            return Ok(());
        }
    }
    wait_for_its_end(client)
}

fn find(text: &[u8], piece: &[u8]) -> Option<usize> {
    text.windows(piece.len()).position(|part| part == piece)
}
