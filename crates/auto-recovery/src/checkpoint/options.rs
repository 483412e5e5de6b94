//! What a caller decides about checkpoints, and the limits they keep.

use std::collections::HashSet;
use std::path::PathBuf;

use crate::files::FileId;

/// One mebibyte.
pub(super) const MIB: u64 = 1024 * 1024;

/// Limits of one snapshot. Each has its reason; a larger tree is a reason to ignore files, or to
/// run without checkpoints knowingly, rather than to fill a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointLimits {
    /// Files larger than this many bytes are left out and watched. 10 MiB: what a person edits or a
    /// tool writes as source is smaller; build products, videos and databases are larger.
    pub file_bytes_max: u64,
    /// New bytes that one snapshot may store. 500 MiB: about ten seconds of work.
    pub new_bytes_max: u64,
    /// New files that one snapshot may store.
    pub new_files_max: u64,
    /// Ignored files whose stamps are compared. 10,000: about ten milliseconds.
    pub watched_max: usize,
    /// Bytes that must stay free on the state's disk beyond twice the new bytes.
    pub disk_reserve_bytes: u64,
}

impl Default for CheckpointLimits {
    fn default() -> Self {
        Self {
            file_bytes_max: 10 * MIB,
            new_bytes_max: 500 * MIB,
            new_files_max: 100_000,
            watched_max: 10_000,
            disk_reserve_bytes: 64 * MIB,
        }
    }
}

/// What a caller decides about checkpoints.
#[derive(Clone, Debug, Default)]
pub struct CheckpointOptions {
    /// The limits.
    pub limits: CheckpointLimits,
    /// Globs, relative to the root, of files that are covered even when they are ignored.
    pub protect: Vec<String>,
    /// Absolute paths that are left out when they lie in the tree, and all below them: the store,
    /// the state. They need not exist yet.
    pub exclude: Vec<PathBuf>,
    /// Files that others write while this goes on, such as the log that the output goes to: they
    /// are never replaced.
    pub written: HashSet<FileId>,
    /// The user's own ignore file for all projects (git's `core.excludesFile`).
    pub excludes_file: Option<PathBuf>,
    /// The program `git`; a bare name is looked for on the path.
    pub git_program: Option<PathBuf>,
}
