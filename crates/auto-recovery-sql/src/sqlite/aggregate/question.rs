//! Questions to the database, as SQL.

use auto_recovery::statistics::{AggregateQuery, Dimension};
use rusqlite::ToSql;

use crate::text::to_column;

/// Microseconds in an hour.
pub(super) const HOUR_US: i64 = 3_600_000_000;

/// Microseconds in a day.
pub(super) const DAY_US: i64 = 24 * HOUR_US;

/// The entries of a session, which comes first so that trails are walked one after the other.
const ENTRIES: &str = "session s CROSS JOIN entry e \
     ON e.id BETWEEN s.id << 32 AND (s.id << 32) + 4294967295";

/// The sums of all entries: the stored ones, and those of the entries not in them yet.
const READY_ENTRIES: &str = "SELECT strategy, error_type, duration_bucket, entries, successes, \
     rollbacks, ms_high, ms_low FROM tally UNION ALL \
     SELECT strategy, error_type, duration_bucket, count(*), sum(success), \
     sum(rollback_performed), sum(duration_ms >> 32), sum(duration_ms & 4294967295) \
     FROM session s INDEXED BY session_uncounted CROSS JOIN entry e \
     ON e.id BETWEEN (s.id << 32) + s.counted AND (s.id << 32) + 4294967295 \
     WHERE s.is_counted = 0 GROUP BY 1, 2, 3";

/// The same of files.
const READY_FILES: &str = "WITH more AS MATERIALIZED (SELECT n.value AS name, count(*) AS times \
     FROM session s INDEXED BY session_uncounted CROSS JOIN entry e \
     ON e.id BETWEEN (s.id << 32) + s.counted AND (s.id << 32) + 4294967295 \
     CROSS JOIN json_each(iif(json_valid(e.files_modified), e.files_modified, '[]')) n \
     WHERE s.is_counted = 0 GROUP BY n.value) \
     SELECT file.name, file.mentions + coalesce(more.times, 0) \
     FROM file LEFT JOIN more ON more.name = file.name UNION ALL \
     SELECT name, times FROM more WHERE name NOT IN (SELECT name FROM file)";

/// A question, grouped by some dimensions.
pub(super) struct Question<'q> {
    query: &'q AggregateQuery,
    by: &'q [Dimension],
}

