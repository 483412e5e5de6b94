//! What leaves do not hold of a session, counted again from what they do: columns beside a text,
//! its sums, and what the journal says of it. What is kept of all is counted in `recount_all`.

use auto_recovery::audit::{JournalLine, JournalSummary, StoredEntry};
use auto_recovery::error::Result;
use auto_recovery::statistics::{Tally, instant};
use rusqlite::{Connection, Row};

use super::column::{json, list, signed};
use super::connection::Database;
use super::entry;
use super::failure::At;
use super::session::{PLACE_BITS, SessionRow};
use crate::row::EntryRow;
use crate::text::to_column;

/// In what differs what is kept of `session_id`, in words.
pub(super) fn of_session(database: &Database, session_id: &str) -> Result<Option<String>> {
    let Some(reader) = database.reader()? else {
        return Ok(None);
    };
    let differs = session(reader.database(), session_id);
    told(differs).at("read", &database.path)
}

/// `differs`; a value that no writer of ours puts there, so that it cannot even be read, is one.
pub(super) fn told(differs: rusqlite::Result<Option<String>>) -> rusqlite::Result<Option<String>> {
    use rusqlite::Error as E;
    match differs {
        Err(
            error @ (E::FromSqlConversionFailure(..)
            | E::IntegralValueOutOfRange(..)
            | E::InvalidColumnType(..)
            | E::Utf8Error(..)),
        ) => Ok(Some(format!("a column cannot be read: {error}"))),
        other => other,
    }
}

/// The same, in a database that is open.
pub(super) fn session(database: &Connection, session_id: &str) -> rusqlite::Result<Option<String>> {
    let Some(mut kept) = SessionRow::find(database, session_id)? else {
        let is_told_of = said(database, session_id)? != JournalSummary::default();
        return Ok(is_told_of.then(|| "the journal speaks of it, and there is none".to_owned()));
    };
    let counted = match Counted::of(database, &kept)? {
        Ok(counted) => counted,
        Err(differs) => return Ok(Some(differs)),
    };
    let of = |kept: &Tally, counted: &Tally| {
        format!(
            "kept: {} attempts, {} successful; counted: {}, {}",
            kept.total, kept.successful, counted.total, counted.successful
        )
    };
    let is_as_counted = (kept.bytes, kept.highest_number) == (counted.bytes, counted.highest)
        && kept.tally == counted.tally;
    if !is_as_counted {
        return Ok(Some(of(&kept.tally, &counted.tally)));
    }
    let said = said(database, session_id)?;
    if *kept.all_facts(database)? != said {
        return Ok(Some("its facts are not what the journal says".to_owned()));
    }
    let is_as_said = beside(database, kept.id)? == Beside::of(&counted.tally, &said)
        && is_counted_so(database, kept.id, signed(counted.tally.total))?;
    Ok((!is_as_said).then(|| "its row is not what its entries and the journal say".to_owned()))
}

/// What entries come to.
#[derive(Default)]
struct Counted {
    tally: Tally,
    bytes: i64,
    highest: u64,
}

impl Counted {
    /// What the entries of `session` come to; else why a row of them is not what it should be.
    fn of(database: &Connection, session: &SessionRow) -> rusqlite::Result<Result<Self, String>> {
        let (first, last) = session.entries();
        let mut select = database.prepare_cached(entry::SELECT_DERIVED)?;
        let mut rows = select.query([first, last])?;
        let (mut counted, mut made) = (Self::default(), Vec::new());
        while let Some(row) = rows.next()? {
            let raw = entry::raw(row, &session.session_id, &mut made)?;
            let id: i64 = row.get(14)?;
            let place = (id & ((1 << PLACE_BITS) - 1)) + 1;
            let differs = || Ok(Err(format!("the columns of entry {place} are not its own")));
            let (Ok(stored), Ok(text)) = (StoredEntry::read(raw), str::from_utf8(raw)) else {
                return Ok(Err(format!("entry {place} cannot be read")));
            };
            let expected = EntryRow::taken_over(stored, text);
            counted.add(&expected);
            if !counted.is_beside(row)? || !is_of(row, &expected)? {
                return differs();
            }
        }
        Ok(Ok(counted))
    }

    fn add(&mut self, row: &EntryRow) {
        self.tally.add(&row.entry.timestamp, row.entry.success);
        self.bytes += row.bytes;
        self.highest = self.highest.max(row.entry.attempt_number);
    }

    /// Whether `row` says that its trail comes to this with it. Rows of older formats do not say.
    fn is_beside(&self, row: &Row<'_>) -> rusqlite::Result<bool> {
        let sums: [Option<i64>; 3] = [row.get(17)?, row.get(18)?, row.get(19)?];
        let counted = [
            signed(self.tally.successful),
            self.bytes,
            signed(self.highest),
        ];
        Ok(sums == [None; 3] || sums == counted.map(Some))
    }
}

