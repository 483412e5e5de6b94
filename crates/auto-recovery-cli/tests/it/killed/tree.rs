//! The files of a project, to compare trees.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::harness::Machine;

/// How many files a fix changes: enough for a kill to come between two of them.
const FILES: usize = 120;

/// Each path with its permission bits and what it holds, `None` for a directory.
pub(super) type Tree = BTreeMap<PathBuf, (u32, Option<Vec<u8>>)>;

/// Writes the project as it is at first.
pub(super) fn write_project(machine: &Machine) {
    for number in 0..FILES {
        let text = format!("good {number}\n");
        machine.write(&format!("project/d{}/f{number}", number % 7), &text);
    }
    machine.write("project/.env", "KEY=1\n");
    machine.write("project/value", "broken\n");
    machine.write("project/removed", "by the fix\n");
}

/// A script that changes every file of the project, adds some and removes one.
pub(super) const CHANGE_ALL: &str = "for f in d*/f*; do echo bad > $f; done; \
     mkdir -p new/deep; echo new > new/deep/file; rm -f removed";

/// A file that a fix makes and no checkpoint holds.
const SECRET: &str = "new.key";

/// A script that makes it.
pub(super) const MAKE_SECRET: &str = "cp .env new.key";

/// The tree without what `MAKE_SECRET` makes.
pub(super) fn without_secret(machine: &Machine, mut tree: Tree) -> Tree {
    tree.remove(&machine.work().join(SECRET));
    tree
}

/// What is below the project.
pub(super) fn tree(machine: &Machine) -> Tree {
    let mut found = Tree::new();
    add(&machine.work(), &mut found);
    found
}

fn add(directory: &Path, found: &mut Tree) {
    for entry in fs::read_dir(directory).expect("list the project") {
        let path = entry.expect("list the project").path();
        // A fix that is still at work may remove it.
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        let content = match metadata.is_dir() {
            true => None,
            false => Some(fs::read(&path).unwrap_or_default()),
        };
        if metadata.is_dir() {
            add(&path, found);
        }
        found.insert(path, (metadata.permissions().mode(), content));
    }
}

/// The paths that differ, for messages.
pub(super) fn difference(a: &Tree, b: &Tree) -> Vec<PathBuf> {
    let paths = a.keys().chain(b.keys());
    let mut differ: Vec<PathBuf> = paths
        .filter(|path| a.get(*path) != b.get(*path))
        .cloned()
        .collect();
    differ.dedup();
    differ.truncate(10);
    differ
}
