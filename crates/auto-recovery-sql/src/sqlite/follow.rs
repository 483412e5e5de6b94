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
    has_begun: bool,
    /// The row of each session, which is never given twice, and how many entries it has.
    sessions: HashMap<String, (i64, i64)>,
    /// The last of these rows.
    last_session: i64,
    /// How many entries of all sessions are in the sums.
    counted: i64,
    /// The last record of the journal.
    journal: i64,
}

/// What the tables say that they did not say before.
struct Found {
    /// Sessions with their rows and numbers of entries: all, or those that may have changed.
    sessions: Vec<(String, (i64, i64))>,
    is_of_all: bool,
    /// Sessions that the journal has something new of.
    recorded: BTreeSet<String>,
    counted: i64,
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
        let found = self.tables.look(&link.connection);
        let found = found.at("follow", &database.path)?;
        let changed = self.tables.take_in(found);
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

/// Every session, or those behind a row, or those whose entries are not all in the sums.
const ALL: &str = "SELECT session_id, id, entries FROM session_now";
const NEW: &str = "SELECT session_id, id, entries FROM session_now WHERE id > ?";
const UNCOUNTED: &str = "SELECT session_id, id, entries FROM session_now WHERE is_counted = 0";

impl Tables {
    /// What the tables say now. An entry that was added is in the sums, or its session is one whose
    /// entries are not all there; so as long as the sums say the same and nothing was removed, all
    /// other sessions are as they were.
    fn look(&self, database: &Connection) -> rusqlite::Result<Found> {
        let moment = database.unchecked_transaction()?;
        let number = |sql: &str| moment.prepare_cached(sql)?.query_row([], |row| row.get(0));
        let journal: i64 = number("SELECT coalesce(max(id), 0) FROM journal")?;
        let counted: i64 = number("SELECT coalesce(sum(entries), 0) FROM tally")?;
        let mut select = moment.prepare_cached(
            "SELECT DISTINCT session_id, event IN ('session_cleared', 'session_pruned')
             FROM journal WHERE id > ? AND session_id IS NOT NULL",
        )?;
        let rows = select.query_map([self.journal], |row| {
            Ok((from_column(row.get(0)?), row.get::<_, bool>(1)?))
        })?;
        let (mut recorded, mut is_removed) = (BTreeSet::new(), false);
        for row in rows {
            let (session_id, is_removal) = row?;
            is_removed |= is_removal;
            recorded.insert(session_id);
        }
        let is_of_all = !self.has_begun || is_removed || counted != self.counted;
        let mut sessions = Vec::new();
        match is_of_all {
            true => read(&moment, ALL, None, &mut sessions)?,
            false => {
                read(&moment, NEW, Some(self.last_session), &mut sessions)?;
                read(&moment, UNCOUNTED, None, &mut sessions)?;
            }
        }
        Ok(Found {
            sessions,
            is_of_all,
            recorded,
            counted,
            journal,
        })
    }

    /// Notes what was `found`, and returns the sessions that something was written to.
    fn take_in(&mut self, found: Found) -> BTreeSet<String> {
        let mut changed = found.recorded;
        let mut gone = match found.is_of_all {
            true => std::mem::take(&mut self.sessions),
            false => HashMap::new(),
        };
        for (session_id, now) in found.sessions {
            let before = match found.is_of_all {
                true => gone.remove(&session_id),
                false => self.sessions.get(&session_id).copied(),
            };
            if before != Some(now) {
                changed.insert(session_id.clone());
            }
            self.last_session = now.0.max(self.last_session);
            self.sessions.insert(session_id, now);
        }
        changed.extend(gone.into_keys());
        self.has_begun = true;
        self.counted = found.counted;
        self.journal = found.journal;
        changed
    }
}

/// Adds the sessions that `sql` gives to `sessions`.
fn read(
    database: &Connection,
    sql: &str,
    behind: Option<i64>,
    sessions: &mut Vec<(String, (i64, i64))>,
) -> rusqlite::Result<()> {
    let mut select = database.prepare_cached(sql)?;
    let mut rows = select.query(rusqlite::params_from_iter(behind))?;
    while let Some(row) = rows.next()? {
        let session_id = from_column(row.get(0)?);
        sessions.push((session_id, (row.get(1)?, row.get(2)?)));
    }
    Ok(())
}
