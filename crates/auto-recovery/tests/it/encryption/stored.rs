//! Stores that encrypt: what stands in their files, what counts without a key, and who opens it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use auto_recovery::audit::encrypting::{Encryption, OpenedStore, Opener, Unlocked, Unopened};
use auto_recovery::audit::{
    AuditStore, ENTRY_BYTES_MAX, JournalEvent, JournalLine, JournalRecord, NewEntry, Recorder,
    SessionFinished, SessionStarted,
};
use auto_recovery::encryption::age::{self, AgeRefused};
use auto_recovery::encryption::{Identity, Recipient};
use auto_recovery::host::{Host, SystemHost};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::redaction::Redactor;
use auto_recovery::testing::Random;
use auto_recovery::transfer::copy_encrypting;
use auto_recovery::{Error, ErrorKind, RecoveryAuditEntry, Result};
use tempfile::TempDir;

const SECRET: &str = "planted-text";

struct Machine {
    dir: TempDir,
    identity: Identity,
    login_dir: Option<PathBuf>,
}

impl Machine {
    fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            identity: identity(1),
            login_dir: None,
        }
    }

    fn audit(&self) -> PathBuf {
        self.dir.path().join("audit")
    }

    /// A store as a process opens it that is named `recipients`.
    fn open(&self, recipients: Vec<Recipient>) -> Arc<dyn AuditStore> {
        let host: Arc<dyn Host> = Arc::new(SystemHost::new());
        let login_dir = self.login_dir.clone();
        let encryption = Encryption::new(Arc::clone(&host), recipients, login_dir).unwrap();
        let redactor = Arc::new(Redactor::off());
        let recorder = Recorder::encrypting(host, redactor, encryption);
        let options = JsonlOptions::default();
        Arc::new(JsonlStore::open(&self.audit(), options, recorder).unwrap())
    }

    fn store(&self) -> Arc<dyn AuditStore> {
        self.open(vec![self.identity.recipient()])
    }

    fn keys(&self) -> Vec<String> {
        let names = fs::read_dir(self.audit().join("keys")).unwrap();
        let mut names: Vec<_> = names
            .map(|name| name.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn texts(&self) -> String {
        texts_below(&self.audit())
    }
}

fn texts_below(dir: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.push_str(&texts_below(&path)),
            false => all.push_str(&String::from_utf8_lossy(&fs::read(&path).unwrap())),
        }
    }
    all
}

fn identity(seed: u64) -> Identity {
    let mut random = Random::new(seed);
    Identity::new(&mut || {
        let mut bytes = [0; 32];
        bytes.fill_with(|| u8::try_from(random.below(256)).unwrap());
        bytes
    })
}

fn opener(identity: &Identity) -> Opener {
    let identity = identity.clone();
    Opener::new(
        move |file| match age::open(std::slice::from_ref(&identity), file) {
            Ok(text) => Ok(Unlocked::Text(text)),
            Err(AgeRefused::ForOthers) => Ok(Unlocked::ForOthers),
            Err(_) => Ok(Unlocked::Changed),
        },
    )
}

fn entry(session: &str, number: u64) -> RecoveryAuditEntry {
    RecoveryAuditEntry {
        session_id: session.to_owned(),
        error_type: "E0308".to_owned(),
        strategy: "fix".to_owned(),
        attempt_number: number,
        success: number.is_multiple_of(2),
        error_message: format!("{SECRET} in {number}"),
        recovery_message: format!("{SECRET} mended \"{number}\"\n"),
        changes_made: vec![format!("- {SECRET}"), "ü".to_owned()],
        files_modified: vec!["src/main.rs".to_owned()],
        duration_seconds: 1.5,
        ..RecoveryAuditEntry::default()
    }
}

fn append(store: &dyn AuditStore, entry: RecoveryAuditEntry) -> Result<()> {
    let new = NewEntry {
        entry,
        number_by_store: false,
    };
    store.append(vec![new]).map(drop)
}

fn read(store: &dyn AuditStore, session: &str) -> Result<(Vec<RecoveryAuditEntry>, Vec<String>)> {
    let mut entries = Vec::new();
    let damage = store.read_trail(session, &mut |stored| {
        entries.push(stored.into_entry());
        Ok(())
    })?;
    Ok((entries, damage.iter().map(ToString::to_string).collect()))
}

