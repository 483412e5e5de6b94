//! Following a database: what its sessions and its journal say, beside what they said. They are
//! only asked once another connection has written.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use auto_recovery::audit::{Followed, Follower, Polling};
use auto_recovery::error::Result;
use rusqlite::Connection;

use super::connection::{Database, Link};
use super::failure::At;
use crate::text::from_column;

/// A follower of `database`.
pub(super) fn follower(database: &Database) -> Box<dyn Follower + '_> {
    let host = Arc::clone(&database.host);
    let mut watched = Watched::default();
    Box::new(Polling::new(host, move || watched.look(database)))
}

/// The database as it was when somebody looked last.
#[derive(Default)]
struct Watched {
    /// A connection of its own: `PRAGMA data_version` says what others wrote beside it.
    link: Option<Link>,
    version: Option<i64>,
    tables: Tables,
}

/// What tells whether something was written to a session.
#[derive(Default)]
struct Tables {
    /// The row of each session, which is never given twice, and how many entries it has.
    sessions: HashMap<String, (i64, i64)>,
    /// The last record of the journal.
    journal: i64,
}

impl Watched {
    /// What changed since it looked last.
    fn look(&mut self, database: &Database) -> Result<Followed> {
        let is_current = match &self.link {
            Some(link) => database.is_current(link)?,
            None => false,
        };
        let mut is_another = false;
        if !is_current {
            let before = self.link.take();
            is_another = before.is_some();
            before.into_iter().for_each(Link::discard);
            self.version = None;
            self.link = database.watcher()?;
        }
        if is_another {
            self.tables = Tables::default();
        }
        let Some(link) = &self.link else {
            return Ok(match is_another {
                true => Followed::Anything,
                false => Followed::Nothing,
            });
        };
        let version = version(&link.connection).at("follow", &database.path)?;
        if self.version == Some(version) {
            return Ok(Followed::Nothing);
        }
        let (tables, changed) = self
            .tables
            .read_on(&link.connection)
            .at("follow", &database.path)?;
        self.tables = tables;
        self.version = Some(version);
        Ok(match is_another {
            true => Followed::Anything,
            false => Followed::of_sessions(changed),
        })
    }
}

/// Another number once another connection has written.
fn version(database: &Connection) -> rusqlite::Result<i64> {
    database
        .prepare_cached("PRAGMA data_version")?
        .query_row([], |row| row.get(0))
}

impl Tables {
    /// What the tables say now, and which sessions they said something else of.
    fn read_on(&self, database: &Connection) -> rusqlite::Result<(Self, BTreeSet<String>)> {
        let moment = database.unchecked_transaction()?;
        let mut now = Self {
            sessions: HashMap::with_capacity(self.sessions.len()),
            journal: moment
                .prepare_cached("SELECT coalesce(max(id), 0) FROM journal")?
                .query_row([], |row| row.get(0))?,
        };
        let mut select =
            moment.prepare_cached("SELECT session_id, id, entries FROM session_now")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let session_id = from_column(row.get(0)?);
            now.sessions.insert(session_id, (row.get(1)?, row.get(2)?));
        }
        let mut select = moment.prepare_cached(
            "SELECT DISTINCT session_id FROM journal WHERE id > ? AND session_id IS NOT NULL",
        )?;
        let recorded = select.query_map([self.journal], |row| Ok(from_column(row.get(0)?)))?;
        let mut changed = recorded.collect::<rusqlite::Result<BTreeSet<String>>>()?;
        let is_other = |id: &&String| self.sessions.get(*id) != now.sessions.get(*id);
        let known = self.sessions.keys().chain(now.sessions.keys());
        changed.extend(known.filter(is_other).cloned());
        Ok((now, changed))
    }
}
