//! The sums that stand ready for questions about every entry. An append only notes what is to be counted;
//! when that is much, the writer counts it.

use rusqlite::Connection;

use super::column::number;

/// How many entries wait to be counted: counting them takes milliseconds, once for so many, and whoever
/// asks for all sums counts as many for itself.
const UNCOUNTED_MAX: u64 = 1024;

/// Adds what is uncounted to the sums of entries.
const TALLY: &str = "INSERT INTO tally \
     SELECT strategy, error_type, duration_bucket, count(*), sum(success), sum(rollback_performed), \
     sum(duration_ms >> 32), sum(duration_ms & 4294967295) \
     FROM uncounted CROSS JOIN entry ON entry.id = uncounted.entry GROUP BY 1, 2, 3 \
     ON CONFLICT DO UPDATE SET entries = entries + excluded.entries, \
     successes = successes + excluded.successes, rollbacks = rollbacks + excluded.rollbacks, \
     ms_high = ms_high + excluded.ms_high, ms_low = ms_low + excluded.ms_low";

const FILES: &str = "INSERT INTO file (name, mentions) SELECT value, count(*) \
     FROM uncounted CROSS JOIN entry_text t ON t.id = uncounted.entry, json_each(t.files_modified) \
     WHERE true GROUP BY value \
     ON CONFLICT (name) DO UPDATE SET mentions = mentions + excluded.mentions";

/// Counts what is uncounted, if that is much, or anyway.
pub(super) fn count(database: &Connection, anyway: bool) -> rusqlite::Result<()> {
    let waiting = database
        .prepare_cached("SELECT count(*) FROM uncounted")?
        .query_row([], |row| number(row, 0))?;
    if waiting == 0 || (waiting < UNCOUNTED_MAX && !anyway) {
        return Ok(());
    }
    for sql in [TALLY, FILES, "DELETE FROM uncounted"] {
        database.prepare_cached(sql)?.execute([])?;
    }
    Ok(())
}

/// Takes the entries from the first to the last id, which are counted, out of the sums.
pub(super) fn take_out(database: &Connection, first: i64, last: i64) -> rusqlite::Result<()> {
    for sql in [
        "UPDATE tally SET entries = tally.entries - old.entries, \
         successes = tally.successes - old.successes, rollbacks = tally.rollbacks - old.rollbacks, \
         ms_high = tally.ms_high - old.ms_high, ms_low = tally.ms_low - old.ms_low \
         FROM (SELECT strategy, error_type, duration_bucket, count(*) AS entries, \
         sum(success) AS successes, sum(rollback_performed) AS rollbacks, \
         sum(duration_ms >> 32) AS ms_high, sum(duration_ms & 4294967295) AS ms_low \
         FROM entry WHERE id BETWEEN ?1 AND ?2 GROUP BY 1, 2, 3) old \
         WHERE tally.strategy = old.strategy AND tally.error_type = old.error_type \
         AND tally.duration_bucket = old.duration_bucket",
        "DELETE FROM tally WHERE entries = 0 \
         AND (strategy, error_type, duration_bucket) IN \
         (SELECT strategy, error_type, duration_bucket FROM entry WHERE id BETWEEN ?1 AND ?2)",
        "UPDATE file SET mentions = file.mentions - old.times \
         FROM (SELECT value, count(*) AS times FROM entry_text, json_each(files_modified) \
         WHERE entry_text.id BETWEEN ?1 AND ?2 GROUP BY value) old WHERE file.name = old.value",
        "DELETE FROM file WHERE mentions = 0 AND name IN \
         (SELECT value FROM entry_text, json_each(files_modified) \
         WHERE entry_text.id BETWEEN ?1 AND ?2)",
    ] {
        database.prepare_cached(sql)?.execute([first, last])?;
    }
    Ok(())
}
