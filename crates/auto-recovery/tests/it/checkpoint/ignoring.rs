//! Ignore rules are git's, in every kind of checkout.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use auto_recovery::ErrorKind;
use auto_recovery::checkpoint::{CheckpointOptions, CheckpointStore};
use auto_recovery::host::SystemHost;
use auto_recovery::workspace::Workspace;

use crate::checkpoint::tree::Tree;

/// The files of `paths` at which a change in the work tree at `root` is covered.
fn covered<'p>(tree: &Tree, root: &Path, paths: &[&'p str]) -> BTreeSet<&'p str> {
    let workspace = Workspace::find(root, None).unwrap();
    let host = Arc::new(SystemHost::new());
    let options = CheckpointOptions::default();
    let store = CheckpointStore::open(&tree.state(), &workspace, options, host).unwrap();
    let mut session = store.begin_session("s").unwrap();
    let before = session.snapshot("").unwrap();
    for path in paths {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut content = fs::read(&path).unwrap_or_default();
        content.extend(b"changed\n");
        fs::write(path, content).unwrap();
    }
    let after = session.snapshot("").unwrap();
    let changed = store.files_modified(&before, &after);
    let is_covered = |path: &&&str| changed.iter().any(|changed| changed == **path);
    paths.iter().filter(is_covered).copied().collect()
}

fn commit(tree: &Tree, dir: &Path) {
    tree.run_git_in(dir, &["add", "-A"]);
    tree.run_git_in(dir, &["commit", "--quiet", "--allow-empty", "-m", "x"]);
}

#[test]
fn a_linked_work_tree_has_the_excludes_of_its_repository() {
    let tree = Tree::git();
    tree.write("file", "1");
    commit(&tree, &tree.root());
    tree.write(".git/info/exclude", "*.secret\n");
    let linked = tree.outside().join("linked");
    tree.run_git(&["worktree", "add", "--quiet", linked.to_str().unwrap()]);
    let found = covered(&tree, &linked, &["file", "a.secret", "b.txt"]);
    assert_eq!(found, BTreeSet::from(["file", "b.txt"]));
}

#[test]
fn the_users_own_ignore_file_counts_and_so_does_its_absence_of_case() {
    let tree = Tree::git();
    tree.write("../ignore", "*.swp\n");
    let ignore = tree.outside().join("ignore");
    tree.run_git(&["config", "core.excludesFile", ignore.to_str().unwrap()]);
    tree.write(".gitignore", "Build.log\n");
    let paths = ["a.swp", "build.log", "b.txt"];
    let found = covered(&tree, &tree.root(), &paths);
    assert_eq!(found, BTreeSet::from(["b.txt", "build.log"]));
    tree.run_git(&["config", "core.ignoreCase", "true"]);
    let found = covered(&tree, &tree.root(), &paths);
    assert_eq!(found, BTreeSet::from(["b.txt"]));
}

#[test]
fn repositories_inside_the_tree_have_rules_of_their_own() {
    let tree = Tree::git();
    tree.write(".gitignore", "*.log\n");
    tree.mkdir("inner/deep");
    let inner = tree.path("inner");
    tree.run_git_in(&inner, &["init", "--quiet"]);
    tree.write("inner/tracked.tmp", "1");
    commit(&tree, &inner);
    tree.write("inner/.gitignore", "*.tmp\n");
    tree.write("inner/.git/info/exclude", "*.mine\n");
    let paths = [
        "a.log",
        "inner/a.log",
        "inner/a.mine",
        "inner/a.tmp",
        "inner/tracked.tmp",
        "inner/deep/a.log",
    ];
    let found = covered(&tree, &tree.root(), &paths);
    let expected = ["inner/a.log", "inner/deep/a.log", "inner/tracked.tmp"];
    assert_eq!(found, BTreeSet::from(expected));
    // The rules are kept with the checkpoint: read back, it has the same absences.
    let store = tree.store();
    let mut session = store.begin_session("t").unwrap();
    let good = session.snapshot("").unwrap();
    tree.write("inner/new.log", "1");
    tree.write("inner/new.tmp", "1");
    let now = session.snapshot("").unwrap();
    let loaded = store.load(&good.id()).unwrap();
    session.restore(&loaded, Some(&now)).unwrap();
    assert!(!tree.exists("inner/new.log"));
    assert!(tree.exists("inner/new.tmp"));
}

#[test]
fn other_work_trees_of_the_repository_are_never_part_of_this_one() {
    let tree = Tree::git();
    tree.write("file", "1");
    commit(&tree, &tree.root());
    let inside = tree.path("trees/agent");
    tree.run_git(&["worktree", "add", "--quiet", inside.to_str().unwrap()]);
    let store = tree.store();
    let mut session = store.begin_session("s").unwrap();
    let good = session.snapshot("").unwrap();
    // A person works and commits there, and a fix adds one more work tree.
    tree.write("trees/agent/file", "2");
    tree.write("trees/agent/new", "2");
    commit(&tree, &inside);
    let second = tree.path("trees/second");
    tree.run_git(&["worktree", "add", "--quiet", second.to_str().unwrap()]);
    tree.write("file", "half");
    let bad = session.snapshot("").unwrap();
    assert_eq!(store.files_modified(&good, &bad), ["file"]);
    session.restore(&good, Some(&bad)).unwrap();
    assert_eq!(tree.read("file"), b"1");
    assert_eq!(tree.read("trees/agent/file"), b"2");
    assert_eq!(tree.read("trees/second/file"), b"1");
    assert_eq!(tree.run_git_in(&inside, &["status", "--porcelain"]), "");
    // The added one is named.
    let named = store.not_covered_changes(&good, &bad);
    let named: Vec<_> = named.iter().map(|one| one.display.as_str()).collect();
    assert!(named.contains(&"trees/second"), "{named:?}");
    assert!(!named.contains(&"trees/agent"), "{named:?}");
}

