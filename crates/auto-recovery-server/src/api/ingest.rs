//! `POST /api/v1/entries`: attempts that other programs made, a JSON object a line.
//!
//! A line that says its session and an `entry_id` may be sent again after a lost answer: what is
//! there already is acknowledged and not added again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use auto_recovery::audit::{AuditStore, JournalEvent, NewEntry, SessionStarted, session_id};
use auto_recovery::entry::LogLine;
use auto_recovery::host::new_id;
use auto_recovery::{Error, ErrorKind, Result};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::http::{Caller, Problem, Query, decoded, too_large};

/// The largest body, and the time that it may take.
const BYTES_MAX: usize = 16 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest line, as that of the command.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Records the lines of the body, and acknowledges them in order once all are durable.
pub(crate) async fn ingest(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let mut query = Query::read(query.as_deref())?;
    let started = SessionStarted {
        project: query.take("project"),
        host: query.take("host"),
        user: Some(caller.name.clone()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..SessionStarted::default()
    };
    query.end()?;
    let bytes = read_lines(&headers, body).await?;
    let new_session = new_id("session");
    let lines: Vec<Line> = bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .map(|line| parse(line, &new_session))
        .collect();
    let turn = Arc::clone(&app.ingests).lock_owned().await;
    let answers = app.of_store(move |store| {
        let answers = record(store, lines, &started);
        drop(turn);
        answers
    });
    let (answers, is_whole) = answers.await?;
    let status = if is_whole {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let kind = HeaderValue::from_static("application/x-ndjson");
    Ok((status, [(header::CONTENT_TYPE, kind)], answers).into_response())
}

/// A body of lines, whole.
///
/// # Errors
/// If it is too large, or comes too slowly.
pub(super) async fn read_lines(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let Ok(read) = tokio::time::timeout(PATIENCE, to_bytes(body, BYTES_MAX)).await else {
        let text = "the lines came too slowly: send fewer at once";
        return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", text));
    };
    let bytes = read.map_err(|_| too_large(BYTES_MAX))?;
    let headers = headers.clone();
    let decoding = tokio::task::spawn_blocking(move || decoded(&headers, bytes, BYTES_MAX));
    let decoded = decoding.await;
    decoded.unwrap_or_else(|_| Err(Problem::invalid("the body cannot be decoded")))
}

/// An entry, or the mistake in a line.
type Line = Result<NewEntry, String>;

/// The entry that `line` says.
fn parse(line: &[u8], new_session: &str) -> Line {
    if line.len() > LINE_BYTES_MAX {
        return Err(format!("longer than {LINE_BYTES_MAX} bytes"));
    }
    let mut object: Map<String, Value> =
        serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let id = match object.remove("entry_id") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(id)) if session_id::encode(&id).is_ok() => id,
        Some(_) => return Err("`entry_id` is no text of 1 to 200 characters".to_owned()),
    };
    let line: LogLine =
        serde_json::from_value(Value::Object(object)).map_err(|error| error.to_string())?;
    let (mut entry, number_by_store) = line.into_entry(new_session)?;
    session_id::encode(&entry.session_id).map_err(|error| error.chain())?;
    entry.entry_id = id;
    Ok(NewEntry {
        entry,
        number_by_store,
    })
}

/// Records `lines` in `store`, and returns the answer to each, and whether none has a mistake.
fn record(
    store: &dyn AuditStore,
    lines: Vec<Line>,
    started: &SessionStarted,
) -> Result<(String, bool)> {
    let mut stored = Stored::new(store);
    let (mut batch, mut places, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for (index, line) in lines.into_iter().enumerate() {
        match line {
            Err(why) => answers.push(json!({"line": index + 1, "error": why})),
            Ok(new) if stored.number_of(&new, None)?.is_some() => answers.push(json!({
                "entry_id": new.entry.entry_id,
                "session_id": new.entry.session_id,
            })),
            Ok(new) => {
                places.push(answers.len());
                answers.push(Value::Null);
                batch.push(new);
            }
        }
    }
    let is_whole = answers.iter().all(|answer| answer.get("error").is_none());
    for session in stored.unknown(&batch)? {
        let event = JournalEvent::SessionStarted(started.clone());
        store.record(Some(&session), event)?;
    }
    if !batch.is_empty() {
        for (place, one) in places.into_iter().zip(store.append(batch)?) {
            answers[place] = serde_json::to_value(&one).map_err(|error| {
                Error::new(ErrorKind::Io, "write the answer").with_source(error)
            })?;
        }
    }
    let lines = answers.iter().map(|answer| format!("{answer}\n"));
    Ok((lines.collect(), is_whole))
}

/// The entries that sessions have, to be compared with those that are sent.
pub(super) struct Stored<'s> {
    store: &'s dyn AuditStore,
    sessions: HashMap<String, HashMap<String, Same>>,
}

/// The entries of one session that have one id.
#[derive(Default)]
struct Same {
    /// Their attempt numbers, in their order.
    numbers: Vec<u64>,
    /// How many were sent until now.
    sent: usize,
}

impl<'s> Stored<'s> {
    pub(super) fn new(store: &'s dyn AuditStore) -> Self {
        Self {
            store,
            sessions: HashMap::new(),
        }
    }

    /// The attempt number of `new` if it is there already: of the entries with its session and id,
    /// the one before which `occurrence` stand, or else as many as were sent before it.
    pub(super) fn number_of(
        &mut self,
        new: &NewEntry,
        occurrence: Option<u64>,
    ) -> Result<Option<u64>> {
        let (session, id) = (&new.entry.session_id, &new.entry.entry_id);
        if id.is_empty() {
            return Ok(None);
        }
        if !self.sessions.contains_key(session) {
            let mut ids: HashMap<String, Same> = HashMap::new();
            self.store.read_trail(session, &mut |entry| {
                let same = ids.entry(entry.entry_id().into_owned()).or_default();
                same.numbers.push(entry.attempt_number());
                Ok(())
            })?;
            self.sessions.insert(session.clone(), ids);
        }
        let ids = self.sessions.entry(session.clone()).or_default();
        let same = ids.entry(id.clone()).or_default();
        let place = match occurrence {
            Some(before) => usize::try_from(before).unwrap_or(usize::MAX),
            None => same.sent,
        };
        same.sent += 1;
        Ok(same.numbers.get(place).copied())
    }

    /// The sessions of `batch` that have not begun.
    fn unknown(&self, batch: &[NewEntry]) -> Result<Vec<String>> {
        let mut sessions: Vec<&String> = batch.iter().map(|new| &new.entry.session_id).collect();
        sessions.sort();
        sessions.dedup();
        let mut unknown = Vec::new();
        for session in sessions {
            if !self.store.is_known(session)? {
                unknown.push(session.clone());
            }
        }
        Ok(unknown)
    }
}
