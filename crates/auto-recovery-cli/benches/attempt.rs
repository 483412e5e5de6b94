//! The cost of one attempt in a tree of 20,000 files: its checkpoints, the briefing of its fixer,
//! the proof, the undo or the new plan, and its record. Beside it runs another build of `recover`,
//! named by `RECOVER_BEFORE`, and without one the time of `git add -A` and `git write-tree`, which
//! is the least that knowing the tree before and after costs.
//!
//! `cargo bench -p auto-recovery-cli --bench attempt` runs both in turn and prints medians.
#![expect(
    clippy::disallowed_methods,
    reason = "a measurement reads the clock and starts what it measures"
)]

#[path = "../../auto-recovery/benches/side_by_side.rs"]
mod side_by_side;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use side_by_side::{Pair, say};

/// 500 directories of 40 files.
const DIRS: usize = 500;
const FILES: usize = 40;

const ROUNDS: usize = 9;

/// Attempts of the longer of two sessions; the shorter has one. Their difference is the cost of the
/// additional attempts, without the fixed cost of a session.
const ATTEMPTS: usize = 5;

/// Words that the command wants removed, one after the other: this many different failures.
const WRONG: [&str; ATTEMPTS] = ["alpha", "beta", "gamma", "delta", "epsilon"];

/// Fails with the first word of `d0/wrong` while there is one.
const COMMAND: &str =
    "read word rest < d0/wrong; test -z \"$word\" || { echo \"error: $word is wrong\"; exit 1; }";

/// Removes that word.
const FIX: &str = "read word rest < d0/wrong; echo $rest > d0/wrong";

/// A change that helps nothing.
const NO_FIX: &str = "echo more >> d0/f0";

fn main() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let root = dir.path().join("project");
    fill(&root);
    let before = std::env::var_os("RECOVER_BEFORE");
    let bench = |recover: &OsStr, home: &str| Bench {
        recover: recover.to_owned(),
        root: root.clone(),
        home: dir.path().join(home),
    };
    let ours = bench(env!("CARGO_BIN_EXE_recover").as_ref(), "ours");
    let before = before.map(|before| bench(&before, "before"));
    let git = dir.path().join("git");
    for (what, session) in [
        ("undone", Bench::undone as fn(&Bench, usize)),
        ("kept, planned anew", Bench::kept),
    ] {
        let rival = |attempts| match &before {
            Some(before) => session(before, attempts),
            // A session begins with one look at the tree.
            None => (0..=attempts).for_each(|_| add(&root, &git)),
        };
        let [one, all] = [1, ATTEMPTS].map(|attempts| {
            Pair::take(ROUNDS, || rival(attempts), || session(&ours, attempts)).medians()
        });
        let more = u32::try_from(ATTEMPTS - 1).expect("a few");
        let (ours, rival) = (
            (all.0.saturating_sub(one.0)) / more,
            (all.1.saturating_sub(one.1)) / more,
        );
        let name = if before.is_some() { "before" } else { "git" };
        say(&format!(
            "an attempt, {what:<20} ours {ours:>8.1?}  {name} {rival:>8.1?}"
        ));
    }
}

/// A build of `recover`, with a state of its own, in the one tree.
struct Bench {
    recover: OsString,
    root: PathBuf,
    home: PathBuf,
}

impl Bench {
    /// Runs a session of this many fixes that help nothing.
    fn undone(&self, attempts: usize) {
        fs::write(self.root.join("d0/wrong"), WRONG.join(" ")).expect("written");
        let fixes = ["--fix", NO_FIX].repeat(attempts);
        let status = self.run(&fixes);
        assert_eq!(status, Some(1), "nothing was recovered");
    }

    /// Runs a session of this many fixes that each bring the next failure to light.
    fn kept(&self, attempts: usize) {
        fs::write(self.root.join("d0/wrong"), WRONG[..attempts].join(" ")).expect("written");
        let mut options = vec!["--keep-progress"];
        options.extend(["--fix", FIX].repeat(attempts));
        assert_eq!(self.run(&options), Some(0), "all was mended");
    }

    fn run(&self, options: &[&str]) -> Option<i32> {
        let mut command = Command::new(&self.recover);
        command
            .args(["run", "--quiet", "--max-attempts", "1"])
            .args(options);
        command.args(["--", "sh", "-c", COMMAND]);
        command
            .env_clear()
            .env("HOME", &self.home)
            .current_dir(&self.root);
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().expect("it runs").code()
    }
}

fn fill(root: &Path) {
    for dir in 0..DIRS {
        let dir = root.join(format!("d{dir}"));
        fs::create_dir_all(&dir).expect("made");
        for file in 0..FILES {
            fs::write(
                dir.join(format!("f{file}")),
                format!("{} {file}\n", dir.display()),
            )
            .expect("written");
        }
    }
}

/// The rival's work for one look at the tree.
fn add(root: &Path, git_dir: &Path) {
    if !git_dir.exists() {
        git(&["init", "--quiet", "--bare"], git_dir, root);
    }
    git(&["add", "-A"], git_dir, root);
    git(&["write-tree"], git_dir, root);
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
