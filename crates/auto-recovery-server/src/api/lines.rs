//! Trails and the journal whole, as lines of JSON that are written while they are read.
//!
//! The last line is `{"end":true}`: without it, something was cut off on the way.

use std::io::Write as _;
use std::sync::Arc;

use auto_recovery::audit::{AuditStore, Damage, session_id};
use auto_recovery::{Error, ErrorKind, Result};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::app::App;
use crate::http::{Chunks, Named, Problem, Query, chunks};

/// The entries of a session, in the order in which they were stored; none of one that is unknown.
pub(crate) async fn trail(
    State(app): State<Arc<App>>,
    Named(id): Named,
) -> Result<Response, Problem> {
    session_id::encode(&id)?;
    lines(&app, move |store, out| {
        store.read_trail(&id, &mut |entry| write_raw(out, "entry", entry.raw()))
    })
    .await
}

/// The records of the journal, or those of one session, in the order in which they were stored.
pub(crate) async fn journal(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut query = Query::read(query.as_deref())?;
    let session = query.take("session");
    query.end()?;
    lines(&app, move |store, out| {
        store.read_records_raw(session.as_deref(), &mut |raw| write_raw(out, "record", raw))
    })
    .await
}

async fn lines(
    app: &Arc<App>,
    read: impl FnOnce(&dyn AuditStore, &mut Chunks) -> Result<Vec<Damage>> + Send + 'static,
) -> Result<Response, Problem> {
    let Ok(place) = Arc::clone(&app.readings).try_acquire_owned() else {
        let text = "there are as many readers as this server has at once: try again";
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_readers", text);
        return Err(problem.with(header::RETRY_AFTER, HeaderValue::from_static("1")));
    };
    let (mut out, body) = chunks();
    let app = Arc::clone(app);
    tokio::task::spawn_blocking(move || {
        let written = read(app.store(), &mut out).and_then(|damage| {
            for one in &damage {
                let text = serde_json::to_string(one).unwrap_or_default();
                write(&mut out, "damage", &text)?;
            }
            write(&mut out, "end", "true")
        });
        if written.is_err() || out.flush().is_err() {
            out.break_off();
        }
        drop(place);
    });
    let mut response = Response::new(body);
    let kind = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

/// Writes the entry or record `raw`: as it is stored, or as a text if that is of several lines.
fn write_raw(out: &mut Chunks, name: &str, raw: &[u8]) -> Result<()> {
    let text = String::from_utf8_lossy(raw);
    let is_json = || serde_json::from_str::<&RawValue>(&text).is_ok();
    match !text.contains(['\n', '\r']) && is_json() {
        true => write(out, name, text.trim()),
        false => write(out, "text", &Value::from(text).to_string()),
    }
}

/// Writes a line whose only field is `name`, of the value `json`.
fn write(out: &mut Chunks, name: &str, json: &str) -> Result<()> {
    writeln!(out, "{{\"{name}\":{json}}}").map_err(|error| {
        Error::new(ErrorKind::Interrupted, "the client went away").with_source(error)
    })
}