#[test]
fn a_sparse_checkout_and_a_submodule_are_what_git_says() {
    let tree = Tree::git();
    tree.write("kept/file", "1");
    tree.write("left/file", "1");
    tree.write(".gitignore", "*.tmp\n");
    commit(&tree, &tree.root());
    tree.run_git(&["sparse-checkout", "set", "--cone", "--sparse-index", "kept"]);
    assert!(!tree.exists("left"));
    let library = tree.outside().join("library");
    fs::create_dir(&library).unwrap();
    tree.run_git_in(&library, &["init", "--quiet"]);
    fs::write(library.join(".gitignore"), "*.o\n").unwrap();
    commit(&tree, &library);
    let source = library.to_str().unwrap();
    let add = [
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "add",
        "--quiet",
    ];
    tree.run_git(&[&add[..], &["--force", source, "kept/sub"]].concat());
    let paths = ["kept/file", "kept/a.tmp", "kept/sub/a.tmp", "kept/sub/a.o"];
    let found = covered(&tree, &tree.root(), &paths);
    assert_eq!(found, BTreeSet::from(["kept/file", "kept/sub/a.tmp"]));
}

#[test]
fn what_is_covered_is_what_git_would_show() {
    let rules = "*.a\n!keep.a\n/top\ndir/\n**/deep/x\nb/**/c\n#no\n\\#yes\ntrail \nq?\n[xy]z\n!dir/y\n\\!bang\nd*/e\n";
    let paths = [
        "1.a",
        "keep.a",
        "sub/keep.a",
        "top",
        "sub/top",
        "dir/y",
        "sub/dir/z",
        "deep/x",
        "a/deep/x",
        "a/deep/y",
        "b/c",
        "b/1/2/c",
        "#no",
        "#yes",
        "trail",
        "q1",
        "q",
        "xz",
        "zz",
        "!bang",
        "do/e",
        "do/f",
        "x/do/e",
    ];
    let tree = Tree::git();
    tree.write(".gitignore", rules);
    tree.write("sub/.gitignore", "!*.a\nkeep.a\n");
    for path in paths {
        tree.write(path, "");
    }
    let listed = tree.run_git(&[
        "-c",
        "core.quotePath=false",
        "ls-files",
        "-co",
        "--exclude-standard",
    ]);
    let by_git: BTreeSet<&str> = listed.lines().filter(|path| paths.contains(path)).collect();
    let found = covered(&tree, &tree.root(), &paths);
    assert_eq!(found, by_git);
}

/// The error of a snapshot of `tree`, which must be refused.
fn refused(tree: &Tree) -> String {
    let refused = tree.session().snapshot("").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NoSpace);
    let why = refused.to_string();
    assert!(
        why.ends_with(
            "so nobody can say what they ignore; make them smaller, or run without checkpoints"
        ),
        "{why}"
    );
    why
}

#[test]
fn an_ignore_file_without_end_is_named_and_not_read() {
    let tree = Tree::git();
    tree.write("file", "1");
    for path in ["sub/.gitignore", ".gitignore", ".git/info/exclude"] {
        tree.write(path, "");
        let file = fs::File::options()
            .write(true)
            .open(tree.path(path))
            .unwrap();
        file.set_len(1 << 30).unwrap();
        let why = refused(&tree);
        assert!(
            why.contains(&format!(": {path} has more than 262144 bytes, ")),
            "{why}"
        );
        tree.remove(path);
    }
    tree.write("../ignore", "x".repeat(300_000));
    let ignore = tree.outside().join("ignore");
    tree.run_git(&["config", "core.excludesFile", ignore.to_str().unwrap()]);
    let why = refused(&tree);
    assert!(why.contains("your ignore file for all projects"), "{why}");
}

#[test]
fn many_ignore_files_have_a_limit_together() {
    let tree = Tree::new();
    let comment = format!("#{}\n*.log\n", "x".repeat(100_000));
    (0..10).for_each(|dir| tree.write(format!("d{dir}/.gitignore"), &comment));
    let found = covered(&tree, &tree.root(), &["d1/a.log", "d1/a.txt"]);
    assert_eq!(found, BTreeSet::from(["d1/a.txt"]));
    tree.write("d10/.gitignore", &comment);
    let why = refused(&tree);
    assert!(
        why.contains(": its ignore files have more than 1048576 bytes, "),
        "{why}"
    );
    // An ignored directory is not looked into.
    tree.write(".gitignore", "d10\n");
    let found = covered(&tree, &tree.root(), &["d1/b.log", "d1/b.txt"]);
    assert_eq!(found, BTreeSet::from(["d1/b.txt"]));
}
