//! What recipes need to know of the machine that a run is on.

use std::path::{Path, PathBuf};

use crate::command_line::{Place, without_dots};
use crate::run::planning::Machine;
use crate::run::request::RunRequest;

impl Machine for RunRequest {
    fn folder(&self, place: &Place) -> Option<PathBuf> {
        if place.is_here() {
            return Some(self.command.cwd.clone());
        }
        // What a command printed can name any folder; an undo reaches those of the workspace.
        let top = top(self)?;
        let start = self.command.cwd.canonicalize().ok()?;
        let folder = place.find(&start, &top, &|path| path.exists());
        let folder = folder.canonicalize().ok()?;
        (folder.is_dir() && folder.starts_with(&top)).then_some(folder)
    }

    fn has_file(&self, path: &Path) -> bool {
        path.exists()
    }

    fn is_within(&self, path: &str, folder: &Path) -> bool {
        top(self).is_some_and(|top| is_below(&top, path, folder))
    }

    fn is_ours(&self, program: &str, folder: &Path) -> bool {
        let named = without_dots(&folder.join(program));
        let is_in = |top: &Path| named.starts_with(top);
        if is_in(&self.command.cwd) || top(self).as_deref().is_some_and(is_in) {
            return true;
        }
        let name = named.file_name().unwrap_or_default();
        let search_path = self.command.search_path.as_deref().unwrap_or_default();
        let mut found =
            std::env::split_paths(search_path).map(|dir| self.command.cwd.join(dir).join(name));
        found.find(|found| found.exists()) == Some(named.clone())
    }

    fn has_program(&self, program: &str, folder: &Path) -> bool {
        self.is_installed(program, folder)
    }

    fn own_files(&self, folder: &Path, files: &[String]) -> Vec<String> {
        let Some(top) = top(self) else {
            return Vec::new();
        };
        let is_own = |file: &&String| folder.join(file).is_file() && is_below(&top, file, folder);
        files.iter().filter(is_own).cloned().collect()
    }

    fn named(&self, folder: &Path) -> Option<String> {
        if folder == self.command.cwd {
            return None;
        }
        let cwd = self
            .command
            .cwd
            .canonicalize()
            .unwrap_or_else(|_| self.command.cwd.clone());
        match folder.strip_prefix(&cwd) {
            Ok(below) if below.as_os_str().is_empty() => None,
            Ok(below) => Some(below.display().to_string()),
            Err(_) => Some(folder.display().to_string()),
        }
    }
}

/// The workspace's own folder.
fn top(request: &RunRequest) -> Option<PathBuf> {
    let workspace = request.workspace().ok()?;
    workspace.root().canonicalize().ok()
}

/// Whether `path`, as seen from `folder`, lies below `top` and is not git's.
fn is_below(top: &Path, path: &str, folder: &Path) -> bool {
    let named = without_dots(&folder.join(path));
    let below = led_to(&named);
    let below = below
        .as_deref()
        .and_then(|meant| meant.strip_prefix(top).ok());
    below.is_some_and(|below| below.components().all(|part| part.as_os_str() != ".git"))
}

/// What `path` leads to, by the links in it, also where its last parts are not there yet: what a
/// link leads to is what would be changed.
fn led_to(path: &Path) -> Option<PathBuf> {
    let there = path
        .ancestors()
        .find(|folder| folder.symlink_metadata().is_ok())?;
    let missing = path.strip_prefix(there).ok()?;
    Some(there.canonicalize().ok()?.join(missing))
}

#[cfg(test)]
mod tests {
    use std::fs::create_dir_all;
    use std::os::unix::fs::symlink;

    use super::is_below;

    #[test]
    fn what_is_behind_a_link_that_leads_out_is_not_within() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let top = root.path().canonicalize().unwrap();
        create_dir_all(top.join("src")).unwrap();
        symlink(outside.path(), top.join("out")).unwrap();
        symlink("nowhere", top.join("src/dangling")).unwrap();
        let check = |path: &str, expected: bool| {
            assert_eq!(is_below(&top, path, &top), expected, "{path}");
        };
        check("src/new/file.rs", true);
        check("src/../src/a.rs", true);
        check("out/new.rs", false);
        check("src/dangling", false);
        check("src/dangling/x", false);
        check("../a.rs", false);
        check(".git/config", false);
        check("src/.git/hooks/x", false);
    }
}
