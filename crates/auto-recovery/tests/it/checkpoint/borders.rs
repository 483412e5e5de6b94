//! What somebody else may have left in our repository, and repositories that are somebody else's.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use auto_recovery::checkpoint::{Checkpoint, CheckpointOptions, CheckpointStore, check_revision};
use auto_recovery::host::{Host, SystemHost, new_id};
use auto_recovery::workspace::Workspace;
use auto_recovery::{ErrorKind, Result};

use crate::checkpoint::tree::Tree;

fn host() -> Arc<dyn Host> {
    Arc::new(SystemHost::new())
}

/// A user that is nobody here.
const OTHER: u32 = 65534;

fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        let why = b"skipped: only root can give a repository away\n";
        std::io::stderr().write_all(why).unwrap();
    }
    is_root
}

/// The private repository of the only workspace in the state.
fn private_repository(tree: &Tree) -> PathBuf {
    let dirs = fs::read_dir(tree.state().join("checkpoints")).unwrap();
    let dirs = dirs.flatten().map(|entry| entry.path().join("git"));
    dirs.into_iter().find(|dir| dir.is_dir()).unwrap()
}

/// A program that leaves `mark` where it runs.
fn program(at: &Path, mark: &Path) {
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    fs::write(at, format!("#!/bin/sh\ntouch '{}'\n", mark.display())).unwrap();
    fs::set_permissions(at, fs::Permissions::from_mode(0o755)).unwrap();
}

fn open(tree: &Tree, workspace: &Workspace) -> Result<Arc<CheckpointStore>> {
    let host = Arc::new(SystemHost::new());
    CheckpointStore::open(&tree.state(), workspace, CheckpointOptions::default(), host)
}

/// A snapshot of a session of its own, under rules of its own.
fn snapshot_of(tree: &Tree, workspace: &Workspace) -> Checkpoint {
    let store = open(tree, workspace).unwrap();
    let mut session = store.begin_session(&new_id("session")).unwrap();
    session.snapshot("now").unwrap()
}

#[test]
fn no_program_that_was_put_into_our_repository_runs() {
    let tree = Tree::new();
    tree.write("a", "1");
    let store = tree.store();
    let mut session = store.begin_session("s").unwrap();
    let first = session.snapshot("one").unwrap();
    let git = private_repository(&tree);
    let ours = fs::read(git.join("config")).unwrap();
    let mark = tree.outside().join("ran");
    let (hook, helper) = (
        git.join("hooks/reference-transaction"),
        tree.outside().join("helper"),
    );
    program(&hook, &mark);
    program(&helper, &mark);
    let helper = helper.display();
    let settings = format!(
        "[core]\n bare = true\n fsmonitor = {helper}\n pager = {helper}\n askPass = {helper}\n \
         alternateRefsCommand = {helper}\n[gc]\n auto = 1\n recentObjectsHook = {helper}\n\
         [filter \"x\"]\n clean = {helper}\n smudge = {helper}\n[diff]\n external = {helper}\n"
    );
    let elsewhere = tree.outside().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let plant = || {
        fs::write(git.join("config"), &settings).unwrap();
        fs::write(git.join("info/attributes"), "* filter=x diff=x\n").unwrap();
        let there = elsewhere.display().to_string();
        fs::write(git.join("objects/info/alternates"), there).unwrap();
    };
    plant();
    // In the middle of a session git's command line is all that keeps them off.
    tree.write("a", "2");
    let second = session.snapshot("two").unwrap();
    session.restore(&first, Some(&second)).unwrap();
    assert_eq!(tree.read("a"), b"1");
    plant();
    let store = tree.store();
    assert_eq!(fs::read(git.join("config")).unwrap(), ours);
    assert!(!git.join("objects/info/alternates").exists());
    tree.write("a", "3");
    let mut session = store.begin_session("t").unwrap();
    let third = session.snapshot("three").unwrap();
    store.keep(&third).unwrap();
    let mut patch: Vec<u8> = Vec::new();
    let mut keep = |piece: &[u8]| {
        patch.extend_from_slice(piece);
        Ok(std::ops::ControlFlow::Continue(()))
    };
    let _whole = store.patch(&first, &third, &mut keep).unwrap();
    assert!(!patch.is_empty());
    assert!(!mark.exists(), "a program of somebody else's ran");
}

#[test]
fn a_link_in_place_of_a_directory_of_our_repository_is_refused() {
    let tree = Tree::new();
    tree.write("a", "1");
    tree.store()
        .begin_session("s")
        .unwrap()
        .snapshot("one")
        .unwrap();
    let git = private_repository(&tree);
    let elsewhere = tree.outside().join("elsewhere");
    fs::rename(git.join("objects"), &elsewhere).unwrap();
    symlink(&elsewhere, git.join("objects")).unwrap();
    let refused = open(&tree, &tree.workspace()).err().expect("it is refused");
    assert_eq!(refused.kind(), ErrorKind::Damaged);
    assert!(
        refused.to_string().contains("objects is a symbolic link"),
        "{refused}"
    );
}

