//! Keeping the state small.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use auto_recovery::ErrorKind;
use auto_recovery::checkpoint::{
    CheckpointOptions, CheckpointStore, Good, OtherRooms, PruneReport, RetentionLimits,
    find_session, prune, remove_session,
};
use auto_recovery::host::{Host, Wait};
use auto_recovery::workspace::{Locked, WorkspaceLock};

use crate::checkpoint::tree::Tree;

const DAY: u64 = 24 * 60 * 60;

/// A clock that stands at a day.
struct Day(u64);

impl Host for Day {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(20_000 * DAY + self.0 * DAY)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> Wait {
        Wait::Elapsed
    }

    fn is_interrupted(&self) -> bool {
        false
    }

    fn random(&self) -> u64 {
        0
    }
}

/// What else is in the state: the outputs of sessions, by the day and the bytes of each.
#[derive(Default)]
struct Outputs {
    kept: Vec<(u64, u64)>,
    held: Vec<&'static str>,
}

impl OtherRooms for Outputs {
    fn bytes(&self) -> u64 {
        self.kept.iter().map(|(_, bytes)| bytes).sum()
    }

    fn oldest(&self) -> Option<SystemTime> {
        self.kept.iter().map(|(day, _)| Day(*day).now()).min()
    }

    fn drop_oldest(&mut self) {
        self.kept.sort_unstable();
        self.kept.remove(0);
    }

    fn must_stay(&mut self, session_id: &str) -> bool {
        self.held.contains(&session_id)
    }
}

fn store_on(tree: &Tree, day: u64) -> Arc<CheckpointStore> {
    let host = Arc::new(Day(day));
    CheckpointStore::open(&tree.state(), &tree.workspace(), Default::default(), host).unwrap()
}

/// A session of one checkpoint of `content`, taken on `day`.
fn session_on(tree: &Tree, day: u64, session: &str, content: &[u8]) -> String {
    tree.write("file", content);
    store_on(tree, day)
        .begin_session(session)
        .unwrap()
        .snapshot("")
        .unwrap()
        .id()
}

fn prune_on(tree: &Tree, day: u64, limits: &RetentionLimits) -> PruneReport {
    prune(
        &tree.state(),
        limits,
        &CheckpointOptions::default(),
        Arc::new(Day(day)),
        &mut Outputs::default(),
    )
    .unwrap()
}

fn has(tree: &Tree, id: &str) -> bool {
    tree.store().load(id).is_ok()
}

/// Bytes that do not compress, different for each `seed`.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn old_sessions_go_and_young_ones_stay() {
    let tree = Tree::new();
    let old = session_on(&tree, 0, "old", b"1");
    let young = session_on(&tree, 10, "young", b"2");
    let report = prune_on(&tree, 20, &RetentionLimits::default());
    assert_eq!(report.sessions, 1);
    assert!(!has(&tree, &old) && has(&tree, &young));
    assert!(find_session(&tree.state(), "old", None).unwrap().is_empty());
    let found = find_session(&tree.state(), "young", None)
        .unwrap()
        .remove(0);
    assert_eq!(found.root(), tree.root());
    // The next snapshot does not stumble over what is gone.
    session_on(&tree, 20, "next", b"1");
}

#[test]
fn what_is_in_use_stays() {
    let tree = Tree::new();
    let old = session_on(&tree, 0, "old", b"1");
    let holder = Default::default();
    let lock = WorkspaceLock::try_acquire(&tree.state(), &tree.workspace(), &holder).unwrap();
    assert!(matches!(lock, Locked::Ours(_)));
    let report = prune_on(&tree, 100, &RetentionLimits::default());
    assert_eq!((report.sessions, report.busy), (0, 1));
    let removed = remove_session(
        &tree.state(),
        "old",
        &CheckpointOptions::default(),
        Arc::new(Day(0)),
    );
    assert_eq!(removed.unwrap_err().kind(), ErrorKind::Busy);
    assert!(has(&tree, &old));
    drop(lock);
    // What another test starts right now holds the lock too, until it has become its program.
    let report = (0..10_000)
        .map(|_| prune_on(&tree, 100, &RetentionLimits::default()))
        .find(|report| report.busy == 0);
    assert_eq!(report.unwrap().sessions, 1);
}

#[test]
fn the_oldest_sessions_go_while_there_is_too_much() {
    let tree = Tree::new();
    let ids: Vec<_> = (0..4)
        .map(|day| session_on(&tree, day, &format!("s{day}"), &noise(day, 1_000_000)))
        .collect();
    // The reserve counts with the rest.
    let limits = RetentionLimits {
        bytes_max: 18_900_000,
        ..Default::default()
    };
    let kept = tree.store().load(&ids[1]).unwrap();
    tree.store().keep(&kept).unwrap();
    let report = prune_on(&tree, 5, &limits);
    assert!(
        report.bytes_before > 20_000_000 && report.bytes_after <= 18_900_000,
        "{report:?}"
    );
    // The first went, the second is kept for its rollback, the third had to go instead.
    let left: Vec<_> = ids.iter().map(|id| has(&tree, id)).collect();
    assert_eq!(left, [false, true, false, true]);
}

