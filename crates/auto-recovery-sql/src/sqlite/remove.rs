//! Removing a session: it goes from sight in the transaction that records it, and its entries then.

use std::path::Path;

use auto_recovery::audit::{
    Digester, JournalLine, Recorder, Removal, Removed, SessionCleared, TrailDigest, session_id,
};
use auto_recovery::error::Result;
use auto_recovery::integrity::Range;
use rusqlite::{Connection, OptionalExtension};

use super::connection::Database;
use super::counted;
use super::entry;
use super::failure::At;
use super::journal;
use super::keys;
use super::session::{PLACE_BITS, SessionRow};
use super::transaction::transaction;

/// How many entries are deleted in one transaction. It bounds how long others wait: a million take
/// seconds.
const ENTRIES_AT_ONCE: i64 = 10_000;

/// Removes the trail of `session_id` if `removal` allows it.
pub(super) fn remove(
    database: &Database,
    recorder: &Recorder,
    session_id: &str,
    removal: &Removal,
) -> Result<Removed> {
    session_id::encode(session_id)?;
    let before = Leaves::of(database, session_id)?;
    let removed = database.write(|database, path| {
        let found = SessionRow::find(database, session_id).at("read", path)?;
        let Some(mut session) = found else {
            return Ok(Removed::Unknown);
        };
        let facts = session.all_facts(database).at("read", path)?;
        if let Some(held) = &facts.held {
            return Ok(Removed::Held(held.clone()));
        }
        if !session.is_there() {
            return Ok(Removed::Unknown);
        }
        if let Some(expected) = removal.expected()
            && *expected != digest(database, &session).at("read", path)?
        {
            return Ok(Removed::Changed);
        }
        // Texts whose key is gone are gone, wherever copies of the trail are.
        let keys = keys::delete(database, session_id).at("write to", path)?;
        let leaves = before.finish(database, &session).at("read", path)?;
        let line = record(recorder, &session, (removal, keys), &leaves)?;
        journal::insert(database, &line).at("write to", path)?;
        unlink(database, &session).at("write to", path)?;
        Ok(Removed::Gone {
            entries: session.tally.total,
        })
    })?;
    if matches!(removed, Removed::Gone { .. }) {
        // It is gone whether or not its entries are by now: whoever writes next goes on.
        drop(database.finish_removals());
        drop(database.with_writer(|link| {
            keys::empty_log(&link.connection);
            Ok(())
        }));
    }
    Ok(removed)
}

/// The leaves of a trail, read before others have to wait.
#[derive(Default)]
struct Leaves {
    /// The row of their session.
    session: i64,
    range: Range,
}

impl Leaves {
    fn of(database: &Database, session_id: &str) -> Result<Self> {
        let Some(reader) = database.reader()? else {
            return Ok(Self::default());
        };
        let (connection, path) = (reader.database(), &database.path);
        let found = SessionRow::find(connection, session_id).at("read", path)?;
        let Some(session) = found else {
            return Ok(Self::default());
        };
        let mut leaves = Self {
            session: session.id,
            range: Range::default(),
        };
        leaves.push(connection, &session).at("read", path)?;
        Ok(leaves)
    }

    /// Those of `session` as it is now, in the transaction that removes it.
    fn finish(mut self, database: &Connection, session: &SessionRow) -> rusqlite::Result<Range> {
        if self.session != session.id {
            self.range = Range::default();
        }
        self.push(database, session)?;
        Ok(self.range)
    }

    fn push(&mut self, database: &Connection, session: &SessionRow) -> rusqlite::Result<()> {
        let (first, last) = session.entries();
        let mut select = database.prepare_cached(entry::SELECT)?;
        let mut rows = select.query([first + self.range.size() as i64, last])?;
        let mut made = Vec::new();
        while let Some(row) = rows.next()? {
            // What cannot be read must be possible to remove.
            match entry::raw(row, &session.session_id, &mut made) {
                Ok(raw) => self.range.push(raw),
                Err(_) => self.range.push(b""),
            }
        }
        Ok(())
    }
}

fn record(
    recorder: &Recorder,
    session: &SessionRow,
    (removal, keys): (&Removal, u64),
    leaves: &Range,
) -> Result<JournalLine> {
    let tally = &session.tally;
    let trail = SessionCleared {
        entries: tally.total,
        first_timestamp: tally.first_timestamp.clone(),
        last_timestamp: tally.last_timestamp.clone(),
        trail_bytes: session.bytes as u64,
        trail_lines: tally.total,
        trail_head: String::new(),
        keys: (keys > 0).then_some(keys),
        ..SessionCleared::default()
    };
    let event = removal.event(trail.with_head(leaves));
    recorder.record(Some(&session.session_id), event)
}

fn digest(database: &Connection, session: &SessionRow) -> rusqlite::Result<TrailDigest> {
    let mut digester = Digester::default();
    let (first, last) = session.entries();
    let mut select = database.prepare_cached(entry::SELECT)?;
    let mut rows = select.query([first, last])?;
    let mut made = Vec::new();
    while let Some(row) = rows.next()? {
        digester.push(entry::raw(row, &session.session_id, &mut made)?);
    }
    Ok(digester.finish())
}

/// Takes the session, and its part in the sums, away. Its entries are nobody's then.
fn unlink(database: &Connection, session: &SessionRow) -> rusqlite::Result<()> {
    counted::take_out(database, session.id)?;
    for sql in [
        "DELETE FROM session WHERE id = ?",
        "INSERT INTO leftover (session) VALUES (?)",
    ] {
        database.prepare_cached(sql)?.execute([session.id])?;
    }
    if session.tally.total <= ENTRIES_AT_ONCE as u64 {
        delete(database, session.id)?;
    }
    Ok(())
}

/// Deletes what is left of sessions that were removed.
pub(super) fn finish(database: &Connection, path: &Path) -> Result<()> {
    loop {
        let left: Option<i64> = database
            .prepare_cached("SELECT session FROM leftover LIMIT 1")
            .and_then(|mut select| select.query_row([], |row| row.get(0)).optional())
            .at("read", path)?;
        let Some(session) = left else {
            return Ok(());
        };
        transaction(database, path, |database, path| {
            delete(database, session).at("write to", path)
        })?;
    }
}

/// Deletes some of the entries of a session that was removed, and forgets it once there are none.
fn delete(database: &Connection, session: i64) -> rusqlite::Result<()> {
    let first = session << PLACE_BITS;
    let beyond = (session + 1) << PLACE_BITS;
    let last: Option<i64> = database
        .prepare_cached(
            "SELECT id FROM entry WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT 1 OFFSET ?3",
        )?
        .query_row([first, beyond, ENTRIES_AT_ONCE], |row| row.get(0))
        .optional()?;
    let until = last.unwrap_or(beyond);
    database
        .prepare_cached("DELETE FROM entry WHERE id >= ? AND id < ?")?
        .execute([first, until])?;
    if last.is_none() {
        database
            .prepare_cached("DELETE FROM leftover WHERE session = ?")?
            .execute([session])?;
    }
    Ok(())
}
