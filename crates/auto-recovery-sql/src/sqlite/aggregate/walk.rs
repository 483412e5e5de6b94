//! One walk through sessions and entries, both in the order of their ids.

use std::collections::HashMap;

use auto_recovery::statistics::{
    AggregateGroup, AggregateQuery, Aggregates, Dimension, SessionEnd, hour_of,
};
use rusqlite::{Connection, Row, Rows};

use super::asked;
use super::group::{Counted, Group, Moment, When, when};
use super::names::Names;
use crate::sqlite::column::{kept_list, number, text, unsigned};
use crate::sqlite::session::PLACE_BITS;
use crate::text::from_column;

/// Microseconds in an hour.
const HOUR_US: i64 = 3_600_000_000;

/// Microseconds in a day.
const DAY_US: i64 = 24 * HOUR_US;

/// What is needed of a session `s`.
const SESSIONS: &str = "SELECT s.id, s.outcome, s.took_ms, s.flaky, s.start_us, \
     s.first_at IS NOT NULL, s.category, s.source, s.project, s.host \
     FROM session s NOT INDEXED WHERE 1";

/// What is needed of an entry `e`. What only those need that are asked for comes last.
const ENTRIES: &str = "SELECT e.id, e.at_us, e.success, e.strategy, e.error_type, \
     e.duration_bucket, e.duration_ms, e.rollback_performed, e.files_modified, e.timestamp FROM";

/// The entries of some sessions, which come first so that trails are read one after the other.
const OF_SESSIONS: &str = "session s NOT INDEXED CROSS JOIN entry e \
     ON e.id BETWEEN s.id << 32 AND (s.id << 32) + 4294967295 WHERE 1";

/// The value of each dimension, in order: the number of a text or the beginning of a time.
type Key = Vec<Option<i64>>;

/// The sums so far.
struct Walk<'q> {
    query: &'q AggregateQuery,
    /// Those of groups, strategies and error types.
    names: Names,
    files: Names,
    total: Group,
    groups: Vec<(Key, Group)>,
    by_key: HashMap<Key, usize>,
    /// The key of the entry that is added, and the group of the one before: often the same.
    key: Key,
    last: usize,
}

/// A session, as far as its entries were read.
struct Session {
    id: i64,
    outcome: Option<String>,
    took_ms: Option<i64>,
    flaky: u64,
    start_us: Option<i64>,
    is_journaled: bool,
    /// Its category, source, project and host, by their numbers.
    traits: [Option<i64>; 4],
    /// Whether its last entry was a success, and when it was.
    last: Option<(bool, Option<i64>)>,
    parts: Vec<Part>,
}

/// The entries of a session that are in one group.
struct Part {
    group: usize,
    first: Moment,
    last: Moment,
    /// The place of the last.
    last_id: i64,
    /// And of the first.
    first_id: i64,
}

/// The sums that `query` asks for.
pub(super) fn walk(database: &Connection, query: &AggregateQuery) -> rusqlite::Result<Aggregates> {
    let conditions = asked::of_sessions(query);
    let sessions = format!("{SESSIONS}{conditions} ORDER BY s.id");
    let entries = match conditions.is_empty() {
        true => format!("{ENTRIES} entry e ORDER BY e.id"),
        false => format!("{ENTRIES} {OF_SESSIONS}{conditions}"),
    };
    let parameters = asked::parameters_of_sessions(query);
    let parameters = asked::borrowed(&parameters);
    let mut sessions = database.prepare_cached(&sessions)?;
    let mut sessions = sessions.query(&*parameters)?;
    let mut entries = database.prepare_cached(&entries)?;
    let mut entries = entries.query(&*parameters)?;
    let mut walk = Walk::new(query);
    let mut session = walk.next(&mut sessions)?;
    while let Some(row) = entries.next()? {
        let id: i64 = row.get(0)?;
        let of = id >> PLACE_BITS;
        while let Some(before) = session.take_if(|session| session.id < of) {
            walk.end(before);
            session = walk.next(&mut sessions)?;
        }
        // What is left of a session that was removed is nobody's.
        if let Some(session) = session.as_mut().filter(|session| session.id == of) {
            walk.add(session, id, row)?;
        }
    }
    while let Some(before) = session.take() {
        walk.end(before);
        session = walk.next(&mut sessions)?;
    }
    Ok(walk.finish())
}

