//! What each rule was in the last day: pending or firing, from when to when.
//!
//! Read back from the transitions of that day alone: the first of a condition says what it was
//! before, and one without any is as it is now.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use auto_recovery::host::timestamp;
use rusqlite::{Connection, params};

use super::clock::{millis, parse, time};
use super::decide::{Series, State};
use super::tables::{from_json, number};

/// The time that is looked back.
pub(crate) const STRIP: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest gap between two spans that are shown as one: less than two pixels of a wide page.
pub(crate) const GAP: Duration = Duration::from_secs(2 * 60);

/// Transitions that are read: of more, the oldest are not.
const ROWS_MAX: i64 = 20_000;

/// A time in which a rule was pending or fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) is_firing: bool,
    /// Milliseconds since the epoch.
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
}

impl Span {
    /// Its ends, RFC 3339.
    pub(crate) fn ends(&self) -> [String; 2] {
        [time(self.from_ms), time(self.to_ms)]
    }
}

/// The spans of each rule in the day before `now`, in order.
pub(crate) fn strips(
    connection: &Connection,
    now: SystemTime,
) -> rusqlite::Result<BTreeMap<String, Vec<Span>>> {
    let (now_ms, day_ms) = (millis(now), millis(SystemTime::UNIX_EPOCH + STRIP));
    let since_ms = now_ms.saturating_sub(day_ms);
    let mut all: BTreeMap<(String, String), Condition> = BTreeMap::new();
    let mut select = connection.prepare_cached(
        "SELECT rule, labels, change, at FROM alert_transition WHERE at >= ?
         ORDER BY number DESC LIMIT ?",
    )?;
    let since = timestamp(SystemTime::UNIX_EPOCH + since(since_ms));
    let mut rows = select.query(params![since, ROWS_MAX])?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        let of: (String, String) = (row.get(0)?, row.get(1)?);
        let at: String = row.get(3)?;
        changes.push((of, row.get::<_, String>(2)?, at));
    }
    for (of, change, at) in changes.into_iter().rev() {
        let at_ms = parse(&at).unwrap_or(now_ms).clamp(since_ms, now_ms);
        let condition = all.entry(of).or_insert_with(|| Condition::new(since_ms));
        condition.take(&change, at_ms);
    }
    let clock = number(connection, "alert_clock_ms")?.unwrap_or_default();
    let wall = number(connection, "alert_wall_ms")?.unwrap_or_default();
    let mut select = connection.prepare_cached("SELECT rule, labels, body FROM alert_series")?;
    let rows = select.query_map([], |row| {
        let of: (String, String) = (row.get(0)?, row.get(1)?);
        Ok((of, row.get::<_, String>(2)?))
    })?;
    for row in rows {
        let (of, body) = row?;
        let Some(series) = from_json::<Series>(&body) else {
            continue;
        };
        let begun_ms = wall - clock + series.state.since_ms();
        let condition = all.entry(of).or_insert_with(|| Condition::new(since_ms));
        if condition.is_untouched() {
            let from_ms = begun_ms.clamp(since_ms, now_ms);
            match series.state {
                State::Pending { .. } => condition.open = Some((false, from_ms)),
                State::Firing { .. } => condition.open = Some((true, from_ms)),
                State::Known { .. } => {}
            }
        }
    }
    let mut strips: BTreeMap<String, Vec<Span>> = BTreeMap::new();
    for ((rule, _), condition) in all {
        let spans = strips.entry(rule).or_default();
        spans.extend(condition.ended(now_ms));
    }
    Ok(strips
        .into_iter()
        .map(|(rule, spans)| (rule, joined(spans)))
        .collect())
}

