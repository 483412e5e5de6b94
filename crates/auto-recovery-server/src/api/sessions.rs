//! Sessions: a page of the list, and one.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::answer::{json, list};
use super::find::{find, find_session, read_listing};
use crate::app::App;
use crate::http::{Problem, Query};

/// A page of the list, newest first.
pub(crate) async fn sessions(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::read(query.as_deref())?;
    let listing = read_listing(&mut query, app.host.now())?;
    query.end()?;
    let listed = app.of_store(move |store| find(store, &listing)).await?;
    let items: Vec<String> = listed.sessions.iter().map(text).collect();
    let damage: Vec<String> = listed.damage.iter().map(ToString::to_string).collect();
    let more = format!(
        "\"next\":{},\"damage\":{}",
        text(&listed.next),
        text(&damage)
    );
    Ok(json(&headers, list(&items, &more)))
}

/// One session.
pub(crate) async fn session(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let found = app.of_store(move |store| find_session(store, &id)).await?;
    Ok(json(&headers, text(&found) + "\n"))
}

/// `value` as JSON; values of ours can be written.
pub(super) fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
