//! The repository's text files, as a commit of everything would hold them.

use std::fs;
use std::path::Path;

use ignore::WalkBuilder;

use super::rust;

/// The repository's text files, sorted by path.
pub(super) struct Tree {
    pub(super) files: Vec<File>,
}

/// One text file.
pub(super) struct File {
    /// Relative to the repository, with `/`.
    pub(super) path: String,
    pub(super) text: String,
    /// For Rust, the text with comments and literals blanked; else empty.
    pub(super) code: String,
}

impl Tree {
    /// Reads the repository this test was built from: what git ignores and what is neither text nor
    /// a picture stay out.
    pub(super) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut files = Vec::new();
        let walk = WalkBuilder::new(&root)
            .standard_filters(false)
            .git_ignore(true)
            .require_git(false)
            .filter_entry(|entry| entry.file_name() != ".git")
            .build();
        for entry in walk {
            let entry = entry.expect("the repository can be listed");
            if !entry.file_type().is_some_and(|kind| kind.is_file()) {
                continue;
            }
            let path = entry
                .path()
                .strip_prefix(&root)
                .expect("the walk began there");
            let bytes = fs::read(entry.path()).expect("the repository's files can be read");
            let path = path.to_str().expect("names are plain");
            match String::from_utf8(bytes) {
                Ok(text) => files.push(File::new(path, text)),
                // Pages link to it; there is nothing to read in it.
                Err(_) if path.ends_with(".png") => files.push(File::new(path, String::new())),
                Err(_) => {}
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        assert!(
            files.iter().any(|file| file.path == "Cargo.toml"),
            "no repository at {}",
            root.display()
        );
        Self { files }
    }

    /// A tree of these files, for the rules' own cases.
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        Self {
            files: files
                .iter()
                .map(|(path, text)| File::new(path, (*text).to_owned()))
                .collect(),
        }
    }

    pub(super) fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }
}

impl File {
    fn new(path: &str, text: String) -> Self {
        let code = if path.ends_with(".rs") {
            rust::blank_text(&text)
        } else {
            String::new()
        };
        Self {
            path: path.to_owned(),
            text,
            code,
        }
    }

    /// Whether this file is only compiled for tests and examples. `testing` is what tests share.
    pub(super) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs")
            || ["/tests/", "/testing/", "/examples/", "/benches/"]
                .iter()
                .any(|folder| self.path.contains(folder))
    }

    /// The code that ships: nothing of a test file, nothing under `#[cfg(test)]` of another.
    pub(super) fn shipped_code(&self) -> String {
        if self.is_test() {
            String::new()
        } else {
            rust::without_tests(&self.code)
        }
    }
}
