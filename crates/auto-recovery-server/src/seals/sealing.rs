//! The thread that seals.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use auto_recovery::audit::AuditStore;
use auto_recovery::audit::sealing::{SealWhen, Sealed, Sealer, WhatToSeal, unsealed};
use auto_recovery::host::Host;
use auto_recovery::mutex::lock;
use auto_recovery::{Error, ErrorKind, Result};
use serde_json::json;
use tokio::sync::watch;

use super::due::{BUSY, Batch, Due, News, Turn};
use crate::log::Log;

/// The longest that an answer waits for the seal before a strategy acts: the client waits 5 s for
/// its answer, and a seal takes some ten milliseconds. It is answered without one then.
const BEFORE_MAX: Duration = Duration::from_secs(1);

/// How often a server that ends asks whether somebody else is still sealing.
const TRIES_AT_END: u32 = 10;

/// The longest sleep, should a clock go its own way.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// What seals the store of a server.
pub(crate) struct Seals {
    store: Arc<dyn AuditStore>,
    host: Arc<dyn Host>,
    sealer: Sealer,
    when: SealWhen,
    log: Log,
    due: Mutex<Due>,
    woken: Condvar,
    /// The number of the last news that were tried to be sealed, for those who wait.
    pub(super) through: watch::Sender<u64>,
    /// Whether there is a thread that seals.
    is_running: AtomicBool,
    counted: Counted,
    /// Why it could not be sealed the last time.
    trouble: Mutex<Option<String>>,
}

/// How sealing goes.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub(crate) made: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) is_down: AtomicBool,
}

impl Seals {
    /// What seals `store` with keys in `state_dir`, when `when` says so.
    pub(crate) fn new(
        store: Arc<dyn AuditStore>,
        (state_dir, when): (&Path, SealWhen),
        host: Arc<dyn Host>,
        log: Log,
    ) -> Self {
        Self {
            sealer: Sealer::new(Arc::clone(&store), state_dir, Arc::clone(&host)),
            due: Mutex::new(Due::new(when, host.monotonic())),
            store,
            host,
            when,
            log,
            woken: Condvar::new(),
            through: watch::Sender::new(0),
            is_running: AtomicBool::new(false),
            counted: Counted::default(),
            trouble: Mutex::default(),
        }
    }

    /// How sealing goes; `None` if nothing is sealed here.
    pub(crate) fn counted(&self) -> Option<&Counted> {
        (self.when != SealWhen::Off).then_some(&self.counted)
    }

    /// `news` are on record, or may be. Returns what to wait for before a strategy acts.
    pub(crate) fn told(&self, news: News) -> Option<u64> {
        if self.when == SealWhen::Off {
            return None;
        }
        let number = lock(&self.due).add(news, self.host.monotonic());
        self.woken.notify_all();
        number
    }

    /// Something else was recorded of `session`.
    pub(crate) fn told_of(&self, session: &str) {
        let others = BTreeSet::from([session.to_owned()]);
        self.told(News {
            others,
            ..News::default()
        });
    }

    /// Waits until the news with this number are under a seal, but not for long, and not for one
    /// that cannot be made.
    pub(crate) async fn until(&self, number: Option<u64>) {
        let Some(number) = number else { return };
        if self.is_running.load(Ordering::SeqCst) {
            let mut through = self.through.subscribe();
            let sealed = through.wait_for(|through| *through >= number);
            // Whoever cannot wait goes on, as a run does whose seal cannot be made.
            drop(tokio::time::timeout(BEFORE_MAX, sealed).await);
        }
    }

    /// Nothing more is recorded: the thread seals what there is, and ends.
    pub(crate) fn end(&self) {
        lock(&self.due).end();
        self.woken.notify_all();
    }

    /// Seals until the end.
    pub(crate) fn run(&self) {
        if self.when == SealWhen::Off {
            return;
        }
        self.is_running.store(true, Ordering::SeqCst);
        while self.wait() {
            self.turn();
        }
        self.is_running.store(false, Ordering::SeqCst);
        self.through.send_replace(u64::MAX);
        self.seal_the_rest();
    }

