//! This process's own stdout and stderr during a run, whose readers may have stopped reading.
//!
//! A run is told to end by its deadline, TERM or Ctrl-C, and no reader is waited for longer. Other
//! commands have no handlers: a signal ends them wherever they wait, and they write as usual.

use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use auto_recovery::ErrorKind;
use auto_recovery::host::Host;
use auto_recovery::interrupt::Interrupt;
use auto_recovery::mutex;
use auto_recovery::patience::over;
use auto_recovery::process::NonblockingWriter;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// How long what is said in the end, when nobody waits any more, is still offered: as long as a
/// lock is waited for then, and too short for anybody to think that nothing happens.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Who says how long readers are waited for.
static RUN: OnceLock<Run> = OnceLock::new();

struct Run {
    interrupt: Arc<Interrupt>,
    host: Arc<dyn Host>,
    stdout: Mutex<Option<NonblockingWriter>>,
    stderr: Mutex<Option<NonblockingWriter>>,
    /// Whether a reader took nothing until the end: those that come are offered once.
    is_given_up: AtomicBool,
}

/// From here on readers are waited for no longer than until `interrupt` is raised or the deadline
/// of `host` has passed.
pub(crate) fn wait_for_readers(interrupt: Arc<Interrupt>, host: Arc<dyn Host>) {
    let run = Run {
        interrupt,
        host,
        stdout: Mutex::default(),
        stderr: Mutex::default(),
        is_given_up: AtomicBool::new(false),
    };
    // One process runs one command.
    RUN.set(run).ok();
}

/// Whether something was not said because nobody read it before the run was told to end.
pub(crate) fn gave_up_on_readers() -> bool {
    RUN.get()
        .is_some_and(|run| run.is_given_up.load(Ordering::Relaxed))
}

/// Writes `bytes` to stdout.
///
/// # Errors
/// As `write`; `TimedOut` or `Interrupted` if nobody took all of them before that came.
pub(super) fn to_stdout(bytes: &[u8]) -> io::Result<()> {
    let stdout = io::stdout();
    match RUN.get() {
        Some(run) => run.write(&run.stdout, stdout.as_fd(), bytes),
        None => {
            let mut out = stdout.lock();
            out.write_all(bytes).and_then(|()| out.flush())
        }
    }
}

/// Writes `bytes` to stderr. One that is gone, or that nobody reads, is nobody's to tell.
pub(super) fn to_stderr(bytes: &[u8]) {
    let stderr = io::stderr();
    match RUN.get() {
        Some(run) => run.write(&run.stderr, stderr.as_fd(), bytes).ok(),
        None => stderr.lock().write_all(bytes).ok(),
    };
}

impl Run {
    fn write(
        &self,
        writer: &Mutex<Option<NonblockingWriter>>,
        fd: BorrowedFd<'_>,
        mut bytes: &[u8],
    ) -> io::Result<()> {
        let mut writer = mutex::lock(writer);
        let writer = match &mut *writer {
            Some(writer) => writer,
            none => match NonblockingWriter::new(fd) {
                Ok(writer) => none.insert(writer),
                // That is a descriptor more, and the process may have as many as it can.
                Err(_) => return write_as_it_is(fd, bytes),
            },
        };
        let mut is_last = false;
        while !bytes.is_empty() {
            match writer.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(writer.as_fd(), &mut is_last)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until `writer` takes more, or nobody waits any more; then once more.
    fn wait(&self, writer: BorrowedFd<'_>, is_last: &mut bool) -> io::Result<()> {
        let why = over(&*self.host);
        let mut fds = vec![PollFd::from_borrowed_fd(writer, PollFlags::OUT)];
        let limit = match why {
            Some(why) if *is_last || self.is_given_up.load(Ordering::Relaxed) => {
                self.is_given_up.store(true, Ordering::Relaxed);
                return Err(not_taken(why));
            }
            Some(_) => {
                *is_last = true;
                Some(LAST_WAIT)
            }
            None => {
                let first = self.interrupt.first();
                fds.extend(first.map(|first| PollFd::from_borrowed_fd(first, PollFlags::IN)));
                let left = |at: Duration| at.saturating_sub(self.host.monotonic());
                self.host.deadline().map(left)
            }
        };
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        match poll(&mut fds, limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// Writes `bytes` to `fd` itself, however long its reader takes.
fn write_as_it_is(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

fn not_taken(why: ErrorKind) -> io::Error {
    let (kind, before) = match why {
        ErrorKind::Interrupted => (io::ErrorKind::Interrupted, "recover was told to end"),
        _ => (io::ErrorKind::TimedOut, "the deadline"),
    };
    io::Error::new(kind, format!("nobody read it before {before}"))
}
