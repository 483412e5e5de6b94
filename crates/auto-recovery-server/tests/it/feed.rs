//! The feed's promise: nothing is missed, nothing comes twice, whatever happens between.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use auto_recovery::audit::{AuditStore, Pruning, Removal};
use auto_recovery::testing::{Campaign, Found, Random, Rounds, Wrong};

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
    /// Reads until the last event is that of the session `end`, or goes away after `events`.
    fn read_to(&mut self, server: &Running, end: &str, events: Option<u64>) {
        let path = match &self.last {
            Some(last) => format!("/api/v1/events?after={last}"),
            None => "/api/v1/events".to_owned(),
        };
        let mut stream = server.lines(&path);
        let mut left = events;
        while left != Some(0) {
            left = left.map(|left| left - 1);
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
        3 if random.below(2) == 0 => {
            let (digest, _) = store.digest("cleared").unwrap();
            let pruning = Pruning {
                digest,
                ..Pruning::default()
            };
            drop(store.remove("cleared", &Removal::Pruned(pruning)).unwrap());
        }
        3 => drop(store.clear("cleared").unwrap()),
        4 => {
            let many = (0..30).map(|index| entry(session, index));
            drop(store.append(many.collect()).unwrap());
        }
        _ => drop(store.append(vec![entry(session, number)]).unwrap()),
    }
}

/// Connections of a client to the server over one store. Each ends at any moment.
const CONNECTIONS: Rounds = Rounds {
    ordinary: 20,
    long: 340,
};

#[test]
fn nothing_is_missed_and_nothing_comes_twice_of_files() {
    of_store(Kind::Jsonl, 1, "39-feed-jsonl", "streams cut off, files");
}

#[test]
fn nothing_is_missed_and_nothing_comes_twice_of_sqlite() {
    of_store(Kind::Sqlite, 2, "39-feed-sqlite", "streams cut off, SQLite");
}

#[test]
fn nothing_is_missed_and_nothing_comes_twice_of_postgresql() {
    of_store(
        Kind::Postgres,
        3,
        "39-feed-postgres",
        "streams cut off, PostgreSQL",
    );
}

fn of_store(kind: Kind, seed: u64, name: &'static str, what: &'static str) {
    let campaign = Campaign::begin(name, what);
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
    let mut connections = 0;
    while connections < CONNECTIONS.count() {
        let number = connections * 100;
        for step in 0..random.below(12) {
            happens(&*store, &mut random, number + step);
        }
        if random.below(6) == 0 {
            server.end();
            for step in 0..random.below(5) {
                happens(&*store, &mut random, number + 50 + step);
            }
            server = machine.start();
        }
        let end = format!("end {connections}");
        store.append(vec![entry(&end, 1)]).unwrap();
        // Half of them go away before they have read it.
        let events = (random.below(2) == 0).then(|| random.below(20));
        client.read_to(&server, &end, events);
        connections += 1;
    }
    store.append(vec![entry("end", 1)]).unwrap();
    client.read_to(&server, "end", None);
    let mut found = Found::nothing_in(connections);
    for session in SESSIONS {
        let expected = stored(&*store, session);
        // The last to be told need not be the last that was written.
        for more in 0..50 {
            if client.seen.get(session).map_or(0, Vec::len) >= expected.len() {
                break;
            }
            let end = format!("more {session} {more}");
            store.append(vec![entry(&end, 1)]).unwrap();
            client.read_to(&server, &end, None);
        }
        let seen = client.seen.remove(session).unwrap_or_default();
        let is_right = match session {
            // What was cleared before anybody looked is told to nobody.
            "cleared" => seen.ends_with(&expected),
            _ => seen == expected,
        };
        if !is_right {
            let wrong = match seen.len().cmp(&expected.len()) {
                Ordering::Less => Wrong::Lost,
                Ordering::Equal => Wrong::Other,
                Ordering::Greater => Wrong::Doubled,
            };
            found.wrong(wrong, || format!("{session}: {seen:?} of {expected:?}"));
        }
    }
    campaign.end(&found);
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
