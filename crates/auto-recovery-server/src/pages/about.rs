//! What this server is, and where programs find what they need.

use std::sync::Arc;

use axum::extract::{Extension, State};
use maud::html;

use super::frame::{Page, Wrong, framed};
use crate::app::App;
use crate::feed::Standing;
use crate::http::Caller;

/// The store, the feed, the caller, and links for programs.
pub(crate) async fn about(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
) -> Result<Page, Wrong> {
    let (forgotten, newest) = app.run(|app| app.feed().bounds()).await?;
    let standing = match app.standing() {
        Standing::Current => "current".to_owned(),
        Standing::Beginning => "reading the store for the first time".to_owned(),
        Standing::Away { since, why } => format!("away since {since}: {why}"),
    };
    let facts = [
        ("Store", app.store().url()),
        ("Release", env!("CARGO_PKG_VERSION").to_owned()),
        (
            "Feed",
            format!("{}, events {} to {newest}", app.feed().id, forgotten + 1),
        ),
        ("Feed and store", standing),
        (
            "You are",
            format!("{}, who may {}", caller.name, caller.scope()),
        ),
    ];
    let content = html! {
        dl {
            @for (name, value) in &facts {
                div { dt { (name) } dd { (auto_recovery::escape::escape_text(value)) } }
            }
        }
        section {
            h2 { "For programs" }
            ul {
                li { a href="/openapi.json" { "OpenAPI 3.1" } }
                li { a href="/metrics" { "Metrics" } " for Prometheus" }
                li { code { "/api/v1/events" } ": the live stream, as server-sent events or NDJSON" }
            }
        }
    };
    Ok(framed(&app, "About", "/about", content))
}
