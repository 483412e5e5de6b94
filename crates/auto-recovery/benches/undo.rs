//! The cost of an undo of 50,000 changed files beside `git reset --hard`, and of a look at and an
//! undo in a directory of 1,500 levels, with short names and with a path longer than a system call
//! takes.
//!
//! `cargo bench --bench undo` measures, and prints each time.
#![expect(
    clippy::disallowed_methods,
    reason = "a measurement reads the clock, and spawns its rival"
)]

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use auto_recovery::checkpoint::{CheckpointSession, CheckpointStore};
use auto_recovery::host::SystemHost;
use auto_recovery::workspace::Workspace;
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};

/// 500 directories of 100 files.
const DIRS: usize = 500;
const FILES: usize = 100;

/// Depth of the directory.
const LEVELS: usize = 1_500;

/// Rounds of each; the median is printed.
const ROUNDS: usize = 3;

fn main() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let files = DIRS * FILES;
    say(&format!(
        "{files} changed files   git {:?}",
        median(|round| reset(dir.path(), round))
    ));
    say(&format!(
        "{files} changed files   ours {:?}",
        median(|round| undo(dir.path(), round))
    ));
    for name in ["d", "a-directory-of-a-usual-name"] {
        let deep = dir.path().join(name);
        let mut looks = Vec::new();
        let undone = median(|round| {
            let (look, undo) = undo_deep(&deep.join(round.to_string()), name);
            looks.push(look);
            undo
        });
        looks.sort_unstable();
        let bytes = LEVELS * (name.len() + 1);
        let looked = looks[ROUNDS / 2];
        say(&format!(
            "{LEVELS} levels, {bytes} bytes   look {looked:?}   undo {undone:?}"
        ));
    }
}

fn say(line: &str) {
    writeln!(io::stdout(), "{line}").expect("told");
}

fn median(mut take: impl FnMut(usize) -> Duration) -> Duration {
    let mut taken: Vec<Duration> = (0..ROUNDS).map(&mut take).collect();
    taken.sort_unstable();
    taken[ROUNDS / 2]
}

fn fill(root: &Path, text: &str) {
    for dir in 0..DIRS {
        let dir = root.join(format!("d{dir}"));
        fs::create_dir_all(&dir).expect("made");
        for file in 0..FILES {
            let text = format!("{text} {}\n", dir.display()).repeat(20);
            fs::write(dir.join(format!("f{file}")), text).expect("written");
        }
    }
}

/// Measures the undo of a change of every file.
fn undo(dir: &Path, round: usize) -> Duration {
    let root = dir.join(format!("ours{round}"));
    fill(&root, "before");
    let mut session = session(&root, &dir.join(format!("state{round}")));
    let before = session.snapshot("before").expect("a checkpoint");
    fill(&root, "after");
    let after = session.snapshot("after").expect("a checkpoint");
    let begun = Instant::now();
    let report = session.restore(&before, Some(&after)).expect("an undo");
    let taken = begun.elapsed();
    assert!(report.is_exact() && report.restored.len() == DIRS * FILES);
    taken
}

/// Measures the rival's way to do it.
fn reset(dir: &Path, round: usize) -> Duration {
    let root = dir.join(format!("git{round}"));
    fill(&root, "before");
    for args in [&["init", "--quiet"][..], &["add", "-A"], &COMMIT] {
        git(&root, args);
    }
    fill(&root, "after");
    let begun = Instant::now();
    git(&root, &["reset", "--quiet", "--hard"]);
    begun.elapsed()
}

const COMMIT: [&str; 7] = [
    "-c",
    "user.name=bench",
    "-c",
    "user.email=bench@localhost",
    "commit",
    "--quiet",
    "--message=all",
];

fn git(root: &Path, args: &[&str]) {
    let mut command = Command::new("git");
    command.current_dir(root).args(args).stdout(Stdio::null());
    assert!(
        command.status().expect("git runs").success(),
        "git {args:?}"
    );
}

/// Measures a look at a new deep directory, and its undo.
fn undo_deep(dir: &Path, name: &str) -> (Duration, Duration) {
    let root = dir.join("project");
    fs::create_dir_all(&root).expect("made");
    let mut session = session(&root, &dir.join("state"));
    let before = session.snapshot("before").expect("a checkpoint");
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at = openat(CWD, &root, flags, Mode::empty()).expect("opened");
    for level in 0..LEVELS {
        mkdirat(&at, name, Mode::RWXU).expect("made");
        at = openat(&at, name, flags, Mode::empty()).expect("opened");
        if level % 10 == 0 {
            let flags = OFlags::CREATE | OFlags::WRONLY;
            openat(&at, "file", flags, Mode::RUSR).expect("made");
        }
    }
    let begun = Instant::now();
    let after = session.snapshot("after").expect("a checkpoint");
    let looked = begun.elapsed();
    let begun = Instant::now();
    let report = session.restore(&before, Some(&after)).expect("an undo");
    let undone = begun.elapsed();
    assert!(report.is_exact(), "{:?}", report.refused);
    (looked, undone)
}

fn session(root: &Path, state: &Path) -> CheckpointSession {
    let workspace = Workspace::find(root, None).expect("a workspace");
    let host = Arc::new(SystemHost::new());
    let store = CheckpointStore::open(state, &workspace, Default::default(), host).expect("opened");
    store.begin_session("bench").expect("begun")
}
