//! What answers is slow, broken, or not the server at all: nothing is lost, nothing is there twice,
//! and nobody waits for long.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use auto_recovery::ErrorKind;
use auto_recovery::audit::{AuditStore, JournalEvent, Recorder, SessionStarted};
use auto_recovery::host::{Host, SystemHost};
use auto_recovery::interrupt::Interrupt;
use auto_recovery_remote::{RemoteOptions, RemoteStore};
use auto_recovery_server::Scope;

use crate::serving::{LONG, Serving, attempt};
use crate::way::{Fate, Way};

/// As long as nobody notices.
const BRIEF: Duration = Duration::from_millis(200);
/// At once, on a machine with much else to do. What hangs does so for longer.
const SOON: Duration = Duration::from_secs(5);

/// A wait that a person notices, a little more than a second.
const NOTICED: Duration = Duration::from_millis(1100);

const SIGTERM: i32 = 15;

const LOGIN_PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\
     Content-Length: 27\r\n\r\n<html>Welcome! Log in</html>";

const NO_BACKEND: &str = "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n\
     Content-Length: 11\r\n\r\nBad Gateway";

const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";

const OWN_PROBLEM: &str = "HTTP/1.1 500 Internal Server Error\r\n\
     Content-Type: application/problem+json\r\nContent-Length: 68\r\n\r\n\
     {\"type\":\"/errors/io\",\"detail\":\"write store.sqlite: I/O error\"}      ";

const ELSEWHERE: &str = "HTTP/1.1 302 Found\r\nLocation: https://login.example.org/?to=me\r\n\
     Content-Length: 0\r\n\r\n";

const NOT_HTTP: &str = "220 mail.example.org ESMTP\r\n";

const NO_NUMBERS: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\
     Content-Length: 3\r\n\r\n{}\n";

/// What happens, and what is told of it.
const FATES: [(Fate, &str); 13] = [
    (Fate::Silence, "did not answer within 0.2 s"),
    (Fate::Close, "cannot reach"),
    (
        Fate::Instead(LOGIN_PAGE),
        "answers 200 with text/html and not as `recover serve` does",
    ),
    (
        Fate::Instead(NO_BACKEND),
        "answers 502 with text/html and not as `recover serve` does",
    ),
    (
        Fate::Instead(BROKEN),
        "answers 500 with no known type and not as `recover serve` does",
    ),
    (Fate::Instead(OWN_PROBLEM), "write store.sqlite: I/O error"),
    (
        Fate::Instead(ELSEWHERE),
        "sends to login.example.org, which is not followed",
    ),
    (Fate::Instead(NOT_HTTP), "cannot reach"),
    (
        Fate::Instead(NO_NUMBERS),
        "cannot be used (an acknowledgement)",
    ),
    (Fate::Trickle(LOGIN_PAGE), "did not answer within 0.2 s"),
    (Fate::Unanswered, "did not answer within 0.2 s"),
    (Fate::Half, "cannot reach"),
    (Fate::TooShort, "cannot be used"),
];

fn store(way: &Way, options: &RemoteOptions, limit: Duration, host: SystemHost) -> RemoteStore {
    let options = RemoteOptions {
        write_timeout: limit,
        read_timeout: limit,
        ..options.clone()
    };
    let recorder = Recorder::new(Arc::new(host));
    RemoteStore::open(way.address.clone(), &options, recorder).unwrap()
}

fn started() -> JournalEvent {
    JournalEvent::SessionStarted(SessionStarted::default())
}

fn numbers(store: &dyn AuditStore, session: &str) -> Vec<u64> {
    let mut numbers = Vec::new();
    let read = store.read_trail(session, &mut |stored| {
        numbers.push(stored.attempt_number());
        Ok(())
    });
    read.unwrap();
    numbers
}

