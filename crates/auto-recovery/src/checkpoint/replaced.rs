//! What restores replaced: each tree is kept under an id of its own, by which it comes back.

use std::fs;
use std::path::{Path, PathBuf};

use crate::checkpoint::options::CheckpointOptions;
use crate::checkpoint::retention::shelves;
use crate::error::Result;
use crate::workspace::layout::{REFS, session_of};

/// How the ids of restores begin.
pub(super) const RESTORE: &str = "restore";

/// What a restore replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplacedTree {
    /// The id of the restore.
    pub id: String,
    /// The root of the workspace.
    pub root: PathBuf,
}

/// What restores replaced in all workspaces, the newest first.
///
/// # Errors
/// If the state cannot be read.
pub fn replaced_trees(state_dir: &Path) -> Result<Vec<ReplacedTree>> {
    let mut found = Vec::new();
    for shelf in shelves(state_dir, &CheckpointOptions::default(), None)? {
        let Some(root) = shelf.root() else { continue };
        // Without checkpoints there is no directory of theirs.
        let names = fs::read_dir(shelf.git.dir().join(REFS))
            .into_iter()
            .flatten();
        let names = names.flatten().map(|entry| entry.file_name());
        let ids = names.filter_map(|name| session_of(name.to_str()?));
        let ids = ids.filter(|id| {
            id.strip_prefix(RESTORE)
                .is_some_and(|rest| rest.starts_with('_'))
        });
        found.extend(ids.map(|id| ReplacedTree {
            id,
            root: root.clone(),
        }));
    }
    // An id begins with its time.
    found.sort_by(|a, b| b.id.cmp(&a.id));
    Ok(found)
}
