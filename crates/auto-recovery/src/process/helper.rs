//! A program of ours (git) that exchanges data with us while it runs, and never keeps us waiting
//! for ever.
//!
//! It runs as long as it takes, until the user wants to stop or the deadline has passed. From then
//! on it may run as long as it works, for the tree has to be put back with it: one that keeps us
//! waiting and does nothing is killed, and so is one that takes far too long. Reads and writes
//! after that fail with the reason.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::children;
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::interrupt::timespec;
use crate::mutex;
use crate::patience::over;
use crate::platform::handle;
use crate::platform::orphans::are_adopted;
use crate::platform::processes::scan;

/// Bytes of its stderr that are kept.
const STDERR_BYTES_MAX: usize = 4096;

/// Pause between looks at it, once the user wants to stop or the deadline has passed.
const TICK: Duration = Duration::from_millis(50);

/// Ticks for which a helper may keep us waiting without doing anything: 3 s, longer than a slow
/// disk takes for one sync; and 0.5 s once another was killed for that, for the next hangs as well.
const IDLE_TICKS_MAX: u32 = 60;
const IDLE_TICKS_AFTER_ANOTHER: u32 = 10;

/// Ticks for which a helper may keep us waiting in all: 30 s, three times as long as the largest
/// checkpoint takes.
const TICKS_MAX: u32 = 600;

/// Longest time that its remaining children may hold its stderr.
const LINGER: Duration = Duration::from_millis(100);

/// The limits of our waits for helpers, and the knowledge of one that hung.
#[derive(Clone)]
pub struct Patience {
    host: Arc<dyn Host>,
    /// Set once a helper was killed because it hung.
    hung: Arc<AtomicBool>,
}

impl Patience {
    /// The patience of the user of `host`.
    pub fn new(host: Arc<dyn Host>) -> Self {
        Self {
            host,
            hung: Arc::new(AtomicBool::new(false)),
        }
    }
}

impl std::fmt::Debug for Patience {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Patience").finish_non_exhaustive()
    }
}

/// A helper that was started. Dropping it kills it.
#[derive(Debug)]
pub struct Helper {
    child: Arc<Kept>,
    keeper: Option<JoinHandle<Vec<u8>>>,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    pid: Pid,
    is_collected: bool,
}

/// The result of a helper.
#[derive(Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// The first bytes of its stderr.
    pub stderr: Vec<u8>,
}

/// One end of a pipe to a helper.
#[derive(Debug)]
pub struct End<T> {
    pipe: T,
    kept: Arc<Kept>,
}

/// The state that we share with the helper's keeper.
#[derive(Debug)]
struct Kept {
    name: String,
    child: Mutex<Option<Child>>,
    /// Number of our threads that wait for it now: one may write while another reads.
    waiters: AtomicU32,
    /// Number of our waits so far; it identifies each.
    waits: AtomicU32,
    /// The reason why it was killed: 0 if it was not, else as in [`code`].
    cut: AtomicU8,
}

