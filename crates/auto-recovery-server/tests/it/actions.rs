//! Holding, releasing and removing sessions: by programs, and by the forms on a page.

use auto_recovery::audit::{AuditStore, JournalEvent, JournalRecord};
use auto_recovery_server::Scope;

use crate::client::{Answer, ask};
use crate::machine::{Kind, Machine, Running, entry, started};

fn journal(store: &dyn AuditStore, id: &str) -> Vec<JournalRecord> {
    let mut records = Vec::new();
    store
        .read_journal(Some(id), &mut |record| {
            // When the server seals is not of interest here.
            if !matches!(record.event, JournalEvent::TrailSealed(_)) {
                records.push(record);
            }
            Ok(())
        })
        .unwrap();
    records
}

fn post(server: &Running, token: &str, path: &str, body: &str) -> Answer {
    let bearer = format!("Authorization: Bearer {token}");
    ask(
        server.address,
        &format!("POST {path}"),
        &[&bearer],
        body.as_bytes(),
    )
}

#[test]
fn a_session_is_held_released_and_removed_and_the_journal_says_who() {
    for kind in Kind::ALL {
        let machine = Machine::new(kind);
        let store = machine.store();
        store.record(Some("s 1"), started("p")).unwrap();
        store
            .append(vec![entry("s 1", 1), entry("s 1", 2)])
            .unwrap();
        let server = machine.start();
        let (_, token) = machine.tokens().add(Some("ops"), Scope::Admin).unwrap();
        let act = |action: &str, body: &str| {
            post(
                &server,
                &token,
                &format!("/api/v1/sessions/s%201/{action}"),
                body,
            )
        };
        let held = act("hold", "{\"reason\":\"incident <7>\"}").json();
        assert_eq!(held["held"]["reason"], "incident <7>");
        assert_eq!(
            (&held["held"]["user"], &held["held"]["host"]),
            (&"ops".into(), &"here".into())
        );
        let refused = act("clear", "{\"session_id\":\"s 1\"}");
        assert_eq!(
            (refused.status, &refused.json()["type"]),
            (409, &"/errors/refused".into())
        );
        assert!(act("release", "").json()["held"].is_null());
        let count = journal(&*store, "s 1").len();
        assert_eq!(act("release", "{}").status, 200);
        assert_eq!(journal(&*store, "s 1").len(), count, "nothing was held");
        for body in [
            "",
            "{}",
            "{\"session_id\":\"s\"}",
            "{\"session_id\":\"S 1\"}",
        ] {
            let refused = act("clear", body);
            assert!(
                [400, 422].contains(&refused.status),
                "{body}: {}",
                refused.text()
            );
        }
        assert_eq!(store.statistics("s 1").unwrap().total_attempts, 2);
        let cleared = act("clear", "{\"session_id\":\"s 1\"}");
        assert_eq!(cleared.json()["entries"], 2);
        assert_eq!(act("clear", "{\"session_id\":\"s 1\"}").status, 404);
        assert_eq!(act("hold", "").status, 404);
        let last = journal(&*store, "s 1").pop().unwrap().event;
        let JournalEvent::SessionCleared(cleared) = last else {
            panic!("{last:?}");
        };
        assert_eq!(cleared.user.as_deref(), Some("ops"));
    }
}

#[test]
fn bodies_that_are_not_as_they_are_to_be_change_nothing() {
    let machine = Machine::new(Kind::Jsonl);
    let store = machine.store();
    store.append(vec![entry("s", 1)]).unwrap();
    let server = machine.start();
    let long = format!("{{\"reason\":\"{}\"}}", "x".repeat(1001));
    let huge = format!("{{\"reason\":\"{}\"}}", "x".repeat(20_000));
    for (action, body, status) in [
        ("hold", "nonsense", 400),
        ("hold", "[]", 400),
        ("hold", "{\"why\":\"x\"}", 400),
        ("hold", "{\"reason\":7}", 400),
        ("hold", &*long, 400),
        ("hold", &*huge, 413),
        ("release", "{\"reason\":\"x\"}", 400),
        ("clear", "{\"session_id\":\"s\",\"force\":true}", 400),
    ] {
        let answer = post(
            &server,
            &server.token,
            &format!("/api/v1/sessions/s/{action}"),
            body,
        );
        assert_eq!(answer.status, status, "{action} {body:.40}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
    }
    assert_eq!(journal(&*store, "s").len(), 0);
}

#[test]
fn the_forms_work_without_a_script_and_not_from_another_site() {
    let machine = Machine::new(Kind::Sqlite);
    let store = machine.store();
    store.append(vec![entry("s/1", 1)]).unwrap();
    let server = machine.start();
    let logged_in = ask(server.address, &format!("GET {}", server.login), &[], b"");
    let cookie = logged_in.header("set-cookie").unwrap();
    let cookie = format!("Cookie: {}", cookie.split(';').next().unwrap());
    let own = format!("Origin: http://{}", server.address);
    let page = || ask(server.address, "GET /sessions/s%2F1", &[&cookie], b"").text();
    let send = |action: &str, origin: &str, form: &str| {
        let line = format!("POST /sessions/s%2F1/{action}");
        ask(server.address, &line, &[origin, &cookie], form.as_bytes())
    };
    assert!(page().contains("action=\"/sessions/s%2F1/hold\""));
    for foreign in [
        "Origin: http://evil.example",
        "Origin: null",
        "X-No: origin",
    ] {
        assert_eq!(
            send("clear", foreign, "session_id=s%2F1").status,
            403,
            "{foreign}"
        );
    }
    let held = send("hold", &own, "reason=%3Cscript%3Ealert(1)%3C%2Fscript%3E");
    assert_eq!(
        (held.status, held.header("location")),
        (303, Some("/sessions/s%2F1"))
    );
    let shown = page();
    assert!(
        shown.contains("Held by login link: &lt;script&gt;"),
        "{shown}"
    );
    assert!(!shown.contains("<script>alert") && !shown.contains("/clear\""));
    let refused = send("clear", &own, "session_id=s%2F1");
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("<main"), "{}", refused.text());
    assert_eq!(send("release", &own, "").status, 303);
    assert_eq!(send("clear", &own, "session_id=s").status, 422);
    assert_eq!(store.statistics("s/1").unwrap().total_attempts, 1);
    let gone = send("clear", &own, "session_id=s%2F1");
    assert_eq!(
        (gone.status, gone.header("location")),
        (303, Some("/sessions"))
    );
    assert_eq!(store.statistics("s/1").unwrap().total_attempts, 0);
}
