//! The overview: how recoveries go, and who needs a person.

use std::sync::Arc;

use auto_recovery::Result;
use auto_recovery::audit::{AuditStore, SessionOutcome, SessionSummary};
use auto_recovery::report::chart::{Chart, Share, Tone, shares};
use auto_recovery::statistics::{AggregateQuery, AggregateStatistics};
use axum::extract::{RawQuery, State};
use maud::{Markup, PreEscaped, html};

use super::frame::{Page, Wrong, framed};
use super::view::view;
use super::{failures, pieces};
use crate::api::{Listing, find, summary};
use crate::app::App;
use crate::feed::{ALL, BEGUN, FailureKind, KindQuery, Slot, Sort};
use crate::http::Query;

/// Sessions in each list.
const ROWS: usize = 20;

/// Sessions that are looked at for a list: some are no longer as the feed has them.
const CANDIDATES: u32 = 50;

/// Kinds of failure that cost most, and days of the chart.
const COSTLY: u32 = 10;
const DAYS: usize = 30;

/// What the page shows.
struct Shown {
    sums: AggregateStatistics,
    /// The same of the time before, as long.
    before: Option<AggregateStatistics>,
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
    let (view, now_us) = (view(), app.now_us());
    let of_feed = app.run(move |app| {
        let feed = app.feed();
        let escalated = feed.with_outcome("escalated", CANDIDATES)?;
        let ids = (escalated, feed.with_outcome(BEGUN, CANDIDATES)?);
        let (mut days, from) = view.days(now_us, DAYS);
        view.add(&mut days, &feed.slots(ALL, from)?);
        let days = days.into_iter().map(|(day, sums)| (day.to_string(), sums));
        let costly = feed.kinds(&KindQuery {
            sort: Sort::Time,
            limit: COSTLY,
            ..KindQuery::default()
        })?;
        Ok((ids, days.collect::<Vec<_>>(), costly))
    });
    let (ids, days, costly) = of_feed.await?;
    let shown = app
        .of_store(move |store| read(store, (since_us, now_us), &ids))
        .await?;
    let content = html! {
        (content(&app, &shown, (&range, &days)))
        (costly_kinds(&app, &costly))
        @if !shown.newest.is_empty() {
            section { h2 { "Newest" } (pieces::sessions(&app, "The newest sessions", &shown.newest)) }
        }
    };
    Ok(framed(&app, "Overview", "/", content))
}

fn read(
    store: &dyn AuditStore,
    (since_us, now_us): (Option<i64>, i64),
    (escalated, begun): &(Vec<String>, Vec<String>),
) -> Result<Shown> {
    let query = AggregateQuery {
        since_us,
        ..AggregateQuery::default()
    };
    let before = since_us.map(|since| AggregateQuery {
        since_us: Some(since - (now_us - since)),
        until_us: Some(since),
        ..AggregateQuery::default()
    });
    let before = before.map(|query| store.aggregate(&query)).transpose()?;
    let newest = Listing {
        limit: ROWS,
        ..Listing::default()
    };
    Ok(Shown {
        sums: store.aggregate(&query)?.total,
        before: before.map(|sums| sums.total),
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

fn content(app: &App, shown: &Shown, (range, days): (&str, &[(String, Slot)])) -> Markup {
    let sums = &shown.sums;
    let was = |number: fn(&AggregateStatistics) -> String| {
        let before = shown.before.as_ref().filter(|before| before.sessions > 0);
        html! { @if let Some(before) = before { br; small { "before: " (number(before)) } } }
    };
    html! {
        form class="filters" method="get" {
            label { "Since" input name="since" value=(pieces::typed(range)); }
            button type="submit" { "Show" }
        }
        ul class="numbers" {
            li { b { (sums.sessions) } "recoveries" (was(|sums| sums.sessions.to_string())) }
            li {
                b { (format!("{:.1} %", sums.success_rate)) }
                "of attempts cured it (95 %: "
                (format!("{:.0}–{:.0}", sums.success_rate_low, sums.success_rate_high)) ")"
                (was(|sums| format!("{:.1} %", sums.success_rate)))
            }
            li { b { (sums.escalated_sessions) } "need a person" (was(|sums| sums.escalated_sessions.to_string())) }
            li { b { (sums.flaky_attempts) } "passed by plain retry" (was(|sums| sums.flaky_attempts.to_string())) }
        }
        (ends(sums))
        (failures::by_day("Sessions by day", days))
        @if shown.newest.is_empty() {
            p { "Nothing is recorded yet: " code { "recover run -- CMD" } " records a recovery when CMD fails." }
        }
        @if !shown.running.is_empty() {
            section { h2 { "Running now" } (pieces::sessions(app, "Sessions that have not ended", &shown.running)) }
        }
        @if !shown.escalated.is_empty() {
            section { h2 { "Needs a person" } (pieces::sessions(app, "The newest that nothing helped", &shown.escalated)) }
        }
    }
}

/// Kinds of failure that cost most time in attempts.
fn costly_kinds(app: &App, kinds: &[(f64, FailureKind)]) -> Markup {
    html! {
        @if !kinds.is_empty() {
            section {
                h2 { "Failures that cost most time" }
                section class="wide" aria-label="Failures that cost most time" tabindex="0" {
                    table {
                        caption { "Since the server's feed began to count" }
                        thead {
                            tr {
                                th scope="col" { "Failure" }
                                th scope="col" class="number" { "Time" }
                                th scope="col" class="number" { "Sessions" }
                                th scope="col" class="number" { "Recovered" }
                                th scope="col" { "Last seen" }
                            }
                        }
                        tbody {
                            @for (_, kind) in kinds {
                                tr {
                                    th scope="row" class="failure" {
                                        a href=(failures::path(&kind.kind)) { (failures::name(app, kind)) }
                                    }
                                    td class="number" { (kind.total_duration_seconds) " s" }
                                    td class="number" { (kind.sessions) }
                                    td class="number" { (kind.recovered_sessions) }
                                    td { @if let Some(last) = &kind.last_timestamp { (pieces::time(last)) } }
                                }
                            }
                        }
                    }
                }
            }
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
