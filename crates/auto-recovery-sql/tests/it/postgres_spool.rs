//! The server cannot be reached: what comes is kept, and delivered once and in order when it is
//! back.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use auto_recovery::ErrorKind;
use auto_recovery::audit::{AuditStore, JournalEvent, NewEntry, Recorder, SessionStarted};
use auto_recovery::host::SystemHost;
use auto_recovery::statistics::AggregateQuery;
use auto_recovery::testing::store_contract::{assert_exact, entry, read};
use auto_recovery::testing::store_processes::{orders, start};
use auto_recovery_sql::postgres::{Delivered, Notice};
use auto_recovery_sql::{PostgresOptions, PostgresStore};

use crate::postgres_server::Server;

/// What asks whether the last entry of `s` is there.
const QUESTION: &str = "SELECT json_build_object('session_id', 's', 'added', \
     json_build_object('entry', json_build_object('session', session, 'place', place, 'id_hash', \
     (SELECT json_agg(get_byte(id_hash, n)) FROM generate_series(0, length(id_hash) - 1) n)))) \
     FROM auto_recovery.stored_entry";

const DELIVERER: &str = "postgres_spool::deliverer";

fn options(spool: &Path) -> PostgresOptions {
    PostgresOptions {
        spool: Some(spool.to_owned()),
        ..PostgresOptions::default()
    }
}

fn numbered(session_id: &str, number: u64) -> NewEntry {
    NewEntry {
        number_by_store: true,
        ..entry(session_id, number)
    }
}

fn started() -> JournalEvent {
    JournalEvent::SessionStarted(SessionStarted {
        project: Some("red".to_owned()),
        ..SessionStarted::default()
    })
}

fn numbers(store: &dyn AuditStore, session_id: &str) -> Vec<u64> {
    let entries = read(store, session_id);
    entries.iter().map(|entry| entry.attempt_number).collect()
}

#[test]
fn what_comes_meanwhile_is_delivered_once_and_in_order() {
    let server = Server::start(true, &[]);
    let database = server.own_database();
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("deep/spool");
    let notices = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&notices);
    let store = database.open(PostgresOptions {
        on_notice: Some(Arc::new(move |notice: &Notice| {
            told.lock().unwrap().push(notice.clone());
        })),
        ..options(&spool)
    });
    store
        .append(vec![numbered("s", 1), numbered("s", 2)])
        .unwrap();
    server.kill();
    // It goes on numbering where the server was, and what was given twice is there twice.
    let mut appended = store.append(vec![numbered("s", 3), entry("t", 9)]).unwrap();
    store.record(Some("s"), started()).unwrap();
    appended.extend(
        store
            .append(vec![numbered("s", 4), entry("s", 2), numbered("s", 5)])
            .unwrap(),
    );
    let acknowledged: Vec<u64> = appended.iter().map(|one| one.attempt_number).collect();
    assert_eq!(acknowledged, [3, 9, 4, 2, 5]);
    assert_eq!(store.waiting(), 5);
    let mode = fs::metadata(&spool).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o700);
    let error = store.sessions().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains("5 entries wait"), "{error}");
    assert_eq!(notices.lock().unwrap().len(), 1, "it is told once");
    // Another process shares the spool, and knows nothing of the session but what waits.
    let other = database.open(options(&spool));
    assert_eq!(
        other.append(vec![numbered("s", 6)]).unwrap()[0].attempt_number,
        6
    );
    server.run();
    let delivered = other.deliver().unwrap();
    assert_eq!((delivered.entries, delivered.records), (6, 1));
    assert_eq!(other.deliver().unwrap().entries, 0);
    store.append(vec![numbered("s", 7)]).unwrap();
    store.deliver().unwrap();
    assert_eq!(numbers(&store, "s"), [1, 2, 3, 4, 2, 5, 6, 7]);
    assert_eq!(numbers(&store, "t"), [9]);
    assert_exact(&store, "s");
    assert_eq!(store.waiting(), 0);
    let noted = server.ask(
        &database.name,
        "SELECT sum(delivered), sum(length(digests) / 16) \
         FROM auto_recovery.spool_delivery JOIN auto_recovery.spool_delivered \
         USING (segment, session_id)",
    );
    assert_eq!(noted, "7|7", "six entries and a record, for good");
    let project = server.ask(
        &database.name,
        "SELECT project FROM auto_recovery.sessions WHERE session_id = 's'",
    );
    assert_eq!(project, "red");
}

