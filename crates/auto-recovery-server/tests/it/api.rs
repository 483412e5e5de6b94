//! The API for programs.

use std::io::{Read as _, Write as _};

use auto_recovery::audit::{AuditStore, JournalEvent, SessionFinished, SessionOutcome};
use auto_recovery::statistics::{AggregateQuery, Dimension};

use crate::machine::{Kind, Machine, entry, started};

fn fill(store: &dyn AuditStore) {
    for number in 0..7 {
        let id = format!("s{number}");
        let project = if number % 2 == 0 { "even" } else { "odd" };
        store.record(Some(&id), started(project)).unwrap();
        store
            .append(
                (1..=number + 1)
                    .map(|attempt| entry(&id, attempt))
                    .collect(),
            )
            .unwrap();
        let outcome = if number == 3 {
            SessionOutcome::Escalated
        } else {
            SessionOutcome::Recovered
        };
        let finished = SessionFinished {
            outcome,
            ..SessionFinished::default()
        };
        store
            .record(Some(&id), JournalEvent::SessionFinished(finished))
            .unwrap();
    }
}

#[test]
fn pages_of_sessions_join_to_the_list_of_the_store() {
    for kind in Kind::ALL {
        let machine = Machine::new(kind);
        let store = machine.store();
        fill(&*store);
        let server = machine.start();
        let expected: Vec<_> = store
            .sessions()
            .unwrap()
            .iter()
            .map(|one| serde_json::to_value(one).unwrap())
            .collect();
        for limit in [1, 2, 3, 7, 100] {
            let mut found = Vec::new();
            let mut after = String::new();
            loop {
                let page = server
                    .get(&format!("/api/v1/sessions?limit={limit}{after}"))
                    .json();
                let items = page["items"].as_array().unwrap().clone();
                assert!(items.len() <= limit);
                found.extend(items);
                match page["next"].as_str() {
                    Some(next) => after = format!("&after={next}"),
                    None => break,
                }
            }
            assert_eq!(found, expected, "{kind:?} {limit}");
        }
        let of = |query: &str| {
            let page = server.get(&format!("/api/v1/sessions?{query}")).json();
            page["items"].as_array().unwrap().len()
        };
        assert_eq!(of("project=even"), 4);
        assert_eq!(of("outcome=escalated&limit=1"), 1);
        assert_eq!(of("outcome=escalated&project=even"), 0);
        assert_eq!((of("since=1h"), of("until=1h"), of("id=s6")), (7, 0, 1));
    }
}

#[test]
fn a_session_has_its_entries_its_journal_and_its_sums() {
    let machine = Machine::new(Kind::Sqlite);
    let store = machine.store();
    fill(&*store);
    let strange = "a/b ?#%ä";
    store.append(vec![entry(strange, 1)]).unwrap();
    let server = machine.start();
    let session = server.get("/api/v1/sessions/s4").json();
    assert_eq!(
        (&session["project"], &session["total_attempts"]),
        (&"even".into(), &5.into())
    );
    let first = server.get("/api/v1/sessions/s4/entries?limit=2").json();
    assert_eq!(
        (first["items"].as_array().unwrap().len(), &first["next"]),
        (2, &"2".into())
    );
    let rest = server
        .get("/api/v1/sessions/s4/entries?limit=3&after=2")
        .json();
    assert_eq!(
        (&rest["items"][0]["attempt_number"], &rest["next"]),
        (&3.into(), &serde_json::Value::Null)
    );
    let journal = server.get("/api/v1/sessions/s4/journal").json();
    assert_eq!(journal["items"][0]["event"], "session_started");
    let sums = server.get("/api/v1/sessions/s4/statistics").text();
    let expected = serde_json::to_string_pretty(&store.statistics("s4").unwrap()).unwrap();
    assert_eq!(sums, expected + "\n");
    let encoded = "a%2Fb%20%3F%23%25%C3%A4";
    let found = server.get(&format!("/api/v1/sessions/{encoded}")).json();
    assert_eq!(found["session_id"], strange);
    assert!(
        server
            .get(&format!("/sessions/{encoded}"))
            .text()
            .contains("a/b ?#%ä")
    );
    for path in ["", "/entries", "/journal", "/statistics"] {
        let answer = server.ask(&format!("GET /api/v1/sessions/nobody{path}"), &[]);
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.json()["type"], "/errors/not_found");
    }
}

