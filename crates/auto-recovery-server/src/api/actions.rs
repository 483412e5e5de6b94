//! Holding, releasing and removing sessions. The journal says which token did it.

use std::sync::Arc;
use std::time::Duration;

use auto_recovery::audit::{
    JournalEvent, Removal, Removed, SessionHeld, SessionReleased, SessionSummary,
};
use auto_recovery::{Error, ErrorKind, Result};
use axum::body::{Body, to_bytes};
use axum::extract::{Extension, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::find::find_session;
use crate::app::App;
use crate::http::{Caller, Named, Problem};

/// The largest body, and the time that it may take.
const BODY_BYTES_MAX: usize = 16 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest reason, in characters.
pub(crate) const REASON_CHARS_MAX: usize = 1000;

/// Keeps the session `id` from being removed, for `reason`.
///
/// # Errors
/// If there is no such session, or that cannot be recorded.
pub(crate) async fn hold_session(
    app: &Arc<App>,
    caller: &Caller,
    id: String,
    reason: Option<String>,
) -> Result<SessionSummary, Problem> {
    let reason = reason.filter(|reason| !reason.trim().is_empty());
    check_reason(reason.as_deref().unwrap_or_default())?;
    let held = SessionHeld {
        reason,
        user: Some(caller.name.clone()),
        host: app.host_name.clone(),
    };
    app.of_store_and_feed(move |app, store| {
        find_session(store, &id)?;
        store.record(Some(&id), JournalEvent::SessionHeld(held))?;
        app.seals.told_of(&id);
        find_session(store, &id)
    })
    .await
}

/// Lets the session `id` be removed again. One that is not held stays as it is.
///
/// # Errors
/// If there is no such session, or that cannot be recorded.
pub(crate) async fn release_session(
    app: &Arc<App>,
    caller: &Caller,
    id: String,
) -> Result<SessionSummary, Problem> {
    let released = SessionReleased {
        user: Some(caller.name.clone()),
        host: app.host_name.clone(),
    };
    app.of_store_and_feed(move |app, store| {
        let found = find_session(store, &id)?;
        if found.held.is_none() {
            return Ok(found);
        }
        store.record(Some(&id), JournalEvent::SessionReleased(released))?;
        app.seals.told_of(&id);
        find_session(store, &id)
    })
    .await
}

/// Removes the trail of the session `id` and what it left on this machine, if `typed` is its id.
/// Returns the number of its entries.
///
/// # Errors
/// If `typed` is not, there is no such session, it is held, or it cannot be removed.
pub(crate) async fn clear_session(
    app: &Arc<App>,
    caller: &Caller,
    id: String,
    typed: &str,
) -> Result<u64, Problem> {
    if typed != id {
        let text = format!("to remove session {id:?}, its whole id is to be repeated");
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "not_confirmed",
            text,
        ));
    }
    let (leftovers, by) = (Arc::clone(&app.leftovers), caller.name.clone());
    app.of_store_and_feed(move |app, store| {
        let found = find_session(store, &id)?;
        if let Some(held) = found.held {
            return Err(held.refusal(&id));
        }
        // What hangs on the trail goes first: if that fails, the session is still there to be
        // cleared once more.
        let removed = leftovers.clearing(&id, &mut || {
            store.remove(&id, &Removal::ClearedBy(by.clone()))
        })?;
        match removed {
            Removed::Gone { entries } => {
                app.seals.told_of(&id);
                Ok(entries)
            }
            Removed::Held(held) => Err(held.refusal(&id)),
            Removed::Unknown | Removed::Changed => {
                let text = format!("there is no session {id:?}");
                Err(Error::new(ErrorKind::NotFound, text))
            }
        }
    })
    .await
}

/// The body of a request to hold a session.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Hold {
    reason: Option<String>,
}

/// Makes sure that a reason is one that is kept.
pub(super) fn check_reason(reason: &str) -> Result<(), Problem> {
    if reason.chars().count() > REASON_CHARS_MAX {
        let text = format!("a reason has at most {REASON_CHARS_MAX} characters");
        return Err(Problem::invalid(text));
    }
    Ok(())
}

/// The body of a request to remove a session.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Clear {
    session_id: String,
}

/// The body of a request that says nothing.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Nothing {}

/// `POST /api/v1/sessions/{id}/hold`.
pub(crate) async fn hold(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Named(id): Named,
    body: Body,
) -> Result<Response, Problem> {
    let Hold { reason } = read_json(body).await?.unwrap_or_default();
    held_answer(&hold_session(&app, &caller, id, reason).await?)
}

/// `POST /api/v1/sessions/{id}/release`.
pub(crate) async fn release(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Named(id): Named,
    body: Body,
) -> Result<Response, Problem> {
    let Nothing {} = read_json(body).await?.unwrap_or_default();
    held_answer(&release_session(&app, &caller, id).await?)
}

/// `POST /api/v1/sessions/{id}/clear`.
pub(crate) async fn clear(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Named(id): Named,
    body: Body,
) -> Result<Response, Problem> {
    let typed = read_json::<Clear>(body).await?.unwrap_or_default();
    let entries = clear_session(&app, &caller, id.clone(), &typed.session_id).await?;
    Ok(answer(&json!({"session_id": id, "entries": entries})))
}

fn held_answer(session: &SessionSummary) -> Result<Response, Problem> {
    Ok(answer(&json!({
        "session_id": session.session_id,
        "held": session.held,
    })))
}

pub(super) fn answer(value: &serde_json::Value) -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], format!("{value}\n")).into_response()
}

/// The JSON of `body`; `None` if there is nothing in it.
pub(super) async fn read_json<T: DeserializeOwned>(body: Body) -> Result<Option<T>, Problem> {
    let bytes = read_small(body).await?;
    if bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    // A list would be taken for the fields in their order.
    serde_json::from_slice::<Map<String, Value>>(&bytes)
        .and_then(|object| serde_json::from_value(Value::Object(object)))
        .map(Some)
        .map_err(|error| Problem::invalid(format!("the body is not as it is to be: {error}")))
}

/// All of a body that can only be small.
pub(crate) async fn read_small(body: Body) -> Result<Vec<u8>, Problem> {
    let Ok(read) = tokio::time::timeout(PATIENCE, to_bytes(body, BODY_BYTES_MAX)).await else {
        let text = "the body came too slowly";
        return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", text));
    };
    match read {
        Ok(bytes) => Ok(bytes.to_vec()),
        Err(_) => {
            let text = format!("the body has more than {BODY_BYTES_MAX} bytes, or is not whole");
            Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                text,
            ))
        }
    }
}
