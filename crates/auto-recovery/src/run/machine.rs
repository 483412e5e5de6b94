//! What recipes need to know of the machine that a run is on.

use std::path::{Path, PathBuf};

use memchr::memmem;

use crate::command_line::{Place, Words, without_dots};
use crate::files::{Links, read_small};
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

    fn above_with(&self, file: &str) -> Option<PathBuf> {
        let top = top(self)?;
        let cwd = self.command.cwd.canonicalize().ok()?;
        let mut above = cwd
            .ancestors()
            .skip(1)
            .take_while(|dir| dir.starts_with(&top));
        above
            .find(|dir| dir.join(file).is_file())
            .map(Path::to_owned)
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
        let may_be_others = folder == self.command.cwd && may_go_elsewhere(self);
        let is_own = |file: &&String| {
            folder.join(file).is_file()
                && is_below(&top, file, folder)
                && !(may_be_others && has_namesake(&top, &folder.join(file), file))
        };
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
            Err(_) => Some(match cwd.strip_prefix(folder) {
                Ok(below) => vec![".."; below.components().count()].join("/"),
                Err(_) => folder.display().to_string(),
            }),
        }
    }
}

/// What a script goes into another folder with.
const GOING: [&str; 7] = [
    "cd ",
    "pushd ",
    "chdir",
    "cwd",
    "-C ",
    "--directory",
    "-execdir",
];
/// Bytes of a script that is looked at.
const SCRIPT_BYTES_MAX: u64 = 64 * 1024;
/// Entries of a workspace that are looked at for a file of the same name.
const ENTRIES_MAX: usize = 20_000;
/// Folders of packages, of git and of builds.
const NOT_OURS: [&str; 6] = [".git", "node_modules", "target", ".venv", "venv", "vendor"];

/// Whether the command is a script that goes from folder to folder, and need not say so: a file
/// that a tool names there may be meant from any of them.
fn may_go_elsewhere(request: &RunRequest) -> bool {
    let cwd = &request.command.cwd;
    let readings = Words::readings(&request.words());
    let words = readings.iter().flat_map(|one| one.tool.iter().take(2));
    let mut scripts = words.filter(|word| !word.starts_with('-'));
    scripts.any(|word| {
        let text = read_small(&cwd.join(word), Links::Follow, SCRIPT_BYTES_MAX);
        let text = text.unwrap_or_default();
        let is_script = text.starts_with(b"#!");
        is_script
            && GOING
                .iter()
                .any(|going| memmem::find(&text, going.as_bytes()).is_some())
    })
}

/// Whether the workspace has a file other than `own` that is called `file` from its folder. One
/// that is too large to be looked at may have.
fn has_namesake(top: &Path, own: &Path, file: &str) -> bool {
    let (mut folders, mut entries) = (vec![top.to_owned()], 0);
    let own = own.canonicalize().unwrap_or_else(|_| own.to_owned());
    while let Some(folder) = folders.pop() {
        let Ok(found) = folder.read_dir() else {
            continue;
        };
        for entry in found.flatten() {
            entries += 1;
            if entries > ENTRIES_MAX {
                return true;
            }
            let is_ours = !NOT_OURS.iter().any(|name| entry.file_name() == *name);
            if is_ours && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let path = entry.path();
                if path
                    .join(file)
                    .canonicalize()
                    .is_ok_and(|other| other != own)
                {
                    return true;
                }
                folders.push(path);
            }
        }
    }
    false
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

    use super::{has_namesake, is_below};

    #[test]
    fn a_file_of_the_same_name_elsewhere_is_found() {
        let root = tempfile::tempdir().unwrap();
        let top = root.path().canonicalize().unwrap();
        create_dir_all(top.join("a/src")).unwrap();
        create_dir_all(top.join("node_modules/x")).unwrap();
        for file in ["m.py", "a/src/n.py", "node_modules/x/m.py"] {
            std::fs::write(top.join(file), "").unwrap();
        }
        let check = |file: &str, expected: bool| {
            assert_eq!(
                has_namesake(&top, &top.join(file), file),
                expected,
                "{file}"
            );
        };
        check("m.py", false);
        std::fs::write(top.join("a/m.py"), "").unwrap();
        check("m.py", true);
        check("a/src/n.py", false);
    }

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
