//! Checkpoints of a run's tree: what is no part of it, and what is never replaced.

use std::path::PathBuf;

use crate::checkpoint::CheckpointOptions;
use crate::process::output_files;
use crate::workspace::Workspace;

/// The options of checkpoints of `workspace`, whose record is kept at `store_paths`.
pub(super) fn checkpoint_options(
    store_paths: &[PathBuf],
    workspace: &Workspace,
) -> CheckpointOptions {
    CheckpointOptions {
        exclude: store_paths.to_vec(),
        written: output_files(workspace.root()),
        ..CheckpointOptions::default()
    }
}
