//! Waiting for others: for as long as the user does.
//!
//! Whatever others may hold for ever (a lock, a database, a helper program that hangs) is asked for
//! again and again, never blocked on. A wait ends with the user's wish to stop or the deadline.
//! What has to be waited for once that has come, so that the tree is put back and the record
//! written, gets a moment more. A person is told what is waited for after two seconds.

mod alone;
mod holder;

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::host::{Host, Wait};

pub use self::alone::Alone;
pub use self::holder::Holder;

/// What others hold for a moment only is asked for after pauses that double from the first to the
/// last: 50 µs, 100 µs, … 3.2 ms, 6 ms in all. Most writes take less than one of them.
const FIRST_BRIEF_PAUSE: Duration = Duration::from_micros(50);
const BRIEF_PAUSES: u32 = 7;

/// How often it is asked for after that: a person does not notice it, and 40 times a second cost
/// nothing.
const PAUSE: Duration = Duration::from_millis(25);

/// How long a wait may be before a person is told.
const TELL_AFTER: Duration = Duration::from_secs(2);

/// How long a wait may be that begins once the user wants to stop, or the deadline has passed:
/// enough for any write, too short for anybody to think that nothing happens.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// One wait for something that others hold.
#[derive(Debug, Default)]
pub struct Waiting {
    brief: u32,
    /// When the wait became more than a brief one, on the host's monotonic clock.
    since: Option<Duration>,
    is_told: bool,
    /// What is left for a wait that began when nobody wanted to wait any more.
    last: Option<Duration>,
}

/// Whether nobody waits any more, and why: [`ErrorKind::Interrupted`] or [`ErrorKind::TimedOut`].
pub fn over(host: &dyn Host) -> Option<ErrorKind> {
    if host.is_interrupted() {
        return Some(ErrorKind::Interrupted);
    }
    let deadline = host.deadline()?;
    (deadline <= host.monotonic()).then_some(ErrorKind::TimedOut)
}

impl Waiting {
    /// Lets some time pass before `what` is asked for once more.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`] when the user wants to stop, [`ErrorKind::TimedOut`] when the
    /// deadline has passed: nobody waits any more.
    pub fn pause(&mut self, host: &dyn Host, what: &dyn Fn() -> String) -> Result<()> {
        let pause = self.next(host, what)?;
        // A host sleeps no longer for somebody who wants to stop, and brief pauses are nobody's.
        if self.since.is_none() || self.last.is_some() {
            really_sleep(pause);
            return Ok(());
        }
        match host.sleep(pause) {
            Wait::Elapsed => Ok(()),
            Wait::Interrupted => Err(stopped(ErrorKind::Interrupted, what)),
        }
    }

    /// How long to let pass before `what` is asked for once more; for who lets it pass otherwise
    /// than by sleeping.
    ///
    /// # Errors
    /// As [`Waiting::pause`].
    pub fn next(&mut self, host: &dyn Host, what: &dyn Fn() -> String) -> Result<Duration> {
        if self.brief < BRIEF_PAUSES {
            self.brief += 1;
            return Ok(FIRST_BRIEF_PAUSE * 2_u32.pow(self.brief - 1));
        }
        let now = host.monotonic();
        let is_new = self.since.is_none();
        let since = *self.since.get_or_insert(now);
        if let Some(why) = over(host) {
            if is_new {
                self.last = Some(LAST_WAIT);
            }
            let left = self.last.unwrap_or_default();
            if left.is_zero() {
                return Err(stopped(why, what));
            }
            self.last = Some(left.saturating_sub(PAUSE));
            return Ok(PAUSE);
        }
        if now.saturating_sub(since) >= TELL_AFTER && !self.is_told {
            self.is_told = true;
            host.tell_waiting(&format!("waiting for {}", what()));
        }
        let left = host.deadline().map(|at| at.saturating_sub(now));
        Ok(left.map_or(PAUSE, |left| left.min(PAUSE)))
    }
}

/// Locks `file`, which is at `path`, by `try_lock`, which fails with [`io::ErrorKind::WouldBlock`]
/// as long as somebody else has it locked.
///
/// # Errors
/// As [`Waiting::pause`], naming who holds it; or as `try_lock` says.
pub fn lock_file(
    host: &dyn Host,
    path: &Path,
    file: &File,
    try_lock: &mut dyn FnMut() -> io::Result<()>,
) -> Result<()> {
    let mut waiting = Waiting::default();
    let what = || {
        let file: Vec<_> = file.metadata().into_iter().collect();
        let holder = Holder::in_words(&file);
        format!("{}, {holder}", path.display())
    };
    loop {
        match try_lock() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                waiting.pause(host, &what)?;
            }
            result => return result.map_err(|error| Error::io("lock", path, error)),
        }
    }
}

/// What `act` comes to if nobody is waited for longer than until the host's deadline or for
/// `limit`. For what is done by the way, and must keep nothing waiting.
pub fn impatiently<T>(host: &dyn Host, limit: Duration, act: impl FnOnce() -> T) -> T {
    let deadline = host.deadline();
    let soon = host.monotonic().saturating_add(limit);
    host.set_deadline(Some(deadline.map_or(soon, |at| at.min(soon))));
    let done = act();
    host.set_deadline(deadline);
    done
}

/// Asks `is_there` again and again for a moment, one second, whatever the user wants; returns
/// what it said last. For what is not worth a longer wait, and goes on without.
pub fn a_moment(mut is_there: impl FnMut() -> bool) -> bool {
    let mut pause = FIRST_BRIEF_PAUSE;
    let mut left = LAST_WAIT;
    loop {
        if is_there() {
            return true;
        }
        if left.is_zero() {
            return false;
        }
        really_sleep(pause);
        left = left.saturating_sub(pause);
        pause = (pause * 2).min(PAUSE).min(left);
    }
}

fn stopped(why: ErrorKind, what: &dyn Fn() -> String) -> Error {
    let ended = match why {
        ErrorKind::TimedOut => "the deadline passed",
        _ => "interrupted",
    };
    Error::new(why, format!("{ended} while waiting for {}", what()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a pause that no person notices, or one that the host would cut short"
)]
fn really_sleep(duration: Duration) {
    std::thread::sleep(duration);
}
