//! Checkpoints beside a project's own git: its traps, one test each, and its bytes untouched.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use auto_recovery::checkpoint::CheckpointSession;

use crate::checkpoint::child;
use crate::checkpoint::tree::{Image, Tree};

/// Snapshots `tree`, lets `damage` change it, undoes that, and says what the tree and the user's
/// `.git` looked like before and after.
fn round_trip(tree: &Tree, damage: impl FnOnce()) {
    let before = (tree.image(), tree.git_image());
    let mut session = tree.session();
    let good = session.snapshot("before").unwrap();
    assert_eq!(tree.git_image(), before.1, "a snapshot wrote to .git");
    damage();
    let git_damaged = tree.git_image();
    undo(&mut session, &good);
    assert_same(&tree.image(), &before.0);
    assert_eq!(tree.git_image(), git_damaged, "an undo wrote to .git");
}

fn undo(session: &mut CheckpointSession, good: &auto_recovery::checkpoint::Checkpoint) {
    let bad = session.snapshot("after").unwrap();
    let report = session.restore(good, Some(&bad)).unwrap();
    assert_eq!(report.foreign, [""; 0]);
}

fn assert_same(now: &Image, then: &Image) {
    for path in now.keys().chain(then.keys()) {
        let shown = String::from_utf8_lossy(path);
        assert_eq!(now.get(path), then.get(path), "{shown}");
    }
}

#[test]
fn line_endings_filters_and_encodings_do_not_touch_bytes() {
    let tree = Tree::git();
    tree.run_git(&["config", "filter.shout.clean", "tr a-z A-Z"]);
    tree.run_git(&["config", "filter.shout.smudge", "tr A-Z a-z"]);
    tree.run_git(&["config", "core.autocrlf", "true"]);
    let attributes = "*.txt text=auto\n*.crlf text eol=crlf ident\n*.u working-tree-encoding=UTF-16LE\n\
                      *.f filter=shout\n* diff=none\n";
    tree.write(".gitattributes", attributes);
    tree.write("a.txt", "one\r\ntwo\r\n");
    tree.write("mixed.txt", "one\r\ntwo\nthree\r");
    tree.write("id.crlf", "$Id$\nlf only\n");
    tree.write("wide.u", b"\xff\xfea\0b\0\n\0");
    tree.write("loud.f", "MiXeD");
    round_trip(&tree, || {
        for name in ["a.txt", "mixed.txt", "id.crlf", "wide.u", "loud.f"] {
            tree.write(name, "changed");
        }
        tree.remove(".gitattributes");
    });
}

#[test]
fn edits_that_the_users_index_hides_are_seen() {
    let tree = Tree::git();
    tree.write("assumed", "1");
    tree.write("skipped", "1");
    tree.run_git(&["add", "-A"]);
    tree.run_git(&["commit", "--quiet", "-m", "x"]);
    tree.run_git(&["update-index", "--assume-unchanged", "assumed"]);
    tree.run_git(&["update-index", "--skip-worktree", "skipped"]);
    round_trip(&tree, || {
        tree.write("assumed", "2");
        tree.write("skipped", "2");
    });
}

#[test]
fn ignored_files_that_git_tracks_are_covered() {
    let tree = Tree::git();
    tree.write("tracked.log", "1");
    tree.write("logs/deep/tracked.log", "1");
    tree.run_git(&["add", "-A"]);
    tree.write(".gitignore", "*.log\nlogs/\n");
    round_trip(&tree, || {
        tree.write("tracked.log", "2");
        tree.remove("logs");
    });
    // Also when the attempt takes them out of the index.
    round_trip(&tree, || {
        tree.write("tracked.log", "2");
        tree.run_git(&["rm", "--quiet", "--force", "--cached", "tracked.log"]);
    });
}

#[test]
fn a_fix_that_writes_an_ignore_file_hides_nothing() {
    for name in [".gitignore", "sub/.gitignore", ".git/info/exclude"] {
        let tree = Tree::git();
        tree.write("file", "1");
        tree.write("sub/file", "1");
        round_trip(&tree, || {
            tree.write(name, "*\n");
            tree.write("file", "2");
            tree.write("sub/file", "2");
            tree.write("added", "2");
        });
    }
}