#[test]
fn sums_are_those_of_the_store_byte_for_byte() {
    let machine = Machine::new(Kind::Jsonl);
    let store = machine.store();
    fill(&*store);
    let server = machine.start();
    for (by, parameter) in [
        (vec![], ""),
        (vec![Dimension::Strategy], "?by=strategy"),
        (vec![Dimension::Project, Dimension::Day], "?by=project,day"),
    ] {
        let query = AggregateQuery {
            by,
            ..AggregateQuery::default()
        };
        let document = store.aggregate(&query).unwrap().document(&query).unwrap();
        let expected = serde_json::to_string_pretty(&document).unwrap() + "\n";
        assert_eq!(
            server.get(&format!("/api/v1/stats{parameter}")).text(),
            expected
        );
    }
    for query in ["by=nothing", "by=day,day", "since=yesterday", "x=1"] {
        assert_eq!(
            server
                .ask(&format!("GET /api/v1/stats?{query}"), &[])
                .status,
            400,
            "{query}"
        );
    }
}

#[test]
fn lines_are_recorded_once_however_often_they_are_sent() {
    for kind in Kind::ALL {
        let machine = Machine::new(kind);
        let store = machine.store();
        let server = machine.start();
        let line = |session: &str, id: &str| {
            format!(
                "{{\"session_id\":\"{session}\",\"entry_id\":\"{id}\",\"strategy\":\"fix\",\
                 \"success\":true,\"error_type\":\"E1\"}}\n"
            )
        };
        let lines = line("s", "e1") + &line("s", "e2") + &line("t", "e1") + &line("s", "e1");
        let path = "POST /api/v1/entries?project=p";
        let first = server.send(path, &[], lines.as_bytes());
        assert_eq!(first.status, 200, "{}", first.text());
        let again = server.send(path, &[], lines.as_bytes());
        assert_eq!((again.status, again.text()), (200, first.text()));
        let count = |session: &str| store.statistics(session).unwrap().total_attempts;
        assert_eq!((count("s"), count("t")), (3, 1), "{kind:?}");
        let session = server.get("/api/v1/sessions/s").json();
        assert_eq!(
            (&session["project"], &session["user"]),
            (&"p".into(), &"token file".into())
        );
        let fresh = "{\"strategy\":\"fix\",\"success\":true,\"error_type\":\"E1\"}\n\n";
        let acks = server.send(path, &[], fresh.repeat(2).as_bytes()).text();
        let acks: Vec<serde_json::Value> = acks
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(
            (acks.len(), &acks[0]["session_id"]),
            (2, &acks[1]["session_id"])
        );
        assert_ne!(acks[0]["entry_id"], acks[1]["entry_id"]);
    }
}

#[test]
fn a_line_with_a_mistake_is_named_and_the_others_land() {
    let machine = Machine::new(Kind::Jsonl);
    let store = machine.store();
    let server = machine.start();
    let good = "{\"session_id\":\"s\",\"strategy\":\"fix\",\"success\":true,\"error_type\":\"E1\"}";
    let long = format!("{{\"session_id\":\"{}\"}}", "x".repeat(1024 * 1024));
    let bad = [
        "nonsense",
        "[]",
        "{}",
        "{\"bogus\":1}",
        "\u{0}",
        "{\"session_id\":\"\",\"strategy\":\"fix\",\"success\":true,\"error_type\":\"E1\"}",
        "{\"entry_id\":7,\"strategy\":\"fix\",\"success\":true,\"error_type\":\"E1\"}",
        &*long,
    ];
    for bad in bad {
        let lines = format!("{good}\n{bad}\n{good}");
        let answer = server.send("POST /api/v1/entries", &[], lines.as_bytes());
        let said = answer.text();
        let said: Vec<_> = said.lines().collect();
        assert_eq!((answer.status, said.len()), (422, 3), "{said:?}");
        assert!(said[1].starts_with("{\"line\":2,\"error\":"), "{said:?}");
    }
    assert_eq!(
        store.statistics("s").unwrap().total_attempts,
        2 * bad.len() as u64
    );
    let large = vec![b' '; 17 * 1024 * 1024];
    let mut stream = crate::client::connect(server.address);
    let head = format!(
        "POST /api/v1/entries HTTP/1.1\r\nHost: localhost\r\n{}\r\nContent-Length: {}\r\n\r\n",
        server.bearer(),
        large.len()
    );
    let sent = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(&large));
    let mut answer = [0; 12];
    // Who is refused may be cut off while it still sends.
    if sent.is_ok() && stream.read_exact(&mut answer).is_ok() {
        assert_eq!(&answer, b"HTTP/1.1 413");
    }
    server.get("/healthz");
}

