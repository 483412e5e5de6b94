//! Reading trails, the journal and the list of sessions.
//!
//! A reader sees the store as it was at one moment, however long it takes: it reads page after page
//! in one transaction that sees nothing newer.

use auto_recovery::audit::{
    Damage, JournalRecord, ReadAfter, Seen, SessionSummary, StoredEntry, sort_newest_first,
};
use auto_recovery::{Error, ErrorKind, Result};
use futures_util::future::join;
use serde::Deserialize;
use tokio_postgres::Row;

use super::cell::get;
use super::columns;
use super::connection::Params;
use super::failure::explain;
use super::link::Lease;
use super::migrate;
use super::server::Server;
use super::session::{self, Session};
use crate::text::from_column;

/// Begins a transaction that sees nothing newer.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// How many journal records are read at once. Most have less than a kilobyte.
const RECORDS_A_PAGE: i64 = 500;

/// Those about one session, from an id on.
const RECORDS_OF: &str = "SELECT id, record::text FROM auto_recovery.journal \
     WHERE session_id = $1 AND id > $2 ORDER BY id LIMIT $3";

/// All, from an id on.
const RECORDS: &str =
    "SELECT id, record::text FROM auto_recovery.journal WHERE id > $1 ORDER BY id LIMIT $2";

const SESSION: &str = "SELECT id, session_id, entries, successful, bytes, highest_number, first_timestamp, \
     first_us, last_timestamp, last_us, last_succeeded, facts \
     FROM auto_recovery.stored_session WHERE session_id = $1";

const SESSION_LOCKED: &str = "SELECT id, session_id, entries, successful, bytes, highest_number, \
     first_timestamp, first_us, last_timestamp, last_us, last_succeeded, facts \
     FROM auto_recovery.stored_session WHERE session_id = $1 FOR UPDATE";

/// What makes the text of an entry `e` suspect: it is not as long as it was, or no object. The rest
/// of an entry stands in columns of their types. Asked of all entries, this parses none.
pub(super) const SUSPECT: &str = "e.raw IS NOT NULL AND (octet_length(e.raw) + 1 <> e.bytes \
     OR left(e.raw, 1) <> '{' OR right(e.raw, 1) <> '}')";

/// The most entries that are told one by one by who reads sums.
pub(super) const SUSPECTS_MAX: usize = 1_000;

/// Who reads.
pub(super) struct Reader<'r> {
    pub server: &'r Server,
    pub lease: &'r Lease,
}

impl Reader<'_> {
    /// The rows that `sql` gives.
    pub(super) fn rows(&self, sql: &'static str, params: Params<'_>) -> Result<Vec<Row>> {
        let asked = async {
            let rows = self.lease.rows(sql, params).await;
            rows.map_err(|error| self.failed(error))
        };
        self.run(asked)
    }

    /// The same for statements that are made as they are asked, and not kept ready.
    pub(super) fn ask(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>> {
        self.run(async {
            let rows = self.lease.client().query(sql, params).await;
            rows.map_err(|error| self.failed(error))
        })
    }

    /// Runs statements that are given nothing.
    pub(super) fn batch(&self, sql: &str) -> Result<()> {
        self.run(async {
            self.lease
                .batch(sql)
                .await
                .map_err(|error| self.failed(error))
        })
    }

    /// Waits for an answer.
    pub(super) fn run<T: Send>(&self, asked: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let limit = self.server.options.read_timeout;
        self.lease.link().run("read the audit trail", limit, asked)
    }

    /// `error` in our words.
    pub(super) fn failed(&self, error: tokio_postgres::Error) -> Error {
        explain(&self.server.address, "read the audit trail", error)
    }

    /// What `read` gives, all of it as of one moment.
    pub(super) fn at_one_moment<T>(&self, read: impl FnOnce() -> Result<T>) -> Result<T> {
        let known = migrate::known_version(&self.server.address, self.lease);
        self.run(async {
            let (begun, known) = join(self.lease.batch(BEGIN), known).await;
            begun.map_err(|error| self.failed(error))?;
            known
        })?;
        let result = read()?;
        self.batch("COMMIT")?;
        Ok(result)
    }

    /// The session of this id, if there is one.
    pub(super) fn session(&self, session_id: &str) -> Result<Option<Session>> {
        self.one(SESSION, session_id)
    }

    /// The same, locked until the transaction ends.
    pub(super) fn session_locked(&self, session_id: &str) -> Result<Option<Session>> {
        self.one(SESSION_LOCKED, session_id)
    }

    fn one(&self, sql: &'static str, session_id: &str) -> Result<Option<Session>> {
        let rows = self.rows(sql, &[&session_id])?;
        rows.first().map(Session::read).transpose()
    }

    /// Calls `visit` for each entry of `session` that stands behind a place, in order.
    pub(super) fn entries(
        &self,
        session: &Session,
        after: i64,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        let page = session.page_rows();
        let mut damage = Vec::new();
        let mut last = after;
        loop {
            let rows = self.rows(columns::SELECT, &[&session.id, &last, &page])?;
            let is_end = (rows.len() as i64) < page;
            for row in rows {
                last = get(&row, 0)?;
                let place = last;
                let raw = match columns::read(&session.session_id, &row) {
                    Ok(raw) => raw,
                    Err(error) => {
                        damage.push(damaged("stored_entry", place, "", &error));
                        continue;
                    }
                };
                match StoredEntry::read(raw.as_bytes()) {
                    Ok(stored) => visit(stored)?,
                    Err(error) => damage.push(damaged("stored_entry", place, &raw, &error)),
                }
            }
            if is_end {
                return Ok(damage);
            }
        }
    }
}

