//! A terminal for a command's output, so that colours and progress bars live.
//!
//! The command writes to a pseudo terminal of ours that stands for the caller's terminal: raw, so
//! that bytes arrive as they were written, and of the same size. It is for output only: what the
//! command reads is not our business, and it never becomes anybody's controlling terminal.
//!
//! When both streams go to one terminal they share one pseudo terminal: a person sees them in the
//! order in which they were written, and both are terminals to the command. What they hold can then
//! not be told apart, and counts as standard output.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{
    OptionalActions, Winsize, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize,
};

/// The caller's terminals that a command's output goes to in the end.
#[derive(Clone, Debug, Default)]
pub struct Terminals {
    /// The one that standard output goes to; a pipe unless set.
    pub stdout: Option<Arc<OwnedFd>>,
    /// The one that standard error goes to; a pipe unless set.
    pub stderr: Option<Arc<OwnedFd>>,
}

impl Terminals {
    /// Those of `stdout` and `stderr` that are terminals.
    pub fn among(stdout: BorrowedFd<'_>, stderr: BorrowedFd<'_>) -> io::Result<Self> {
        let terminal = |fd: BorrowedFd<'_>| -> io::Result<Option<Arc<OwnedFd>>> {
            isatty(fd)
                .then(|| fd.try_clone_to_owned().map(Arc::new))
                .transpose()
        };
        Ok(Self {
            stdout: terminal(stdout)?,
            stderr: terminal(stderr)?,
        })
    }

    /// Whether both streams go to one and the same terminal.
    pub(super) fn are_one(&self) -> bool {
        let device = |fd: &Arc<OwnedFd>| rustix::fs::fstat(fd).ok().map(|stat| stat.st_rdev);
        match (&self.stdout, &self.stderr) {
            (Some(stdout), Some(stderr)) => device(stdout) == device(stderr),
            _ => false,
        }
    }
}

/// A pseudo terminal that stands for a terminal of the caller.
#[derive(Debug)]
pub(super) struct Pty {
    ours: OwnedFd,
    stands_for: Arc<OwnedFd>,
    size: Option<Winsize>,
}

impl Pty {
    /// A new one, and the end that is the command's.
    pub(super) fn open(stands_for: &Arc<OwnedFd>) -> io::Result<(Self, OwnedFd)> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let ours = openpt(flags)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        let name = ptsname(&ours, Vec::new())?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let theirs = rustix::fs::open(name, flags, Mode::empty())?;
        let mut modes = tcgetattr(&theirs)?;
        modes.make_raw();
        tcsetattr(&theirs, OptionalActions::Now, &modes)?;
        let mut pty = Self {
            ours,
            stands_for: stands_for.clone(),
            size: None,
        };
        pty.mirror_size();
        Ok((pty, theirs))
    }

    /// Our end.
    pub(super) fn source(&self) -> io::Result<OwnedFd> {
        self.ours.as_fd().try_clone_to_owned()
    }

    /// Gives it the size of the terminal it stands for, and says whether that was news.
    pub(super) fn mirror_size(&mut self) -> bool {
        let Ok(size) = tcgetwinsize(&self.stands_for) else {
            return false;
        };
        if self.size.is_some_and(|known| is_same(known, size)) {
            return false;
        }
        self.size = Some(size);
        tcsetwinsize(&self.ours, size).is_ok()
    }
}

fn is_same(a: Winsize, b: Winsize) -> bool {
    (a.ws_row, a.ws_col, a.ws_xpixel, a.ws_ypixel) == (b.ws_row, b.ws_col, b.ws_xpixel, b.ws_ypixel)
}
