//! `POST /api/v1/batch`: what a store on another machine has to record, whole entries and journal
//! records, a JSON object a line.
//!
//! All of it may be sent again after a lost answer. An entry is the one that is there if session,
//! id and occurrence are the same, a record if its text is. What only an admin may do, and what
//! only the store itself records, is refused here.

use std::sync::Arc;

use auto_recovery::audit::{AuditStore, JournalEvent, JournalLine, NewEntry, session_id};
use auto_recovery::entry::RecoveryAuditEntry;
use auto_recovery::{Error, ErrorKind, Result};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::ingest::{Stored, read_lines};
use crate::app::App;
use crate::http::Problem;

/// Entries that are appended together.
const ENTRIES_MAX: usize = 1000;

/// A line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'l> {
    #[serde(borrow)]
    entry: Option<&'l RawValue>,
    /// Whether the store gives its number.
    #[serde(default)]
    number_by_store: bool,
    /// How many entries of its session with its id stand before it; as many as came before it here
    /// if nothing is said.
    occurrence: Option<u64>,
    #[serde(borrow)]
    record: Option<&'l RawValue>,
}

/// What a line says.
enum Item {
    Entry(Box<NewEntry>, Option<u64>),
    Record(Box<JournalLine>),
}

/// Records the lines of the body in order, and acknowledges each once all are durable. If one has a
/// mistake, nothing is recorded.
pub(crate) async fn batch(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let bytes = read_lines(&headers, body).await?;
    let lines = bytes.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.trim_ascii().is_empty());
    let mut items = Vec::new();
    for (index, line) in lines.enumerate() {
        let item = parse(line).map_err(|why| {
            let text = format!("line {}: {why}", index + 1);
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_input", text)
        })?;
        items.push(item);
    }
    let turn = Arc::clone(&app.ingests).lock_owned().await;
    let answers = app.of_store(move |store| {
        let answers = record(store, items);
        drop(turn);
        answers
    });
    let lines: String = answers
        .await?
        .iter()
        .map(|one| format!("{one}\n"))
        .collect();
    let kind = HeaderValue::from_static("application/x-ndjson");
    Ok(([(header::CONTENT_TYPE, kind)], lines).into_response())
}

fn parse(line: &[u8]) -> Result<Item, String> {
    let wrong = |error: serde_json::Error| error.to_string();
    // A list would be taken for the fields in their order.
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err("it is no JSON object".to_owned());
    }
    let line: Line<'_> = serde_json::from_slice(line).map_err(wrong)?;
    match (line.entry, line.record) {
        (Some(entry), None) => {
            let entry =
                RecoveryAuditEntry::from_json(entry.get()).map_err(|error| error.chain())?;
            session_id::encode(&entry.session_id).map_err(|error| error.chain())?;
            let new = NewEntry {
                entry,
                number_by_store: line.number_by_store,
            };
            Ok(Item::Entry(Box::new(new), line.occurrence))
        }
        (None, Some(record)) => {
            let record = JournalLine::taken_over(record.get().as_bytes());
            let record = record.map_err(|error| error.chain())?;
            if let Some(id) = &record.record().session_id {
                session_id::encode(id).map_err(|error| error.chain())?;
            }
            check_event(&record.record().event, &record.event())?;
            Ok(Item::Record(Box::new(record)))
        }
        _ => Err("it has one of `entry` and `record`".to_owned()),
    }
}

/// That somebody who records may say that `event` happened.
fn check_event(event: &JournalEvent, name: &str) -> Result<(), String> {
    match event {
        JournalEvent::SessionStarted(_)
        | JournalEvent::FailureDetected(_)
        | JournalEvent::FailureChanged(_)
        | JournalEvent::AttemptStarted(_)
        | JournalEvent::AttemptFinished(_)
        | JournalEvent::SessionFinished(_)
        | JournalEvent::Restored(_) => Ok(()),
        JournalEvent::Other => Err(format!(
            "this server does not know the event {name:?}: it is to be as new as its clients"
        )),
        _ => Err(format!(
            "the event {name:?} is not recorded by those who record attempts"
        )),
    }
}

/// Records `items` in `store`, and returns the answer to each.
fn record(store: &dyn AuditStore, items: Vec<Item>) -> Result<Vec<Value>> {
    let mut stored = Stored::new(store);
    let mut answers = Vec::new();
    let mut entries: Vec<(usize, NewEntry)> = Vec::new();
    for item in items {
        match item {
            Item::Entry(new, occurrence) => {
                if let Some(number) = stored.number_of(&new, occurrence)? {
                    answers.push(acknowledged(&new.entry, number));
                    continue;
                }
                entries.push((answers.len(), *new));
                answers.push(Value::Null);
                if entries.len() == ENTRIES_MAX {
                    append(store, &mut entries, &mut answers)?;
                }
            }
            Item::Record(line) => {
                // What came before it is there before it.
                append(store, &mut entries, &mut answers)?;
                store.importer()?.records(std::slice::from_ref(&line))?;
                answers.push(json!({"recorded": true}));
            }
        }
    }
    append(store, &mut entries, &mut answers)?;
    Ok(answers)
}

fn append(
    store: &dyn AuditStore,
    entries: &mut Vec<(usize, NewEntry)>,
    answers: &mut [Value],
) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let (places, batch): (Vec<usize>, Vec<NewEntry>) = entries.drain(..).unzip();
    let appended = store.append(batch)?;
    if appended.len() != places.len() {
        let text = "the store did not acknowledge each entry";
        return Err(Error::new(ErrorKind::Io, text));
    }
    for (place, one) in places.into_iter().zip(appended) {
        answers[place] = json!({
            "entry_id": one.entry_id,
            "session_id": one.session_id,
            "attempt_number": one.attempt_number,
        });
    }
    Ok(())
}

fn acknowledged(entry: &RecoveryAuditEntry, number: u64) -> Value {
    json!({
        "entry_id": entry.entry_id,
        "session_id": entry.session_id,
        "attempt_number": number,
    })
}
