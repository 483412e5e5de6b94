//! One wait for many descriptors, with an exact limit.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::interrupt::timespec;

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// There is news of the command's own process.
    News,
    /// The user asked to stop.
    Interrupted,
    /// A signal may have been typed.
    Typed,
    /// A key can be passed on.
    Keys,
    /// Something was typed that nobody may have read.
    Unread,
    /// The user asked again.
    Hurried,
    /// The terminal has something to say.
    Nudged,
    /// The command's input can be fed.
    Feed,
    /// The pump of this number can read.
    Readable(usize),
    /// The sink of the pump of this number takes more.
    Writable(usize),
    /// The other process of this number has ended.
    Gone(usize),
}

/// What to wait for.
#[derive(Debug, Default)]
pub(super) struct Waiting<'a> {
    fds: Vec<PollFd<'a>>,
    events: Vec<Event>,
}

impl<'a> Waiting<'a> {
    pub(super) fn readable(&mut self, fd: Option<BorrowedFd<'a>>, event: Event) {
        self.add(fd, PollFlags::IN, event);
    }

    pub(super) fn writable(&mut self, fd: Option<BorrowedFd<'a>>, event: Event) {
        self.add(fd, PollFlags::OUT, event);
    }

    fn add(&mut self, fd: Option<BorrowedFd<'a>>, flags: PollFlags, event: Event) {
        if let Some(fd) = fd {
            self.fds.push(PollFd::from_borrowed_fd(fd, flags));
            self.events.push(event);
        }
    }

    /// What has happened when at least something has, or when `limit` has passed.
    pub(super) fn wait(mut self, limit: Option<Duration>) -> Result<Vec<Event>> {
        let limit = limit.map(timespec);
        match poll(&mut self.fds, limit.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(Vec::new()),
            Err(e) => return Err(Error::os("wait for the command", e.into())),
        }
        let pairs = self.fds.iter().zip(&self.events);
        let ready = pairs.filter(|(fd, _)| !fd.revents().is_empty());
        Ok(ready.map(|(_, &event)| event).collect())
    }
}
