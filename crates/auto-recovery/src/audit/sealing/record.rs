//! The seals of a program that records without a run: `recover log`, and whoever has a logger.
//!
//! Whoever appends seals what is on record once enough of it came since the last seal, and whoever
//! closes seals the rest. Nothing happens by itself: there is no thread, and what nobody closes is
//! sealed by the next one. That something cannot be sealed keeps nothing from being recorded.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::sealer::{Sealed, Sealer, WhatToSeal};
use super::told::newest_seal;
use super::when::SealWhen;
use crate::audit::AuditStore;
use crate::error::{ErrorKind, Result};
use crate::host::{Host, Wait};
use crate::integrity::Seal;
use crate::mutex::lock;

/// Entries after which what is on record is sealed: at 500 bytes each, 2 MiB are hashed at once,
/// which takes 2 ms.
const ENTRIES_MAX: usize = 4096;

/// Time after which it is, by whoever appends next.
const TIME_MAX: Duration = Duration::from_secs(60);

/// How many times as long as a seal took nobody makes the next one because of the number of
/// entries: so sealing takes at most a fiftieth of the time, however fast entries come. A seal of
/// one trail takes some 10 ms, so that what comes in half a second may be without one.
const TIMES_AS_LONG: u32 = 50;

/// Sessions that are remembered between seals, at some 100 bytes each. Where there are more, all
/// trails are sealed.
const SESSIONS_MAX: usize = 20_000;

/// How often whoever closes tries again because somebody else is sealing, and the time in between:
/// 2 s in all, some hundred seals.
const TRIES_MAX: u32 = 100;
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// Seals what one program records.
pub struct RecordSeals {
    store: Arc<dyn AuditStore>,
    host: Arc<dyn Host>,
    sealer: Sealer,
    when: SealWhen,
    due: Mutex<Due>,
}

/// What was recorded since the last seal.
#[derive(Default)]
struct Due {
    sessions: HashSet<String>,
    /// Whether there were more sessions than are remembered.
    are_all: bool,
    entries: usize,
    /// When the first of it came.
    since: Option<Duration>,
    /// The moment before which the number of entries is no reason to seal.
    not_before: Duration,
}

impl RecordSeals {
    /// Seals what is recorded in `store` with keys in `state_dir`, when `when` says so.
    pub fn new(
        store: Arc<dyn AuditStore>,
        (state_dir, when): (&Path, SealWhen),
        host: Arc<dyn Host>,
    ) -> Self {
        Self {
            sealer: Sealer::new(Arc::clone(&store), state_dir, Arc::clone(&host)),
            store,
            host,
            when,
            due: Mutex::default(),
        }
    }

