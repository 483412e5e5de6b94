//! The private texts of entries and records: which they are, and how a box holds them.
//!
//! Plain stays what is counted, listed and undone by: ids, times, numbers, categories, checkpoints,
//! who and where, the types of errors, paths of files that entries name, and those that an undo
//! must leave alone.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::audit::{JournalEvent, JournalRecord};
use crate::encryption::boxes::{self, ELSEWHERE, Place};
use crate::encryption::{Draw, SessionKey};
use crate::entry::RecoveryAuditEntry;

/// The field of a record that has its box.
const PRIVATE: &str = "private";

/// The private texts of an entry.
#[derive(Default, Serialize, Deserialize)]
struct EntryTexts {
    changes_made: Vec<String>,
    error_message: String,
    recovery_message: String,
}

/// Moves the private texts of `entry` into a box.
pub(in crate::audit) fn close_entry(
    entry: &mut RecoveryAuditEntry,
    key: &SessionKey,
    draw: &mut Draw<'_>,
) {
    let texts = EntryTexts {
        changes_made: std::mem::replace(&mut entry.changes_made, vec![ELSEWHERE.to_owned()]),
        error_message: std::mem::take(&mut entry.error_message),
        recovery_message: std::mem::replace(&mut entry.recovery_message, ELSEWHERE.to_owned()),
    };
    let text = serde_json::to_vec(&texts).expect("texts always serialise");
    let text = Zeroizing::new(text);
    entry.error_message = boxes::close(key, place_of(entry), &text, draw);
}

/// The name of the key that closed the box of `entry`; `None` if it has none.
pub(in crate::audit) fn entry_kid(entry: &RecoveryAuditEntry) -> Option<&str> {
    let is_closed = entry.recovery_message == ELSEWHERE && entry.changes_made == [ELSEWHERE];
    boxes::kid(&entry.error_message).filter(|_| is_closed)
}

/// Puts the texts in the box of `entry` back into their places; `None`, and nothing changes, if
/// it is not as it was closed.
pub(super) fn open_entry(entry: &mut RecoveryAuditEntry, key: &SessionKey) -> Option<()> {
    let text = boxes::open(key, place_of(entry), &entry.error_message)?;
    let texts: EntryTexts = serde_json::from_slice(&text).ok()?;
    entry.changes_made = texts.changes_made;
    entry.error_message = texts.error_message;
    entry.recovery_message = texts.recovery_message;
    Some(())
}

fn place_of(entry: &RecoveryAuditEntry) -> Place<'_> {
    Place::Entry {
        session_id: &entry.session_id,
        entry_id: &entry.entry_id,
        timestamp: &entry.timestamp,
    }
}

/// The private fields of a failure, each of them in the field `failure`.
const OF_FAILURE: [&str; 5] = [
    "message",
    "context",
    "stack_trace",
    "file_path",
    "line_number",
];

/// The private fields of `event` besides those of its failure.
fn fields_of(event: &JournalEvent) -> &'static [&'static str] {
    match event {
        JournalEvent::SessionStarted(_) => &["command", "cwd"],
        JournalEvent::FailureDetected(_) | JournalEvent::FailureChanged(_) => {
            &["plan", "skipped", "advice"]
        }
        JournalEvent::AttemptStarted(_) => &["action"],
        // An undo must know what is somebody else's, and what could not be put back.
        JournalEvent::AttemptFinished(_) => &[
            "files_modified",
            "verification_modified",
            "foreign",
            "left_behind",
            "holding_uncovered",
            "moved_aside",
            "protected",
            "left_running",
        ],
        JournalEvent::SessionFinished(_) => &["reason"],
        // Why a trail went or stays is said to whoever looks after the store.
        JournalEvent::SessionCleared(_)
        | JournalEvent::SessionPruned(_)
        | JournalEvent::SessionHeld(_)
        | JournalEvent::SessionReleased(_)
        | JournalEvent::KeysDestroyed(_)
        | JournalEvent::AlertSaid(_)
        | JournalEvent::TrailRemoved(_)
        | JournalEvent::TailQuarantined(_)
        | JournalEvent::Restored(_)
        | JournalEvent::TrailSealed(_)
        | JournalEvent::TrailImported(_)
        | JournalEvent::ChainStarted(_)
        | JournalEvent::SealSigned(_)
        | JournalEvent::SealWitnessed(_)
        | JournalEvent::SealNotPublished(_)
        | JournalEvent::Other => &[],
    }
}

