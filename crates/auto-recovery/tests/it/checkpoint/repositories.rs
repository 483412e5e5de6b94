//! Repositories of every kind that git knows: correct, or refused with the reason and the way out.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use auto_recovery::checkpoint::{CheckpointOptions, CheckpointStore};
use auto_recovery::error::ErrorKind;
use auto_recovery::host::SystemHost;
use auto_recovery::workspace::Workspace;

use crate::checkpoint::child::skipped;
use crate::checkpoint::tree::Tree;

/// A repository made with `flags`, with one commit of a tracked file that is ignored.
fn repository(flags: &[&str]) -> Tree {
    let tree = Tree::new();
    tree.run_git(&[&["init", "--quiet", "--initial-branch=main"], flags].concat());
    tree.write("tracked.tmp", "1");
    tree.write("file", "1");
    commit(&tree, "first");
    tree.write(".gitignore", "*.tmp\n");
    tree
}

fn commit(tree: &Tree, message: &str) {
    tree.run_git(&["add", "-A"]);
    tree.run_git(&["commit", "--quiet", "-m", message]);
}

/// What changes is covered, a commit is told, and the tree goes back, to a revision too.
fn check(tree: &Tree) {
    let store = tree.store();
    let mut session = store.begin_session("s").unwrap();
    let good = session.snapshot("").unwrap();
    assert_eq!(good.warnings(), [] as [&str; 0]);
    tree.write("tracked.tmp", "2");
    tree.write("file", "2");
    commit(tree, "second");
    let bad = session.snapshot("").unwrap();
    assert_eq!(store.files_modified(&good, &bad), ["file", "tracked.tmp"]);
    let moved = store.head_moved(&good, &bad).expect("HEAD moved");
    assert!(
        moved.contains("second") && moved.contains("git reset --soft"),
        "{moved}"
    );
    session.restore(&good, Some(&bad)).unwrap();
    assert_eq!(tree.read("tracked.tmp"), b"1");
    let now = session.snapshot("").unwrap();
    let target = session.import_revision("HEAD", &now).unwrap();
    session.restore(&target, Some(&now)).unwrap();
    assert_eq!(tree.read("file"), b"2");
    assert_eq!(store.head_moved(&now, &target), None);
}

#[test]
fn objects_may_have_longer_names() {
    check(&repository(&["--object-format=sha256"]));
}

#[test]
fn references_may_be_kept_in_tables() {
    let args = ["init", "--quiet", "--ref-format=reftable"];
    if Tree::new().tries_git(&args) {
        check(&repository(&["--ref-format=reftable"]));
    } else {
        skipped("this git keeps references in files only");
    }
}

#[test]
fn references_may_be_packed_and_head_detached() {
    let tree = repository(&[]);
    tree.run_git(&["pack-refs", "--all"]);
    check(&tree);
    let tree = repository(&[]);
    tree.run_git(&["switch", "--quiet", "--detach"]);
    check(&tree);
}

#[test]
fn objects_may_be_borrowed_from_another_repository() {
    let lender = repository(&[]);
    let borrower = Tree::new();
    let from = lender.root().display().to_string();
    borrower.run_git(&["clone", "--quiet", "--shared", &from, "."]);
    borrower.write(".gitignore", "*.tmp\n");
    check(&borrower);
}

#[test]
fn a_repository_of_who_became_root_by_sudo_is_read_as_roots_own() {
    if !rustix::process::geteuid().is_root() {
        return skipped("only root can give a repository away");
    }
    let tree = repository(&[]);
    for path in [tree.root(), tree.path(".git")] {
        std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
    }
    let workspace = Workspace::find_for(&tree.root(), None, Some(65534)).unwrap();
    let (options, host) = (CheckpointOptions::default(), Arc::new(SystemHost::new()));
    let store = CheckpointStore::open(&tree.state(), &workspace, options, host).unwrap();
    let mut session = store.begin_session("s").unwrap();
    let good = session.snapshot("").unwrap();
    assert_eq!(good.warnings(), [] as [&str; 0]);
    tree.write("tracked.tmp", "2");
    let bad = session.snapshot("").unwrap();
    assert_eq!(store.files_modified(&good, &bad), ["tracked.tmp"]);
}

#[test]
fn where_git_tracks_no_modes_a_rollback_leaves_them() {
    let tree = repository(&[]);
    tree.run_git(&["config", "core.fileMode", "false"]);
    tree.chmod("file", 0o755);
    tree.write("file", "2");
    let store = tree.store();
    let mut session = store.begin_session("s").unwrap();
    let now = session.snapshot("").unwrap();
    let target = session.import_revision("HEAD", &now).unwrap();
    session.restore(&target, Some(&now)).unwrap();
    assert_eq!(tree.read("file"), b"1");
    let mode = fs::metadata(tree.path("file"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o755);
}

#[test]
fn contents_that_a_partial_clone_lacks_are_named_with_the_way_out() {
    let whole = repository(&[]);
    for content in ["an old content", "a new content"] {
        whole.write("file", content);
        commit(&whole, content);
    }
    whole.run_git(&["config", "uploadpack.allowFilter", "true"]);
    let tree = Tree::new();
    let from = format!("file://{}", whole.root().display());
    tree.run_git(&["clone", "--quiet", "--filter=blob:none", &from, "."]);
    let store = tree.store();
    let mut session = store.begin_session("s").unwrap();
    let now = session.snapshot("").unwrap();
    let error = session.import_revision("HEAD~1", &now).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(
        error.chain().contains("git archive HEAD~1"),
        "{}",
        error.chain()
    );
    // What it names helps.
    tree.run_git(&["archive", "--output=../aside.tar", "HEAD~1"]);
    let target = session.import_revision("HEAD~1", &now).unwrap();
    session.restore(&target, Some(&now)).unwrap();
    assert_eq!(tree.read("file"), b"an old content");
}

#[test]
fn flags_of_the_index_that_hide_changes_are_changes() {
    let tree = repository(&[]);
    let store = tree.store();
    let mut session = store.begin_session("s").unwrap();
    let before = session.snapshot("").unwrap();
    tree.run_git(&["update-index", "--skip-worktree", "file"]);
    tree.write(".git/info/sparse-checkout", "/*\n");
    tree.write(".git/MERGE_HEAD", "0123\n");
    let after = session.snapshot("").unwrap();
    let named = store.not_covered_changes(&before, &after);
    let named: Vec<_> = named.iter().map(|one| one.display.as_str()).collect();
    assert_eq!(
        named,
        [".git/MERGE_HEAD", ".git/index", ".git/info/sparse-checkout"]
    );
}
