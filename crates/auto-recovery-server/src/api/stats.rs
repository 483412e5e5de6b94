//! Sums over sessions: byte for byte what the command prints as JSON.

use std::sync::Arc;
use std::time::SystemTime;

use auto_recovery::statistics::{AggregateQuery, AggregateStatistics, Aggregates, Dimension};
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use super::answer::json;
use crate::app::App;
use crate::http::{Problem, Query};

/// The sums that `query` asks for.
///
/// # Errors
/// If a parameter is not as it is to be.
pub(crate) fn read_stats_query(
    query: &mut Query,
    now: SystemTime,
) -> Result<AggregateQuery, Problem> {
    let mut by: Vec<Dimension> = Vec::new();
    for name in query.take("by").iter().flat_map(|names| names.split(',')) {
        let dimension = name.parse()?;
        if by.contains(&dimension) {
            let text = format!("parameter `by` has {name:?} twice");
            return Err(Problem::invalid(text));
        }
        by.push(dimension);
    }
    Ok(AggregateQuery {
        since_us: query.moment("since", now)?,
        until_us: query.moment("until", now)?,
        project: query.take("project"),
        host: query.take("host"),
        by,
    })
}

/// Sums, also by group.
pub(crate) async fn stats(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::read(query.as_deref())?;
    let asked = read_stats_query(&mut query, app.host.now())?;
    let is_whole = query.whole()?;
    query.end()?;
    let document = app
        .of_store(move |store| {
            let sums = store.aggregate(&asked)?;
            match is_whole {
                true => Ok(whole(&sums)),
                false => sums.document(&asked),
            }
        })
        .await?;
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    Ok(json(&headers, text + "\n"))
}

/// All that a store knows of `sums`, not only what the command prints.
fn whole(sums: &Aggregates) -> Value {
    let one = |sums: &AggregateStatistics| {
        let mut value = serde_json::to_value(sums).unwrap_or_default();
        value["most_modified_files"] = json!(sums.most_modified_files);
        value
    };
    let groups = sums.groups.iter().map(|group| {
        json!({
            "key": group.key,
            "statistics": one(&group.statistics),
        })
    });
    json!({
        "total": one(&sums.total),
        "groups": groups.collect::<Vec<_>>(),
    })
}
