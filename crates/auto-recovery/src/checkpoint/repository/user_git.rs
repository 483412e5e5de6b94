//! The user's own git on a work tree: the place of HEAD, ignored paths, its other work trees.
//!
//! Read from git's files where their format is fixed, asked of git where it is not. Nothing here
//! writes, and no answer is needed: without one, less is known.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::checkpoint::tree::ignore_files;
use crate::checkpoint::tree::path::some_names;
use crate::files::{Links, open_regular, read_small};
use crate::git::Git;
use crate::workspace::git_dir_of;

/// Symbolic references that are followed.
const REFERENCES_MAX: usize = 5;

/// Latest moves of a branch that are searched for a change of its name.
const RENAMES_MAX: &str = "100";

/// Longest file of one line that is read: far longer than a path or a reference may be.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Bytes of the list of packed references that are searched: some 4 million references.
const PACKED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Linked work trees that are looked at, more than any repository has.
const WORK_TREES_MAX: usize = 10_000;

/// Commits that a message lists; more are counted.
const COMMITS_SHOWN: usize = 5;

/// The place of HEAD.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::checkpoint) struct Head {
    /// The branch, as a whole reference; `None` when it is detached.
    pub(in crate::checkpoint) branch: Option<String>,
    /// The commit; `None` before the first.
    pub(in crate::checkpoint) commit: Option<String>,
}

/// Ignore settings of git beyond the ignore files of the tree.
#[derive(Clone, Debug, Default)]
pub(in crate::checkpoint) struct IgnoreSettings {
    /// The text of the user's ignore file for all projects.
    pub(in crate::checkpoint) global: Option<Vec<u8>>,
    /// Set if names are compared without their case.
    pub(in crate::checkpoint) ignores_case: bool,
}

/// The directory that a linked work tree shares with the others; else `git_dir` itself.
pub(in crate::checkpoint) fn common_dir(git_dir: &Path) -> PathBuf {
    match line_in(&git_dir.join("commondir")) {
        Some(line) => git_dir.join(OsStr::from_bytes(&line)),
        None => git_dir.to_owned(),
    }
}

/// The text of `info/exclude` of the repository.
pub(in crate::checkpoint) fn own_excludes(git_dir: &Path) -> Option<Vec<u8>> {
    ignore_files::read_at(&common_dir(git_dir).join("info/exclude")).ok()
}

/// The text of one of git's files of one line: a path, a reference or a commit.
fn line_in(path: &Path) -> Option<Vec<u8>> {
    let text = read_small(path, Links::Follow, LINE_BYTES_MAX).ok()?;
    Some(text.trim_ascii().to_vec())
}

/// The same as text.
fn text_in(path: &Path) -> Option<String> {
    line_in(path).and_then(|line| String::from_utf8(line).ok())
}

/// The ignore settings in git's configuration, the user's own and the repository's.
/// `default_global` is the file that git reads by default.
pub(in crate::checkpoint) fn ignore_settings(
    git: &Git,
    git_dir: &Path,
    root: &Path,
    default_global: Option<&Path>,
) -> IgnoreSettings {
    let pattern = r"^core\.(excludesfile|ignorecase)$";
    let args = ["config", "--null", "--path", "--get-regexp", pattern];
    // The command fails when nothing is set.
    let listing = git.output(git.reading_as_user(git_dir, root, &args), "git config");
    let listing = listing.unwrap_or_default();
    let mut named = None;
    let mut ignores_case = false;
    for record in listing.split(|byte| *byte == 0) {
        let mut parts = record.splitn(2, |byte| *byte == b'\n');
        match (parts.next(), parts.next()) {
            (Some(b"core.excludesfile"), Some(path)) => {
                named = Some(root.join(OsStr::from_bytes(path)));
            }
            // A key alone means true.
            (Some(b"core.ignorecase"), value) => {
                ignores_case = matches!(value, None | Some(b"true" | b"yes" | b"on" | b"1"));
            }
            _ => {}
        }
    }
    let path = named.as_deref().or(default_global);
    IgnoreSettings {
        global: path.and_then(|path| ignore_files::read_at(path).ok()),
        ignores_case,
    }
}

/// Whether git decides by a file's mode whether it is executable.
pub(in crate::checkpoint) fn tracks_modes(git: &Git, git_dir: &Path, root: &Path) -> bool {
    let args = ["config", "--bool", "--get", "core.fileMode"];
    let answer = git.output(git.reading_as_user(git_dir, root, &args), "git config");
    // The command fails when nothing is set.
    answer.ok().as_deref().map(<[u8]>::trim_ascii) != Some(b"false")
}

