//! Entries grouped as they are read: one session's part, and the sums of many.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use super::time::{hour_of, instant};
use super::{
    Accumulator, Aggregate, AggregateGroup, AggregateQuery, Aggregates, Dimension, EntryFigures,
    EntrySink, SessionEnd, Tally,
};

/// The properties that all entries of a session share.
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionTraits<'a> {
    /// The category of the failure that it recovered from.
    pub category: Option<&'a str>,
    /// The place where that failure was seen.
    pub source: Option<&'a str>,
    /// Its project.
    pub project: Option<&'a str>,
    /// Its machine.
    pub host: Option<&'a str>,
    /// The recipes that its attempts came from, by their numbers; `None` if the query does not need
    /// them.
    pub recipes: Option<&'a BTreeMap<u64, String>>,
}

/// The entries of one session that are asked for, by group. Those of parts merge in order into
/// those of the whole.
#[derive(Debug, Default)]
pub struct SessionGroups {
    /// Every entry.
    all: Tally,
    /// The entries asked for.
    selected: Tally,
    groups: HashMap<Key, Accumulator>,
    /// The group of the last of them.
    last: Key,
    /// The hour of the last of them: the next is often of the same.
    hour: Hour,
}

/// An hour, and how it is written.
#[derive(Debug, Default)]
struct Hour {
    number: Option<i64>,
    text: String,
}

impl Hour {
    /// The hour of a moment, as text.
    fn of(&mut self, moment_us: i64) -> &str {
        const HOUR_US: i64 = 3_600_000_000;
        let number = moment_us.div_euclid(HOUR_US);
        if self.number != Some(number) {
            self.number = Some(number);
            self.text = hour_of(moment_us);
        }
        &self.text
    }
}

impl SessionGroups {
    /// The sink that adds a session's entries to the groups `query` asks for.
    pub fn observer<'g>(
        &'g mut self,
        query: &'g AggregateQuery,
        session: &'g SessionTraits<'g>,
    ) -> GroupSink<'g> {
        GroupSink {
            groups: self,
            query,
            session,
        }
    }

    /// Adds the entries that come after all of these.
    pub fn merge(&mut self, later: Self) {
        self.all.merge(later.all);
        if later.selected.total > 0 {
            self.last = later.last;
        }
        self.selected.merge(later.selected);
        for (key, sums) in later.groups {
            self.groups.entry(key).or_default().merge(sums);
        }
    }

    /// The sums of every entry, also of those that are not asked for.
    pub fn all(&self) -> &Tally {
        &self.all
    }
}

/// Adds the entries of one session to their groups.
#[derive(Debug)]
pub struct GroupSink<'g> {
    groups: &'g mut SessionGroups,
    query: &'g AggregateQuery,
    session: &'g SessionTraits<'g>,
}

impl EntrySink for GroupSink<'_> {
    fn observe<'f>(
        &mut self,
        entry: EntryFigures<'_>,
        files: impl IntoIterator<Item = Cow<'f, str>>,
    ) {
        let (of, query) = (&mut *self.groups, self.query);
        of.all.add(entry.timestamp, entry.success);
        let needs_moment = query.has_window() || query.by.iter().any(|by| by.is_time());
        let moment = match needs_moment {
            true => instant(entry.timestamp),
            false => None,
        };
        if !query.includes(moment) {
            return;
        }
        of.selected.add(entry.timestamp, entry.success);
        of.last.clear();
        for by in &query.by {
            match by {
                Dimension::Strategy => push(&mut of.last, Some(entry.strategy)),
                Dimension::ErrorType => push(&mut of.last, Some(entry.error_type)),
                Dimension::Recipe => {
                    let recipes = self.session.recipes;
                    let recipe = recipes.and_then(|all| all.get(&entry.attempt_number));
                    push(&mut of.last, recipe.map(String::as_str));
                }
                Dimension::Day | Dimension::Hour => {
                    push_time(&mut of.last, *by, moment.map(|moment| of.hour.of(moment)));
                }
                of_session => push_trait(&mut of.last, *of_session, self.session),
            }
        }
        match of.groups.get_mut(&of.last) {
            Some(sums) => sums.observe(entry, files),
            None => {
                let sums = of.groups.entry(of.last.clone()).or_default();
                sums.observe(entry, files);
            }
        }
    }
}

