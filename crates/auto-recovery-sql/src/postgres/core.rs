//! What every part of the store needs: the way to the server, and what becomes of writes when there
//! is none.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auto_recovery::host::{Host, Wait};
use auto_recovery::patience::over;
use auto_recovery::{Error, ErrorKind, Result};

use super::address::Address;
use super::failure::{explain, is_conflict, unreachable};
use super::group::{Group, Item};
use super::link::{Lease, Link};
use super::options::{Notice, PostgresOptions};
use super::probe::{self, Probe};
use super::spool::Spool;
use super::write::Failed;
use super::{deliver, migrate, remove, write};
use crate::group::lock;
use auto_recovery::wording::counted;

/// How often a write is tried before it is given up or kept in the spool.
const TRIES_MAX: u32 = 4;

/// How long the second try waits; each further one twice as long: 0.35 s in all.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// How long a server that could not be reached is left alone, at first and at most, where a spool
/// takes what comes.
const FIRST_REST: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_secs(30);

/// How much longer a write may take for each thing in it.
const ITEM_TIMEOUT: Duration = Duration::from_millis(1);

/// Of how many sessions the highest number is remembered, for when the server cannot be asked.
const SEEN_MAX: usize = 65_536;

/// A store's way to its server.
pub(super) struct Core {
    pub address: Arc<Address>,
    pub options: PostgresOptions,
    pub host: Arc<dyn Host>,
    pub spool: Option<Spool>,
    link: Mutex<Option<Arc<Link>>>,
    is_migrated: AtomicBool,
    /// Whether entries of removed trails may be left by somebody who died.
    may_be_left: AtomicBool,
    /// Whether something may wait in the spool.
    may_wait: AtomicBool,
    /// Whether readers were told what waits there.
    is_waiting_told: AtomicBool,
    rest: Mutex<Rest>,
    seen: Mutex<HashMap<String, u64>>,
}

/// How long the server is left alone.
#[derive(Default)]
struct Rest {
    until: Option<Duration>,
    last: Duration,
    is_told: bool,
}

/// Why a write did not reach the server.
struct NotWritten {
    failed: Failed,
    /// Whether there was a connection.
    was_connected: bool,
}

impl Core {
    pub(super) fn new(url: &str, options: PostgresOptions, host: Arc<dyn Host>) -> Result<Self> {
        let address = Arc::new(Address::parse(url, options.connect_timeout)?);
        let spool = options
            .spool
            .as_deref()
            .map(|dir| Spool::new(dir, options.spool_bytes_max, Arc::clone(&host)));
        Ok(Self {
            address,
            spool: spool.transpose()?,
            options,
            host,
            link: Mutex::default(),
            is_migrated: AtomicBool::new(false),
            may_be_left: AtomicBool::new(true),
            may_wait: AtomicBool::new(true),
            is_waiting_told: AtomicBool::new(false),
            rest: Mutex::default(),
            seen: Mutex::default(),
        })
    }

    /// The way to the server, in this process.
    pub(super) fn link(&self) -> Result<Arc<Link>> {
        let mut link = lock(&self.link);
        if let Some(link) = &*link
            && link.pid == std::process::id()
        {
            return Ok(Arc::clone(link));
        }
        let new = Arc::new(Link::new(
            Arc::clone(&self.address),
            self.options.durability,
            self.options.read_timeout,
            self.options.connect_timeout,
            self.options.connections_max,
            Arc::clone(&self.host),
        )?);
        if let Some(of_parent) = link.replace(Arc::clone(&new)) {
            // Its locks may be held by threads that a fork did not take along: it is never touched
            // again.
            Box::leak(Box::new(of_parent));
        }
        Ok(new)
    }

    /// A connection to a server whose tables are as this release wants them.
    pub(super) fn connection(&self) -> Result<Lease> {
        let lease = self.link()?.connection()?;
        if !self.is_migrated.load(Ordering::Acquire) {
            let limit = self.options.read_timeout;
            let ensured = migrate::ensure(&self.address, &lease);
            lease.link().run("look at the tables", limit, ensured)?;
            self.is_migrated.store(true, Ordering::Release);
        }
        Ok(lease)
    }

