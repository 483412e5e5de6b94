//! A terminal for a command's output, so that colours and progress bars live.
//!
//! The command writes to a pseudo terminal of ours in place of the caller's terminal: raw, so that
//! bytes arrive as they were written, and of the same size. It is never the controlling terminal of
//! a process, and the command's input stays what it is. A program that reads keys from it, as
//! pagers do, sets it so; then it gets [keys](super::keys).
//!
//! When both streams go to one terminal they share one pseudo terminal: a person sees them in the
//! order in which they were written, and both are terminals to the command. Their bytes then cannot
//! be separated, and count as standard output.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{
    LocalModes, OptionalActions, OutputModes, Termios, Winsize, isatty, tcgetattr, tcgetwinsize,
    tcsetattr, tcsetwinsize,
};

use super::packet::set_packets;
use super::unread::is_awaited;
use crate::platform::descriptors;
use crate::platform::processes::scan;

/// The caller's terminals that a command's output goes to in the end.
#[derive(Clone, Debug, Default)]
pub struct Terminals {
    /// The terminal of standard output; a pipe unless set.
    pub stdout: Option<Arc<OwnedFd>>,
    /// The terminal of standard error; a pipe unless set.
    pub stderr: Option<Arc<OwnedFd>>,
}

impl Terminals {
    /// The terminals among `stdout` and `stderr`.
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

    /// Whether both streams go to the same terminal.
    pub(super) fn are_one(&self) -> bool {
        let device = |fd: &Arc<OwnedFd>| rustix::fs::fstat(fd).ok().map(|stat| stat.st_rdev);
        match (&self.stdout, &self.stderr) {
            (Some(stdout), Some(stderr)) => device(stdout) == device(stderr),
            _ => false,
        }
    }
}

/// A pseudo terminal in place of a terminal of the caller.
#[derive(Debug)]
pub(super) struct Pty {
    ours: OwnedFd,
    /// The path of the command's end.
    name: PathBuf,
    stands_for: Arc<OwnedFd>,
    size: Option<Winsize>,
}

impl Pty {
    /// Opens a new one, and returns it with the command's end.
    pub(super) fn open(stands_for: &Arc<OwnedFd>) -> io::Result<(Self, OwnedFd)> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let ours = openpt(flags)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        let name = ptsname(&ours, Vec::new())?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let theirs = rustix::fs::open(&name, flags, Mode::empty())?;
        let mut modes = tcgetattr(&theirs)?;
        modes.output_modes.remove(OutputModes::OPOST);
        // With this, a change of modes is reported.
        modes.local_modes.insert(LocalModes::EXTPROC);
        tcsetattr(&theirs, OptionalActions::Now, &modes)?;
        set_packets(&ours, true)?;
        let mut pty = Self {
            ours,
            name: PathBuf::from(OsStr::from_bytes(name.as_bytes())),
            stands_for: stands_for.clone(),
            size: None,
        };
        pty.mirror_size();
        Ok((pty, theirs))
    }

    /// Our end. Each read from it begins with a byte that says what it is.
    pub(super) fn source(&self) -> io::Result<OwnedFd> {
        self.ours.as_fd().try_clone_to_owned()
    }

    /// Makes reads from our end return the written bytes alone from here on.
    pub(super) fn end_packets(&self) {
        let _ = set_packets(&self.ours, false);
    }

    /// The modes that a program has set, if they are for reading keys.
    pub(super) fn key_modes(&self) -> Option<Termios> {
        let modes = tcgetattr(&self.ours).ok()?;
        (!modes.local_modes.contains(LocalModes::ICANON)).then_some(modes)
    }

    /// Whether a process of `group` has it open to read from, besides having it for its output. One
    /// of another user counts as if it had.
    pub(super) fn is_read_by(&self, group: i32) -> bool {
        let members = scan().into_iter().filter(|stat| stat.group == group);
        members.into_iter().any(|stat| {
            let Ok(open) = descriptors::of(stat.pid) else {
                return !stat.is_over();
            };
            let mut inputs = open.flatten().filter(|entry| {
                let name = entry.file_name();
                name != "1" && name != "2"
            });
            inputs.any(|entry| fs::read_link(entry.path()).is_ok_and(|path| path == self.name))
        })
    }

    /// Whether a process of `group` waits to read from it, even if it has it for its output only.
    pub(super) fn is_awaited_by(&self, group: i32) -> bool {
        is_awaited(&self.name, group)
    }

    /// Gives it the size of the caller's terminal, and returns whether that was news.
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
