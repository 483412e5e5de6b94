//! What may become of the tree of a run.

use std::path::PathBuf;

use crate::checkpoint::ProtectGlob;
use crate::run::request::{OnLeftover, RollbackTarget};

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