#[test]
fn whatever_is_oldest_goes_first_but_not_what_is_held() {
    let tree = Tree::new();
    let names = ["s0", "held.1", "s2", "s3"];
    let ids: Vec<_> = (0..4)
        .map(|day| session_on(&tree, day, names[day as usize], &noise(day, 1_000_000)))
        .collect();
    let mut outputs = Outputs {
        kept: vec![(0, 3_000_000), (2, 2_000_000), (9, 1_000_000)],
        held: vec!["held.1"],
    };
    let mut prune_to = |bytes_max| {
        let limits = RetentionLimits {
            bytes_max,
            ..Default::default()
        };
        let options = CheckpointOptions::default();
        let host = Arc::new(Day(9));
        let report = prune(&tree.state(), &limits, &options, host, &mut outputs).unwrap();
        let left: Vec<_> = ids.iter().map(|id| has(&tree, id)).collect();
        (report.bytes_after <= bytes_max, left, outputs.kept.len())
    };
    // The reserve, four sessions and outputs of six million bytes.
    assert_eq!(prune_to(27_000_000), (true, vec![true; 4], 3));
    assert_eq!(prune_to(26_000_000), (true, vec![true; 4], 2));
    let left = vec![false, true, true, true];
    assert_eq!(prune_to(23_000_000), (true, left.clone(), 2));
    assert_eq!(prune_to(21_500_000), (true, left, 1));
    // What is held and the reserve are more than that.
    let left = vec![false, true, false, false];
    assert_eq!(prune_to(1_000_000), (false, left, 0));
}

#[test]
fn a_repository_that_was_set_aside_goes_as_what_is_old_does() {
    let tree = Tree::new();
    let stays = session_on(&tree, 0, "s", b"1");
    let shelves = tree.state().join("checkpoints").read_dir().unwrap();
    let mut shelves = shelves.map(|entry| entry.unwrap().path());
    let shelf = shelves.find(|path| path.is_dir()).unwrap();
    let aside = shelf.join("git.damaged-1");
    let prune_on = |day, bytes_max| {
        std::fs::create_dir_all(&aside).unwrap();
        std::fs::write(aside.join("HEAD"), noise(1, 1_000_000)).unwrap();
        let mut outputs = Outputs {
            held: vec!["s"],
            ..Outputs::default()
        };
        let limits = RetentionLimits {
            bytes_max,
            ..Default::default()
        };
        let options = CheckpointOptions::default();
        let host = Arc::new(Day(day));
        prune(&tree.state(), &limits, &options, host, &mut outputs).unwrap();
        assert!(has(&tree, &stays));
        aside.exists()
    };
    assert!(prune_on(0, u64::MAX));
    // The directory was made today, which is long before that day.
    assert!(!prune_on(100_000, u64::MAX));
    assert!(!prune_on(0, 17_000_000));
}

#[test]
fn a_kept_tree_and_a_mark_outlive_their_session_until_they_are_old() {
    let tree = Tree::new();
    let kept = session_on(&tree, 0, "s", b"1");
    let marked = session_on(&tree, 0, "s", b"2");
    let store = store_on(&tree, 0);
    store.keep(&store.load(&kept).unwrap()).unwrap();
    store
        .mark_good(&store.load(&marked).unwrap(), Good::Marked)
        .unwrap();
    let small = RetentionLimits {
        bytes_max: 0,
        ..Default::default()
    };
    assert_eq!(prune_on(&tree, 1, &small).sessions, 1);
    assert!(has(&tree, &kept) && has(&tree, &marked));
    prune_on(&tree, 100, &RetentionLimits::default());
    assert!(
        !tree
            .state()
            .join("checkpoints")
            .read_dir()
            .unwrap()
            .any(|entry| { entry.unwrap().path().join("git").exists() })
    );
}

#[test]
fn a_removed_session_leaves_no_content() {
    let tree = Tree::new();
    let secret = noise(1, 10_000);
    let gone = session_on(&tree, 0, "gone", &secret);
    let stays = session_on(&tree, 0, "stays", b"2");
    let store = store_on(&tree, 0);
    store
        .mark_good(&store.load(&gone).unwrap(), Good::Marked)
        .unwrap();
    let remove = |session: &str| {
        let options = CheckpointOptions::default();
        remove_session(&tree.state(), session, &options, Arc::new(Day(0))).unwrap()
    };
    let before = bytes_below(&tree.state().join("checkpoints"));
    assert!(remove("gone"));
    assert!(!remove("gone") && !remove("never"));
    assert!(!has(&tree, &gone) && has(&tree, &stays));
    assert_eq!(store.good_trees().unwrap(), []);
    assert!(before - bytes_below(&tree.state().join("checkpoints")) > 9_000);
}

fn bytes_below(dir: &Path) -> u64 {
    let entries = dir.read_dir().unwrap().map(|entry| entry.unwrap());
    let bytes = entries.map(|entry| match entry.metadata().unwrap() {
        metadata if metadata.is_dir() => bytes_below(&entry.path()),
        metadata => metadata.len(),
    });
    bytes.sum()
}
