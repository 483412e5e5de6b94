//! Writing to somebody else's file descriptor without ever being held up by it.
//!
//! A reader that stalls must not keep a time limit from being noticed, and the descriptor's own
//! flags are shared with other programs and may not be changed. So a pipe or a terminal is opened
//! anew, non-blocking, through `/proc/self/fd`; a socket is asked not to wait with each write; a
//! file never makes a writer wait. What cannot be opened anew is written to in pieces that fit.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use rustix::net::SendFlags;

use crate::platform::descriptors;

/// Bytes that a pipe which is ready to be written to always takes: `PIPE_BUF`.
const PIPE_PIECE: usize = 4096;

/// A place to write to.
#[derive(Debug)]
pub struct NonblockingWriter {
    fd: OwnedFd,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Writes say by themselves that they would have to wait, or never have to.
    Direct,
    Socket,
    /// Written to only when ready, a piece at a time.
    Pieces,
}

impl NonblockingWriter {
    /// A place to write to that is `fd`'s.
    pub fn new(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let kind = match FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode) {
            FileType::Socket => Kind::Socket,
            FileType::Fifo | FileType::CharacterDevice => {
                if let Ok(fd) = reopen(fd) {
                    let kind = Kind::Direct;
                    return Ok(Self { fd, kind });
                }
                Kind::Pieces
            }
            _ => Kind::Direct,
        };
        let fd = fd.try_clone_to_owned()?;
        Ok(Self { fd, kind })
    }

    /// Writes some of `bytes`; `WouldBlock` when nothing can be taken now.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let written = match self.kind {
                Kind::Direct => rustix::io::write(&self.fd, bytes),
                Kind::Socket => {
                    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                    rustix::net::send(&self.fd, bytes, flags)
                }
                Kind::Pieces => self.write_piece(bytes),
            };
            match written {
                Err(Errno::INTR) => {}
                written => return Ok(written?),
            }
        }
    }

    fn write_piece(&self, bytes: &[u8]) -> rustix::io::Result<usize> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut fds = [PollFd::new(&self.fd, PollFlags::OUT)];
        if poll(&mut fds, Some(&now))? == 0 {
            return Err(Errno::AGAIN);
        }
        rustix::io::write(&self.fd, &bytes[..bytes.len().min(PIPE_PIECE)])
    }
}

impl AsFd for NonblockingWriter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn reopen(fd: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    descriptors::open_anew(fd, flags)
}
