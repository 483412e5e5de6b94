//! Checkpoints of a run's tree: what is no part of it, and what is never replaced.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::checkpoint::CheckpointOptions;
use crate::process::output_files;
use crate::workspace::Workspace;

/// The options of checkpoints of `workspace`, whose record is kept at `store_paths`. git is looked
/// for in `search_path`, once: what is called so later may be anybody's.
pub(super) fn checkpoint_options(
    store_paths: &[PathBuf],
    workspace: &Workspace,
    search_path: Option<&OsStr>,
) -> CheckpointOptions {
    CheckpointOptions {
        exclude: store_paths.to_vec(),
        written: output_files(workspace.root()),
        git_program: search_path.and_then(|path| git_outside(workspace.root(), path)),
        ..CheckpointOptions::default()
    }
}

/// The first program `git` in `search_path` that lies outside the workspace at `root`: one inside
/// is what a project, or a fix, put there.
fn git_outside(root: &Path, search_path: &OsStr) -> Option<PathBuf> {
    let dirs = std::env::split_paths(search_path).filter(|dir| dir.is_absolute());
    let programs = dirs.map(|dir| dir.join("git"));
    let is_program = |path: &PathBuf| {
        let is_file = path
            .metadata()
            .is_ok_and(|is| is.is_file() && is.permissions().mode() & 0o111 != 0);
        is_file
            && path
                .canonicalize()
                .is_ok_and(|path| !path.starts_with(root))
    };
    programs
        .filter(|path| !path.starts_with(root))
        .find(is_program)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn git_is_none_that_lies_in_the_workspace() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let (inside, outside) = (root.join("project"), root.join("bin"));
        for (at, mode) in [
            (&inside, 0o755),
            (&outside, 0o755),
            (&root.join("not"), 0o644),
        ] {
            fs::create_dir_all(at).unwrap();
            fs::write(at.join("git"), "").unwrap();
            fs::set_permissions(at.join("git"), fs::Permissions::from_mode(mode)).unwrap();
        }
        let links = root.join("links");
        fs::create_dir(&links).unwrap();
        std::os::unix::fs::symlink(inside.join("git"), links.join("git")).unwrap();
        let all = [
            Path::new("node_modules/.bin"),
            &inside,
            &links,
            &root.join("not"),
            &root.join("none"),
            &outside,
        ];
        let path = std::env::join_paths(all).unwrap();
        assert_eq!(git_outside(&inside, &path), Some(outside.join("git")));
        let path = std::env::join_paths([&inside, &links]).unwrap();
        assert_eq!(git_outside(&inside, &path), None);
    }
}