impl Helper {
    /// Starts `command`, with pipes to it; `name` names it for people. Without patience it may take
    /// as long as it likes.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(
        command: &mut Command,
        name: &str,
        patience: Option<&Patience>,
    ) -> io::Result<Self> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if are_adopted() {
            // Signals typed at the terminal are for us: a helper may be putting the tree back.
            command.process_group(0);
        }
        let mut child = children::spawn(command)?;
        let pid = Pid::from_child(&child);
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let stderr = child.stderr.take();
        let kept = Arc::new(Kept {
            name: name.to_owned(),
            child: Mutex::new(Some(child)),
            waiters: AtomicU32::new(0),
            waits: AtomicU32::new(0),
            cut: AtomicU8::new(0),
        });
        let keeper = stderr.map(|stderr| {
            let keeper = Keeper {
                pid,
                in_group: are_adopted(),
                kept: Arc::clone(&kept),
                patience: patience.cloned(),
            };
            std::thread::spawn(move || keeper.keep(stderr))
        });
        Ok(Self {
            child: kept,
            keeper,
            stdin,
            stdout,
            pid,
            is_collected: false,
        })
    }

    /// Its input, if `command` asked for a pipe, and its output; once.
    pub fn pipes(&mut self) -> (Option<End<ChildStdin>>, Option<End<ChildStdout>>) {
        let kept = &self.child;
        let stdin = self.stdin.take().map(|pipe| End::new(pipe, kept));
        let stdout = self.stdout.take().map(|pipe| End::new(pipe, kept));
        (stdin, stdout)
    }

    /// Waits for its end; its input must be closed.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`] or [`ErrorKind::TimedOut`] if it was killed because its time was
    /// over.
    pub fn finish(mut self) -> Result<Finished> {
        // Its output is read no further, and must not keep it.
        drop((self.stdin.take(), self.stdout.take()));
        self.child.begin_wait();
        let stderr = self.join();
        let status = self.collect();
        if let Some(error) = self.child.cut() {
            return Err(error);
        }
        let status =
            status.map_err(|e| Error::os(format!("failed to wait for {}", self.child.name), e))?;
        Ok(Finished { status, stderr })
    }

    fn join(&mut self) -> Vec<u8> {
        let keeper = self.keeper.take();
        keeper
            .and_then(|keeper| keeper.join().ok())
            .unwrap_or_default()
    }

    /// Collects its exit status. If its keeper has ended, it has ended too.
    fn collect(&mut self) -> io::Result<ExitStatus> {
        self.is_collected = true;
        let mut child = lock(&self.child.child);
        let status = match child.take() {
            Some(mut child) => child.wait(),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        children::collected(self.pid);
        status
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        if self.is_collected {
            return;
        }
        drop((self.stdin.take(), self.stdout.take()));
        if let Some(child) = &mut *lock(&self.child.child) {
            let _already_gone = child.kill();
        }
        self.join();
        let _reaped = self.collect();
    }
}

impl<T> End<T> {
    fn new(pipe: T, kept: &Arc<Kept>) -> Self {
        let kept = Arc::clone(kept);
        Self { pipe, kept }
    }

    /// Marks the helper as awaited while `act` uses the pipe.
    fn waiting<R>(&mut self, act: impl FnOnce(&mut T) -> io::Result<R>) -> io::Result<R> {
        self.kept.begin_wait();
        let result = act(&mut self.pipe);
        self.kept.waiters.fetch_sub(1, Ordering::SeqCst);
        result
    }
}

impl<T: Read> Read for End<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.waiting(|pipe| pipe.read(buffer))?;
        match self.kept.cut() {
            Some(error) if read == 0 => Err(io::Error::other(error)),
            _ => Ok(read),
        }
    }
}

impl<T: Write> Write for End<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.waiting(|pipe| pipe.write(bytes));
        written.map_err(|error| self.kept.cut().map_or(error, io::Error::other))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pipe.flush()
    }
}

impl Kept {
    fn begin_wait(&self) {
        self.waits.fetch_add(1, Ordering::SeqCst);
        self.waiters.fetch_add(1, Ordering::SeqCst);
    }

    /// The reason why it was killed, if it was.
    fn cut(&self) -> Option<Error> {
        let (kind, why) = match self.cut.load(Ordering::SeqCst) {
            0 => return None,
            TIMED_OUT => (ErrorKind::TimedOut, "the deadline passed"),
            _ => (ErrorKind::Interrupted, "interrupted"),
        };
        let context = format!("{why} while waiting for {}, which was ended", self.name);
        Some(Error::new(kind, context))
    }
}

/// The code for [`ErrorKind::TimedOut`] as the reason why a helper was killed.
const TIMED_OUT: u8 = 1;

fn code(why: ErrorKind) -> u8 {
    match why {
        ErrorKind::TimedOut => TIMED_OUT,
        _ => TIMED_OUT + 1,
    }
}

/// Watches a helper to its end, on a thread of its own: reads its stderr, and kills it if it keeps
/// us waiting after the user's patience or the deadline has ended.
struct Keeper {
    pid: Pid,
    in_group: bool,
    kept: Arc<Kept>,
    patience: Option<Patience>,
}

