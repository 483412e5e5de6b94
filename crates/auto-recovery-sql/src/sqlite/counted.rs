//! The sums that stand ready for questions about every entry. An append leaves its entries
//! uncounted; when these are many, the writer counts them.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::column::{kept_list, number};
use super::entry::ReadyEntry;
use crate::text::to_column;

/// Entries that a process leaves uncounted at most: counting this many takes a millisecond, and a
/// reader of all sums counts as many for itself.
const UNCOUNTED_MAX: u64 = 1024;

/// How many bytes of names are kept in memory: more than many entries have, unless they are
/// strange.
const NAMES_BYTES_MAX: usize = 4 << 20;

/// The entries that are uncounted.
#[derive(Default)]
pub(super) struct Uncounted {
    /// How many there are, as far as this connection knows.
    entries: u64,
    /// What they come to, if that is known.
    sums: Option<Sums>,
}

/// What some entries come to. All texts are as columns hold them.
#[derive(Default)]
struct Sums {
    /// By strategy, by error type, and by bucket of duration.
    tallies: HashMap<String, HashMap<String, HashMap<i32, Tally>>>,
    /// How often each file is named.
    mentions: HashMap<String, u64>,
    /// How long all names are.
    names_bytes: usize,
}

/// A row of `tally`, but for its key.
#[derive(Clone, Copy, Default)]
struct Tally {
    entries: i64,
    successes: i64,
    rollbacks: i64,
    ms_high: i64,
    ms_low: i64,
}

const SELECT: &str = "SELECT e.strategy, e.error_type, e.duration_bucket, e.success, \
     e.rollback_performed, e.duration_ms, e.files_modified \
     FROM session s INDEXED BY session_uncounted CROSS JOIN entry e \
     ON e.id BETWEEN (s.id << 32) + s.counted AND (s.id << 32) + 4294967295 \
     WHERE s.is_counted = 0";

const ADD_TALLY: &str = "INSERT INTO tally VALUES (?, ?, ?, ?, ?, ?, ?, ?) \
     ON CONFLICT DO UPDATE SET entries = entries + excluded.entries, \
     successes = successes + excluded.successes, rollbacks = rollbacks + excluded.rollbacks, \
     ms_high = ms_high + excluded.ms_high, ms_low = ms_low + excluded.ms_low";

const ADD_MENTIONS: &str = "INSERT INTO file (name, mentions) VALUES (?, ?) \
     ON CONFLICT (name) DO UPDATE SET mentions = mentions + excluded.mentions";

const SET_COUNTED: &str = "UPDATE session INDEXED BY session_uncounted \
     SET entries = now.entries, successes = now.successes, bytes = now.bytes, \
     highest_number = now.highest_number, last_timestamp = now.last_timestamp, \
     last_us = now.last_us, last_succeeded = now.last_succeeded, \
     counted = now.entries, is_counted = 1 \
     FROM session_now now WHERE now.id = session.id AND session.is_counted = 0";

impl Uncounted {
    /// Finds out how many are.
    pub(super) fn look(&mut self, database: &Connection) -> rusqlite::Result<()> {
        self.entries = database
            .prepare_cached(
                "SELECT coalesce(sum(entries - counted), 0) FROM session_now WHERE is_counted = 0",
            )?
            .query_row([], |row| number(row, 0))?;
        Ok(())
    }

    /// Notes that `ready` was added.
    pub(super) fn add(&mut self, ready: &ReadyEntry) {
        self.entries += 1;
        if let Some(sums) = &mut self.sums {
            sums.add_entry(ready);
            if sums.names_bytes > NAMES_BYTES_MAX {
                self.sums = None;
            }
        }
    }

    /// Forgets what they come to: there may be others.
    pub(super) fn forget(&mut self) {
        self.sums = None;
    }

    /// Counts all if there are many. Returns whether it did.
    pub(super) fn count_many(&mut self, database: &Connection) -> rusqlite::Result<bool> {
        if self.entries < UNCOUNTED_MAX {
            return Ok(false);
        }
        match self.sums.take() {
            Some(mut sums) => sums.save(database)?,
            None => save_read(database)?,
        }
        database.prepare_cached(SET_COUNTED)?.execute([])?;
        *self = Self {
            entries: 0,
            sums: Some(Sums::default()),
        };
        Ok(true)
    }
}

/// Adds what the uncounted entries in the database come to.
fn save_read(database: &Connection) -> rusqlite::Result<()> {
    let mut select = database.prepare_cached(SELECT)?;
    let mut rows = select.query([])?;
    let mut sums = Sums::default();
    while let Some(row) = rows.next()? {
        let text = |index| row.get_ref(index)?.as_str().map_err(rusqlite::Error::from);
        let tally = Tally::of(row.get(3)?, row.get(4)?, row.get(5)?);
        sums.add_tally(text(0)?, text(1)?, row.get(2)?, tally);
        // A list that cannot be read is told of whoever reads the entry.
        for name in kept_list(row, 6).unwrap_or_default() {
            sums.add_mention(&name);
        }
        if sums.names_bytes > NAMES_BYTES_MAX {
            sums.save(database)?;
        }
    }
    sums.save(database)
}