/// The text of `record` with its private fields in a box; `None` if it has none of a session.
pub(in crate::audit) fn close_record(
    record: &JournalRecord,
    key: impl FnOnce(&str) -> crate::error::Result<std::sync::Arc<SessionKey>>,
    draw: &mut Draw<'_>,
) -> crate::error::Result<Option<String>> {
    let fields = fields_of(&record.event);
    let (Some(session_id), false) = (&record.session_id, fields.is_empty()) else {
        return Ok(None);
    };
    let Ok(Value::Object(mut all)) = serde_json::to_value(record) else {
        return Ok(None);
    };
    let mut private = taken(&mut all, fields);
    if let Some(Value::Object(failure)) = all.get_mut("failure") {
        let of_failure = taken(failure, &OF_FAILURE);
        // Readers of every release want a message.
        failure.insert("message".to_owned(), ELSEWHERE.into());
        private.insert("failure".to_owned(), of_failure.into());
    }
    if private.is_empty() {
        return Ok(None);
    }
    let event = event_of(&all).to_owned();
    let place = Place::Record {
        session_id,
        event: &event,
        at: &record.at,
    };
    let text = Zeroizing::new(Value::Object(private).to_string());
    let closed = boxes::close(&*key(session_id)?, place, text.as_bytes(), draw);
    all.insert(PRIVATE.to_owned(), closed.into());
    Ok(Some(Value::Object(all).to_string()))
}

/// Takes out of `all` those of `fields` that say anything.
fn taken(all: &mut Map<String, Value>, fields: &[&str]) -> Map<String, Value> {
    let mut taken = Map::new();
    for field in fields {
        let says = |value: &Value| match value {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
            Value::Bool(_) | Value::Number(_) => true,
        };
        if all.get(*field).is_some_and(says)
            && let Some(value) = all.remove(*field)
        {
            taken.insert((*field).to_owned(), value);
        }
    }
    taken
}

fn event_of(record: &Map<String, Value>) -> &str {
    let event = record.get("event").and_then(Value::as_str);
    event.unwrap_or_default()
}

/// Whether `raw` is the text of a journal record that has a box.
pub(in crate::audit) fn is_closed_record(raw: &[u8]) -> bool {
    ClosedRecord::read(raw).is_some()
}

/// A journal record that has a box, as it was read.
pub(super) struct ClosedRecord(Map<String, Value>);

impl ClosedRecord {
    /// The record whose text is `raw`; `None` if it has no box.
    pub(super) fn read(raw: &[u8]) -> Option<Self> {
        memchr::memmem::find(raw, b"\"private\":\"enc:")?;
        let record = Self(serde_json::from_slice(raw).ok()?);
        record.kid().is_some().then_some(record)
    }

    fn text(&self) -> Option<&str> {
        self.0.get(PRIVATE)?.as_str()
    }

    /// The name of the key that closed it.
    pub(super) fn kid(&self) -> Option<&str> {
        boxes::kid(self.text()?)
    }

    /// Its session.
    pub(super) fn session_id(&self) -> &str {
        let session_id = self.0.get("session_id").and_then(Value::as_str);
        session_id.unwrap_or_default()
    }

    /// The record with what its box holds; `None` if that is not as it was closed.
    pub(super) fn open(mut self, key: &SessionKey) -> Option<JournalRecord> {
        let place = Place::Record {
            session_id: self.session_id(),
            event: event_of(&self.0),
            at: self.0.get("at").and_then(Value::as_str).unwrap_or_default(),
        };
        let text = boxes::open(key, place, self.text()?)?;
        let private: Map<String, Value> = serde_json::from_slice(&text).ok()?;
        put_back(&mut self.0, private);
        serde_json::from_value(Value::Object(self.0)).ok()
    }

    /// The record without what its box holds, whose message is `instead`.
    pub(super) fn unopened(mut self, instead: Option<&str>) -> Option<JournalRecord> {
        let failure = self.0.get_mut("failure").and_then(Value::as_object_mut);
        if let (Some(failure), Some(instead)) = (failure, instead) {
            failure.insert("message".to_owned(), instead.into());
        }
        serde_json::from_value(Value::Object(self.0)).ok()
    }
}