#[test]
fn a_repository_of_somebody_elses_makes_no_workspace() {
    if !is_root() {
        return;
    }
    let tree = Tree::git();
    tree.write("sub/.gitattributes", "* filter=x\n");
    tree.write("sub/a", "1");
    let mark = tree.outside().join("ran");
    let helper = tree.outside().join("helper");
    program(&helper, &mark);
    for filter in ["clean", "smudge", "process"] {
        let (key, helper) = (format!("filter.x.{filter}"), helper.display().to_string());
        tree.run_git(&["config", &key, &helper]);
    }
    tree.run_git(&["config", "core.fsmonitor", &helper.display().to_string()]);
    let sub = fs::canonicalize(tree.path("sub")).unwrap();
    let find = |also| Workspace::find_for(&sub, None, also).unwrap();
    assert_ne!(find(None).root(), sub);
    for part in [".git", ".git/HEAD", ""] {
        let whole = find(None);
        assert!(whole.foreign_repository().is_none());
        chown(tree.path(part), Some(OTHER), None).unwrap();
        let workspace = find(None);
        // Whose a file inside is does not matter, to git neither.
        if part == ".git/HEAD" {
            assert_eq!(workspace.root(), whole.root());
            continue;
        }
        assert_eq!((workspace.root(), workspace.git_dir()), (&*sub, None));
        let why = workspace.foreign_repository().expect("a reason");
        for said in [
            "belongs to user 65534, and you are user 0",
            "safe.directory",
        ] {
            assert!(why.contains(said), "{why}");
        }
        let refused = check_revision(&workspace, "HEAD", &host()).unwrap_err();
        assert!(
            refused.to_string().contains("belongs to user 65534"),
            "{refused}"
        );
        // Who became root by sudo is as good as root.
        assert_eq!(find(Some(OTHER)).root(), whole.root());
        assert_eq!(find(Some(OTHER - 1)).root(), &*sub);
        chown(tree.path(part), Some(0), None).unwrap();
    }
    chown(tree.path(".git"), Some(OTHER), None).unwrap();
    snapshot_of(&tree, &find(None));
    assert!(!mark.exists(), "a program of somebody else's ran");
}

#[test]
fn a_repository_of_somebody_elses_inside_the_tree_hides_nothing() {
    if !is_root() {
        return;
    }
    let tree = Tree::git();
    tree.write("inner/a", "1");
    tree.write("inner/.git/HEAD", "ref: refs/heads/main\n");
    tree.write("inner/.git/info/exclude", "*\n");
    let covers = |tree: &Tree| {
        let taken = snapshot_of(tree, &tree.workspace());
        tree.write("inner/a", "2");
        let later = snapshot_of(tree, &tree.workspace());
        tree.write("inner/a", "1");
        let changes = tree.store().changes(&taken, &later);
        changes.iter().any(|change| change.path == b"inner/a")
    };
    assert!(!covers(&tree), "the user's own repository ignores it");
    chown(tree.path("inner/.git"), Some(OTHER), None).unwrap();
    assert!(covers(&tree));
}

fn fifo(at: &Path) {
    if let Some(dir) = at.parent() {
        fs::create_dir_all(dir).unwrap();
    }
    let _none = fs::remove_file(at);
    let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
    rustix::fs::mknodat(rustix::fs::CWD, at, kind, mode, 0).unwrap();
}

/// A git repository with a commit.
fn committed() -> Tree {
    let tree = Tree::git();
    tree.write("a", "1");
    tree.run_git(&["add", "-A"]);
    let who = ["-c", "user.name=a", "-c", "user.email=a@b"];
    tree.run_git(&[&who[..], &["commit", "-qm", "one"]].concat());
    tree
}

/// Far more than anything here takes, and far less than for ever.
const AT_MOST: std::time::Duration = std::time::Duration::from_secs(60);

#[test]
fn no_pipe_or_device_hangs_a_snapshot_or_a_rollback() {
    let names = [
        ".git/HEAD",
        ".git/commondir",
        ".git/config",
        ".git/config.worktree",
        ".git/hooks/pre-commit",
        ".git/index",
        ".git/info/attributes",
        ".git/info/exclude",
        ".git/objects/info/alternates",
        ".git/packed-refs",
        ".git/refs/heads/main",
        ".git/refs/heads/other",
        ".git/shallow",
        ".git/worktrees/x/gitdir",
        ".git/rebase-merge/head-name",
        ".gitignore",
        "sub/.git",
        "sub/.gitignore",
        "sub/.git/HEAD",
        "sub/.git/index",
        "sub/.git/info/exclude",
    ];
    for (name, is_link) in names.iter().flat_map(|name| [(name, false), (name, true)]) {
        let tree = committed();
        if *name != "sub/.git" {
            tree.write("sub/.git/HEAD", "ref: refs/heads/main\n");
        }
        match is_link {
            false => fifo(&tree.path(name)),
            true => {
                let _none = fs::remove_file(tree.path(name));
                tree.link(name, "/dev/zero");
            }
        }
        let (done, is_done) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            // Whatever comes of it, it comes.
            let workspace = tree.workspace();
            for revision in ["HEAD", "other"] {
                let _answer = check_revision(&workspace, revision, &host());
            }
            if let Ok(store) = open(&tree, &workspace) {
                let mut session = store.begin_session("s").unwrap();
                let _first = session.snapshot("one");
                tree.write("a", "2");
                let _second = session.snapshot("two");
            }
            done.send(()).unwrap();
        });
        let ended = is_done.recv_timeout(AT_MOST);
        assert!(ended.is_ok(), "{name}, link to a device: {is_link}");
        thread.join().unwrap();
    }
}

#[test]
fn a_git_directory_of_many_names_is_looked_at_in_part_and_that_is_said() {
    let tree = committed();
    let check = |tree: &Tree| {
        let store = tree.store();
        let mut session = store.begin_session(&new_id("session")).unwrap();
        let (one, two) = (session.snapshot("").unwrap(), session.snapshot("").unwrap());
        store.saw_all(&one, &two)
    };
    assert!(check(&tree));
    // Noise to us, every name of it.
    for number in 0..21_000 {
        fs::write(tree.path(format!(".git/refs/heads/{number}.lock")), "").unwrap();
    }
    assert!(!check(&tree));
}
