//! What happens now. Without a script it is the last events; with it, they come by themselves.

use std::sync::Arc;

use auto_recovery::escape::escape_text;
use auto_recovery::wording::cut;
use axum::extract::{RawQuery, State};
use maud::{Markup, html};
use serde_json::Value;

use super::frame::{Page, Wrong, framed};
use super::pieces;
use crate::app::App;
use crate::feed::{Event, Kind, Wanted};
use crate::http::Query;

/// Events that the page begins with.
const ROWS: usize = 100;

/// Characters of the words on an event.
const TEXT_CHARS: usize = 200;

/// The last events, and the place where the script goes on.
pub(crate) async fn live(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Page, Wrong> {
    let mut query = Query::read(query.as_deref())?;
    let wanted = Wanted {
        session_id: query.take("session"),
        project: query.take("project"),
    };
    query.end()?;
    let of_page = wanted.clone();
    let (events, at) = app
        .run(move |app| {
            let (_, newest) = app.feed().bounds()?;
            let events = app.feed().last(&wanted, newest, ROWS)?;
            Ok((events, format!("{}.{newest}", app.feed().id)))
        })
        .await?;
    Ok(framed(
        &app,
        "Live",
        "/live",
        content(&app, &events, (&of_page, &at)),
    ))
}

fn content(app: &App, events: &[Event], (wanted, at): (&Wanted, &str)) -> Markup {
    let (session, project) = (wanted.session_id.as_deref(), wanted.project.as_deref());
    let of = |text: Option<&str>| text.map(pieces::encoded);
    html! {
        form class="filters" method="get" {
            label { "Session" input name="session" value=(pieces::typed(session.unwrap_or_default())); }
            label { "Project" input name="project" value=(pieces::typed(project.unwrap_or_default())); }
            button type="submit" { "Show" }
            button type="button" id="pause" hidden { "Pause" }
        }
        p id="state" role="status" aria-live="polite" { "As of now: reload for what came since." }
        p id="age" aria-hidden="true" {}
        section class="wide" aria-label="Events" tabindex="0" {
            table {
                caption { "Events, the newest first" }
                thead {
                    tr {
                        th scope="col" { "When" }
                        th scope="col" { "Session" }
                        th scope="col" { "Project" }
                        th scope="col" { "What" }
                    }
                }
                tbody id="events" data-at=(at) data-session=[of(session)] data-project=[of(project)] {
                    @for event in events.iter().rev() { (row(app, event)) }
                }
            }
        }
        @if events.is_empty() {
            p id="empty" { "Nothing yet: " code { "recover run -- CMD" } " is seen here once CMD fails." }
        }
        template id="row" {
            tr { td { time {} } th scope="row" { a {} } td {} td {} }
        }
    }
}

fn row(app: &App, event: &Event) -> Markup {
    let (when, what) = told(event);
    html! {
        tr id={ "e" (event.seq) } {
            td { (pieces::time(&when)) }
            th scope="row" {
                a href=(pieces::path(&event.session_id)) {
                    (pieces::name(auto_recovery::audit::session_id::short(&event.session_id)))
                }
            }
            td { @if let Some(project) = &event.project { (pieces::name(&app.masked(project))) } }
            td { (app.masked(&what)) }
        }
    }
}

/// When an event was, and what it says in a line; the script says the same.
fn told(event: &Event) -> (String, String) {
    let body = event
        .body
        .as_deref()
        .and_then(|body| serde_json::from_str::<Value>(body).ok());
    let body = body.unwrap_or_default();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    match event.kind {
        Kind::Entry if body.is_null() => (String::new(), "an attempt, cleared since".to_owned()),
        Kind::Entry => {
            let result = if body["success"] == true {
                "✔ cured"
            } else {
                "✘ failed"
            };
            let says = format!(
                "attempt {} by {}: {result}: {}",
                body["attempt_number"],
                text("strategy"),
                text("error_type")
            );
            (text("timestamp"), cut(&escape_text(&says), TEXT_CHARS))
        }
        Kind::Journal => {
            let says = text("event").replace('_', " ");
            (text("at"), cut(&escape_text(&says), TEXT_CHARS))
        }
        Kind::Removed => (String::new(), "its trail was removed".to_owned()),
    }
}
