//! Following: what one handle writes, another's follower names, and reading on gives it, nothing
//! missed and nothing twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::import::{pretty, raw, stored};
use super::{DEAD_PID, Place, entry, finished, lines, started};
use crate::audit::{
    AuditStore, Followed, Follower, JournalEvent, JournalRecord, ReadAfter, Removal, Seen,
    SessionOutcome,
};
use crate::error::{Error, ErrorKind};

/// Longer than any store takes to tell what was written.
const LONG: Duration = Duration::from_secs(60);

/// A follower, and its knowledge of trails from reading on at each notice, as a server does.
struct Watcher<'s> {
    store: &'s dyn AuditStore,
    follower: Box<dyn Follower + 's>,
    known: BTreeMap<String, (Seen, Vec<Vec<u8>>)>,
}

impl<'s> Watcher<'s> {
    fn new(store: &'s dyn AuditStore) -> Self {
        Self {
            store,
            follower: store.follower().unwrap(),
            known: BTreeMap::new(),
        }
    }

    /// Waits once, and reads the sessions it is told to. Returns whether there were any.
    fn wait(&mut self) -> bool {
        match self.follower.wait(LONG).unwrap() {
            Followed::Nothing => return false,
            Followed::Sessions(sessions) => {
                assert!(!sessions.is_empty(), "naming none is naming nothing");
                sessions.iter().for_each(|id| self.read(id));
            }
            Followed::Anything => {
                let listed = self.store.sessions().unwrap().into_iter();
                let mut all: Vec<String> = listed.map(|one| one.session_id).collect();
                all.extend(self.known.keys().cloned());
                all.iter().for_each(|id| self.read(id));
            }
        }
        true
    }

    fn read(&mut self, session_id: &str) {
        let (seen, trail) = self.known.entry(session_id.to_owned()).or_default();
        loop {
            let mut visit = |stored: crate::audit::StoredEntry<'_>| {
                trail.push(stored.raw().to_vec());
                Ok(())
            };
            match self.store.read_after(session_id, seen, &mut visit).unwrap() {
                ReadAfter::Removed => trail.clear(),
                ReadAfter::Read(damage) => {
                    assert_eq!(damage, []);
                    return;
                }
            }
        }
    }

    /// Whether it knows every entry, each once.
    fn knows_all(&self, sessions: &[&str]) -> bool {
        sessions.iter().all(|id| {
            let known = self.known.get(*id).map(|(_, trail)| trail.as_slice());
            known.unwrap_or_default() == stored(self.store, id)
        })
    }

    fn comes_to_know_all(&mut self, sessions: &[&str]) {
        while !self.knows_all(sessions) {
            assert!(self.wait(), "it is told what it does not know");
        }
    }
}

pub(super) fn named(place: &dyn Place) {
    let store = place.open();
    let other = place.open();
    let mut follower = store.follower().unwrap();
    assert_eq!(follower.wait(LONG).unwrap(), Followed::Anything);
    assert_eq!(follower.wait(Duration::ZERO).unwrap(), Followed::Nothing);
    let mut is_told_of = |id: &str| {
        let expected = Followed::Sessions(vec![id.to_owned()]);
        assert_eq!(follower.wait(LONG).unwrap(), expected);
    };
    other.append(vec![entry("ä b", 1)]).unwrap();
    is_told_of("ä b");
    store.append(vec![entry("own", 1)]).unwrap();
    is_told_of("own");
    let start = JournalEvent::SessionStarted(started(&["make"], DEAD_PID));
    other.record(Some("bare"), start).unwrap();
    is_told_of("bare");
    let end = JournalEvent::SessionFinished(finished(SessionOutcome::Escalated));
    other.record(Some("ä b"), end.clone()).unwrap();
    is_told_of("ä b");
    let mut importer = other.importer().unwrap();
    importer
        .entries("own", &[raw("own", 1), raw("own", 2)])
        .unwrap();
    is_told_of("own");
    let record = JournalRecord {
        v: JournalRecord::VERSION,
        at: "2025-01-02T03:00:00.000Z".to_owned(),
        session_id: Some("old".to_owned()),
        event: end,
    };
    importer.records(&lines(&[record])).unwrap();
    is_told_of("old");
    for id in ["ä b", "bare"] {
        other.remove(id, &Removal::Cleared).unwrap();
        is_told_of(id);
    }
    other.append(vec![entry("bare", 1)]).unwrap();
    is_told_of("bare");
}

