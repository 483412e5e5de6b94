//! Taking up what a session has that the feed does not: its new entries and journal records become
//! rows, and the position moves, in one transaction.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::time::SystemTime;

use auto_recovery::audit::{AuditStore, ReadAfter, Seen, StoredEntry};
use auto_recovery::{Error, ErrorKind, Result};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::counters::Counts;
use super::database::Database;
use super::failures::{self, Told};
use super::rows::{self, Kind};

/// Bytes of the hash of a record that are kept.
const HASH_BYTES: usize = 8;

/// Sessions whose place in the store is remembered, at some 200 bytes each.
const SEEN_MAX: usize = 4096;

/// The outcome of a session that has begun and not ended.
pub(crate) const BEGUN: &str = "begun";

/// Whether what is found becomes rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// Each entry and record is a row.
    Rows,
    /// Nothing is: it was there before this feed began.
    Nothing,
}

/// The place up to which the feed has read a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    entries: u64,
    last: Option<[u8; 32]>,
    /// The hash of each record of the journal that was read.
    records: Vec<u64>,
    /// The session in the store's list when the feed had all of it; `None` once it moved on.
    look: Option<String>,
    project: Option<String>,
    /// How it ended, [`BEGUN`] while it has not; `None` if nobody said.
    outcome: Option<String>,
    /// When it began, as its journal says.
    began: Option<String>,
}

/// What a journal record must say to be told.
#[derive(Deserialize)]
struct Header {
    at: String,
    event: String,
    #[serde(default)]
    project: Option<String>,
    #[serde(default)]
    outcome: Option<String>,
}

/// Takes up one session after the other.
pub(super) struct TakingUp<'a> {
    store: &'a dyn AuditStore,
    feed: &'a Database,
    seen: HashMap<String, Seen>,
}

/// A session while it is taken up.
struct Session<'c> {
    id: &'c str,
    connection: &'c Connection,
    telling: Telling,
    at_ms: i64,
    position: Position,
    /// The same as it was.
    before: Position,
    counts: Counts,
    /// What it tells of its failure, and what it told before; `None` if the feed took it up when it
    /// did not ask for that yet, and it is to be read anew.
    told: Option<Told>,
    told_before: Told,
    /// Records that have no row yet, each with its time: those of before an entry go before it.
    pending: VecDeque<(String, String)>,
    /// The first row that was written.
    first: Option<i64>,
}

impl<'a> TakingUp<'a> {
    /// From `store` into `feed`.
    pub(super) fn new(store: &'a dyn AuditStore, feed: &'a Database) -> Self {
        Self {
            store,
            feed,
            seen: HashMap::new(),
        }
    }

    /// Takes up what the sessions of `batch` have, all in one transaction. Each stands there with
    /// how the store lists it, if that was looked at before. Returns whether there are new rows.
    ///
    /// # Errors
    /// If the store cannot be read, what was read until then has been taken up; if the feed cannot
    /// be written, nothing was.
    pub(super) fn sessions(
        &mut self,
        batch: Vec<(String, Option<String>)>,
        telling: Telling,
        now: SystemTime,
    ) -> Result<bool> {
        if self.seen.len() + batch.len() > SEEN_MAX {
            self.seen.clear();
        }
        let (feed, store) = (self.feed, self.store);
        let (mut taken, mut of_store) = (Vec::with_capacity(batch.len()), Ok(()));
        let has_rows = feed.write(|connection| {
            let mut has_rows = false;
            for (id, look) in batch {
                let known = self.seen.remove(&id);
                let mut session = Session::load(connection, &id, telling, millis(now))?;
                let mut seen = session.seen(known);
                of_store = session.read(store, &mut seen)?;
                has_rows |= session.first.is_some();
                session.save(look.filter(|_| of_store.is_ok()))?;
                if of_store.is_err() {
                    break;
                }
                taken.push((id, seen));
            }
            Ok(has_rows)
        })?;
        self.seen.extend(taken);
        of_store.map(|()| has_rows)
    }
}

