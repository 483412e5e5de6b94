//! What is sent and received is compressed on the wire, and comes out as it went in.

use std::sync::Arc;

use auto_recovery::audit::{AuditStore, Recorder};
use auto_recovery::host::SystemHost;
use auto_recovery_remote::RemoteStore;
use auto_recovery_server::Scope;

use crate::serving::{Serving, attempt};
use crate::way::Way;

/// The head of a message in small letters, and the length of its body.
fn parts(message: &[u8]) -> (String, usize) {
    let end = message.windows(4).position(|part| part == b"\r\n\r\n");
    let head = String::from_utf8_lossy(&message[..end.unwrap()]).to_ascii_lowercase();
    (head, message.len() - end.unwrap() - 4)
}

#[test]
fn both_ways_take_a_fraction_of_the_room_and_bring_the_same() {
    const ATTEMPTS: usize = 500;
    let serving = Serving::new();
    let way = Way::to(serving.address_of_server());
    let recorder = Recorder::new(Arc::new(SystemHost::new()));
    let options = serving.options(Scope::Write);
    let store = RemoteStore::open(way.address.clone(), &options, recorder).unwrap();
    store
        .append((0..ATTEMPTS).map(|_| attempt("s")).collect())
        .unwrap();
    let sent = way.passed().pop().unwrap();
    let (head, sent) = parts(&sent.request);
    assert!(head.contains("content-encoding: gzip"), "{head}");
    let mut entries = 0;
    let mut bytes = 0;
    let mut visit = |stored: auto_recovery::audit::StoredEntry<'_>| {
        entries += 1;
        bytes += stored.raw().len();
        Ok(())
    };
    store.read_trail("s", &mut visit).unwrap();
    assert_eq!(entries, ATTEMPTS);
    let received = way.passed().pop().unwrap();
    let (head, received) = parts(&received.answer);
    assert!(head.contains("content-encoding: gzip"), "{head}");
    assert!(
        sent * 3 < bytes && received * 3 < bytes,
        "{bytes}: {sent}, {received}"
    );
    // What is little is not worth it.
    store.append(vec![attempt("t")]).unwrap();
    let (head, _) = parts(&way.passed().pop().unwrap().request);
    assert!(!head.contains("content-encoding"), "{head}");
    assert!(head.contains("accept-encoding: gzip"), "{head}");
}
