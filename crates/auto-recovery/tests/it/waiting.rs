//! Waiting for what others hold: for as long as the user waits.

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auto_recovery::audit::{AuditStore, JournalEvent, Recorder, SessionFinished};
use auto_recovery::host::{Host, SystemHost};
use auto_recovery::interrupt::Interrupt;
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::patience::{a_moment, impatiently, lock_file, over};
use auto_recovery::{ErrorKind, Result};

fn locked() -> (tempfile::NamedTempFile, File) {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().lock().unwrap();
    let other = File::open(file.path()).unwrap();
    (file, other)
}

fn lock(host: &dyn Host, file: &File) -> Result<()> {
    lock_file(
        host,
        "the/file".as_ref(),
        file,
        &mut || Ok(file.try_lock()?),
    )
}

#[test]
fn a_lock_is_waited_for_until_the_deadline() {
    let (_held, file) = locked();
    let host = SystemHost::new();
    assert_eq!(over(&host), None);
    host.set_deadline(Some(host.monotonic() + Duration::from_millis(300)));
    let error = lock(&host, &file).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(
        error.to_string().contains("waiting for the/file"),
        "{error}"
    );
    assert!(host.monotonic() < Duration::from_secs(10));
    assert_eq!(over(&host), Some(ErrorKind::TimedOut));
}

#[test]
fn a_lock_is_waited_for_until_the_user_wants_to_stop() {
    let (_held, file) = locked();
    let interrupt = Arc::new(Interrupt::new().unwrap());
    let host = SystemHost::with_interrupt(Arc::clone(&interrupt));
    let error = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| lock(&host, &file).unwrap_err());
        // Whether it waits already makes no difference but to how long it may.
        interrupt.raise(2);
        waiting.join().unwrap()
    });
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}

#[test]
fn what_is_asked_for_late_is_waited_for_a_moment() {
    let (held, file) = locked();
    let host = SystemHost::new();
    host.set_deadline(Some(Duration::ZERO));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| lock(&host, &file));
        held.as_file().unlock().unwrap();
        waiting.join().unwrap().unwrap();
    });
    assert!(!a_moment(|| held.as_file().try_lock().is_ok()));
    let again = File::open(held.path()).unwrap();
    let error = lock(&host, &again).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[test]
fn who_waits_for_long_is_told_once_for_what() {
    let (_held, file) = locked();
    let told = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&told);
    let host = SystemHost::new().telling(move |what| kept.lock().unwrap().push(what.to_owned()));
    host.set_deadline(Some(Duration::from_secs(3)));
    lock(&host, &file).unwrap_err();
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("waiting for the/file, which "),
        "{told:?}"
    );
}

#[test]
fn a_lock_that_cannot_be_had_is_no_wait() {
    let host = SystemHost::new();
    let (_held, file) = locked();
    let mut fails = || Err(io::ErrorKind::Unsupported.into());
    let error = lock_file(&host, "the/file".as_ref(), &file, &mut fails).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
}

#[test]
fn what_is_done_by_the_way_keeps_nobody_waiting_and_leaves_the_deadline() {
    let (_held, file) = locked();
    let host = SystemHost::new();
    let deadline = Some(Duration::from_secs(100));
    host.set_deadline(deadline);
    let locked = impatiently(&host, Duration::from_millis(100), || lock(&host, &file));
    assert_eq!(locked.unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(host.deadline(), deadline);
}

#[test]
fn a_store_waits_for_its_journal_no_longer_than_its_host() {
    let dir = tempfile::tempdir().unwrap();
    let host = Arc::new(SystemHost::new());
    let store = JsonlStore::open(
        dir.path(),
        JsonlOptions::default(),
        Recorder::new(host.clone()),
    )
    .unwrap();
    let event = || JournalEvent::SessionFinished(SessionFinished::default());
    store.record(None, event()).unwrap();
    let journal = File::open(dir.path().join("journal.jsonl")).unwrap();
    journal.lock().unwrap();
    host.set_deadline(Some(host.monotonic() + Duration::from_millis(200)));
    let error = store.record(None, event()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{}", error.chain());
    journal.unlock().unwrap();
    store.record(None, event()).unwrap();
}
