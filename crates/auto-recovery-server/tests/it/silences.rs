//! What people say about alerts over HTTP: silences and acknowledgements, by programs and by forms.

use auto_recovery::audit::{JournalEvent, SessionFinished, SessionOutcome};
use auto_recovery_server::{Alerting, Check, Rule, Scope, Severity};
use serde_json::json;

use crate::client::ask;
use crate::machine::{Kind, Machine, Running, started};

/// What needs a person is watched for, and `to` is told.
pub(crate) fn watching(to: Vec<String>) -> Alerting {
    Alerting {
        rules: vec![Rule {
            name: "person".to_owned(),
            check: Check::Escalated,
            hold: Default::default(),
            keep_firing: Default::default(),
            group_by: Vec::new(),
            severity: Severity::Critical,
            to,
            repeat: None,
        }],
        ..Alerting::default()
    }
}

/// A machine on which what needs a person is watched for, and one session does.
fn escalated() -> Machine {
    let mut machine = Machine::new(Kind::Jsonl);
    machine.alerting = watching(Vec::new());
    let store = machine.store();
    store.record(Some("s"), started("shop")).unwrap();
    let failure = auto_recovery::Failure::new("ECONNREFUSED", "refused", "curl");
    let detected = json!({"failure": failure, "category": "transient", "rule": "a test"});
    let detected = serde_json::from_value(detected).unwrap();
    let detected = JournalEvent::FailureDetected(Box::new(detected));
    store.record(Some("s"), detected).unwrap();
    let finished = SessionFinished {
        outcome: SessionOutcome::Escalated,
        ..SessionFinished::default()
    };
    let finished = JournalEvent::SessionFinished(finished);
    store.record(Some("s"), finished).unwrap();
    machine
}

/// The page as somebody sees it who may not change anything there, and is refused if it is tried.
fn looked_at_by_a_writer(machine: &Machine, server: &Running) -> String {
    let (_, writer) = machine.tokens().add(None, Scope::Write).unwrap();
    let bearer = format!("Authorization: Bearer {writer}");
    for path in [
        "/api/v1/silences",
        "/api/v1/silences/1/end",
        "/api/v1/alerts/i/acknowledge",
        "/api/v1/alerts/i/acknowledge/end",
        "/api/v1/deliveries/m/again",
        "/silences",
    ] {
        let refused = ask(server.address, &format!("POST {path}"), &[&bearer], b"{}");
        assert_eq!(refused.status, 403, "{path}");
    }
    ask(server.address, "GET /alerts", &[&bearer], b"").text()
}

/// A silence is made by a form, which is refused where it says nothing that can be.
fn a_form_makes_one(server: &Running, (own, cookie): (&str, &str)) {
    let form = |text: &str| {
        ask(
            server.address,
            "POST /silences",
            &[own, cookie],
            text.as_bytes(),
        )
    };
    for (text, status) in [
        ("project=till&host=&for=90m&reason=moving+house", 303),
        ("project=till&for=soon", 400),
        ("project=&for=2h", 400),
        ("projct=till&for=2h", 400),
    ] {
        assert_eq!(form(text).status, status, "{text}");
    }
    let made = &server.get("/api/v1/silences").json()["items"][0];
    assert_eq!(
        (&made["matchers"], &made["reason"]),
        (&json!({"project": "till"}), &json!("moving house"))
    );
}