    /// Waits until something is to be done. Returns false once it is over.
    fn wait(&self) -> bool {
        let mut due = lock(&self.due);
        loop {
            if due.is_over() {
                return false;
            }
            let now = self.host.monotonic();
            let pause = due.next().map_or(SLEEP_MAX, |at| at.saturating_sub(now));
            if pause.is_zero() {
                return true;
            }
            let waited = self.woken.wait_timeout(due, pause.min(SLEEP_MAX));
            due = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Seals what is due now, if anything is. Returns whether something was.
    pub(super) fn turn(&self) -> bool {
        let began = self.host.monotonic();
        let Some(turn) = lock(&self.due).take(began) else {
            return false;
        };
        match turn {
            Turn::Look => self.look(),
            Turn::Seal(batch) => self.seal(batch, began),
        }
        true
    }

    /// What is left once nothing more comes. What cannot be sealed is left to the next server.
    fn seal_the_rest(&self) {
        let mut tries = 0;
        while tries < TRIES_AT_END {
            if self.turn() {
                continue;
            }
            let (now, next) = (self.host.monotonic(), lock(&self.due).next());
            match next.map(|next| next.saturating_sub(now)) {
                Some(pause) if pause <= BUSY => {
                    tries += 1;
                    // A host that was told to end sleeps no more.
                    let due = lock(&self.due);
                    drop(self.woken.wait_timeout(due, pause));
                }
                _ => return,
            }
        }
    }

    /// Asks the store what others left.
    fn look(&self) {
        let found = unsealed(&*self.store);
        let now = self.host.monotonic();
        match found {
            Ok(found) => {
                let mut due = lock(&self.due);
                due.add_found(found.sessions, found.has_records);
                let is_well = !due.has_failed();
                drop(due);
                if is_well {
                    self.is_well();
                }
            }
            Err(error) => {
                lock(&self.due).lost_sight(now);
                self.failed(&error);
            }
        }
    }

    fn seal(&self, batch: Batch, began: Duration) {
        let sealed = self.seal_each(&batch.sessions);
        let now = self.host.monotonic();
        let mut due = lock(&self.due);
        due.made(began, now);
        match sealed {
            Ok(Each::Busy) => return due.was_busy(batch, now),
            Ok(Each::Sealed) => {
                let is_well = !due.has_failed();
                drop(due);
                if is_well {
                    self.is_well();
                }
            }
            Ok(Each::Without(sessions, error)) => {
                due.failed(sessions, now);
                drop(due);
                self.failed(&error);
            }
            Err(error) => {
                due.failed(batch.sessions, now);
                if error.kind() == ErrorKind::Unreachable {
                    due.lost_sight(now);
                }
                drop(due);
                self.failed(&error);
            }
        }
        // Nobody waits for what cannot be sealed.
        self.through.send_if_modified(|through| {
            let is_later = batch.through > *through;
            *through = batch.through.max(*through);
            is_later
        });
    }

    /// Seals `sessions` at once or, if one of them cannot be, all others.
    ///
    /// # Errors
    /// If nothing can be sealed.
    fn seal_each(&self, sessions: &BTreeSet<String>) -> Result<Each> {
        let names: Vec<&str> = sessions.iter().map(String::as_str).collect();
        let error = match self.sealer.seal(WhatToSeal::Sessions(&names)) {
            Ok(sealed) => return Ok(self.told_sealed(&sealed)),
            Err(error) if names.is_empty() => return Err(error),
            Err(error) => error,
        };
        // With the key at fault, or the journal, this fails too.
        if let Each::Busy = self.told_sealed(&self.sealer.seal(WhatToSeal::Sessions(&[]))?) {
            return Ok(Each::Busy);
        }
        let mut without = BTreeSet::new();
        let mut parts = vec![&names[..]];
        while let Some(part) = parts.pop() {
            match self.sealer.seal(WhatToSeal::Sessions(part)) {
                Ok(Sealed::Busy) => without.extend(part.iter().map(|name| (*name).to_owned())),
                Ok(sealed) => drop(self.told_sealed(&sealed)),
                Err(_) if part.len() > 1 => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
                Err(_) => without.extend(part.iter().map(|name| (*name).to_owned())),
            }
        }
        Ok(Each::Without(without, error))
    }

    fn told_sealed(&self, sealed: &Sealed) -> Each {
        match sealed {
            Sealed::Busy => return Each::Busy,
            Sealed::Made(seal) => {
                self.counted.made.fetch_add(1, Ordering::Relaxed);
                if let Some(why) = self.sealer.unknown_to_witnesses() {
                    let seal = seal.short().to_string();
                    let fields = vec![("seal", json!(seal)), ("why", json!(why.chain()))];
                    self.log.warn("seal_without_identity", fields);
                }
            }
            Sealed::Already(_) | Sealed::Nothing | Sealed::NotKept => {}
        }
        Each::Sealed
    }

    fn is_well(&self) {
        self.counted.is_down.store(false, Ordering::Relaxed);
        if lock(&self.trouble).take().is_some() {
            self.log.info("sealed_again", Vec::new());
        }
    }

    /// Says once why nothing, or not everything, is sealed.
    fn failed(&self, error: &Error) {
        // The feed has told that the store is away; and the next server goes on.
        let is_told = matches!(
            error.kind(),
            ErrorKind::Unreachable | ErrorKind::Interrupted
        );
        if is_told {
            return;
        }
        self.counted.failed.fetch_add(1, Ordering::Relaxed);
        self.counted.is_down.store(true, Ordering::Relaxed);
        let why = error.chain();
        let before = lock(&self.trouble).replace(why.clone());
        if before.as_ref() != Some(&why) {
            let next = "recover verify";
            self.log.warn(
                "not_sealed",
                vec![("why", json!(why)), ("next", json!(next))],
            );
        }
    }
}

/// What became of sessions that were to be sealed.
enum Each {
    Sealed,
    /// Somebody else is sealing.
    Busy,
    /// All but these were, because of this.
    Without(BTreeSet<String>, Error),
}
