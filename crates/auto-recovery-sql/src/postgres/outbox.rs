//! What becomes of writes: they go to the server or, while there is none, to the spool, and from
//! there to the server in their turn.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auto_recovery::audit::{Recorder, Removal, Removed};
use auto_recovery::host::Wait;
use auto_recovery::patience::over;
use auto_recovery::spool::{Notice, Rest, Spool};
use auto_recovery::wording::counted;
use auto_recovery::{Error, ErrorKind, Result};

use super::deliver::Delivered;
use super::failure::{is_conflict, unreachable};
use super::group::Group;
use super::link::Lease;
use super::options::PostgresOptions;
use super::probe::{self, Probe};
use super::read::Reader;
use super::seen::Seen;
use super::server::Server;
use super::write::Failed;
use super::{deliver, remove};
use auto_recovery::mutex::lock;

/// How often a write is tried before it is given up or kept in the spool.
const TRIES_MAX: u32 = 4;

/// How long the second try waits; each further one twice as long: 0.35 s in all.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The way of a store's writes.
pub(super) struct Outbox {
    pub server: Arc<Server>,
    spool: Option<Spool>,
    /// Whether entries of removed trails may be left by somebody who died.
    may_be_left: AtomicBool,
    /// Whether something may wait in the spool.
    may_wait: AtomicBool,
    /// Whether readers were told what waits there.
    is_waiting_told: AtomicBool,
    rest: Mutex<Rest>,
    seen: Seen,
}

/// Why a write did not reach the server.
struct NotWritten {
    failed: Failed,
    /// Whether there was a connection.
    was_connected: bool,
}

impl Outbox {
    pub(super) fn new(
        url: &str,
        options: PostgresOptions,
        recorder: Arc<Recorder>,
    ) -> Result<Self> {
        let spool = options.spool.clone();
        let spool_bytes_max = options.spool_bytes_max;
        let server = Server::new(url, options, Arc::clone(&recorder))?;
        let spool = spool.map(|dir| Spool::new(&dir, spool_bytes_max, recorder));
        Ok(Self {
            server: Arc::new(server),
            spool: spool.transpose()?,
            may_be_left: AtomicBool::new(true),
            may_wait: AtomicBool::new(true),
            is_waiting_told: AtomicBool::new(false),
            rest: Mutex::default(),
            seen: Seen::default(),
        })
    }

    /// Where entries are kept that the server did not take, if that is wanted.
    pub(super) fn spool(&self) -> Option<&Spool> {
        self.spool.as_ref()
    }

    /// Asks the server, and says so if it cannot be reached.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&Reader<'_>) -> Result<T>) -> Result<T> {
        let asked = self.connection_soon().and_then(|lease| {
            let answer = question(&Reader {
                server: &self.server,
                lease: &lease,
            })?;
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
            match self.server.connection() {
                Err(error) if error.kind() == ErrorKind::Unreachable => {}
                connected => return connected,
            }
            if self.server.host.sleep(pause) == Wait::Interrupted {
                break;
            }
            pause *= 2;
        }
        self.server.connection()
    }

    /// `error`, saying what waits in the spool if that is why it may matter.
    fn with_waiting(&self, error: Error) -> Error {
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

    /// Writes `group` to the server or, if that cannot be reached, to the spool.
    pub(super) fn write(&self, group: &mut Group) -> Result<()> {
        let failed = match self.is_resting() {
            true => unreachable(&self.server.address, "write").into(),
            false => match self.write_to_server(group, true) {
                Ok(()) => return Ok(()),
                Err(failed) => failed,
            },
        };
        let kind = failed.error.kind();
        let waits = match kind {
            ErrorKind::Unreachable | ErrorKind::Busy => true,
            kind => over(&*self.server.host) == Some(kind),
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
        let seen = self.seen.of(group);
        let note = failed.probe.map(|probe| serde_json::to_vec(&probe));
        let note = note.transpose().expect("numbers and texts");
        let server = format!("PostgreSQL at {}", self.server.address.server);
        let highest = spool.keep(&mut group.waiting(), note.as_deref(), &seen, &server)?;
        group.highest.extend(highest);
        self.seen.remember(group);
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
                    self.seen.remember(group);
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
            if !may_pass || tries == TRIES_MAX || self.server.host.sleep(pause) == Wait::Interrupted
            {
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
        let lease = self.server.connection().map_err(unconnected)?;
        self.is_back();
        let mut attempt = || -> Result<(), Failed> {
            let (link, limit) = (lease.link(), self.server.options.write_timeout);
            if let Some(asked) = probe.take() {
                let answer = probe::has_taken_effect(&self.server.address, &lease, &asked);
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
            self.server.write_on(&lease, group)?;
            if self.may_be_left.swap(false, Ordering::AcqRel) {
                remove::finish(&self.server, &lease);
            }
            Ok(())
        };
        let attempted = attempt();
        match &attempted {
            Err(failed) if failed.error.kind() == ErrorKind::Unreachable => drop(lease),
            Err(_) => self.server.take_back(lease),
            Ok(()) => lease.give_back(),
        }
        attempted.map_err(|failed| NotWritten {
            failed,
            was_connected: true,
        })
    }

    fn deliver_first(&self, lease: &Lease) -> Result<()> {
        if !self.may_wait.load(Ordering::Acquire) {
            return Ok(());
        }
        if let Some(spool) = &self.spool {
            deliver::deliver(&self.server, &self.seen, spool, lease)?;
        }
        self.may_wait.store(false, Ordering::Release);
        Ok(())
    }

    /// Delivers what waits in the spool, and returns how much that was.
    pub(super) fn deliver(&self) -> Result<Delivered> {
        match &self.spool {
            Some(spool) => {
                self.ask(|reader| deliver::deliver(&self.server, &self.seen, spool, reader.lease))
            }
            None => Ok(Delivered::default()),
        }
    }

    /// Removes the trail of `session_id` if `removal` allows it.
    pub(super) fn remove(&self, session_id: &str, removal: &Removal) -> Result<Removed> {
        self.ask(|reader| {
            let removed = remove::remove(reader, session_id, removal)?;
            if matches!(removed, Removed::Gone { .. }) {
                self.seen.forget(session_id);
                remove::finish(&self.server, reader.lease);
            }
            Ok(removed)
        })
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
            self.server.tell(&Notice::Waiting { entries, spool });
        }
    }

    /// The highest number of a session as far as it is known here; `None` if nothing is kept here.
    pub(super) fn highest_known(&self, session_id: &str) -> Option<u64> {
        let spool = self.spool.as_ref()?;
        let seen = self.seen.highest(session_id);
        let waiting = spool.highest(session_id).ok();
        Some(seen.max(waiting).unwrap_or(0))
    }

    /// Whether the server could not be reached a moment ago, and is left alone. If nothing waits
    /// any more, somebody else has reached it.
    fn is_resting(&self) -> bool {
        let is_early = lock(&self.rest).is_early(self.server.host.monotonic());
        is_early && self.spool.as_ref().is_some_and(Spool::may_have_any)
    }

    /// Leaves the server alone for a while.
    fn leave_alone(&self, error: &Error, spool: &Spool) {
        if lock(&self.rest).begin(self.server.host.monotonic()) {
            self.server.tell(&Notice::Spooling {
                reason: error.chain(),
                spool: spool.dir().to_owned(),
            });
        }
    }

    fn is_back(&self) {
        *lock(&self.rest) = Rest::default();
    }
}