/// Puts a segment into `spool` as somebody left it who died before it was sealed, with `question`
/// for the server.
fn leave_segment(spool: &Path, question: &str) {
    let segment = spool.join("segment_00");
    fs::create_dir_all(&segment).unwrap();
    fs::write(segment.join("maybe_written.json"), question).unwrap();
}

#[test]
fn what_follows_a_writer_who_died_is_not_taken_for_what_it_wrote() {
    let server = Server::start(true, &[]);
    let database = server.own_database();
    let dir = tempfile::tempdir().unwrap();
    let store = database.open(options(dir.path()));
    store.append(vec![numbered("s", 1)]).unwrap();
    // The server has what the one who died asks for.
    let question = server.ask(&database.name, QUESTION);
    drop(store);
    server.stop();
    leave_segment(dir.path(), &question);
    let store = database.open(options(dir.path()));
    store.append(vec![entry("s", 2)]).unwrap();
    server.run();
    assert_eq!(store.deliver().unwrap().entries, 1);
    assert_eq!(numbers(&store, "s"), [1, 2]);
}

#[test]
fn a_question_that_cannot_be_read_is_set_aside_and_told() {
    let server = Server::start(true, &[]);
    let database = server.own_database();
    let dir = tempfile::tempdir().unwrap();
    leave_segment(dir.path(), "");
    let notices = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&notices);
    let store = database.open(PostgresOptions {
        on_notice: Some(Arc::new(move |notice: &Notice| {
            told.lock().unwrap().push(notice.clone());
        })),
        ..options(dir.path())
    });
    store.append(vec![numbered("s", 1)]).unwrap();
    assert_eq!(numbers(&store, "s"), [1]);
    let place = dir.path().join("segment_00.sealed.damaged");
    assert!(place.join("maybe_written.json").exists());
    assert!(matches!(
        notices.lock().unwrap().as_slice(),
        [Notice::SpoolDamaged { place: told, damaged: 1 }] if *told == place
    ));
}

#[test]
fn the_next_write_comes_after_what_waits() {
    let server = Server::start(true, &[]);
    let database = server.own_database();
    let dir = tempfile::tempdir().unwrap();
    {
        let store = database.open(options(dir.path()));
        server.stop();
        for number in 1..=30 {
            store.append(vec![numbered("s", number)]).unwrap();
        }
    }
    server.run();
    let store = database.open(options(dir.path()));
    assert_eq!(
        store.append(vec![numbered("s", 31)]).unwrap()[0].attempt_number,
        31
    );
    assert_eq!(numbers(&store, "s"), (1..=31).collect::<Vec<_>>());
}