impl Sums {
    fn add_entry(&mut self, ready: &ReadyEntry) {
        let (row, entry) = (&ready.row, &ready.row.entry);
        let (strategy, error_type) = (to_column(&entry.strategy), to_column(&entry.error_type));
        let tally = Tally::of(entry.success, entry.rollback_performed, row.duration_ms);
        self.add_tally(&strategy, &error_type, row.duration_bucket, tally);
        for name in &entry.files_modified {
            self.add_mention(&to_column(name));
        }
    }

    fn add_tally(&mut self, strategy: &str, error_type: &str, bucket: i32, tally: Tally) {
        let bytes = &mut self.names_bytes;
        let error_types = at(&mut self.tallies, strategy, bytes);
        let buckets = at(error_types, error_type, bytes);
        buckets.entry(bucket).or_default().add(tally);
    }

    fn add_mention(&mut self, name: &str) {
        *at(&mut self.mentions, name, &mut self.names_bytes) += 1;
    }

    /// Adds them to those of all, and is empty then.
    fn save(&mut self, database: &Connection) -> rusqlite::Result<()> {
        let sums = std::mem::take(self);
        let mut add = database.prepare_cached(ADD_TALLY)?;
        for (strategy, error_types) in &sums.tallies {
            for (error_type, buckets) in error_types {
                for (bucket, tally) in buckets {
                    add.execute(params![
                        strategy,
                        error_type,
                        bucket,
                        tally.entries,
                        tally.successes,
                        tally.rollbacks,
                        tally.ms_high,
                        tally.ms_low,
                    ])?;
                }
            }
        }
        let mut add = database.prepare_cached(ADD_MENTIONS)?;
        for (name, mentions) in &sums.mentions {
            add.execute(params![name, *mentions as i64])?;
        }
        Ok(())
    }
}

/// What `map` has at `name`, which is put there if it is new, its length added to `bytes`.
fn at<'m, T: Default>(map: &'m mut HashMap<String, T>, name: &str, bytes: &mut usize) -> &'m mut T {
    if !map.contains_key(name) {
        *bytes += name.len();
        map.insert(name.to_owned(), T::default());
    }
    map.get_mut(name).expect("just put there")
}

impl Tally {
    /// That of one entry.
    fn of(success: bool, rollback_performed: bool, duration_ms: i64) -> Self {
        Self {
            entries: 1,
            successes: i64::from(success),
            rollbacks: i64::from(rollback_performed),
            ms_high: duration_ms >> 32,
            ms_low: duration_ms & 0xffff_ffff,
        }
    }

    fn add(&mut self, other: Self) {
        self.entries += other.entries;
        self.successes += other.successes;
        self.rollbacks += other.rollbacks;
        self.ms_high += other.ms_high;
        self.ms_low += other.ms_low;
    }
}

/// Takes the entries of a session that are counted out of the sums.
pub(super) fn take_out(database: &Connection, session: i64) -> rusqlite::Result<()> {
    for sql in [
        "UPDATE tally SET entries = tally.entries - old.entries, \
         successes = tally.successes - old.successes, rollbacks = tally.rollbacks - old.rollbacks, \
         ms_high = tally.ms_high - old.ms_high, ms_low = tally.ms_low - old.ms_low \
         FROM (SELECT strategy, error_type, duration_bucket, count(*) AS entries, \
         sum(success) AS successes, sum(rollback_performed) AS rollbacks, \
         sum(duration_ms >> 32) AS ms_high, sum(duration_ms & 4294967295) AS ms_low \
         FROM session s CROSS JOIN entry e \
         ON e.id >= s.id << 32 AND e.id < (s.id << 32) + s.counted WHERE s.id = ?1 \
         GROUP BY 1, 2, 3) old \
         WHERE tally.strategy = old.strategy AND tally.error_type = old.error_type \
         AND tally.duration_bucket = old.duration_bucket",
        "DELETE FROM tally WHERE entries = 0 \
         AND (strategy, error_type, duration_bucket) IN \
         (SELECT strategy, error_type, duration_bucket FROM session s CROSS JOIN entry e \
         ON e.id >= s.id << 32 AND e.id < (s.id << 32) + s.counted WHERE s.id = ?1)",
        "UPDATE file SET mentions = file.mentions - old.times \
         FROM (SELECT n.value, count(*) AS times FROM session s CROSS JOIN entry e \
         ON e.id >= s.id << 32 AND e.id < (s.id << 32) + s.counted \
         CROSS JOIN json_each(iif(json_valid(e.files_modified), e.files_modified, '[]')) n \
         WHERE s.id = ?1 GROUP BY n.value) old \
         WHERE file.name = old.value",
        "DELETE FROM file WHERE mentions = 0 AND name IN \
         (SELECT n.value FROM session s CROSS JOIN entry e \
         ON e.id >= s.id << 32 AND e.id < (s.id << 32) + s.counted \
         CROSS JOIN json_each(iif(json_valid(e.files_modified), e.files_modified, '[]')) n \
         WHERE s.id = ?1)",
    ] {
        database.prepare_cached(sql)?.execute([session])?;
    }
    Ok(())
}
