//! What the connection that writes knows from what it wrote last: rows of sessions that need not be
//! asked for again, and what uncounted entries come to. It holds as long as nobody else writes.

use std::collections::HashMap;

use rusqlite::Connection;

use super::counted::Uncounted;
use super::entry::ReadyEntry;
use super::session::SessionRow;

/// How many sessions are known at most.
const SESSIONS_MAX: usize = 64;

/// What is known.
#[derive(Default)]
pub(super) struct Recent {
    /// As `PRAGMA data_version` says: another once another connection has written.
    version: Option<i64>,
    /// Some sessions as they are now, and what of their rows is to be saved.
    sessions: HashMap<String, SessionRow>,
    uncounted: Uncounted,
}

impl Recent {
    /// What is known to begin with.
    pub(super) fn new(database: &Connection) -> rusqlite::Result<Self> {
        let mut recent = Self::default();
        recent.uncounted.look(database)?;
        Ok(recent)
    }

    /// Forgets all that others can have changed.
    pub(super) fn forget(&mut self) {
        self.version = None;
        self.sessions.clear();
        self.uncounted.forget();
    }

    /// Forgets all if another connection has written since. Returns whether one may have. To be
    /// asked in the transaction that is to use it.
    pub(super) fn look(&mut self, database: &Connection) -> rusqlite::Result<bool> {
        let version = database
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |row| row.get(0))?;
        let is_as_it_was = self.version == Some(version);
        if !is_as_it_was {
            self.forget();
            self.version = Some(version);
        }
        Ok(!is_as_it_was)
    }

    /// The row of `session_id`, made if it has none.
    pub(super) fn session(
        &mut self,
        database: &Connection,
        session_id: &str,
    ) -> rusqlite::Result<&mut SessionRow> {
        if !self.sessions.contains_key(session_id) {
            let session = SessionRow::find_or_make(database, session_id)?;
            self.sessions.insert(session_id.to_owned(), session);
        }
        let session = self.sessions.get_mut(session_id);
        Ok(session.expect("just put there"))
    }

    /// Notes that `ready` was added.
    pub(super) fn add(&mut self, ready: &ReadyEntry) {
        self.uncounted.add(ready);
    }

    /// Brings rows in the database up to what was changed, and once in many entries the sums.
    pub(super) fn save(&mut self, database: &Connection) -> rusqlite::Result<()> {
        for session in self.sessions.values_mut() {
            session.save(database)?;
        }
        if self.uncounted.count_many(database)? {
            self.sessions.values_mut().for_each(SessionRow::set_counted);
        }
        self.sessions.retain(|_, session| !session.has_all_facts());
        if self.sessions.len() > SESSIONS_MAX {
            self.sessions.clear();
        }
        Ok(())
    }
}
