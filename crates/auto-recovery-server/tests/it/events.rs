//! The stream on the wire.

use crate::client::Stream;
use crate::machine::{Kind, Machine, entry, started};

#[test]
fn events_come_as_they_happen_with_their_session_and_project() {
    for kind in Kind::ALL {
        let machine = Machine::new(kind);
        let store = machine.store();
        store.append(vec![entry("before", 1)]).unwrap();
        let server = machine.start();
        let mut all = server.lines("/api/v1/events");
        let mut of_one = server.lines("/api/v1/events?session=b");
        let mut of_project = server.lines("/api/v1/events?project=p");
        store.record(Some("a"), started("p")).unwrap();
        let appended = store.append(vec![entry("a", 1)]).unwrap();
        store.append(vec![entry("b", 1)]).unwrap();
        let first = all.row().unwrap();
        assert_eq!(
            (&*first["event"].to_string(), &first["session_id"]),
            ("\"journal\"", &"a".into())
        );
        assert_eq!(first["record"]["event"], "session_started");
        let second = all.row().unwrap();
        assert_eq!(
            second["entry"]["entry_id"], *appended[0].entry_id,
            "{kind:?}"
        );
        assert_eq!(second["project"], "p");
        assert_eq!(all.row().unwrap()["session_id"], "b");
        assert_eq!(of_one.row().unwrap()["session_id"], "b");
        assert_eq!(of_project.row().unwrap()["event"], "journal");
        assert_eq!(of_project.row().unwrap()["event"], "entry");
    }
}

#[test]
fn one_session_is_told_in_the_order_of_its_times() {
    let machine = Machine::new(Kind::Jsonl);
    let store = machine.store();
    let server = machine.start();
    let first = server.lines("/api/v1/events").first;
    let cursor = first["at"].as_str().unwrap();
    server.end();
    store.record(Some("s"), started("p")).unwrap();
    for number in 1..4 {
        store.append(vec![entry("s", number)]).unwrap();
        store.record(Some("s"), started("p")).unwrap();
    }
    let server = machine.start();
    let mut stream = server.lines(&format!("/api/v1/events?after={cursor}"));
    let rows: Vec<_> = (0..7).map(|_| stream.row().unwrap()).collect();
    let time = |row: &serde_json::Value| {
        let time = row["entry"]["timestamp"].as_str();
        time.or(row["record"]["at"].as_str()).unwrap().to_owned()
    };
    assert!(rows.is_sorted_by_key(time), "{rows:?}");
    assert!(rows.iter().all(|row| row["project"] == "p"), "{rows:?}");
}

#[test]
fn a_cursor_goes_on_where_it_was_also_with_another_server() {
    let machine = Machine::new(Kind::Sqlite);
    let store = machine.store();
    let server = machine.start();
    let mut stream = server.lines("/api/v1/events");
    store.append(vec![entry("s", 1)]).unwrap();
    let first = stream.row().unwrap()["id"].as_str().unwrap().to_owned();
    server.end();
    store.append(vec![entry("s", 2), entry("t", 1)]).unwrap();
    let server = machine.start();
    let mut by_query = server.lines(&format!("/api/v1/events?after={first}"));
    let numbers: Vec<_> = (0..2)
        .map(|_| by_query.row().unwrap()["session_id"].clone())
        .collect();
    assert_eq!(numbers, ["s", "t"]);
    let token = server.bearer();
    let last = format!("Last-Event-ID: {first}");
    let mut by_header = Stream::open(server.address, "/api/v1/events", &[&token, &last]);
    assert!(
        by_header.head.contains("text/event-stream"),
        "{}",
        by_header.head
    );
    assert!(by_header.head.contains("x-accel-buffering: no"));
    let mut lines = vec![by_header.line().unwrap()];
    assert_eq!(lines[0], "event: hello");
    // The first server sealed what there was when it ended, which is told too.
    while lines.last().unwrap() != "event: entry" {
        lines.push(by_header.line().unwrap());
    }
    assert!(lines[lines.len() - 2].starts_with("id: "), "{lines:?}");
    assert!(by_header.line().unwrap().starts_with("data: {\"id\":"));
    let mut last_of_all = server.lines("/api/v1/events?last=1");
    assert_eq!(last_of_all.row().unwrap()["session_id"], "t");
}

#[test]
fn a_cursor_that_is_lost_is_reset_and_never_a_silent_gap() {
    let machine = Machine::new(Kind::Jsonl);
    let server = machine.start();
    for cursor in ["00000000.1", "x", "", "999999", "-1"] {
        let token = server.bearer();
        let last = format!("Last-Event-ID: {cursor}");
        let accept = "Accept: application/x-ndjson";
        let mut stream = Stream::open(server.address, "/api/v1/events", &[&token, &last, accept]);
        let first = stream.json().unwrap();
        assert_eq!(first["event"], "reset", "{cursor}");
        assert!(first.get("id").is_none());
    }
}

#[test]
fn what_is_cleared_is_gone_from_the_feed_as_well() {
    for kind in Kind::ALL {
        let machine = Machine::new(kind);
        let store = machine.store();
        let server = machine.start();
        let mut stream = server.lines("/api/v1/events");
        let mut secret = entry("s", 1);
        secret.entry.recovery_message = "a thing that nobody is to know".to_owned();
        store.append(vec![secret]).unwrap();
        assert_eq!(stream.row().unwrap()["event"], "entry");
        store.clear("s").unwrap();
        let mut events: Vec<_> = (0..2)
            .map(|_| stream.row().unwrap()["event"].to_string())
            .collect();
        events.sort();
        assert_eq!(events, ["\"journal\"", "\"removed\""], "{kind:?}");
        let mut again = server.lines("/api/v1/events?last=10");
        let entry = again.row().unwrap();
        assert_eq!(
            (&entry["event"], &entry["entry"]),
            (&"entry".into(), &serde_json::Value::Null)
        );
        let page = server.get("/live").text();
        assert!(!page.contains("nobody is to know"));
    }
}

#[test]
fn wrong_questions_are_refused() {
    let machine = Machine::new(Kind::Jsonl);
    let server = machine.start();
    for query in [
        "last=x",
        "last=1001",
        "last=-1",
        "nothing=1",
        "after=a&after=b",
    ] {
        let answer = server.ask(&format!("GET /api/v1/events?{query}"), &[]);
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
    }
}