fn begin(store: &dyn AuditStore, session: &str) {
    let started = SessionStarted {
        command: Some(vec!["make".to_owned(), SECRET.to_owned()]),
        cwd: Some(format!("/{SECRET}")),
        project: Some("demo".to_owned()),
        ..SessionStarted::default()
    };
    store
        .record(Some(session), JournalEvent::SessionStarted(started))
        .unwrap();
}

#[test]
fn no_text_is_in_any_file_and_all_is_there_for_who_has_the_identity() {
    let machine = Machine::new();
    let store = machine.store();
    begin(&*store, "s");
    for number in 1..=5 {
        append(&*store, entry("s", number)).unwrap();
    }
    let finished = SessionFinished {
        reason: SECRET.to_owned(),
        ..SessionFinished::default()
    };
    store
        .record(Some("s"), JournalEvent::SessionFinished(finished))
        .unwrap();
    assert!(!machine.texts().contains(SECRET));
    assert_eq!(machine.keys(), ["s.age"]);

    // What counts needs no key.
    let statistics = store.statistics("s").unwrap();
    assert_eq!(
        (statistics.total_attempts, statistics.successful_attempts),
        (5, 2)
    );
    assert_eq!(
        store.sessions().unwrap()[0].project.as_deref(),
        Some("demo")
    );

    let opened = OpenedStore::new(Arc::clone(&store), Arc::new(opener(&machine.identity)));
    let (entries, damage) = read(&opened, "s").unwrap();
    assert!(damage.is_empty(), "{damage:?}");
    for (at, found) in entries.iter().enumerate() {
        let wanted = RecoveryAuditEntry {
            entry_id: found.entry_id.clone(),
            timestamp: found.timestamp.clone(),
            ..entry("s", at as u64 + 1)
        };
        assert_eq!(*found, wanted);
    }
    let mut said = Vec::new();
    opened
        .read_journal(Some("s"), &mut |record| {
            said.push(serde_json::to_string(&record).unwrap());
            Ok(())
        })
        .unwrap();
    assert!(said[0].contains(&format!("\"/{SECRET}\"")), "{said:?}");
    assert!(said[1].contains(SECRET), "{said:?}");
}

#[test]
fn without_an_identity_words_or_the_box_stand_there_and_it_is_said_once() {
    let machine = Machine::new();
    let store = machine.store();
    for number in 1..=3 {
        append(&*store, entry("s", number)).unwrap();
    }
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let words = Unopened::Words("(encrypted to age1abc…)".to_owned());
    let opener = Opener::none()
        .showing(words)
        .telling(move |why| tell.lock().unwrap().push(why.to_owned()));
    let shown = OpenedStore::new(Arc::clone(&store), Arc::new(opener));
    let (entries, damage) = read(&shown, "s").unwrap();
    assert!(damage.is_empty());
    assert_eq!(entries[2].error_message, "(encrypted to age1abc…)");
    assert_eq!(told.lock().unwrap().len(), 1);

    let boxed = OpenedStore::new(Arc::clone(&store), Arc::new(Opener::none()));
    let (entries, _) = read(&boxed, "s").unwrap();
    assert!(entries[0].error_message.starts_with("enc:1:"));
    assert_eq!(entries[0].changes_made, ["enc"]);
    assert_eq!(entries[0].files_modified, ["src/main.rs"]);
}

#[test]
fn another_identity_is_named_and_a_destroyed_key_too() {
    let machine = Machine::new();
    let store = machine.store();
    append(&*store, entry("s", 1)).unwrap();
    let other = OpenedStore::new(Arc::clone(&store), Arc::new(opener(&identity(2))));
    let error: Error = read(&other, "s").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("your identity"), "{error}");

    assert_eq!(store.keys().unwrap().unwrap().destroy_keys("s").unwrap(), 1);
    let words = Unopened::Words("(encrypted)".to_owned());
    let opened = opener(&machine.identity).showing(words);
    let opened = OpenedStore::new(Arc::clone(&store), Arc::new(opened));
    let (entries, damage) = read(&opened, "s").unwrap();
    assert!(damage.is_empty());
    assert!(entries[0].error_message.contains("destroyed"));
    // What comes later has a key of its own.
    append(&*store, entry("s", 2)).unwrap();
    let (entries, _) = read(&opened, "s").unwrap();
    assert_eq!(entries[1].error_message, entry("s", 2).error_message);
}