fn since(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// One condition of a rule.
struct Condition {
    since_ms: i64,
    /// Whether it fires, and since when, while it is not inactive.
    open: Option<(bool, i64)>,
    spans: Vec<Span>,
    is_first: bool,
}

impl Condition {
    fn new(since_ms: i64) -> Self {
        Self {
            since_ms,
            open: None,
            spans: Vec::new(),
            is_first: true,
        }
    }

    fn is_untouched(&self) -> bool {
        self.is_first
    }

    fn take(&mut self, change: &str, at_ms: i64) {
        if std::mem::take(&mut self.is_first) {
            self.open = match change {
                "resolved" => Some((true, self.since_ms)),
                "inactive" | "firing" => Some((false, self.since_ms)),
                _ => None,
            };
        }
        self.close(at_ms);
        self.open = match change {
            "pending" => Some((false, at_ms)),
            "firing" => Some((true, at_ms)),
            _ => None,
        };
    }

    fn close(&mut self, at_ms: i64) {
        // What was pending for no time never was.
        if let Some((is_firing, from_ms)) = self.open.take()
            && (at_ms > from_ms || is_firing)
        {
            self.spans.push(Span {
                is_firing,
                from_ms,
                to_ms: at_ms,
            });
        }
    }

    fn ended(mut self, now_ms: i64) -> Vec<Span> {
        self.close(now_ms);
        self.spans
    }
}

/// `spans` in order, those that overlap or nearly touch as one.
fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    let gap_ms = i64::try_from(GAP.as_millis()).unwrap_or(i64::MAX);
    spans.sort_by_key(|span| (span.is_firing, span.from_ms, span.to_ms));
    let mut all: Vec<Span> = Vec::new();
    for span in spans {
        match all.last_mut() {
            Some(last)
                if last.is_firing == span.is_firing && span.from_ms <= last.to_ms + gap_ms =>
            {
                last.to_ms = last.to_ms.max(span.to_ms);
            }
            _ => all.push(span),
        }
    }
    all.sort_by_key(|span| (span.from_ms, span.is_firing));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 60 * 60 * 1000;

    fn fed() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
            .unwrap();
        connection.execute_batch(super::super::TABLES).unwrap();
        connection
    }

    fn change(connection: &Connection, (rule, labels): (&str, &str), change: &str, hours: i64) {
        let at = time(hours * HOUR);
        let insert = "INSERT INTO alert_transition
                          (at, at_ms, rule, labels, change, incident, seq, summary)
                      VALUES (?, 0, ?, ?, ?, NULL, 0, '')";
        connection
            .execute(insert, params![at, rule, labels, change])
            .unwrap();
    }

    fn hours(spans: &[Span]) -> Vec<(bool, i64, i64)> {
        let spans = spans.iter();
        spans
            .map(|one| (one.is_firing, one.from_ms / HOUR, one.to_ms / HOUR))
            .collect()
    }

    #[test]
    fn a_day_is_read_back_from_what_changed_in_it() {
        let connection = fed();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100 * 3600);
        // From before the day: it fired, and ended in it.
        change(&connection, ("a", "1"), "firing", 50);
        change(&connection, ("a", "1"), "resolved", 80);
        // Pending, firing, over; another condition overlaps it.
        for (what, at) in [("pending", 85), ("firing", 87), ("resolved", 90)] {
            change(&connection, ("b", "1"), what, at);
        }
        for (what, at) in [("pending", 89), ("firing", 89), ("resolved", 92)] {
            change(&connection, ("b", "2"), what, at);
        }
        // It fires still.
        change(&connection, ("c", "1"), "pending", 99);
        change(&connection, ("c", "1"), "firing", 99);
        // It has fired since long before.
        let body = "{\"state\":\"firing\",\"since_ms\":0,\"incident\":1,\"over_ms\":null,\
                    \"known_ms\":null,\"observed\":OBSERVED}";
        let observed = serde_json::to_string(&super::super::observe::Observed::default()).unwrap();
        connection
            .execute(
                "INSERT INTO alert_series VALUES ('d', '{}', ?)",
                [body.replace("OBSERVED", &observed)],
            )
            .unwrap();
        let all = strips(&connection, now).unwrap();
        assert_eq!(hours(&all["a"]), [(true, 76, 80)]);
        assert_eq!(hours(&all["b"]), [(false, 85, 87), (true, 87, 92)]);
        assert_eq!(hours(&all["c"]), [(true, 99, 100)]);
        assert_eq!(hours(&all["d"]), [(true, 76, 100)]);
    }
}
