//! The keys of sessions whose texts are encrypted: the table `session_key`, and the spool for those
//! that the server has not taken yet.
//!
//! A key is on a disk before anybody waits to write what it closed: on the server's, or with the
//! spool. One that waits has a number of its own, made of its file, which it keeps once it is
//! delivered. It is delivered once, for good: one that was destroyed since does not come back with
//! an older image of its spool.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auto_recovery::Result;
use auto_recovery::audit::encrypting::{KeyFile, KeyStamp, KeyStore};
use auto_recovery::audit::session_id;
use auto_recovery::mutex::lock;
use auto_recovery::spool::Spool;

use super::cell::get;
use super::key_rows::{
    self as rows, DOING, NewKey, READ, SESSIONS, WAITING, key_of, stamp_of, waiting_number,
};
use super::link::Lease;
use super::outbox::Outbox;

/// How long what the server said of a key is taken for true: it is asked of each entry, and an
/// answer takes as long as a write.
const BELIEVED: Duration = Duration::from_millis(250);

/// Number of keys whose stamps are remembered.
const STAMPS_MAX: usize = 4096;

/// The keys on a server, and those that wait for it.
pub(super) struct PostgresKeys {
    outbox: Arc<Outbox>,
    stamps: Mutex<HashMap<(String, u64), Looked>>,
}

/// What was found of a key, and when.
#[derive(Clone)]
struct Looked {
    stamp: Option<KeyStamp>,
    at: Duration,
}

impl PostgresKeys {
    /// Those of the server that `outbox` writes to.
    pub(super) fn new(outbox: Arc<Outbox>) -> Self {
        Self {
            outbox,
            stamps: Mutex::default(),
        }
    }

    /// Forgets what was found of the keys of `session_id`.
    pub(super) fn forget(&self, session_id: &str) {
        lock(&self.stamps).retain(|(session, _), _| session != session_id);
    }

    fn remember(&self, session_id: &str, number: u64, stamp: Option<KeyStamp>) {
        let mut stamps = lock(&self.stamps);
        if stamps.len() >= STAMPS_MAX {
            stamps.clear();
        }
        let at = self.outbox.absence.moment();
        stamps.insert((session_id.to_owned(), number), Looked { stamp, at });
    }

    /// The keys of `session_id` that wait in the spool.
    fn waiting(&self, session_id: &str) -> Result<Vec<Vec<u8>>> {
        session_id::encode(session_id)?;
        match self.outbox.spool() {
            Some(spool) => spool.keys(session_id),
            None => Ok(Vec::new()),
        }
    }

    /// What becomes of `work` within the time of one write.
    fn on<T: Send>(
        &self,
        lease: &Lease,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let limit = self.outbox.server.options.write_timeout;
        lease.link().run(DOING, limit, work)
    }

    fn stamp_on_server(&self, session_id: &str, number: u64) -> Result<Option<KeyStamp>> {
        let address = &self.outbox.server.address;
        self.outbox.with_server(|lease| {
            let found = self.on(lease, rows::find(address, lease, session_id, number))?;
            Ok(found.map(|key| stamp_of(&key.file)))
        })
    }
}

impl KeyStore for PostgresKeys {
    fn keys_place(&self) -> String {
        self.outbox.server.address.shown.clone()
    }

    fn read_keys(&self, session_id: &str) -> Result<Vec<KeyFile>> {
        // First: what is delivered meanwhile is then found twice, and not overlooked.
        let waiting = self.waiting(session_id)?;
        let mut keys: Vec<KeyFile> = self.outbox.ask(|reader| {
            let found = reader.rows(READ, &[&session_id])?;
            found.iter().map(key_of).collect()
        })?;
        for file in waiting {
            if keys.iter().all(|key| key.file != file) {
                let number = waiting_number(&file);
                keys.push(KeyFile { number, file });
            }
        }
        keys.sort_unstable_by_key(|key| key.number);
        Ok(keys)
    }

