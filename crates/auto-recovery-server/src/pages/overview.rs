//! The overview: how recoveries go, and who needs a person.

use std::sync::Arc;

use auto_recovery::Result;
use auto_recovery::audit::{AuditStore, SessionOutcome, SessionSummary};
use auto_recovery::report::chart::{Chart, Share, Tone, shares};
use auto_recovery::statistics::wilson;
use axum::extract::{RawQuery, State};
use maud::{Markup, PreEscaped, html};

use super::frame::{Page, Wrong, framed};
use super::view::view;
use super::{failures, pieces};
use crate::api::{Listing, find, summary};
use crate::app::App;
use crate::feed::{ALL, BEGUN, FailureKind, KindQuery, SLOT_US, Slot, Sort};
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
        let escalated = feed.needing_a_person(CANDIDATES)?;
        let ids = (escalated, feed.with_outcome(BEGUN, CANDIDATES)?);
        let (mut days, from) = view.days(now_us, DAYS);
        let since = since_us.unwrap_or(i64::MIN).div_euclid(SLOT_US);
        // The time before is as long.
        let before = since.saturating_sub(now_us.div_euclid(SLOT_US).saturating_sub(since));
        view.add(&mut days, &feed.slots(ALL, from)?);
        let sums = [since..i64::MAX, before..since].map(|slots| feed.sum(ALL, slots));
        let [sums, sums_before] = sums;
        let sums = [sums?, sums_before?];
        let days = days.into_iter().map(|(day, sums)| (day.to_string(), sums));
        let costly = feed.kinds(&KindQuery {
            sort: Sort::Time,
            limit: COSTLY,
            ..KindQuery::default()
        })?;
        Ok((ids, sums, days.collect::<Vec<_>>(), costly))
    });
    let (ids, sums, days, costly) = of_feed.await?;
    let shown = app.of_store(move |store| read(store, &ids)).await?;
    let content = html! {
        (content(&app, &shown, (&range, &sums, &days)))
        (costly_kinds(&app, &costly))
        @if !shown.newest.is_empty() {
            section { h2 { "Newest" } (pieces::sessions(&app, "The newest sessions", &shown.newest)) }
        }
    };
    Ok(framed(&app, "Overview", "/", content))
}

fn read(store: &dyn AuditStore, (escalated, begun): &(Vec<String>, Vec<String>)) -> Result<Shown> {
    let newest = Listing {
        limit: ROWS,
        ..Listing::default()
    };
    Ok(Shown {
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

/// What was typed, the sums since then and of as long a time before, and those of each day.
type Sums<'a> = (&'a str, &'a [Slot; 2], &'a [(String, Slot)]);

fn content(app: &App, shown: &Shown, (range, [sums, before], days): Sums<'_>) -> Markup {
    let (low, high) = wilson(sums.cured, sums.attempts);
    let was = |number: String| {
        html! { @if before.sessions > 0 { br; small { "before: " (number) } } }
    };
    html! {
        form class="filters" method="get" {
            label { "Since" input name="since" value=(pieces::typed(range)); }
            button type="submit" { "Show" }
        }
        ul class="numbers" {
            li { b { (sums.sessions) } "recoveries" (was(before.sessions.to_string())) }
            li {
                b { (rate(sums)) }
                "of attempts cured it (95 %: " (format!("{low:.0}–{high:.0}")) ")"
                (was(rate(before)))
            }
            li { b { (sums.escalated) } "not recovered" (was(before.escalated.to_string())) }
            li { b { (sums.flaky) } "passed by plain retry" (was(before.flaky.to_string())) }
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
            section { h2 { "Needs a person" } (pieces::sessions(app, "Not recovered, and neither acknowledged nor cured since", &shown.escalated)) }
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

/// How many of the attempts helped.
fn rate(sums: &Slot) -> String {
    format!(
        "{:.1} %",
        100.0 * sums.cured as f64 / sums.attempts.max(1) as f64
    )
}

/// How sessions ended, drawn and as a table.
fn ends(sums: &Slot) -> Markup {
    let other = sums
        .sessions
        .saturating_sub(sums.recovered + sums.escalated);
    let parts = [
        (sums.recovered, Tone::Good, "recovered"),
        (sums.escalated, Tone::Bad, "not recovered"),
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
        sums.sessions, sums.recovered, sums.escalated
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