/// The ending of a session, given what its journal says of its outcome, and how its last entry went
/// and when: by its outcome, or else by that entry.
pub(super) fn end(
    (outcome, took_ms): (Option<&str>, Option<i64>),
    start_us: Option<i64>,
    last: Option<(bool, Option<i64>)>,
) -> SessionEnd {
    /// Microseconds in a millisecond.
    const MICROS: i64 = 1000;
    match (outcome, last) {
        (Some("recovered"), _) => SessionEnd::Recovered(took_ms.map(unsigned)),
        (Some("escalated"), _) => SessionEnd::Escalated,
        (None, Some((true, last_us))) => {
            let took = last_us.zip(start_us);
            let took = took.and_then(|(last, start)| u64::try_from((last - start) / MICROS).ok());
            SessionEnd::Recovered(took)
        }
        _ => SessionEnd::Other,
    }
}

impl<'q> Walk<'q> {
    fn new(query: &'q AggregateQuery) -> Self {
        Self {
            query,
            names: Names::default(),
            files: Names::default(),
            total: Group::default(),
            groups: Vec::new(),
            by_key: HashMap::new(),
            key: Key::new(),
            last: 0,
        }
    }

    /// The next session of `rows`.
    fn next(&mut self, rows: &mut Rows<'_>) -> rusqlite::Result<Option<Session>> {
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let mut traits = [None; 4];
        for (index, of_session) in OF_SESSION.iter().enumerate() {
            if self.query.by.contains(of_session) {
                let text = row.get::<_, Option<String>>(6 + index)?.map(from_column);
                traits[index] = text.map(|text| i64::from(self.names.number(&text)));
            }
        }
        Ok(Some(Session {
            id: row.get(0)?,
            outcome: row.get(1)?,
            took_ms: row.get(2)?,
            flaky: number(row, 3)?,
            start_us: row.get(4)?,
            is_journaled: row.get(5)?,
            traits,
            last: None,
            parts: Vec::new(),
        }))
    }

    /// Adds the entry `id` of `session`, which `row` is, if it is asked for.
    fn add(&mut self, session: &mut Session, id: i64, row: &Row<'_>) -> rusqlite::Result<()> {
        let at: Option<i64> = row.get(1)?;
        let success: bool = row.get(2)?;
        session.last = Some((success, at));
        if !self.query.includes(at) {
            return Ok(());
        }
        let strategy = self.names.number(&text(row, 3)?);
        let error_type = self.names.number(&text(row, 4)?);
        let of_entry = [Some(i64::from(strategy)), Some(i64::from(error_type))];
        let group = self.group(of_entry, at, session.traits);
        let counted = Counted {
            entries: 1,
            successes: u64::from(success),
            rollbacks: u64::from(row.get::<_, bool>(7)?),
            duration_ms: i128::from(row.get::<_, i64>(6)?),
        };
        let (_, sums) = &mut self.groups[group];
        sums.add_entries((strategy, error_type, row.get(5)?), counted);
        if row.get_ref(8)?.as_str()? != "[]" {
            // A list that cannot be read is told of beside the sums.
            for name in kept_list(row, 8).unwrap_or_default() {
                sums.add_file(self.files.number(&from_column(name)), 1);
            }
        }
        session.add(group, id, (at, &text(row, 9)?));
        Ok(())
    }