/// What cannot be read of entries that are suspect: `rows` have their places and texts.
pub(super) fn unsound(rows: &[Row]) -> Result<Vec<Damage>> {
    let mut damage = Vec::new();
    for row in rows {
        let raw = from_column(get(row, 1)?);
        if let Err(error) = StoredEntry::read(raw.as_bytes()) {
            damage.push(damaged("stored_entry", get(row, 0)?, &raw, &error));
        }
    }
    Ok(damage)
}

/// Calls `visit` for the entries of `session_id`, the last `count` if that is given.
pub(super) fn trail(
    reader: &Reader<'_>,
    session_id: &str,
    count: Option<usize>,
    visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
) -> Result<Vec<Damage>> {
    reader.at_one_moment(|| {
        let Some(session) = reader.session(session_id)? else {
            return Ok(Vec::new());
        };
        let count = count.and_then(|count| i64::try_from(count).ok());
        let after = count.map_or(0, |count| (session.entries - count).max(0));
        match after < session.entries {
            true => reader.entries(&session, after, visit),
            false => Ok(Vec::new()),
        }
    })
}

/// Where somebody stopped who reads a trail: the row of its session, which is never given twice,
/// and the last place.
struct Place {
    session: i64,
    last: i64,
}

/// Calls `visit` for the entries of `session_id` that were not `seen`.
pub(super) fn after(
    reader: &Reader<'_>,
    session_id: &str,
    seen: &mut Seen,
    visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
) -> Result<ReadAfter> {
    reader.at_one_moment(|| {
        let Some(session) = reader.session(session_id)? else {
            return Ok(seen.of_no_trail());
        };
        let stopped = seen.place::<Place>();
        let last = match stopped.map(|place| (place.session == session.id, place.last)) {
            Some((true, last)) => last,
            stopped => {
                if stopped.is_some()
                    && let ReadAfter::Removed = seen.of_no_trail()
                {
                    return Ok(ReadAfter::Removed);
                }
                let session = session.id;
                seen.begin_at(Place { session, last: 0 });
                0
            }
        };
        let mut damage = Vec::new();
        if last < session.entries {
            let mut passing = seen.passing(visit);
            damage = reader.entries(&session, last, &mut |stored| passing.take(stored))?;
            if !passing.has_passed() {
                return Ok(seen.of_no_trail());
            }
        }
        let (session, last) = (session.id, session.entries);
        seen.set_place(Place { session, last }, 0);
        Ok(ReadAfter::Read(damage))
    })
}

/// Whether there is such a session.
pub(super) fn is_known(reader: &Reader<'_>, session_id: &str) -> Result<bool> {
    let session = reader.session(session_id)?;
    Ok(session.is_some_and(|one| one.entries > 0 || one.facts.first_at.is_some()))
}

/// The highest attempt number of `session_id`.
pub(super) fn highest_number(reader: &Reader<'_>, session_id: &str) -> Result<u64> {
    let session = reader.session(session_id)?;
    Ok(session.map_or(0, |session| session.highest))
}

