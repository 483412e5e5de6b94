//! What may become of the tree of a run.

use std::path::PathBuf;
use std::str::FromStr;

use crate::checkpoint::ProtectGlob;
use crate::error::{Error, ErrorKind, Result};

/// Checkpoints of a tree, and how long they are kept. They hold what stands in its files, as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checkpoints {
    /// There are none: nothing can be undone.
    Off,
    /// They go when the session ends, and with them what ended in this workspace before; trees that
    /// somebody marked stay. What its attempts did cannot be looked at or taken back later.
    OfSession,
    /// They are kept as long as retention says.
    #[default]
    Kept,
}

/// Where a rollback goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RollbackTarget {
    /// The last checkpoint at which this command passed here, or that was marked good.
    LastGood,
    /// This checkpoint.
    Checkpoint(String),
    /// The tree of a revision of the user's repository.
    GitRevision(String),
}

impl FromStr for RollbackTarget {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.strip_prefix("git:") {
            Some("") => {
                let context = "`git:` names no revision: write it like git:HEAD~1";
                Err(Error::new(ErrorKind::InvalidInput, context))
            }
            Some(revision) => Ok(Self::GitRevision(revision.to_owned())),
            None if text.is_empty() => {
                let context = "it names nothing: leave the `=` out for the last good tree, or give \
                               a checkpoint or git:REV";
                Err(Error::new(ErrorKind::InvalidInput, context))
            }
            None if text == "last-good" => Ok(Self::LastGood),
            None => Ok(Self::Checkpoint(text.to_owned())),
        }
    }
}

/// What becomes of the changes that a killed run left in the middle of an attempt, once the command
/// has failed on them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnLeftover {
    /// The tree goes back to how that attempt found it; what is replaced is kept.
    #[default]
    Restore,
    /// Nothing is changed and nothing is tried: a person decides.
    Stop,
}

impl OnLeftover {
    /// The name used in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Restore => "restore",
            Self::Stop => "stop",
        }
    }
}

impl FromStr for OnLeftover {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "restore" => Ok(Self::Restore),
            "stop" => Ok(Self::Stop),
            _ => {
                let context = format!("`{text}` says nothing of leftovers: use restore or stop");
                Err(Error::new(ErrorKind::InvalidInput, context))
            }
        }
    }
}

/// What becomes of the tree.
#[derive(Clone, Debug)]
pub struct TreeRules {
    /// Whether to wait for another recovery in this workspace.
    pub wait: bool,
    /// Whether the tree is checkpointed, and for how long that is kept.
    pub checkpoints: Checkpoints,
    /// Globs of paths that no attempt may touch.
    pub protect: Vec<ProtectGlob>,
    /// Files that no attempt may touch though nobody said so: the configuration that counts here.
    pub guarded_files: Vec<PathBuf>,
    /// Where to roll back to, if at all.
    pub rollback: Option<RollbackTarget>,
    /// Whether a changed failure is the ground for the next attempt.
    pub keep_progress: bool,
    /// Whether nothing is undone.
    pub keep_failed_changes: bool,
    /// Whether a cure counts only once the command failed without it and passed with it again.
    pub confirm: bool,
    /// The index that a commit under way is made from, where this runs in a hook of git's.
    pub git_index: Option<PathBuf>,
    /// Whether what a cure changed is added to that index, where it was staged before.
    pub stage: bool,
    /// What to do with the changes of a run that was killed here, if the command fails.
    pub on_leftover: OnLeftover,
}

impl Default for TreeRules {
    fn default() -> Self {
        Self {
            wait: true,
            checkpoints: Checkpoints::Kept,
            protect: Vec::new(),
            guarded_files: Vec::new(),
            rollback: None,
            keep_progress: false,
            keep_failed_changes: false,
            confirm: false,
            git_index: None,
            stage: false,
            on_leftover: OnLeftover::Restore,
        }
    }
}
