//! Traces and logs, sent to a receiver that is sometimes away.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use auto_recovery::audit::{
    AttemptFinished, FailureDetected, JournalEvent, SessionFinished, SessionOutcome,
};
use auto_recovery::{Category, Failure};
use auto_recovery_server::{OtlpOptions, OutboundUrl};
use serde_json::Value;

use crate::client::LONG;
use crate::machine::{Kind, Machine, entry, started};

/// What was posted where, with its headers.
struct Posted {
    path: String,
    head: String,
    message: Value,
}

/// A receiver that answers each request as it was told to, and 200 once it was told no more.
struct Collector {
    address: SocketAddr,
    posted: Receiver<Posted>,
}

impl Collector {
    fn answering(answers: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, posted) = channel();
        let answers = Arc::new(Mutex::new(answers.to_vec()));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
                let length = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    name.eq_ignore_ascii_case("content-length")
                        .then(|| value.trim())
                });
                let mut body = vec![0; length.unwrap().parse().unwrap()];
                reader.read_exact(&mut body).unwrap();
                let mut answers = answers.lock().unwrap();
                let answer = match answers.is_empty() {
                    true => "200 OK",
                    false => answers.remove(0),
                };
                let text = format!("HTTP/1.1 {answer}\r\nContent-Length: 2\r\n\r\n{{}}");
                stream.write_all(text.as_bytes()).unwrap();
                let posted = Posted {
                    path: head.split(' ').nth(1).unwrap().to_owned(),
                    head,
                    message: serde_json::from_slice(&body).unwrap(),
                };
                if answer.starts_with("200") && tell.send(posted).is_err() {
                    return;
                }
            }
        });
        Self { address, posted }
    }

    fn options(&self) -> OtlpOptions {
        OtlpOptions {
            endpoint: OutboundUrl::parse(&format!("http://{}/", self.address)).unwrap(),
            headers: vec![("X-Scope".to_owned(), "shop".to_owned())],
            roots: None,
        }
    }

    /// The spans that are posted until `count` of them and a log record came, by name with their
    /// ids and their parents', and the texts of log records.
    fn take(&self, count: usize) -> (BTreeMap<String, (String, String)>, Vec<String>) {
        let (mut spans, mut texts) = (BTreeMap::new(), Vec::new());
        while spans.len() < count || texts.is_empty() {
            let posted = self.posted.recv_timeout(LONG).unwrap();
            assert!(posted.head.to_ascii_lowercase().contains("x-scope: shop"));
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (list, scope, items) = match &*posted.path {
                "/v1/traces" => ("resourceSpans", "scopeSpans", "spans"),
                "/v1/logs" => ("resourceLogs", "scopeLogs", "logRecords"),
                other => panic!("{other}"),
            };
            for resource in posted.message[list].as_array().unwrap() {
                for item in resource[scope][0][items].as_array().unwrap() {
                    if items == "spans" {
                        let ids = (text(&item["spanId"]), text(&item["parentSpanId"]));
                        let other = spans.insert(text(&item["name"]), ids);
                        assert!(other.is_none(), "twice: {item}");
                    } else {
                        texts.push(text(&item["body"]["stringValue"]));
                    }
                }
            }
        }
        (spans, texts)
    }
}

fn failed() -> JournalEvent {
    let token = format!("ghp_{}", "Zq3Lx8Vt1Ny6Rw0Kd5Hs9Bc2Mf7Pg4Jh3T1a");
    JournalEvent::FailureDetected(Box::new(FailureDetected {
        rule: "rustc".to_owned(),
        exit_code: Some(101),
        ..FailureDetected::new(
            Failure::new("E0308", format!("mismatched {token}"), "rustc"),
            Category::CodeQuality,
        )
    }))
}

/// A session with one attempt.
fn record(machine: &Machine, session: &str) {
    let store = machine.store();
    let tell = |event| store.record(Some(session), event).unwrap();
    tell(started("shop"));
    tell(failed());
    let appended = store.append(vec![entry(session, 1)]).unwrap().remove(0);
    tell(JournalEvent::AttemptFinished(Box::new(AttemptFinished {
        attempt_number: 1,
        entry_id: appended.entry_id,
        act_seconds: Some(0.1),
        verification_seconds: Some(0.2),
        exit_code: Some(101),
        ..AttemptFinished::default()
    })));
    tell(JournalEvent::SessionFinished(SessionFinished {
        outcome: SessionOutcome::Escalated,
        exit_code: Some(101),
        duration_seconds: 3.0,
        ..SessionFinished::default()
    }));
}

#[test]
fn a_session_is_sent_once_as_a_tree_also_where_the_receiver_was_away_and_the_server_ended() {
    let away = ["503 Later\r\nRetry-After: 0", "401 Who"];
    let collector = Collector::answering(&away);
    let mut machine = Machine::new(Kind::Sqlite);
    record(&machine, "of-before");
    machine.otlp = Some(collector.options());
    let server = machine.start();
    record(&machine, "first");
    let (spans, texts) = collector.take(5);
    let names: Vec<_> = spans.keys().map(|name| &**name).collect();
    assert_eq!(
        names,
        [
            "RUN cargo test",
            "act",
            "first run",
            "retry",
            "verification"
        ]
    );
    for (child, parent) in [
        ("first run", "RUN cargo test"),
        ("retry", "RUN cargo test"),
        ("act", "retry"),
        ("verification", "retry"),
    ] {
        assert_eq!(spans[child].1, spans[parent].0, "{child}");
    }
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].starts_with("mismatched [redacted "), "{texts:?}");
    let metrics = server.get("/metrics").text();
    assert!(metrics.contains("recover_otlp_up 1\n"), "{metrics}");
    server.end();
    // What comes while no server runs is sent by the next one, and nothing is sent again.
    record(&machine, "second");
    let server = machine.start();
    let (again, _) = collector.take(5);
    assert_ne!(again["RUN cargo test"].0, spans["RUN cargo test"].0);
    server.end();
}
