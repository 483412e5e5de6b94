//! The database's answers, added up.

use std::collections::BTreeMap;

use auto_recovery::statistics::{AggregateSums, Dimension, MostModified, SessionEnd, hour_of};
use rusqlite::{Row, types::ValueRef};

use crate::sqlite::column::{number, text, unsigned, whole};
use crate::text::from_column;

/// The value of each dimension, in order.
pub(super) type Key = Vec<Option<String>>;

/// The sums of one group.
#[derive(Default)]
pub(super) struct Answer {
    sums: AggregateSums,
    /// Its durations, as the two halves of a sum.
    ms: (i64, i64),
    files: MostModified,
    first: Option<Moment>,
    last: Option<Moment>,
}

/// The time of an entry: its moment, if its timestamp is one, and its timestamp.
pub(super) type Moment = (Option<i64>, String);

/// The same, borrowed.
pub(super) type When<'a> = (Option<i64>, &'a str);

/// `moment`, borrowed.
pub(super) fn when(moment: &Moment) -> When<'_> {
    (moment.0, &moment.1)
}

/// The row of one session, and of one key of it.
pub(super) struct SessionPart {
    pub(super) session: i64,
    pub(super) end: SessionEnd,
    pub(super) flaky: u64,
    /// Its first and last entry.
    pub(super) entries: (i64, i64),
    pub(super) key: Key,
    pub(super) first: Moment,
    pub(super) last: Moment,
}

impl Answer {
    /// Adds a row of sums of entries, which begin at column `at`.
    pub(super) fn add_entries(&mut self, row: &Row<'_>, at: usize) -> rusqlite::Result<()> {
        let sums = &mut self.sums.entries;
        let number = |index: usize| number(row, at + index);
        let entries = number(3)?;
        count(&mut sums.strategies, &text(row, at)?, entries);
        count(&mut sums.error_types, &text(row, at + 1)?, entries);
        let bucket = row.get(at + 2)?;
        self.sums.durations.add_to_bucket(bucket, entries);
        sums.total += entries;
        sums.successful += number(4)?;
        sums.rollbacks += number(5)?;
        self.ms.0 += row.get::<_, i64>(at + 6)?;
        self.ms.1 += row.get::<_, i64>(at + 7)?;
        Ok(())
    }

    /// Counts a session: its ending, its number of flaky recoveries.
    pub(super) fn add_session(&mut self, end: SessionEnd, flaky: u64) {
        let sums = &mut self.sums;
        sums.sessions += 1;
        sums.flaky += flaky;
        match end {
            SessionEnd::Recovered(ms) => {
                sums.recovered += 1;
                ms.into_iter().for_each(|ms| sums.recoveries.add(ms));
            }
            SessionEnd::Escalated => sums.escalated += 1,
            SessionEnd::Other => {}
        }
    }

    /// Widens the stretch by the times of a session's first and last entry.
    pub(super) fn stretch(&mut self, first: When<'_>, last: When<'_>) {
        /// Orders a text that is no time last among firsts, and first among lasts.
        fn order<'a>((moment, text): When<'a>) -> (bool, When<'a>) {
            (moment.is_none(), (moment, text))
        }
        let is_first = self
            .first
            .as_ref()
            .is_none_or(|ours| order(first) < order(when(ours)));
        if is_first {
            self.first = Some((first.0, first.1.to_owned()));
        }
        if self.last.as_ref().is_none_or(|ours| last > when(ours)) {
            self.last = Some((last.0, last.1.to_owned()));
        }
    }

    /// Adds a file: its name from column `at`, its count from the next.
    pub(super) fn add_file(&mut self, row: &Row<'_>, at: usize) -> rusqlite::Result<()> {
        self.sums.files += 1;
        self.files.add(&text(row, at)?, number(row, at + 1)?);
        Ok(())
    }

    /// The sums.
    pub(super) fn finish(mut self) -> AggregateSums {
        let entries = &mut self.sums.entries;
        entries.duration_ms = whole(self.ms);
        entries.first_timestamp = self.first.map(|(_, text)| text);
        entries.last_timestamp = self.last.map(|(_, text)| text);
        self.sums.most_modified_files = self.files.finish();
        self.sums
    }
}

impl SessionPart {
    /// Reads `row`, with a key of these dimensions.
    pub(super) fn of(row: &Row<'_>, by: &[Dimension]) -> rusqlite::Result<Self> {
        let at = 6 + by.len();
        let (end, flaky) = end(row, 1)?;
        Ok(Self {
            session: row.get(0)?,
            end,
            flaky,
            entries: (row.get(4)?, row.get(5)?),
            key: key(row, 6, by)?,
            first: (row.get(at)?, text(row, at + 1)?.into_owned()),
            last: (row.get(at + 2)?, text(row, at + 3)?.into_owned()),
        })
    }
}

/// The ending of a session and its number of flaky recoveries, from column `at`.
pub(super) fn end(row: &Row<'_>, at: usize) -> rusqlite::Result<(SessionEnd, u64)> {
    let ended = row.get_ref(at)?.as_str_or_null()?;
    let ms: Option<i64> = row.get(at + 1)?;
    let end = match ended {
        Some("recovered") => SessionEnd::Recovered(ms.map(unsigned)),
        Some("escalated") => SessionEnd::Escalated,
        _ => SessionEnd::Other,
    };
    Ok((end, unsigned(row.get(at + 2)?)))
}

/// The key of these dimensions, from column `at`.
pub(super) fn key(row: &Row<'_>, at: usize, by: &[Dimension]) -> rusqlite::Result<Key> {
    /// Length of the day within an hour's text.
    const DAY_BYTES: usize = "2026-01-31".len();
    let value = |(index, by): (usize, &Dimension)| {
        Ok(match (row.get_ref(at + index)?, by) {
            (ValueRef::Null, _) => None,
            (ValueRef::Integer(moment), Dimension::Day) => {
                let mut day = hour_of(moment);
                day.truncate(DAY_BYTES);
                Some(day)
            }
            (ValueRef::Integer(moment), _) => Some(hour_of(moment)),
            (other, _) => Some(from_column(other.as_str()?.to_owned())),
        })
    };
    by.iter().enumerate().map(value).collect()
}

fn count(counts: &mut BTreeMap<String, u64>, name: &str, number: u64) {
    match counts.get_mut(name) {
        Some(count) => *count += number,
        None => drop(counts.insert(name.to_owned(), number)),
    }
}
