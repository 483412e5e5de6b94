//! What leaves do not hold, counted again from what they do: columns beside a text, sums of
//! sessions and of all, and what the journal says of a session.

use auto_recovery::audit::{JournalLine, JournalSummary, StoredEntry};
use auto_recovery::error::Result;
use auto_recovery::statistics::{Tally, instant};
use rusqlite::{Connection, Row};

use super::column::{json, list, signed, unsigned};
use super::connection::Database;
use super::entry;
use super::failure::At;
use super::journal;
use super::session::{PLACE_BITS, SessionRow};
use crate::row::EntryRow;
use crate::text::{from_column, to_column};

/// In what differs what is kept of `session_id`, in words.
pub(super) fn of_session(database: &Database, session_id: &str) -> Result<Option<String>> {
    let Some(reader) = database.reader()? else {
        return Ok(None);
    };
    session(reader.database(), session_id).at("read", &database.path)
}

/// In what differs what is kept of all sessions, in words.
pub(super) fn of_all(database: &Database) -> Result<Option<String>> {
    let Some(reader) = database.reader()? else {
        return Ok(None);
    };
    let (database, path) = (reader.database(), &database.path);
    for (table, differs) in SUMS {
        let differs: bool = database
            .query_row(differs, [], |row| row.get(0))
            .at("read", path)?;
        if differs {
            return Ok(Some(format!("the table {table} is not what entries say")));
        }
    }
    journal_columns(database).at("read", path)
}

/// By table, whether it says something else than the entries that are counted.
const SUMS: [(&str, &str); 2] = [
    (
        "tally",
        "WITH kept AS (SELECT strategy, error_type, duration_bucket, entries, successes, \
         rollbacks, ms_high, ms_low FROM tally), \
         counted AS (SELECT strategy, error_type, duration_bucket, count(*), sum(success), \
         sum(rollback_performed), sum(duration_ms >> 32), sum(duration_ms & 4294967295) \
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
        let session_id: Option<String> = row.get(1)?;
        let as_kept = session_id.map(from_column) == record.session_id
            && from_column(row.get(2)?) == record.at
            && row.get::<_, String>(3)? == line.event()
            && row.get::<_, u32>(4)? == record.v
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

fn session(database: &Connection, session_id: &str) -> rusqlite::Result<Option<String>> {
    let Some(mut kept) = SessionRow::find(database, session_id)? else {
        return Ok(None);
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
    match beside(database, kept.id)? == Beside::of(&counted.tally, &said) {
        true => Ok(None),
        false => Ok(Some(
            "its row is not what its entries and the journal say".to_owned(),
        )),
    }
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

/// Whether the columns of `row` are those of `expected`.
fn is_of(row: &Row<'_>, expected: &EntryRow) -> rusqlite::Result<bool> {
    let entry = &expected.entry;
    let text = |index, expected: &str| -> rusqlite::Result<bool> {
        Ok(row.get_ref(index)?.as_str()? == to_column(expected))
    };
    let derived = row.get::<_, Option<i64>>(15)? == expected.at_us
        && row.get::<_, i32>(16)? == expected.duration_bucket
        && row.get::<_, i64>(11)? == expected.duration_ms;
    // Without a text of its own, the rest is what the text was made from.
    if !derived || row.get_ref(0)?.as_str_or_null()?.is_none() {
        return Ok(derived);
    }
    Ok(text(1, &entry.entry_id)?
        && text(2, &entry.timestamp)?
        && text(3, &entry.error_type)?
        && text(4, &entry.strategy)?
        && row.get::<_, i64>(5)? == expected.attempt_number()
        && row.get::<_, bool>(6)? == entry.success
        && row.get_ref(7)?.as_str()? == list(&entry.changes_made)
        && row.get_ref(8)?.as_str()? == list(&entry.files_modified)
        && row.get::<_, bool>(9)? == entry.rollback_performed
        && text(10, &entry.next_action)?
        && text(12, &entry.error_message)?
        && text(13, &entry.recovery_message)?)
}

/// What the journal says of a session since its trail was last removed.
fn said(database: &Connection, session_id: &str) -> rusqlite::Result<JournalSummary> {
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

/// The columns of a session that people ask for, and that its tally and facts decide.
#[derive(Debug, PartialEq)]
struct Beside {
    first_us: Option<i64>,
    last_us: Option<i64>,
    start: Option<String>,
    start_us: Option<i64>,
    outcome: Option<String>,
    took_ms: Option<u64>,
    flaky: u64,
    traits: [Option<String>; 4],
    /// Its command as a JSON array, its directory, its user, and its hold as a JSON object.
    told: [Option<String>; 4],
}

fn beside(database: &Connection, session: i64) -> rusqlite::Result<Beside> {
    const SELECT: &str = "SELECT first_us, last_us, start, start_us, outcome, took_ms, flaky, \
         category, source, project, host, command, cwd, user, held \
         FROM session_now LEFT JOIN session_facts ON session = id WHERE id = ?";
    let mut select = database.prepare_cached(SELECT)?;
    select.query_row([session], |row| {
        let text = |index| -> rusqlite::Result<Option<String>> {
            Ok(row.get::<_, Option<String>>(index)?.map(from_column))
        };
        Ok(Beside {
            first_us: row.get(0)?,
            last_us: row.get(1)?,
            start: text(2)?,
            start_us: row.get(3)?,
            outcome: text(4)?,
            took_ms: row.get::<_, Option<i64>>(5)?.map(unsigned),
            flaky: unsigned(row.get(6)?),
            traits: [text(7)?, text(8)?, text(9)?, text(10)?],
            told: [text(11)?, text(12)?, text(13)?, text(14)?],
        })
    })
}

impl Beside {
    fn of(tally: &Tally, said: &JournalSummary) -> Self {
        let moment = |text: &Option<String>| text.as_deref().and_then(instant);
        let start = said.session_start(tally.first_timestamp.as_deref());
        let traits = said.traits();
        let started = said.started.as_ref();
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self {
            first_us: moment(&tally.first_timestamp),
            last_us: moment(&tally.last_timestamp),
            start_us: moment(&start),
            start,
            outcome: said.outcome.map(|outcome| outcome.as_str().to_owned()),
            took_ms: said.took_ms,
            flaky: said.flaky,
            traits: [
                owned(traits.category),
                owned(traits.source),
                owned(traits.project),
                owned(traits.host),
            ],
            told: [
                started.and_then(|one| one.command.as_ref()).map(json),
                started.and_then(|one| one.cwd.clone()),
                started.and_then(|one| one.user.clone()),
                said.held.as_ref().map(json),
            ],
        }
    }
}
