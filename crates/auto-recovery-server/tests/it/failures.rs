//! Kinds of failure: counted as sessions come and go, the same on the page and for programs.

use auto_recovery::audit::{
    AuditStore, FailureDetected, JournalEvent, SessionFinished, SessionOutcome,
};
use auto_recovery::failure::{Category, Failure};
use serde_json::{Value, json};

use crate::machine::{Kind, Machine, Running, entry, started};

/// Records a session in which `message` failed and was cured by the third attempt, or not.
pub(crate) fn session(
    store: &dyn AuditStore,
    id: &str,
    project: &str,
    (message, is_cured): (&str, bool),
) {
    store.record(Some(id), started(project)).unwrap();
    let detected = FailureDetected {
        rule: "r".to_owned(),
        exit_code: Some(1),
        ..FailureDetected::new(
            Failure::new("ECONNREFUSED", message, "npm"),
            Category::Transient,
        )
    };
    let detected = JournalEvent::FailureDetected(Box::new(detected));
    store.record(Some(id), detected).unwrap();
    let (attempts, outcome) = match is_cured {
        true => (3, SessionOutcome::Recovered),
        false => (2, SessionOutcome::Escalated),
    };
    for number in 1..=attempts {
        store.append(vec![entry(id, number)]).unwrap();
    }
    let finished = SessionFinished {
        outcome,
        flaky: is_cured,
        ..SessionFinished::default()
    };
    store
        .record(Some(id), JournalEvent::SessionFinished(finished))
        .unwrap();
}

fn kinds(server: &Running, query: &str) -> Vec<Value> {
    let answer = server.get(&format!("/api/v1/failures{query}")).json();
    answer["items"].as_array().unwrap().clone()
}

/// Asserts what programs are told of the three sessions, and returns their kind.
fn as_counted(server: &Running) -> String {
    let all = kinds(server, "");
    assert_eq!(all.len(), 2, "{all:?}");
    let one = &all[0];
    for (name, value) in [
        ("source", json!("npm")),
        ("error_type", json!("ECONNREFUSED")),
        ("sessions", json!(3)),
        ("recovered_sessions", json!(2)),
        ("escalated_sessions", json!(1)),
        ("flaky_sessions", json!(2)),
        ("projects_count", json!(2)),
        ("total_duration_seconds", json!(4.0)),
    ] {
        assert_eq!(one[name], value, "{name} of {one}");
    }
    assert_eq!(one["projects"][0]["project"], "shop");
    let strategy = &one["strategies"][0];
    assert_eq!(
        (
            &strategy["total_attempts"],
            &strategy["successful_attempts"]
        ),
        (&json!(8), &json!(2))
    );
    assert_eq!(strategy["success_rate"], 25.0);
    assert_eq!(kinds(server, "?text=ECONN&project=till").len(), 1);
    assert_eq!(kinds(server, "?project=elsewhere").len(), 0);
    one["kind"].as_str().unwrap().to_owned()
}

/// Asserts what pages show of them.
fn as_shown(server: &Running, kind: &str) {
    let path = format!("/failures/{}", kind);
    let page = server.get(&path).text();
    for piece in [
        "ECONNREFUSED of npm",
        "25 % (",
        "shop: 2, 1 recovered",
        "≤ 1 s: 8",
        "/sessions/c\"",
    ] {
        assert!(page.contains(piece), "{piece}: {page}");
    }
    // The overview counts the same as the statistics do.
    let page = server.get("/").text();
    let sums = server.get("/api/v1/stats").json();
    assert_eq!(
        (&sums["sessions"], &sums["success_rate"]),
        (&json!(4), &json!(22.22))
    );
    for piece in [
        "<b>4</b>recoveries",
        "<b>22.2 %</b>",
        "<b>1</b>not recovered",
    ] {
        assert!(page.contains(piece), "{piece}: {page}");
    }
    let page = server.get("/sessions/b").text();
    assert!(page.contains("rel=\"prev\" href=\"/sessions/a\""), "{page}");
    assert!(page.contains("rel=\"next\" href=\"/sessions/c\""), "{page}");
}

#[test]
fn failures_that_are_the_same_are_one_kind() {
    for kind in [Kind::Jsonl, Kind::Sqlite] {
        let machine = Machine::new(kind);
        let store = machine.store();
        // Half of it was there before the feed began.
        session(
            &*store,
            "a",
            "shop",
            ("connect to 127.0.0.1:4711 refused", true),
        );
        let server = machine.start();
        let mut stream = server.lines("/api/v1/events");
        session(
            &*store,
            "b",
            "shop",
            ("connect to 127.0.0.1:9 refused", false),
        );
        session(
            &*store,
            "c",
            "till",
            ("connect to 10.0.0.1:80 refused", true),
        );
        store.append(vec![entry("d", 1)]).unwrap();
        for _ in 0..5 + 6 + 1 {
            stream.row().unwrap();
        }
        let kind_name = as_counted(&server);
        as_shown(&server, &kind_name);
    }
}

#[test]
fn what_is_cleared_is_counted_no_more() {
    let machine = Machine::new(Kind::Sqlite);
    let store = machine.store();
    let server = machine.start();
    let mut stream = server.lines("/api/v1/events");
    session(&*store, "a", "shop", ("refused", true));
    session(&*store, "b", "shop", ("refused", false));
    let first = loop {
        let found = kinds(&server, "");
        if found.first().is_some_and(|one| one["sessions"] == 2) {
            break found[0].clone();
        }
        stream.row().unwrap();
    };
    store.clear("b").unwrap();
    while stream.row().unwrap()["event"] != "removed" {}
    let left = kinds(&server, "");
    assert_eq!(left[0]["sessions"], 1);
    assert_eq!(left[0]["last_timestamp"], first["first_timestamp"]);
    assert_eq!(left[0]["strategies"][0]["total_attempts"], 3);
    store.clear("a").unwrap();
    while stream.row().unwrap()["event"] != "removed" {}
    assert_eq!(kinds(&server, ""), Vec::<Value>::new());
    assert!(
        server
            .get("/failures")
            .text()
            .contains("recover run -- CMD")
    );
}

#[test]
fn a_list_of_kinds_goes_on_where_it_ended() {
    let machine = Machine::new(Kind::Jsonl);
    let store = machine.store();
    for word in ["one", "two", "three", "four", "five"] {
        session(&*store, word, "p", (word, true));
    }
    let server = machine.start();
    for sort in ["sessions", "time", "last"] {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/v1/failures?sort={sort}&limit=2&after={after}");
            let page = server.get(&path).json();
            let items = page["items"].as_array().unwrap();
            seen.extend(items.iter().map(|one| one["kind"].to_string()));
            match page["next"].as_str() {
                Some(next) => after = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(seen.len(), 5, "{sort}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 5, "{sort}");
    }
    for bad in ["after=x", "sort=x", "limit=0", "nothing=1"] {
        let answer = server.ask(&format!("GET /api/v1/failures?{bad}"), &[]);
        assert_eq!(answer.status, 400, "{bad}");
    }
    assert_eq!(server.ask("GET /failures/1-none", &[]).status, 404);
}

#[test]
fn a_feed_that_counted_no_kinds_yet_counts_all_there_are() {
    let machine = Machine::new(Kind::Sqlite);
    let store = machine.store();
    session(&*store, "a", "shop", ("refused", true));
    machine.start().end();
    machine.forget_kinds();
    session(&*store, "b", "shop", ("refused", true));
    let server = machine.start();
    assert_eq!(kinds(&server, "")[0]["sessions"], 2);
}