/// The other work trees of the repository that lie below `root`, relative to it.
pub(in crate::checkpoint) fn other_work_trees(git_dir: &Path, root: &Path) -> Vec<Vec<u8>> {
    let common = common_dir(git_dir);
    let linked = fs::read_dir(common.join("worktrees")).into_iter().flatten();
    let linked = linked.take(WORK_TREES_MAX).flatten().filter_map(|entry| {
        let dot_git = line_in(&entry.path().join("gitdir"))?;
        let dot_git = entry.path().join(OsStr::from_bytes(&dot_git));
        dot_git.parent().map(Path::to_owned)
    });
    let main = common.parent().map(Path::to_owned);
    let roots = linked
        .chain(main)
        .filter_map(|dir| fs::canonicalize(dir).ok());
    let below = roots.filter(|dir| dir != root && git_dir_of(dir).is_some());
    let relative = below.filter_map(|dir| dir.strip_prefix(root).ok().map(Path::to_owned));
    relative
        .map(|path| path.as_os_str().as_bytes().to_vec())
        .collect()
}

/// The present place of HEAD.
pub(in crate::checkpoint) fn head(git: &Git, git_dir: &Path, root: &Path) -> Head {
    let Some(text) = text_in(&git_dir.join("HEAD")) else {
        return Head::default();
    };
    let Some(branch) = text.trim().strip_prefix("ref: ") else {
        return Head {
            branch: None,
            commit: Some(text.trim().to_owned()),
        };
    };
    // If references are kept in tables, the file is a stand-in.
    if branch == "refs/heads/.invalid" {
        return asked_head(git, git_dir, root);
    }
    Head {
        commit: resolved(git_dir, branch),
        branch: Some(branch.to_owned()),
    }
}

fn asked_head(git: &Git, git_dir: &Path, root: &Path) -> Head {
    let ask = |args: &[&str]| {
        let answer = git.output(git.reading(git_dir, root, args), args[0]).ok()?;
        let answer = String::from_utf8_lossy(answer.trim_ascii()).into_owned();
        (!answer.is_empty()).then_some(answer)
    };
    Head {
        branch: ask(&["symbolic-ref", "--quiet", "HEAD"]),
        commit: ask(&["rev-parse", "--verify", "--quiet", "HEAD"]),
    }
}

/// The commit of a reference that is kept in files.
fn resolved(git_dir: &Path, reference: &str) -> Option<String> {
    let common = common_dir(git_dir);
    let mut reference = reference.to_owned();
    for _ in 0..REFERENCES_MAX {
        let loose = [git_dir, &common].map(|dir| text_in(&dir.join(&reference)));
        let Some(text) = loose.into_iter().flatten().next() else {
            break;
        };
        match text.trim().strip_prefix("ref: ") {
            Some(next) => reference = next.to_owned(),
            None => return Some(text.trim().to_owned()),
        }
    }
    let packed = open_regular(&common.join("packed-refs"), Links::Follow).ok()?;
    let packed = BufReader::new(packed.take(PACKED_BYTES_MAX));
    let mut lines = packed.split(b'\n').map_while(|line| line.ok());
    lines.find_map(|line| {
        let line = String::from_utf8(line).ok()?;
        let (commit, name) = line.split_once(' ')?;
        (name == reference).then(|| commit.to_owned())
    })
}

/// The meaning of a move of HEAD from `from` to `to`, and the way back; `None` if it did not move.
/// The way back works whatever the state of the files, and keeps them but where a rebase is ended.
pub(in crate::checkpoint) fn moved(
    git: &Git,
    git_dir: &Path,
    root: &Path,
    (from, to): (&Head, &Head),
) -> Option<String> {
    if from == to {
        return None;
    }
    let (was, is) = (short(from), short(to));
    if began_rebase(git_dir, from) {
        let by_hand = match &from.branch {
            Some(branch) => format!("git symbolic-ref HEAD {branch} && git reset -q {was}"),
            None => format!("git reset -q {was}"),
        };
        // Git does not abort over files that an undo put back.
        return Some(format!(
            "a rebase is under way, HEAD moved from {was} to {is}: `git rebase --abort` goes back; \
             where git refuses that, `git rebase --quit && {by_hand}` does"
        ));
    }
    let old = from.commit.as_deref().unwrap_or_default();
    let new = to.commit.as_deref();
    let commits = new.and_then(|new| commits_between(git, git_dir, root, (old, new)));
    if from.branch != to.branch {
        let (was_on, is_on) = (branch(from), branch(to));
        let commits = commits.filter(|_| from.commit != to.commit);
        let committed = commits.map(|commits| format!(", committed {commits}"));
        let committed = committed.unwrap_or_default();
        let back = way_back(git, git_dir, root, (from, to));
        return Some(format!(
            "HEAD moved from {was_on} ({was}) to {is_on} ({is}){committed}: `{back}` goes back"
        ));
    }
    let commits = commits?;
    let stopped = ["MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD"];
    let back = match old {
        "" => "git update-ref -d HEAD".to_owned(),
        // A soft one is refused in the middle of a merge.
        _ if stopped.iter().any(|name| git_dir.join(name).exists()) => {
            format!("git reset -q {was}")
        }
        _ => format!("git reset --soft {was}"),
    };
    Some(format!(
        "committed {commits}: `{back}` takes that back and keeps the work"
    ))
}

