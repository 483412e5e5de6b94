//! Changes for people: the names a record keeps, and a unified diff.
//!
//! A diff may be as long as all files together. It is passed on piece by piece as git makes it, and
//! git is ended as soon as the sink wants no more.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;

use crate::checkpoint::commit::Checkpoint;
use crate::checkpoint::side_list::{is_executable, is_in_tree};
use crate::checkpoint::tree::manifest::{Change, ChangeKind, Node};
use crate::checkpoint::tree::path::{display_path, is_within};
use crate::error::{Error, ErrorKind, Result};
use crate::git::{Conversation, Git};

/// Number of bytes of a diff held at once.
const CHUNK: usize = 64 * 1024;

/// Limits on the paths, and on their bytes, that a diff leaves out: the system takes 2 MiB of
/// arguments.
const BUT_MAX: usize = 10_000;
const BUT_BYTES_MAX: usize = 1024 * 1024;

/// Is given a diff piece by piece, and breaks off when it wants no more. A piece may end anywhere.
pub type DiffSink<'s> = dyn FnMut(&[u8]) -> io::Result<ControlFlow<()>> + 's;

/// The display forms of the changed paths. A directory is named only when nothing below it is: an
/// empty one that came or went, or one whose permission bits changed.
pub(super) fn files_modified(changes: &[Change]) -> Vec<String> {
    let mut names = BTreeSet::new();
    for (at, change) in changes.iter().enumerate() {
        // Paths sort by bytes, so what lies below a directory may come some places after it
        // (`a`, `a-b`, `a/c`), but never before.
        let prefix = [&change.path[..], b"/"].concat();
        let is_said = change.is_dir
            && matches!(change.kind, ChangeKind::Added | ChangeKind::Removed)
            && changes[at + 1..]
                .iter()
                .take_while(|later| later.path <= prefix || is_within(&later.path, &change.path))
                .any(|later| is_within(&later.path, &change.path));
        if !is_said {
            names.insert(change.display.clone());
        }
    }
    names.into_iter().collect()
}