/// Calls `visit` for each journal record, of `session_id` if given.
pub(super) fn journal(
    reader: &Reader<'_>,
    session_id: Option<&str>,
    visit: &mut dyn FnMut(JournalRecord) -> Result<()>,
) -> Result<Vec<Damage>> {
    each_record(
        reader,
        session_id,
        &mut |text| match serde_json::from_str(text) {
            Ok(record) => visit(record).map(Ok),
            Err(error) => Ok(Err(error)),
        },
    )
}

/// Calls `visit` with the text of each journal record, of `session_id` if given.
pub(super) fn records_raw(
    reader: &Reader<'_>,
    session_id: Option<&str>,
    visit: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<Vec<Damage>> {
    each_record(
        reader,
        session_id,
        &mut |text| match JournalRecord::look(text.as_bytes()) {
            Ok(()) => visit(text.as_bytes()).map(Ok),
            Err(error) => Ok(Err(error)),
        },
    )
}

/// Deals with the text of a record, or says why that cannot be read.
type Take<'t> = dyn FnMut(&str) -> Result<serde_json::Result<()>> + 't;

/// Calls `take` with the text of each record whose format this release knows.
fn each_record(
    reader: &Reader<'_>,
    session_id: Option<&str>,
    take: &mut Take<'_>,
) -> Result<Vec<Damage>> {
    reader.at_one_moment(|| {
        let mut damage = Vec::new();
        let mut last = 0_i64;
        loop {
            let rows = match &session_id {
                Some(id) => reader.rows(RECORDS_OF, &[id, &last, &RECORDS_A_PAGE])?,
                None => reader.rows(RECORDS, &[&last, &RECORDS_A_PAGE])?,
            };
            let is_end = (rows.len() as i64) < RECORDS_A_PAGE;
            for row in rows {
                last = get(&row, 0)?;
                let text: String = get(&row, 1)?;
                if let Err(error) = take_known(&text, last, take)? {
                    damage.push(damaged("journal", last, &text, &error));
                }
            }
            if is_end {
                return Ok(damage);
            }
        }
    })
}

/// Every session, newest first, and what could not be read.
pub(super) fn sessions(reader: &Reader<'_>) -> Result<(Vec<SessionSummary>, Vec<Damage>)> {
    let sql = session::select("WHERE entries > 0 OR first_at IS NOT NULL");
    let suspects = format!(
        "SELECT e.place, e.raw FROM auto_recovery.stored_entry AS e \
         JOIN auto_recovery.stored_session AS s ON s.id = e.session \
         WHERE {SUSPECT} ORDER BY e.session, e.place LIMIT {SUSPECTS_MAX}"
    );
    let (rows, suspects) =
        reader.at_one_moment(|| Ok((reader.ask(&sql, &[])?, reader.ask(&suspects, &[])?)))?;
    let (mut sessions, damage) = listed(&rows, &suspects)?;
    sort_newest_first(&mut sessions);
    Ok((sessions, damage))
}

/// The sessions in `rows`, and what cannot be read of them, and of the entries that are suspect.
pub(super) fn listed(rows: &[Row], suspects: &[Row]) -> Result<(Vec<SessionSummary>, Vec<Damage>)> {
    let (mut sessions, mut damage) = (Vec::new(), Vec::new());
    for row in rows {
        match Session::read(row) {
            Ok(session) => sessions.push(session.summary()),
            Err(error) => {
                let id = get(row, 0)?;
                damage.push(damaged("stored_session", id, "", &error.chain()));
            }
        }
    }
    damage.extend(unsound(suspects)?);
    Ok((sessions, damage))
}

/// Has `take` deal with the record that `text` is. The version is looked at first: the rest of a
/// newer one may be anything.
fn take_known(text: &str, id: i64, take: &mut Take<'_>) -> Result<serde_json::Result<()>> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    match serde_json::from_str::<Version>(text) {
        Ok(version) => check_version(version.v, id)?,
        Err(error) => return Ok(Err(error)),
    }
    take(text)
}

/// Refuses a record of a version that this release does not know.
fn check_version(version: u32, id: i64) -> Result<()> {
    if version <= JournalRecord::VERSION {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::NewerFormat,
        format!(
            "auto_recovery.journal has a record of format {version} with the id {id}, and this release reads up \
             to {}: use the release that wrote it, or a newer one",
            JournalRecord::VERSION
        ),
    ))
}

fn damaged(table: &str, line: i64, text: &str, error: &dyn std::fmt::Display) -> Damage {
    Damage {
        place: format!("auto_recovery.{table}"),
        line: line as u64,
        bytes: text.len() as u64,
        reason: error.to_string(),
        is_aside: false,
    }
}
