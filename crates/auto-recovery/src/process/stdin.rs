//! Input that later attempts can read again.
//!
//! Input that the first attempt reads from a pipe is lost, unless it is kept. So the command gets a
//! pipe of ours, and everything it reads from that is kept for the next attempt, up to
//! [`ReplayedInput::KEPT_MAX`]. No more is taken from the caller's pipe than the command took from
//! ours: a command that reads nothing leaves everything to the next reader, as it would without us.
//! That works by looking before taking. `tee` copies what lies in a pipe, a peek what lies in a
//! socket; our pipe holds one piece only, so that room in it means that the piece was read; then
//! the piece is taken. Where the system does not let us look, which some sandboxes do not, a piece
//! is taken and kept as soon as our pipe has room for it: any rest of that one piece that the
//! command leaves is lost to other readers.
//!
//! A regular file is read again by going back to where it stood. A terminal and anything else is
//! inherited: a later attempt reads on from it.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use rustix::io::{Errno, ioctl_fionbio, ioctl_fionread};
use rustix::net::RecvFlags;
use tempfile::{SpooledTempFile, spooled_tempfile_in};

use crate::error::{Error, ErrorKind, Hint, Result};
use crate::mutex;
use crate::platform::pipes;

/// Bytes that our pipe holds: the least a pipe can, one page.
const PIECE_MAX: usize = 4096;
/// Kept bytes that stay in memory; beyond it they move to a file without a name.
const IN_MEMORY_MAX: usize = 1 << 20;

/// The caller's input, for every attempt.
#[derive(Debug)]
pub struct ReplayedInput {
    source: OwnedFd,
    kind: Kind,
    /// Whether the system lets us look at what lies in the source without taking it.
    can_look: AtomicBool,
    kept: Mutex<Kept>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Pipe,
    Socket,
    /// A file, which was at this offset.
    File(u64),
    Inherited,
}

/// The input read so far.
#[derive(Debug)]
struct Kept {
    bytes: SpooledTempFile,
    count: u64,
    /// Why it cannot be read again.
    lost: Option<InputLost>,
}

/// Why standard input cannot be read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputLost {
    /// The input could not be read to its end: the reason.
    Unreadable(String),
    /// The input is longer than [`ReplayedInput::KEPT_MAX`]. A file would do.
    TooLong,
    /// The input read could not be kept: the reason.
    NotKept(String),
}

impl InputLost {
    /// A person's way out.
    pub fn hint(&self) -> Option<Hint> {
        matches!(self, Self::TooLong).then_some(Hint::GiveFile)
    }
}

impl fmt::Display for InputLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "standard input could not be read ({why})"),
            Self::TooLong => {
                let limit = ReplayedInput::KEPT_MAX >> 20;
                write!(
                    f,
                    "standard input is longer than {limit} MiB and cannot be read again"
                )
            }
            Self::NotKept(why) => write!(
                f,
                "standard input could not be kept ({why}) and cannot be read again: make room, or \
                 give it as a file"
            ),
        }
    }
}

impl ReplayedInput {
    /// Bytes kept of a pipe, at most: 64 MiB.
    pub const KEPT_MAX: u64 = 64 << 20;

    /// The input of `source` from here on. Beyond a MiB it is kept in a file without a name in
    /// `spool`.
    pub fn new(source: BorrowedFd<'_>, spool: &Path) -> io::Result<Self> {
        let mode = rustix::fs::fstat(source)?.st_mode;
        let kind = match FileType::from_raw_mode(mode) {
            FileType::Fifo => Kind::Pipe,
            FileType::Socket => Kind::Socket,
            FileType::RegularFile => Kind::File(rustix::fs::tell(source)?),
            _ => Kind::Inherited,
        };
        let kept = Kept {
            bytes: spooled_tempfile_in(IN_MEMORY_MAX, spool),
            count: 0,
            lost: None,
        };
        Ok(Self {
            source: source.try_clone_to_owned()?,
            kind,
            can_look: AtomicBool::new(true),
            kept: Mutex::new(kept),
        })
    }

    /// Why another attempt would not read what the first one read, if so.
    pub fn why_lost(&self) -> Option<InputLost> {
        self.kept().lost.clone()
    }

