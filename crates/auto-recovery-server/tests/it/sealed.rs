//! What others record over a server is under a seal, by itself: on every store, and whatever
//! becomes of the key.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use auto_recovery::audit::AuditStore;
use auto_recovery::audit::sealing::{
    Keys, SealWhen, Sealer, Verification, VerifyRequest, WhatToSeal, verify,
};
use auto_recovery::host::SystemHost;
use auto_recovery::integrity::Verdict;
use auto_recovery_server::{Log, LogLine};
use serde_json::{Value, json};

use crate::batch::{entry_line, record_line, send};
use crate::machine::{Kind, Machine, Running};

fn verified(machine: &Machine, store: &dyn AuditStore) -> Verification {
    let request = VerifyRequest {
        keys: Some(Keys::in_state(&machine.state())),
        ..VerifyRequest::default()
    };
    verify(store, &request).unwrap()
}

/// Asserts that `found` is proved, and how much of it is under no seal.
fn assert_proved(found: &Verification, (entries_since, records_since): (u64, u64)) {
    assert_eq!(found.verdict, Verdict::Proved, "{found:?}");
    let since = (found.entries_since, found.records_since);
    assert_eq!(since, (entries_since, records_since), "{found:?}");
}

fn begins(session: &str) -> Value {
    record_line(session, json!({"event": "session_started", "project": "p"}))
}

/// The attempt `number` of `session` starts.
fn starts(session: &str, number: u64) -> Value {
    let event = json!({
        "event": "attempt_started", "attempt_number": number, "strategy": "fix",
        "strategy_attempt": 1, "category": "unknown",
    });
    record_line(session, event)
}

fn ends(session: &str) -> Value {
    let event = json!({"event": "session_finished", "outcome": "recovered"});
    record_line(session, event)
}

fn metric(server: &Running, name: &str) -> Option<f64> {
    let text = server.get("/metrics").text();
    let mut lines = text.lines();
    let line = lines.find_map(|line| {
        line.strip_prefix(name)?
            .strip_prefix(' ')
            .map(str::to_owned)
    });
    line.map(|value| value.parse().unwrap())
}

#[test]
fn what_a_strategy_finds_on_record_is_sealed_before_it_acts_and_the_rest_when_it_ended() {
    for kind in Kind::ALL {
        let machine = Machine::new(kind);
        let store = machine.store();
        let server = machine.start();
        assert_eq!(metric(&server, "recover_seal_up"), Some(1.0));
        let first = entry_line("s", "e1", json!({"number_by_store": true}));
        let (status, text) = send(&server, &[begins("s"), first, starts("s", 2)]);
        assert_eq!(status, 200, "{text}");
        assert_proved(&verified(&machine, &*store), (0, 0));
        let made = "recover_seals_total{result=\"made\"}";
        assert_eq!(metric(&server, made), Some(1.0), "{kind:?}");
        let second = entry_line("s", "e2", json!({"number_by_store": true}));
        assert_eq!(send(&server, &[second, ends("s")]).0, 200);
        // Nobody waits for this one.
        while metric(&server, made) != Some(2.0) {
            std::thread::yield_now();
        }
        assert_proved(&verified(&machine, &*store), (0, 0));
        let line = br#"{"session_id":"t","strategy":"fix","success":true,"error_type":"E"}"#;
        let answer = server.send("POST /api/v1/entries", &[], line);
        assert_eq!(answer.status, 200, "{}", answer.text());
        // It waits until nothing more comes.
        assert_proved(&verified(&machine, &*store), (1, 1));
        server.end();
        let found = verified(&machine, &*store);
        assert_proved(&found, (0, 0));
        assert_eq!((found.entries, found.trails), (3, 2), "{kind:?}");
        assert_eq!(found.chains.len(), 1);
    }
}

