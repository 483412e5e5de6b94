//! A tree of files as it stands, byte for byte.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Folders that the tools of the projects keep for themselves and write on every run, recover or
/// not.
const CACHES: [&str; 6] = [
    "node_modules",
    "target",
    "__pycache__",
    ".pytest_cache",
    ".ruff_cache",
    "build",
];

/// What stands at every path below a folder, the folder's `.git` included.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tree(BTreeMap<String, Node>);

#[derive(Debug, PartialEq, Eq)]
struct Node {
    /// Type and permissions.
    mode: u32,
    /// A file's bytes, a link's target.
    content: Vec<u8>,
}

impl Tree {
    pub(super) fn read(root: &Path) -> Self {
        let mut tree = Self(BTreeMap::new());
        tree.add(root, "");
        tree
    }

    /// Paths at which the two differ; folders end with `/`.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let paths: BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        paths
            .into_iter()
            .filter(|path| self.0.get(*path) != other.0.get(*path))
            .cloned()
            .collect()
    }

    fn add(&mut self, folder: &Path, name: &str) {
        for entry in fs::read_dir(folder).expect("list a folder") {
            let entry = entry.expect("list a folder");
            let path = entry.path();
            let meta = fs::symlink_metadata(&path).expect("look at a file");
            if meta.is_dir() && CACHES.iter().any(|cache| entry.file_name() == *cache) {
                continue;
            }
            let mut name = format!("{name}{}", in_words(&entry.file_name()));
            let content = if meta.is_dir() {
                name.push('/');
                self.add(&path, &name);
                Vec::new()
            } else if meta.is_symlink() {
                let target = fs::read_link(&path).expect("read a link");
                target.as_os_str().as_bytes().to_vec()
            } else {
                fs::read(&path).expect("read a file")
            };
            let mode = meta.permissions().mode();
            self.0.insert(name, Node { mode, content });
        }
    }
}

/// A name as records write it: bytes that are no UTF-8 as `\xNN`.
fn in_words(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Copies a project's files; its description stays.
pub(super) fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("list a project") {
        let entry = entry.expect("list a project");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a file's type").is_dir() {
            fs::create_dir_all(&target).expect("create a folder");
            copy(&entry.path(), &target);
        } else if entry.file_name() != super::description::FILE {
            fs::copy(entry.path(), &target).expect("copy a file");
        }
    }
}
