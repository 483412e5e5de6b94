//! One question to a server and its answer, on a thread of its own.
//!
//! Whoever asked waits beside it. So the wait ends when the user wants to stop, and when the server
//! takes too long, whatever the thread is in: looking up a name, connecting, proving who is who,
//! sending, reading byte after byte. A thread whose answer nobody wants any more ends by the limits
//! of its connection.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use auto_recovery::host::Host;
use auto_recovery::patience::{Waiting, over};
use auto_recovery::{Error, ErrorKind, Result};
use ureq::http::{Request, header};
use ureq::{Agent, SendBody};

use crate::address::Address;
use crate::failure::{failed, silent};
use crate::head::Head;

/// The least pace of bytes sent and received, beyond the time that an answer may take anyway: a
/// server that gives one now and then gives none.
const BYTES_A_SECOND: u64 = 16 * 1024;

/// Bytes that are read together, and pieces that wait to be taken.
const PIECE_BYTES: usize = 64 * 1024;
const PIECES: usize = 2;

/// The longest line.
const LINE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A stream looks this often whether anybody still listens.
const LOOK: Duration = Duration::from_millis(50);

/// The question: what a path has or, with a body, what it does with that.
#[derive(Clone)]
pub(crate) struct Question {
    pub(crate) url: String,
    pub(crate) bearer: String,
    pub(crate) accept: &'static str,
    pub(crate) body: Option<Sent>,
}

/// The body of a question.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) kind: &'static str,
    pub(crate) bytes: Arc<[u8]>,
    /// Whether the bytes are compressed with gzip.
    pub(crate) is_gzip: bool,
}

/// Why there is no answer, or no more of it.
pub(crate) enum Failure {
    Connection(ureq::Error),
    /// It took too long, or the user does not wait for it any more.
    Ended(Error),
}

impl Failure {
    /// Whether a connection that was made ended.
    pub(crate) fn is_closed(&self) -> bool {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        let Self::Connection(ureq::Error::Io(error)) = self else {
            return false;
        };
        matches!(
            error.kind(),
            BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
        )
    }

    /// The same as an error of the store at `address`.
    pub(crate) fn of(self, address: &Address) -> Error {
        match self {
            Self::Connection(error) => failed(address, error),
            Self::Ended(error) => error,
        }
    }
}

enum Piece {
    Head(Head),
    Bytes(Vec<u8>),
    End,
}

type Told = Result<Piece, ureq::Error>;

/// An answer that has begun.
pub(crate) struct Answer {
    pub(crate) head: Head,
    wait: Wait,
    /// Bytes that were received, and how many of them are taken.
    bytes: Vec<u8>,
    taken: usize,
}

/// Asks `question` by `agent`. The answer is begun within `limit`, and goes on at a fair pace.
pub(crate) fn ask(
    agent: &Agent,
    question: Question,
    address: &Arc<Address>,
    host: &Arc<dyn Host>,
    limit: Duration,
) -> Result<Answer, Failure> {
    let (told, pieces) = sync_channel(PIECES);
    let sent = Arc::new(AtomicU64::new(0));
    let (agent, counted) = (agent.clone(), Arc::clone(&sent));
    let thread = std::thread::Builder::new().name("remote".to_owned());
    let spawned = thread.spawn(move || {
        if let Err(error) = exchange(&agent, question, counted, &told) {
            let _nobody = told.send(Err(error));
        }
    });
    spawned.map_err(|error| {
        let text = format!("start the thread that asks {address}");
        Failure::Ended(Error::os(text, error))
    })?;
    let mut wait = Wait {
        pieces,
        sent,
        received: 0,
        limit,
        since: host.monotonic(),
        moved: (0, host.monotonic()),
        waiting: Waiting::default(),
        is_live: false,
        address: Arc::clone(address),
        host: Arc::clone(host),
    };
    match wait.next()? {
        Piece::Head(head) => Ok(Answer {
            head,
            wait,
            bytes: Vec::new(),
            taken: 0,
        }),
        Piece::Bytes(_) | Piece::End => unreachable!("the head is told first"),
    }
}

impl Answer {
    /// The whole of it, at most `bytes_max`.
    pub(crate) fn whole(mut self, bytes_max: usize) -> Result<Vec<u8>, Failure> {
        while self.more()? {
            if self.bytes.len() > bytes_max {
                let text = format!("the answer of {} is too large", self.wait.address);
                return Err(Failure::Ended(Error::new(ErrorKind::InvalidInput, text)));
            }
        }
        Ok(self.bytes)
    }

    /// From now on it may be silent for as long as `limit`: a stream of events.
    pub(crate) fn live(mut self, limit: Duration) -> Self {
        self.wait.is_live = true;
        self.wait.limit = limit;
        self
    }

