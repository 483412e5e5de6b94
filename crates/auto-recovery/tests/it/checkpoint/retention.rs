//! Keeping the state small.

use std::path::{Path, PathBuf};
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

fn remove(tree: &Tree, session: &str) -> bool {
    let options = CheckpointOptions::default();
    remove_session(&tree.state(), session, &options, Arc::new(Day(0))).unwrap()
}

/// The directories of workspaces in the state.
fn shelves(tree: &Tree) -> Vec<PathBuf> {
    let entries = tree.state().join("checkpoints").read_dir();
    let entries = entries.into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.is_dir()).collect()
}

/// Whether any file below `dir` holds `text` as it is.
fn is_in_a_file(dir: &Path, text: &str) -> bool {
    let mut entries = dir.read_dir().unwrap().map(|entry| entry.unwrap().path());
    entries.any(|path| match path.is_dir() {
        true => is_in_a_file(&path, text),
        false => {
            let bytes = std::fs::read(&path).unwrap();
            memchr::memmem::find(&bytes, text.as_bytes()).is_some()
        }
    })
}

/// Two sessions, `gone` and `stays`, of three checkpoints each, with files of their own and a
/// common one; returns the last checkpoint of `stays`.
fn two_sessions(tree: &Tree) -> String {
    tree.write("common", "held by both");
    let mut last = String::new();
    for name in ["gone", "stays"] {
        let store = store_on(tree, 0);
        let mut session = store.begin_session(name).unwrap();
        for number in 0..3 {
            tree.write(
                format!("file-of-{name}"),
                format!("held by {name} {number}"),
            );
            tree.link(
                format!("link-of-{name}-{number}"),
                format!("target of {name}"),
            );
            last = session.snapshot(&format!("label of {name}")).unwrap().id();
        }
        tree.remove(format!("file-of-{name}"));
        (0..3).for_each(|number| tree.remove(format!("link-of-{name}-{number}")));
    }
    last
}

/// Makes sure that nothing of the session `gone` is kept, and everything of `stays`.
#[track_caller]
fn assert_gone(tree: &Tree, last: &str) {
    let texts = [
        "held by gone",
        "file-of-gone",
        "target of gone",
        "label of gone",
    ];
    for text in texts {
        assert!(!tree.is_kept(text), "{text} is kept");
        assert!(!is_in_a_file(&tree.state(), text), "{text} is in a file");
    }
    for text in ["held by both", "held by stays 2", "file-of-stays"] {
        assert!(tree.is_kept(text), "{text} is not kept");
    }
    let target = tree.store().load(last).unwrap();
    let mut session = store_on(tree, 0).begin_session("later").unwrap();
    session.restore(&target, None).unwrap();
    assert_eq!(tree.read("file-of-stays"), b"held by stays 2");
    assert_eq!(tree.read("common"), b"held by both");
}

#[test]
fn a_removed_session_leaves_no_object_that_no_other_needs() {
    let tree = Tree::new();
    let last = two_sessions(&tree);
    assert!(tree.is_kept("held by gone 0") && tree.is_kept("file-of-gone"));
    assert!(remove(&tree, "gone"));
    assert_gone(&tree, &last);
    assert!(remove(&tree, "stays"));
    // Of the last one nothing at all is left.
    assert!(shelves(&tree).is_empty());
    // The same where its objects are in one pack with those of others.
    let tree = Tree::new();
    let last = two_sessions(&tree);
    let git = shelves(&tree).remove(0).join("git");
    tree.run_git_in(&git, &["repack", "-a", "-d", "--quiet"]);
    tree.run_git_in(&git, &["pack-refs", "--all"]);
    assert!(remove(&tree, "gone"));
    assert_gone(&tree, &last);
}

#[test]
fn sessions_that_are_pruned_leave_no_object_either() {
    let tree = Tree::new();
    tree.write("file-of-gone", "held by gone");
    session_on(&tree, 0, "gone", b"1");
    tree.remove("file-of-gone");
    let stays = session_on(&tree, 10, "stays", b"2");
    assert_eq!(prune_on(&tree, 20, &RetentionLimits::default()).sessions, 1);
    assert!(has(&tree, &stays));
    for text in ["held by gone", "file-of-gone"] {
        assert!(!tree.is_kept(text) && !is_in_a_file(&tree.state(), text));
    }
}

#[test]
fn a_removal_that_was_killed_is_finished_by_the_next() {
    let refs_are_gone = |tree: &Tree| {
        let shelf = shelves(tree).remove(0);
        let git = shelf.join("git");
        let refs = tree.run_git_in(&git, &["for-each-ref", "--format=%(refname)"]);
        let gone: Vec<_> = refs
            .lines()
            .filter(|name| name.contains("/gone/"))
            .collect();
        assert_eq!(gone.len(), 3);
        std::fs::write(shelf.join("uncollected"), gone.join("\n")).unwrap();
        for name in gone {
            tree.run_git_in(&git, &["update-ref", "-d", name]);
        }
        assert!(tree.is_kept("held by gone"));
        shelf
    };
    // After its refs went, and in the middle of packing anew.
    let tree = Tree::new();
    let last = two_sessions(&tree);
    let shelf = refs_are_gone(&tree);
    let packs = shelf.join("git/objects/pack");
    let pack = packs.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let pack = pack
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "pack"));
    std::fs::write(pack.unwrap().with_extension("keep"), "fast-import").unwrap();
    for half in [".tmp-1-pack-1.pack", "tmp_pack_1", "pack-1.pack"] {
        std::fs::write(packs.join(half), "held by gone").unwrap();
    }
    assert!(remove(&tree, "gone"));
    assert_gone(&tree, &last);
    assert!(!remove(&tree, "gone"));
    // By the next look at the state, too.
    let tree = Tree::new();
    let last = two_sessions(&tree);
    refs_are_gone(&tree);
    let report = prune_on(&tree, 0, &RetentionLimits::default());
    assert_eq!(report.sessions, 0);
    assert_gone(&tree, &last);
}

#[test]
fn a_removed_session_goes_from_what_was_set_aside_too() {
    for packs_refs in [false, true] {
        let tree = Tree::new();
        two_sessions(&tree);
        let shelf = shelves(&tree).remove(0);
        let git = shelf.join("git");
        if packs_refs {
            tree.run_git_in(&git, &["pack-refs", "--all"]);
        }
        std::fs::rename(&git, shelf.join("git.damaged-1")).unwrap();
        let later = session_on(&tree, 0, "later", b"1");
        assert!(!remove(&tree, "other") && shelf.join("git.damaged-1").exists());
        assert!(remove(&tree, "gone"));
        assert!(!shelf.join("git.damaged-1").exists() && has(&tree, &later));
    }
}

fn bytes_below(dir: &Path) -> u64 {
    let entries = dir.read_dir().unwrap().map(|entry| entry.unwrap());
    let bytes = entries.map(|entry| match entry.metadata().unwrap() {
        metadata if metadata.is_dir() => bytes_below(&entry.path()),
        metadata => metadata.len(),
    });
    bytes.sum()
}
