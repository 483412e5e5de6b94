//! What becomes of writes: they go to the server or, while there is none, to the spool, and from
//! there to the server in their turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use auto_recovery::audit::{Recorder, Removal, Removed};
use auto_recovery::host::Wait;
use auto_recovery::spool::{Absence, Spool, is_silence};
use auto_recovery::{Error, ErrorKind, Result};

use super::deliver::Delivered;
use super::deliver_keys::deliver_keys;
use super::failure::is_conflict;
use super::group::Group;
use super::link::Lease;
use super::options::PostgresOptions;
use super::probe::{self, Probe};
use super::read::Reader;
use super::seen::Seen;
use super::server::Server;
use super::write::Failed;
use super::{deliver, remove};

/// How often a write is tried before it is given up or kept in the spool.
const TRIES_MAX: u32 = 4;

/// How long the second try waits; each further one twice as long: 0.35 s in all.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The way of a store's writes.
pub(super) struct Outbox {
    pub server: Arc<Server>,
    pub absence: Absence,
    /// Whether entries of removed trails may be left by somebody who died.
    may_be_left: AtomicBool,
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
        recorder: &Arc<Recorder>,
    ) -> Result<Self> {
        let (dir, bytes_max) = (options.spool.clone(), options.spool_bytes_max);
        let absence = Absence::new(
            dir.as_deref(),
            bytes_max,
            options.on_notice.clone(),
            recorder,
        )?;
        let server = Server::new(url, options, recorder.host())?;
        Ok(Self {
            server: Arc::new(server),
            absence,
            may_be_left: AtomicBool::new(true),
            seen: Seen::default(),
        })
    }

    /// Where entries are kept that the server did not take, if that is wanted.
    pub(super) fn spool(&self) -> Option<&Spool> {
        self.absence.spool()
    }

    /// Asks the server, and says so if it cannot be reached.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&Reader<'_>) -> Result<T>) -> Result<T> {
        let asked = self.absence.ask(|| self.ask_anyway(question));
        asked.map_err(|error| self.absence.with_waiting(error))
    }

    /// The same, also if somebody waited in vain a moment ago.
    fn ask_anyway<T>(&self, question: impl FnOnce(&Reader<'_>) -> Result<T>) -> Result<T> {
        let lease = self.connection_soon()?;
        let answer = question(&Reader {
            server: &self.server,
            lease: &lease,
        })?;
        lease.give_back();
        Ok(answer)
    }

    /// A connection, also if the server is just being started.
    fn connection_soon(&self) -> Result<Lease> {
        let mut pause = FIRST_PAUSE;
        // Who was not there a moment ago is not waited for.
        let tries = match self.absence.resting() {
            Some(_) => 1,
            None => TRIES_MAX,
        };
        for _ in 1..tries {
            match self.server.connection() {
                Err(error) if error.kind() == ErrorKind::Unreachable && !is_silence(&error) => {}
                connected => return connected,
            }
            if self.server.host.sleep(pause) == Wait::Interrupted {
                break;
            }
            pause *= 2;
        }
        self.server.connection()
    }

    /// Writes `group` to the server or, if that cannot be reached, to the spool.
    pub(super) fn write(&self, group: &mut Group) -> Result<()> {
        let since = self.absence.moment();
        let failed = match self.absence.resting() {
            Some(away) => away.into(),
            None => match self.write_to_server(group, true) {
                Ok(()) => return Ok(()),
                Err(failed) => failed,
            },
        };
        let Some(spool) = self.absence.met(&failed.error, since) else {
            return Err(failed.error);
        };
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
            probe = failed.probe.or(probe);
            if tries == TRIES_MAX || !self.is_worth_another(&failed.error, was_connected, pause) {
                return Err(Failed {
                    error: failed.error,
                    probe,
                });
            }
            pause *= 2;
        }
        unreachable!("the last try returns")
    }

    /// Whether what failed with `error` may pass at once, after a pause: it was waited for then.
    fn is_worth_another(&self, error: &Error, was_connected: bool, pause: Duration) -> bool {
        // Where there is a spool, nobody is kept waiting for a server that is not there; and
        // nowhere twice for one that does not answer.
        let may_pass = match error.kind() {
            ErrorKind::Unreachable => {
                (was_connected || self.spool().is_none()) && !is_silence(error)
            }
            _ => is_conflict(error),
        };
        may_pass && self.server.host.sleep(pause) != Wait::Interrupted
    }

    /// What `work` comes to on a connection, tried as often as a write is.
    pub(super) fn with_server<T>(&self, work: impl Fn(&Lease) -> Result<T>) -> Result<T> {
        let mut pause = FIRST_PAUSE;
        for tries in 1.. {
            let lease = self.server.connection();
            let was_connected = lease.is_ok();
            let worked = lease.and_then(|lease| {
                let worked = work(&lease);
                match &worked {
                    Ok(_) => lease.give_back(),
                    Err(error) if error.kind() == ErrorKind::Unreachable => drop(lease),
                    Err(_) => self.server.take_back(lease),
                }
                worked
            });
            match worked {
                Err(error)
                    if tries < TRIES_MAX && self.is_worth_another(&error, was_connected, pause) => {
                }
                worked => return worked,
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
            Ok(()) => {
                self.absence.is_back();
                lease.give_back();
            }
        }
        attempted.map_err(|failed| NotWritten {
            failed,
            was_connected: true,
        })
    }

    fn deliver_first(&self, lease: &Lease) -> Result<()> {
        if !self.absence.may_wait() {
            return Ok(());
        }
        if let Some(spool) = self.spool() {
            deliver::deliver(&self.server, &self.seen, spool, lease)?;
        }
        self.absence.is_delivered();
        Ok(())
    }

    /// Delivers what waits in the spool, and returns how much that was.
    pub(super) fn deliver(&self) -> Result<Delivered> {
        match self.spool() {
            Some(spool) => {
                let delivered = self.ask_anyway(|reader| {
                    deliver::deliver(&self.server, &self.seen, spool, reader.lease)
                });
                delivered.map_err(|error| self.absence.with_waiting(error))
            }
            None => Ok(Delivered::default()),
        }
    }

    /// Delivers the keys that wait in the spool.
    pub(super) fn deliver_keys(&self) -> Result<()> {
        let Some(spool) = self.spool() else {
            return Ok(());
        };
        if spool.key_sessions()?.is_empty() {
            return Ok(());
        }
        self.ask_anyway(|reader| {
            let _turn = spool.turn()?;
            deliver_keys(&self.server, spool, reader.lease)
        })
    }

    /// Removes the trail of `session_id` if `removal` allows it.
    pub(super) fn remove(
        &self,
        recorder: &Recorder,
        session_id: &str,
        removal: &Removal,
    ) -> Result<Removed> {
        // Keys go with what they closed, and that with them: none may come after.
        if let Some(spool) = self.spool()
            && !spool.keys(session_id)?.is_empty()
        {
            self.deliver()?;
        }
        self.ask(|reader| {
            let removed = remove::remove(reader, recorder, session_id, removal)?;
            if matches!(removed, Removed::Gone { .. }) {
                self.seen.forget(session_id);
                remove::finish(&self.server, reader.lease);
            }
            Ok(removed)
        })
    }

    /// The highest number of a session as far as it is known here; `None` if nothing is kept here.
    pub(super) fn highest_known(&self, session_id: &str) -> Option<u64> {
        let spool = self.spool()?;
        let seen = self.seen.highest(session_id);
        let waiting = spool.highest(session_id).ok();
        Some(seen.max(waiting).unwrap_or(0))
    }
}
