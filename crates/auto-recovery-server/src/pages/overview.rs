//! The overview: how recoveries go, and who needs a person.

use std::sync::Arc;

use auto_recovery::Result;
use auto_recovery::audit::{AuditStore, SessionOutcome, SessionSummary};
use auto_recovery::report::chart::{Chart, Share, Tone, shares};
use auto_recovery::statistics::{AggregateQuery, AggregateStatistics};
use axum::extract::{RawQuery, State};
use maud::{Markup, PreEscaped, html};

use super::frame::{Page, Wrong, framed};
use super::pieces;
use crate::api::{Listing, find, summary};
use crate::app::App;
use crate::feed::BEGUN;
use crate::http::Query;

/// Sessions in each list.
const ROWS: usize = 20;

/// Sessions that are looked at for a list: some are no longer as the feed has them.
const CANDIDATES: u32 = 50;

/// What the page shows.
struct Shown {
    sums: AggregateStatistics,
    escalated: Vec<SessionSummary>,
    running: Vec<SessionSummary>,
    newest: Vec<SessionSummary>,
}

/// The overview of a time, 30 days if none is asked for.
pub(crate) async fn overview(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Page, Wrong> {
    let mut query = Query::read(query.as_deref())?;
    let range = query.take("since").unwrap_or_else(|| "30d".to_owned());
    query.end()?;
    let since_us = {
        let text = format!("since={}", pieces::encoded(&range));
        Query::read(Some(&text))?.moment("since", app.host.now())?
    };
    let ids = app.run(|app| {
        let escalated = app.feed().with_outcome("escalated", CANDIDATES)?;
        Ok((escalated, app.feed().with_outcome(BEGUN, CANDIDATES)?))
    });
    let ids = ids.await?;
    let shown = app
        .of_store(move |store| read(store, since_us, &ids))
        .await?;
    Ok(framed(&app, "Overview", "/", content(&shown, &range)))
}

fn read(
    store: &dyn AuditStore,
    since_us: Option<i64>,
    (escalated, begun): &(Vec<String>, Vec<String>),
) -> Result<Shown> {
    let query = AggregateQuery {
        since_us,
        ..AggregateQuery::default()
    };
    let newest = Listing {
        limit: ROWS,
        ..Listing::default()
    };
    Ok(Shown {
        sums: store.aggregate(&query)?.total,
        escalated: those(store, escalated, SessionOutcome::Escalated)?,
        running: those(store, begun, SessionOutcome::Running)?,
        newest: find(store, &newest)?.sessions,
    })
}

/// The first of `ids` whose outcome it is.
fn those(
    store: &dyn AuditStore,
    ids: &[String],
    outcome: SessionOutcome,
) -> Result<Vec<SessionSummary>> {
    let mut found = Vec::new();
    for id in ids {
        let session = summary(store, id)?;
        if session.outcome == outcome {
            found.push(session);
        }
        if found.len() == ROWS {
            break;
        }
    }
    Ok(found)
}

fn content(shown: &Shown, range: &str) -> Markup {
    let sums = &shown.sums;
    html! {
        form class="filters" method="get" {
            label { "Since" input name="since" value=(pieces::typed(range)); }
            button type="submit" { "Show" }
        }
        ul class="numbers" {
            li { b { (sums.sessions) } "recoveries" }
            li {
                b { (format!("{:.1} %", sums.success_rate)) }
                "of attempts cured it (95 %: "
                (format!("{:.0}–{:.0}", sums.success_rate_low, sums.success_rate_high)) ")"
            }
            li { b { (sums.escalated_sessions) } "need a person" }
            li { b { (sums.flaky_attempts) } "passed by plain retry" }
        }
        (ends(sums))
        @if shown.newest.is_empty() {
            p { "Nothing is recorded yet: " code { "recover run -- CMD" } " records a recovery when CMD fails." }
        }
        @if !shown.running.is_empty() {
            section { h2 { "Running now" } (pieces::sessions("Sessions that have not ended", &shown.running)) }
        }
        @if !shown.escalated.is_empty() {
            section { h2 { "Needs a person" } (pieces::sessions("The newest that nothing helped", &shown.escalated)) }
        }
        @if !shown.newest.is_empty() {
            section { h2 { "Newest" } (pieces::sessions("The newest sessions", &shown.newest)) }
        }
    }
}

/// How sessions ended, drawn and as a table.
fn ends(sums: &AggregateStatistics) -> Markup {
    let other = sums
        .sessions
        .saturating_sub(sums.recovered_sessions + sums.escalated_sessions);
    let parts = [
        (sums.recovered_sessions, Tone::Good, "recovered"),
        (sums.escalated_sessions, Tone::Bad, "not recovered"),
        (other, Tone::Plain, "other"),
    ];
    let drawn: Vec<Share> = parts
        .iter()
        .map(|(count, tone, label)| Share {
            count: *count,
            tone: *tone,
            label: (*label).to_owned(),
        })
        .collect();
    let words = format!(
        "Of {} sessions, {} recovered and {} did not.",
        sums.sessions, sums.recovered_sessions, sums.escalated_sessions
    );
    let chart = Chart {
        id: "ends",
        title: "How sessions ended",
        words: &words,
    };
    html! {
        @if sums.sessions > 0 {
            figure class="plot" {
                figcaption { "How sessions ended" }
                (PreEscaped(shares(&chart, &drawn)))
                details {
                    summary { "As a table" }
                    table {
                        caption { "How sessions ended" }
                        tbody {
                            @for (count, _, label) in parts {
                                tr { th scope="row" { (label) } td class="number" { (count) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
