//! The list of sessions by the page, made by the server.

use auto_recovery::Result;
use auto_recovery::audit::{SessionKey, SessionOutcome, SessionPage, SessionQuery};
use tokio_postgres::Row;

use super::cell::get;
use super::connection::Params;
use super::read::{self, Reader};
use super::session;
use crate::text::to_column;

/// When a session began: the earlier of its first record and its first entry that is a time.
const START: &str = "least(first_us, first_at_us)";

/// Where that stands, behind the columns of a session.
const START_COLUMN: usize = 12;

/// The entries of the sessions on a page whose texts are suspect.
const SUSPECTS: &str = "SELECT e.place, e.raw FROM auto_recovery.stored_entry AS e \
     WHERE e.session = ANY($1)";

/// The page of `limit` sessions that `query` asks for behind the key `after`.
pub(super) fn read(
    reader: &Reader<'_>,
    query: &SessionQuery,
    after: Option<&SessionKey>,
    limit: usize,
) -> Result<SessionPage> {
    SessionPage::narrowed(query, after, limit, &mut |after, limit| {
        possible(reader, query, after, limit)
    })
}

/// The same of those that may have ended as `query` says.
fn possible(
    reader: &Reader<'_>,
    query: &SessionQuery,
    after: Option<&SessionKey>,
    limit: usize,
) -> Result<SessionPage> {
    let sql = format!(
        "SELECT {}, {START} FROM auto_recovery.stored_session WHERE (entries > 0 OR first_at IS NOT NULL) \
         AND ($1::text IS NULL OR project = $1) AND ($2::text IS NULL OR host = $2) \
         AND ($3::bigint IS NULL OR {START} >= $3) AND ($4::bigint IS NULL OR {START} < $4) \
         AND ($5::text IS NULL OR ({START} IS NULL AND $6::bigint IS NOT NULL) OR {START} < $6 \
         OR ({START} IS NOT DISTINCT FROM $6 AND session_id < $5 COLLATE \"C\")) \
         AND ($8::text IS NULL OR strpos(session_id COLLATE \"C\", $8 COLLATE \"C\") > 0) \
         AND ($9::text IS NULL OR outcome = $9 \
         OR (coalesce(outcome, 'unknown') = 'unknown' AND $10::bool)) \
         ORDER BY {START} DESC NULLS LAST, session_id DESC LIMIT $7",
        session::COLUMNS
    );
    let suspects = format!(
        "{SUSPECTS} AND {} ORDER BY e.session, e.place LIMIT {}",
        read::SUSPECT,
        read::SUSPECTS_MAX
    );
    let text = |text: &Option<String>| text.as_deref().map(|text| to_column(text).into_owned());
    let (project, host) = (text(&query.project), text(&query.host));
    // Ids are kept as they are: none has a NUL, which the server takes from nobody.
    let piece = query.id_piece.as_ref();
    if piece.is_some_and(|piece| piece.contains('\0')) {
        return Ok(SessionPage::default());
    }
    let outcome = query.outcome.map(SessionOutcome::as_str);
    let is_open = query.may_include_recorded(None);
    let after_id = after.map(|key| &key.session_id);
    let after_us = after.and_then(|key| key.start_us);
    let rows_max = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let params: Params<'_> = &[
        &project,
        &host,
        &query.since_us,
        &query.until_us,
        &after_id,
        &after_us,
        &rows_max,
        &piece,
        &outcome,
        &is_open,
    ];
    let (rows, next, suspects) = reader.at_one_moment(|| {
        let mut rows = reader.ask(&sql, params)?;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| has_more).map(key).transpose()?;
        let ids = rows.iter().map(|row| get(row, 0));
        let ids = ids.collect::<Result<Vec<i64>>>()?;
        let suspects = reader.ask(&suspects, &[&ids])?;
        Ok((rows, next, suspects))
    })?;
    let (sessions, damage) = read::listed(&rows, &suspects)?;
    Ok(SessionPage {
        sessions,
        next,
        damage,
    })
}

/// The key of the session in `row`.
fn key(row: &Row) -> Result<SessionKey> {
    Ok(SessionKey {
        start_us: get(row, START_COLUMN)?,
        session_id: get(row, 1)?,
    })
}