fn put_back(all: &mut Map<String, Value>, private: Map<String, Value>) {
    for (field, value) in private {
        match (all.get_mut(&field), value) {
            (Some(Value::Object(there)), Value::Object(value)) => put_back(there, value),
            (_, value) => drop(all.insert(field, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::audit::{AttemptFinished, FailureDetected, SessionFinished, SessionStarted};
    use crate::failure::Failure;

    fn key() -> SessionKey {
        SessionKey::new(&mut || [5; 32])
    }

    fn closed(event: JournalEvent) -> (JournalRecord, String) {
        let record = JournalRecord {
            v: 1,
            at: "2026-01-01T00:00:00Z".to_owned(),
            session_id: Some("s".to_owned()),
            event,
        };
        let text = close_record(&record, |_| Ok(Arc::new(key())), &mut || [6; 32]);
        (record, text.unwrap().unwrap())
    }

    #[test]
    fn records_are_as_before_once_they_are_opened_and_say_nothing_until_then() {
        let secret = || vec!["planted".to_owned()];
        let mut failure = Failure::new("E1", "planted", "cargo");
        failure.stack_trace = Some("planted".to_owned());
        failure.file_path = Some("planted".to_owned());
        failure.line_number = Some(3);
        failure.context.insert("a".to_owned(), "planted".into());
        let detected = FailureDetected {
            failure: failure.clone(),
            category: "build".parse().unwrap_or(crate::failure::Category::Unknown),
            rule: "r".to_owned(),
            exit_code: Some(1),
            signal: None,
            timed_out: false,
            output_file: None,
            checkpoint: Some("c".to_owned()),
            plan: secret(),
            skipped: secret(),
            advice: None,
        };
        let finished = AttemptFinished {
            failure: Some(failure),
            files_modified: secret(),
            left_running: secret(),
            checkpoint_acted: Some("c".to_owned()),
            ..AttemptFinished::default()
        };
        let events = [
            JournalEvent::SessionStarted(SessionStarted {
                command: Some(secret()),
                cwd: Some("planted".to_owned()),
                project: Some("p".to_owned()),
                ..SessionStarted::default()
            }),
            JournalEvent::FailureDetected(Box::new(detected.clone())),
            JournalEvent::FailureChanged(Box::new(detected)),
            JournalEvent::AttemptFinished(Box::new(finished)),
            JournalEvent::SessionFinished(SessionFinished {
                reason: "planted".to_owned(),
                ..SessionFinished::default()
            }),
        ];
        for event in events {
            let (record, text) = closed(event);
            assert!(!text.contains("planted"), "{text}");
            let plain: JournalRecord = serde_json::from_str(&text).unwrap();
            assert_eq!(plain.at, record.at);
            let read = || ClosedRecord::read(text.as_bytes()).unwrap();
            assert_eq!(read().session_id(), "s");
            assert_eq!(read().open(&key()), Some(record));
            let other = SessionKey::new(&mut || [9; 32]);
            assert_eq!(read().open(&other), None);
            let moved = text.replace("2026-01-01", "2026-01-02");
            let moved = ClosedRecord::read(moved.as_bytes()).unwrap();
            assert_eq!(moved.open(&key()), None);
        }
    }

    #[test]
    fn an_entry_is_as_before_once_it_is_opened() {
        let entry = RecoveryAuditEntry {
            session_id: "s".to_owned(),
            entry_id: "e".to_owned(),
            error_type: "E1".to_owned(),
            error_message: "planted".to_owned(),
            recovery_message: "planted".to_owned(),
            changes_made: vec!["planted".to_owned(); 2],
            ..RecoveryAuditEntry::default()
        };
        let mut closed = entry.clone();
        close_entry(&mut closed, &key(), &mut || [6; 32]);
        assert!(!closed.to_json().contains("planted"));
        assert_eq!(entry_kid(&closed), Some(key().kid()));
        assert_eq!(entry_kid(&entry), None);
        let mut moved = closed.clone();
        moved.entry_id = "f".to_owned();
        assert_eq!(open_entry(&mut moved, &key()), None);
        open_entry(&mut closed, &key()).unwrap();
        assert_eq!(closed, entry);
    }
}
