//! What recipes need to know of the machine that a run is on.

use std::path::{Path, PathBuf};

use crate::command_line::Place;
use crate::run::planning::Machine;
use crate::run::request::RunRequest;

impl Machine for RunRequest {
    fn folder(&self, place: &Place) -> Option<PathBuf> {
        if place.is_here() {
            return Some(self.cwd.clone());
        }
        // What a command printed can name any folder; an undo reaches those of the workspace.
        let workspace = self.workspace().ok()?;
        let top = workspace.root().canonicalize().ok()?;
        let start = self.cwd.canonicalize().ok()?;
        let folder = place.find(&start, &top, &|path| path.exists());
        let folder = folder.canonicalize().ok()?;
        (folder.is_dir() && folder.starts_with(&top)).then_some(folder)
    }

    fn has_file(&self, path: &Path) -> bool {
        path.exists()
    }

    fn has_program(&self, program: &str, folder: &Path) -> bool {
        self.is_installed(program, folder)
    }

    fn own_files(&self, folder: &Path, files: &[String]) -> Vec<String> {
        let top = self
            .workspace()
            .map(|workspace| workspace.root().to_owned());
        let top = top.unwrap_or_else(|_| self.cwd.clone());
        let Ok(top) = top.canonicalize() else {
            return Vec::new();
        };
        // A link may lead elsewhere, where nothing would be put back.
        let is_own = |file: &&String| {
            let path = folder.join(file).canonicalize();
            path.is_ok_and(|path| path.is_file() && path.starts_with(&top))
        };
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