impl<'c> Session<'c> {
    fn load(
        connection: &'c Connection,
        id: &'c str,
        telling: Telling,
        at_ms: i64,
    ) -> rusqlite::Result<Self> {
        let known = load(connection, id)?;
        let is_new = known.is_none();
        let before = known.unwrap_or_default();
        let told = failures::load(connection, id)?;
        Ok(Self {
            told_before: told.clone().unwrap_or_default(),
            told: told.or(is_new.then(Told::default)),
            id,
            connection,
            telling,
            at_ms,
            position: before.clone(),
            before,
            counts: Counts::default(),
            pending: VecDeque::new(),
            first: None,
        })
    }

    /// The place in the store: the one that is `known`, if nothing went wrong since.
    fn seen(&self, known: Option<Seen>) -> Seen {
        let Position { entries, last, .. } = self.position;
        let known = known.filter(|seen| seen.last() == last);
        known.unwrap_or_else(|| Seen::resumed(entries, last))
    }

    fn save(mut self, look: Option<String>) -> rusqlite::Result<()> {
        self.position.look = look;
        self.counts.store(self.connection)?;
        if let Some(told) = &self.told {
            failures::save(self.connection, self.id, &self.told_before, told)?;
        }
        match self.position == self.before {
            true => Ok(()),
            false => save(self.connection, self.id, &self.position),
        }
    }

    /// Reads on in `store`. The outer result is the feed's, the inner one the store's.
    fn read(&mut self, store: &dyn AuditStore, seen: &mut Seen) -> rusqlite::Result<Result<()>> {
        // The journal goes first: it says how the session began.
        let of_journal = self.journal(store);
        let had_project = self.position.project.is_some();
        let mut of_store = match of_journal {
            Ok(()) => self.entries(store, seen)?,
            error => error,
        };
        // Of a session that began between the two, the journal is read now.
        if of_store.is_ok() && !had_project && self.first.is_some() {
            of_store = self.journal(store);
        }
        if of_store.is_ok() && self.told.is_none() {
            match Told::read(store, self.id) {
                Ok(told) => self.told = Some(told),
                Err(error) => of_store = Err(error),
            }
        }
        self.add_records(None)?;
        if let (false, Some(project), Some(first)) =
            (had_project, &self.position.project, self.first)
        {
            rows::set_project(self.connection, self.id, project, first)?;
        }
        Ok(of_store)
    }

    fn add(&mut self, kind: Kind, body: Option<&str>) -> rusqlite::Result<()> {
        if self.telling == Telling::Nothing {
            return Ok(());
        }
        let of = (self.id, self.position.project.as_deref());
        let seq = rows::add(self.connection, self.at_ms, kind, of, body)?;
        self.first.get_or_insert(seq);
        Ok(())
    }

