//! The live stream of a server: every event once, also where the connection is lost.

use std::collections::BTreeSet;
use std::sync::Arc;

use auto_recovery::ErrorKind;
use auto_recovery::host::SystemHost;
use auto_recovery_remote::{EventKind, Events, Wanted};
use auto_recovery_server::Scope;

use crate::serving::{Serving, attempt};

fn events(serving: &Serving, wanted: Wanted) -> Events {
    let options = serving.options(Scope::Read);
    Events::open(
        serving.address(),
        &options,
        Arc::new(SystemHost::new()),
        wanted,
    )
    .unwrap()
}

/// The ids of the next `count` attempts.
fn ids(events: &mut Events, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let event = events.next_event().unwrap().unwrap();
        assert_ne!(event.kind, EventKind::Reset);
        if event.kind == EventKind::Entry {
            ids.push(event.id.unwrap());
        }
    }
    ids
}

#[test]
fn a_stream_goes_on_where_it_was_when_the_server_comes_back() {
    let serving = Serving::new();
    let own = serving.own();
    let mut stream = events(&serving, Wanted::default());
    assert_eq!(stream.next_event().unwrap().unwrap().kind, EventKind::Hello);
    let mut seen = Vec::new();
    for round in 0..4 {
        own.append(vec![attempt("s"), attempt("t")]).unwrap();
        seen.extend(ids(&mut stream, 2));
        serving.end();
        own.append(vec![attempt(&format!("away {round}"))]).unwrap();
        serving.start();
        seen.extend(ids(&mut stream, 1));
    }
    let once: BTreeSet<&String> = seen.iter().collect();
    assert_eq!((seen.len(), once.len()), (12, 12), "{seen:?}");
}

#[test]
fn what_was_before_ends_with_a_sign() {
    let serving = Serving::new();
    let own = serving.own();
    let mut stream = events(&serving, Wanted::default());
    assert_eq!(stream.next_event().unwrap().unwrap().kind, EventKind::Hello);
    own.append(vec![attempt("s"), attempt("s"), attempt("t")])
        .unwrap();
    ids(&mut stream, 3);
    let wanted = Wanted {
        session_id: Some("s".to_owned()),
        last: 10,
        ..Wanted::default()
    };
    let mut stream = events(&serving, wanted);
    let mut kinds = Vec::new();
    while kinds.last() != Some(&EventKind::Live) {
        kinds.push(stream.next_event().unwrap().unwrap().kind);
    }
    let expected = [
        EventKind::Hello,
        EventKind::Entry,
        EventKind::Entry,
        EventKind::Live,
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn a_server_that_was_never_there_is_told_at_once() {
    let serving = Serving::new();
    serving.end();
    let away = events(&serving, Wanted::default())
        .next_event()
        .unwrap_err();
    assert_eq!(away.kind(), ErrorKind::Unreachable);
}
