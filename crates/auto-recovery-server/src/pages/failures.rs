//! Kinds of failure: which there are, and what is known of one.

use std::sync::Arc;

use auto_recovery::escape::escape_text;
use auto_recovery::report::chart::{Chart, Column, Tone, columns, sparkline};
use auto_recovery::wording::cut;
use axum::extract::{RawQuery, State};
use maud::{Markup, PreEscaped, html};

use super::frame::{Page, Wrong, framed};
use super::pieces;
use super::sessions::{next_page, pairs, typed_into};
use super::took::took;
use super::view::view;
use crate::api::{KindPage, kind_page, read_kind_query, summary};
use crate::app::App;
use crate::feed::{FailureKind, KindQuery, OfStrategy, Slot, Sort};
use crate::http::{Named, Problem, Query};

/// Days of a sparkline, and of the chart of one kind.
const SPARK_DAYS: usize = 14;
const DAYS: usize = 30;

/// Characters of a message in the list.
const MESSAGE_CHARS: usize = 120;

/// Sessions on the page of a kind.
const SESSIONS: u32 = 20;

/// The kinds that the address asks for.
pub(crate) async fn failures(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
) -> Result<Page, Wrong> {
    let mut query = Query::read(raw.as_deref())?;
    let asked = read_kind_query(&mut query)?;
    query.end()?;
    let (view, now_us) = (view(), app.now_us());
    let (page, sparks) = app
        .run(move |app| {
            let page = kind_page(app, &asked)?;
            let (empty, from) = view.days(now_us, SPARK_DAYS);
            let mut sparks = Vec::with_capacity(page.kinds.len());
            for kind in &page.kinds {
                let mut days = empty.clone();
                view.add(&mut days, &app.feed().slots(&kind.kind, from)?);
                sparks.push(days.iter().map(|(_, sums)| sums.sessions).collect());
            }
            Ok((page, sparks))
        })
        .await?;
    let typed = pairs(raw.as_deref());
    let content = list(&app, &page, &sparks, &typed);
    Ok(framed(&app, "Failures", "/failures", content))
}

fn list(app: &App, page: &KindPage, sparks: &[Vec<u64>], typed: &[(String, String)]) -> Markup {
    let value = |name: &str| typed_into(typed, name);
    html! {
        form class="filters" method="get" {
            label { "Text" input name="text" value=(value("text")); }
            label { "Project" input name="project" value=(value("project")); }
            label {
                "Order"
                select name="sort" {
                    @for sort in Sort::ALL {
                        option value=(sort.as_str()) selected[sort.as_str() == value("sort")] { (words(sort)) }
                    }
                }
            }
            button type="submit" { "Show" }
        }
        @if page.kinds.is_empty() {
            p {
                "No such failure. " code { "recover run -- CMD" } " records one when CMD fails; "
                a href=(view().link("/failures")) { "show all" } "."
            }
        } @else {
            section class="wide" aria-label="Kinds of failure" tabindex="0" {
                table {
                    caption { "Kinds of failure: the same but for numbers, paths and times" }
                    thead {
                        tr {
                            th scope="col" { "Failure" }
                            th scope="col" class="number" { "Sessions" }
                            th scope="col" { "14 days" }
                            th scope="col" class="number" { "Recovered" }
                            th scope="col" { "What cures it" }
                            th scope="col" class="number" { "By retry" }
                            th scope="col" class="number" { "Projects" }
                            th scope="col" { "Last and first seen" }
                        }
                    }
                    tbody {
                        @for (kind, spark) in page.kinds.iter().zip(sparks) { (row(app, kind, spark)) }
                    }
                }
            }
        }
        @if let Some(next) = &page.next {
            p class="next" { a rel="next" href=(next_page("/failures", typed, next)) { "More kinds" } }
        }
    }
}

fn words(sort: Sort) -> &'static str {
    match sort {
        Sort::Sessions => "most sessions",
        Sort::Time => "most time",
        Sort::Last => "seen last",
    }
}