    fn add_key(&self, session_id: &str, kid: &str, file: &[u8]) -> Result<u64> {
        session_id::encode(session_id)?;
        let Outbox {
            server, absence, ..
        } = &*self.outbox;
        let key = NewKey {
            session_id,
            kid,
            file,
        };
        let since = absence.moment();
        let added = match absence.resting() {
            Some(away) => Err(away),
            None => self
                .outbox
                .with_server(|lease| self.on(lease, rows::add(&server.address, lease, &key))),
        };
        let number = match added {
            Ok(number) => number,
            Err(error) => {
                let Some(spool) = absence.met(&error, since) else {
                    return Err(error);
                };
                let whose = format!("PostgreSQL at {}", server.address.server);
                spool.keep_key(session_id, file, &whose)?;
                waiting_number(file)
            }
        };
        self.remember(session_id, number, Some(stamp_of(file)));
        Ok(number)
    }

    fn key_stamp(&self, session_id: &str, number: u64) -> Result<Option<KeyStamp>> {
        let absence = &self.outbox.absence;
        let since = absence.moment();
        let known = lock(&self.stamps)
            .get(&(session_id.to_owned(), number))
            .cloned();
        if let Some(known) = &known
            && since.saturating_sub(known.at) < BELIEVED
        {
            return Ok(known.stamp.clone());
        }
        if number >= WAITING {
            let waiting = self.waiting(session_id)?;
            let found = waiting.iter().find(|file| waiting_number(file) == number);
            if let Some(file) = found {
                let stamp = Some(stamp_of(file));
                self.remember(session_id, number, stamp.clone());
                return Ok(stamp);
            }
        }
        let asked = match absence.resting() {
            Some(away) => Err(away),
            None => self.stamp_on_server(session_id, number),
        };
        match asked {
            Ok(stamp) => {
                self.remember(session_id, number, stamp.clone());
                Ok(stamp)
            }
            // What was there is there: what is written now waits for the server as well.
            Err(error) => match absence.passed_over(&error, since) {
                Some(_) => Ok(known.and_then(|known| known.stamp)),
                None => Err(error),
            },
        }
    }

    fn key_sessions(&self) -> Result<Vec<String>> {
        let waiting = self.outbox.spool().map(Spool::key_sessions).transpose()?;
        let mut sessions: Vec<String> = self.outbox.ask(|reader| {
            let found = reader.rows(SESSIONS, &[])?;
            found.iter().map(|row| get(row, 0)).collect()
        })?;
        sessions.extend(waiting.unwrap_or_default());
        sessions.sort_unstable();
        sessions.dedup();
        Ok(sessions)
    }

    fn replace_keys(&self, keys: &[(String, KeyFile)]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        // All that are replaced are then in one place, and are replaced there together.
        self.outbox.deliver_keys()?;
        let server = &self.outbox.server;
        // There may be many.
        let limit = server.options.read_timeout;
        self.outbox.with_server(|lease| {
            let replaced = rows::replace(&server.address, lease, keys);
            lease.link().run(DOING, limit, replaced)
        })?;
        lock(&self.stamps).clear();
        Ok(())
    }

    fn destroy_keys(&self, session_id: &str) -> Result<u64> {
        let spool = match self.waiting(session_id)?.is_empty() {
            true => None,
            false => self.outbox.spool(),
        };
        // Nobody delivers what is being destroyed.
        let _turn = spool.map(Spool::turn).transpose()?;
        let waiting = self.waiting(session_id)?;
        let address = &self.outbox.server.address;
        let count = self.outbox.with_server(|lease| {
            self.on(lease, rows::destroy(address, lease, session_id, &waiting))
        })?;
        self.forget(session_id);
        if let Some(spool) = spool {
            // One that came since belongs to later entries.
            spool.destroy_keys(session_id, &waiting)?;
        }
        Ok(count)
    }
}
