//! Being told what becomes of a child: that it exited, or that job control stopped it.
//!
//! A process descriptor tells of exits only, and a handler for `SIGCHLD` is not a library's to
//! install. So one thread waits for this one child and writes what it sees to a pipe that the event
//! loop polls. It leaves the exit status for the loop to collect: until then the process id, and
//! the group named after it, can belong to nobody else.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::platform::pipes::pipe;

/// What became of the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Exited,
    /// Stopped by this signal.
    Stopped(i32),
}

/// The thread's end of the story. It ends with the child.
#[derive(Debug)]
pub(super) struct Watch {
    news: OwnedFd,
}

impl Watch {
    pub(super) fn start(child: Pid) -> io::Result<Self> {
        let (news, teller) = pipe()?;
        thread::Builder::new()
            .name("recover-watch".to_owned())
            .spawn(move || tell(child, &teller))?;
        Ok(Self { news })
    }

    /// The next news; call it when the descriptor is readable.
    pub(super) fn read(&self) -> News {
        let mut byte = [0];
        match rustix::io::read(&self.news, &mut byte) {
            Ok(1) if byte[0] != 0 => News::Stopped(i32::from(byte[0])),
            _ => News::Exited,
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.news.as_fd()
    }
}

/// One byte for each stop, its signal; the end of the pipe is the end of the child.
fn tell(child: Pid, teller: &OwnedFd) {
    let id = WaitId::Pid(child);
    loop {
        let looking = WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT;
        match waitid(id.clone(), looking) {
            Err(Errno::INTR) | Ok(None) => continue,
            Ok(Some(status)) if status.stopped() || status.trapped() => {}
            Ok(Some(_)) | Err(_) => return,
        }
        // Only now is the stop taken off the child, so that the next round waits for what follows.
        let taking = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
        let stopped = waitid(id.clone(), taking);
        let signal = stopped.ok().flatten().and_then(|s| s.stopping_signal());
        if let Some(signal) = signal.and_then(|signal| u8::try_from(signal).ok()) {
            let _ = rustix::io::write(teller, &[signal]);
        }
    }
}
