//! From a query to its answer.

use std::collections::HashMap;

use auto_recovery::audit::Damage;
use auto_recovery::error::Result;
use auto_recovery::statistics::{
    AggregateGroup, AggregateQuery, Aggregates, Dimension, SessionEnd,
};
use rusqlite::{Connection, Row, ToSql};

use super::answer::{Answer, Key, SessionPart, end, key, when};
use super::question::{Parameter, Question};
use crate::sqlite::column::text;
use crate::sqlite::connection::Database;
use crate::sqlite::failure::At;
use crate::sqlite::unsound;

/// The sums so far.
#[derive(Default)]
struct Sums {
    total: Answer,
    groups: HashMap<Key, Answer>,
}

/// The statistics that `query` asks for, and the damage in its entries, whose numbers can still be
/// read.
pub(in crate::sqlite) fn aggregate(
    database: &Database,
    query: &AggregateQuery,
) -> Result<(Aggregates, Vec<Damage>)> {
    let (sums, damage) = match database.reader()? {
        Some(reader) => {
            let sums = Sums::read(reader.database(), query);
            let sums = sums.at("sum up", &database.path)?;
            let question = Question::new(query, &[]);
            let parameters = question.parameters();
            let parameters = borrowed(&parameters);
            let also = question.also();
            let damage = unsound::damage(database, reader.database(), &also, &parameters)?;
            (sums, damage)
        }
        None => Default::default(),
    };
    let groups = sums.groups.into_iter().map(|(key, answer)| AggregateGroup {
        key,
        statistics: answer.finish().statistics(),
    });
    let total = sums.total.finish().statistics();
    Ok((Aggregates::new(total, groups.collect()), damage))
}

impl Sums {
    fn read(database: &Connection, query: &AggregateQuery) -> rusqlite::Result<Self> {
        let mut sums = Self::default();
        let by = query.by.as_slice();
        let question = Question::new(query, by);
        let tells_apart = !by.is_empty();
        each(database, &question, &question.entries(), |row| {
            sums.total.add_entries(row, by.len())?;
            match tells_apart {
                true => sums.group(key(row, 0, by)?).add_entries(row, by.len()),
                false => Ok(()),
            }
        })?;
        sums.read_sessions(database, &question, by)?;
        each(database, &question, &question.bare_sessions(), |row| {
            let (end, flaky) = end(row, 0)?;
            sums.total.add_session(end, flaky);
            if tells_apart {
                sums.group(key(row, 3, by)?).add_session(end, flaky);
            }
            Ok(())
        })?;
        let together = Question::new(query, &[]);
        each(database, &together, &together.files(), |row| {
            sums.total.add_file(row, 0)
        })?;
        if tells_apart {
            each(database, &question, &question.files(), |row| {
                sums.group(key(row, 0, by)?).add_file(row, by.len())
            })?;
        }
        Ok(sums)
    }

    fn read_sessions(
        &mut self,
        database: &Connection,
        question: &Question<'_>,
        by: &[Dimension],
    ) -> rusqlite::Result<()> {
        if question.is_ready() {
            // Sessions are read row by row: there may be as many as entries.
            return each(database, question, &question.sessions(), |row| {
                let (end, flaky) = end(row, 0)?;
                self.total.add_session(end, flaky);
                let (first, last) = (text(row, 4)?, text(row, 6)?);
                self.total
                    .stretch((row.get(3)?, &first), (row.get(5)?, &last));
                Ok(())
            });
        }
        let tells_apart = !by.is_empty();
        let mut parts: Vec<SessionPart> = Vec::new();
        each(database, question, &question.sessions(), |row| {
            let part = SessionPart::of(row, by)?;
            if parts.first().is_some_and(|one| one.session != part.session) {
                self.add_session(&mut parts, tells_apart);
            }
            parts.push(part);
            Ok(())
        })?;
        self.add_session(&mut parts, tells_apart);
        Ok(())
    }

    fn group(&mut self, key: Key) -> &mut Answer {
        self.groups.entry(key).or_default()
    }

    /// Adds the session with these parts, and empties them. Its ending counts in the group of its
    /// last entry.
    fn add_session(&mut self, parts: &mut Vec<SessionPart>, tells_apart: bool) {
        let first = parts.iter().min_by_key(|part| part.entries.0);
        let last = parts.iter().max_by_key(|part| part.entries.1);
        let (Some(first), Some(last)) = (first, last) else {
            return;
        };
        self.total.add_session(last.end, last.flaky);
        self.total.stretch(when(&first.first), when(&last.last));
        let last_entry = last.entries.1;
        for part in parts.drain(..).filter(|_| tells_apart) {
            let (end, flaky) = match part.entries.1 == last_entry {
                true => (part.end, part.flaky),
                false => (SessionEnd::Other, 0),
            };
            let group = self.group(part.key);
            group.add_session(end, flaky);
            group.stretch(when(&part.first), when(&part.last));
        }
    }
}

fn borrowed(parameters: &[Parameter]) -> Vec<(&str, &dyn ToSql)> {
    let parameters = parameters.iter();
    parameters.map(|(name, value)| (*name, &**value)).collect()
}

/// Calls `take` for each row that `sql` answers the question with.
fn each(
    database: &Connection,
    question: &Question<'_>,
    sql: &str,
    mut take: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let parameters = question.parameters();
    let parameters = borrowed(&parameters);
    let mut select = database.prepare_cached(sql)?;
    let mut rows = select.query(parameters.as_slice())?;
    while let Some(row) = rows.next()? {
        take(row)?;
    }
    Ok(())
}