#[test]
fn a_key_that_is_gone_refuses_nobody_anything() {
    let machine = Machine::new(Kind::Jsonl);
    let store = machine.store();
    let said: Arc<Mutex<Vec<LogLine>>> = Arc::default();
    let kept = Arc::clone(&said);
    let server = machine.try_start_with(|options| {
        let sink = Arc::new(move |line: &LogLine| kept.lock().unwrap().push(line.clone()));
        options.log = Log::new(sink, Arc::new(SystemHost::new()));
    });
    let server = server.unwrap();
    assert_eq!(send(&server, &[begins("s"), starts("s", 1)]).0, 200);
    std::fs::remove_dir_all(machine.state().join("seal-keys")).unwrap();
    for number in 2..4 {
        let id = format!("e{number}");
        let attempt = entry_line("s", &id, json!({"number_by_store": true}));
        let (status, text) = send(&server, &[attempt, starts("s", number)]);
        assert_eq!(status, 200, "{text}");
    }
    assert_eq!(metric(&server, "recover_seal_up"), Some(0.0));
    assert_eq!(store.statistics("s").unwrap().total_attempts, 2);
    let said = said.lock().unwrap();
    let lines: Vec<&LogLine> = said
        .iter()
        .filter(|line| line.event == "not_sealed")
        .collect();
    assert_eq!(lines.len(), 1, "{said:?}");
    let why = lines[0].fields[0].1.to_string();
    assert!(why.contains("is not there"), "{why}");
}

#[test]
fn a_server_that_is_to_seal_nothing_does_not() {
    let machine = Machine::new(Kind::Sqlite);
    let store = machine.store();
    let server = machine.try_start_with(|options| options.seal = SealWhen::Off);
    let server = server.unwrap();
    assert_eq!(
        send(&server, &[begins("s"), starts("s", 1), ends("s")]).0,
        200
    );
    assert_eq!(metric(&server, "recover_seal_up"), None);
    server.end();
    let found = verified(&machine, &*store);
    assert_eq!((found.verdict, found.records), (Verdict::Unproved, 3));
}

/// Machines that record at once, and how often each does.
const CLIENTS: u64 = 4;
const ROUNDS: u64 = 2;

// Long because each store is served, sealed from two sides and verified all the time.
#[test]
fn who_verifies_finds_nothing_while_many_record_and_others_seal() {
    for kind in Kind::ALL {
        let machine = Machine::new(kind);
        let store = machine.store();
        let server = machine.start();
        let host = Arc::new(SystemHost::new());
        let beside = Sealer::new(Arc::clone(&store), &machine.state(), host);
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| (&server, client))
                .map(|(server, client)| scope.spawn(move || records(server, client)))
                .collect();
            let sealing = scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    beside.seal(WhatToSeal::All).unwrap();
                    // Whoever verifies leaves the server its turns.
                    for _ in 0..5 {
                        let found = verified(&machine, &*store);
                        assert!(found.verdict != Verdict::Changed, "{kind:?}: {found:?}");
                    }
                }
            });
            clients
                .into_iter()
                .for_each(|client| client.join().unwrap());
            is_over.store(true, Ordering::SeqCst);
            sealing.join().unwrap();
        });
        assert_eq!(
            metric(&server, "recover_seals_total{result=\"failed\"}"),
            Some(0.0)
        );
        server.end();
        let found = verified(&machine, &*store);
        assert_proved(&found, (0, 0));
        assert_eq!(found.entries, CLIENTS * ROUNDS / 2, "{kind:?}");
        assert_eq!(found.removed, CLIENTS * ROUNDS / 2, "{kind:?}");
    }
}

/// Records sessions as a machine does, and clears each second one again.
fn records(server: &Running, client: u64) {
    for round in 0..ROUNDS {
        let session = format!("s{client}-{round}");
        let attempt = entry_line(&session, "e", json!({"number_by_store": true}));
        let (status, text) = send(server, &[begins(&session), starts(&session, 1)]);
        assert_eq!(status, 200, "{text}");
        let (status, text) = send(server, &[attempt, ends(&session)]);
        assert_eq!(status, 200, "{text}");
        if round % 2 == 1 {
            let path = format!("POST /api/v1/sessions/{session}/clear");
            let body = json!({"session_id": session}).to_string();
            let answer = server.send(&path, &[], body.as_bytes());
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    }
}