#[test]
fn exports_are_whole() {
    let machine = Machine::new(Kind::Jsonl);
    let store = machine.store();
    store
        .append((1..=3000).map(|number| entry("long", number)).collect())
        .unwrap();
    store.append(vec![entry("short", 1)]).unwrap();
    let server = machine.start();
    let lines = server.get("/api/v1/export?format=jsonl");
    assert_eq!(lines.text().lines().count(), 3001);
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
    let all = server.get("/api/v1/export").json();
    assert_eq!(all["total_entries"], 3001);
    assert_eq!(
        server.get("/api/v1/export?session=short").json()["total_entries"],
        1
    );
    assert_eq!(
        server
            .get("/api/v1/export?session=long&format=csv")
            .text()
            .lines()
            .count(),
        3001
    );
    assert_eq!(
        server.ask("GET /api/v1/export?session=nobody", &[]).status,
        404
    );
    assert_eq!(server.ask("GET /api/v1/export?format=doc", &[]).status, 400);
}

#[test]
fn an_answer_that_is_known_is_not_sent_again() {
    let machine = Machine::new(Kind::Jsonl);
    let store = machine.store();
    store.append(vec![entry("s", 1)]).unwrap();
    let server = machine.start();
    let first = server.get("/api/v1/sessions/s");
    let tag = format!("If-None-Match: {}", first.header("etag").unwrap());
    let again = server.ask("GET /api/v1/sessions/s", &[&tag]);
    assert_eq!((again.status, again.body.len()), (304, 0));
    store.append(vec![entry("s", 2)]).unwrap();
    assert_eq!(server.ask("GET /api/v1/sessions/s", &[&tag]).status, 200);
    let head = server.ask("HEAD /api/v1/sessions/s", &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn paths_and_methods_that_are_not_there_are_named() {
    let machine = Machine::new(Kind::Jsonl);
    let server = machine.start();
    let nothing = server.ask("GET /api/v2/sessions", &[]);
    assert_eq!(
        (nothing.status, nothing.json()["status"].as_u64()),
        (404, Some(404))
    );
    let deleted = server.ask("DELETE /api/v1/sessions", &[]);
    assert_eq!(deleted.status, 405);
    assert_eq!(deleted.header("allow"), Some("GET,HEAD"));
    for place in ["s1-00", "x", "s2-7b7d"] {
        let answer = server.ask(&format!("GET /api/v1/sessions?after={place}"), &[]);
        assert_eq!(answer.status, 400, "{place}");
    }
}

#[test]
fn the_description_and_the_server_agree() {
    let machine = Machine::new(Kind::Jsonl);
    let store = machine.store();
    store.append(vec![entry("s", 1)]).unwrap();
    let server = machine.start();
    let document = server.get("/openapi.json").json();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "s").replace("{name}", "n");
        let described: Vec<_> = methods
            .as_object()
            .unwrap()
            .keys()
            .map(|name| name.to_uppercase())
            .collect();
        let refused = server.ask(&format!("TRACE {path}"), &[]);
        assert_eq!(refused.status, 405, "{path}");
        let allowed = refused.header("allow").unwrap_or_default();
        let allowed: Vec<_> = allowed.split(',').filter(|one| *one != "HEAD").collect();
        assert_eq!(allowed, described, "{path}");
        if path == "/api/v1/events" || methods.get("get").is_none() {
            continue;
        }
        let answer = server.get(&path);
        let kinds = &methods["get"]["responses"]["200"]["content"];
        let kind = answer
            .header("content-type")
            .unwrap()
            .split(';')
            .next()
            .unwrap();
        assert!(kinds.get(kind).is_some(), "{path}: {kind}");
    }
}

#[test]
fn metrics_count_what_the_feed_told_and_never_fall() {
    let machine = Machine::new(Kind::Jsonl);
    let store = machine.store();
    let server = machine.start();
    let mut stream = server.lines("/api/v1/events");
    fill(&*store);
    let count = store
        .sessions()
        .unwrap()
        .iter()
        .map(|one| one.total_attempts + 2)
        .sum::<u64>();
    for _ in 0..count {
        stream.row().unwrap();
    }
    let value = |name: &str| {
        let text = server.get("/metrics").text();
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
    };
    let failed = "recover_attempts_total{strategy=\"retry\",result=\"failed\"}";
    let before = value(failed).unwrap();
    assert_eq!(
        value("recover_sessions_total{outcome=\"escalated\"}"),
        Some(1.0)
    );
    assert_eq!(value("recover_store_up"), Some(1.0));
    store.clear("s6").unwrap();
    while stream.row().unwrap()["event"] != "removed" {}
    assert_eq!(value(failed), Some(before));
    server.end();
    let server = machine.start();
    assert!(
        server
            .get("/metrics")
            .text()
            .contains(&format!("{failed} {before}"))
    );
}