    /// The input for one more attempt, and what feeds it.
    pub(super) fn begin(self: &Arc<Self>) -> Result<(Stdio, Option<Feeder>)> {
        if let Some(why) = self.why_lost() {
            let error = Error::new(ErrorKind::Refused, why.to_string());
            return Err(match why.hint() {
                Some(hint) => error.with_hint(hint),
                None => error,
            });
        }
        let failed = |e: io::Error| Error::os("hand on standard input", e);
        match self.kind {
            Kind::Pipe | Kind::Socket => {
                let (theirs, feeder) = Feeder::new(self.clone()).map_err(failed)?;
                Ok((theirs.into(), Some(feeder)))
            }
            Kind::File(offset) => {
                rustix::fs::seek(&self.source, rustix::fs::SeekFrom::Start(offset))
                    .map_err(|e| failed(e.into()))?;
                Ok((self.source.try_clone().map_err(failed)?.into(), None))
            }
            Kind::Inherited => Ok((self.source.try_clone().map_err(failed)?.into(), None)),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        mutex::lock(&self.kept)
    }

    /// Copies a piece of the source's unread bytes into `pipe` without taking it.
    fn copy_piece(&self, pipe: &OwnedFd) -> rustix::io::Result<usize> {
        if matches!(self.kind, Kind::Pipe) {
            return pipes::copy_unread(&self.source, pipe, PIECE_MAX);
        }
        let mut piece = [0; PIECE_MAX];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let (_, count) = rustix::net::recv(&self.source, &mut piece[..], flags)?;
        match count {
            0 => Ok(0),
            _ => rustix::io::write(pipe, &piece[..count]),
        }
    }

    /// Takes `count` bytes that were copied, and keeps them.
    fn take(&self, mut count: usize) {
        let mut piece = [0; PIECE_MAX];
        while count > 0 && is_readable(&self.source) {
            let limit = count.min(piece.len());
            match rustix::io::read(&self.source, &mut piece[..limit]) {
                Ok(0) => return,
                Ok(taken) => {
                    self.kept().add(&piece[..taken]);
                    count -= taken;
                }
                Err(Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }
}

impl ReplayedInput {
    /// Takes a piece and keeps it; empty at the end.
    fn take_piece(&self) -> rustix::io::Result<Vec<u8>> {
        if !is_readable(&self.source) {
            return Err(Errno::AGAIN);
        }
        let mut piece = vec![0; PIECE_MAX];
        let count = match rustix::io::read(&self.source, &mut piece) {
            Err(error) if !matches!(error, Errno::INTR | Errno::AGAIN) => {
                // The command sees a false end; that must not be taken for the whole input.
                self.kept().lose(InputLost::Unreadable(error.to_string()));
                return Err(error);
            }
            count => count?,
        };
        piece.truncate(count);
        self.kept().add(&piece);
        Ok(piece)
    }
}

impl Kept {
    fn add(&mut self, bytes: &[u8]) {
        if self.lost.is_some() {
            return;
        }
        let count = self.count + bytes.len() as u64;
        if count > ReplayedInput::KEPT_MAX {
            return self.lose(InputLost::TooLong);
        }
        match self.bytes.write_all(bytes) {
            Ok(()) => self.count = count,
            Err(e) => self.lose(InputLost::NotKept(e.to_string())),
        }
    }

    fn lose(&mut self, why: InputLost) {
        self.lost = Some(why);
        self.bytes = SpooledTempFile::new(IN_MEMORY_MAX);
        self.count = 0;
    }

    /// The kept bytes from `at`, one piece.
    fn read_at(&mut self, at: u64, piece: &mut [u8]) -> io::Result<usize> {
        self.bytes.seek(SeekFrom::Start(at))?;
        let count = self.bytes.read(piece);
        self.bytes.seek(SeekFrom::End(0))?;
        count
    }
}

/// Feeds one attempt: first what was kept, then what is still in the source.
#[derive(Debug)]
pub(super) struct Feeder {
    input: Arc<ReplayedInput>,
    pipe: Option<OwnedFd>,
    /// Kept bytes that are to be given again, and how many of them were.
    again: u64,
    given_again: u64,
    /// Bytes taken without a look, and not yet written into our pipe.
    taken: Vec<u8>,
    next: Next,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Wait for room in our pipe, then go on.
    Room,
    /// Wait until the command has read this many copied bytes.
    Settle(usize),
    /// Wait for the source.
    Source,
}

impl Feeder {
    fn new(input: Arc<ReplayedInput>) -> io::Result<(OwnedFd, Self)> {
        let (theirs, pipe) = pipes::pipe()?;
        pipes::set_size(&pipe, PIECE_MAX)?;
        ioctl_fionbio(&pipe, true)?;
        let again = input.kept().count;
        let feeder = Self {
            input,
            pipe: Some(pipe),
            again,
            given_again: 0,
            taken: Vec::new(),
            next: Next::Room,
        };
        Ok((theirs, feeder))
    }

    /// The descriptor that must be readable before the next step, if any.
    pub(super) fn readable(&self) -> Option<BorrowedFd<'_>> {
        let waits = self.pipe.is_some() && self.next == Next::Source;
        waits.then(|| self.input.source.as_fd())
    }

    /// The descriptor that must be writable before the next step, if any.
    pub(super) fn writable(&self) -> Option<BorrowedFd<'_>> {
        let pipe = self.pipe.as_ref()?;
        (self.next != Next::Source).then_some(pipe.as_fd())
    }

    /// Does the next step; what it waited for has happened.
    pub(super) fn step(&mut self) {
        let Some(pipe) = self.pipe.take() else {
            return;
        };
        if !self.step_into(&pipe) {
            self.pipe = Some(pipe);
        }
    }

    /// The next step, into `pipe`; whether it was the last.
    fn step_into(&mut self, pipe: &OwnedFd) -> bool {
        let done = match self.next {
            Next::Settle(copied) => return self.settle(copied, pipe),
            Next::Room if self.given_again < self.again => self.give_again(pipe),
            Next::Room | Next::Source if self.looks() => self.input.copy_piece(pipe),
            Next::Room | Next::Source => self.give_taken(pipe),
        };
        let giving_again = self.given_again < self.again;
        match done {
            Ok(0) => return true,
            Ok(count) if giving_again => self.given_again += count as u64,
            Ok(count) if self.looks() => self.next = Next::Settle(count),
            Ok(_) => self.next = Next::Room,
            Err(Errno::INTR) => {}
            // Either the source is empty or our pipe is full.
            Err(Errno::AGAIN) => {
                self.next = if is_full(pipe) {
                    Next::Room
                } else {
                    Next::Source
                }
            }
            // The command reads no more.
            Err(Errno::PIPE) => return true,
            Err(_) if !giving_again && self.looks() => {
                self.input.can_look.store(false, Ordering::Relaxed);
                self.next = Next::Room;
            }
            Err(_) => return true,
        }
        false
    }

    fn looks(&self) -> bool {
        self.input.can_look.load(Ordering::Relaxed)
    }

    /// Gives what was taken, or else takes a piece, for which our pipe has room, and gives that.
    fn give_taken(&mut self, pipe: &OwnedFd) -> rustix::io::Result<usize> {
        if self.taken.is_empty() {
            if is_ready(PollFd::new(pipe, PollFlags::ERR)) {
                return Err(Errno::PIPE);
            }
            self.taken = self.input.take_piece()?;
        }
        if self.taken.is_empty() {
            return Ok(0);
        }
        let count = rustix::io::write(pipe, &self.taken)?;
        self.taken.drain(..count);
        Ok(count)
    }

    fn give_again(&self, pipe: &OwnedFd) -> rustix::io::Result<usize> {
        let mut piece = [0; PIECE_MAX];
        let left = usize::try_from(self.again - self.given_again).unwrap_or(PIECE_MAX);
        let limit = left.min(PIECE_MAX);
        let read = self
            .input
            .kept()
            .read_at(self.given_again, &mut piece[..limit]);
        let count = read.map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?;
        rustix::io::write(pipe, &piece[..count])
    }

    /// Takes from the source the bytes that the command has read of the copy. Bytes left in our
    /// pipe though there seemed to be room have no reader any more: then this was the last step.
    fn settle(&mut self, copied: usize, pipe: &OwnedFd) -> bool {
        let unread = ioctl_fionread(pipe).unwrap_or(0);
        let unread = usize::try_from(unread).unwrap_or(copied).min(copied);
        self.input.take(copied - unread);
        self.next = Next::Source;
        unread > 0
    }

    /// The command is over: what it did not read stays in the source.
    pub(super) fn finish(mut self) {
        if let (Next::Settle(copied), Some(pipe)) = (self.next, self.pipe.take()) {
            self.settle(copied, &pipe);
        }
    }
}

fn is_readable(fd: &OwnedFd) -> bool {
    is_ready(PollFd::new(fd, PollFlags::IN))
}

fn is_full(pipe: &OwnedFd) -> bool {
    !is_ready(PollFd::new(pipe, PollFlags::OUT))
}

fn is_ready(fd: PollFd<'_>) -> bool {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut [fd], Some(&now)).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests;
