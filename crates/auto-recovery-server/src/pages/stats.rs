//! Statistics: the sums of the command, with the same numbers.

use std::sync::Arc;

use auto_recovery::statistics::{AggregateQuery, AggregateStatistics, Aggregates, Dimension};
use axum::extract::{RawQuery, State};
use maud::{Markup, html};

use super::frame::{Page, Wrong, framed};
use super::pieces;
use super::sessions::pairs;
use super::took::took;
use crate::api::read_stats_query;
use crate::app::App;
use crate::feed::ALL;
use crate::http::Query;

/// Groups on the page; the API has all of them.
const ROWS: usize = 200;

/// Filters beside the dimensions, each with the words on its label.
const FILTERS: [(&str, &str); 4] = [
    ("project", "Project"),
    ("host", "Host"),
    ("since", "Since"),
    ("until", "Until"),
];

/// The sums that the address asks for, by strategy if it does not say.
pub(crate) async fn stats(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
) -> Result<Page, Wrong> {
    let mut query = Query::read(raw.as_deref())?;
    let mut asked = read_stats_query(&mut query, app.host.now())?;
    query.end()?;
    if asked.by.is_empty() {
        asked.by.push(Dimension::Strategy);
    }
    let of_page = asked.clone();
    let sums = app.of_store(move |store| store.aggregate(&asked)).await?;
    let counts = app.run(|app| app.feed().took(ALL)).await?;
    let typed = pairs(raw.as_deref());
    let content = html! {
        (content(&app, &of_page, &sums, &typed))
        (took("How long attempts took, of all sessions", &counts))
    };
    Ok(framed(&app, "Statistics", "/stats", content))
}

fn content(
    app: &App,
    query: &AggregateQuery,
    sums: &Aggregates,
    typed: &[(String, String)],
) -> Markup {
    let value = |name: &str| {
        let found = typed.iter().find(|(one, _)| one == name);
        found.map_or(String::new(), |(_, value)| pieces::typed(value))
    };
    let by = query
        .by
        .iter()
        .map(|by| by.as_str())
        .collect::<Vec<_>>()
        .join(",");
    html! {
        form class="filters" method="get" {
            label {
                "By"
                select name="by" {
                    @if !Dimension::ALL.iter().any(|one| one.as_str() == by) {
                        option value=(by) selected { (by) }
                    }
                    @for one in Dimension::ALL {
                        option value=(one.as_str()) selected[one.as_str() == by] { (words(one)) }
                    }
                }
            }
            @for (name, label) in FILTERS {
                label { (label) input name=(name) value=(value(name)); }
            }
            button type="submit" { "Show" }
        }
        (table(app, query, sums))
        @if sums.groups.len() > ROWS {
            p { (sums.groups.len() - ROWS) " more groups: " code { "recover stats --all --by " (by) } " shows them." }
        }
    }
}

fn words(by: Dimension) -> String {
    by.as_str().replace('_', " ")
}

fn table(app: &App, query: &AggregateQuery, sums: &Aggregates) -> Markup {
    let everything = query.by.iter().map(|_| None);
    let total: Vec<Option<String>> = everything.collect();
    html! {
        section class="wide" aria-label="Attempts and sessions" tabindex="0" {
            table {
                caption { "Attempts and sessions" }
                thead {
                    tr {
                        @for by in &query.by { th scope="col" { (words(*by)) } }
                        th scope="col" class="number" { "Attempts" }
                        th scope="col" class="number" { "Cured" }
                        th scope="col" class="number" { "95 %" }
                        th scope="col" class="number" { "Sessions" }
                        th scope="col" class="number" { "Recovered" }
                        th scope="col" class="number" { "Half within" }
                        th scope="col" class="number" { "95 % within" }
                    }
                }
                tbody {
                    @for group in sums.groups.iter().take(ROWS) { (row(app, &group.key, "—", &group.statistics)) }
                }
                tfoot { (row(app, &total, "all", &sums.total)) }
            }
        }
    }
}

fn row(app: &App, key: &[Option<String>], unknown: &str, of: &AggregateStatistics) -> Markup {
    let within = |seconds: Option<f64>| {
        seconds
            .map(|seconds| format!("{seconds} s"))
            .unwrap_or_default()
    };
    html! {
        tr {
            @for value in key {
                th scope="row" { (value.as_deref().map_or_else(|| unknown.to_owned(), |value| pieces::name(&app.masked(value)))) }
            }
            td class="number" { (of.total_attempts) }
            td class="number" { (of.success_rate) " %" }
            td class="number" { (of.success_rate_low) "–" (of.success_rate_high) }
            td class="number" { (of.sessions) }
            td class="number" { (of.recovered_sessions) }
            td class="number" { (within(of.duration_p50_seconds)) }
            td class="number" { (within(of.duration_p95_seconds)) }
        }
    }
}