fn short(head: &Head) -> String {
    match &head.commit {
        Some(commit) => commit.chars().take(10).collect(),
        None => "no commit".to_owned(),
    }
}

fn branch(head: &Head) -> &str {
    match &head.branch {
        Some(branch) => branch.trim_start_matches("refs/heads/"),
        None => "a detached HEAD",
    }
}

/// Whether a rebase of HEAD's branch or commit began and has not ended.
fn began_rebase(git_dir: &Path, from: &Head) -> bool {
    let dirs = ["rebase-merge", "rebase-apply"].map(|name| git_dir.join(name));
    dirs.iter().any(|dir| {
        let says = |name: &str, expected: &str| {
            text_in(&dir.join(name)).is_some_and(|text| text == expected)
        };
        let branch = from.branch.as_deref().unwrap_or("detached HEAD");
        let commit = from.commit.as_deref().unwrap_or_default();
        says("head-name", branch) && says("orig-head", commit)
    })
}

/// The command that puts HEAD back on its former branch. If the commit differs too, `git switch`
/// would refuse to touch undone or mended files.
fn way_back(git: &Git, git_dir: &Path, root: &Path, (from, to): (&Head, &Head)) -> String {
    let was = short(from);
    let is_moved = from.commit != to.commit;
    let to_commit = match &from.commit {
        Some(_) => format!(" && git reset -q {was}"),
        None => String::new(),
    };
    let reset = if is_moved { &*to_commit } else { "" };
    let Some(old) = &from.branch else {
        return match is_moved {
            true => format!("git switch --detach{reset}"),
            false => format!("git switch --detach {was}"),
        };
    };
    let ask = |args: &[&str]| {
        let answer = git.output(git.reading(git_dir, root, args), args[0]).ok();
        answer.map(|answer| String::from_utf8_lossy(&answer).into_owned())
    };
    if let Some(new) = &to.branch {
        let log = [
            "log",
            "-g",
            "--no-color",
            "--format=%gs",
            "-n",
            RENAMES_MAX,
            new,
            "--",
        ];
        let renamed = format!("Branch: renamed {old} to {new}");
        if ask(&log).is_some_and(|log| log.lines().any(|line| line == renamed)) {
            return format!("git branch -m {} {}{reset}", branch(to), branch(from));
        }
    }
    let now = ask(&["rev-parse", "--verify", "--quiet", old]);
    if !is_moved && now.as_deref().map(str::trim) == from.commit.as_deref() {
        return format!("git switch {}", branch(from));
    }
    format!("git symbolic-ref HEAD {old}{to_commit}")
}

/// The commits of `new` that `old` has not, newest first; an empty `old` has none.
fn commits_between(
    git: &Git,
    git_dir: &Path,
    root: &Path,
    (old, new): (&str, &str),
) -> Option<String> {
    let not_old = format!("^{old}");
    let mut args = vec!["log", "--no-color", "--format=%h %s", new];
    if !old.is_empty() {
        args.push(&not_old);
    }
    let listing = git
        .output(git.reading(git_dir, root, &args), "git log")
        .ok()?;
    let listing = String::from_utf8_lossy(&listing).into_owned();
    let all: Vec<&str> = listing.lines().collect();
    if all.is_empty() {
        let short: String = new.chars().take(10).collect();
        return Some(format!("nothing new, but moved the branch to {short}"));
    }
    let all: Vec<String> = all.iter().map(|line| format!("{line:?}")).collect();
    Some(some_names(&all, COMMITS_SHOWN))
}
