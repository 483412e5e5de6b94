//! Where a command's output goes while it runs.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use super::capture::Stream;
use super::nonblocking_writer::NonblockingWriter;

/// Takes a command's output as it comes.
pub trait OutputSink {
    /// Takes some of `bytes`, at least one, and says how many. `WouldBlock` means "not now": the
    /// rest is offered again when [`wait_on`](Self::wait_on) is writable, and until then the
    /// command is not read from. Any other error ends the stream: the command then finds its pipe
    /// closed, as it would without us.
    fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<usize>;

    /// What becomes writable when a `WouldBlock` is over.
    fn wait_on(&self, stream: Stream) -> Option<BorrowedFd<'_>> {
        let _ = stream;
        None
    }

    /// The user asked to stop, and the command is not over yet: it is killed when `grace` has
    /// passed since, or when the user asks again.
    fn stopping(&mut self, grace: Duration) {
        let _ = grace;
    }

    /// Where processes that outlive the command may go on writing what they send to `stream`;
    /// nowhere unless said.
    fn outlive(&self, stream: Stream) -> Option<OwnedFd> {
        let _ = stream;
        None
    }
}

/// Takes everything and passes nothing on; the copy is still kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct Discard;

impl OutputSink for Discard {
    fn write(&mut self, _stream: Stream, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }
}

/// Passes each stream on to a file descriptor, never held up by it.
#[derive(Debug)]
pub struct PassThrough {
    writers: [NonblockingWriter; 2],
    originals: [Arc<OwnedFd>; 2],
}

impl PassThrough {
    /// Passes standard output on to `stdout` and standard error to `stderr`; give the same one
    /// twice to send both to one place.
    pub fn new(stdout: BorrowedFd<'_>, stderr: BorrowedFd<'_>) -> io::Result<Self> {
        Ok(Self {
            writers: [
                NonblockingWriter::new(stdout)?,
                NonblockingWriter::new(stderr)?,
            ],
            originals: [
                Arc::new(stdout.try_clone_to_owned()?),
                Arc::new(stderr.try_clone_to_owned()?),
            ],
        })
    }
}

impl OutputSink for PassThrough {
    fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<usize> {
        self.writers[stream.index()].write(bytes)
    }

    fn wait_on(&self, stream: Stream) -> Option<BorrowedFd<'_>> {
        Some(self.writers[stream.index()].as_fd())
    }

    fn outlive(&self, stream: Stream) -> Option<OwnedFd> {
        self.originals[stream.index()].try_clone().ok()
    }
}
