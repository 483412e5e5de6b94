//! `POST /api/v1/entries`: attempts that other programs made, a JSON object a line.
//!
//! A line that says its session and an `entry_id` may be sent again after a lost answer: what is
//! there already is acknowledged and not added again.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use auto_recovery::audit::{
    AuditStore, JournalEvent, NewEntry, Removal, SessionStarted, session_id,
};
use auto_recovery::entry::LogLine;
use auto_recovery::host::new_id;
use auto_recovery::{Error, ErrorKind, Result};
use axum::body::Body;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::body_lines::{Numbered, record_lines};
use crate::app::App;
use crate::http::{Caller, Problem, Query};
use crate::seals::News;

/// The longest line, as that of the command.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Lines with a mistake that are told; the others are counted.
const MISTAKES_MAX: usize = 100;

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
    let new_session = new_id("session");
    let seals = Arc::clone(&app.seals);
    let recorded = record_lines(&app, (&headers, body), move |store, lines| {
        let told = Told::of(lines, &new_session);
        let news = told.news();
        let recorded = record(store, told, &started);
        seals.told(news);
        Ok(Ok(recorded?))
    });
    let (answers, is_whole) = recorded.await?;
    let status = if is_whole {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let kind = HeaderValue::from_static("application/x-ndjson");
    Ok((status, [(header::CONTENT_TYPE, kind)], answers).into_response())
}

/// An entry, or the mistake in a line.
type Line = Result<NewEntry, String>;

/// What a body says.
#[derive(Default)]
struct Told {
    /// Its entries, and the first mistakes with the numbers of their lines, in order.
    lines: Vec<(usize, Line)>,
    mistakes: usize,
}

impl Told {
    fn of(lines: &[Numbered<'_>], new_session: &str) -> Self {
        let mut told = Self::default();
        for (number, line) in lines {
            let line = parse(line, new_session);
            told.mistakes += usize::from(line.is_err());
            if line.is_ok() || told.mistakes <= MISTAKES_MAX {
                told.lines.push((*number, line));
            }
        }
        told
    }

    /// What it is to those who seal.
    fn news(&self) -> News {
        let lines = self.lines.iter().filter_map(|(_, line)| line.as_ref().ok());
        News {
            others: lines.map(|new| new.entry.session_id.clone()).collect(),
            ..News::default()
        }
    }
}

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
    check_session_id(&entry.session_id)?;
    entry.entry_id = id;
    Ok(NewEntry {
        entry,
        number_by_store,
    })
}

/// That `id` can be one, and part of an address. A store of another machine is not asked for the
/// latter: what it recorded is to stay.
fn check_session_id(id: &str) -> Result<(), String> {
    session_id::encode(id).map_err(|error| error.chain())?;
    if matches!(id, "." | "..") {
        let why = "cannot be part of an address: browsers and proxies take it for a place";
        return Err(format!("session id {id:?} {why}"));
    }
    Ok(())
}

