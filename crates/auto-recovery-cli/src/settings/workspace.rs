//! The workspace: the git top level of a directory, else the directory itself.
//!
//! Found by looking for `.git` upwards, without running git, so that a command that passes pays
//! nothing for it.

use std::path::{Path, PathBuf};

/// The workspace that `directory` lies in.
pub(crate) fn find_workspace(directory: &Path) -> PathBuf {
    directory
        .ancestors()
        .find(|candidate| is_git_top_level(candidate))
        .unwrap_or(directory)
        .to_path_buf()
}

/// Whether `.git` in `directory` is a repository, or the file that points a worktree or submodule to
/// its repository. An empty `.git` directory, which git passes over too, is neither.
fn is_git_top_level(directory: &Path) -> bool {
    let git = directory.join(".git");
    git.is_file() || git.join("HEAD").symlink_metadata().is_ok()
}
