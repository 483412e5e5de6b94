//! While the server is away, what is recorded waits, and is delivered later: in order, and once.

use auto_recovery::ErrorKind;
use auto_recovery::audit::{AuditStore, JournalEvent, SessionStarted};
use auto_recovery_server::Scope;

use crate::serving::{Serving, attempt};

fn numbers(store: &dyn AuditStore, session: &str) -> Vec<u64> {
    let mut numbers = Vec::new();
    store
        .read_trail(session, &mut |stored| {
            numbers.push(stored.attempt_number());
            Ok(())
        })
        .unwrap();
    numbers
}

fn started() -> JournalEvent {
    JournalEvent::SessionStarted(SessionStarted {
        project: Some("p".to_owned()),
        ..SessionStarted::default()
    })
}

#[test]
fn what_waits_is_delivered_in_order_and_once() {
    let serving = Serving::new();
    let store = serving.remote(Scope::Write);
    store.append(vec![attempt("s"), attempt("s")]).unwrap();
    serving.end();
    store.record(Some("t"), started()).unwrap();
    let appended = store.append(vec![attempt("s"), attempt("t")]).unwrap();
    let given: Vec<u64> = appended.iter().map(|one| one.attempt_number).collect();
    assert_eq!((given, store.waiting()), (vec![3, 1], 2));
    assert_eq!(store.highest_attempt_number("s").unwrap(), 3);
    assert!(store.is_known("t").unwrap());
    let away = store.sessions().unwrap_err();
    assert_eq!(away.kind(), ErrorKind::Unreachable);
    serving.start();
    // Another process, to which nobody said that the server was away.
    let other = serving.remote(Scope::Write);
    assert_eq!(
        other.append(vec![attempt("s")]).unwrap()[0].attempt_number,
        4
    );
    let own = serving.own();
    assert_eq!(numbers(&*own, "s"), [1, 2, 3, 4]);
    assert_eq!(numbers(&*own, "t"), [1]);
    assert_eq!(other.waiting(), 0);
    let session = own.sessions().unwrap();
    let session = session.iter().find(|one| one.session_id == "t").unwrap();
    assert_eq!(session.project.as_deref(), Some("p"));
    let told = serving.told.lock().unwrap().clone();
    assert!(
        told[0].contains("kept in") && told[0].contains("until it is back"),
        "{told:?}"
    );
    assert!(
        told[1].starts_with("delivered 2 entries and 1 journal record"),
        "{told:?}"
    );
    assert_eq!(told.len(), 2, "{told:?}");
}

#[test]
fn a_spool_that_comes_back_is_not_delivered_twice() {
    let serving = Serving::new();
    let store = serving.remote(Scope::Write);
    store.append(vec![attempt("s")]).unwrap();
    serving.end();
    store.record(Some("t"), started()).unwrap();
    store.append(vec![attempt("s"), attempt("t")]).unwrap();
    let copy = serving.spool().with_extension("copy");
    copy_tree(&serving.spool(), &copy);
    serving.start();
    let deliver = || {
        serving
            .remote(Scope::Write)
            .append(vec![attempt("u")])
            .unwrap()
    };
    deliver();
    // As with a machine that was restored from an image.
    std::fs::remove_dir_all(serving.spool()).unwrap();
    std::fs::rename(&copy, serving.spool()).unwrap();
    deliver();
    let own = serving.own();
    assert_eq!(numbers(&*own, "s"), [1, 2]);
    assert_eq!(numbers(&*own, "t"), [1]);
    let mut records = 0;
    own.read_journal(Some("t"), &mut |_| {
        records += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(records, 1);
}

fn copy_tree(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir(to).unwrap();
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    for found in std::fs::read_dir(from).unwrap() {
        let found = found.unwrap();
        let to = to.join(found.file_name());
        match found.file_type().unwrap().is_dir() {
            true => copy_tree(&found.path(), &to),
            false => drop(std::fs::copy(found.path(), to).unwrap()),
        }
    }
}

#[test]
fn without_a_spool_it_is_refused() {
    let serving = Serving::new();
    let mut options = serving.options(Scope::Write);
    options.spool = None;
    let store = serving.remote_with(&options);
    serving.end();
    let away = store.append(vec![attempt("s")]).unwrap_err();
    assert_eq!(away.kind(), ErrorKind::Unreachable);
    assert!(away.to_string().contains("http://127.0.0.1:"), "{away}");
}
