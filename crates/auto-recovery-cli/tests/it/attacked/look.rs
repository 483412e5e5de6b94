//! A tree as it stands: every name with what it is, whose, and what it holds.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

/// What stands at a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Thing {
    kind: &'static str,
    mode: u32,
    owner: (u32, u32),
    /// What a file holds, where a link leads.
    holds: Vec<u8>,
}

/// Each name below a directory, bytes that are no UTF-8 as records name them; the directory itself
/// as `.`. What belongs to git is left out: it is not covered.
pub(super) type Tree = BTreeMap<String, Thing>;

/// What stands at `root` and below.
pub(super) fn look(root: &Path) -> Tree {
    let mut found = Tree::new();
    add(root, "", &mut found);
    found
}

fn add(path: &Path, name: &str, found: &mut Tree) {
    let metadata = fs::symlink_metadata(path).expect("look at the tree");
    let kind = metadata.file_type();
    let (kind, holds) = match () {
        () if kind.is_dir() => ("directory", Vec::new()),
        () if kind.is_symlink() => {
            let to = fs::read_link(path).expect("read a link");
            ("link", to.into_os_string().into_encoded_bytes())
        }
        // Whether it is empty is compared, not 11 MiB of zeros.
        () if kind.is_file() && metadata.len() > 1 << 20 => {
            ("large file", metadata.len().to_string().into_bytes())
        }
        () if kind.is_file() => ("file", fs::read(path).unwrap_or_default()),
        () if kind.is_fifo() => ("FIFO", Vec::new()),
        () => ("other", Vec::new()),
    };
    if kind == "directory" {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            let own = in_words(entry.file_name().as_encoded_bytes());
            if own == ".git" {
                continue;
            }
            let below = match name {
                "" => own,
                _ => format!("{name}/{own}"),
            };
            add(&entry.path(), &below, found);
        }
    }
    let thing = Thing {
        kind,
        mode: metadata.mode() & 0o7777,
        owner: (metadata.uid(), metadata.gid()),
        holds,
    };
    let name = if name.is_empty() { "." } else { name };
    found.insert(name.to_owned(), thing);
}

/// As records name it.
fn in_words(name: &[u8]) -> String {
    let mut words = String::new();
    for chunk in name.utf8_chunks() {
        words.push_str(chunk.valid());
        for byte in chunk.invalid() {
            words.push_str(&format!("\\x{byte:02X}"));
        }
    }
    words
}

/// The names at which two trees differ.
pub(super) fn differences(a: &Tree, b: &Tree) -> Vec<String> {
    let mut differ: Vec<String> = a
        .keys()
        .chain(b.keys())
        .filter(|name| a.get(*name) != b.get(*name))
        .cloned()
        .collect();
    differ.sort_unstable();
    differ.dedup();
    differ
}