/// Time for which a helper has kept us waiting, in ticks.
#[derive(Default)]
struct Late {
    wait: u32,
    ticks: u32,
    idle: u32,
    worked: u64,
}

impl Keeper {
    fn keep(self, mut stderr: ChildStderr) -> Vec<u8> {
        let mut said = Vec::new();
        // A helper that has ended already makes its handle readable as well.
        let gone = handle::open(self.pid);
        let _blocks = fcntl_setfl(&stderr, OFlags::NONBLOCK);
        let mut is_open = true;
        let mut late = Late::default();
        loop {
            let tick = self.patience.is_some().then(|| timespec(TICK));
            let mut fds = Vec::with_capacity(2);
            if let Ok(gone) = &gone {
                fds.push(PollFd::new(gone, PollFlags::IN));
            }
            if is_open {
                fds.push(PollFd::from_borrowed_fd(stderr.as_fd(), PollFlags::IN));
            }
            let ready = poll(&mut fds, tick.as_ref());
            drop(fds);
            is_open &= !take(&mut stderr, &mut said);
            if self.has_exited() || (gone.is_err() && !is_open) {
                break;
            }
            if matches!(ready, Ok(0) | Err(Errno::INTR)) {
                self.end_if_late(&mut late);
            }
        }
        if is_open {
            let mut fds = [PollFd::from_borrowed_fd(stderr.as_fd(), PollFlags::IN)];
            let _ = poll(&mut fds, Some(&timespec(LINGER)));
            take(&mut stderr, &mut said);
        }
        said
    }

    /// Whether it has exited; its status remains to be collected.
    fn has_exited(&self) -> bool {
        let looking = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(self.pid), looking), Ok(None))
    }

    fn end_if_late(&self, late: &mut Late) {
        let Some(patience) = &self.patience else {
            return;
        };
        let Some(why) = over(&*patience.host) else {
            return;
        };
        let wait = self.kept.waits.load(Ordering::SeqCst);
        if self.kept.waiters.load(Ordering::SeqCst) == 0 || wait != late.wait {
            *late = Late {
                wait,
                worked: self.worked(),
                ..Late::default()
            };
            return;
        }
        late.ticks += 1;
        late.idle += 1;
        let idle_max = match patience.hung.load(Ordering::SeqCst) {
            true => IDLE_TICKS_AFTER_ANOTHER,
            false => IDLE_TICKS_MAX,
        };
        if late.idle >= idle_max {
            let worked = self.worked();
            if worked != late.worked && late.ticks < TICKS_MAX {
                late.worked = worked;
                late.idle = 0;
                return;
            }
            patience.hung.store(true, Ordering::SeqCst);
            self.kept.cut.store(code(why), Ordering::SeqCst);
            self.kill();
        }
    }

    /// Work of the helper and its children, in clock ticks of the system.
    fn worked(&self) -> u64 {
        let group = self.pid.as_raw_pid();
        let table = scan().into_iter();
        let its = table.filter(|stat| stat.pid == group || (self.in_group && stat.group == group));
        its.map(|stat| stat.worked).sum()
    }

    fn kill(&self) {
        // Not collected yet, so the id is still its own.
        if let Some(child) = &mut *lock(&self.kept.child) {
            if self.in_group {
                let _ = kill_process_group(self.pid, Signal::KILL);
            }
            let _ = child.kill();
        }
    }
}

/// Reads the available stderr; returns whether it has reached its end.
fn take(stderr: &mut ChildStderr, said: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match stderr.read(&mut buffer) {
            Ok(0) => return true,
            Ok(length) => {
                let room = STDERR_BYTES_MAX.saturating_sub(said.len());
                said.extend(&buffer[..length.min(room)]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
        }
    }
}

fn lock(child: &Mutex<Option<Child>>) -> std::sync::MutexGuard<'_, Option<Child>> {
    mutex::lock(child)
}
