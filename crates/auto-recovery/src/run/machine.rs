//! What recipes need to know of the machine that a run is on.

use std::path::{Path, PathBuf};

use crate::command_line::{Place, without_dots};
use crate::run::planning::Machine;
use crate::run::request::RunRequest;

impl Machine for RunRequest {
    fn folder(&self, place: &Place) -> Option<PathBuf> {
        if place.is_here() {
            return Some(self.cwd.clone());
        }
        // What a command printed can name any folder; an undo reaches those of the workspace.
        let top = top(self)?;
        let start = self.cwd.canonicalize().ok()?;
        let folder = place.find(&start, &top, &|path| path.exists());
        let folder = folder.canonicalize().ok()?;
        (folder.is_dir() && folder.starts_with(&top)).then_some(folder)
    }

    fn has_file(&self, path: &Path) -> bool {
        path.exists()
    }

    fn is_within(&self, path: &str, folder: &Path) -> bool {
        let Some(top) = top(self) else {
            return false;
        };
        // What a link leads to is what would be changed.
        let named = without_dots(&folder.join(path));
        let meant = named.canonicalize().unwrap_or(named);
        let below = meant.strip_prefix(&top);
        below.is_ok_and(|below| below.components().all(|part| part.as_os_str() != ".git"))
    }

    fn is_ours(&self, program: &str, folder: &Path) -> bool {
        let named = without_dots(&folder.join(program));
        let is_in = |top: &Path| named.starts_with(top);
        if is_in(&self.cwd) || top(self).as_deref().is_some_and(is_in) {
            return true;
        }
        let name = named.file_name().unwrap_or_default();
        let search_path = self.search_path.as_deref().unwrap_or_default();
        let mut found = std::env::split_paths(search_path).map(|dir| self.cwd.join(dir).join(name));
        found.find(|found| found.exists()) == Some(named.clone())
    }

    fn has_program(&self, program: &str, folder: &Path) -> bool {
        self.is_installed(program, folder)
    }

    fn own_files(&self, folder: &Path, files: &[String]) -> Vec<String> {
        let is_own = |file: &&String| folder.join(file).is_file() && self.is_within(file, folder);
        files.iter().filter(is_own).cloned().collect()
    }

    fn named(&self, folder: &Path) -> Option<String> {
        if folder == self.cwd {
            return None;
        }
        let cwd = self.cwd.canonicalize().unwrap_or_else(|_| self.cwd.clone());
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
