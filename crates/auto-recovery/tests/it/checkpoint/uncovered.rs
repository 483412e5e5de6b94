//! Uncovered paths: watched, named, never claimed undone.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;

use auto_recovery::checkpoint::{CheckpointLimits, CheckpointOptions};
use auto_recovery::files::FileId;

use crate::checkpoint::child::as_user_too;
use crate::checkpoint::tree::Tree;

/// The paths and reasons of uncovered changes while `change` ran.
fn uncovered(
    tree: &Tree,
    options: CheckpointOptions,
    change: impl FnOnce(),
) -> Vec<(String, &'static str)> {
    let store = tree.store_with(options);
    let mut session = store.begin_session("s").unwrap();
    let before = session.snapshot("").unwrap();
    change();
    let after = session.snapshot("").unwrap();
    let found = store.not_covered_changes(&before, &after);
    found
        .into_iter()
        .map(|found| (found.display, found.reason))
        .collect()
}

fn small_files() -> CheckpointOptions {
    let limits = CheckpointLimits {
        file_bytes_max: 100,
        ..Default::default()
    };
    CheckpointOptions {
        limits,
        ..Default::default()
    }
}

#[test]
fn ignored_files_are_named_when_they_change() {
    let tree = Tree::git();
    tree.write(".gitignore", "*.tmp\nsecret/\nnode_modules/\n");
    tree.write("a.tmp", "1");
    tree.write("b.tmp", "1");
    tree.write("same.tmp", "1");
    tree.write("secret/deep/key", "1");
    tree.write("node_modules/x", "1");
    let found = uncovered(&tree, CheckpointOptions::default(), || {
        tree.write("a.tmp", "22");
        tree.remove("b.tmp");
        tree.write("c.tmp", "1");
        tree.write("secret/deep/key", "22");
        tree.write("node_modules/x", "a build directory");
    });
    let expected = [
        ("a.tmp", "ignored"),
        ("b.tmp", "ignored, gone"),
        ("c.tmp", "ignored"),
        ("secret/deep/key", "ignored"),
    ];
    assert_eq!(found, expected.map(|(path, why)| (path.into(), why)));
}

#[test]
fn what_others_write_is_neither_replaced_nor_named() {
    let tree = Tree::new();
    tree.write(".gitignore", "*.out\n");
    tree.write("code", "whole");
    tree.write("build.log", "1\n");
    tree.write("nohup.out", "1\n");
    let logs = ["build.log", "nohup.out"];
    let written = logs.map(|log| FileId::of(&std::fs::metadata(tree.path(log)).unwrap()));
    let options = CheckpointOptions {
        written: written.into(),
        ..Default::default()
    };
    let mut session = tree.store_with(options).begin_session("s").unwrap();
    let before = session.snapshot("").unwrap();
    tree.write("code", "broken");
    for log in logs {
        let mut file = std::fs::File::options()
            .append(true)
            .open(tree.path(log))
            .unwrap();
        file.write_all(b"2\n").unwrap();
    }
    let after = session.snapshot("").unwrap();
    let report = session.restore(&before, Some(&after)).unwrap();
    assert_eq!(report.not_covered, []);
    let files = ["code", "build.log", "nohup.out"].map(|file| tree.read(file));
    assert_eq!(files, [&b"whole"[..], b"1\n2\n", b"1\n2\n"]);
}

#[test]
fn a_watch_that_found_its_limit_claims_nothing_about_the_rest() {
    let tree = Tree::new();
    tree.write(".gitignore", "*.tmp\n");
    tree.write("a.tmp", "1");
    let limits = CheckpointLimits {
        watched_max: 1,
        ..Default::default()
    };
    let options = CheckpointOptions {
        limits,
        ..Default::default()
    };
    let found = uncovered(&tree, options, || {
        for number in 0..10 {
            tree.write(format!("{number}.tmp"), "1");
        }
    });
    assert_eq!(found, []);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a file's time is of the real clock"
)]
fn the_users_git_is_named_when_it_moves_and_not_when_it_is_looked_at() {
    let tree = Tree::git();
    tree.write("file", "1");
    tree.run_git(&["add", "-A"]);
    tree.run_git(&["commit", "--quiet", "-m", "x"]);
    let found = uncovered(&tree, CheckpointOptions::default(), || {
        // Rewrites the index with new stamps and no new content.
        let later = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
        let file = std::fs::File::options()
            .write(true)
            .open(tree.path("file"))
            .unwrap();
        file.set_modified(later).unwrap();
        tree.run_git(&["status"]);
    });
    assert_eq!(found, []);
    let found = uncovered(&tree, CheckpointOptions::default(), || {
        tree.write("file", "2");
        tree.run_git(&["commit", "--quiet", "-am", "y"]);
        tree.run_git(&["config", "user.name", "z"]);
    });
    let expected = [
        ".git/COMMIT_EDITMSG",
        ".git/config",
        ".git/index",
        ".git/refs/heads/main",
    ];
    assert_eq!(found, expected.map(|path| (path.into(), "git's own")));
}

