//! Following a store of files, and its list by the page: what is read for it, and what is not.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auto_recovery::audit::{
    AuditStore, Followed, JournalEvent, JournalRecord, NewEntry, ReadAfter, Recorder, Seen,
    SessionKey, SessionQuery, SessionStarted,
};
use auto_recovery::jsonl::{FileIo, JsonlOptions, JsonlStore, SystemIo};
use auto_recovery::testing::ScriptedHost;
use auto_recovery::testing::store_contract::{entry, lines};

const LONG: Duration = Duration::from_secs(60);

/// Notes every file that is opened to read.
#[derive(Default)]
struct Noting {
    opened: Mutex<Vec<String>>,
}

impl FileIo for Noting {
    fn open_read(&self, path: &Path) -> io::Result<File> {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        self.opened.lock().unwrap().push(name);
        SystemIo.open_read(path)
    }
}

impl Noting {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.opened.lock().unwrap())
    }
}

fn open(dir: &Path) -> (JsonlStore, Arc<Noting>) {
    let io = Arc::new(Noting::default());
    let host = Arc::new(ScriptedHost::new());
    let options = JsonlOptions::default();
    let store = JsonlStore::open_with_io(dir, options, Recorder::new(host), io.clone()).unwrap();
    (store, io)
}

/// Reads on, and returns the numbers of the entries that are new; `None` if the trail is another.
fn read_on(store: &JsonlStore, seen: &mut Seen) -> Option<Vec<u64>> {
    let mut numbers = Vec::new();
    let read = store.read_after("s", seen, &mut |stored| {
        numbers.push(stored.attempt_number());
        Ok(())
    });
    match read.unwrap() {
        ReadAfter::Read(damage) => {
            assert_eq!(damage, []);
            Some(numbers)
        }
        ReadAfter::Removed => None,
    }
}

#[test]
fn a_follower_opens_nothing_that_did_not_grow() {
    let dir = tempfile::tempdir().unwrap();
    let (store, io) = open(dir.path());
    let (other, _) = open(dir.path());
    let started = || JournalEvent::SessionStarted(SessionStarted::default());
    for id in ["a", "b", "c"] {
        other.record(Some(id), started()).unwrap();
        other.append(vec![entry(id, 1)]).unwrap();
    }
    let mut follower = store.follower().unwrap();
    assert_eq!(follower.wait(LONG).unwrap(), Followed::Anything);
    assert_eq!(io.take(), ["journal.jsonl"]);
    assert_eq!(follower.wait(LONG).unwrap(), Followed::Nothing);
    other.append(vec![entry("b", 2)]).unwrap();
    let told = Followed::Sessions(vec!["b".to_owned()]);
    assert_eq!(follower.wait(LONG).unwrap(), told);
    assert_eq!(io.take(), [""; 0], "names and sizes are enough");
    other.record(Some("c"), started()).unwrap();
    let told = Followed::Sessions(vec!["c".to_owned()]);
    assert_eq!(follower.wait(LONG).unwrap(), told);
    assert_eq!(io.take(), ["journal.jsonl"]);
    // The journal is another: nobody knows what it said meanwhile.
    let journal = dir.path().join("journal.jsonl");
    let text = fs::read(&journal).unwrap();
    let end = text.len()
        - text
            .split(|byte| *byte == b'\n')
            .rev()
            .nth(1)
            .unwrap()
            .len()
        - 1;
    fs::write(&journal, &text[..end]).unwrap();
    assert_eq!(follower.wait(LONG).unwrap(), Followed::Anything);
    assert_eq!(follower.wait(LONG).unwrap(), Followed::Nothing);
}

#[test]
fn a_follower_looks_at_a_bounded_pace() {
    let dir = tempfile::tempdir().unwrap();
    let host = Arc::new(ScriptedHost::new());
    let store = JsonlStore::open(
        dir.path(),
        JsonlOptions::default(),
        Recorder::new(host.clone()),
    )
    .unwrap();
    let mut follower = store.follower().unwrap();
    assert_eq!(follower.wait(LONG).unwrap(), Followed::Anything);
    let second = Duration::from_secs(1);
    assert_eq!(follower.wait(second).unwrap(), Followed::Nothing);
    assert_eq!(host.sleeps(), [Duration::from_millis(100); 10]);
    host.interrupt();
    assert_eq!(follower.wait(LONG).unwrap(), Followed::Nothing);
    assert_eq!(
        host.sleeps().len(),
        11,
        "whoever is to stop waits no longer"
    );
}

#[test]
fn what_has_no_lines_end_yet_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let path = dir.path().join("s_audit.jsonl");
    let line = |number| entry("s", number).entry.to_json();
    fs::write(&path, [line(1), line(2)].join("\n")).unwrap();
    let add = |text: &str| {
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    let mut seen = Seen::default();
    assert_eq!(read_on(&store, &mut seen), Some(vec![1, 2]));
    assert_eq!(read_on(&store, &mut seen), Some(vec![]));
    add(&["", &line(3)].join("\n"));
    assert_eq!(read_on(&store, &mut seen), Some(vec![3]));
    add("\n");
    assert_eq!(read_on(&store, &mut seen), Some(vec![]));
    store.append(vec![entry("s", 4)]).unwrap();
    assert_eq!(read_on(&store, &mut seen), Some(vec![4]));
    // A write that was taken back, and another in its place.
    let whole = fs::read_to_string(&path).unwrap();
    let kept = whole.lines().take(3).map(|line| format!("{line}\n"));
    fs::write(&path, kept.collect::<String>() + &line(5) + "\n").unwrap();
    assert_eq!(read_on(&store, &mut seen), None);
    assert_eq!(read_on(&store, &mut seen), Some(vec![1, 2, 3, 5]));
}

#[test]
fn a_page_opens_the_trails_that_may_be_on_it() {
    const SESSIONS: usize = 700;
    let dir = tempfile::tempdir().unwrap();
    let (store, io) = open(dir.path());
    let id = |number: usize| format!("s{number:03}");
    let time = |number: usize| format!("2026-01-01T{:02}:{:02}:00.000Z", number / 60, number % 60);
    let records = (0..SESSIONS).map(|number| JournalRecord {
        v: JournalRecord::VERSION,
        at: time(number),
        session_id: Some(id(number)),
        event: JournalEvent::SessionStarted(SessionStarted::default()),
    });
    let records: Vec<_> = records.collect();
    store.importer().unwrap().records(&lines(&records)).unwrap();
    let entries = (0..SESSIONS).map(|number| {
        let mut new = entry(&id(number), 1);
        new.entry.timestamp = time(number + 1);
        new
    });
    // One that is older than its record says.
    let mut older = entry(&id(SESSIONS), 1);
    older.entry.timestamp = time(0);
    let entries: Vec<NewEntry> = entries.chain([older]).collect();
    store.append(entries).unwrap();
    io.take();
    let query = SessionQuery::default();
    let page = store.read_session_page(&query, None, 5).unwrap();
    let ids: Vec<&str> = page.sessions.iter().map(|one| &*one.session_id).collect();
    assert_eq!(ids, ["s699", "s698", "s697", "s696", "s695"]);
    assert_eq!(page.sessions[0].total_attempts, 1);
    let opened = io.take().len();
    assert!(opened < 300, "{opened} were opened for a page of 5");
    let after = SessionKey::of(page.sessions.last().unwrap());
    let rest = store.read_session_page(&query, Some(&after), 1000).unwrap();
    assert_eq!(rest.sessions, store.sessions().unwrap()[5..]);
    assert_eq!(rest.next, None);
}