    /// Puts the next line into `line`, with its end; returns whether there is one. The last may
    /// lack its end.
    pub(crate) fn next_line(&mut self, line: &mut Vec<u8>) -> Result<bool, Failure> {
        line.clear();
        loop {
            let left = &self.bytes[self.taken..];
            let end = left.iter().position(|byte| *byte == b'\n');
            line.extend_from_slice(end.map_or(left, |end| &left[..=end]));
            if let Some(end) = end {
                self.taken += end + 1;
                return Ok(true);
            }
            self.bytes.clear();
            self.taken = 0;
            if line.len() > LINE_BYTES_MAX {
                let text = format!("a line of the answer of {} is too long", self.wait.address);
                return Err(Failure::Ended(Error::new(ErrorKind::InvalidInput, text)));
            }
            if !self.more()? {
                return Ok(!line.is_empty());
            }
        }
    }

    fn more(&mut self) -> Result<bool, Failure> {
        match self.wait.next()? {
            Piece::Bytes(bytes) if self.bytes.is_empty() => self.bytes = bytes,
            Piece::Bytes(bytes) => self.bytes.extend(bytes),
            Piece::Head(_) | Piece::End => return Ok(false),
        }
        Ok(true)
    }
}

/// The wait for the pieces of an answer.
struct Wait {
    pieces: Receiver<Told>,
    sent: Arc<AtomicU64>,
    received: u64,
    limit: Duration,
    since: Duration,
    /// How many bytes had moved when, at last.
    moved: (u64, Duration),
    waiting: Waiting,
    is_live: bool,
    address: Arc<Address>,
    host: Arc<dyn Host>,
}

impl Wait {
    fn next(&mut self) -> Result<Piece, Failure> {
        let lost = || {
            let ended = io::Error::from(io::ErrorKind::UnexpectedEof);
            Failure::Connection(ended.into())
        };
        loop {
            let pause = match self.is_live {
                true => self.look().map(|()| LOOK),
                false => self.pause(),
            };
            match self.pieces.recv_timeout(pause.map_err(Failure::Ended)?) {
                Ok(Ok(Piece::Bytes(bytes))) => {
                    self.received += bytes.len() as u64;
                    return Ok(Piece::Bytes(bytes));
                }
                Ok(piece) => return piece.map_err(Failure::Connection),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(lost()),
            }
        }
    }

    /// How long to wait before it is looked again.
    fn pause(&mut self) -> Result<Duration> {
        let now = self.host.monotonic();
        let bytes = self.received + self.sent.load(Ordering::Relaxed);
        if bytes != self.moved.0 {
            self.moved = (bytes, now);
        }
        let paced = self.limit + Duration::from_secs(bytes / BYTES_A_SECOND);
        let until = (self.moved.1 + self.limit).min(self.since + paced);
        if now >= until {
            return Err(silent(&self.address, self.limit));
        }
        let address = &self.address;
        let pause = self.waiting.next(&*self.host, &|| address.to_string())?;
        Ok(pause.min(until - now))
    }

    /// Whether a stream is listened to any more.
    fn look(&mut self) -> Result<()> {
        if let Some(kind) = over(&*self.host) {
            let text = format!("nobody listens to {} any more", self.address);
            return Err(Error::new(kind, text));
        }
        let now = self.host.monotonic();
        if self.received != self.moved.0 {
            self.moved = (self.received, now);
        }
        match now.saturating_sub(self.moved.1) >= self.limit {
            true => Err(silent(&self.address, self.limit)),
            false => Ok(()),
        }
    }
}

/// Asks, and tells the answer piece by piece for as long as somebody takes it.
fn exchange(
    agent: &Agent,
    question: Question,
    sent: Arc<AtomicU64>,
    told: &SyncSender<Told>,
) -> Result<(), ureq::Error> {
    let Question {
        url,
        bearer,
        accept,
        body,
    } = question;
    let request = Request::builder()
        .uri(url)
        .header(header::AUTHORIZATION, bearer)
        .header(header::ACCEPT, accept);
    let response = match body {
        None => agent.run(request.body(())?)?,
        Some(Sent {
            kind,
            bytes,
            is_gzip,
        }) => {
            let mut request = request
                .method("POST")
                .header(header::CONTENT_TYPE, kind)
                .header(header::CONTENT_LENGTH, bytes.len());
            if is_gzip {
                request = request.header(header::CONTENT_ENCODING, "gzip");
            }
            let body = Counted { bytes, at: 0, sent };
            agent.run(request.body(SendBody::from_owned_reader(body))?)?
        }
    };
    let head = Head::of(response.status().as_u16(), response.headers());
    if told.send(Ok(Piece::Head(head))).is_err() {
        return Ok(());
    }
    let mut reader = response.into_body().into_reader();
    loop {
        let mut bytes = vec![0; PIECE_BYTES];
        let count = reader.read(&mut bytes)?;
        bytes.truncate(count);
        let piece = match count {
            0 => Piece::End,
            _ => Piece::Bytes(bytes),
        };
        if told.send(Ok(piece)).is_err() || count == 0 {
            return Ok(());
        }
    }
}

/// A body, counted as it is taken to be sent.
struct Counted {
    bytes: Arc<[u8]>,
    at: usize,
    sent: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&self.bytes[self.at..]).read(buffer)?;
        self.at += count;
        self.sent.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