    fn entries(&mut self, store: &dyn AuditStore, seen: &mut Seen) -> rusqlite::Result<Result<()>> {
        let id = self.id;
        loop {
            let mut of_feed = Ok(());
            let mut visit = |stored: StoredEntry<'_>| {
                of_feed = self.entry(&stored);
                match &of_feed {
                    Ok(()) => Ok(()),
                    Err(_) => Err(Error::new(ErrorKind::Io, "the feed cannot be written")),
                }
            };
            let read = store.read_after(id, seen, &mut visit);
            of_feed?;
            match read {
                Ok(ReadAfter::Read(_)) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
                Ok(ReadAfter::Removed) => {
                    rows::drop_entries(self.connection, id)?;
                    if let Some(told) = &mut self.told {
                        told.forget_entries();
                    }
                    self.position.entries = 0;
                    self.position.last = None;
                    self.add(Kind::Removed, None)?;
                }
            }
        }
    }

    fn entry(&mut self, stored: &StoredEntry<'_>) -> rusqlite::Result<()> {
        if !self.pending.is_empty() {
            self.add_records(Some(&stored.entry().timestamp))?;
        }
        self.position.entries += 1;
        self.position.last = Some(Sha256::digest(stored.raw()).into());
        let entry = stored.entry();
        if let Some(told) = &mut self.told {
            told.entry(&entry);
        }
        if self.telling == Telling::Rows {
            self.counts.entry(&entry);
        }
        self.add(Kind::Entry, Some(&stored.json()))
    }

    /// Takes in each record of the journal that is not among those that were read. They are
    /// recognised by their hashes, for what is imported may stand between them.
    fn journal(&mut self, store: &dyn AuditStore) -> Result<()> {
        let mut known = Hashes::of(&self.position.records);
        let mut now = Vec::with_capacity(self.position.records.len());
        let read = store.read_records_raw(Some(self.id), &mut |raw| {
            let hash = hash_of(raw);
            now.push(hash);
            if !known.take(hash) {
                self.record(raw);
            }
            Ok(())
        });
        if read.is_err() {
            // Those that were not come to are still known.
            let mut come_to = Hashes::of(&now);
            let rest = self
                .position
                .records
                .iter()
                .filter(|hash| !come_to.take(**hash));
            now.extend(rest);
        }
        self.position.records = now;
        read.map(drop)
    }

    fn record(&mut self, raw: &[u8]) {
        let Ok(header) = serde_json::from_slice::<Header>(raw) else {
            return;
        };
        if let Some(told) = &mut self.told {
            told.record(raw);
        }
        let position = &mut self.position;
        match &*header.event {
            "session_started" => {
                position.project = header.project.or(position.project.take());
                position.outcome = Some(BEGUN.to_owned());
                position.began = Some(header.at.clone());
            }
            "session_finished" => position.outcome = header.outcome,
            "session_cleared" | "session_pruned" => position.outcome = None,
            _ => {}
        }
        let Some(text) = one_line(raw) else {
            return;
        };
        if self.telling == Telling::Rows {
            self.counts.record(&text);
            self.pending.push_back((header.at, text.into_owned()));
        }
    }

    /// Adds a row for each record that waits, up to those of the time `until`.
    fn add_records(&mut self, until: Option<&str>) -> rusqlite::Result<()> {
        let is_due = |at: &str| until.is_none_or(|until| at <= until);
        while let Some((at, text)) = self.pending.pop_front() {
            if !is_due(&at) {
                self.pending.push_front((at, text));
                return Ok(());
            }
            self.add(Kind::Journal, Some(&text))?;
        }
        Ok(())
    }
}

/// Hashes, each as often as it is there.
struct Hashes(HashMap<u64, u64>);

impl Hashes {
    fn of(hashes: &[u64]) -> Self {
        let mut counts = HashMap::new();
        for hash in hashes {
            *counts.entry(*hash).or_default() += 1;
        }
        Self(counts)
    }

    /// Takes one `hash` out. Returns whether there was one.
    fn take(&mut self, hash: u64) -> bool {
        match self.0.get_mut(&hash) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }
}

/// The JSON text `raw` in one line.
fn one_line(raw: &[u8]) -> Option<Cow<'_, str>> {
    let text = std::str::from_utf8(raw).ok()?.trim();
    if !text.contains(['\n', '\r']) {
        return Some(text.into());
    }
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    Some(value.to_string().into())
}

/// The part of a record's hash by which it is recognised.
pub(super) fn hash_of(raw: &[u8]) -> u64 {
    let mut bytes = [0; HASH_BYTES];
    bytes.copy_from_slice(&Sha256::digest(raw)[..HASH_BYTES]);
    u64::from_le_bytes(bytes)
}

