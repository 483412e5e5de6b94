//! Every error under `/api/v1` is `application/problem+json`, whatever was asked.

use auto_recovery_server::Scope;

use crate::client::{Answer, ask};
use crate::machine::{Kind, Machine, Running, entry};

fn check(answer: &Answer, line: &str, status: u16) {
    let found = (answer.status, answer.header("content-type"));
    assert_eq!(
        found,
        (status, Some("application/problem+json")),
        "{line}: {}",
        answer.text()
    );
    let problem = answer.json();
    assert_eq!(problem["status"], status, "{line}: {problem}");
    assert!(
        problem["type"].as_str().unwrap().starts_with("/errors/"),
        "{problem}"
    );
    assert!(!problem["detail"].as_str().unwrap().is_empty(), "{problem}");
}

fn start() -> (Machine, Running) {
    let machine = Machine::new(Kind::Jsonl);
    machine.store().append(vec![entry("s", 1)]).unwrap();
    let server = machine.start();
    (machine, server)
}

#[test]
fn no_part_of_a_path_is_answered_otherwise() {
    let (_machine, server) = start();
    let document = server.get("/openapi.json").json();
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            for part in ["%ff", "%C3%28", "%ed%a0%80"] {
                let line = path.replace("{id}", part).replace("{name}", part);
                if line != *path {
                    let line = format!("{} {line}", method.to_uppercase());
                    check(&server.ask(&line, &[]), &line, 400);
                    asked += 1;
                }
            }
        }
    }
    assert!(asked > 30, "{asked}");
}

#[test]
fn a_session_that_no_address_can_name_is_refused_unless_a_store_has_it() {
    let (_machine, server) = start();
    for id in [".", ".."] {
        let mut new = entry(id, 1).entry;
        new.timestamp = "2026-01-02T03:04:05.000Z".to_owned();
        new.entry_id = "e".to_owned();
        let whole = format!("{{\"entry\":{}}}\n", new.to_json());
        let begun = format!(
            "{{\"record\":{{\"v\":1,\"at\":\"2026-01-02T03:04:05.000Z\",\"session_id\":\"{id}\",\
             \"event\":\"session_started\"}}}}\n"
        );
        for (path, body, expected) in [
            ("entries", new.to_json() + "\n", 422),
            ("batch", whole, 200),
            ("batch", begun, 200),
        ] {
            let line = format!("POST /api/v1/{path}");
            let answer = server.send(&line, &[], body.as_bytes());
            let said = answer.text();
            assert_eq!(answer.status, expected, "{body}: {said}");
            assert_eq!(said.contains("take it for a place"), expected == 422);
        }
        // Its link is one to the list that has it.
        let page = server.get("/sessions").text();
        assert!(
            page.contains(&format!("href=\"/sessions?id={id}\"")),
            "{page}"
        );
    }
}

#[test]
fn no_request_is_answered_otherwise() {
    let (machine, server) = start();
    for (line, headers, body, status) in [
        ("GET /api/v1/sessions/nobody", &[][..], "", 404),
        ("GET /api/v1/sessions/a%00b", &[], "", 404),
        ("GET /api/v1/sessions/a%00b/trail", &[], "", 400),
        ("GET /api/v1/sessions?limit=x", &[], "", 400),
        ("GET /api/v1/sessions?limit=1&limit=2", &[], "", 400),
        ("GET /api/v1/sessions?since=%ff", &[], "", 400),
        ("GET /api/v1/sessions?%ff=1", &[], "", 400),
        ("GET /api/v1/export?format=doc", &[], "", 400),
        ("GET /api/v1/nothing", &[], "", 404),
        ("GET /api/v1/", &[], "", 404),
        ("GET /api/v1/%ff", &[], "", 404),
        ("GET /api/v1/sessions", &["Host: evil.example"], "", 421),
        ("DELETE /api/v1/sessions", &[], "", 405),
        ("PUT /api/v1/entries", &[], "", 405),
        ("POST /api/v1/entries", &["Origin: null"], "", 403),
        ("POST /api/v1/batch", &[], "{}", 422),
        ("POST /api/v1/batch", &[], "\u{0}", 422),
        ("POST /api/v1/silences", &[], "[]", 400),
        ("POST /api/v1/silences", &[], "", 400),
        (
            "POST /api/v1/sessions/s/clear",
            &[],
            "{\"session_id\":\"t\"}",
            422,
        ),
        ("POST /api/v1/heartbeats/a%20b", &[], "", 400),
        ("POST /api/v1/heartbeats/..", &[], "", 400),
    ] {
        let answer = server.send(line, headers, body.as_bytes());
        check(&answer, &format!("{line} {headers:?} {body}"), status);
    }
    let line = "GET /api/v1/sessions";
    for header in [
        "X-No: token",
        "Authorization: Basic eDp5",
        "Authorization: Bearer wrong",
    ] {
        check(&ask(server.address, line, &[header], b""), header, 401);
        if header.starts_with("Authorization") {
            // It is no browser that lost its cookie, whatever it accepts.
            let accepts = [header, "Accept: text/html"];
            check(&ask(server.address, line, &accepts, b""), header, 401);
        }
    }
    let (_, reader) = machine.tokens().add(None, Scope::Read).unwrap();
    // Any letters: the scheme has no case.
    let lower = format!("authorization: bearer {reader}");
    assert_eq!(ask(server.address, line, &[&lower], b"").status, 200);
    check(
        &ask(server.address, "POST /api/v1/entries", &[&lower], b""),
        &lower,
        403,
    );
}