#[test]
fn whatever_answers_nothing_is_lost_and_nothing_is_there_twice() {
    let serving = Serving::new();
    let (way, options) = (
        Way::to(serving.address_of_server()),
        serving.options(Scope::Write),
    );
    let own = serving.own();
    for (number, (fate, expected)) in FATES.into_iter().enumerate() {
        let session = format!("s{number}");
        let store_of = |limit| store(&way, &options, limit, SystemHost::new());
        way.set(fate);
        let away = store_of(BRIEF);
        for number in 1..=3 {
            let appended = away.append(vec![attempt(&session)]).unwrap();
            assert_eq!(appended[0].attempt_number, number, "{fate:?}");
        }
        away.record(Some(&session), started()).unwrap();
        assert_eq!(away.waiting(), 3, "{fate:?}");
        let told = std::mem::take(&mut *serving.told.lock().unwrap());
        let address = way.address.to_string();
        assert_eq!(told.len(), 1, "{fate:?}: {told:?}");
        for part in [expected, &address, "until it is back"] {
            assert!(told[0].contains(part), "{fate:?}: {part:?} in {told:?}");
        }
        way.set(Fate::Passes);
        let back = store_of(LONG);
        assert_eq!(
            back.append(vec![attempt(&session)]).unwrap()[0].attempt_number,
            4
        );
        assert_eq!(back.waiting(), 0, "{fate:?}");
        assert_eq!(numbers(&*own, &session), [1, 2, 3, 4], "{fate:?}");
        let mut records = 0;
        own.read_journal(Some(&session), &mut |_| {
            records += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(records, 1, "{fate:?}");
        serving.told.lock().unwrap().clear();
    }
}

#[test]
fn what_the_server_took_and_did_not_acknowledge_is_there_once() {
    let serving = Serving::new();
    let (way, options) = (
        Way::to(serving.address_of_server()),
        serving.options(Scope::Write),
    );
    for (number, fate) in [Fate::Unanswered, Fate::Half, Fate::TooShort, Fate::Slow]
        .into_iter()
        .enumerate()
    {
        let session = format!("s{number}");
        way.set(fate);
        let away = store(&way, &options, BRIEF, SystemHost::new());
        let ids: BTreeSet<String> = (0..3)
            .map(|_| {
                away.append(vec![attempt(&session)]).unwrap()[0]
                    .entry_id
                    .clone()
            })
            .collect();
        way.set(Fate::Passes);
        let back = store(&way, &options, LONG, SystemHost::new());
        back.append(vec![attempt("other")]).unwrap();
        let mut there = Vec::new();
        let read = serving.own().read_trail(&session, &mut |stored| {
            there.push(stored.entry_id().into_owned());
            Ok(())
        });
        read.unwrap();
        assert_eq!(there.len(), 3, "{fate:?}");
        assert_eq!(there.into_iter().collect::<BTreeSet<_>>(), ids, "{fate:?}");
    }
}

#[test]
fn a_server_that_does_not_answer_keeps_one_call_waiting() {
    let serving = Serving::new();
    let (way, options) = (
        Way::to(serving.address_of_server()),
        serving.options(Scope::Write),
    );
    for (first, fate) in [Fate::Silence, Fate::Trickle(LOGIN_PAGE)]
        .into_iter()
        .enumerate()
    {
        way.set(fate);
        let before = way.connections();
        let store = store(&way, &options, NOTICED, SystemHost::new());
        // A question decides as a write does.
        match first {
            0 => drop(store.append(vec![attempt("s")]).unwrap()),
            _ => assert!(store.is_known("s").unwrap()),
        }
        for _ in 0..20 {
            store.append(vec![attempt("s")]).unwrap();
        }
        store.record(Some("s"), started()).unwrap();
        let away = store.sessions().unwrap_err();
        assert_eq!(away.kind(), ErrorKind::Unreachable);
        let words = away.chain();
        assert!(
            words.contains("entries wait in") && words.contains("within 1.1 s"),
            "{words}"
        );
        assert!(store.highest_attempt_number("s").unwrap() >= 20);
        assert_eq!(way.connections() - before, 1, "{fate:?}: it was asked once");
        let told = std::mem::take(&mut *serving.told.lock().unwrap());
        assert_eq!(told.len(), 1, "{told:?}");
    }
}

#[test]
fn a_signal_ends_every_wait_for_it() {
    let serving = Serving::new();
    let (way, options) = (
        Way::to(serving.address_of_server()),
        serving.options(Scope::Write),
    );
    for fate in [Fate::Silence, Fate::Trickle(LOGIN_PAGE), Fate::Slow] {
        way.set(fate);
        let before = way.connections();
        let interrupt = Arc::new(Interrupt::new().unwrap());
        let host = SystemHost::with_interrupt(Arc::clone(&interrupt));
        let store = store(&way, &options, LONG, host);
        thread::scope(|scope| {
            let raising = scope.spawn(|| {
                while way.connections() == before {
                    thread::yield_now();
                }
                // As a user does who sees that nothing happens.
                SystemHost::new().sleep(BRIEF);
                let raised = SystemHost::new();
                interrupt.raise(SIGTERM);
                raised
            });
            store.append(vec![attempt("s")]).unwrap();
            let raised = raising.join().unwrap();
            // Nor does what is written then wait for it.
            for _ in 0..3 {
                store.append(vec![attempt("s")]).unwrap();
            }
            let took = raised.monotonic();
            assert!(took < SOON, "{fate:?}: {took:?}");
        });
        assert_eq!(way.connections() - before, 1, "{fate:?}");
    }
    assert_eq!(
        store(&way, &options, BRIEF, SystemHost::new()).waiting(),
        12
    );
}

#[test]
fn a_signal_ends_a_stream_in_which_nothing_happens() {
    let serving = Serving::new();
    let interrupt = Arc::new(Interrupt::new().unwrap());
    let host = Arc::new(SystemHost::with_interrupt(Arc::clone(&interrupt)));
    let options = serving.options(Scope::Read);
    let wanted = auto_recovery_remote::Wanted::default();
    let address = serving.address();
    let mut events = auto_recovery_remote::Events::open(address, &options, host, wanted).unwrap();
    assert!(events.next_event().unwrap().is_some());
    let raised = thread::spawn(move || {
        SystemHost::new().sleep(BRIEF);
        let raised = SystemHost::new();
        interrupt.raise(SIGTERM);
        raised
    });
    assert!(events.next_event().unwrap().is_none());
    let took = raised.join().unwrap().monotonic();
    assert!(took < SOON, "{took:?}");
}
