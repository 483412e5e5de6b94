//! The absence of a server, for the store that is on it: what waits meanwhile and where, how long
//! the server is left alone, and what callers are told of it.
//!
//! The first call that finds the server away, or waits for it in vain, decides for those after it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::notice::{Notice, OnNotice};
use super::rest::{Rest, SLOW};
use super::segments::Spool;
use crate::audit::Recorder;
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::mutex::lock;
use crate::patience::over;
use crate::wording::counted;

/// A user who wants to stop after a wait of this length does not wait for the same once more.
const NOTICED: Duration = Duration::from_millis(100);

/// A server that may be away, and the spool for it.
pub struct Absence {
    host: Arc<dyn Host>,
    spool: Option<Spool>,
    on_notice: Option<OnNotice>,
    /// Whether something may wait in the spool.
    may_wait: AtomicBool,
    /// Whether readers were told what waits there.
    is_waiting_told: AtomicBool,
    now: Mutex<Now>,
}

/// What is known of an absence that has not ended.
#[derive(Default)]
struct Now {
    rest: Rest,
    /// Why the server could not be reached, with its address; empty if it could.
    reason: String,
    /// Whether callers were told that what they write goes to the spool.
    is_told: bool,
    /// Whether something was written to the spool since.
    has_kept: bool,
}

impl Absence {
    /// Nothing is known of the server yet. The spool is in `dir`; without one, what the server does
    /// not take is refused.
    ///
    /// # Errors
    /// If the spool cannot be used.
    pub fn new(
        dir: Option<&Path>,
        bytes_max: u64,
        on_notice: Option<OnNotice>,
        recorder: &Arc<Recorder>,
    ) -> Result<Self> {
        let spool = dir.map(|dir| Spool::new(dir, bytes_max, Arc::clone(recorder)));
        Ok(Self {
            host: Arc::clone(recorder.host()),
            spool: spool.transpose()?,
            on_notice,
            may_wait: AtomicBool::new(true),
            is_waiting_told: AtomicBool::new(false),
            now: Mutex::default(),
        })
    }

    /// Where what the server did not take waits.
    pub fn spool(&self) -> Option<&Spool> {
        self.spool.as_ref()
    }

    /// The moment, for [`Absence::met`].
    pub fn moment(&self) -> Duration {
        self.host.monotonic()
    }

    /// That the server is left alone just now, if it is: for what can wait in the spool. If nothing
    /// waits there any more, somebody else has reached it.
    pub fn resting(&self) -> Option<Error> {
        let spool = self.spool.as_ref()?;
        let now = lock(&self.now);
        let is_resting =
            now.rest.is_early(self.host.monotonic()) && (!now.has_kept || spool.may_have_any());
        is_resting.then(|| now.error())
    }

    /// What `question` comes to; refused if the server kept somebody waiting in vain a moment ago.
    ///
    /// # Errors
    /// [`ErrorKind::Unreachable`] if it is away; otherwise what `question` says.
    pub fn ask<T>(&self, question: impl FnOnce() -> Result<T>) -> Result<T> {
        let silent = {
            let now = lock(&self.now);
            let is_silent = now.rest.is_silent(self.host.monotonic());
            is_silent.then(|| now.error())
        };
        if let Some(away) = silent {
            return Err(away);
        }
        let since = self.moment();
        question().inspect_err(|error| {
            if error.kind() == ErrorKind::Unreachable {
                self.begin(error, since);
            }
        })
    }

    /// The spool, if what failed with `error` waits in it; callers are told. `since` is when it was
    /// begun.
    ///
    /// It waits if the server cannot be reached, if others keep it busy, and if the user does not
    /// wait for it any more. What the server refuses does not wait.
    pub fn met(&self, error: &Error, since: Duration) -> Option<&Spool> {
        let spool = self.spool.as_ref()?;
        let is_over = match error.kind() {
            ErrorKind::Unreachable | ErrorKind::Busy => false,
            kind if over(&*self.host) == Some(kind) => true,
            _ => return None,
        };
        self.may_wait.store(true, Ordering::Release);
        let is_away = match is_over {
            true => self.waited(since) >= NOTICED,
            false => error.kind() == ErrorKind::Unreachable,
        };
        if is_away {
            self.begin(error, since);
        }
        let mut now = lock(&self.now);
        now.has_kept = true;
        let is_new = error.kind() == ErrorKind::Unreachable && !now.is_told;
        now.is_told |= is_new;
        drop(now);
        if is_new {
            self.tell(&Notice::Spooling {
                reason: error.chain(),
                spool: spool.dir().to_owned(),
            });
        }
        Some(spool)
    }

    fn begin(&self, error: &Error, since: Duration) {
        let waited = self.waited(since);
        let mut now = lock(&self.now);
        now.rest.begin(self.moment(), waited);
        now.reason = error.chain();
    }

    fn waited(&self, since: Duration) -> Duration {
        self.moment().saturating_sub(since)
    }

    /// Whether what was begun at the moment `since` has taken so long that nobody waits for it once
    /// more.
    pub fn is_slow(&self, since: Duration) -> bool {
        self.waited(since) >= SLOW
    }

    /// The server answered: the absence is over.
    pub fn is_back(&self) {
        *lock(&self.now) = Now::default();
    }

    /// Whether something may wait that is to be delivered before anything else is written.
    pub fn may_wait(&self) -> bool {
        self.may_wait.load(Ordering::Acquire)
    }

    /// All that waited is delivered.
    pub fn is_delivered(&self) {
        self.may_wait.store(false, Ordering::Release);
    }

    /// Tells whoever reads what waits in the spool, and is not in what they read.
    pub fn tell_waiting(&self) {
        let Some(spool) = &self.spool else {
            return;
        };
        if self.is_waiting_told.swap(true, Ordering::AcqRel) {
            return;
        }
        let entries = spool.waiting();
        if entries > 0 {
            let spool = spool.dir().to_owned();
            self.tell(&Notice::Waiting { entries, spool });
        }
    }

    /// `error` of a reader, saying what waits in the spool if that is why it may matter.
    pub fn with_waiting(&self, error: Error) -> Error {
        let (ErrorKind::Unreachable, Some(spool)) = (error.kind(), &self.spool) else {
            return error;
        };
        let waiting = spool.waiting();
        if waiting == 0 {
            return error.context("read the audit trail");
        }
        let text = format!(
            "read the audit trail: {} {} in {} until the server is back",
            counted(waiting, "entry"),
            if waiting == 1 { "waits" } else { "wait" },
            spool.dir().display()
        );
        error.context(text)
    }

    /// Tells `notice` to who wants to know.
    pub fn tell(&self, notice: &Notice) {
        if let Some(on_notice) = &self.on_notice {
            on_notice(notice);
        }
    }
}

impl Now {
    /// That the server is away, for the reason for which it was found to be.
    fn error(&self) -> Error {
        Error::new(ErrorKind::Unreachable, self.reason.clone())
    }
}
