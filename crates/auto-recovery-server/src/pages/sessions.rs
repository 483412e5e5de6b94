//! The list of sessions, a page at a time.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use maud::{Markup, html};

use super::frame::{Page, Wrong, framed};
use super::pieces;
use super::view::view;
use crate::api::{Listed, find, read_listing};
use crate::app::App;
use crate::http::Query;

/// The filters, each with the words on its label.
const FILTERS: [(&str, &str); 5] = [
    ("project", "Project"),
    ("host", "Host"),
    ("id", "Part of the id"),
    ("since", "Since"),
    ("until", "Until"),
];

/// Outcomes as they are in addresses, and in words.
const OUTCOMES: [(&str, &str); 6] = [
    ("", "any"),
    ("recovered", "recovered"),
    ("escalated", "not recovered"),
    ("interrupted", "interrupted"),
    ("running", "running"),
    ("unknown", "unknown"),
];

/// The sessions that the address asks for.
pub(crate) async fn sessions(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
) -> Result<Page, Wrong> {
    let mut query = Query::read(raw.as_deref())?;
    let listing = read_listing(&mut query, app.host.now())?;
    query.end()?;
    // What comes after this moment is not on the page, and is told to it.
    let is_first = listing.after.is_none();
    let at = app
        .run(|app| Ok(format!("{}.{}", app.feed().id, app.feed().bounds()?.1)))
        .await?;
    let listed = app.of_store(move |store| find(store, &listing)).await?;
    let asked = pairs(raw.as_deref());
    let at = is_first.then_some(&*at);
    Ok(framed(
        &app,
        "Sessions",
        "/sessions",
        content(&app, &listed, (&asked, at)),
    ))
}

/// The parameters of the address, and the place in the feed at which the first page was made.
type Asked<'a> = (&'a [(String, String)], Option<&'a str>);

fn content(app: &App, listed: &Listed, (asked, at): Asked<'_>) -> Markup {
    let value = |name: &str| {
        let found = asked.iter().find(|(one, _)| one == name);
        found.map_or(String::new(), |(_, value)| pieces::typed(value))
    };
    html! {
        form class="filters" method="get" {
            @for (name, label) in FILTERS {
                label { (label) input name=(name) value=(value(name)); }
            }
            label {
                "Outcome"
                select name="outcome" {
                    @for (name, words) in OUTCOMES {
                        option value=(name) selected[name == value("outcome")] { (words) }
                    }
                }
            }
            button type="submit" { "Show" }
        }
        @if let Some(at) = at {
            p role="status" aria-live="polite" {
                a id="new" data-at=(at) href=(next_page("/sessions", asked, "")) hidden {}
            }
        }
        (pieces::damage(&listed.damage))
        @if listed.sessions.is_empty() {
            p {
                "No such session. " code { "recover run -- CMD" } " records one when CMD fails; "
                a href=(view().link("/sessions")) { "show all" } "."
            }
        } @else {
            (pieces::sessions(app, "Sessions, newest first", &listed.sessions))
        }
        @if let Some(next) = &listed.next {
            p class="next" { a rel="next" href=(next_page("/sessions", asked, next)) { "Older sessions" } }
        }
    }
}

/// The address of the page of the list `path` that begins behind the place `next`, the first if it
/// is empty.
pub(super) fn next_page(path: &str, asked: &[(String, String)], next: &str) -> String {
    let kept = asked
        .iter()
        .filter(|(name, value)| name != "after" && !value.is_empty());
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in kept {
        query.append_pair(name, value);
    }
    if !next.is_empty() {
        query.append_pair("after", next);
    }
    view().link(&format!("{path}?{}", query.finish()))
}

/// The parameters of an address, which was read before.
pub(super) fn pairs(raw: Option<&str>) -> Vec<(String, String)> {
    let pairs = form_urlencoded::parse(raw.unwrap_or_default().as_bytes());
    pairs.into_owned().collect()
}

/// What was typed into the field `name` of a form, whose fields are `typed`.
pub(super) fn typed_into(typed: &[(String, String)], name: &str) -> String {
    let found = typed.iter().find(|(one, _)| one == name);
    found.map_or(String::new(), |(_, value)| pieces::typed(value))
}
