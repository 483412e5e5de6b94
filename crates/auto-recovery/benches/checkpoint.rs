//! What checkpoints of 20,000 files cost beside `git add -A` and `git write-tree` in a private
//! repository: from nothing, of an unchanged tree, of a tree with one changed file, and in a
//! process that knows only what its predecessors left on disk. Of a tree with some changed files
//! also beside `git stash create`, which keeps less: only changes, and only of files that are
//! tracked.
//!
//! `cargo bench --bench checkpoint` measures, each beside its rival in turn, and tells medians.
#![expect(
    clippy::disallowed_methods,
    reason = "a measurement reads the clock, and spawns its rival"
)]

mod side_by_side;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use auto_recovery::checkpoint::{CheckpointSession, CheckpointStore};
use auto_recovery::host::SystemHost;
use auto_recovery::workspace::Workspace;
use side_by_side::{Pair, say};

/// 500 directories of 40 files of 4 KiB.
const DIRS: usize = 500;
const FILES: usize = 40;
const BYTES: usize = 4096;

/// Files that are changed between two looks by whoever is measured beside `git stash create`.
const CHANGED: usize = 20;

/// Times a tree is looked at; stores from nothing are made in a third of these.
const ROUNDS: usize = 15;

fn main() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let root = dir.path().join("project");
    fill(&root);
    let mut gits = (0..).map(|round: usize| dir.path().join(format!("git{round}")));
    let mut states = (0..).map(|round: usize| dir.path().join(format!("state{round}")));
    let cold = Pair::take(
        ROUNDS / 3,
        || add(&root, &gits.next().expect("they do not end")),
        || {
            take(&mut session(
                &root,
                &states.next().expect("they do not end"),
            ))
        },
    );
    tell("from nothing", cold);
    let (state, git) = (dir.path().join("state0"), dir.path().join("git0"));
    let (mut first, mut same, mut changed) = (Pair::default(), Pair::default(), Pair::default());
    for round in 0..ROUNDS {
        first.rival(|| add(&root, &git));
        let mut begun = None;
        first.ours(|| take(begun.insert(session(&root, &state))));
        let mut session = begun.expect("it was just begun");
        same.rival(|| add(&root, &git));
        same.ours(|| take(&mut session));
        let file = root.join("d0/f0");
        fs::write(&file, format!("rival {round}")).expect("written");
        changed.rival(|| add(&root, &git));
        fs::write(&file, format!("ours {round}")).expect("written");
        changed.ours(|| take(&mut session));
    }
    tell("first of a process", first);
    tell("unchanged", same);
    tell("one file changed", changed);
    let name = format!("{CHANGED} files changed");
    tell_beside("git stash create", &name, beside_stash(&root, &state, &git));
}

/// Snapshots of a tree some of whose files changed, by a process that has looked at it before.
fn beside_stash(root: &Path, state: &Path, git_dir: &Path) -> Pair {
    commit(root, git_dir);
    let mut session = session(root, state);
    take(&mut session);
    let change = |who: &str, round: usize| {
        for number in 0..CHANGED {
            let file = root.join(format!("d{number}/f1"));
            fs::write(file, format!("{who} {round} {number}")).expect("written");
        }
    };
    let mut pair = Pair::default();
    for round in 0..ROUNDS {
        change("rival", round);
        pair.rival(|| git(&["stash", "create"], git_dir, root));
        change("ours", round);
        pair.ours(|| take(&mut session));
    }
    pair
}

fn fill(root: &Path) {
    for dir in 0..DIRS {
        let dir = root.join(format!("d{dir}"));
        fs::create_dir_all(&dir).expect("made");
        for file in 0..FILES {
            let line = format!("{} {file}: no two files are the same\n", dir.display());
            let text = line.repeat(BYTES / line.len());
            fs::write(dir.join(format!("f{file}")), text).expect("written");
        }
    }
}

fn session(root: &Path, state: &Path) -> CheckpointSession {
    let workspace = Workspace::find(root, None).expect("a workspace");
    let host = Arc::new(SystemHost::new());
    let store = CheckpointStore::open(state, &workspace, Default::default(), host).expect("opened");
    store.begin_session("bench").expect("begun")
}

fn take(session: &mut CheckpointSession) {
    session.snapshot("bench").expect("a checkpoint");
}

/// What the rival does for one snapshot.
fn add(root: &Path, git_dir: &Path) {
    if !git_dir.exists() {
        git(&["init", "--quiet", "--bare"], git_dir, root);
    }
    git(&["add", "-A"], git_dir, root);
    git(&["write-tree"], git_dir, root);
}

/// A commit of everything, which a stash is made against.
fn commit(root: &Path, git_dir: &Path) {
    git(&["config", "user.name", "bench"], git_dir, root);
    git(&["config", "user.email", "bench@localhost"], git_dir, root);
    git(&["config", "core.bare", "false"], git_dir, root);
    add(root, git_dir);
    git(&["commit", "--quiet", "--message", "all"], git_dir, root);
}

fn git(args: &[&str], git_dir: &Path, root: &Path) {
    let mut command = Command::new("git");
    command.env("GIT_DIR", git_dir).current_dir(root);
    if args[0] != "init" {
        command.env("GIT_WORK_TREE", root);
    }
    let status = command.args(args).stdout(Stdio::null()).status();
    assert!(status.expect("git runs").success(), "git {args:?}");
}

fn tell(what: &str, pair: Pair) {
    tell_beside("git", what, pair);
}

fn tell_beside(rival_name: &str, what: &str, pair: Pair) {
    let (ours, rival) = pair.medians();
    let ratio = ours.as_secs_f64() / rival.as_secs_f64();
    say(&format!(
        "{what:<20} ours {ours:>8.1?}  {rival_name} {rival:>8.1?}  ratio {ratio:.2}"
    ));
}
