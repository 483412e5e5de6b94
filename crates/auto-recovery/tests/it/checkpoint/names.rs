//! Files of several names: an undo never writes into one that is not its own, and puts one back
//! under all the names that it had.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use auto_recovery::checkpoint::{Checkpoint, CheckpointSession, RestoreReport};

use crate::checkpoint::child::as_user_too;
use crate::checkpoint::tree::Tree;

/// A snapshot of now, and back from it to `good`.
fn undo(session: &mut CheckpointSession, good: &Checkpoint) -> RestoreReport {
    let bad = session.snapshot("after").unwrap();
    session.restore(good, Some(&bad)).unwrap()
}

/// Makes `to` another name of `from`, whatever stands there.
fn hard_link(from: &Path, to: &Path) {
    let _not_there = fs::remove_file(to);
    fs::hard_link(from, to).unwrap();
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o7777
}

#[test]
fn names_that_a_fix_links_to_one_file_are_two_again() {
    as_user_too(
        "checkpoint::names::names_that_a_fix_links_to_one_file_are_two_again",
        || {
            for (name, new) in [("b", false), ("new/b", true)] {
                let tree = Tree::new();
                tree.write("a", "a");
                tree.chmod("a", 0o640);
                tree.write("b", "b");
                let image = tree.image();
                let mut session = tree.session();
                let good = session.snapshot("").unwrap();
                tree.mkdir("new");
                hard_link(&tree.path("a"), &tree.path(name));
                tree.write(name, "written through");
                tree.chmod(name, 0o777);
                let report = undo(&mut session, &good);
                assert!(report.is_exact(), "{report:?}");
                assert_eq!(tree.image(), image);
                assert_eq!(tree.path("a").metadata().unwrap().nlink(), 1, "{new}");
            }
        },
    );
}

#[test]
fn a_file_outside_that_got_a_name_here_is_not_written() {
    as_user_too(
        "checkpoint::names::a_file_outside_that_got_a_name_here_is_not_written",
        || {
            let tree = Tree::new();
            tree.write(".gitignore", "ignored\n");
            tree.write("content", "inside");
            tree.write("mode", "the same");
            tree.chmod("mode", 0o600);
            tree.write("third", "inside");
            tree.write("ignored", "not covered");
            let image = tree.image();
            let mut session = tree.session();
            let good = session.snapshot("").unwrap();
            let outside = |name: &str| tree.outside().join(name);
            fs::write(outside("x"), "outside").unwrap();
            fs::write(outside("y"), "the same").unwrap();
            fs::set_permissions(outside("y"), fs::Permissions::from_mode(0o644)).unwrap();
            hard_link(&outside("x"), &tree.path("content"));
            hard_link(&outside("y"), &tree.path("mode"));
            hard_link(&tree.path("ignored"), &tree.path("third"));
            let report = undo(&mut session, &good);
            assert!(report.is_exact(), "{report:?}");
            assert_eq!(tree.image(), image);
            assert_eq!(fs::read(outside("x")).unwrap(), b"outside");
            assert_eq!(mode(&outside("y")), 0o644);
        },
    );
}

#[test]
fn a_file_that_had_other_names_is_put_back_under_all() {
    as_user_too(
        "checkpoint::names::a_file_that_had_other_names_is_put_back_under_all",
        || {
            let tree = Tree::new();
            tree.write(".gitignore", "ignored*\n");
            let outside = |name: &str| tree.outside().join(name);
            for name in ["a", "m", "i", "p"] {
                tree.write(name, name);
                tree.chmod(name, 0o444);
            }
            hard_link(&tree.path("a"), &outside("a"));
            hard_link(&tree.path("m"), &outside("m"));
            hard_link(&tree.path("i"), &tree.path("ignored"));
            hard_link(&tree.path("p"), &tree.path("q"));
            let image = tree.image();
            let mut session = tree.session();
            let good = session.snapshot("").unwrap();
            for name in ["a", "i", "p"] {
                tree.chmod(name, 0o644);
                tree.write(name, "longer than it was");
                tree.chmod(name, 0o444);
            }
            fs::set_permissions(outside("m"), fs::Permissions::from_mode(0o777)).unwrap();
            // One more name of it changes nothing, nor of one whose bits alone changed.
            hard_link(&tree.path("a"), &tree.path("new"));
            hard_link(&tree.path("m"), &tree.path("newer"));
            let report = undo(&mut session, &good);
            assert_eq!(report.foreign, [""; 0], "{report:?}");
            assert_eq!(tree.image(), image);
            assert_eq!(fs::read(outside("a")).unwrap(), b"a");
            assert_eq!(mode(&outside("m")), 0o444);
            let inode = |path: &Path| path.metadata().unwrap().ino();
            assert_eq!(inode(&tree.path("a")), inode(&outside("a")));
            assert_eq!(inode(&tree.path("p")), inode(&tree.path("q")));
        },
    );
}

#[test]
fn a_later_process_does_not_know_the_other_names_and_says_so() {
    let tree = Tree::new();
    tree.write("a", "1");
    let outside = tree.outside().join("a");
    hard_link(&tree.path("a"), &outside);
    let good = tree.session().snapshot("").unwrap();
    tree.write("a", "2");
    let store = tree.store();
    let mut later = store.begin_session("later").unwrap();
    let now = later.snapshot("").unwrap();
    let loaded = store.load(&good.id()).unwrap();
    let report = later.restore(&loaded, Some(&now)).unwrap();
    assert_eq!(tree.read("a"), b"1");
    // It may be anybody's by now, so it is not written.
    assert_eq!(fs::read(&outside).unwrap(), b"2");
    let named = report.not_covered.iter().map(|one| &*one.display);
    assert_eq!(named.collect::<Vec<_>>(), ["a"], "{report:?}");
    assert_eq!(report.restored, ["a"]);
}