/// A value of a question.
pub(super) type Parameter = (&'static str, Box<dyn ToSql>);

impl<'q> Question<'q> {
    pub(super) fn new(query: &'q AggregateQuery, by: &'q [Dimension]) -> Self {
        Self { query, by }
    }

    /// Whether its answers are stored.
    pub(super) fn is_ready(&self) -> bool {
        self.query.is_of_all() && self.by.is_empty()
    }

    /// The sums of entries: key, strategy, error type, bucket, how many, successes, rollbacks, and
    /// the halves of durations.
    pub(super) fn entries(&self) -> String {
        if self.is_ready() {
            return READY_ENTRIES.to_owned();
        }
        format!(
            "SELECT {} e.strategy, e.error_type, e.duration_bucket, count(*), sum(e.success), \
             sum(e.rollback_performed), sum(e.duration_ms >> 32), \
             sum(e.duration_ms & 4294967295) FROM {ENTRIES} {} GROUP BY {}",
            self.keys("e.at_us", ","),
            self.conditions("e.at_us", ""),
            ordinals(1, self.by.len() + 3),
        )
    }

    /// The sessions that have entries, each as often as it has different keys, one after the other:
    /// session, its end, its length, its number of flaky recoveries, its first and last entry; key;
    /// and of these entries the moments and timestamps. Where the answers are stored, each session
    /// comes once, with only its end, moments and timestamps.
    pub(super) fn sessions(&self) -> String {
        if self.is_ready() {
            return "SELECT ended, ended_ms, flaky, first_us, first_timestamp, last_us, \
                    last_timestamp FROM session_now WHERE entries > 0"
                .to_owned();
        }
        let keys: String = (0..self.by.len())
            .map(|key| format!("g.k{key}, "))
            .collect();
        format!(
            "SELECT g.session, s.ended, s.ended_ms, s.flaky, g.first, g.last, {keys} \
             f.at_us, f.timestamp, l.at_us, l.timestamp FROM \
             (SELECT s.id AS session, {} min(e.id) AS first, max(e.id) AS last FROM {ENTRIES} {} \
             GROUP BY {}) g \
             CROSS JOIN session_now s ON s.id = g.session \
             CROSS JOIN entry f ON f.id = g.first CROSS JOIN entry l ON l.id = g.last \
             ORDER BY g.session",
            self.keys("e.at_us", ","),
            self.conditions("e.at_us", ""),
            ordinals(1, self.by.len() + 1),
        )
    }

    /// The sessions in which nothing was tried: how it ended, after how long, how many were flaky;
    /// key.
    pub(super) fn bare_sessions(&self) -> String {
        let mut keys = self.keys("s.start_us", ",");
        keys.truncate(keys.trim_end().trim_end_matches(',').len());
        let comma = if keys.is_empty() { "" } else { "," };
        let keys = keys
            .replace("e.strategy", "NULL")
            .replace("e.error_type", "NULL");
        format!(
            "SELECT s.ended, s.ended_ms, s.flaky{comma} {keys} FROM session_now s {}",
            self.conditions("s.start_us", "s.entries = 0 AND s.first_at IS NOT NULL"),
        )
    }

    /// The files that entries name: key, name, how often.
    pub(super) fn files(&self) -> String {
        if self.is_ready() {
            return READY_FILES.to_owned();
        }
        format!(
            "SELECT {} n.value, count(*) FROM {ENTRIES} \
             CROSS JOIN json_each(iif(json_valid(e.files_modified), e.files_modified, '[]')) n \
             {} GROUP BY {}",
            self.keys("e.at_us", ","),
            self.conditions("e.at_us", ""),
            ordinals(1, self.by.len() + 1),
        )
    }

    /// Further conditions on an entry `e` of a session `s` that is asked for.
    pub(super) fn also(&self) -> String {
        self.conditions("e.at_us", "").replacen("WHERE", "AND", 1)
    }

    /// The values of every question, except of those whose answers are stored.
    pub(super) fn parameters(&self) -> Vec<Parameter> {
        let query = self.query;
        let mut parameters: Vec<Parameter> = Vec::new();
        for (name, moment) in [(":since", query.since_us), (":until", query.until_us)] {
            parameters.extend(moment.map(|moment| (name, Box::new(moment) as Box<dyn ToSql>)));
        }
        for (name, text) in [(":project", &query.project), (":host", &query.host)] {
            let kept = text.as_deref().map(|text| to_column(text).into_owned());
            parameters.extend(kept.map(|kept| (name, Box::new(kept) as Box<dyn ToSql>)));
        }
        parameters
    }

    /// The columns of the key, given which has the moment.
    fn keys(&self, moment: &str, end: &str) -> String {
        let begin_of = |unit: i64| format!("{moment} - (({moment} % {unit}) + {unit}) % {unit}");
        let column = |by: &Dimension| match by {
            Dimension::Strategy => "e.strategy".to_owned(),
            Dimension::ErrorType => "e.error_type".to_owned(),
            Dimension::Recipe => unreachable!("who asks for recipes is answered by reading"),
            Dimension::Category => "s.category".to_owned(),
            Dimension::Source => "s.source".to_owned(),
            Dimension::Project => "s.project".to_owned(),
            Dimension::Host => "s.host".to_owned(),
            Dimension::Day => begin_of(DAY_US),
            Dimension::Hour => begin_of(HOUR_US),
        };
        let columns = self.by.iter().enumerate();
        columns
            .map(|(index, by)| format!("{} AS k{index}{end} ", column(by)))
            .collect()
    }

    /// The conditions on the entries or sessions asked for; the column `moment` has their time.
    fn conditions(&self, moment: &str, also: &str) -> String {
        let query = self.query;
        let mut all: Vec<String> = Vec::new();
        if !also.is_empty() {
            all.push(also.to_owned());
        }
        if query.since_us.is_some() {
            all.push(format!("{moment} >= :since"));
        }
        if query.until_us.is_some() {
            all.push(format!("{moment} < :until"));
        }
        if query.project.is_some() {
            all.push("s.project = :project".to_owned());
        }
        if query.host.is_some() {
            all.push("s.host = :host".to_owned());
        }
        match all.is_empty() {
            true => String::new(),
            false => format!("WHERE {}", all.join(" AND ")),
        }
    }
}

/// The numbers of `count` columns, from `first`.
fn ordinals(first: usize, count: usize) -> String {
    let numbers: Vec<String> = (first..first + count).map(|n| n.to_string()).collect();
    numbers.join(", ")
}