/// Whether the columns of `row` are those of `expected`, as they are kept and not just as they are
/// read: SQL compares and sums what is there, and more than one value is read as the same.
fn is_of(row: &Row<'_>, expected: &EntryRow) -> rusqlite::Result<bool> {
    let entry = &expected.entry;
    let text = |index, expected: &str| -> rusqlite::Result<bool> {
        Ok(row.get_ref(index)?.as_str()? == to_column(expected))
    };
    let number = |index| row.get::<_, i64>(index);
    Ok(row.get::<_, Option<i64>>(15)? == expected.at_us
        && number(16)? == i64::from(expected.duration_bucket)
        && number(11)? == expected.duration_ms
        && number(5)? == expected.attempt_number()
        && number(6)? == i64::from(entry.success)
        && number(9)? == i64::from(entry.rollback_performed)
        && row.get_ref(7)?.as_str()? == list(&entry.changes_made)
        && row.get_ref(8)?.as_str()? == list(&entry.files_modified)
        && text(1, &entry.entry_id)?
        && text(2, &entry.timestamp)?
        && text(3, &entry.error_type)?
        && text(4, &entry.strategy)?
        && text(10, &entry.next_action)?
        && text(12, &entry.error_message)?
        && text(13, &entry.recovery_message)?)
}

/// What the journal says of a session since its trail was last removed.
pub(super) fn said(database: &Connection, session_id: &str) -> rusqlite::Result<JournalSummary> {
    let mut select =
        database.prepare_cached("SELECT record FROM journal WHERE session_id = ? ORDER BY id")?;
    let mut rows = select.query([to_column(session_id)])?;
    let mut said = JournalSummary::default();
    while let Some(row) = rows.next()? {
        if let Ok(line) = JournalLine::taken_over(row.get_ref(0)?.as_bytes()?) {
            said.apply(&line.record().at, &line.record().event);
        }
    }
    Ok(said)
}

/// Whether the row `session` says rightly how many of its `entries` are in the sums of all.
fn is_counted_so(database: &Connection, session: i64, entries: i64) -> rusqlite::Result<bool> {
    const SELECT: &str = "SELECT counted, is_counted FROM session WHERE id = ?";
    let mut select = database.prepare_cached(SELECT)?;
    let (counted, is_counted): (i64, i64) =
        select.query_row([session], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(match is_counted {
        1 => counted == entries,
        0 => (0..entries).contains(&counted),
        _ => false,
    })
}

/// The columns of a session that people ask for, and that its tally and facts decide, as they are
/// kept.
#[derive(Debug, PartialEq)]
struct Beside {
    first_us: Option<i64>,
    last_us: Option<i64>,
    last_succeeded: i64,
    start_us: Option<i64>,
    took_ms: Option<i64>,
    flaky: i64,
    /// When it began and is first mentioned, its outcome, category, source, project, host,
    /// directory and user, its command as a JSON array, and its hold as a JSON object.
    texts: [Option<String>; 11],
}

fn beside(database: &Connection, session: i64) -> rusqlite::Result<Beside> {
    const SELECT: &str = "SELECT first_us, last_us, last_succeeded, start_us, took_ms, flaky, \
         start, first_at, outcome, category, source, project, host, cwd, user, command, held \
         FROM session_now LEFT JOIN session_facts ON session = id WHERE id = ?";
    /// The first of the texts.
    const TEXTS: usize = 6;
    let mut select = database.prepare_cached(SELECT)?;
    select.query_row([session], |row| {
        let mut texts = [const { None }; 11];
        for (index, text) in texts.iter_mut().enumerate() {
            *text = row.get(TEXTS + index)?;
        }
        Ok(Beside {
            first_us: row.get(0)?,
            last_us: row.get(1)?,
            last_succeeded: row.get(2)?,
            start_us: row.get(3)?,
            took_ms: row.get(4)?,
            flaky: row.get(5)?,
            texts,
        })
    })
}

impl Beside {
    fn of(tally: &Tally, said: &JournalSummary) -> Self {
        let moment = |text: &Option<String>| text.as_deref().and_then(instant);
        let start = said.session_start(tally.first_timestamp.as_deref());
        let traits = said.traits();
        let started = said.started.as_ref();
        let kept = |text: Option<&str>| text.map(|text| to_column(text).into_owned());
        Self {
            first_us: moment(&tally.first_timestamp),
            last_us: moment(&tally.last_timestamp),
            last_succeeded: i64::from(tally.last_succeeded),
            start_us: moment(&start),
            took_ms: said.took_ms.map(signed),
            flaky: signed(said.flaky),
            texts: [
                kept(start.as_deref()),
                kept(said.first_at.as_deref()),
                said.outcome.map(|outcome| outcome.as_str().to_owned()),
                kept(traits.category),
                kept(traits.source),
                kept(traits.project),
                kept(traits.host),
                kept(started.and_then(|one| one.cwd.as_deref())),
                kept(started.and_then(|one| one.user.as_deref())),
                started.and_then(|one| one.command.as_ref()).map(json),
                said.held.as_ref().map(json),
            ],
        }
    }
}
