//! A process in the command's group by which we learn what was typed.
//!
//! While the command has the foreground, what Ctrl-C sends goes to its group alone. A program that
//! catches the signal and exits by itself says nothing of it. So a small program of the system,
//! `cat`, which has nothing to read and catches nothing, stands in the group: when it dies by a
//! signal that a terminal sends and we did not, the signal was typed. It holds none of the
//! command's streams, ends when we do, and is no process of the command's. It is the system's own,
//! whatever the caller's `PATH` says: a directory in it may have no `cat`, or one that does more.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal};

use super::children;
use crate::platform::handle;
use crate::platform::pipes::pipe;
use crate::platform::processes::have_leave_no_core;

/// Where systems keep `cat`. The first that is there is taken.
const PLACES: [&str; 4] = [
    "/bin/cat",
    "/usr/bin/cat",
    "/usr/local/bin/cat",
    "/run/current-system/sw/bin/cat",
];

/// Sentinels a command gets, one after the other. A command that ends them over and over does not
/// have us start programs for ever.
const SENTINELS_MAX: u32 = 1000;

/// How long a process that has nothing more to read may take to end: no longer than a busy machine
/// needs to let it run.
const RELIEF_MAX: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

/// The signals that a terminal sends to end a program.
const TYPED: [Signal; 3] = [Signal::HUP, Signal::INT, Signal::QUIT];

/// Watches one group, with one process at a time.
#[derive(Debug)]
pub(super) struct Sentinel {
    group: Pid,
    standing: Option<Standing>,
    left: u32,
    /// What we sent to the group, and the process has not died of yet.
    sent: Vec<Signal>,
}

/// The process that stands there now.
#[derive(Debug)]
struct Standing {
    child: Child,
    handle: OwnedFd,
    /// Its input: it ends when this is closed, by us or with us.
    input: Option<OwnedFd>,
}

impl Sentinel {
    /// For the group `group`; nobody stands there yet.
    pub(super) fn of(group: Pid) -> Self {
        Self {
            group,
            standing: None,
            left: SENTINELS_MAX,
            sent: Vec::new(),
        }
    }

    /// Lets a process stand there. Without one, only how the command ends tells what was typed.
    pub(super) fn post(&mut self) {
        if self.standing.is_some() || self.left == 0 {
            return;
        }
        self.left -= 1;
        self.sent.clear();
        self.standing = Standing::start(self.group).ok();
    }

    /// Nobody stands there any more; the signal that was typed in the last moment, if one was.
    pub(super) fn dismiss(&mut self) -> Option<Signal> {
        let standing = self.standing.take()?.relieve();
        self.typed(standing)
    }

    /// Readable when it died.
    pub(super) fn died(&self) -> Option<BorrowedFd<'_>> {
        self.standing.as_ref().map(|s| s.handle.as_fd())
    }

    /// We send `signal` to the group: a death by it tells nothing.
    pub(super) fn expect(&mut self, signal: Signal) {
        if TYPED.contains(&signal) {
            self.sent.push(signal);
        }
    }

    /// It died: the signal that was typed, if one was. Another takes its place.
    pub(super) fn ask(&mut self) -> Option<Signal> {
        let standing = self.standing.take()?;
        let typed = self.typed(standing);
        self.post();
        typed
    }

    fn typed(&self, standing: Standing) -> Option<Signal> {
        let signal = standing.collect();
        let signal = TYPED.into_iter().find(|&s| Some(s.as_raw()) == signal);
        signal.filter(|signal| !self.sent.contains(signal))
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        self.dismiss();
    }
}

impl Standing {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the room that starts programs"
    )]
    fn start(group: Pid) -> rustix::io::Result<Self> {
        let place = PLACES.into_iter().find(|place| Path::new(place).is_file());
        let (theirs, input) = pipe()?;
        let mut cat = Command::new(place.ok_or(Errno::NOENT)?);
        cat.env_clear()
            .stdin(theirs)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        cat.current_dir("/").process_group(group.as_raw_pid());
        let failed = |e: std::io::Error| Errno::from_io_error(&e).unwrap_or(Errno::IO);
        let mut child = children::spawn(&mut cat).map_err(failed)?;
        let pid = Pid::from_child(&child);
        // Its death is worth no core.
        have_leave_no_core(pid);
        match handle::open(pid) {
            Ok(handle) => Ok(Self {
                child,
                handle,
                input: Some(input),
            }),
            Err(e) => {
                let _ = child.kill();
                let _ = child.wait();
                children::collected(pid);
                Err(e)
            }
        }
    }

    /// Lets it end by itself. What was typed before comes first, and it dies of that.
    fn relieve(mut self) -> Self {
        self.input = None;
        let _ = handle::signal(&self.handle, Signal::CONT);
        let mut ended = [PollFd::new(&self.handle, PollFlags::IN)];
        if !poll(&mut ended, Some(&RELIEF_MAX)).is_ok_and(|ended| ended > 0) {
            let _ = handle::signal(&self.handle, Signal::KILL);
        }
        self
    }

    /// Waits for its end, which is near, and says which signal ended it.
    fn collect(mut self) -> Option<i32> {
        let status = self.child.wait().ok();
        children::collected(Pid::from_child(&self.child));
        status.and_then(|status| status.signal())
    }
}
