//! Trees that were good: at which a command passed, or that somebody marked. Rollback goes to them.
//!
//! `marks` in the workspace's state, one JSON object a line, oldest first, replaced durably; each
//! marked commit has a ref of its own, so it outlives its session's refs. The caller holds the
//! workspace lock.

use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::checkpoint::commit::Checkpoint;
use crate::checkpoint::store::CheckpointStore;
use crate::error::{Error, ErrorKind, Result};
use crate::files::{self, Links, Synced, read_small};
use crate::host::timestamp;
use crate::workspace::Workspace;
use crate::workspace::layout::{has_state, workspace_dir};

/// Where refs of marked checkpoints stand.
pub(super) const MARK_REFS: &str = "refs/marks";

/// Marks kept a workspace; the oldest go first. A rollback wants one of the newest few.
const MARKS_MAX: usize = 64;

/// The largest list of marks that is read: each holds a command line, of at most 2 MiB.
pub(super) const MARKS_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Why a tree is good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Good {
    /// This command passed on it.
    Passed {
        /// The command.
        argv: Vec<String>,
        /// Where it ran.
        cwd: String,
    },
    /// Somebody said so.
    Marked,
}

/// A tree that was good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoodTree {
    /// The checkpoint.
    pub checkpoint: String,
    /// The session it was taken in.
    pub session_id: String,
    /// When it was marked, RFC 3339.
    pub at: String,
    /// The commit that HEAD was at, empty for none; `None` where an older release marked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// What whoever marked it calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Why it is good.
    #[serde(flatten)]
    pub good: Good,
}

impl CheckpointStore {
    /// Notes that `checkpoint` is good. A later mark of the same kind replaces an earlier one.
    pub fn mark_good(&self, checkpoint: &Checkpoint, good: Good) -> Result<GoodTree> {
        self.mark_labelled(checkpoint, good, None)
    }

    /// The same, for a tree that has a name.
    pub(crate) fn mark_labelled(
        &self,
        checkpoint: &Checkpoint,
        good: Good,
        label: Option<&str>,
    ) -> Result<GoodTree> {
        let mark = GoodTree {
            checkpoint: checkpoint.id(),
            session_id: checkpoint.session.clone(),
            at: timestamp(self.host.now()),
            head: checkpoint.head().map(str::to_owned),
            label: label.map(str::to_owned),
            good,
        };
        let reference = format!("{MARK_REFS}/{}", mark.checkpoint);
        self.git
            .run(&["update-ref", &reference, &mark.checkpoint])?;
        let mut marks = self.good_trees()?;
        // A person's marks are all kept; of a command's passes the last is what a rollback wants.
        marks.retain(|known| match &known.good {
            Good::Marked => known.checkpoint != mark.checkpoint || mark.good != Good::Marked,
            passed @ Good::Passed { .. } => *passed != mark.good,
        });
        marks.push(mark.clone());
        let surplus = marks.len().saturating_sub(MARKS_MAX);
        marks.drain(..surplus);
        self.write_good_trees(&marks)?;
        Ok(mark)
    }

    /// The newest tree at which `argv` passed in `cwd`, or that somebody marked.
    pub fn last_good(&self, argv: &[String], cwd: &str) -> Result<Option<GoodTree>> {
        let is_wanted = |mark: &GoodTree| match &mark.good {
            Good::Marked => true,
            Good::Passed {
                argv: passed,
                cwd: at,
            } => passed == argv && at == cwd,
        };
        Ok(self.good_trees()?.into_iter().rev().find(is_wanted))
    }

    /// All marks of this workspace, oldest first.
    pub fn good_trees(&self) -> Result<Vec<GoodTree>> {
        read_marks(&self.dir.join("marks"))
    }

    /// Keeps `marks`, and the refs of these only.
    pub(super) fn write_good_trees(&self, marks: &[GoodTree]) -> Result<()> {
        let mut text = String::new();
        for mark in marks {
            let line = serde_json::to_string(mark).map_err(|e| {
                Error::new(ErrorKind::InvalidInput, "failed to write a mark").with_source(e)
            })?;
            text.push_str(&line);
            text.push('\n');
        }
        files::replace(&self.dir.join("marks"), Synced::Yes, text.as_bytes())?;
        let dir = self.git.dir().join(MARK_REFS);
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !marks.iter().any(|mark| mark.checkpoint == name) {
                self.git
                    .run(&["update-ref", "-d", &format!("{MARK_REFS}/{name}")])?;
            }
        }
        Ok(())
    }

    /// How long ago `mark` was made.
    pub fn age(&self, mark: &GoodTree) -> Option<std::time::Duration> {
        let at: jiff::Timestamp = mark.at.parse().ok()?;
        self.host.now().duration_since(SystemTime::from(at)).ok()
    }
}

/// All marks of `workspace`, oldest first. Nothing is made for the question.
///
/// # Errors
/// If they cannot be read.
pub fn good_trees_of(state_dir: &Path, workspace: &Workspace) -> Result<Vec<GoodTree>> {
    match has_state(state_dir)? {
        true => read_marks(&workspace_dir(state_dir, workspace).join("marks")),
        false => Ok(Vec::new()),
    }
}

fn read_marks(path: &Path) -> Result<Vec<GoodTree>> {
    let text = match read_small(path, Links::Refuse, MARKS_BYTES_MAX) {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("read", path, e)),
    };
    let parse = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|e| {
            let what = format!(
                "line {} of {} is no mark; remove it",
                number + 1,
                path.display()
            );
            Error::new(ErrorKind::Damaged, what).with_source(e)
        })
    };
    text.lines().enumerate().map(parse).collect()
}
