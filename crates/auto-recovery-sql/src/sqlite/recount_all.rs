//! What is kept of all sessions together, counted again from entries and the journal: the sums of
//! all, which sessions there are, and the columns beside records and seals.

use auto_recovery::audit::JournalLine;
use auto_recovery::error::Result;
use rusqlite::Connection;

use super::connection::Database;
use super::failure::At;
use super::journal;
use super::recount::{session, told};
use crate::text::{from_column, to_column};

/// In what differs what is kept of all sessions, in words.
pub(super) fn of_all(database: &Database) -> Result<Option<String>> {
    let Some(reader) = database.reader()? else {
        return Ok(None);
    };
    for differs in [sums, rows, sessions, journal_columns] {
        let differs = told(differs(reader.database())).at("read", &database.path)?;
        if differs.is_some() {
            return Ok(differs);
        }
    }
    Ok(None)
}

/// By table, whether it says something else than the entries that are counted. What is read as true
/// counts once, whatever number it is: that it is the right one is seen where its entry is.
const SUMS: [(&str, &str); 2] = [
    (
        "tally",
        "WITH kept AS (SELECT strategy, error_type, duration_bucket, entries, successes, \
         rollbacks, ms_high, ms_low FROM tally), \
         counted AS (SELECT strategy, error_type, duration_bucket, count(*), sum(success <> 0), \
         sum(rollback_performed <> 0), sum(duration_ms >> 32), sum(duration_ms & 4294967295) \
         FROM session s JOIN entry e ON e.id >= s.id << 32 AND e.id < (s.id << 32) + s.counted \
         GROUP BY 1, 2, 3) \
         SELECT EXISTS (SELECT * FROM kept EXCEPT SELECT * FROM counted) \
         OR EXISTS (SELECT * FROM counted EXCEPT SELECT * FROM kept)",
    ),
    (
        "file",
        "WITH kept AS (SELECT name, mentions FROM file), \
         counted AS (SELECT value, count(*) \
         FROM session s JOIN entry e ON e.id >= s.id << 32 AND e.id < (s.id << 32) + s.counted \
         JOIN json_each(iif(json_valid(files_modified), files_modified, '[]')) GROUP BY 1) \
         SELECT EXISTS (SELECT * FROM kept EXCEPT SELECT * FROM counted) \
         OR EXISTS (SELECT * FROM counted EXCEPT SELECT * FROM kept)",
    ),
];

fn sums(database: &Connection) -> rusqlite::Result<Option<String>> {
    for (table, differs) in SUMS {
        if database.query_row(differs, [], |row| row.get(0))? {
            return Ok(Some(format!("the table {table} is not what entries say")));
        }
    }
    Ok(None)
}

/// What no row of a table may be, in words and as SQL that says whether one is.
const ROWS: [(&str, &str); 3] = [
    (
        "a session is one of those that are removed",
        "SELECT EXISTS (SELECT 1 FROM leftover JOIN session ON id = session)",
    ),
    (
        "entries are of no session",
        // Each session that has entries, by one step through them.
        "WITH RECURSIVE of (session) AS (SELECT min(id) >> 32 FROM entry UNION ALL \
         SELECT (SELECT min(id) FROM entry WHERE id >= (of.session + 1) << 32) >> 32 \
         FROM of WHERE session IS NOT NULL) \
         SELECT EXISTS (SELECT 1 FROM of WHERE session IS NOT NULL \
         AND session NOT IN (SELECT id FROM session) \
         AND session NOT IN (SELECT session FROM leftover))",
    ),
    (
        "the columns of a seal are not its own",
        // A note has a line for its size, one for its number, and one that its chain signs.
        "SELECT EXISTS (SELECT 1 FROM seal WHERE NOT \
         (instr(note, char(10) || size || char(10)) \
         AND instr(note, char(10) || 'seal ' || number || char(10)) \
         AND instr(note, '/' || chain || ' ')))",
    ),
];

fn rows(database: &Connection) -> rusqlite::Result<Option<String>> {
    for (what, is_there) in ROWS {
        if database.query_row(is_there, [], |row| row.get(0))? {
            return Ok(Some(what.to_owned()));
        }
    }
    Ok(None)
}

/// Which session has a name that is not one, or is not what the journal says: of those that have no
/// trail, and of those that the journal alone knows.
fn sessions(database: &Connection) -> rusqlite::Result<Option<String>> {
    const ALL: &str = "SELECT session_id, entries <= 0 OR NOT EXISTS (SELECT 1 FROM entry e \
         WHERE e.id BETWEEN s.id << 32 AND (s.id << 32) + 4294967295) FROM session_now s";
    const NO_ROW: &str = "SELECT DISTINCT session_id FROM journal j WHERE session_id IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM session s WHERE s.session_id = j.session_id)";
    let mut select = database.prepare_cached(ALL)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let kept: String = row.get(0)?;
        let session_id = from_column(kept.clone());
        if kept != to_column(&session_id) {
            let differs = format!("the name of session {session_id} is not its own");
            return Ok(Some(differs));
        }
        if row.get(1)?
            && let Some(differs) = told(session(database, &session_id))?
        {
            return Ok(Some(format!("session {session_id}: {differs}")));
        }
    }
    let mut select = database.prepare_cached(NO_ROW)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let session_id = from_column(row.get(0)?);
        if let Some(differs) = session(database, &session_id)? {
            return Ok(Some(format!("session {session_id}: {differs}")));
        }
    }
    Ok(None)
}

/// Which record stands beside columns that say something else.
fn journal_columns(database: &Connection) -> rusqlite::Result<Option<String>> {
    let mut select = database
        .prepare_cached("SELECT id, session_id, at, event, v, digest, record FROM journal")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let text = row.get_ref(6)?.as_bytes()?;
        // What cannot be read is told of by who reads the journal.
        let Ok(line) = JournalLine::taken_over(text) else {
            continue;
        };
        let record = line.record();
        let session_id = record.session_id.as_deref().map(to_column);
        let as_kept = row.get_ref(1)?.as_str_or_null()? == session_id.as_deref()
            && row.get_ref(2)?.as_str()? == to_column(&record.at)
            && row.get_ref(3)?.as_str()? == line.event()
            && row.get::<_, i64>(4)? == i64::from(record.v)
            && row.get::<_, i64>(5)? == journal::digest(line.json());
        if !as_kept {
            let id: i64 = row.get(0)?;
            return Ok(Some(format!(
                "the columns of record {id} of the journal are not its own"
            )));
        }
    }
    Ok(None)
}