/// The sums of many sessions, by group. Those of parts merge in any order.
#[derive(Debug, Default)]
pub struct Grouping {
    total: Aggregate,
    groups: HashMap<Key, Aggregate>,
}

impl Grouping {
    /// Adds a session: its outcome, its start, its number of flaky recoveries.
    pub fn add_session(
        &mut self,
        query: &AggregateQuery,
        traits: &SessionTraits<'_>,
        session: SessionGroups,
        start: Option<&str>,
        (end, flaky): (SessionEnd, u64),
    ) {
        if session.all.total == 0 {
            return self.add_bare(query, traits, start, (end, flaky));
        }
        if session.selected.total == 0 {
            return;
        }
        self.total.add_end(&session.selected, end, flaky);
        for (key, sums) in session.groups {
            if !query.by.is_empty() {
                let (end, flaky) = match key == session.last {
                    true => (end, flaky),
                    false => (SessionEnd::Other, 0),
                };
                let group = self.groups.entry(key).or_default();
                group.add_session(sums.clone(), end, flaky);
            }
            self.total.add_entries(sums);
        }
    }

    /// Adds a session in which nothing was tried.
    fn add_bare(
        &mut self,
        query: &AggregateQuery,
        traits: &SessionTraits<'_>,
        start: Option<&str>,
        (end, flaky): (SessionEnd, u64),
    ) {
        let moment = start.and_then(instant);
        if !query.includes(moment) {
            return;
        }
        let nothing = Tally::default();
        self.total.add_end(&nothing, end, flaky);
        if !query.by.is_empty() {
            let mut key = Key::new();
            let hour = moment.map(hour_of);
            for by in &query.by {
                match by.is_time() {
                    true => push_time(&mut key, *by, hour.as_deref()),
                    false => push_trait(&mut key, *by, traits),
                }
            }
            let group = self.groups.entry(key).or_default();
            group.add_end(&nothing, end, flaky);
        }
    }

    /// Adds the sums of other sessions.
    pub fn merge(&mut self, others: Self) {
        self.total.merge(others.total);
        for (key, sums) in others.groups {
            self.groups.entry(key).or_default().merge(sums);
        }
    }

    /// The sums as an answer.
    pub fn aggregates(&self) -> Aggregates {
        let groups = self.groups.iter();
        let groups = groups.map(|(key, sums)| AggregateGroup {
            key: values(key),
            statistics: sums.statistics(),
        });
        Aggregates::new(self.total.statistics(), groups.collect())
    }
}

/// The values of a group, one after the other: how long each is, then its bytes. Unlike a list of
/// strings it is looked up without being made first.
type Key = Vec<u8>;

/// The length of a value that there is not.
const NONE: u64 = u64::MAX;

fn push(key: &mut Key, value: Option<&str>) {
    let length = value.map_or(NONE, |value| value.len() as u64);
    key.extend_from_slice(&length.to_le_bytes());
    key.extend_from_slice(value.unwrap_or_default().as_bytes());
}

/// Adds what a session says. One in which nothing was tried has no strategy and no recipe.
fn push_trait(key: &mut Key, by: Dimension, session: &SessionTraits<'_>) {
    match by {
        Dimension::Category => push(key, session.category),
        Dimension::Source => push(key, session.source),
        Dimension::Project => push(key, session.project),
        Dimension::Host => push(key, session.host),
        Dimension::Strategy
        | Dimension::ErrorType
        | Dimension::Recipe
        | Dimension::Day
        | Dimension::Hour => {
            push(key, None);
        }
    }
}

/// Adds the hour, or its day.
fn push_time(key: &mut Key, by: Dimension, hour: Option<&str>) {
    const DAY_BYTES: usize = "2026-01-31".len();
    push(
        key,
        hour.map(|hour| match by {
            Dimension::Day => &hour[..DAY_BYTES],
            _ => hour,
        }),
    );
}

fn values(key: &[u8]) -> Vec<Option<String>> {
    let mut values = Vec::new();
    let mut rest = key;
    while let Some((length, after)) = rest.split_first_chunk() {
        let length = u64::from_le_bytes(*length);
        let (value, after) = match length {
            NONE => (None, after),
            _ => {
                let (value, after) = after.split_at(length as usize);
                let text = String::from_utf8_lossy(value);
                (Some(text.into_owned()), after)
            }
        };
        values.push(value);
        rest = after;
    }
    values
}
