//! What history would try first against each kind of failure, and by which counts.

use std::sync::Arc;
use std::time::Duration;

use auto_recovery::escape::escape_text;
use auto_recovery::host::timestamp;
use auto_recovery::learn::{LearnMode, counts_in_words};
use auto_recovery::plan::{Advice, AdviceStatus, StepFacts};
use auto_recovery::wording::{counted, cut, spelled};
use axum::extract::{RawQuery, State};
use maud::{Markup, html};

use super::frame::{Page, Wrong, framed};
use super::pieces;
use super::sessions::{next_page, pairs, typed_into};
use super::view::view;
use crate::advice::{Board, Told, time_of};
use crate::api::{Advised, advice_board, advised, read_advice_query};
use crate::app::App;
use crate::http::Query;

/// Classes on a page: each has a table of its own.
const LIMIT: u64 = 20;

/// Characters of an action in a table.
const STEP_CHARS: usize = 120;

/// What the filter of states offers.
const STATES: [(&str, &str); 4] = [
    ("", "all"),
    ("changed", "another order"),
    ("abstained", "the shipped order"),
    ("none", "nothing to go by"),
];

/// What history says about the failures that the address asks for.
pub(crate) async fn advice(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
) -> Result<Page, Wrong> {
    let mut query = Query::read(raw.as_deref())?;
    let asked = read_advice_query(&mut query, LIMIT)?;
    query.end()?;
    let board = advice_board(&app).await?;
    let found = advised(&board, &asked)?;
    let typed = pairs(raw.as_deref());
    let content = html! {
        (about(&board))
        (filters(&typed))
        (list(&app, &board, &found, &typed))
        section {
            h2 { "What it saves" }
            p { (board.report.in_words()) "." }
        }
    };
    Ok(framed(&app, "Advice", "/advice", content))
}

fn about(board: &Board) -> Markup {
    let mode = match board.mode {
        LearnMode::Off => "Learning is off: nothing is advised, and the shipped order is used.",
        LearnMode::Advise => "Advice is shown and recorded; runs use the shipped order.",
        LearnMode::On => "Runs use the advised order.",
    };
    html! {
        p {
            (mode) " " code { "[learn]" } " in your own config.toml says so. Counted from the "
            "journal as of " (pieces::time(&timestamp(board.at)))
            ", by the rules of this machine; a chance is that of a step when it was tried here."
        }
    }
}

fn filters(typed: &[(String, String)]) -> Markup {
    let value = |name: &str| typed_into(typed, name);
    html! {
        form class="filters" method="get" {
            label { "Failure" input name="text" value=(value("text")); }
            label { "Project" input name="project" value=(value("project")); }
            label { "Workspace" input name="workspace" value=(value("workspace")); }
            label { "Host" input name="host" value=(value("host")); }
            label {
                "Advice"
                select name="status" {
                    @for (state, words) in STATES {
                        option value=(state) selected[state == value("status")] { (words) }
                    }
                }
            }
            button type="submit" { "Show" }
        }
    }
}

fn list(app: &App, board: &Board, found: &Advised<'_>, typed: &[(String, String)]) -> Markup {
    html! {
        @if found.items.is_empty() {
            p {
                "No such failure was recovered from. " code { "recover run -- CMD" }
                " records one when CMD fails; "
                a href=(view().link("/advice")) { "show all" } "."
            }
        }
        @for one in &found.items { (class(app, one)) }
        @if let Some(next) = found.next {
            p class="next" { a rel="next" href=(next_page("/advice", typed, next)) { "More failures" } }
        } @else if board.more > 0 {
            p { (board.more) " more, seen longer ago, are not looked at here: " code { "recover advise" } " is." }
        }
    }
}