    /// The group of an entry or, if it has no strategy and error type, of a session without any.
    fn group(
        &mut self,
        [strategy, error_type]: [Option<i64>; 2],
        at: Option<i64>,
        [category, source, project, host]: [Option<i64>; 4],
    ) -> usize {
        self.key.clear();
        let begin = |unit: i64| at.map(|at| at - at.rem_euclid(unit));
        self.key.extend(self.query.by.iter().map(|by| match by {
            Dimension::Strategy => strategy,
            Dimension::ErrorType => error_type,
            Dimension::Recipe => None,
            Dimension::Category => category,
            Dimension::Source => source,
            Dimension::Project => project,
            Dimension::Host => host,
            Dimension::Day => begin(DAY_US),
            Dimension::Hour => begin(HOUR_US),
        }));
        let last = self.groups.get(self.last);
        if last.is_none_or(|(key, _)| *key != self.key) {
            self.last = match self.by_key.get(&self.key) {
                Some(group) => *group,
                None => {
                    self.groups.push((self.key.clone(), Group::default()));
                    let group = self.groups.len() - 1;
                    self.by_key.insert(self.key.clone(), group);
                    group
                }
            };
        }
        self.last
    }

    /// Adds `session`, whose entries were added. Its ending counts in the group of the last of
    /// those that are asked for.
    fn end(&mut self, session: Session) {
        let outcome = (session.outcome.as_deref(), session.took_ms);
        let end = end(outcome, session.start_us, session.last);
        let flaky = session.flaky;
        if session.last.is_none() {
            if session.is_journaled && self.query.includes(session.start_us) {
                let group = self.group([None; 2], session.start_us, session.traits);
                self.total.add_session(end, flaky);
                self.groups[group].1.add_session(end, flaky);
            }
            return;
        }
        let first = session.parts.iter().min_by_key(|part| part.first_id);
        let last = session.parts.iter().max_by_key(|part| part.last_id);
        let (Some(first), Some(last)) = (first, last) else {
            return;
        };
        self.total.add_session(end, flaky);
        self.total.stretch(when(&first.first), when(&last.last));
        for part in &session.parts {
            let (end, flaky) = match part.last_id == last.last_id {
                true => (end, flaky),
                false => (SessionEnd::Other, 0),
            };
            let (_, group) = &mut self.groups[part.group];
            group.add_session(end, flaky);
            group.stretch(when(&part.first), when(&part.last));
        }
    }

    fn finish(mut self) -> Aggregates {
        for (_, group) in &self.groups {
            self.total.add_entries_of(group);
        }
        let of_total = self.total.files(&self.files);
        let total = self.total.finish(&self.names, of_total);
        if self.query.by.is_empty() {
            return Aggregates::new(total, Vec::new());
        }
        let by = &self.query.by;
        let groups = self.groups.into_iter().map(|(key, group)| {
            let values = by.iter().zip(key);
            let key = values.map(|(by, value)| value_of(&self.names, *by, value?));
            let files = group.files(&self.files);
            AggregateGroup {
                key: key.collect(),
                statistics: group.finish(&self.names, files),
            }
        });
        Aggregates::new(total, groups.collect())
    }
}

/// The dimensions that a session says itself, in the order of their columns.
const OF_SESSION: [Dimension; 4] = [
    Dimension::Category,
    Dimension::Source,
    Dimension::Project,
    Dimension::Host,
];

/// The text of a value in a key.
fn value_of(names: &Names, by: Dimension, value: i64) -> Option<String> {
    /// Length of the day within an hour's text.
    const DAY_BYTES: usize = "2026-01-31".len();
    Some(match by {
        Dimension::Hour => hour_of(value),
        Dimension::Day => {
            let mut day = hour_of(value);
            day.truncate(DAY_BYTES);
            day
        }
        _ => names.text(u32::try_from(value).ok()?),
    })
}

impl Session {
    /// Adds the time of its entry `id`, which is in `group`.
    fn add(&mut self, group: usize, id: i64, (at, timestamp): When<'_>) {
        // Most are of the group of the one before.
        let part = self.parts.iter_mut().rev().find(|part| part.group == group);
        let moment = || (at, timestamp.to_owned());
        match part {
            Some(part) => {
                part.last_id = id;
                part.last.0 = at;
                part.last.1.clear();
                part.last.1.push_str(timestamp);
            }
            None => self.parts.push(Part {
                group,
                first: moment(),
                last: moment(),
                last_id: id,
                first_id: id,
            }),
        }
    }
}