#[test]
fn silences_are_made_listed_and_ended_and_the_page_has_forms() {
    let machine = escalated();
    let server = machine.start();
    let post = |path: &str, body: serde_json::Value| {
        server.send(&format!("POST {path}"), &[], body.to_string().as_bytes())
    };
    for body in [
        json!({"matchers": {"projct": "shop"}, "seconds": 60}),
        json!({"matchers": {}, "seconds": 60}),
        json!({"matchers": {"project": "shop"}, "seconds": 0}),
        json!({"matchers": {"project": "shop"}, "seconds": u64::MAX}),
        json!({"matchers": {"project": 7}, "seconds": 60}),
        json!({"matchers": {"project": "shop"}}),
    ] {
        let refused = post("/api/v1/silences", body.clone());
        assert_eq!(refused.status, 400, "{body}: {}", refused.text());
    }
    let wanted = json!({"matchers": {"project": "<b>"}, "seconds": 3600, "reason": "moving"});
    let made = post("/api/v1/silences", wanted).json();
    assert_eq!(
        (&made["by"], &made["reason"]),
        (&"token file".into(), &"moving".into())
    );
    assert_eq!(
        server.get("/api/v1/silences").json()["items"],
        json!([made])
    );
    let looked = looked_at_by_a_writer(&machine, &server);
    assert!(looked.contains("project=&lt;b&gt;"), "{looked}");
    assert!(!looked.contains("action=\"/silences"), "{looked}");
    let logged_in = ask(server.address, &format!("GET {}", server.login), &[], b"");
    let cookie = logged_in.header("set-cookie").unwrap();
    let cookie = format!("Cookie: {}", cookie.split(';').next().unwrap());
    let own = format!("Origin: http://{}", server.address);
    let page = || ask(server.address, "GET /alerts", &[&cookie], b"").text();
    let send = |path: &str, origin: &str| {
        ask(
            server.address,
            &format!("POST {path}"),
            &[origin, &cookie],
            b"",
        )
    };
    assert!(page().contains("action=\"/silences/1/end\""));
    a_form_makes_one(&server, (&own, &cookie));
    assert_eq!(
        send("/silences/1/end", "Origin: http://evil.example").status,
        403
    );
    let ended = send("/silences/1/end", &own);
    assert_eq!(
        (ended.status, ended.header("location")),
        (303, Some("/alerts"))
    );
    assert_eq!(send("/silences/1/end", &own).status, 404);
    assert!(!page().contains("/silences/1/end"));
    for id in ["1", "99", "x", "%ff", "9223372036854775808"] {
        let answer = post(&format!("/api/v1/silences/{id}/end"), json!({}));
        assert!(
            [400, 404].contains(&answer.status),
            "{id}: {}",
            answer.status
        );
    }
}

#[test]
fn what_fires_is_acknowledged_by_a_program_or_by_a_form() {
    let machine = escalated();
    let server = machine.start();
    let incident = loop {
        let alerts = server.get("/api/v1/alerts").json();
        if let Some(id) = alerts["items"][0]["incident"].as_str() {
            break id.to_owned();
        }
        std::thread::yield_now();
    };
    let needs = || server.get("/").text().contains("Needs a person");
    assert!(needs());
    let path = format!("POST /api/v1/alerts/{incident}/acknowledge");
    let long = format!("{{\"reason\":\"{}\"}}", "x".repeat(1001));
    assert_eq!(server.send(&path, &[], long.as_bytes()).status, 400);
    assert_eq!(
        server
            .ask("POST /api/v1/alerts/nothing/acknowledge", &[])
            .status,
        404
    );
    let known = server.send(&path, &[], b"{\"reason\":\"on it\"}").json();
    assert_eq!(known["incident"], *incident);
    assert!(!needs(), "the overview says what alerts say");
    // An escalation is over with that.
    let firing = || {
        let alerts = server.get("/api/v1/alerts").json();
        alerts["items"].as_array().unwrap().len()
    };
    while firing() != 0 {
        std::thread::yield_now();
    }
    let known = server.get("/api/v1/alerts").json()["acknowledged"].clone();
    assert_eq!(known[0]["incident"], *incident);
    assert_eq!(known[0]["reason"], "on it");
    assert!(server.get("/alerts").text().contains("/acknowledge/end\""));
    // It was a mistake: it fires anew, as another incident.
    let end = format!("POST /api/v1/alerts/{incident}/acknowledge/end");
    assert_eq!(server.ask(&end, &[]).json()["incident"], *incident);
    assert!(needs());
    while firing() != 1 {
        std::thread::yield_now();
    }
    assert_eq!(server.ask(&end, &[]).status, 404);
    let alerts = server.get("/api/v1/alerts").json();
    assert_ne!(alerts["items"][0]["incident"], *incident);
    assert_eq!(alerts["acknowledged"], json!([]));
    who_said_what(&machine, &server, &incident);
}

/// The journal and the page say who did it; the page shows when it fired.
fn who_said_what(machine: &Machine, server: &Running, incident: &str) {
    let mut said = Vec::new();
    let store = machine.store();
    store
        .read_journal(None, &mut |record| {
            if let JournalEvent::AlertSaid(one) = record.event {
                assert_eq!(one.user.as_deref(), Some("token file"));
                assert_eq!((&*one.about, one.host.as_deref()), (incident, Some("here")));
                said.push((one.did, one.reason));
            }
            Ok(())
        })
        .unwrap();
    let expected = [
        ("acknowledged".to_owned(), Some("on it".to_owned())),
        ("acknowledgement_ended".to_owned(), None),
    ];
    assert_eq!(said, expected);
    let page = server.get("/alerts").text();
    for piece in [
        "<td>acknowledgement ended</td>",
        "person: the last 24 hours",
        "<th scope=\"row\">▲ firing</th>",
        "<svg",
    ] {
        assert!(page.contains(piece), "{piece}: {page}");
    }
}
