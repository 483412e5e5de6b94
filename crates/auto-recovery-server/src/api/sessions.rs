//! Sessions: a page of the list, and one.

use std::sync::Arc;

use auto_recovery::audit::{SessionHeld, SessionSummary};
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;

use super::answer::{json, list};
use super::find::{find, find_session, read_listing};
use crate::app::App;
use crate::http::{Named, Problem, Query};

/// A page of the list, newest first.
pub(crate) async fn sessions(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::read(query.as_deref())?;
    let listing = read_listing(&mut query, app.host.now())?;
    query.end()?;
    let is_whole = listing.is_whole;
    let listed = app.of_store(move |store| find(store, &listing)).await?;
    let (items, damage): (Vec<String>, String) = match is_whole {
        true => (
            listed.sessions.iter().map(whole).collect(),
            text(&listed.damage),
        ),
        false => {
            let damage: Vec<String> = listed.damage.iter().map(ToString::to_string).collect();
            (listed.sessions.iter().map(text).collect(), text(&damage))
        }
    };
    let more = format!("\"next\":{},\"damage\":{damage}", text(&listed.next));
    Ok(json(&headers, list(&items, &more)))
}

/// One session.
pub(crate) async fn session(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Named(id): Named,
) -> Result<Response, Problem> {
    let found = app.of_store(move |store| find_session(store, &id)).await?;
    Ok(json(&headers, text(&found) + "\n"))
}

/// `session` as JSON with all that a store knows of it.
fn whole(session: &SessionSummary) -> String {
    #[derive(Serialize)]
    struct Whole<'s> {
        #[serde(flatten)]
        summary: &'s SessionSummary,
        workspace: &'s Option<String>,
        bytes: u64,
        held: &'s Option<SessionHeld>,
    }
    text(&Whole {
        summary: session,
        workspace: &session.workspace,
        bytes: session.bytes,
        held: &session.held,
    })
}

/// `value` as JSON; values of ours can be written.
pub(super) fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