    /// Entries of `sessions`, one name for each entry, were appended. Seals if it is time.
    ///
    /// # Errors
    /// As [`Sealer::seal`]: what was appended stays, and is sealed later.
    pub fn appended<'a>(&self, sessions: impl IntoIterator<Item = &'a str>) -> Result<()> {
        if self.when == SealWhen::Off {
            return Ok(());
        }
        let now = self.host.monotonic();
        let mut due = lock(&self.due);
        for session_id in sessions {
            due.add(session_id);
            due.entries += 1;
        }
        let since = *due.since.get_or_insert(now);
        let are_many = due.entries >= ENTRIES_MAX && now >= due.not_before;
        let is_time = are_many || now.saturating_sub(since) >= TIME_MAX;
        if self.when != SealWhen::Attempts || !is_time {
            return Ok(());
        }
        let taken = due.take();
        drop(due);
        let sealed = self.seal_due(taken).map(drop);
        let took = self.host.monotonic().saturating_sub(now);
        lock(&self.due).not_before = now + took * TIMES_AS_LONG;
        sealed
    }

    /// Something was recorded of `session_id` that is no entry. It is sealed with the next ones.
    pub fn recorded(&self, session_id: &str) {
        if self.when != SealWhen::Off {
            lock(&self.due).add(session_id);
        }
    }

    /// A strategy is about to act for `session_id`: what is on record is sealed before.
    ///
    /// # Errors
    /// As [`Sealer::seal`].
    pub fn before_attempt(&self, session_id: &str) -> Result<Option<Seal>> {
        match self.when {
            SealWhen::Attempts => self.seal_session(session_id),
            SealWhen::Sessions | SealWhen::Off => Ok(None),
        }
    }

    /// A recovery of `session_id` ended.
    ///
    /// # Errors
    /// As [`Sealer::seal`].
    pub fn recovery_ended(&self, session_id: &str) -> Result<Option<Seal>> {
        match self.when {
            SealWhen::Attempts | SealWhen::Sessions => self.seal_session(session_id),
            SealWhen::Off => Ok(None),
        }
    }

    /// Does `remove`, which removes the trail of `session_id`; where there are seals, one says what
    /// was there before, and one that it is gone.
    ///
    /// # Errors
    /// As `remove`. That something cannot be sealed is none.
    pub fn around<T>(&self, session_id: &str, remove: impl FnOnce() -> Result<T>) -> Result<T> {
        let is_sealed = || newest_seal(&*self.store).is_ok_and(|newest| newest.is_some());
        if self.when == SealWhen::Off || !is_sealed() {
            return remove();
        }
        // Whatever cannot be sealed now is due as before.
        drop(self.seal_session(session_id));
        let removed = remove()?;
        drop(self.seal_session(session_id));
        Ok(removed)
    }

    /// Seals what is on record and was not sealed yet, if there is anything. Returns the seal that
    /// it is under; `None` too if somebody else goes on sealing, or the store keeps no seals.
    ///
    /// # Errors
    /// As [`Sealer::seal`]: what is on record stays, and the next call tries again.
    pub fn close(&self) -> Result<Option<Seal>> {
        for _ in 0..TRIES_MAX {
            let taken = lock(&self.due).take();
            if taken.is_empty() {
                return Ok(None);
            }
            let sealed = self.seal_due(taken)?;
            if sealed != Sealed::Busy {
                return Ok(sealed.seal().cloned());
            }
            if self.host.sleep(TRY_AGAIN) == Wait::Interrupted {
                break;
            }
        }
        Ok(None)
    }

    fn seal_session(&self, session_id: &str) -> Result<Option<Seal>> {
        let mut due = lock(&self.due);
        due.sessions.remove(session_id);
        let taken = Due {
            sessions: HashSet::from([session_id.to_owned()]),
            ..Due::default()
        };
        if due.is_empty() {
            due.take();
        }
        drop(due);
        Ok(self.seal_due(taken)?.seal().cloned())
    }

    /// Seals what is `taken`. What could not be sealed is due again, after as much as before.
    fn seal_due(&self, taken: Due) -> Result<Sealed> {
        let sessions: Vec<&str> = taken.sessions.iter().map(String::as_str).collect();
        let what = match taken.are_all {
            true => WhatToSeal::All,
            false => WhatToSeal::Sessions(&sessions),
        };
        let sealed = self.sealer.seal(what);
        if matches!(sealed, Err(_) | Ok(Sealed::Busy)) {
            let mut due = lock(&self.due);
            due.are_all |= taken.are_all;
            taken.sessions.iter().for_each(|one| due.add(one));
            due.since.get_or_insert_with(|| self.host.monotonic());
        }
        match sealed {
            // The store has told that its server is away, and where the record waits meanwhile.
            Err(error) if error.kind() == ErrorKind::Unreachable => Ok(Sealed::Nothing),
            sealed => sealed,
        }
    }
}

impl Due {
    /// All that is due, which then is not any more. How soon the next seal may come stays.
    fn take(&mut self) -> Self {
        let not_before = self.not_before;
        let rest = Self {
            not_before,
            ..Self::default()
        };
        std::mem::replace(self, rest)
    }

    fn add(&mut self, session_id: &str) {
        if self.are_all || self.sessions.contains(session_id) {
            return;
        }
        if self.sessions.len() == SESSIONS_MAX {
            self.are_all = true;
            self.sessions = HashSet::new();
        } else {
            self.sessions.insert(session_id.to_owned());
        }
    }

    fn is_empty(&self) -> bool {
        self.sessions.is_empty() && !self.are_all
    }
}
