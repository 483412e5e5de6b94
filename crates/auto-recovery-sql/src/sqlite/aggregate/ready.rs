//! The sums of every entry, which stand ready but for those of the newest.

use auto_recovery::statistics::{Aggregates, MostModified, SessionEnd};
use rusqlite::{Connection, Row};

use super::group::{Counted, Group};
use super::names::Names;
use super::walk::end;
use crate::sqlite::column::{number, text, unsigned};

/// The sums of all entries: the stored ones, and those of the entries not in them yet.
const ENTRIES: &str = "SELECT strategy, error_type, duration_bucket, entries, successes, \
     rollbacks, ms_high, ms_low FROM tally UNION ALL \
     SELECT strategy, error_type, duration_bucket, count(*), sum(success), \
     sum(rollback_performed), sum(duration_ms >> 32), sum(duration_ms & 4294967295) \
     FROM session s INDEXED BY session_uncounted CROSS JOIN entry e \
     ON e.id BETWEEN (s.id << 32) + s.counted AND (s.id << 32) + 4294967295 \
     WHERE s.is_counted = 0 GROUP BY 1, 2, 3";

/// The same of files.
const FILES: &str = "WITH more AS MATERIALIZED (SELECT n.value AS name, count(*) AS times \
     FROM session s INDEXED BY session_uncounted CROSS JOIN entry e \
     ON e.id BETWEEN (s.id << 32) + s.counted AND (s.id << 32) + 4294967295 \
     CROSS JOIN json_each(iif(json_valid(e.files_modified), e.files_modified, '[]')) n \
     WHERE s.is_counted = 0 GROUP BY n.value) \
     SELECT file.name, file.mentions + coalesce(more.times, 0) \
     FROM file LEFT JOIN more ON more.name = file.name UNION ALL \
     SELECT name, times FROM more WHERE name NOT IN (SELECT name FROM file)";

/// How each session ended, and its first and last entry, if it has any.
const SESSIONS: &str = "SELECT outcome, took_ms, flaky, start_us, last_succeeded, last_us, \
     last_timestamp, first_us, first_timestamp, entries FROM session_now \
     WHERE entries > 0 OR first_at IS NOT NULL";

/// The sums of nothing.
pub(super) fn nothing() -> Aggregates {
    let (names, group) = (Names::default(), Group::default());
    let files = group.files(&names);
    Aggregates::new(group.finish(&names, files), Vec::new())
}

/// The sums of all.
pub(super) fn read(database: &Connection) -> rusqlite::Result<Aggregates> {
    let (mut names, mut total) = (Names::default(), Group::default());
    each(database, ENTRIES, |row| {
        let kind = (
            names.number(&text(row, 0)?),
            names.number(&text(row, 1)?),
            row.get(2)?,
        );
        let (high, low): (i64, i64) = (row.get(6)?, row.get(7)?);
        let counted = Counted {
            entries: number(row, 3)?,
            successes: number(row, 4)?,
            rollbacks: number(row, 5)?,
            duration_ms: (i128::from(high) << 32) + i128::from(low),
        };
        total.add_entries(kind, counted);
        Ok(())
    })?;
    each(database, SESSIONS, |row| {
        let outcome = row.get_ref(0)?.as_str_or_null()?;
        let last: (bool, Option<i64>) = (row.get(4)?, row.get(5)?);
        let (took_ms, start_us) = (row.get(1)?, row.get(3)?);
        let has_entries = row.get::<_, i64>(9)? > 0;
        let end: SessionEnd = end((outcome, took_ms), start_us, has_entries.then_some(last));
        total.add_session(end, unsigned(row.get(2)?));
        if has_entries {
            let (last_text, first_text) = (text(row, 6)?, text(row, 8)?);
            total.stretch((row.get(7)?, &first_text), (last.1, &last_text));
        }
        Ok(())
    })?;
    let (mut files, mut most) = (0, MostModified::default());
    each(database, FILES, |row| {
        files += 1;
        most.add(&text(row, 0)?, number(row, 1)?);
        Ok(())
    })?;
    Ok(Aggregates::new(
        total.finish(&names, (files, most)),
        Vec::new(),
    ))
}

/// Calls `take` for each row that `sql` gives.
fn each(
    database: &Connection,
    sql: &str,
    mut take: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut select = database.prepare_cached(sql)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        take(row)?;
    }
    Ok(())
}