#[test]
fn a_line_whose_box_does_not_open_is_damage_that_is_named() {
    let machine = Machine::new();
    let store = machine.store();
    for number in 1..=3 {
        append(&*store, entry("s", number)).unwrap();
    }
    let path = machine.audit().join("s_audit.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let opened = || OpenedStore::new(machine.store(), Arc::new(opener(&machine.identity)));
    // The last line is no torn tail either: it is whole.
    for line in [1, 2] {
        let lines: Vec<_> = text.lines().collect();
        let at = lines[line].find("enc:1:").unwrap() + 30;
        let mut changed = lines[line].as_bytes().to_vec();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        fs::write(&path, text.replace(lines[line], &changed)).unwrap();
        let (entries, damage) = read(&opened(), "s").unwrap();
        assert_eq!((entries.len(), damage.len()), (2, 1), "{damage:?}");
        assert!(damage[0].contains("do not open"), "{damage:?}");
    }
    // Boxes of two entries changed places.
    let lines: Vec<_> = text.lines().collect();
    let closed = |line: usize| {
        let from = lines[line].find("enc:1:").unwrap();
        let length = lines[line][from..].find('"').unwrap();
        &lines[line][from..from + length]
    };
    let swapped = text
        .replace(closed(0), "@")
        .replace(closed(1), closed(0))
        .replace('@', closed(1));
    fs::write(&path, swapped).unwrap();
    let (entries, damage) = read(&opened(), "s").unwrap();
    assert_eq!((entries.len(), damage.len()), (1, 2), "{damage:?}");
    fs::write(&path, &text).unwrap();
    // The file of the key is damaged, and nothing is taken for torn or for destroyed.
    let key = machine.audit().join("keys/s.age");
    let file = fs::read(&key).unwrap();
    fs::write(&key, &file[..file.len() - 1]).unwrap();
    let (entries, damage) = read(&opened(), "s").unwrap();
    assert_eq!((entries.len(), damage.len()), (0, 3), "{damage:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn entries_of_every_size_fit_and_small_ones_lose_nothing() {
    let machine = Machine::new();
    let store = machine.store();
    let opened = OpenedStore::new(Arc::clone(&store), Arc::new(opener(&machine.identity)));
    for (number, size) in [10, 40_000, 48_000, 49_000, 65_000, 70_000, 400_000]
        .into_iter()
        .enumerate()
    {
        for number_by_store in [false, true] {
            let session = format!("s{size}{number_by_store}");
            let mut new = entry(&session, number as u64);
            new.error_message = "\"x".repeat(size / 2);
            new.files_modified = vec!["p/q".to_owned(); size / 10];
            let new = NewEntry {
                entry: new,
                number_by_store,
            };
            store.append(vec![new.clone()]).unwrap();
            store
                .read_trail(&session, &mut |stored| {
                    assert!(stored.raw().len() <= ENTRY_BYTES_MAX, "{size}");
                    Ok(())
                })
                .unwrap();
            let (entries, damage) = read(&opened, &session).unwrap();
            assert!(damage.is_empty(), "{damage:?}");
            if size < 20_000 {
                assert_eq!(entries[0].error_message, new.entry.error_message);
            } else {
                assert!(entries[0].error_message.starts_with("\"x\"x"));
            }
        }
    }
}

#[test]
fn a_login_has_one_key_for_a_session_where_processes_can_share_it() {
    let mut machine = Machine::new();
    for number in 1..=2 {
        append(&*machine.store(), entry("s", number)).unwrap();
    }
    assert_eq!(machine.keys(), ["s.2.age", "s.age"]);
    let login_dir = TempDir::new().unwrap();
    machine.login_dir = Some(login_dir.path().to_owned());
    for number in 1..=20 {
        append(&*machine.store(), entry("t", number)).unwrap();
    }
    assert_eq!(machine.keys(), ["s.2.age", "s.age", "t.age"]);
    // For other recipients it is another key, and after it was destroyed too.
    let other = identity(2);
    append(&*machine.open(vec![other.recipient()]), entry("t", 21)).unwrap();
    assert_eq!(machine.keys(), ["s.2.age", "s.age", "t.2.age", "t.age"]);
    let store = machine.store();
    assert_eq!(store.keys().unwrap().unwrap().destroy_keys("t").unwrap(), 2);
    append(&*machine.store(), entry("t", 22)).unwrap();
    assert_eq!(machine.keys(), ["s.2.age", "s.age", "t.age"]);
    let opened = OpenedStore::new(store, Arc::new(opener(&machine.identity)));
    let (entries, _) = read(&opened, "t").unwrap();
    assert_eq!(entries[21].error_message, entry("t", 22).error_message);
}

#[test]
fn clearing_a_session_destroys_its_keys_and_says_how_many() {
    let machine = Machine::new();
    for number in 1..=3 {
        append(&*machine.store(), entry("s", number)).unwrap();
    }
    append(&*machine.store(), entry("s.2", 1)).unwrap();
    let store = machine.store();
    assert_eq!(store.clear("s").unwrap(), Some(3));
    assert_eq!(machine.keys(), ["s.2.1.age"]);
    let mut said = Vec::new();
    store
        .read_journal(Some("s"), &mut |record| {
            if let JournalEvent::SessionCleared(cleared) = record.event {
                said.push(cleared.keys);
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(said, [Some(3)]);
}

/// The records of `store`, as they are read.
fn records(store: &dyn AuditStore) -> Vec<JournalRecord> {
    let mut records = Vec::new();
    let mut keep = |record: JournalRecord| {
        records.push(record);
        Ok(())
    };
    assert_eq!(store.read_journal(None, &mut keep).unwrap(), []);
    records
}

#[test]
fn what_was_plain_is_closed_in_a_copy_that_is_made_anew_and_a_box_stays_as_it_is() {
    let machine = Machine::new();
    let in_dir = |name: &str, recorder: Arc<Recorder>| {
        let dir = machine.dir.path().join(name);
        JsonlStore::open(&dir, JsonlOptions::default(), recorder).unwrap()
    };
    let host: Arc<dyn Host> = Arc::new(SystemHost::new());
    let off = || Arc::new(Redactor::off());
    let plain = in_dir("plain", Recorder::with_redactor(host.clone(), off()));
    begin(&plain, "s");
    for number in 1..4 {
        append(&plain, entry("s", number)).unwrap();
    }
    let (entries, at) = (read(&plain, "s").unwrap(), records(&plain));
    let later = format!(
        r#"{{"v":1,"at":"2026-01-02T03:04:05.000Z","session_id":"s","event":"blessed","by":"{SECRET}"}}"#
    );
    let later = JournalLine::taken_over(later.as_bytes()).unwrap();
    plain.importer().unwrap().records(&[later]).unwrap();
    let mut from: Arc<dyn AuditStore> = Arc::new(plain);
    for (name, reader, unknown) in [("closed", 1, 1), ("again", 2, 0)] {
        let to = vec![identity(reader).recipient()];
        let encryption = Encryption::new(host.clone(), to, None).unwrap();
        let recorder = Recorder::encrypting(host.clone(), off(), encryption);
        let copy: Arc<dyn AuditStore> = Arc::new(in_dir(name, recorder.clone()));
        let report = copy_encrypting(&recorder, &*from, &*copy, &mut |_| {}).unwrap();
        assert_eq!((report.entries.added, report.unknown_records), (3, unknown));
        assert_eq!((report.damage, report.different), (vec![], vec![]));
        assert!(!texts_below(&machine.dir.path().join(name)).contains(SECRET));
        // The key of a box comes along as it is.
        let opened = OpenedStore::new(copy.clone(), Arc::new(opener(&identity(1))));
        assert_eq!(read(&opened, "s").unwrap(), entries, "{name}");
        assert_eq!(records(&opened), at, "{name}");
        let refused = copy_encrypting(&recorder, &*from, &*copy, &mut |_| {}).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Refused);
        from = copy;
    }
}