pub(super) fn read_on(place: &dyn Place) {
    let store = place.open();
    let other = place.open();
    let all = ["s", "t"];
    other.append(vec![entry("s", 1), entry("s", 2)]).unwrap();
    let mut watcher = Watcher::new(&*store);
    watcher.comes_to_know_all(&all);
    other.append(vec![entry("s", 3), entry("t", 1)]).unwrap();
    watcher.comes_to_know_all(&all);
    // Late: it says that it is older than all that was seen, and its number is low.
    let mut late = entry("s", 1);
    late.entry.entry_id = "entry_late".to_owned();
    late.entry.timestamp = "2020-01-02T03:00:00.000Z".to_owned();
    other.append(vec![late]).unwrap();
    watcher.comes_to_know_all(&all);
    let imported = [raw("s", 1), raw("s", 7), pretty("s", 8), raw("s", 7)];
    let added = other.importer().unwrap().entries("s", &imported).unwrap();
    assert_eq!(added, 3);
    watcher.comes_to_know_all(&all);
    // Removed, and as long as before.
    other.clear("t").unwrap();
    other.append(vec![entry("t", 9)]).unwrap();
    watcher.comes_to_know_all(&all);
    other.clear("s").unwrap();
    watcher.comes_to_know_all(&all);
    let again = (10..=20).map(|number| entry("s", number));
    other.append(again.collect()).unwrap();
    watcher.comes_to_know_all(&all);
    // A notice is lost: the follower receives it, and forgets it.
    other.append(vec![entry("s", 21), entry("t", 10)]).unwrap();
    assert_ne!(watcher.follower.wait(LONG).unwrap(), Followed::Nothing);
    other.append(vec![entry("s", 22)]).unwrap();
    other.clear("t").unwrap();
    watcher.follower = store.follower().unwrap();
    watcher.comes_to_know_all(&all);
    other.append(vec![entry("s", 23)]).unwrap();
    watcher.comes_to_know_all(&all);
    fails_half_way(&*store);
    goes_on_after_a_restart(&*store);
}

/// A reader that kept the number of entries and the hash of the last reads on behind them; one that
/// kept those of another trail is told so.
fn goes_on_after_a_restart(store: &dyn AuditStore) {
    let expected = stored(store, "s");
    let read = |seen: &mut Seen| {
        let mut trail = Vec::new();
        let mut visit = |stored: crate::audit::StoredEntry<'_>| {
            trail.push(stored.raw().to_vec());
            Ok(())
        };
        let read = store.read_after("s", seen, &mut visit).unwrap();
        (read, trail)
    };
    let all = ReadAfter::Read(Vec::new());
    for count in 0..=expected.len() {
        let last = count.checked_sub(1).map(|at| hash(&expected[at]));
        let mut seen = Seen::resumed(count as u64, last);
        let rest = expected[count..].to_vec();
        assert_eq!(read(&mut seen), (all.clone(), rest));
        assert_eq!(seen.last(), expected.last().map(|raw| hash(raw)));
        assert_eq!(read(&mut seen), (all.clone(), Vec::new()));
    }
    let first = Some(hash(&expected[0]));
    for (count, last) in [(2, first), (1, Some([0; 32])), (1000, first)] {
        let mut seen = Seen::resumed(count, last);
        assert_eq!(read(&mut seen), (ReadAfter::Removed, Vec::new()));
        assert_eq!(read(&mut seen), (all.clone(), expected.clone()));
    }
}

fn hash(raw: &[u8]) -> [u8; 32] {
    Sha256::digest(raw).into()
}

/// An entry that the reader could not take does not count as seen.
fn fails_half_way(store: &dyn AuditStore) {
    let expected = stored(store, "s");
    let (mut seen, mut trail) = (Seen::default(), Vec::new());
    for stop_at in [2, 3, usize::MAX] {
        let mut visit = |stored: crate::audit::StoredEntry<'_>| {
            if trail.len() == stop_at {
                return Err(Error::new(ErrorKind::Interrupted, "stop"));
            }
            trail.push(stored.raw().to_vec());
            Ok(())
        };
        let read = store.read_after("s", &mut seen, &mut visit);
        assert_eq!(read.is_ok(), stop_at == usize::MAX);
    }
    assert_eq!(trail, expected);
    let mut nobody = Seen::default();
    let read = store.read_after("nobody", &mut nobody, &mut |_| Ok(()));
    assert_eq!(read.unwrap(), ReadAfter::Read(Vec::new()));
    let invalid = store.read_after("", &mut nobody, &mut |_| Ok(()));
    assert_eq!(invalid.unwrap_err().kind(), ErrorKind::InvalidInput);
}

pub(super) fn many(place: &dyn Place) {
    const SESSIONS: [&str; 4] = ["a", "b", "c", "d"];
    const EACH: u64 = 30;
    let store = place.open();
    let handles = [place.open(), place.open()];
    let at_work = AtomicUsize::new(SESSIONS.len());
    let mut watcher = Watcher::new(&*store);
    thread::scope(|scope| {
        for (number, id) in SESSIONS.iter().enumerate() {
            let (handle, at_work) = (&handles[number % 2], &at_work);
            scope.spawn(move || {
                for index in 0..EACH {
                    let next = entry(id, number as u64 * EACH + index);
                    match index % 10 {
                        3 => drop(
                            handle
                                .importer()
                                .unwrap()
                                .entries(id, &[raw(id, 1000 + index)]),
                        ),
                        7 if number > 1 => drop(handle.clear(id).unwrap()),
                        _ => drop(handle.append(vec![next]).unwrap()),
                    }
                }
                at_work.fetch_sub(1, Ordering::SeqCst);
            });
        }
        while at_work.load(Ordering::SeqCst) > 0 {
            watcher.wait();
        }
    });
    watcher.comes_to_know_all(&SESSIONS);
}