#[test]
fn protected_paths_are_covered_even_when_they_are_ignored() {
    let tree = Tree::new();
    tree.write(".gitignore", ".env\nlocal/\n");
    tree.write(".env", "1");
    tree.write("local/tests/case", "1");
    tree.write("local/other", "1");
    let protect = vec![".env".to_owned(), "local/tests/**".to_owned()];
    let store = tree.store_with(CheckpointOptions {
        protect,
        ..Default::default()
    });
    let mut session = store.begin_session("s").unwrap();
    let good = session.snapshot("").unwrap();
    tree.write(".env", "2");
    tree.write("local/tests/case", "2");
    tree.write("local/tests/added", "2");
    tree.write("local/other", "2");
    let bad = session.snapshot("").unwrap();
    let names = store.files_modified(&good, &bad);
    assert_eq!(names, [".env", "local/tests/added", "local/tests/case"]);
    session
        .restore(&store.load(&good.id()).unwrap(), Some(&bad))
        .unwrap();
    assert_eq!(tree.read(".env"), b"1");
    assert_eq!(tree.read("local/tests/case"), b"1");
    assert!(!tree.exists("local/tests/added"));
    assert_eq!(tree.read("local/other"), b"2");
}

#[test]
fn large_files_are_left_out_and_named() {
    let tree = Tree::new();
    tree.write("large", [1; 101]);
    tree.write("same", [1; 101]);
    tree.write("limit", [1; 100]);
    let found = uncovered(&tree, small_files(), || {
        tree.write("large", [2; 102]);
        tree.write("new", [2; 101]);
        tree.write("limit", [2; 100]);
    });
    assert_eq!(
        found,
        ["large", "new"].map(|path| (path.into(), "larger than the limit"))
    );
}

#[test]
fn large_files_are_never_claimed_undone() {
    let tree = Tree::new();
    tree.write("large", [1; 200]);
    tree.write("grows", [1; 50]);
    let store = tree.store_with(small_files());
    let mut session = store.begin_session("s").unwrap();
    let good = session.snapshot("").unwrap();
    let inode = tree.path("large").metadata().unwrap().ino();
    tree.write("large", [2; 300]);
    tree.write("grows", [2; 500]);
    tree.write("new", [2; 300]);
    let bad = session.snapshot("").unwrap();
    let report = session.restore(&good, Some(&bad)).unwrap();
    // A file that the session once held stays held: one that grew goes back.
    assert_eq!(report.restored, ["grows"]);
    assert_eq!(tree.read("grows"), [1; 50]);
    let left: Vec<_> = report
        .not_covered
        .iter()
        .map(|left| &*left.display)
        .collect();
    assert_eq!(left, ["large", "new"]);
    assert_eq!(tree.read("large"), [2; 300]);
    assert_eq!(tree.path("large").metadata().unwrap().ino(), inode);
    // And one that it left out stays out, also when it shrinks.
    tree.write("large", [3; 10]);
    let shrunk = session.snapshot("").unwrap();
    assert_eq!(shrunk.files(), 1);
}

#[test]
fn a_pipe_is_seen_and_an_attempts_pipe_goes() {
    let tree = Tree::new();
    tree.write("file", "1");
    let pipe = |name: &str| {
        let mode = rustix::fs::Mode::from_raw_mode(0o644);
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, tree.path(name), kind, mode, 0).unwrap();
    };
    pipe("theirs");
    let mut session = tree.session();
    let good = session.snapshot("").unwrap();
    tree.remove("file");
    pipe("file");
    pipe("added");
    let bad = session.snapshot("").unwrap();
    let report = session.restore(&good, Some(&bad)).unwrap();
    assert!(report.is_exact(), "{report:?}");
    assert_eq!(tree.read("file"), b"1");
    assert!(!tree.exists("added") && tree.exists("theirs"));
}

#[test]
fn bits_of_what_is_only_watched_are_put_back() {
    as_user_too(
        "checkpoint::uncovered::bits_of_what_is_only_watched_are_put_back",
        || {
            let tree = Tree::new();
            tree.write(".gitignore", "*.key\n");
            let names = ["large", "a.key", "changed.key", "swapped.key"];
            for name in names {
                tree.write(name, "x".repeat(200));
                tree.chmod(name, 0o640);
            }
            let store = tree.store_with(small_files());
            let mut session = store.begin_session("s").unwrap();
            let before = session.snapshot("").unwrap();
            tree.write("changed.key", "y".repeat(201));
            tree.remove("swapped.key");
            tree.write("swapped.key", "x".repeat(200));
            names.iter().for_each(|name| tree.chmod(name, 0o666));
            let after = session.snapshot("").unwrap();
            let report = session.restore(&before, Some(&after)).unwrap();
            assert_eq!(report.bits_back, ["a.key", "large"], "{report:?}");
            assert!(report.is_exact(), "{report:?}");
            let mode = |name| tree.path(name).metadata().unwrap().mode() & 0o777;
            // A file that is another by now is left as it is.
            assert_eq!(names.map(mode), [0o640, 0o640, 0o666, 0o666]);
            // And a change after the last look is the user's.
            tree.chmod("a.key", 0o600);
            tree.chmod("large", 0o666);
            let after = session.snapshot("").unwrap();
            tree.chmod("a.key", 0o604);
            tree.chmod("large", 0o604);
            let report = session.restore(&before, Some(&after)).unwrap();
            assert_eq!(report.bits_back, [""; 0], "{report:?}");
            assert_eq!(["a.key", "large"].map(mode), [0o604, 0o604]);
        },
    );
}