pub(super) fn millis(time: SystemTime) -> i64 {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn load(connection: &Connection, id: &str) -> rusqlite::Result<Option<Position>> {
    let mut select = connection.prepare_cached(
        "SELECT entries, last, records, look, project, outcome, began FROM position
         WHERE session_id = ?",
    )?;
    let position = select.query_row([id], |row| {
        let entries: i64 = row.get(0)?;
        let records: Vec<u8> = row.get(2)?;
        let (hashes, _) = records.as_chunks::<HASH_BYTES>();
        Ok(Position {
            entries: entries.unsigned_abs(),
            last: row.get(1)?,
            records: hashes
                .iter()
                .map(|hash| u64::from_le_bytes(*hash))
                .collect(),
            look: row.get(3)?,
            project: row.get(4)?,
            outcome: row.get(5)?,
            began: row.get(6)?,
        })
    });
    position.optional()
}

fn save(connection: &Connection, id: &str, position: &Position) -> rusqlite::Result<()> {
    let mut insert = connection
        .prepare_cached("INSERT OR REPLACE INTO position VALUES (?, ?, ?, ?, ?, ?, ?, ?)")?;
    let hashes = position.records.iter().flat_map(|hash| hash.to_le_bytes());
    let values = params![
        id,
        i64::try_from(position.entries).unwrap_or(i64::MAX),
        position.last,
        hashes.collect::<Vec<u8>>(),
        position.look,
        position.project,
        position.outcome,
        position.began,
    ];
    insert.execute(values).map(drop)
}

/// The hash of how the store listed each session that the feed has all of, by the hash of its id.
pub(super) fn looks(
    connection: &Connection,
    keys: &RandomState,
) -> rusqlite::Result<HashMap<u64, Option<u64>>> {
    let mut select = connection.prepare_cached("SELECT session_id, look FROM position")?;
    let rows = select.query_map([], |row| {
        let look = row.get_ref(1)?.as_str_or_null()?;
        let id = keys.hash_one(row.get_ref(0)?.as_str()?);
        Ok((id, look.map(|look| keys.hash_one(look))))
    })?;
    rows.collect()
}

/// The sessions that the feed has.
pub(super) fn session_ids(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut select = connection.prepare_cached("SELECT session_id FROM position")?;
    let ids = select.query_map([], |row| row.get(0))?;
    ids.collect()
}

impl Database {
    /// At most `limit` sessions that ended with `outcome`, those that began last first.
    pub(crate) fn with_outcome(&self, outcome: &str, limit: u32) -> Result<Vec<String>> {
        self.read(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT session_id FROM position WHERE outcome = ? ORDER BY began DESC LIMIT ?",
            )?;
            let ids = select.query_map(params![outcome, limit], |row| row.get(0))?;
            ids.collect()
        })
    }

    /// The newest sessions for which a person is needed, as alerts understand it: their kind of
    /// failure was neither cured since in the same project, nor acknowledged. Looks at `limit`.
    ///
    /// # Errors
    /// If the feed cannot be read.
    pub(crate) fn needing_a_person(&self, limit: u32) -> Result<Vec<String>> {
        self.read(|connection| {
            let mut select = connection.prepare_cached(
                "SELECT one.session_id FROM (
                    SELECT session_id, project, began FROM position
                    WHERE outcome = 'escalated' ORDER BY began DESC LIMIT ?
                 ) AS one
                 LEFT JOIN failure_session AS failure ON failure.session_id = one.session_id
                 WHERE NOT EXISTS (
                    SELECT 1 FROM failure_session AS later
                    JOIN position AS of ON of.session_id = later.session_id
                    WHERE later.kind = failure.kind AND later.at_us > failure.at_us
                        AND of.outcome = 'recovered' AND of.project IS one.project
                 ) AND NOT EXISTS (
                    SELECT 1 FROM alert_silence AS said
                    JOIN alert_incident AS incident ON incident.incident = said.incident
                    WHERE incident.labels ->> '$.failure_kind' = failure.kind
                        AND incident.labels ->> '$.project' = coalesce(one.project, '')
                        AND said.at >= one.began AND said.until_ms IS NULL
                 ) ORDER BY one.began DESC",
            )?;
            let ids = select.query_map([limit], |row| row.get(0))?;
            ids.collect()
        })
    }
}
