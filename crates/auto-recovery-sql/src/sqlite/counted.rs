//! The sums that stand ready for questions about every entry. An append leaves its entries uncounted;
//! when these are many, the writer counts them.

use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;

use super::column::number;

/// How many entries a process leaves uncounted: counting them takes milliseconds, once for so many, and
/// whoever asks for all sums counts as many for itself.
const UNCOUNTED_MAX: u64 = 1024;

/// How many entries are uncounted, as far as this process knows.
#[derive(Debug, Default)]
pub(super) struct Uncounted(AtomicU64);

/// Adds what is uncounted to the sums of entries.
const TALLY: &str = "INSERT INTO tally \
     SELECT strategy, error_type, duration_bucket, count(*), sum(success), sum(rollback_performed), \
     sum(duration_ms >> 32), sum(duration_ms & 4294967295) \
     FROM session s INDEXED BY session_uncounted CROSS JOIN entry e \
     ON e.id BETWEEN (s.id << 32) + s.counted AND (s.id << 32) + 4294967295 \
     WHERE s.is_counted = 0 GROUP BY 1, 2, 3 \
     ON CONFLICT DO UPDATE SET entries = entries + excluded.entries, \
     successes = successes + excluded.successes, rollbacks = rollbacks + excluded.rollbacks, \
     ms_high = ms_high + excluded.ms_high, ms_low = ms_low + excluded.ms_low";

const FILES: &str = "INSERT INTO file (name, mentions) SELECT n.value, count(*) \
     FROM session s INDEXED BY session_uncounted CROSS JOIN entry e \
     ON e.id BETWEEN (s.id << 32) + s.counted AND (s.id << 32) + 4294967295 \
     CROSS JOIN json_each(e.files_modified) n \
     WHERE s.is_counted = 0 GROUP BY n.value \
     ON CONFLICT (name) DO UPDATE SET mentions = mentions + excluded.mentions";

const COUNTED: &str = "UPDATE session INDEXED BY session_uncounted SET counted = next_place, is_counted = 1 \
     WHERE is_counted = 0";

impl Uncounted {
    /// Finds out how many are.
    pub(super) fn look(&self, database: &Connection) -> rusqlite::Result<()> {
        let uncounted = database
            .prepare_cached(
                "SELECT coalesce(sum(next_place - counted), 0) \
                 FROM session INDEXED BY session_uncounted WHERE is_counted = 0",
            )?
            .query_row([], |row| number(row, 0))?;
        self.0.store(uncounted, Ordering::Relaxed);
        Ok(())
    }

    /// Notes that so many were added, and counts all if that is due.
    pub(super) fn add(&self, database: &Connection, entries: u64) -> rusqlite::Result<()> {
        let before = self.0.fetch_add(entries, Ordering::Relaxed);
        if before + entries < UNCOUNTED_MAX {
            return Ok(());
        }
        for sql in [TALLY, FILES, COUNTED] {
            database.prepare_cached(sql)?.execute([])?;
        }
        self.0.store(0, Ordering::Relaxed);
        Ok(())
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
         CROSS JOIN json_each(e.files_modified) n WHERE s.id = ?1 GROUP BY n.value) old \
         WHERE file.name = old.value",
        "DELETE FROM file WHERE mentions = 0 AND name IN \
         (SELECT n.value FROM session s CROSS JOIN entry e \
         ON e.id >= s.id << 32 AND e.id < (s.id << 32) + s.counted \
         CROSS JOIN json_each(e.files_modified) n WHERE s.id = ?1)",
    ] {
        database.prepare_cached(sql)?.execute([session])?;
    }
    Ok(())
}
