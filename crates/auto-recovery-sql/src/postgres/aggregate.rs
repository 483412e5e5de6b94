//! Statistics over many sessions, their sums made by the server.
//!
//! Three statements give the sums of the groups in a question: one by session, one by dimensions of
//! entries, one by the files that entries name. A question with groups asks all three again for the
//! total, in the same transaction.

use std::collections::HashMap;

use auto_recovery::Result;
use auto_recovery::audit::Damage;
use auto_recovery::statistics::{
    AggregateGroup, AggregateQuery, AggregateSums, Aggregates, Dimension, hour_of,
};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::cell::get;
use super::read::{Reader, SUSPECT, SUSPECTS_MAX, unsound};
use super::statistics::whole;
use crate::text::{from_column, to_column};

/// Microseconds in an hour.
const HOUR_US: i64 = 3_600_000_000;

/// How much of an hour is its day.
const DAY_BYTES: usize = "2026-01-31".len();

/// The sums of each group, by its key.
type Groups = HashMap<Vec<Option<String>>, AggregateSums>;

/// Answers `query`, and says what of the entries cannot be read: their numbers can.
pub(super) fn aggregate(
    reader: &Reader<'_>,
    query: &AggregateQuery,
) -> Result<(Aggregates, Vec<Damage>)> {
    reader.at_one_moment(|| {
        let question = Question::new(query, &[]);
        let damage = unsound(&question.rows(reader, &question.suspects())?)?;
        let total = groups(reader, query, &[])?.into_values().next();
        let total = total.map(AggregateSums::statistics);
        let total = total.unwrap_or_else(|| AggregateSums::default().statistics());
        if query.by.is_empty() {
            return Ok((Aggregates::new(total, Vec::new()), damage));
        }
        let groups = groups(reader, query, &query.by)?.into_iter();
        let groups = groups.map(|(key, sums)| AggregateGroup {
            key,
            statistics: sums.statistics(),
        });
        Ok((Aggregates::new(total, groups.collect()), damage))
    })
}

fn groups(reader: &Reader<'_>, query: &AggregateQuery, by: &[Dimension]) -> Result<Groups> {
    let question = Question::new(query, by);
    let mut groups = Groups::new();
    for row in question.rows(reader, &question.sessions())? {
        let key = question.key(&row, 13)?;
        groups.insert(key, sums(&row)?);
    }
    for row in question.rows(reader, &question.counts())? {
        let key = question.key(&row, 5)?;
        if let Some(sums) = groups.get_mut(&key) {
            count(&row, sums)?;
        }
    }
    for row in question.rows(reader, &question.files())? {
        let key = question.key(&row, 3)?;
        if let Some(sums) = groups.get_mut(&key) {
            sums.files = get::<i64>(&row, 2)? as u64;
            let file: String = get(&row, 0)?;
            let times = get::<i64>(&row, 1)? as u64;
            sums.most_modified_files.push((from_column(file), times));
        }
    }
    Ok(groups)
}

/// The sums in a row of [`Question::sessions`].
fn sums(row: &Row) -> Result<AggregateSums> {
    let number = |index| get::<i64>(row, index).map(|number| number as u64);
    let time = |index| get::<Option<String>>(row, index).map(|time| time.map(from_column));
    let mut sums = AggregateSums::default();
    sums.entries.total = number(0)?;
    sums.entries.successful = number(1)?;
    sums.entries.duration_ms = whole(&get::<String>(row, 2)?);
    sums.entries.rollbacks = number(3)?;
    sums.sessions = number(4)?;
    sums.flaky = number(5)?;
    sums.recovered = number(6)?;
    sums.escalated = number(7)?;
    sums.entries.first_timestamp = time(8)?.or(time(9)?);
    sums.entries.last_timestamp = time(10)?.or(time(11)?);
    let recoveries: Option<Vec<i32>> = get(row, 12)?;
    for bucket in recoveries.unwrap_or_default() {
        sums.recoveries.add_to_bucket(bucket as u32, 1);
    }
    Ok(sums)
}

/// Adds what a row of [`Question::counts`] counts.
fn count(row: &Row, sums: &mut AggregateSums) -> Result<()> {
    let count = get::<i64>(row, 4)? as u64;
    match get::<i32>(row, 0)? {
        0b011 => {
            sums.entries
                .strategies
                .insert(from_column(get(row, 1)?), count);
        }
        0b101 => {
            sums.entries
                .error_types
                .insert(from_column(get(row, 2)?), count);
        }
        _ => sums
            .durations
            .add_to_bucket(get::<i32>(row, 3)? as u32, count),
    }
    Ok(())
}