    /// Asks the server, and says so if it cannot be reached.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&Lease) -> Result<T>) -> Result<T> {
        let asked = self.connection_soon().and_then(|lease| {
            let answer = question(&lease)?;
            lease.give_back();
            Ok(answer)
        });
        asked.map_err(|error| self.with_waiting(error))
    }

    /// A connection, also if the server is just being started.
    fn connection_soon(&self) -> Result<Lease> {
        let mut pause = FIRST_PAUSE;
        // Who was not there a moment ago is not waited for.
        let tries = match self.is_resting() {
            true => 1,
            false => TRIES_MAX,
        };
        for _ in 1..tries {
            match self.connection() {
                Err(error) if error.kind() == ErrorKind::Unreachable => {}
                connected => return connected,
            }
            if self.host.sleep(pause) == Wait::Interrupted {
                break;
            }
            pause *= 2;
        }
        self.connection()
    }

    /// `error`, saying what waits in the spool if that is why it may matter.
    fn with_waiting(&self, error: Error) -> Error {
        let (ErrorKind::Unreachable, Some(spool)) = (error.kind(), &self.spool) else {
            return error;
        };
        let waiting = spool.waiting();
        let text = format!(
            "read the audit trail: {} {} in {} until the server is back",
            counted(waiting, "entry"),
            if waiting == 1 { "waits" } else { "wait" },
            spool.dir().display()
        );
        error.context(text)
    }

    /// Writes `group` to the server or, if that cannot be reached, to the spool.
    pub(super) fn write(&self, group: &mut Group) -> Result<()> {
        let failed = match self.is_resting() {
            true => unreachable(&self.address, "write").into(),
            false => match self.write_to_server(group, true) {
                Ok(()) => return Ok(()),
                Err(failed) => failed,
            },
        };
        let kind = failed.error.kind();
        let waits = match kind {
            ErrorKind::Unreachable | ErrorKind::Busy => true,
            kind => over(&*self.host) == Some(kind),
        };
        let Some(spool) = self.spool.as_ref().filter(|_| waits) else {
            return Err(failed.error);
        };
        // Busy is what others deliver, or write: it is waited for in the spool too, and so is what
        // the user no longer waits for.
        if kind == ErrorKind::Unreachable {
            self.leave_alone(&failed.error, spool);
        }
        self.may_wait.store(true, Ordering::Release);
        let seen = self.seen_of(group);
        spool.keep(group, failed.probe.as_ref(), &seen, &self.address.server)?;
        self.remember(group);
        Ok(())
    }

    /// Writes `group` to the server, first of all what waits in the spool if that is asked for.
    pub(super) fn write_to_server(&self, group: &mut Group, in_turn: bool) -> Result<(), Failed> {
        let mut probe: Option<Probe> = None;
        let mut pause = FIRST_PAUSE;
        for tries in 1.. {
            let NotWritten {
                failed,
                was_connected,
            } = match self.try_write(group, &mut probe, in_turn) {
                Ok(()) => {
                    self.remember(group);
                    return Ok(());
                }
                Err(not_written) => not_written,
            };
            let is_lost = failed.error.kind() == ErrorKind::Unreachable;
            probe = failed.probe.or(probe);
            // Where there is a spool, nobody is kept waiting for a server that is not there.
            let may_pass = match is_lost {
                true => was_connected || self.spool.is_none(),
                false => is_conflict(&failed.error),
            };
            if !may_pass || tries == TRIES_MAX || self.host.sleep(pause) == Wait::Interrupted {
                return Err(Failed {
                    error: failed.error,
                    probe,
                });
            }
            pause *= 2;
        }
        unreachable!("the last try returns")
    }

    fn try_write(
        &self,
        group: &mut Group,
        probe: &mut Option<Probe>,
        in_turn: bool,
    ) -> Result<(), NotWritten> {
        let unconnected = |error: Error| NotWritten {
            failed: error.into(),
            was_connected: false,
        };
        let lease = self.connection().map_err(unconnected)?;
        self.is_back();
        let mut attempt = || -> Result<(), Failed> {
            let (link, limit) = (lease.link(), self.options.write_timeout);
            if let Some(asked) = probe.take() {
                let answer = probe::has_taken_effect(&self.address, &lease, &asked);
                match link.run("ask what became of a write", limit, answer) {
                    Ok(true) => return Ok(()),
                    Ok(false) => {}
                    Err(error) => {
                        return Err(Failed {
                            error,
                            probe: Some(asked),
                        });
                    }
                }
            }
            if in_turn {
                self.deliver_first(&lease)?;
            }
            self.write_on(&lease, group)?;
            if self.may_be_left.swap(false, Ordering::AcqRel) {
                remove::finish(self, &lease);
            }
            Ok(())
        };
        let attempted = attempt();
        match &attempted {
            Err(failed) if failed.error.kind() == ErrorKind::Unreachable => drop(lease),
            Err(_) => self.take_back(lease),
            Ok(()) => lease.give_back(),
        }
        attempted.map_err(|failed| NotWritten {
            failed,
            was_connected: true,
        })
    }

    /// Takes back what was begun on a connection, so that others can use it.
    fn take_back(&self, lease: Lease) {
        let failed = |error| explain(&self.address, "take back a write", error);
        let taking_back = async { lease.batch("ROLLBACK").await.map_err(failed) };
        let limit = self.options.write_timeout;
        if lease
            .link()
            .run("take back a write", limit, taking_back)
            .is_ok()
        {
            lease.give_back();
        }
    }

    /// Writes `group` on a connection.
    pub(super) fn write_on(&self, lease: &Lease, group: &mut Group) -> Result<(), Failed> {
        // What is much may take its time.
        let limit = self.options.write_timeout + ITEM_TIMEOUT * group.items.len() as u32;
        let mut result = Ok(());
        let writing = async {
            result = write::write(&self.address, lease, group).await;
            Ok(())
        };
        let ran = lease.link().run("write", limit, writing);
        match ran {
            Ok(()) => result,
            Err(error) => Err(Failed {
                error,
                probe: Probe::of(group),
            }),
        }
    }

    fn deliver_first(&self, lease: &Lease) -> Result<()> {
        if !self.may_wait.load(Ordering::Acquire) {
            return Ok(());
        }
        if let Some(spool) = &self.spool {
            deliver::deliver(self, spool, lease)?;
        }
        self.may_wait.store(false, Ordering::Release);
        Ok(())
    }

    /// Tells who wants to know.
    pub(super) fn tell(&self, notice: &Notice) {
        if let Some(on_notice) = &self.options.on_notice {
            on_notice(notice);
        }
    }

    /// Tells whoever reads what waits in the spool, and is not in what they read.
    pub(super) fn tell_waiting(&self) {
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

    /// The highest number of a session as far as it is known here; `None` if nothing is kept here.
    pub(super) fn highest_known(&self, session_id: &str) -> Option<u64> {
        let spool = self.spool.as_ref()?;
        let seen = lock(&self.seen).get(session_id).copied();
        let waiting = spool.highest(session_id).ok();
        Some(seen.max(waiting).unwrap_or(0))
    }

    /// The highest numbers that this process has seen of the sessions in `group`.
    fn seen_of(&self, group: &Group) -> HashMap<String, u64> {
        let seen = lock(&self.seen);
        let ids = group.items.iter().filter_map(Item::session_id);
        ids.filter_map(|id| seen.get_key_value(id))
            .map(|(id, highest)| (id.clone(), *highest))
            .collect()
    }

    /// Forgets the highest number of a session that is gone.
    pub(super) fn forget(&self, session_id: &str) {
        lock(&self.seen).remove(session_id);
    }

    /// Remembers the highest numbers of what was written.
    pub(super) fn remember(&self, group: &mut Group) {
        let mut seen = lock(&self.seen);
        if seen.len() + group.highest.len() > SEEN_MAX {
            seen.clear();
        }
        seen.extend(group.highest.drain());
    }

    /// Whether the server could not be reached a moment ago, and is left alone. If nothing waits
    /// any more, somebody else has reached it.
    fn is_resting(&self) -> bool {
        let until = lock(&self.rest).until;
        let is_early = until.is_some_and(|until| self.host.monotonic() < until);
        let waits = |spool: &Spool| spool.has_any().unwrap_or(true);
        is_early && self.spool.as_ref().is_some_and(waits)
    }

    /// Leaves the server alone for a while.
    fn leave_alone(&self, error: &Error, spool: &Spool) {
        let mut rest = lock(&self.rest);
        let now = self.host.monotonic();
        if rest.until.is_none_or(|until| until <= now) {
            rest.last = (rest.last * 2).clamp(FIRST_REST, REST_MAX);
            rest.until = Some(now + rest.last);
        }
        if !std::mem::replace(&mut rest.is_told, true) {
            drop(rest);
            self.tell(&Notice::Spooling {
                reason: error.chain(),
                spool: spool.dir().to_owned(),
            });
        }
    }

    fn is_back(&self) {
        *lock(&self.rest) = Rest::default();
    }
}
