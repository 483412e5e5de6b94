//! Tells the command which commit it is built from, where the sources are a git repository of ours.
//!
//! It reads files and runs nothing, so a build without git works, and two builds of one commit are
//! the same whenever they are made.

use std::fs;
use std::path::{Path, PathBuf};

/// Digits of a commit that are shown.
const SHORT_CHARS: usize = 9;

fn main() {
    let commit = commit().map_or(String::new(), |commit| format!(" ({commit})"));
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=RECOVER_COMMIT={commit}");
}

/// The commit that is checked out, if these are sources in a work tree of their own.
fn commit() -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    let git = git_dir(&root.join(".git"))?;
    let head = read(&git.join("HEAD"))?;
    // It grows with each commit, also where the reference moves from one file to another.
    let log = git.join("logs/HEAD");
    if log.exists() {
        println!("cargo::rerun-if-changed={}", log.display());
    }
    let id = match head.strip_prefix("ref: ") {
        Some(name) => {
            // A work tree beside the first one has its references there.
            let common = read(&git.join("commondir")).map_or(git.clone(), |dir| git.join(dir));
            read(&common.join(name)).or_else(|| packed(&common, name))?
        }
        None => head,
    };
    let is_id = id.len() >= SHORT_CHARS && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| id[..SHORT_CHARS].to_owned())
}

/// The git directory that `.git` is or names.
fn git_dir(dot_git: &Path) -> Option<PathBuf> {
    if dot_git.is_dir() {
        return Some(dot_git.to_owned());
    }
    let named = read(dot_git)?;
    Some(dot_git.parent()?.join(named.strip_prefix("gitdir: ")?))
}

/// What `packed-refs` says of the reference `name`.
fn packed(common: &Path, name: &str) -> Option<String> {
    let all = read(&common.join("packed-refs"))?;
    let mut lines = all.lines().filter_map(|line| line.split_once(' '));
    let (id, _) = lines.find(|(_, reference)| *reference == name)?;
    Some(id.to_owned())
}

/// A small file's text; a change of it makes this run again.
fn read(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    println!("cargo::rerun-if-changed={}", path.display());
    Some(text.trim().to_owned())
}