fn row(app: &App, kind: &FailureKind, spark: &[u64]) -> Markup {
    let words = format!("Sessions of the last 14 days, by day: {spark:?}");
    html! {
        tr id={ "k-" (kind.kind) } {
            th scope="row" class="failure" {
                a href=(path(&kind.kind)) { (name(app, kind)) }
                br; small { (cut(&escape_text(&app.masked(&kind.message)), MESSAGE_CHARS)) }
            }
            td class="number" { (kind.sessions) }
            td { (PreEscaped(sparkline(spark, &words))) }
            td class="number" { (kind.recovered_sessions) }
            td { @if let Some(best) = best(kind) { (pieces::name(&best.strategy)) " " (interval(best)) } }
            td class="number" { (kind.flaky_sessions) }
            td class="number" { (kind.projects_count) }
            td {
                @if let Some(last) = &kind.last_timestamp { (pieces::time(last)) br; }
                @if let Some(first) = &kind.first_timestamp { small { (pieces::time(first)) } }
            }
        }
    }
}

/// The address of the page of a kind.
pub(super) fn path(kind: &str) -> String {
    view().link(&format!("/failures/{}", pieces::encoded(kind)))
}

/// The type of a kind, and the tool that said so.
pub(super) fn name(app: &App, kind: &FailureKind) -> String {
    let kind_name = if kind.error_type.is_empty() {
        "failure"
    } else {
        &kind.error_type
    };
    let name = pieces::name(&app.masked(kind_name));
    match &*kind.source {
        "" => name,
        source => format!("{name} of {}", pieces::name(&app.masked(source))),
    }
}

/// The strategy that most probably cures it: the one whose rate is surely highest.
fn best(kind: &FailureKind) -> Option<&OfStrategy> {
    let helped = kind
        .strategies
        .iter()
        .filter(|one| one.successful_attempts > 0);
    helped.max_by(|a, b| a.success_rate_low.total_cmp(&b.success_rate_low))
}

fn interval(of: &OfStrategy) -> String {
    format!(
        "{:.0} % ({:.0}–{:.0})",
        of.success_rate, of.success_rate_low, of.success_rate_high
    )
}

/// One kind.
pub(crate) async fn failure(
    State(app): State<Arc<App>>,
    Named(kind): Named,
    RawQuery(raw): RawQuery,
) -> Result<Page, Wrong> {
    Query::read(raw.as_deref())?.end()?;
    let (view, now_us, asked) = (view(), app.now_us(), kind.clone());
    let found = app
        .run(move |app| {
            let query = KindQuery {
                kind: Some(asked.clone()),
                limit: 1,
                ..KindQuery::default()
            };
            let found = app.feed().kinds(&query)?.pop();
            let (mut days, from) = view.days(now_us, DAYS);
            view.add(&mut days, &app.feed().slots(&asked, from)?);
            let days = days.into_iter().map(|(day, sums)| (day.to_string(), sums));
            let ids = app.feed().sessions_of_kind(&asked, SESSIONS)?;
            let counts = app.feed().took(&asked)?;
            Ok((found, (days.collect::<Vec<_>>(), counts), ids))
        })
        .await?;
    let (Some((_, found)), (days, counts), ids) = found else {
        let text = format!("there is no kind of failure {kind:?}");
        return Err(Problem::not_found(text).into());
    };
    let sessions = app.of_store(move |store| ids.iter().map(|id| summary(store, id)).collect());
    let sessions: Vec<_> = sessions.await?;
    let content = html! {
        p class="message" { (escape_text(&app.masked(&found.message))) }
        (facts(&found))
        (by_day("Sessions by day", &days))
        (strategies(&found))
        (took("How long attempts at it took", &counts))
        (projects(&app, &found))
        section {
            h2 { "Newest" }
            (pieces::sessions(&app, "The newest sessions with this failure", &sessions))
        }
    };
    Ok(framed(&app, &name(&app, &found), "/failures", content))
}

