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

#[test]
fn what_the_server_never_takes_holds_nothing_up_and_stays() {
    let serving = Serving::new();
    let store = serving.remote(Scope::Write);
    serving.end();
    store.record(Some("t"), started()).unwrap();
    for session in ["s", "t", "u"] {
        store.append(vec![attempt(session)]).unwrap();
    }
    let segment = std::fs::read_dir(serving.spool()).unwrap();
    let segment = segment.map(|found| found.unwrap().path());
    let segment = segment.into_iter().find(|path| path.is_dir()).unwrap();
    let journal = segment.join("journal.jsonl");
    let mut lines = std::fs::read_to_string(&journal).unwrap();
    // As one that a later release records and this server does not know.
    lines += r#"{"v":1,"at":"2026-01-02T03:04:05.000Z","session_id":"t","event":"soul_searched"}"#;
    lines.push('\n');
    std::fs::write(&journal, lines).unwrap();
    serving.start();
    let other = serving.remote(Scope::Write);
    other.append(vec![attempt("s")]).unwrap();
    let own = serving.own();
    assert_eq!(numbers(&*own, "s"), [1, 2]);
    assert_eq!(numbers(&*own, "t"), [1]);
    assert_eq!(numbers(&*own, "u"), [1]);
    assert_eq!(other.waiting(), 0);
    let told = std::mem::take(&mut *serving.told.lock().unwrap());
    let [_, refused, delivered] = &*told else {
        panic!("{told:?}");
    };
    for part in ["1 record in ", ".damaged stays there", "soul_searched"] {
        assert!(refused.contains(part), "{refused}");
    }
    assert!(
        delivered.starts_with("delivered 3 entries and 1 journal record"),
        "{delivered}"
    );
    // What is named again as it was is sent again, and nothing of it is there twice.
    let aside = std::fs::read_dir(serving.spool()).unwrap();
    let aside = aside.map(|found| found.unwrap().path());
    let aside = aside
        .into_iter()
        .find(|path| path.extension().is_some_and(|is| is == "damaged"));
    let aside = aside.unwrap();
    std::fs::rename(&aside, aside.with_extension("")).unwrap();
    serving
        .remote(Scope::Write)
        .append(vec![attempt("s")])
        .unwrap();
    assert_eq!(numbers(&*own, "s"), [1, 2, 3]);
    assert_eq!(numbers(&*own, "t"), [1]);
    assert!(aside.exists());
}