/// A question as SQL.
struct Question<'q> {
    by: &'q [Dimension],
    since_us: Option<i64>,
    until_us: Option<i64>,
    project: Option<String>,
    host: Option<String>,
    has_window: bool,
}

impl<'q> Question<'q> {
    fn new(query: &AggregateQuery, by: &'q [Dimension]) -> Self {
        let text = |text: &Option<String>| text.as_deref().map(|text| to_column(text).into_owned());
        Self {
            by,
            since_us: query.since_us,
            until_us: query.until_us,
            project: text(&query.project),
            host: text(&query.host),
            has_window: query.has_window(),
        }
    }

    fn rows(&self, reader: &Reader<'_>, sql: &str) -> Result<Vec<Row>> {
        let params: [&(dyn ToSql + Sync); 4] =
            [&self.since_us, &self.until_us, &self.project, &self.host];
        let asked = async {
            let rows = reader.lease.client().query(sql, &params).await;
            rows.map_err(|error| reader.failed(error))
        };
        reader.run(asked)
    }

    /// The key in `row`, whose columns begin at `from`.
    fn key(&self, row: &Row, from: usize) -> Result<Vec<Option<String>>> {
        let columns = (from..).zip(self.by);
        let values = columns.map(|(index, by)| {
            let value: Option<String> = get(row, index)?;
            Ok(match by.is_time() {
                false => value.map(from_column),
                true => value.and_then(|hour| hour.parse().ok()).map(|hour: i64| {
                    let mut hour = hour_of(hour * HOUR_US);
                    if *by == Dimension::Day {
                        hour.truncate(DAY_BYTES);
                    }
                    hour
                }),
            })
        });
        values.collect()
    }

    /// The columns of the key: `k0, k1`, behind a comma.
    fn names(&self) -> String {
        (0..self.by.len())
            .map(|index| format!(", k{index}"))
            .collect()
    }

    /// What gives them, behind a comma: `moment` is that of the entry, or of a session without any.
    fn values(&self, moment: &str, has_entry: bool) -> String {
        let values = self.by.iter().enumerate().map(|(index, by)| {
            let hour = |unit: i64| {
                let hour_us = HOUR_US * unit;
                // Rounded down, before the epoch too; a day as its first hour.
                format!("(({moment} / {hour_us} - ({moment} % {hour_us} < 0)::int) * {unit})::text")
            };
            let value = match by {
                Dimension::Strategy | Dimension::ErrorType if !has_entry => "NULL::text".to_owned(),
                Dimension::Strategy => "e.strategy".to_owned(),
                Dimension::ErrorType => "e.error_type".to_owned(),
                Dimension::Recipe => unreachable!("who asks for recipes is answered by reading"),
                Dimension::Category | Dimension::Source | Dimension::Project | Dimension::Host => {
                    format!("s.{by}")
                }
                Dimension::Day => hour(24),
                Dimension::Hour => hour(1),
            };
            format!(", {value} COLLATE \"C\" AS k{index}")
        });
        values.collect()
    }

    /// What is asked for: the sessions `s` and their entries `e`.
    fn selected(&self) -> String {
        let columns = self.values("e.at_us", true);
        let window = self.window("e.at_us");
        format!(
            "WITH s AS (SELECT *, \
             outcome IS NULL AND last_succeeded AS ends_well \
             FROM auto_recovery.stored_session \
             WHERE ($3::text IS NULL OR project = $3) AND ($4::text IS NULL OR host = $4)), \
             e AS (SELECT e.session, e.place, e.success, e.rollback_performed, e.duration_ms, \
             e.duration_bucket, e.strategy, e.error_type, e.files_modified{columns} \
             FROM auto_recovery.stored_entry AS e JOIN s ON s.id = e.session WHERE {window})"
        )
    }

    /// Whether `moment` is asked for. What has no time is only asked for by those who ask for all
    /// times.
    fn window(&self, moment: &str) -> String {
        let limits = format!(
            "($1::bigint IS NULL OR {moment} >= $1) AND ($2::bigint IS NULL OR {moment} < $2)"
        );
        match self.has_window {
            true => format!("{moment} IS NOT NULL AND {limits}"),
            false => limits,
        }
    }

