//! The page of alerts with all that can be on it, and its forms as a person uses them.

use std::time::Duration;

use auto_recovery::audit::{
    AuditStore, FailureDetected, JournalEvent, SessionFinished, SessionOutcome,
};
use auto_recovery::failure::{Category, Failure};
use auto_recovery_server::{Alerting, Channel, Check, Destination, OutboundUrl, Rule};
use serde_json::{Value, json};

use super::axe;
use super::driver::{Browser, DESK, Look, TELEPHONE};
use super::pages::{OVERFLOW, strings};
use crate::hostile::HOSTILE;
use crate::machine::{Kind, Machine, Running, started};
use crate::silences::watching;

/// A machine on which a session needs a person, and nobody takes the message about it.
fn firing(project: &str) -> Machine {
    let mut machine = Machine::new(Kind::Sqlite);
    // A port of this machine that nobody listens on.
    let url = OutboundUrl::parse("http://127.0.0.1:9/").unwrap();
    let secrets = Vec::new();
    let beat = Check::Heartbeat {
        name: "backup".to_owned(),
        every: Duration::from_secs(3600),
        grace: Duration::ZERO,
    };
    machine.alerting = Alerting {
        destinations: vec![Destination {
            name: "ops".to_owned(),
            channel: Channel::Webhook { url, secrets },
        }],
        gather: Some(Duration::ZERO),
        ..watching(vec!["ops".to_owned()])
    };
    let person = machine.alerting.rules[0].clone();
    machine.alerting.rules.push(Rule {
        name: "beat".to_owned(),
        check: beat,
        ..person
    });
    needs_a_person(&*machine.store(), "s", project);
    machine
}

fn needs_a_person(store: &dyn AuditStore, id: &str, project: &str) {
    store.record(Some(id), started(project)).unwrap();
    let failure = Failure::new(project, "refused", "curl");
    let detected = FailureDetected::new(failure, Category::Transient);
    let finished = SessionFinished {
        outcome: SessionOutcome::Escalated,
        ..SessionFinished::default()
    };
    for event in [
        JournalEvent::FailureDetected(Box::new(detected)),
        JournalEvent::SessionFinished(finished),
    ] {
        store.record(Some(id), event).unwrap();
    }
}

/// Waits until `path` has something that is so.
fn wait_for(server: &Running, path: &str, is_so: &dyn Fn(&Value) -> bool) {
    while !is_so(&server.get(path).json()) {
        std::thread::yield_now();
    }
}

#[test]
fn all_that_can_be_on_it_fits_and_breaks_nothing() {
    let machine = firing(HOSTILE[0]);
    let store = machine.store();
    needs_a_person(&*store, "t", HOSTILE[7]);
    let server = machine.start();
    wait_for(&server, "/api/v1/alerts", &|alerts| {
        alerts["items"][1]["incident"].is_string()
    });
    let alerts = server.get("/api/v1/alerts").json();
    let known = alerts["items"][0]["incident"].as_str().unwrap();
    let reason = json!({"reason": HOSTILE[1]}).to_string();
    let line = format!("POST /api/v1/alerts/{known}/acknowledge");
    assert_eq!(server.send(&line, &[], reason.as_bytes()).status, 200);
    let silence = json!({"matchers": {"project": HOSTILE[0]}, "seconds": 60, "reason": HOSTILE[7]});
    let silence = silence.to_string();
    let made = server.send("POST /api/v1/silences", &[], silence.as_bytes());
    assert_eq!(made.status, 200);
    wait_for(&server, "/api/v1/deliveries", &is_to_be_tried_again);
    let browser = Browser::of(&server);
    let mut wrong = Vec::new();
    let [mut dark, mut plain] = [DESK; 2];
    dark.is_dark = true;
    plain.has_script = false;
    for look in [DESK, dark, TELEPHONE, plain] {
        browser.look(look);
        browser.open("/alerts");
        wrong.extend(browser.complaints());
        let open =
            "for (const one of document.querySelectorAll('details')) one.open = true; return []";
        browser.run(open, &[]);
        if look.width == TELEPHONE.width {
            wrong.extend(strings(browser.run(OVERFLOW, &[])));
        }
        if look.has_script {
            wrong.extend(axe::findings(&browser, None));
        }
        browser.complaints();
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Submits the form that `selector` is in, and waits until the page says `times` times that
/// somebody `did` that.
fn submit(browser: &Browser, server: &Running, selector: &str, (did, times): (&str, usize)) {
    browser.open("/alerts");
    browser.run(
        "for (const one of document.querySelectorAll('details')) one.open = true;
         const project = document.querySelector('form[action=\"/silences\"] [name=project]');
         project.value = 'bank';",
        &[],
    );
    browser.click(selector);
    let said = format!("<td>{did}</td>");
    while server.get("/alerts").text().matches(&said).count() != times {
        std::thread::yield_now();
    }
}

#[test]
fn a_person_silences_acknowledges_takes_that_back_and_sends_again() {
    let machine = firing("shop");
    let server = machine.start();
    let browser = Browser::of(&server);
    for (round, has_script) in [(1, true), (2, false)] {
        wait_for(&server, "/api/v1/alerts", &|alerts| {
            alerts["items"][0]["incident"].is_string()
        });
        wait_for(&server, "/api/v1/deliveries", &is_to_be_tried_again);
        browser.look(Look { has_script, ..DESK });
        for (form, did) in [
            ("form[action$='/again'] button", "sent again"),
            ("form[action='/silences'] button", "silenced"),
            ("form[action^='/silences/'] button", "silence ended"),
            ("form[action$='/acknowledge'] button", "acknowledged"),
        ] {
            submit(&browser, &server, form, (did, round));
        }
        wait_for(&server, "/api/v1/alerts", &|alerts| {
            alerts["acknowledged"][0].is_object()
        });
        let form = "form[action$='/acknowledge/end'] button";
        submit(&browser, &server, form, ("acknowledgement ended", round));
    }
    assert_eq!(server.get("/api/v1/silences").json()["items"], json!([]));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// Whether the newest message waits for its next try.
fn is_to_be_tried_again(messages: &Value) -> bool {
    let newest = &messages["items"][0];
    newest["state"] == "pending" && newest["tries"][0].is_object()
}
