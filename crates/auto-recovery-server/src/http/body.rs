//! Bodies of answers that are made while they are sent.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::Frame;
use tokio::sync::mpsc;

/// Bytes that are sent together.
const CHUNK_BYTES: usize = 64 * 1024;

/// A client that takes nothing for so long is let go.
const STALLED: Duration = Duration::from_secs(120);

type Piece = io::Result<Bytes>;

/// The end that makes a body: one piece waits while another is sent.
pub(crate) struct Chunks {
    sender: mpsc::Sender<Piece>,
    pending: Vec<u8>,
}

struct Receiving(mpsc::Receiver<Piece>);

/// A body, and the end that makes it.
pub(crate) fn chunks() -> (Chunks, Body) {
    let (sender, receiver) = mpsc::channel(1);
    let chunks = Chunks {
        sender,
        pending: Vec::new(),
    };
    (chunks, Body::new(Receiving(receiver)))
}

impl hyper::body::Body for Receiving {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0
            .poll_recv(context)
            .map(|piece| piece.map(|bytes| bytes.map(Frame::data)))
    }
}

impl Chunks {
    /// Sends `bytes` once there is room. Returns whether anybody still wants them.
    pub(crate) async fn send(&self, bytes: impl Into<Bytes>) -> bool {
        let sent = self.sender.send(Ok(bytes.into()));
        tokio::time::timeout(STALLED, sent)
            .await
            .is_ok_and(|sent| sent.is_ok())
    }

    /// Waits until nobody wants the body any more.
    pub(crate) async fn unwanted(&self) {
        self.sender.closed().await;
    }

    /// Ends the body so that the client sees that it is not whole. For threads that may block.
    pub(crate) fn break_off(self) {
        let broken = io::Error::other("the rest cannot be read");
        let sent = tokio::time::timeout(STALLED, self.sender.send(Err(broken)));
        let _nobody = tokio::runtime::Handle::current().block_on(sent);
    }
}

/// For threads that may block.
impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.pending);
        match tokio::runtime::Handle::current().block_on(self.send(piece)) {
            true => Ok(()),
            false => Err(io::Error::from(io::ErrorKind::BrokenPipe)),
        }
    }
}
