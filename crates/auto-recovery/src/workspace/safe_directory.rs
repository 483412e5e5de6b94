//! Whether the user told git that a directory of somebody else's is safe (`safe.directory`).
//!
//! Who said so to git need not say it again. Only the user's own and the system's configuration
//! count, never that of a repository, which is what is in doubt.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::git::Git;

/// Whether git's `safe.directory` names `root`, which is canonical. Without git, or with a
/// configuration that it cannot read, nothing does.
pub fn is_safe_directory(root: &Path) -> bool {
    let git = Git::new(None, PathBuf::from("/"));
    git.safe_directories()
        .is_ok_and(|values| names(&values, root))
}

/// Whether `values`, pairs of a scope and a value that each end with a zero byte, name `root`. As
/// git does: an empty value takes back all before it, `*` is every directory, `DIR/*` all below
/// DIR.
fn names(values: &[u8], root: &Path) -> bool {
    let mut fields = values.split(|byte| *byte == 0);
    let mut is_safe = false;
    while let (Some(scope), Some(value)) = (fields.next(), fields.next()) {
        match (scope, value) {
            (b"system" | b"global", b"") => is_safe = false,
            (b"system" | b"global", b"*") => is_safe = true,
            (b"system" | b"global", value) => is_safe |= covers(value, root),
            _ => {}
        }
    }
    is_safe
}

fn covers(value: &[u8], root: &Path) -> bool {
    match value.strip_suffix(b"/*") {
        Some(b"") => true,
        Some(dir) => canonical(dir).is_some_and(|dir| root != dir && root.starts_with(&dir)),
        None => canonical(value).is_some_and(|path| path == root),
    }
}

/// The absolute path `text`, without links where it exists.
fn canonical(text: &[u8]) -> Option<PathBuf> {
    let path = Path::new(OsStr::from_bytes(text));
    let path = path.is_absolute().then_some(path)?;
    Some(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_named_as_git_understands_it() {
        let dir = tempfile::tempdir().unwrap();
        let at = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir_all(at.join("a/b")).unwrap();
        std::os::unix::fs::symlink(at.join("a"), at.join("link")).unwrap();
        let root = at.join("a/b");
        let cases: [(&[(&str, &str)], bool); 16] = [
            (&[], false),
            (&[("global", "*")], true),
            (&[("system", "*")], true),
            (&[("local", "*")], false),
            (&[("worktree", "AT/a/b")], false),
            (&[("command", "*")], false),
            (&[("global", "AT/a/b")], true),
            (&[("global", "AT/a/b/")], true),
            (&[("global", "AT/link/b")], true),
            (&[("global", "AT/a")], false),
            (&[("global", "AT/a/*")], true),
            (&[("global", "AT/link/*")], true),
            (&[("global", "AT/a/b/*")], false),
            (
                &[("global", "a/b"), ("global", "."), ("global", "/none")],
                false,
            ),
            (&[("system", "*"), ("global", "")], false),
            (&[("global", ""), ("global", "AT/*")], true),
        ];
        for (pairs, expected) in cases {
            let pair = |(scope, value): &(&str, &str)| {
                format!("{scope}\0{}\0", value.replace("AT", at.to_str().unwrap()))
            };
            let values: String = pairs.iter().map(pair).collect();
            assert_eq!(names(values.as_bytes(), &root), expected, "{pairs:?}");
        }
    }
}
