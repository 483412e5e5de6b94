//! What its own modes close to its owner: opened for a look or an undo, and closed again.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use auto_recovery::checkpoint::{Checkpoint, CheckpointSession, RestoreReport};

use crate::checkpoint::child::as_user_too;
use crate::checkpoint::tree::{Image, Tree};

/// A snapshot of now, and back from it to `good`.
fn undo(session: &mut CheckpointSession, good: &Checkpoint) -> RestoreReport {
    let bad = session.snapshot("after").unwrap();
    session.restore(good, Some(&bad)).unwrap()
}

fn mode(tree: &Tree, path: &str) -> u32 {
    let metadata = tree.path(path).symlink_metadata().unwrap();
    metadata.permissions().mode() & 0o7777
}

/// Opens what `modes` name, looks at the tree, and closes them again, outermost last.
fn image(tree: &Tree, modes: &[(&str, u32)]) -> Image {
    modes.iter().for_each(|(path, _)| tree.chmod(path, 0o700));
    let image = tree.image();
    let closing = modes.iter().rev();
    closing.for_each(|(path, mode)| tree.chmod(path, *mode));
    image
}

#[test]
fn what_a_fix_made_and_closed_goes() {
    as_user_too(
        "checkpoint::closed::what_a_fix_made_and_closed_goes",
        || {
            let tree = Tree::new();
            tree.write("file", "1");
            tree.mkdir("dir");
            let image = tree.image();
            let mut session = tree.session();
            let good = session.snapshot("").unwrap();
            tree.write("file", "2");
            tree.write("secret", "x");
            tree.chmod("secret", 0o000);
            tree.write("new/deep/er/file", "x");
            tree.chmod("new/deep/er/file", 0o000);
            tree.chmod("new/deep/er", 0o000);
            tree.chmod("new/deep", 0o555);
            tree.chmod("new", 0o000);
            tree.write("dir/listed/only", "x");
            tree.chmod("dir/listed", 0o600);
            tree.chmod("dir", 0o100);
            let report = undo(&mut session, &good);
            assert!(report.is_exact(), "{report:?}");
            assert_eq!(tree.image(), image);
        },
    );
}

#[test]
fn what_was_closed_before_is_put_back_and_closed() {
    as_user_too(
        "checkpoint::closed::what_was_closed_before_is_put_back_and_closed",
        || {
            let tree = Tree::new();
            let modes = [
                ("outer", 0o000),
                ("outer/inner", 0o300),
                ("outer/inner/file", 0o000),
                ("secret", 0o000),
                ("writable", 0o200),
                ("listed", 0o444),
            ];
            tree.write("outer/inner/file", "1");
            tree.write("secret", "1");
            tree.write("writable", "1");
            tree.write("listed/file", "1");
            let before = image(&tree, &modes);
            let mut session = tree.session();
            let good = session.snapshot("").unwrap();
            for (path, expected) in [("outer", 0), ("secret", 0), ("writable", 0o200)] {
                assert_eq!(mode(&tree, path), expected, "{path} after a look");
            }
            modes.iter().for_each(|(path, _)| tree.chmod(path, 0o755));
            tree.write("outer/inner/file", "2");
            tree.write("outer/more", "2");
            tree.remove("secret");
            tree.write("writable", "2");
            tree.write("listed/file", "2");
            modes[..2]
                .iter()
                .for_each(|(path, _)| tree.chmod(path, 0o500));
            let report = undo(&mut session, &good);
            assert!(report.is_exact(), "{report:?}");
            for (path, expected) in [("outer", 0), ("secret", 0), ("listed", 0o444)] {
                assert_eq!(mode(&tree, path), expected, "{path} after the undo");
            }
            assert_eq!(image(&tree, &modes), before);
            modes[..2]
                .iter()
                .for_each(|(path, _)| tree.chmod(path, 0o700));
        },
    );
}

#[test]
fn what_a_look_that_was_killed_left_open_is_closed_by_the_next() {
    let tree = Tree::new();
    tree.write("dir/file", "1");
    let mut session = tree.session();
    session.snapshot("").unwrap();
    let state = fs::read_dir(tree.state().join("checkpoints")).unwrap();
    let mut state = state.map(|entry| entry.unwrap().path());
    let state = state.find(|path| path.is_dir()).unwrap();
    // As it stands after a kill: noted, then opened. No process has that number.
    fs::write(state.join("opened-2147483647"), b"500 dir\0").unwrap();
    tree.chmod("dir", 0o700);
    let next = session.snapshot("").unwrap();
    assert_eq!(mode(&tree, "dir"), 0o500);
    assert!(!state.join("opened-2147483647").exists());
    tree.chmod("dir", 0o755);
    assert!(!session.snapshot("").unwrap().is_same_tree(&next));
}