/// Records what was told in `store`, and returns the answer to each line, and whether none has a
/// mistake.
fn record(store: &dyn AuditStore, told: Told, started: &SessionStarted) -> Result<(String, bool)> {
    let mut stored = Stored::new(store);
    let (mut batch, mut places, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for (number, line) in told.lines {
        match line {
            Err(why) => answers.push(json!({"line": number, "error": why})),
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
    let begun = stored.unknown(&batch)?;
    for session in &begun {
        let event = JournalEvent::SessionStarted(started.clone());
        store.record(Some(session), event)?;
    }
    if !batch.is_empty() {
        let appended = store.append(batch);
        let appended = appended.inspect_err(|_| forget(store, &begun, started))?;
        for (place, one) in places.into_iter().zip(appended) {
            answers[place] = serde_json::to_value(&one).map_err(|error| {
                Error::new(ErrorKind::Io, "write the answer").with_source(error)
            })?;
        }
    }
    if let Some(more @ 1..) = told.mistakes.checked_sub(MISTAKES_MAX) {
        let why = format!("{more} more lines have a mistake: mend those that are told first");
        answers.push(json!({"more": more, "error": why}));
    }
    let mut text = String::new();
    for answer in answers {
        let _never_fails = writeln!(text, "{answer}");
    }
    Ok((text, told.mistakes == 0))
}

/// Removes those of `begun` that got no entry: nobody could tell what they are about. One that
/// cannot be removed gets its entries when they are sent again.
fn forget(store: &dyn AuditStore, begun: &[String], started: &SessionStarted) {
    let by = started.user.clone().unwrap_or_default();
    for session in begun {
        let mut is_empty = true;
        let read = store.read_trail(session, &mut |_| {
            is_empty = false;
            Ok(())
        });
        if is_empty && read.is_ok() {
            let _stays = store.remove(session, &Removal::ClearedBy(by.clone()));
        }
    }
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use auto_recovery::audit::Recorder;
    use auto_recovery::host::SystemHost;
    use auto_recovery::jsonl::{FileIo, JsonlOptions, JsonlStore, SystemIo};
    use auto_recovery::testing::{Effect, Fault, FaultyIo, Operation};

    use super::*;

    fn store(dir: &Path, io: Arc<dyn FileIo>) -> JsonlStore {
        let recorder = Recorder::new(Arc::new(SystemHost::new()));
        JsonlStore::open_with_io(dir, JsonlOptions::default(), recorder, io).unwrap()
    }

    #[test]
    fn the_first_mistakes_are_told_and_the_others_are_counted() {
        let good = br#"{"strategy":"fix","success":true,"error_type":"E"}"#;
        let mut lines: Vec<Numbered<'_>> =
            (1..=30_000).map(|number| (number, &b"{}"[..])).collect();
        lines.push((30_001, good));
        let told = Told::of(&lines, "s");
        assert_eq!(told.mistakes, 30_000);
        assert_eq!(told.lines.len(), MISTAKES_MAX + 1);
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path(), Arc::new(SystemIo));
        let (text, is_whole) = record(&store, told, &SessionStarted::default()).unwrap();
        let answers: Vec<&str> = text.lines().collect();
        assert!(!is_whole);
        assert_eq!(answers.len(), MISTAKES_MAX + 2);
        assert!(
            answers[99].starts_with("{\"line\":100,\"error\":"),
            "{}",
            answers[99]
        );
        assert!(
            answers[100].contains("\"session_id\":\"s\""),
            "{}",
            answers[100]
        );
        assert!(answers[101].contains("\"more\":29900"), "{}", answers[101]);
        assert_eq!(store.statistics("s").unwrap().total_attempts, 1);
    }

    #[test]
    fn a_disk_that_is_full_leaves_no_session_without_entries() {
        let dir = tempfile::tempdir().unwrap();
        let io = Arc::new(FaultyIo::new());
        let store = store(dir.path(), Arc::<FaultyIo>::clone(&io));
        let line = br#"{"session_id":"s","strategy":"fix","success":true,"error_type":"E"}"#;
        // The first write is that the session begins, the second its first entry.
        io.fail(Fault {
            operation: Operation::Write,
            nth: 1,
            and_all_after: false,
            errno: 28,
            effect: Effect::None,
        });
        let told = Told::of(&[(1, &line[..])], "n");
        let error = record(&store, told, &SessionStarted::default()).unwrap_err();
        assert_eq!(
            (error.kind(), io.hits()),
            (ErrorKind::NoSpace, 1),
            "{error}"
        );
        assert_eq!(store.sessions().unwrap().len(), 0);
        let told = Told::of(&[(1, &line[..])], "n");
        record(&store, told, &SessionStarted::default()).unwrap();
        assert_eq!(store.statistics("s").unwrap().total_attempts, 1);
        let told = Told::of(
            &[(
                1,
                &br#"{"session_id":"..","strategy":"fix","success":true,"error_type":"E"}"#[..],
            )],
            "n",
        );
        assert_eq!(told.mistakes, 1);
    }
}
