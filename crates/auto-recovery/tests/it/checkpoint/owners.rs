//! Owners of files: put back by root; where they cannot be, no owner's rights are lent.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, lchown};
use std::path::Path;

use auto_recovery::checkpoint::{Checkpoint, CheckpointSession, RestoreReport};

use crate::checkpoint::child::{self, NOBODY, Nobody};
use crate::checkpoint::tree::Tree;

/// Takes a snapshot now, and goes back from it to `good`.
fn undo(session: &mut CheckpointSession, good: &Checkpoint) -> RestoreReport {
    let bad = session.snapshot("after").unwrap();
    session.restore(good, Some(&bad)).unwrap()
}

fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        child::skipped("owners take root");
    }
    is_root
}

const PATHS: [&str; 5] = ["file", "gone", "link", "dir", "dir/inner"];

/// A tree of another user, in which root is a guest.
fn theirs() -> Tree {
    let tree = Tree::new();
    tree.write("file", "1");
    tree.write("gone", "1");
    tree.write("dir/inner", "1");
    tree.link("link", "file");
    tree.write("roots", "1");
    for path in PATHS {
        lchown(tree.path(path), Some(1000), Some(1001)).unwrap();
    }
    tree.chmod("file", 0o4755);
    tree.chmod("gone", 0o6755);
    tree
}

fn owners(tree: &Tree) -> Vec<(u32, u32, u32)> {
    let metadata = |path| tree.path(path).symlink_metadata().unwrap();
    let all = PATHS.into_iter().chain(["roots"]).map(metadata);
    all.map(|m| (m.uid(), m.gid(), m.mode() & 0o7777)).collect()
}

/// The work of a fix that runs as root: every file it makes is root's.
fn spoil(tree: &Tree) {
    for path in ["file", "gone", "link", "dir", "roots"] {
        tree.remove(path);
    }
    tree.write("file", "2");
    tree.write("link", "2");
    tree.write("dir/inner", "2");
    tree.write("roots", "2");
    chown(tree.path("roots"), Some(1000), Some(1000)).unwrap();
}

#[test]
fn an_undo_by_root_keeps_owners() {
    if !is_root() {
        return;
    }
    let tree = theirs();
    let before = owners(&tree);
    let mut session = tree.session();
    let good = session.snapshot("").unwrap();
    spoil(&tree);
    let report = undo(&mut session, &good);
    assert!(report.is_exact(), "{report:?}");
    assert_eq!(owners(&tree), before);
    // A change of the owner alone is a change.
    for path in PATHS {
        lchown(tree.path(path), Some(0), Some(0)).unwrap();
    }
    let report = undo(&mut session, &good);
    assert!(report.is_exact(), "{report:?}");
    assert_eq!(owners(&tree), before);
}

#[test]
fn a_later_restore_and_one_without_a_snapshot_keep_owners_too() {
    if !is_root() {
        return;
    }
    let tree = theirs();
    let before = owners(&tree);
    let good = tree.session().snapshot("").unwrap();
    let store = tree.store();
    let loaded = store.load(&good.id()).unwrap();
    assert!(store.changes(&good, &loaded).is_empty());
    assert!(loaded.is_same_tree(&good));
    for is_blind in [false, true] {
        spoil(&tree);
        let mut later = store.begin_session("later").unwrap();
        let now = later.snapshot("").unwrap();
        let from = (!is_blind).then_some(&now);
        let report = later.restore(&loaded, from).unwrap();
        assert!(report.is_exact(), "{report:?}");
        assert_eq!(owners(&tree), before, "{is_blind}");
    }
}

#[test]
fn where_the_owner_cannot_be_given_back_no_rights_are_lent() {
    let name = "checkpoint::owners::where_the_owner_cannot_be_given_back_no_rights_are_lent";
    if let Some(dir) = child::directory() {
        let tree = Tree::new();
        tree.write("program", "1");
        // Asks root to act meanwhile.
        let ask = |what: &str| {
            fs::write(dir.join(what), tree.root().to_str().unwrap()).unwrap();
            while dir.join(what).exists() {
                std::thread::yield_now();
            }
        };
        ask("give");
        let mut session = tree.session();
        let good = session.snapshot("").unwrap();
        tree.remove("program");
        tree.write("program", "2");
        let report = undo(&mut session, &good);
        let metadata = tree.path("program").metadata().unwrap();
        assert_eq!(tree.read("program"), b"1");
        assert_eq!(metadata.uid(), NOBODY);
        assert_eq!(metadata.mode() & 0o7777, 0o755);
        assert_eq!(report.refused.len(), 1, "{report:?}");
        let reason =
            "not given back to user 0, group 0, and so it is not setuid or setgid any more";
        assert_eq!(report.refused[0].reason, reason);
        assert!(report.foreign.is_empty(), "{report:?}");
        return;
    }
    if !is_root() {
        return;
    }
    let Some(mut nobody) = Nobody::start(name) else {
        return;
    };
    let give = nobody.dir().join("give");
    let asked = |nobody: &mut Nobody| loop {
        match fs::read_to_string(&give) {
            Ok(root) if !root.is_empty() => return Some(Path::new(&root).join("program")),
            _ if nobody.has_ended() => return None,
            _ => std::thread::yield_now(),
        }
    };
    if let Some(program) = asked(&mut nobody) {
        chown(&program, Some(0), Some(0)).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
        fs::remove_file(&give).unwrap();
    }
    nobody.finish();
}
