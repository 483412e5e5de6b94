//! The list of sessions by the page, made by the database: it looks at what tells the order of
//! sessions, and reads those of the page.

use auto_recovery::audit::{SessionKey, SessionOutcome, SessionPage, SessionQuery, SessionSummary};
use auto_recovery::error::Result;
use rusqlite::{Connection, named_params};

use super::connection::Database;
use super::failure::At;
use super::sessions::{damaged, summary};
use super::unsound;
use crate::text::{from_column, to_column};

/// The rows of a page, by the columns that the table itself has: one that is not counted has an
/// entry. A session without a time is older than all that have one. The index has the order, and
/// what most are left out by.
const PAGE: &str = "SELECT id, start_us, session_id FROM session INDEXED BY session_listed \
     WHERE (entries > 0 OR is_counted = 0 OR first_at IS NOT NULL) \
     AND (:project IS NULL OR project = :project) AND (:host IS NULL OR host = :host) \
     AND (:piece IS NULL OR instr(session_id, :piece) > 0) \
     AND (:outcome IS NULL OR outcome = :outcome \
     OR (coalesce(outcome, 'unknown') = 'unknown' AND :is_open)) \
     AND (:since IS NULL OR start_us >= :since) AND (:until IS NULL OR start_us < :until) \
     AND (:after_id IS NULL OR (start_us IS NULL AND :after_us IS NOT NULL) \
     OR start_us < :after_us OR (start_us IS :after_us AND session_id < :after_id)) \
     ORDER BY start_us DESC NULLS LAST, session_id DESC LIMIT :limit";

/// A session of a page.
const ONE: &str = "SELECT id, session_id, entries, successes, bytes, highest_number, \
     first_timestamp, last_timestamp, last_succeeded, first_at, outcome, took_ms, flaky, is_counted, facts \
     FROM session_now LEFT JOIN session_facts ON session = id WHERE id = ?";

/// The page of `limit` sessions that `query` asks for behind the key `after`.
pub(super) fn read(
    database: &Database,
    query: &SessionQuery,
    after: Option<&SessionKey>,
    limit: usize,
) -> Result<SessionPage> {
    SessionPage::narrowed(query, after, limit, &mut |after, limit| {
        possible(database, query, after, limit)
    })
}

/// The same of those that may have ended as `query` says.
fn possible(
    database: &Database,
    query: &SessionQuery,
    after: Option<&SessionKey>,
    limit: usize,
) -> Result<SessionPage> {
    let mut page = SessionPage::default();
    let Some(reader) = database.reader()? else {
        return Ok(page);
    };
    let connection = reader.database();
    let rows = rows(connection, query, after, limit);
    let mut rows = rows.at("list the sessions of", &database.path)?;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    for (id, _) in &rows {
        match one(connection, *id).at("list the sessions of", &database.path)? {
            Ok(session) => page.sessions.push(session),
            Err(error) => page.damage.push(damaged(&database.path, *id, &error)),
        }
        let unsound = unsound::damage_of_session(database, connection, *id)?;
        page.damage.extend(unsound);
    }
    page.next = rows.pop().filter(|_| has_more).map(|(_, key)| key);
    Ok(page)
}

/// The rows of a page, and of the session behind it.
fn rows(
    database: &Connection,
    query: &SessionQuery,
    after: Option<&SessionKey>,
    limit: usize,
) -> rusqlite::Result<Vec<(i64, SessionKey)>> {
    let text = |text: &Option<String>| text.as_deref().map(|text| to_column(text).into_owned());
    let mut select = database.prepare_cached(PAGE)?;
    let rows = select.query_map(
        named_params! {
            ":project": text(&query.project),
            ":host": text(&query.host),
            ":piece": text(&query.id_piece),
            ":since": query.since_us,
            ":until": query.until_us,
            ":outcome": query.outcome.map(SessionOutcome::as_str),
            ":is_open": query.may_include_recorded(None),
            ":after_us": after.and_then(|key| key.start_us),
            ":after_id": after.map(|key| to_column(&key.session_id)),
            ":limit": i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1),
        },
        |row| {
            let key = SessionKey {
                start_us: row.get(1)?,
                session_id: from_column(row.get(2)?),
            };
            Ok((row.get(0)?, key))
        },
    )?;
    rows.collect()
}

/// The session of the row `id`, or why it cannot be read.
fn one(database: &Connection, id: i64) -> rusqlite::Result<rusqlite::Result<SessionSummary>> {
    let mut select = database.prepare_cached(ONE)?;
    let mut rows = select.query([id])?;
    match rows.next()? {
        Some(row) => Ok(summary(row)),
        None => Err(rusqlite::Error::QueryReturnedNoRows),
    }
}