#[test]
fn what_was_ignored_stays_when_an_attempt_unignores_it() {
    let tree = Tree::git();
    tree.write(".gitignore", ".env\n");
    tree.write(".env", "SECRET");
    tree.write("file", "1");
    let mut session = tree.session();
    let good = session.snapshot("").unwrap();
    tree.write(".gitignore", "");
    let bad = session.snapshot("").unwrap();
    session.restore(&good, Some(&bad)).unwrap();
    assert_eq!(tree.read(".env"), b"SECRET");
    // And with a later session's rules, under which it is no longer ignored.
    tree.write(".gitignore", "");
    let mut later = tree.store().begin_session("later").unwrap();
    let now = later.snapshot_covering("", &[&good]).unwrap();
    let report = later.restore(&good, Some(&now)).unwrap();
    assert_eq!(tree.read(".env"), b"SECRET");
    assert_eq!(tree.read(".gitignore"), b".env\n");
    assert_eq!(report.not_covered.len(), 1);
    assert_eq!(report.not_covered[0].display, ".env");
}

#[test]
fn a_file_that_is_ignored_by_now_is_saved_before_it_is_replaced() {
    let tree = Tree::git();
    tree.write("notes", "old");
    let good = tree.session().snapshot("").unwrap();
    tree.write(".gitignore", "notes\n");
    tree.write("notes", "new");
    let mut later = tree.store().begin_session("later").unwrap();
    let now = later.snapshot_covering("", &[&good]).unwrap();
    later.restore(&good, Some(&now)).unwrap();
    assert_eq!(tree.read("notes"), b"old");
    let back = later.snapshot_covering("", &[&now]).unwrap();
    later.restore(&now, Some(&back)).unwrap();
    assert_eq!(tree.read("notes"), b"new");
    assert_eq!(tree.read(".gitignore"), b"notes\n");
}