#[test]
fn a_full_spool_refuses_and_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let url = "postgres://u:secret@127.0.0.1:1/d";
    let options = PostgresOptions {
        spool_bytes_max: 4000,
        ..options(dir.path())
    };
    let store =
        PostgresStore::open(url, options, Recorder::new(Arc::new(SystemHost::new()))).unwrap();
    let mut kept = 0;
    let error = loop {
        match store.append(vec![entry("s", kept)]) {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!((3..12).contains(&kept), "{kept}");
    assert_eq!(error.kind(), ErrorKind::NoSpace);
    let words = error.chain();
    let dir = dir.path().display().to_string();
    for part in [dir.as_str(), "4000 bytes", "127.0.0.1:1"] {
        assert!(words.contains(part), "{words}");
    }
    assert!(!words.contains("secret"), "{words}");
    assert_eq!(store.waiting(), kept);
}

#[test]
fn without_a_spool_nothing_is_kept() {
    let url = "postgres://u:secret@127.0.0.1:1/d";
    let host = Arc::new(SystemHost::new());
    let store = PostgresStore::open(url, PostgresOptions::default(), Recorder::new(host)).unwrap();
    for error in [
        store.append(vec![entry("s", 1)]).map(drop).unwrap_err(),
        store.record(None, started()).unwrap_err(),
        store.sessions().map(drop).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
        let words = error.chain();
        assert!(
            words.contains("127.0.0.1:1") && !words.contains("secret"),
            "{words}"
        );
    }
}

/// No test, but what is killed while it delivers.
#[test]
fn deliverer() {
    if let Some((_, dir)) = orders() {
        let url = fs::read_to_string(dir.join("url")).unwrap();
        let options = options(&dir.join("spool"));
        let store =
            PostgresStore::open(&url, options, Recorder::new(Arc::new(SystemHost::new()))).unwrap();
        store.deliver().unwrap();
    }
}

/// Lets every write of entries take so long that a kill meets one, however fast the machine is.
const SLOW: &str = "
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END';
    CREATE TRIGGER slow AFTER INSERT ON auto_recovery.stored_entry
        FOR EACH STATEMENT EXECUTE FUNCTION slow()";

#[test]
fn whoever_dies_while_delivering_neither_loses_nor_doubles() {
    const ENTRIES: u64 = 12_000;
    const SESSIONS: u64 = 8;
    let server = Server::start(true, &[]);
    let database = server.own_database();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("url"), &database.url).unwrap();
    let store = database.open(options(&dir.path().join("spool")));
    server.stop();
    for first in (0..ENTRIES).step_by(500) {
        let batch = (first..first + 500).map(|n| numbered(&format!("s{}", n % SESSIONS), n));
        store.append(batch.collect()).unwrap();
        store.record(Some("s0"), started()).unwrap();
    }
    server.run();
    assert_eq!(store.sessions().unwrap(), []);
    server.ask(&database.name, SLOW);
    let count = || {
        let sql = "SELECT count(*) FROM auto_recovery.stored_entry";
        server.ask(&database.name, sql).parse::<u64>().unwrap()
    };
    let mut seen = BTreeSet::new();
    for round in 1..=8 {
        let mut child = start(DELIVERER, [0, 0], dir.path());
        // At another moment each time: when so much has arrived.
        while count() < (round * ENTRIES / 9) && child.try_wait().unwrap().is_none() {}
        child.kill().unwrap();
        child.wait().unwrap();
        seen.insert(count());
    }
    assert!(seen.len() > 2, "it was killed in the midst: {seen:?}");
    server.ask(
        &database.name,
        "DROP TRIGGER slow ON auto_recovery.stored_entry",
    );
    store.deliver().unwrap();
    let ids = server.ask(
        &database.name,
        "SELECT count(DISTINCT entry_id), count(*) FROM auto_recovery.entries",
    );
    assert_eq!(ids, format!("{ENTRIES}|{ENTRIES}"));
    let records = server.ask(&database.name, "SELECT count(*) FROM auto_recovery.journal");
    assert_eq!(records, (ENTRIES / 500).to_string());
    for session in 0..SESSIONS {
        let expected: Vec<u64> = (1..=ENTRIES / SESSIONS).collect();
        assert_eq!(numbers(&store, &format!("s{session}")), expected);
    }
    assert_eq!(store.waiting(), 0);
}

/// Copies a directory of files and directories.
pub(crate) fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for found in fs::read_dir(from).unwrap() {
        let found = found.unwrap();
        let to = to.join(found.file_name());
        match found.file_type().unwrap().is_dir() {
            true => copy_dir(&found.path(), &to),
            false => drop(fs::copy(found.path(), to).unwrap()),
        }
    }
}

#[test]
fn a_spool_that_comes_back_with_an_older_image_is_not_delivered_twice() {
    let server = Server::start(true, &[]);
    let database = server.own_database();
    let dir = tempfile::tempdir().unwrap();
    let (spool, image) = (dir.path().join("spool"), dir.path().join("image"));
    let open = || database.open(options(&spool));
    open().append(vec![numbered("s", 1)]).unwrap();
    server.stop();
    // Twice the same, which is meant; and what is cleared later on.
    open()
        .append(vec![entry("s", 2), entry("s", 2), entry("t", 1)])
        .unwrap();
    open().record(Some("s"), started()).unwrap();
    copy_dir(&spool, &image);
    open().append(vec![entry("s", 3)]).unwrap();
    server.run();
    assert_eq!(open().deliver().unwrap().entries, 4);
    assert_eq!(open().clear("t").unwrap(), Some(1));
    let records = || server.ask(&database.name, "SELECT count(*) FROM auto_recovery.journal");
    let before = records();
    let come_back = || {
        fs::remove_dir_all(&spool).unwrap();
        copy_dir(&image, &spool);
    };
    come_back();
    assert_eq!(open().waiting(), 3);
    assert_eq!(open().deliver().unwrap(), Delivered::default());
    assert_eq!(open().waiting(), 0);
    // What is added to it after it came back is new, though it stands where another thing stood.
    come_back();
    server.stop();
    open().append(vec![entry("s", 4), entry("s", 2)]).unwrap();
    server.run();
    assert_eq!(open().deliver().unwrap().entries, 2);
    assert_eq!(numbers(&open(), "s"), [1, 2, 2, 3, 4, 2]);
    assert!(
        numbers(&open(), "t").is_empty(),
        "what was cleared stays away"
    );
    assert_eq!(records(), before);
    assert_exact(&open(), "s");
}

