//! Statistics: the sums of the command, with the same numbers.

use std::sync::Arc;

use auto_recovery::Result;
use auto_recovery::audit::AuditStore;
use auto_recovery::host::timestamp;
use auto_recovery::statistics::{AggregateQuery, AggregateStatistics, Dimension};
use axum::extract::{RawQuery, State};
use maud::{Markup, html};

use super::frame::{Page, Wrong, framed};
use super::pieces;
use super::sessions::{pairs, typed_into};
use super::took::took;
use crate::api::{make_board, make_board_if_due, read_stats_query, record_said};
use crate::app::App;
use crate::feed::ALL;
use crate::http::{Problem, Query};
use crate::sums::{Shown, Sums};

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
    let raw = raw.unwrap_or_default();
    let query = read(&app, &raw)?;
    let typed = pairs(Some(&raw));
    let asked = asked(&typed);
    let shown = match app.sums.find(&asked, app.host.monotonic()) {
        Some(shown) => shown,
        None => made(&app, &asked).await?,
    };
    let counts = app.run(|app| app.feed().took(ALL)).await?;
    let content = html! {
        (content(&app, &query, &shown, &typed))
        (took("How long attempts took, of all sessions", &counts))
    };
    Ok(framed(&app, "Statistics", "/stats", content))
}

/// The parameters of the same question without those that a form has and nobody filled in.
fn asked(typed: &[(String, String)]) -> String {
    let mut asked = form_urlencoded::Serializer::new(String::new());
    let by_default = ("by", Dimension::Strategy.as_str());
    let says = |(name, value): &&(String, String)| {
        !value.is_empty() && (name.as_str(), value.as_str()) != by_default
    };
    asked.extend_pairs(typed.iter().filter(says));
    asked.finish()
}

/// The sums that the parameters `raw` ask for.
fn read(app: &App, raw: &str) -> Result<AggregateQuery, Problem> {
    let mut query = Query::read(Some(raw))?;
    let mut asked = read_stats_query(&mut query, app.host.now())?;
    query.end()?;
    if asked.by.is_empty() {
        asked.by.push(Dimension::Strategy);
    }
    Ok(asked)
}

/// Makes the sums that `raw` asks for, unless another made them meanwhile.
async fn made(app: &Arc<App>, raw: &str) -> Result<Arc<Shown>, Problem> {
    let _turn = app.sums.making.lock().await;
    if let Some(shown) = app.sums.find(raw, app.host.monotonic()) {
        return Ok(shown);
    }
    let raw = raw.to_owned();
    let query = read(app, &raw)?;
    let sums = app.of_store_and_feed(move |app, store| make(app, store, &raw, &query));
    sums.await
}

/// Makes the sums of `query`, which `raw` asks for, and keeps them if they are of many entries.
fn make(
    app: &App,
    store: &dyn AuditStore,
    raw: &str,
    query: &AggregateQuery,
) -> Result<Arc<Shown>> {
    let (_, place) = app.feed().bounds()?;
    let at = app.host.now();
    let shown = Arc::new(Shown::new(store.aggregate(query)?, at));
    app.sums.keep(raw, &shown, place, app.host.monotonic());
    Ok(shown)
}

/// Makes those sums that most ask for first, and what history says, and then what is kept anew
/// until the server ends: one after the other, with rests.
pub(crate) fn make_anew(app: &App) {
    // Of an address that cannot be read nothing is kept.
    let again = |raw: &str| match read(app, raw) {
        Ok(query) => make(app, app.store(), raw, &query).map(drop),
        Err(_) => Ok(()),
    };
    let host = &app.host;
    drop(again(""));
    drop(make_board(app));
    while !app.following.is_over() {
        let begin = host.monotonic();
        let due = app
            .feed()
            .bounds()
            .map(|(_, place)| app.sums.due(place, begin));
        if let Ok(Some(raw)) = due {
            // Those that are kept stay, with their time, while the store cannot be read.
            drop(again(&raw));
        }
        drop(make_board_if_due(app));
        // What was said while the store was away.
        drop(record_said(app));
        let took = host.monotonic().saturating_sub(begin);
        app.following.rest(Sums::rest(took));
    }
}

fn content(app: &App, query: &AggregateQuery, sums: &Shown, typed: &[(String, String)]) -> Markup {
    let value = |name: &str| typed_into(typed, name);
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
        p { "As of " (pieces::time(&timestamp(sums.at))) "." }
        (table(app, query, sums))
        @if sums.more > 0 {
            p { (sums.more) " more groups: " code { "recover stats --all --by " (by) } " shows them." }
        }
    }
}

fn words(by: Dimension) -> String {
    by.as_str().replace('_', " ")
}

fn table(app: &App, query: &AggregateQuery, sums: &Shown) -> Markup {
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
                    @for group in &sums.groups { (row(app, &group.key, "—", &group.statistics)) }
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

#[cfg(test)]
mod tests {
    use super::{asked, pairs};

    #[test]
    fn a_form_that_nobody_filled_in_asks_what_the_bare_address_asks() {
        for (raw, question) in [
            ("", ""),
            ("by=strategy&project=&host=&since=&until=", ""),
            ("by=hour&project=", "by=hour"),
            (
                "by=strategy%2Chost&project=a%26b+c",
                "by=strategy%2Chost&project=a%26b+c",
            ),
        ] {
            assert_eq!(asked(&pairs(Some(raw))), question);
        }
    }
}
