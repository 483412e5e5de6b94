//! What stores on other machines record and read: whole entries, journal records, whole trails.

use auto_recovery::audit::JournalEvent;
use auto_recovery_server::Scope;
use serde_json::{Value, json};

use crate::client::ask;
use crate::machine::{Kind, Machine, Running, entry, started};

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

pub(crate) fn send(server: &Running, body: &[Value]) -> (u16, String) {
    let body: String = body.iter().map(|line| format!("{line}\n")).collect();
    let answer = server.send("POST /api/v1/batch", &[], body.as_bytes());
    (answer.status, answer.text())
}

pub(crate) fn entry_line(session: &str, id: &str, more: Value) -> Value {
    let mut new = entry(session, 7).entry;
    new.entry_id = id.to_owned();
    new.timestamp = "2026-01-02T03:04:05.000Z".to_owned();
    let mut line = json!({"entry": serde_json::from_str::<Value>(&new.to_json()).unwrap()});
    line.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    line
}

pub(crate) fn record_line(session: &str, event: Value) -> Value {
    let mut record = json!({"v": 1, "at": "2026-01-02T03:04:05.000Z", "session_id": session});
    record
        .as_object_mut()
        .unwrap()
        .extend(event.as_object().unwrap().clone());
    json!({"record": record})
}

#[test]
fn a_batch_is_recorded_once_however_often_it_is_sent() {
    for kind in Kind::ALL {
        let machine = Machine::new(kind);
        let store = machine.store();
        let server = machine.start();
        let counted = json!({"number_by_store": true});
        let batch = [
            record_line("s", json!({"event": "session_started", "project": "p"})),
            entry_line("s", "e1", counted.clone()),
            entry_line("s", "e2", counted.clone()),
            entry_line("s", "e1", counted),
            record_line(
                "s",
                json!({"event": "session_finished", "outcome": "escalated"}),
            ),
        ];
        let (status, first) = send(&server, &batch);
        assert_eq!(status, 200, "{first}");
        let numbers: Vec<Value> = lines(&first)
            .iter()
            .map(|one| one["attempt_number"].clone())
            .collect();
        assert_eq!(
            numbers,
            [json!(null), json!(1), json!(2), json!(3), json!(null)]
        );
        assert_eq!(send(&server, &batch), (200, first), "{kind:?}");
        assert_eq!(store.statistics("s").unwrap().total_attempts, 3);
        let another = entry_line("s", "e1", json!({"number_by_store": true, "occurrence": 2}));
        for _ in 0..2 {
            let (_, text) = send(&server, std::slice::from_ref(&another));
            assert_eq!(lines(&text)[0]["attempt_number"], 4);
        }
        let read = lines(&server.get("/api/v1/sessions/s/trail").text());
        let ids: Vec<&Value> = read.iter().map(|one| &one["entry"]["entry_id"]).collect();
        assert_eq!(ids[..4], ["e1", "e2", "e1", "e1"]);
        assert_eq!(read[4], json!({"end": true}));
        store.clear("s").unwrap();
        let journal = lines(&server.get("/api/v1/journal?session=s").text());
        let events = journal.iter().map(|one| &one["record"]["event"]);
        // The server seals beside it.
        let events: Vec<&Value> = events.filter(|event| **event != "trail_sealed").collect();
        assert_eq!(
            events[..3],
            ["session_started", "session_finished", "session_cleared"]
        );
        assert_eq!(
            lines(&server.get("/api/v1/sessions/s/trail").text()).len(),
            1
        );
    }
}

#[test]
fn a_batch_with_a_mistake_changes_nothing() {
    let machine = Machine::new(Kind::Jsonl);
    let store = machine.store();
    let server = machine.start();
    let good = entry_line("s", "e1", json!({}));
    for bad in [
        json!("nonsense"),
        json!([]),
        json!({}),
        json!({"entry": {}}),
        json!({"entry": {}, "record": {}}),
        json!({"record": {"v": 1}}),
        record_line("a\nb", json!({"event": "session_started"})),
        record_line("s", json!({"event": "session_held"})),
        record_line("s", json!({"event": "session_cleared", "entries": 1})),
        record_line("s", json!({"event": "something_new"})),
        entry_line("", "e", json!({})),
        entry_line("s", "e", json!({"bogus": 1})),
    ] {
        let (status, text) = send(&server, &[good.clone(), bad.clone()]);
        assert_eq!(status, 422, "{bad}: {text}");
        assert!(text.contains("line 2: "), "{text}");
    }
    assert!(store.sessions().unwrap().is_empty());
    let (_, token) = machine.tokens().add(None, Scope::Read).unwrap();
    let bearer = format!("Authorization: Bearer {token}");
    let refused = ask(server.address, "POST /api/v1/batch", &[&bearer], b"");
    assert_eq!(refused.status, 403);
}

#[test]
fn all_that_a_store_knows_of_a_session_is_told_where_that_is_asked() {
    let machine = Machine::new(Kind::Sqlite);
    let store = machine.store();
    store.record(Some("s"), started("p")).unwrap();
    store.append(vec![entry("s", 1)]).unwrap();
    let held = JournalEvent::SessionHeld(Default::default());
    store.record(Some("s"), held).unwrap();
    let server = machine.start();
    let plain = server.get("/api/v1/sessions").json();
    assert!(plain["items"][0].get("bytes").is_none());
    let whole = server.get("/api/v1/sessions?whole=1").json();
    let session = &whole["items"][0];
    assert!(
        session["bytes"].as_u64().unwrap() > 100 && session["held"].is_object(),
        "{session}"
    );
    assert_eq!(server.ask("GET /api/v1/sessions?whole=2", &[]).status, 400);
}
