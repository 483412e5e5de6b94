//! The feed's promise: nothing is missed, nothing comes twice, whatever happens between.

use std::collections::BTreeMap;

use auto_recovery::audit::AuditStore;
use auto_recovery::testing::Random;

use crate::machine::{Kind, Machine, Running, entry, started};

const SESSIONS: [&str; 5] = ["a", "ä b", "c/d", "e", "cleared"];

/// A client that goes on where it was.
#[derive(Default)]
struct Client {
    last: Option<String>,
    /// The ids of the entries of each session, in the order in which they came.
    seen: BTreeMap<String, Vec<String>>,
}

impl Client {
    /// Reads until the last event is that of the session `end`.
    fn read_to(&mut self, server: &Running, end: &str) {
        let path = match &self.last {
            Some(last) => format!("/api/v1/events?after={last}"),
            None => "/api/v1/events".to_owned(),
        };
        let mut stream = server.lines(&path);
        loop {
            let event = stream.row().unwrap();
            self.last = event["id"].as_str().map(str::to_owned);
            let session = event["session_id"].as_str().unwrap();
            if event["event"] == "entry" {
                let of_session = self.seen.entry(session.to_owned()).or_default();
                of_session.extend(event["entry"]["entry_id"].as_str().map(str::to_owned));
            }
            if session == end && event["event"] == "entry" {
                return;
            }
        }
    }
}

fn stored(store: &dyn AuditStore, session: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let read = store.read_trail(session, &mut |entry| {
        ids.push(entry.entry_id().into_owned());
        Ok(())
    });
    assert_eq!(read.unwrap(), []);
    ids
}

fn raw(session: &str, number: u64) -> Vec<u8> {
    let mut old = entry(session, number).entry;
    old.entry_id = format!("entry_imported_{number}");
    old.timestamp = "2020-01-02T03:04:05.678Z".to_owned();
    old.to_json().into_bytes()
}

/// Something happens to the store.
fn happens(store: &dyn AuditStore, random: &mut Random, number: u64) {
    let session = SESSIONS[random.below(SESSIONS.len() as u64) as usize];
    match random.below(10) {
        0 => store.record(Some(session), started("p")).unwrap(),
        1 | 2 => {
            let late = [raw(session, number), raw(session, number)];
            store.importer().unwrap().entries(session, &late).unwrap();
        }
        3 => drop(store.clear("cleared").unwrap()),
        4 => {
            let many = (0..30).map(|index| entry(session, index));
            drop(store.append(many.collect()).unwrap());
        }
        _ => drop(store.append(vec![entry(session, number)]).unwrap()),
    }
}

#[test]
fn nothing_is_missed_and_nothing_comes_twice() {
    for (kind, seed) in [
        (Kind::Jsonl, 1),
        (Kind::Sqlite, 2),
        (Kind::Jsonl, 3),
        (Kind::Sqlite, 4),
    ] {
        let machine = Machine::new(kind);
        let store = machine.store();
        let mut random = Random::new(seed);
        let mut server = machine.start();
        let mut client = Client::default();
        // Before the first event there is no cursor to go on from.
        let mut stream = server.lines("/api/v1/events");
        store.append(vec![entry("begin", 1)]).unwrap();
        client.last = stream.row().unwrap()["id"].as_str().map(str::to_owned);
        drop(stream);
        for round in 0..12 {
            for step in 0..random.below(12) {
                happens(&*store, &mut random, round * 100 + step);
            }
            if random.below(3) == 0 {
                server.end();
                for step in 0..random.below(5) {
                    happens(&*store, &mut random, 5000 + round * 100 + step);
                }
                server = machine.start();
            }
            if random.below(2) == 0 {
                let end = format!("end {round}");
                store.append(vec![entry(&end, 1)]).unwrap();
                client.read_to(&server, &end);
            }
        }
        store.append(vec![entry("end", 1)]).unwrap();
        client.read_to(&server, "end");
        // The last to be told need not be the last that was written.
        for session in SESSIONS {
            let expected = stored(&*store, session);
            let mut tries = 0;
            while client.seen.get(session).map_or(0, Vec::len) < expected.len() && tries < 50 {
                tries += 1;
                let end = format!("more {session} {tries}");
                store.append(vec![entry(&end, 1)]).unwrap();
                client.read_to(&server, &end);
            }
            let seen = client.seen.remove(session).unwrap_or_default();
            match session {
                // What was cleared before anybody looked is told to nobody.
                "cleared" => assert!(
                    seen.ends_with(&expected),
                    "{kind:?} {seed}: {seen:?} {expected:?}"
                ),
                _ => assert_eq!(seen, expected, "{kind:?} {seed} {session}"),
            }
        }
        server.end();
    }
}

#[test]
fn what_was_there_before_the_feed_is_no_news() {
    let machine = Machine::new(Kind::Jsonl);
    let store = machine.store();
    store.record(Some("old"), started("p")).unwrap();
    store
        .append((1..50).map(|number| entry("old", number)).collect())
        .unwrap();
    let server = machine.start();
    let mut stream = server.lines("/api/v1/events?last=100");
    store.append(vec![entry("old", 50)]).unwrap();
    let first = stream.row().unwrap();
    assert_eq!(
        (&first["entry"]["attempt_number"], &first["project"]),
        (&50.into(), &"p".into())
    );
}
