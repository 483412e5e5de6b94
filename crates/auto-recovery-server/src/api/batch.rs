//! `POST /api/v1/batch`: what a store on another machine has to record, whole entries and journal
//! records, a JSON object a line.
//!
//! All of it may be sent again after a lost answer. An entry is the one that is there if session,
//! id and occurrence are the same, a record if its text is. What only an admin may do, and what
//! only the store itself records, is refused here.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use auto_recovery::audit::{AuditStore, Importer, JournalEvent, JournalLine, NewEntry, session_id};
use auto_recovery::entry::RecoveryAuditEntry;
use auto_recovery::{Error, ErrorKind, Result};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::body_lines::record_lines;
use super::ingest::Stored;
use crate::app::App;
use crate::http::Problem;
use crate::seals::News;

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
    let seals = Arc::clone(&app.seals);
    let recorded = record_lines(&app, (&headers, body), move |store, lines| {
        let items = lines.iter().map(|(number, line)| {
            parse(line).map_err(|why| {
                let text = format!("line {number}: {why}");
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_input", text)
            })
        });
        match items.collect::<Result<Vec<_>, _>>() {
            Ok(items) => {
                let news = news_of(&items);
                let recorded = record(store, items);
                // If something failed, a part may be on record all the same.
                let seal = seals.told(news);
                Ok(Ok((recorded?, seal)))
            }
            Err(problem) => Ok(Err(problem)),
        }
    });
    let (answers, seal) = recorded.await?;
    app.seals.until(seal).await;
    let mut lines = String::new();
    for one in answers {
        let _never_fails = writeln!(lines, "{one}");
    }
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

/// What `items` are to those who seal.
fn news_of(items: &[Item]) -> News {
    let mut news = News::default();
    for item in items {
        let (session, sessions) = match item {
            Item::Entry(new, _) => (Some(&new.entry.session_id), &mut news.others),
            Item::Record(line) => {
                let record = line.record();
                let sessions = match record.event {
                    JournalEvent::AttemptStarted(_) => &mut news.started,
                    JournalEvent::SessionFinished(_) => &mut news.ended,
                    _ => &mut news.others,
                };
                (record.session_id.as_ref(), sessions)
            }
        };
        add(sessions, session);
    }
    news
}

fn add(sessions: &mut BTreeSet<String>, session: Option<&String>) {
    if let Some(session) = session
        && !sessions.contains(session)
    {
        sessions.insert(session.clone());
    }
}

/// Records `items` in `store`, and returns the answer to each.
fn record(store: &dyn AuditStore, items: Vec<Item>) -> Result<Vec<Value>> {
    let mut stored = Stored::new(store);
    let mut records = Records::of(store);
    let mut answers = Vec::new();
    let mut entries: Vec<(usize, NewEntry)> = Vec::new();
    for item in items {
        match item {
            Item::Entry(new, occurrence) => {
                if let Some(number) = stored.number_of(&new, occurrence)? {
                    answers.push(acknowledged(&new.entry, number));
                    continue;
                }
                records.add_waiting()?;
                entries.push((answers.len(), *new));
                answers.push(Value::Null);
                if entries.len() == ENTRIES_MAX {
                    append(store, &mut entries, &mut answers)?;
                }
            }
            Item::Record(line) => {
                // What came before it is there before it.
                append(store, &mut entries, &mut answers)?;
                records.push(*line);
                answers.push(json!({"recorded": true}));
            }
        }
    }
    append(store, &mut entries, &mut answers)?;
    records.add_waiting()?;
    Ok(answers)
}

/// The records of a batch. Those that come one after the other are added together, and the journal
/// is read once to know which are there: it has all that ever happened.
struct Records<'s> {
    store: &'s dyn AuditStore,
    importer: Option<Box<dyn Importer + 's>>,
    waiting: Vec<JournalLine>,
    /// Texts that came: the second of two that are the same is the first.
    came: HashSet<String>,
}

impl<'s> Records<'s> {
    fn of(store: &'s dyn AuditStore) -> Self {
        Self {
            store,
            importer: None,
            waiting: Vec::new(),
            came: HashSet::new(),
        }
    }

    fn push(&mut self, line: JournalLine) {
        if self.came.insert(line.json().to_owned()) {
            self.waiting.push(line);
        }
    }

    /// Adds those that wait.
    fn add_waiting(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let importer = match &mut self.importer {
            Some(importer) => importer,
            none => none.insert(self.store.importer()?),
        };
        importer.records(&self.waiting)?;
        self.waiting.clear();
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io;
    use std::path::Path;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use auto_recovery::audit::Recorder;
    use auto_recovery::host::SystemHost;
    use auto_recovery::jsonl::{FileIo, JsonlOptions, JsonlStore};

    use super::*;

    /// Counts how often somebody begins to take over what others recorded: each of them reads the
    /// journal.
    #[derive(Default)]
    struct Turns(AtomicUsize);

    impl FileIo for Turns {
        fn open_append(&self, path: &Path) -> io::Result<File> {
            let is_turn = path.ends_with("import.lock");
            self.0.fetch_add(usize::from(is_turn), Ordering::SeqCst);
            auto_recovery::jsonl::SystemIo.open_append(path)
        }
    }

    #[test]
    fn the_journal_is_read_once_a_batch_and_the_order_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let turns = Arc::new(Turns::default());
        let io: Arc<dyn FileIo> = Arc::<Turns>::clone(&turns);
        let recorder = Recorder::new(Arc::new(SystemHost::new()));
        let store = JsonlStore::open_with_io(dir.path(), JsonlOptions::default(), recorder, io);
        let store = store.unwrap();
        let record_of = |number: usize| {
            let text = json!({"record": {
                "v": 1, "at": "2026-01-02T03:04:05.000Z", "session_id": "s",
                "event": "session_started", "project": format!("p{number}"),
            }});
            parse(text.to_string().as_bytes()).unwrap()
        };
        let entry_of = |number: usize| {
            let text = json!({"entry": {
                "entry_id": format!("e{number}"), "session_id": "s", "timestamp": "",
                "error_type": "E", "error_message": "", "strategy": "fix",
                "attempt_number": number, "changes_made": [], "files_modified": [],
                "success": false, "rollback_performed": false, "next_action": "continue",
                "duration_seconds": 0.0, "recovery_message": "",
            }});
            parse(text.to_string().as_bytes()).unwrap()
        };
        let items = || {
            let each = (1..=10).map(|number| {
                let twice = [record_of(number), record_of(number)];
                twice.into_iter().chain([entry_of(number)])
            });
            each.flatten().collect::<Vec<_>>()
        };
        let first = record(&store, items()).unwrap();
        assert_eq!((first.len(), turns.0.load(Ordering::SeqCst)), (30, 1));
        assert_eq!(record(&store, items()).unwrap(), first);
        assert_eq!(turns.0.load(Ordering::SeqCst), 2);
        let mut projects = Vec::new();
        let mut visit = |record: auto_recovery::audit::JournalRecord| {
            if let JournalEvent::SessionStarted(started) = record.event {
                projects.push(started.project.unwrap_or_default());
            }
            Ok(())
        };
        store.read_journal(Some("s"), &mut visit).unwrap();
        let expected: Vec<String> = (1..=10).map(|number| format!("p{number}")).collect();
        assert_eq!(projects, expected);
        assert_eq!(store.statistics("s").unwrap().total_attempts, 10);
    }
}
