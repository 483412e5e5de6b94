//! The user's own git on a work tree: ignored paths, its other work trees. Its HEAD has a room of
//! its own.
//!
//! Read from git's files where their format is fixed, asked of git where it is not. Nothing here
//! writes, and no answer is needed: without one, less is known.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::checkpoint::tree::ignore_files;
use crate::files::{Links, read_small};
use crate::git::Git;
use crate::workspace::git_dir_of;

/// Longest file of one line that is read: far longer than a path or a reference may be.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Linked work trees that are looked at, more than any repository has.
const WORK_TREES_MAX: usize = 10_000;

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

/// The beginning of a commit, as a message has it.
pub(super) fn shortened(commit: &str) -> &str {
    /// Digits that tell commits apart in most repositories.
    const SHORT: usize = 10;

    commit.get(..SHORT).unwrap_or(commit)
}

/// The same as text.
pub(super) fn text_in(path: &Path) -> Option<String> {
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
