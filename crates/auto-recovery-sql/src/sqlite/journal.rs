//! The journal's rows.

use std::path::Path;

use auto_recovery::audit::{Damage, JournalLine, JournalRecord};
use auto_recovery::error::{Error, ErrorKind, Result};
use rusqlite::{Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};

use super::column::number;
use super::connection::Database;
use super::failure::{At, failed};
use crate::text::to_column;

/// Adds the record of `line`.
pub(super) fn insert(database: &Connection, line: &JournalLine) -> rusqlite::Result<()> {
    let (record, json) = (line.record(), line.json());
    database
        .prepare_cached(
            "INSERT INTO journal (session_id, at, event, v, record, digest) \
             VALUES (?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            record.session_id.as_deref().map(to_column),
            to_column(&record.at),
            line.event(),
            record.v,
            json,
            digest(json),
        ])?;
    Ok(())
}

/// How often the journal has the record of `session_id` whose JSON is `json`, since the session's
/// trail was last removed.
pub(super) fn occurrences(
    database: &Connection,
    session_id: Option<&str>,
    json: &str,
) -> rusqlite::Result<u64> {
    const COUNT: &str =
        "SELECT count(*) FROM journal WHERE digest = ?1 AND record = ?2 AND id > coalesce((
        SELECT max(id) FROM journal
        WHERE session_id = ?3 AND event IN ('session_cleared', 'session_pruned')
    ), 0)";
    database
        .prepare_cached(COUNT)?
        .query_row(params![digest(json), json, session_id], |row| {
            number(row, 0)
        })
}

/// Whether the trail of `session_id` was removed, and was not taken over again since.
pub(super) fn was_removed(database: &Connection, session_id: &str) -> rusqlite::Result<bool> {
    const LAST: &str = "SELECT event IN ('session_cleared', 'session_pruned') FROM journal
        WHERE session_id = ?
        AND event IN ('session_cleared', 'session_pruned', 'trail_imported')
        ORDER BY id DESC LIMIT 1";
    let was_removed = database
        .prepare_cached(LAST)?
        .query_row([to_column(session_id)], |row| row.get(0))
        .optional()?;
    Ok(was_removed.unwrap_or(false))
}

/// By which a record is looked for.
pub(super) fn digest(json: &str) -> i64 {
    let hash = Sha256::digest(json);
    let head = hash.first_chunk().copied();
    i64::from_be_bytes(head.expect("it has four times as many bytes"))
}

/// Calls `visit` for each record, of `session_id` if given, in order. Returns the damage met on the
/// way.
pub(super) fn read(
    database: &Database,
    session_id: Option<&str>,
    visit: &mut dyn FnMut(JournalRecord) -> Result<()>,
) -> Result<Vec<Damage>> {
    each(
        database,
        session_id,
        &mut |json| match serde_json::from_slice(json) {
            Ok(record) => visit(record).map(Ok),
            Err(error) => Ok(Err(error)),
        },
    )
}

/// Calls `visit` with the text of each record, of `session_id` if given, in order. Returns the
/// damage met on the way.
pub(super) fn read_raw(
    database: &Database,
    session_id: Option<&str>,
    visit: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<Vec<Damage>> {
    each(
        database,
        session_id,
        &mut |json| match JournalRecord::look(json) {
            Ok(()) => visit(json).map(Ok),
            Err(error) => Ok(Err(error)),
        },
    )
}

/// Deals with the text of a record, or says why that cannot be read.
type Take<'t> = dyn FnMut(&[u8]) -> Result<serde_json::Result<()>> + 't;

/// Calls `take` with the text of each record whose format this release knows.
fn each(database: &Database, session_id: Option<&str>, take: &mut Take<'_>) -> Result<Vec<Damage>> {
    const ALL: &str = "SELECT id, v, record FROM journal ORDER BY id";
    const OF_SESSION: &str = "SELECT id, v, record FROM journal WHERE session_id = ? ORDER BY id";
    let mut damage = Vec::new();
    let Some(reader) = database.reader()? else {
        return Ok(damage);
    };
    let path = &database.path;
    let sql = match session_id {
        Some(_) => OF_SESSION,
        None => ALL,
    };
    let mut select = reader.database().prepare_cached(sql).at("read", path)?;
    let of = rusqlite::params_from_iter(session_id.map(to_column));
    let mut rows = select.query(of).at("read", path)?;
    while let Some(row) = rows.next().at("read", path)? {
        if let Err(unreadable) = take_row(row, path, take)? {
            damage.push(unreadable);
        }
    }
    Ok(damage)
}

/// Has `take` deal with the text of the record in `row`; else why it cannot be read.
///
/// # Errors
/// [`ErrorKind::NewerFormat`] if it has a format that this release does not know.
fn take_row(row: &Row<'_>, path: &Path, take: &mut Take<'_>) -> Result<Result<(), Damage>> {
    let read = |error| failed("read", path, error);
    let id: i64 = row.get(0).map_err(read)?;
    let unreadable = |bytes: usize, reason: String| Damage {
        place: format!("journal of {}", path.display()),
        line: id as u64,
        bytes: bytes as u64,
        reason,
        is_aside: false,
    };
    let version: u32 = match row.get(1) {
        Ok(version) => version,
        Err(error) => return Ok(Err(unreadable(0, error.to_string()))),
    };
    if version > JournalRecord::VERSION {
        return Err(Error::new(
            ErrorKind::NewerFormat,
            format!(
                "{} has a journal record of format {version}, number {id}, and this release reads up \
                 to {}: use the release that wrote it, or a newer one",
                path.display(),
                JournalRecord::VERSION
            ),
        ));
    }
    let json = row.get_ref(2).map_err(read)?;
    let json = json.as_bytes().unwrap_or_default();
    let taken = take(json)?;
    Ok(taken.map_err(|error| unreadable(json.len(), error.to_string())))
}