fn class(app: &App, one: &Told) -> Markup {
    let topic = &one.topic;
    let path = pieces::path(&topic.session_id);
    let name = pieces::name(&app.masked(&topic.class.in_words()));
    html! {
        section id={ "a-" (one.id) } {
            h2 { (name) }
            p {
                (counted(topic.failures, "failure")) " in "
                @if let Some(project) = &one.project { (pieces::name(&app.masked(project))) ", " }
                code { (pieces::name(&app.masked(&topic.workspace))) }
                " on " (pieces::name(&app.masked(&topic.host)))
                ", " (pieces::time(&time_of(topic.first))) " to " (pieces::time(&time_of(topic.last)))
                "; " a href=(path) { "the session that this is against" }
            }
            @match &one.advice {
                Some(advice) => { (advised_about(one, advice, &name)) }
                None => {
                    p { "○ Nothing to go by yet: no plan against it that history could order is on record." }
                }
            }
        }
    }
}

fn advised_about(one: &Told, advice: &Advice, name: &str) -> Markup {
    let (sign, words, tone) = match advice.status {
        AdviceStatus::Changed => ("▲", "Another order", "good"),
        AdviceStatus::Abstained => ("=", "The shipped order", "plain"),
        AdviceStatus::Off => ("■", "Off", "plain"),
    };
    html! {
        p { span class=(tone) { (sign) " " (words) } ": " (escape_text(&advice.why)) "." }
        @if !advice.steps.is_empty() { (steps(one, advice, name)) }
        @for left in &advice.left_out {
            p {
                "Left out: " code { (step(one, &left.step)) } ", which " (escape_text(&left.why))
                @if let Some(days) = one.back.get(&left.step) {
                    "; back in " (counted((*days).into(), "day")) " if nothing happens"
                }
                "."
            }
        }
        @if advice.expected.shipped > 0.0 && advice.order != advice.shipped {
            p {
                "To the end: " (time_in_words(advice.expected.order)) " instead of "
                (time_in_words(advice.expected.shipped)) ", expected, "
                (format!("{:.0}", advice.expected.sure * 100.0)) " % sure."
            }
        }
    }
}

/// A row for each step, as they would be tried.
fn steps(one: &Told, advice: &Advice, name: &str) -> Markup {
    let place = |steps: &[String], step: &str| steps.iter().position(|one| one == step);
    let mut rows: Vec<&StepFacts> = advice.steps.iter().collect();
    rows.sort_by_key(|row| place(&advice.order, &row.step).unwrap_or(usize::MAX));
    let label = format!("Steps against {name}");
    html! {
        (pieces::wide("wide", &label, &html! {
            thead {
                tr {
                    th scope="col" { "Step" }
                    th scope="col" class="number" { "Cured here" }
                    th scope="col" class="number" { "Elsewhere" }
                    th scope="col" class="number" { "Chance" }
                    th scope="col" class="number" { "90 %" }
                    th scope="col" class="number" { "Takes" }
                    th scope="col" class="number" { "Shipped" }
                    th scope="col" class="number" { "Advised" }
                }
            }
            tbody {
                @for row in rows {
                    tr {
                        th scope="row" class="failure" { (step(one, &row.step)) }
                        td class="number" { (counts_in_words(row.here)) }
                        td class="number" { (counts_in_words(row.others)) }
                        td class="number" { (format!("{:.0} %", row.chance * 100.0)) }
                        td class="number" { (format!("{:.0}–{:.0}", row.low * 100.0, row.high * 100.0)) }
                        td class="number" { (time_in_words(row.seconds)) }
                        td class="number" { (number(place(&advice.shipped, &row.step), "–")) }
                        td class="number" { (number(place(&advice.order, &row.step), "left out")) }
                    }
                }
            }
        }))
    }
}

/// What `of` does, in one line.
fn step(one: &Told, of: &str) -> String {
    cut(&escape_text(&one.name_of(of)), STEP_CHARS)
}

fn number(place: Option<usize>, none: &str) -> String {
    place.map_or_else(|| none.to_owned(), |place| (place + 1).to_string())
}

fn time_in_words(seconds: f64) -> String {
    spelled(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}