#[test]
fn a_write_in_doubt_that_comes_back_is_not_delivered_twice() {
    let server = Server::start(true, &[]);
    let database = server.own_database();
    let dir = tempfile::tempdir().unwrap();
    let open = || database.open(options(dir.path()));
    open().append(vec![numbered("s", 1)]).unwrap();
    // The server has what the one who died asks for.
    let question = server.ask(&database.name, QUESTION);
    let leave = || {
        leave_segment(dir.path(), &question);
        let line = entry("s", 1).entry.to_json() + "\n";
        fs::write(dir.path().join("segment_00/s_audit.jsonl"), line).unwrap();
    };
    leave();
    assert_eq!(open().deliver().unwrap(), Delivered::default());
    // Nor once the answer is another.
    assert_eq!(open().clear("s").unwrap(), Some(1));
    leave();
    assert_eq!(open().deliver().unwrap(), Delivered::default());
    assert!(numbers(&open(), "s").is_empty());
}

#[test]
fn what_an_older_release_delivered_half_is_delivered_to_the_end() {
    let server = Server::start(true, &[]);
    let database = server.own_database();
    let dir = tempfile::tempdir().unwrap();
    let open = || database.open(options(dir.path()));
    open().append(vec![entry("s", 1), entry("s", 2)]).unwrap();
    let segment = dir.path().join("segment_00.sealed");
    fs::create_dir_all(&segment).unwrap();
    let lines = [1, 2, 3].map(|number| entry("s", number).entry.to_json() + "\n");
    fs::write(segment.join("s_audit.jsonl"), lines.concat()).unwrap();
    let done = "INSERT INTO auto_recovery.spool_delivery (segment, session_id, delivered) \
         VALUES ('segment_00.sealed', 's', 2)";
    server.ask(&database.name, done);
    assert_eq!(open().deliver().unwrap().entries, 1);
    assert_eq!(numbers(&open(), "s"), [1, 2, 3]);
}

#[test]
fn readers_say_once_what_waits() {
    let server = Server::start(true, &[]);
    let database = server.own_database();
    let dir = tempfile::tempdir().unwrap();
    let notices = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&notices);
    let noticing = || {
        let told = Arc::clone(&told);
        database.open(PostgresOptions {
            on_notice: Some(Arc::new(move |notice: &Notice| {
                told.lock().unwrap().push(notice.clone());
            })),
            ..options(dir.path())
        })
    };
    noticing().append(vec![numbered("s", 1)]).unwrap();
    assert_eq!(noticing().sessions().unwrap().len(), 1);
    assert_eq!(*notices.lock().unwrap(), [], "nothing waits");
    server.stop();
    noticing()
        .append(vec![numbered("s", 2), numbered("s", 3)])
        .unwrap();
    server.run();
    notices.lock().unwrap().clear();
    type Reads = fn(&PostgresStore);
    let reads: [Reads; 5] = [
        |store| drop(store.sessions().unwrap()),
        |store| drop(store.statistics("s").unwrap()),
        |store| drop(store.aggregate(&AggregateQuery::default()).unwrap()),
        |store| drop(store.read_last("s", 1, &mut |_| Ok(())).unwrap()),
        |store| drop(read(store, "s")),
    ];
    for reads in reads {
        let store = noticing();
        reads(&store);
        reads(&store);
        let waiting = Notice::Waiting {
            entries: 2,
            spool: dir.path().to_owned(),
        };
        assert_eq!(std::mem::take(&mut *notices.lock().unwrap()), [waiting]);
    }
    // Whoever writes delivers it, and is told that instead.
    let store = noticing();
    assert!(store.is_known("s").unwrap());
    store.append(vec![numbered("s", 4)]).unwrap();
    assert!(matches!(
        notices.lock().unwrap().as_slice(),
        [Notice::Delivered { entries: 2, .. }]
    ));
}
