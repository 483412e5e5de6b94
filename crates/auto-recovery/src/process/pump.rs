//! One stream of a command: from its pipe to the copy and to the sink.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use super::capture::{Capture, Stream};
use super::sink::OutputSink;

/// Bytes read at a time: what a pipe holds.
const READ_MAX: usize = 64 << 10;
/// Once this much was read after the command exited, what it had written itself is among it: more
/// than a pipe or a terminal of ours holds.
const HELD_MAX: usize = 1 << 20;

/// The stream; nothing is read while something read before waits for the sink.
#[derive(Debug)]
pub(super) struct Pump {
    stream: Stream,
    source: Option<OwnedFd>,
    /// Bytes before what was written, which say what a reading is.
    header: usize,
    buffer: Vec<u8>,
    waiting: Range<usize>,
    read_since_exit: Option<usize>,
    error: Option<io::Error>,
}

impl Pump {
    /// Reads `source`, which must not block.
    pub(super) fn new(stream: Stream, source: OwnedFd) -> Self {
        Self {
            stream,
            source: Some(source),
            header: 0,
            buffer: vec![0; READ_MAX],
            waiting: 0..0,
            read_since_exit: None,
            error: None,
        }
    }

    /// The same for our end of a pseudo terminal in packet mode.
    pub(super) fn of_packets(self) -> Self {
        Self { header: 1, ..self }
    }

    pub(super) fn stream(&self) -> Stream {
        self.stream
    }

    /// What to poll for reading, unless the sink has to take something first.
    pub(super) fn readable(&self) -> Option<BorrowedFd<'_>> {
        let source = self.source.as_ref()?;
        (!self.waits_for_sink()).then_some(source.as_fd())
    }

    pub(super) fn waits_for_sink(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Reads once, keeps the copy, and passes on what the sink takes.
    pub(super) fn read(&mut self, capture: &mut Capture, sink: &mut dyn OutputSink) {
        let Some(source) = &self.source else { return };
        match rustix::io::read(source, &mut self.buffer[..]) {
            Ok(0) => self.source = None,
            Ok(count) => {
                if let Some(read) = &mut self.read_since_exit {
                    *read += count;
                }
                // What was not written is news of the terminal; whoever wants it looks there.
                if self.buffer[..self.header] != [0; 1][..self.header] {
                    return;
                }
                capture.push(self.stream, &self.buffer[self.header..count]);
                self.waiting = self.header..count;
                self.pass_on(sink);
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                if let Some(read) = &mut self.read_since_exit {
                    *read = HELD_MAX;
                }
            }
            // EIO is how a terminal says that nobody has it open any more.
            Err(_) => self.source = None,
        }
    }

    /// Passes on what waits, as far as the sink takes it.
    pub(super) fn pass_on(&mut self, sink: &mut dyn OutputSink) {
        while !self.waiting.is_empty() {
            match sink.write(self.stream, &self.buffer[self.waiting.clone()]) {
                Ok(0) => return self.fail(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.waiting.start += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    if sink.wait_on(self.stream).is_none() {
                        self.fail(e);
                    }
                    return;
                }
                Err(e) => return self.fail(e),
            }
        }
    }

    /// From here on, what the command itself wrote is being drained.
    pub(super) fn command_exited(&mut self) {
        self.read_since_exit = Some(0);
    }

    /// Whether nothing can come any more.
    pub(super) fn is_closed(&self) -> bool {
        self.source.is_none() && self.waiting.is_empty()
    }

    /// Whether everything that the command had written when it exited was passed on.
    pub(super) fn is_drained(&self) -> bool {
        let read = self.read_since_exit.unwrap_or(0) >= HELD_MAX;
        self.waiting.is_empty() && (self.source.is_none() || read)
    }

    /// Our end, when somebody else still has the other one open.
    pub(super) fn take_source(&mut self) -> Option<OwnedFd> {
        self.source.take()
    }

    pub(super) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// The sink takes no more. Closing our end lets the command find out as it would without us.
    fn fail(&mut self, error: io::Error) {
        self.source = None;
        self.waiting = 0..0;
        self.error = Some(error);
    }
}
