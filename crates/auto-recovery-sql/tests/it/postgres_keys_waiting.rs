//! The server is away: what is recorded meanwhile is encrypted all the same, and its keys wait with
//! it, are delivered before it and once, and are destroyed as those on the server are.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use auto_recovery::audit::encrypting::{KeyFile, KeyStore};
use auto_recovery::audit::{AuditStore, JournalEvent, SessionStarted};
use auto_recovery::host::{Host, SystemHost};
use auto_recovery::spool::Spool;
use auto_recovery_sql::{PostgresOptions, PostgresStore};
use tempfile::TempDir;

use crate::encrypted::{SECRET, append, files, opened, recorder, texts};
use crate::postgres_server::{Database, Server};
use crate::postgres_spool::copy_dir;

/// Refuses entries as long as there is no key.
const KEY_FIRST: &str = "
    CREATE FUNCTION key_first() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NOT EXISTS (SELECT FROM auto_recovery.session_key) THEN RAISE 'no key'; END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER key_first AFTER INSERT ON auto_recovery.stored_entry
        FOR EACH STATEMENT EXECUTE FUNCTION key_first()";

/// A server of its own, and a spool for it.
struct Case {
    server: Server,
    database: Database,
    dir: TempDir,
}

impl Case {
    fn new() -> Self {
        let server = Server::start(true, &[]);
        Self {
            database: server.own_database(),
            server,
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// The store of another process that encrypts.
    fn open(&self) -> Arc<PostgresStore> {
        let options = PostgresOptions {
            spool: Some(self.spool()),
            ..PostgresOptions::default()
        };
        Arc::new(PostgresStore::open(&self.database.url, options, recorder()).unwrap())
    }

    fn spool(&self) -> PathBuf {
        self.dir.path().join("spool")
    }

    /// The names of the keys that wait.
    fn waiting(&self) -> Vec<String> {
        let Ok(found) = fs::read_dir(self.spool().join("keys")) else {
            return Vec::new();
        };
        let names = found.map(|one| one.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    /// Runs `what` while the server is away.
    fn away(&self, what: impl FnOnce()) {
        self.server.kill();
        what();
        self.server.run();
    }
}

fn texts_of(store: &Arc<PostgresStore>, session: &str) -> Vec<String> {
    texts(&(Arc::clone(store) as Arc<dyn AuditStore>), session)
}

/// Whether a file below `dir` has `bytes`.
fn has(dir: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(dir).unwrap().flatten().any(|found| {
        let path = found.path();
        match path.is_dir() {
            true => has(&path, bytes),
            false => fs::read(&path)
                .unwrap()
                .windows(bytes.len())
                .any(|window| window == bytes),
        }
    })
}

#[test]
fn entries_and_keys_wait_encrypted_and_are_delivered_once() {
    let case = Case::new();
    let (store, image) = (case.open(), case.dir.path().join("image"));
    append(&*store, "s");
    case.away(|| {
        // This one knows the key on the server; another process does not.
        append(&*store, "s");
        append(&*case.open(), "s");
        let started = SessionStarted {
            command: Some(vec![SECRET.to_owned()]),
            ..SessionStarted::default()
        };
        let event = JournalEvent::SessionStarted(started);
        store.record(Some("t"), event).unwrap();
        append(&*store, "t");
        assert_eq!(case.waiting(), ["s.age", "t.age"]);
        assert!(!has(&case.spool(), SECRET.as_bytes()));
        assert!(has(&case.spool(), b"enc:1:"));
        copy_dir(&case.spool(), &image);
    });
    assert_eq!(files(&*store, "s").len(), 2, "one waits");
    let keys = store.keys().unwrap().unwrap();
    assert_eq!(keys.key_sessions().unwrap(), ["s", "t"]);
    let delivered = case.open().deliver().unwrap();
    assert_eq!((delivered.entries, delivered.records), (3, 1));
    assert_eq!(case.waiting(), [""; 0]);
    assert_eq!(texts_of(&store, "s"), [SECRET; 3]);
    assert_eq!(texts_of(&store, "t"), [SECRET]);
    let mut commands = Vec::new();
    let shared: Arc<dyn AuditStore> = store.clone();
    let read = opened(&shared).read_journal(Some("t"), &mut |record| {
        if let JournalEvent::SessionStarted(started) = record.event {
            commands.extend(started.command);
        }
        Ok(())
    });
    assert_eq!(read.unwrap(), []);
    assert_eq!(commands, [[SECRET]]);
    // The spool comes back with an older image: once as it is, once after a session was cleared.
    let come_back = || {
        fs::remove_dir_all(case.spool()).unwrap();
        copy_dir(&image, &case.spool());
        case.open().deliver().unwrap();
        assert_eq!(case.waiting(), [""; 0]);
    };
    come_back();
    assert_eq!(
        (files(&*store, "s").len(), files(&*store, "t").len()),
        (2, 1)
    );
    assert_eq!(store.clear("t").unwrap(), Some(1));
    come_back();
    assert_eq!(keys.key_sessions().unwrap(), ["s"], "it stays destroyed");
}

#[test]
fn a_key_that_waited_serves_on_once_it_is_delivered() {
    let case = Case::new();
    let store = case.open();
    store.sessions().unwrap();
    case.server.ask(&case.database.name, KEY_FIRST);
    case.away(|| append(&*store, "s"));
    assert_eq!(store.deliver().unwrap().entries, 1);
    // The server is asked of the key once what is known of it is not fresh any more.
    SystemHost::new().sleep(Duration::from_millis(300));
    append(&*store, "s");
    assert_eq!(texts_of(&store, "s"), [SECRET; 2]);
    assert_eq!(files(&*store, "s").len(), 1);
}

#[test]
fn keys_that_wait_are_replaced_and_destroyed_with_the_others() {
    let case = Case::new();
    let (store, image) = (case.open(), case.dir.path().join("image"));
    append(&*store, "s");
    case.away(|| {
        for session in ["s", "t", "u"] {
            append(&*case.open(), session);
        }
        copy_dir(&case.spool(), &image);
    });
    let keys = store.keys().unwrap().unwrap();
    // Nothing was delivered yet.
    assert_eq!(keys.destroy_keys("u").unwrap(), 1);
    assert_eq!(case.waiting(), ["s.age", "t.age"]);
    let mut wrapped = Vec::new();
    for session in ["s", "t"] {
        for KeyFile { number, .. } in keys.read_keys(session).unwrap() {
            let file = format!("new {session} {number}").into_bytes();
            wrapped.push((session.to_owned(), KeyFile { number, file }));
        }
    }
    assert_eq!(wrapped.len(), 3);
    keys.replace_keys(&wrapped).unwrap();
    assert_eq!(case.waiting(), [""; 0]);
    let mut files_of_s = files(&*store, "s");
    files_of_s.extend(files(&*store, "t"));
    let expected: Vec<_> = wrapped.into_iter().map(|(_, key)| key.file).collect();
    assert_eq!(files_of_s, expected);
    // Old keys come back with the spool, and not to the server.
    fs::remove_dir_all(case.spool()).unwrap();
    copy_dir(&image, &case.spool());
    case.open().deliver().unwrap();
    assert_eq!(keys.key_sessions().unwrap(), ["s", "t"]);
    assert_eq!(files(&*store, "s").len(), 2);
    assert_eq!(store.statistics("u").unwrap().total_attempts, 1);
}

#[test]
fn who_clears_a_session_takes_along_what_waits_of_it_and_its_key() {
    let case = Case::new();
    append(&*case.open(), "s");
    case.away(|| append(&*case.open(), "s"));
    let store = case.open();
    assert_eq!(store.clear("s").unwrap(), Some(2));
    assert_eq!(case.waiting(), [""; 0]);
    store.deliver().unwrap();
    assert_eq!(store.sessions().unwrap(), []);
    assert!(files(&*store, "s").is_empty());
}

#[test]
fn a_key_whose_answer_was_lost_does_not_come_back_once_it_was_destroyed_elsewhere() {
    type Destroys = fn(&dyn AuditStore, &str);
    let ways: [(&str, Destroys, usize); 3] = [
        (
            "shred",
            |store, session| assert_eq!(keys_of(store).destroy_keys(session).unwrap(), 1),
            0,
        ),
        (
            "clear",
            |store, session| assert_eq!(store.clear(session).unwrap(), Some(1)),
            0,
        ),
        (
            "rotate",
            |store, session| {
                keys_of(store)
                    .replace_keys(&wrapped_anew(store, session))
                    .unwrap()
            },
            1,
        ),
    ];
    let case = Case::new();
    let elsewhere = PostgresStore::open(&case.database.url, PostgresOptions::default(), recorder());
    let elsewhere = elsewhere.unwrap();
    for (session, destroy, left) in ways {
        append(&*case.open(), session);
        let keys = files(&elsewhere, session);
        // The server has the key, and whoever made it did not hear so.
        let host: Arc<dyn Host> = Arc::new(SystemHost::new());
        let spool = Spool::new(&case.spool(), 1 << 20, &host).unwrap();
        spool.keep_key(session, &keys[0], "PostgreSQL").unwrap();
        destroy(&elsewhere, session);
        case.open().deliver().unwrap();
        assert_eq!(case.waiting(), [""; 0], "{session}");
        let there = files(&elsewhere, session);
        assert_eq!(there.len(), left, "{session}");
        assert!(!there.contains(&keys[0]), "{session}");
    }
}

fn keys_of(store: &dyn AuditStore) -> &dyn KeyStore {
    store.keys().unwrap().unwrap()
}

/// The keys of `session` as a rotation wraps them.
fn wrapped_anew(store: &dyn AuditStore, session: &str) -> Vec<(String, KeyFile)> {
    let keys = keys_of(store).read_keys(session).unwrap().into_iter();
    let anew = keys.map(|key| KeyFile {
        file: b"wrapped anew".to_vec(),
        ..key
    });
    anew.map(|key| (session.to_owned(), key)).collect()
}