#[test]
fn no_hook_and_no_monitor_of_the_user_runs() {
    let tree = Tree::git();
    let ran = tree.outside().join("ran");
    let script = format!("#!/bin/sh\necho ran >> {}\n", ran.display());
    let hooks = [
        "post-index-change",
        "reference-transaction",
        "fsmonitor",
        "post-commit",
    ];
    for hook in hooks {
        let path = tree.path(".git/hooks").join(hook);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    tree.write("file", "1");
    tree.run_git(&["-c", "core.hooksPath=/dev/null", "add", "-A"]);
    let monitor = tree.path(".git/hooks/fsmonitor");
    tree.run_git(&["config", "core.fsmonitor", monitor.to_str().unwrap()]);
    round_trip(&tree, || tree.write("file", "2"));
    assert!(!ran.exists());
}

#[test]
fn what_is_staged_stays_staged() {
    let tree = Tree::git();
    tree.write("file", "committed");
    tree.run_git(&["add", "-A"]);
    tree.run_git(&["commit", "--quiet", "-m", "x"]);
    tree.write("file", "staged");
    tree.write("new", "staged");
    tree.run_git(&["add", "-A"]);
    tree.write("file", "working");
    round_trip(&tree, || {
        tree.write("file", "broken");
        tree.remove("new");
    });
    assert_eq!(tree.run_git(&["show", ":file"]), "staged");
    assert_eq!(tree.run_git(&["show", ":new"]), "staged");
    assert_eq!(tree.read("file"), b"working");
}

#[test]
fn nested_repositories_are_covered_like_any_directory() {
    let tree = Tree::git();
    tree.write("with/file", "1");
    tree.run_git_in(&tree.path("with"), &["init", "--quiet"]);
    tree.run_git_in(&tree.path("with"), &["add", "-A"]);
    tree.run_git_in(&tree.path("with"), &["commit", "--quiet", "-m", "x"]);
    tree.write("without/file", "1");
    tree.run_git_in(&tree.path("without"), &["init", "--quiet"]);
    let url = tree.path("with");
    let add = [
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
    ];
    tree.run_git(&[&add[..], &[url.to_str().unwrap(), "module"]].concat());
    let image = tree.image();
    let mut session = tree.session();
    let good = session.snapshot("").unwrap();
    for dir in ["with", "without", "module"] {
        tree.write(format!("{dir}/file"), "2");
        tree.write(format!("{dir}/more"), "2");
    }
    undo(&mut session, &good);
    assert_same(&tree.image(), &image);
    // Their git is reported when it moves, and never touched.
    tree.run_git_in(&tree.path("with"), &["checkout", "--quiet", "-b", "other"]);
    let after = session.snapshot("").unwrap();
    let uncovered = tree.store().not_covered_changes(&good, &after);
    assert!(
        uncovered
            .iter()
            .any(|path| path.display == "with/.git/HEAD"),
        "{uncovered:?}"
    );
}

#[test]
fn a_linked_work_tree_is_a_workspace() {
    let tree = Tree::git();
    tree.write("file", "1");
    tree.write("x.log", "tracked");
    tree.run_git(&["add", "-A"]);
    tree.run_git(&["commit", "--quiet", "-m", "x"]);
    let linked = tree.outside().join("linked");
    tree.run_git(&["worktree", "add", "--quiet", linked.to_str().unwrap()]);
    fs::write(linked.join(".gitignore"), "*.log\n").unwrap();
    let workspace = auto_recovery::workspace::Workspace::find(&linked, None).unwrap();
    assert_eq!(workspace.root(), linked);
    let host = std::sync::Arc::new(auto_recovery::host::SystemHost::new());
    let open = auto_recovery::checkpoint::CheckpointStore::open;
    let store = open(&tree.state(), &workspace, Default::default(), host).unwrap();
    let mut session = store.begin_session("s").unwrap();
    let good = session.snapshot("").unwrap();
    fs::write(linked.join("x.log"), "changed").unwrap();
    undo(&mut session, &good);
    assert_eq!(fs::read(linked.join("x.log")).unwrap(), b"tracked");
}

#[test]
fn a_broken_index_costs_a_warning_only() {
    let tree = Tree::git();
    tree.write("file", "1");
    fs::write(tree.path(".git/index"), "garbage").unwrap();
    let checkpoint = tree.session().snapshot("").unwrap();
    assert_eq!(checkpoint.files(), 1);
    assert!(
        checkpoint.warnings()[0].contains("index"),
        "{:?}",
        checkpoint.warnings()
    );
}

/// Runs in a child that has the environment of a git hook gone wrong.
#[test]
fn the_environment_does_not_lead_git_elsewhere() {
    if let Some(root) = child::directory() {
        let workspace = auto_recovery::workspace::Workspace::find(&root, None).unwrap();
        let host = std::sync::Arc::new(auto_recovery::host::SystemHost::new());
        let open = auto_recovery::checkpoint::CheckpointStore::open;
        let state = root.parent().unwrap().join("state");
        let store = open(&state, &workspace, Default::default(), host).unwrap();
        let mut session = store.begin_session("s").unwrap();
        let good = session.snapshot("").unwrap();
        fs::write(root.join("file"), "2\r\n").unwrap();
        undo(&mut session, &good);
        return;
    }
    let tree = Tree::git();
    tree.write("file", "1\r\n");
    tree.run_git(&["add", "-A"]);
    let before = (tree.image(), tree.git_image());
    let trap = tree.outside().join("trap");
    fs::create_dir(&trap).unwrap();
    fs::write(
        trap.join("config"),
        "[core]\n\tautocrlf = input\n\tfsmonitor = /bin/false\n",
    )
    .unwrap();
    let name = "checkpoint::git::the_environment_does_not_lead_git_elsewhere";
    let mut command = child::command(name, &tree.root());
    for variable in [
        "GIT_DIR",
        "GIT_OBJECT_DIRECTORY",
        "GIT_WORK_TREE",
        "GIT_COMMON_DIR",
    ] {
        command.env(variable, &trap);
    }
    command
        .env("GIT_INDEX_FILE", trap.join("index"))
        .env("GIT_NAMESPACE", "elsewhere");
    command
        .env("GIT_CONFIG_GLOBAL", trap.join("config"))
        .env("GIT_DEFAULT_HASH", "sha256");
    command
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "core.bare");
    command.env("GIT_CONFIG_VALUE_0", "nonsense");
    assert!(command.status().unwrap().success());
    assert_same(&tree.image(), &before.0);
    assert_eq!(tree.git_image(), before.1);
    assert_eq!(
        fs::read_dir(&trap).unwrap().count(),
        1,
        "git wrote to the trap"
    );
}