/// Gives `sink` the diff from `before` to `after`, and below it what a diff has no words for.
pub(super) fn read(
    git: &Git,
    before: &Checkpoint,
    after: &Checkpoint,
    sink: &mut DiffSink<'_>,
) -> Result<ControlFlow<()>> {
    let ids = (before.id(), after.id());
    if content(git, &["-p"], (&ids.0, &ids.1), &[], sink)?.is_break() {
        return Ok(ControlFlow::Break(()));
    }
    for difference in before.manifest.differences(&after.manifest) {
        let path = display_path(difference.path);
        if let Some(line) = beyond_diff(difference.path, difference.before, difference.after) {
            let line = format!("# {line}: {}\n", path.escape_debug());
            if give(sink, line.as_bytes())?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Forms of a diff, beside the one for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchForm {
    /// As `git apply` takes it: binary files whole, ids in full, and nothing that is no diff.
    Apply,
    /// A line per file with the amount of its change, and their sum, within this many columns.
    Stat(u16),
}

/// Gives `sink` the diff between the checkpoints of these ids in `form`, without the paths `but`.
pub(super) fn read_in_form(
    git: &Git,
    (before, after): (&str, &str),
    form: PatchForm,
    but: &[Vec<u8>],
    sink: &mut DiffSink<'_>,
) -> Result<ControlFlow<()>> {
    let length: usize = but.iter().map(Vec::len).sum();
    if but.len() > BUT_MAX || length > BUT_BYTES_MAX {
        let what = format!(
            "somebody else changed {} files in between, too many to leave out of a patch: take \
             that of each attempt",
            but.len()
        );
        return Err(Error::new(ErrorKind::Refused, what));
    }
    let options = match form {
        PatchForm::Apply => ["-p", "--binary", "--full-index"]
            .map(str::to_owned)
            .to_vec(),
        PatchForm::Stat(columns) => vec![format!("--stat={columns}")],
    };
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    content(git, &options, (before, after), but, sink)
}

/// Describes the changes from `before` to `after` that a patch cannot express, a line each.
pub(super) fn beyond_patch(
    before: &Checkpoint,
    after: &Checkpoint,
    but: &[Vec<u8>],
) -> Vec<String> {
    let mut meant = before.manifest.differences(&after.manifest);
    meant.retain(|one| !but.iter().any(|path| is_within(one.path, path)));
    // Applying a patch creates the directories of new files, and removes those that it leaves
    // empty.
    let mut implied: HashSet<&[u8]> = HashSet::new();
    for one in &meant {
        let is_shown = |node: &Node| is_in_tree(one.path, node);
        if [one.before, one.after].into_iter().flatten().any(is_shown) {
            let ends = one
                .path
                .iter()
                .enumerate()
                .filter(|(_, byte)| **byte == b'/');
            implied.extend(ends.map(|(end, _)| &one.path[..end]));
        }
    }
    let said = meant.iter().filter_map(|one| {
        let comes_or_goes = one.before.is_none() || one.after.is_none();
        if comes_or_goes && implied.contains(&one.path[..]) {
            return None;
        }
        let line = beyond_diff(one.path, one.before, one.after)?;
        Some(format!("{}: {line}", display_path(one.path)))
    });
    said.collect()
}

/// The part that git makes, with the options `more`, without the paths `but`.
fn content(
    git: &Git,
    more: &[&str],
    (before, after): (&str, &str),
    but: &[Vec<u8>],
    sink: &mut DiffSink<'_>,
) -> Result<ControlFlow<()>> {
    let args = [
        "diff-tree",
        "-r",
        "--no-ext-diff",
        "--no-textconv",
        "--no-color",
        "--no-renames",
        "--relative=tree/",
    ];
    let trees = [before, after, "--"];
    let mut command = git.command(&[&args[..], more, &trees].concat());
    for path in but {
        let spec = [b":(top,exclude,literal)tree/", &path[..]].concat();
        command.arg(OsStr::from_bytes(&spec));
    }
    let mut conversation = Conversation::start(git, command, "git diff-tree")?;
    let (stdin, mut stdout) = conversation.pipes();
    drop(stdin);
    let mut chunk = vec![0; CHUNK];
    loop {
        match stdout.read(&mut chunk) {
            Ok(0) => break,
            // What is still to come is not waited for: dropping the conversation ends git.
            Ok(len) if give(sink, &chunk[..len])?.is_break() => return Ok(ControlFlow::Break(())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(conversation.broken(error)),
        }
    }
    conversation.finish()?;
    Ok(ControlFlow::Continue(()))
}

/// Describes the part of a change that a diff cannot express.
fn beyond_diff(path: &[u8], before: Option<&Node>, after: Option<&Node>) -> Option<String> {
    match (before, after) {
        (Some(Node::File { mode: a, .. }), Some(Node::File { mode: b, .. }))
        | (Some(Node::Dir { mode: a, .. }), Some(Node::Dir { mode: b, .. }))
            if a != b =>
        {
            let is_shown = matches!(before, Some(Node::File { .. }))
                && is_executable(*a) != is_executable(*b)
                && (a ^ b) & !0o111 == 0;
            (!is_shown).then(|| format!("mode {a:04o} => {b:04o}"))
        }
        (None, Some(Node::Dir { .. })) => Some("new directory".to_owned()),
        (Some(Node::Dir { .. }), None) => Some("removed directory".to_owned()),
        (before, after) => {
            let is_beyond = |node: &Node| !node.is_dir() && !is_in_tree(path, node);
            let is_opaque = [before, after].into_iter().flatten().any(is_beyond);
            is_opaque.then(|| "changed, content not shown".to_owned())
        }
    }
}

fn give(sink: &mut DiffSink<'_>, bytes: &[u8]) -> Result<ControlFlow<()>> {
    sink(bytes).map_err(|e| Error::os("failed to write the diff", e))
}
