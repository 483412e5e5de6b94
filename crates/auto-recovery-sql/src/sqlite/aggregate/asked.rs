//! What a query asks for, as conditions of SQL.

use auto_recovery::statistics::AggregateQuery;
use rusqlite::ToSql;

use crate::text::to_column;

/// A value of a condition.
pub(super) type Parameter = (&'static str, Box<dyn ToSql>);

/// Further conditions on a session `s` that is asked for.
pub(super) fn of_sessions(query: &AggregateQuery) -> String {
    let mut all = String::new();
    if query.project.is_some() {
        all.push_str(" AND s.project = :project");
    }
    if query.host.is_some() {
        all.push_str(" AND s.host = :host");
    }
    all
}

/// Further conditions on an entry `e` of a session `s` that is asked for.
pub(super) fn of_entries(query: &AggregateQuery) -> String {
    let mut all = of_sessions(query);
    if query.since_us.is_some() {
        all.push_str(" AND e.at_us >= :since");
    }
    if query.until_us.is_some() {
        all.push_str(" AND e.at_us < :until");
    }
    all
}

/// The values of the conditions on sessions.
pub(super) fn parameters_of_sessions(query: &AggregateQuery) -> Vec<Parameter> {
    let mut parameters: Vec<Parameter> = Vec::new();
    for (name, text) in [(":project", &query.project), (":host", &query.host)] {
        let kept = text.as_deref().map(|text| to_column(text).into_owned());
        parameters.extend(kept.map(|kept| (name, Box::new(kept) as Box<dyn ToSql>)));
    }
    parameters
}

/// The values of the conditions on entries.
pub(super) fn parameters(query: &AggregateQuery) -> Vec<Parameter> {
    let mut parameters = parameters_of_sessions(query);
    for (name, moment) in [(":since", query.since_us), (":until", query.until_us)] {
        parameters.extend(moment.map(|moment| (name, Box::new(moment) as Box<dyn ToSql>)));
    }
    parameters
}

/// The same, borrowed.
pub(super) fn borrowed(parameters: &[Parameter]) -> Vec<(&str, &dyn ToSql)> {
    let parameters = parameters.iter();
    parameters.map(|(name, value)| (*name, &**value)).collect()
}
