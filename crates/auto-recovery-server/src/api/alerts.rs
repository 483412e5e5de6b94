//! Alerts for programs, and heartbeats from them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::answer::{json, list};
use super::sessions::text;
use crate::alerts::{active, beat_in, deliveries, stale};
use crate::app::App;
use crate::http::Problem;

/// What is pending or fires, and the rules that cannot be worked out.
pub(crate) async fn alerts(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = app.run(|app| Ok((app.feed().read(active)?, app.feed().read(stale)?)));
    let (alerts, stale) = asked.await?;
    let items: Vec<String> = alerts.iter().map(text).collect();
    let more = format!("\"stale\":{}", text(&stale));
    Ok(json(&headers, list(&items, &more)))
}

/// The newest messages, with every try.
pub(crate) async fn told(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let messages = app.run(|app| app.feed().read(deliveries)).await?;
    let items: Vec<String> = messages.iter().map(text).collect();
    Ok(json(&headers, list(&items, "\"next\":null")))
}

/// A name was heard of.
pub(crate) async fn heartbeat(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let beaten = app.run(move |app| beat_in(&app.feed().beside("beats"), &name, &*app.host));
    beaten.await?;
    Ok(StatusCode::NO_CONTENT)
}