    /// Sums by session, and of these by group. A session's end counts in the group of its last
    /// entry.
    fn sessions(&self) -> String {
        let selected = self.selected();
        let names = self.names();
        let bare = self.values("s.first_at_us", false);
        let window = self.window("s.first_at_us");
        let group = match self.by.is_empty() {
            true => "HAVING count(*) > 0".to_owned(),
            false => format!("GROUP BY {}", &names[2..]),
        };
        format!(
            "{selected}, \
             g AS (SELECT session, count(*) AS n, count(*) FILTER (WHERE success) AS ok, \
             sum(duration_ms) AS ms, count(*) FILTER (WHERE rollback_performed) AS undone, \
             min(place) AS first, max(place) AS last{names} FROM e GROUP BY session{names}), \
             w AS (SELECT session, n, ok, ms, undone, first, last, \
             last = max(last) OVER (PARTITION BY session) AS is_last{names} FROM g \
             UNION ALL SELECT s.id, 0, 0, 0, 0, NULL, NULL, true{bare} FROM s \
             WHERE s.entries = 0 AND s.first_at IS NOT NULL AND {window}), \
             d AS (SELECT w.*, s.flaky, outcome = 'recovered' OR s.ends_well AS is_recovered, \
             outcome = 'escalated' AS is_escalated, \
             CASE WHEN outcome = 'recovered' THEN s.took_ms \
             WHEN s.ends_well THEN (s.last_us - least(s.first_at_us, s.first_us)) / 1000 END AS took, \
             f.\"timestamp\" AS first_text, f.at_us AS first_us, \
             l.\"timestamp\" AS last_text, l.at_us AS last_us \
             FROM w JOIN s ON s.id = w.session \
             LEFT JOIN auto_recovery.stored_entry AS f ON f.session = w.session AND f.place = w.first \
             LEFT JOIN auto_recovery.stored_entry AS l ON l.session = w.session AND l.place = w.last) \
             SELECT coalesce(sum(n), 0)::bigint, coalesce(sum(ok), 0)::bigint, \
             least(coalesce(sum(ms), 0), 18446744073709551615)::text, coalesce(sum(undone), 0)::bigint, \
             count(*), coalesce(sum(flaky) FILTER (WHERE is_last), 0)::bigint, \
             count(*) FILTER (WHERE is_last AND is_recovered), \
             count(*) FILTER (WHERE is_last AND is_escalated), \
             {first_time}, {first_text}, {last_time}, {last_text}, \
             array_agg(auto_recovery.duration_bucket(took)) \
             FILTER (WHERE is_last AND is_recovered AND took >= 0){names} FROM d {group}",
            first_time = picked("first", true, ""),
            first_text = picked("first", false, ""),
            last_time = picked("last", true, " DESC"),
            last_text = picked("last", false, " DESC"),
        )
    }

    /// The entries whose text is suspect: place and text.
    fn suspects(&self) -> String {
        let window = self.window("e.at_us");
        format!(
            "SELECT e.place, e.raw FROM auto_recovery.stored_entry AS e \
             JOIN auto_recovery.stored_session AS s ON s.id = e.session \
             WHERE ($3::text IS NULL OR s.project = $3) AND ($4::text IS NULL OR s.host = $4) \
             AND {window} AND {SUSPECT} ORDER BY e.session, e.place LIMIT {SUSPECTS_MAX}"
        )
    }

    /// How many entries of each strategy (0b011), error type (0b101) and bucket of durations
    /// (0b110).
    fn counts(&self) -> String {
        let selected = self.selected();
        let names = self.names();
        format!(
            "{selected} SELECT GROUPING(strategy, error_type, duration_bucket), strategy, error_type, \
             duration_bucket, count(*){names} FROM e GROUP BY GROUPING SETS (\
             (strategy{names}), (error_type{names}), (duration_bucket{names}))"
        )
    }

    /// The files that are named most often, and of how many.
    fn files(&self) -> String {
        let selected = self.selected();
        let names = self.names();
        let partition = match self.by.is_empty() {
            true => String::new(),
            false => format!("PARTITION BY {}", &names[2..]),
        };
        format!(
            "{selected}, \
             f AS (SELECT file, count(*) AS n{names} FROM e, unnest(files_modified) AS file \
             GROUP BY file{names}), \
             r AS (SELECT file, n, count(*) OVER ({partition}) AS files, row_number() OVER (\
             {partition} ORDER BY n DESC, auto_recovery.text_order(file) COLLATE \"C\") AS rank{names} FROM f) \
             SELECT file, n, files{names} FROM r WHERE rank <= {most} ORDER BY rank",
            most = auto_recovery::statistics::MOST_MODIFIED_MAX,
        )
    }
}

/// The first in order of the texts of those that are times, or of the others.
fn picked(which: &str, is_time: bool, direction: &str) -> String {
    let (not, moment) = match is_time {
        true => (" NOT", format!("{which}_us{direction}, ")),
        false => ("", String::new()),
    };
    format!(
        "(array_agg({which}_text ORDER BY {moment}auto_recovery.text_order({which}_text) COLLATE \"C\"{direction}) \
         FILTER (WHERE {which}_text IS NOT NULL AND {which}_us IS{not} NULL))[1]"
    )
}