fn facts(kind: &FailureKind) -> Markup {
    html! {
        ul class="numbers" {
            li { b { (kind.sessions) } "sessions" }
            li { b { (kind.recovered_sessions) } "recovered" }
            li { b { (kind.escalated_sessions) } "needed a person" }
            li { b { (kind.flaky_sessions) } "passed by plain retry" }
        }
        dl {
            @if let Some(first) = &kind.first_timestamp { div { dt { "First seen" } dd { (pieces::time(first)) } } }
            @if let Some(last) = &kind.last_timestamp { div { dt { "Last seen" } dd { (pieces::time(last)) } } }
            div { dt { "Time in attempts" } dd { (kind.total_duration_seconds) " s" } }
            div { dt { "Kind" } dd { code { (kind.kind) } } }
        }
    }
}

/// Sessions by day, drawn and as a table.
pub(super) fn by_day(title: &str, days: &[(String, Slot)]) -> Markup {
    let other = |sums: &Slot| {
        sums.sessions
            .saturating_sub(sums.recovered + sums.escalated)
    };
    let drawn: Vec<Column> = days
        .iter()
        .map(|(day, sums)| Column {
            parts: vec![
                (sums.recovered, Tone::Good),
                (sums.escalated, Tone::Bad),
                (other(sums), Tone::Plain),
            ],
            label: day.get(5..).unwrap_or_default().to_owned(),
            title: format!(
                "{day}: {} recovered, {} not, {} other",
                sums.recovered,
                sums.escalated,
                other(sums)
            ),
        })
        .collect();
    let total: u64 = days.iter().map(|(_, sums)| sums.sessions).sum();
    let words = format!(
        "{total} sessions in {} days, in {}.",
        days.len(),
        view().zone_name
    );
    let chart = Chart {
        id: "days",
        title,
        words: &words,
    };
    html! {
        @if total > 0 {
            figure class="plot" {
                figcaption { (title) ", " (view().zone_name) }
                (PreEscaped(columns(&chart, &drawn)))
                details {
                    summary { "As a table" }
                    table {
                        caption { (title) }
                        thead {
                            tr {
                                th scope="col" { "Day" }
                                th scope="col" class="number" { "Sessions" }
                                th scope="col" class="number" { "Recovered" }
                                th scope="col" class="number" { "Not" }
                            }
                        }
                        tbody {
                            @for (day, sums) in days {
                                tr {
                                    th scope="row" { (day) }
                                    td class="number" { (sums.sessions) }
                                    td class="number" { (sums.recovered) }
                                    td class="number" { (sums.escalated) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn strategies(kind: &FailureKind) -> Markup {
    html! {
        section {
            h2 { "What cures it" }
            @if kind.strategies.is_empty() {
                p { "Nothing was tried yet." }
            } @else {
                table {
                    caption { "Attempts by strategy, with Wilson's interval at 95 %" }
                    thead {
                        tr {
                            th scope="col" { "Strategy" }
                            th scope="col" class="number" { "Tried" }
                            th scope="col" class="number" { "Helped" }
                            th scope="col" class="number" { "Rate" }
                        }
                    }
                    tbody {
                        @for one in &kind.strategies {
                            tr {
                                th scope="row" { (pieces::name(&one.strategy)) }
                                td class="number" { (one.total_attempts) }
                                td class="number" { (one.successful_attempts) }
                                td class="number" { (interval(one)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn projects(app: &App, kind: &FailureKind) -> Markup {
    html! {
        @if !kind.projects.is_empty() {
            section {
                h2 { "Where" }
                ul {
                    @for one in &kind.projects {
                        li { (pieces::name(&app.masked(&one.project))) ": " (one.sessions) ", " (one.recovered_sessions) " recovered" }
                    }
                    @let more = kind.projects_count.saturating_sub(kind.projects.len() as u64);
                    @if more > 0 { li { "and " (more) " more projects" } }
                }
            }
        }
    }
}
