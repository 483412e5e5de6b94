//! Protected paths as people write them: globs from a directory, whole paths, paths through links.
//!
//! A glob is relative to the directory it was written in or for: the current one when it was typed,
//! that of its file when it is in one. The results are globs from the root of the tree, as
//! [`Protected`](super::rules::Protected) takes them. Nothing here decides what is protected.

use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// A glob of protected paths, and its base directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectGlob {
    /// The glob, as it was written.
    pub glob: String,
    /// The directory that it is relative to. One outside of the tree means the root of the tree.
    pub base: PathBuf,
}

impl ProtectGlob {
    /// The file at this path, and nothing else.
    pub fn of_file(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Self {
            glob: format!("./{}", globset::escape(&name)),
            base: path.parent().unwrap_or(Path::new("/")).to_owned(),
        }
    }

    /// The globs from `root` that it means: one, and more where a link leads elsewhere in the tree,
    /// or where a path of these very characters exists. None if it leads out of the tree.
    pub fn from_root(&self, root: &Path) -> Vec<String> {
        let base = self.base_in(root);
        let mut globs = self.as_glob(root, &base);
        let written = base.join(&self.glob);
        if fs::symlink_metadata(&written).is_ok() {
            let mut places = vec![plain(&written), real(&written)];
            places.dedup();
            // A plain name with a single place means itself already.
            if places.len() == 1 && !self.glob.contains(WILDCARDS) {
                places.clear();
            }
            places.retain(|place| place.starts_with(root));
            globs.extend(places.iter().map(|place| below(root, place, &[])));
            globs.sort_unstable();
            globs.dedup();
        }
        globs
    }

    /// The glob as it is spelt in the tree, if some of its letters have the other case there.
    pub fn as_spelt_in(&self, root: &Path) -> Option<Self> {
        let mut dir = self.base_in(root);
        let mut parts: Vec<String> = self.glob.split('/').map(str::to_owned).collect();
        for part in &mut parts {
            if part.contains(WILDCARDS) {
                break;
            }
            if !dir.join(&*part).exists() {
                let names = fs::read_dir(&dir).ok()?.flatten();
                let mut names = names.filter_map(|entry| entry.file_name().into_string().ok());
                *part = names.find(|name| name.to_lowercase() == part.to_lowercase())?;
            }
            dir.push(&*part);
        }
        let glob = parts.join("/");
        (glob != self.glob).then(|| Self {
            glob,
            base: self.base.clone(),
        })
    }

    /// The directory in the tree that it is relative to.
    fn base_in(&self, root: &Path) -> PathBuf {
        let base = fs::canonicalize(&self.base).unwrap_or_else(|_| self.base.clone());
        match base.starts_with(root) {
            true => base,
            false => root.to_owned(),
        }
    }

    fn as_glob(&self, root: &Path, base: &Path) -> Vec<String> {
        let glob = self.glob.as_str();
        let name = glob.trim_end_matches('/');
        if !name.contains('/') && !matches!(name, "." | "..") {
            return vec![below(root, base, &[&format!("**/{glob}")])];
        }
        let (literal, rest) = split_literal(glob);
        let written = base.join(&literal);
        let mut places = vec![plain(&written), real(&written)];
        // A glob that begins with a slash and is no path into the tree is relative to its root.
        if literal.is_absolute() && !places.iter().any(|place| place.starts_with(root)) {
            let from_root = literal.strip_prefix("/").unwrap_or(&literal);
            places = vec![plain(&root.join(from_root))];
        }
        places.retain(|place| place.starts_with(root));
        places.dedup();
        places
            .iter()
            .map(|place| below(root, place, &rest))
            .collect()
    }
}

/// Characters that make a path a glob.
const WILDCARDS: [char; 5] = ['*', '?', '[', '{', '\\'];

/// The path that `glob` begins with, before the first component with a wildcard, and what follows.
fn split_literal(glob: &str) -> (PathBuf, Vec<&str>) {
    let parts: Vec<&str> = glob.split('/').collect();
    let end = parts.iter().position(|part| part.contains(WILDCARDS));
    let (literal, rest) = parts.split_at(end.unwrap_or(parts.len()));
    let mut path = PathBuf::new();
    if glob.starts_with('/') {
        path.push("/");
    }
    path.extend(literal.iter().filter(|part| !part.is_empty()));
    let rest = rest.iter().copied().filter(|part| !part.is_empty());
    (path, rest.collect())
}

/// Removes `.` and `..` from `path`, by its text alone.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

/// Resolves the links of `path`, as far as it exists.
fn real(path: &Path) -> PathBuf {
    for above in path.ancestors() {
        if let Ok(real) = fs::canonicalize(above) {
            let rest = path.strip_prefix(above).unwrap_or(Path::new(""));
            return plain(&real.join(rest));
        }
    }
    plain(path)
}

/// The glob of `place` and then `rest`, from `root`. It always names a place, never a name
/// anywhere.
fn below(root: &Path, place: &Path, rest: &[&str]) -> String {
    let inside = place.strip_prefix(root).unwrap_or(Path::new(""));
    let literal = inside.components().map(|part| escaped(part.as_os_str()));
    let parts: Vec<String> = literal
        .chain(rest.iter().map(|part| (*part).to_owned()))
        .collect();
    match parts.is_empty() {
        true => "/**".to_owned(),
        false => format!("/{}", parts.join("/")),
    }
}

fn escaped(name: &OsStr) -> String {
    globset::escape(&name.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_is_meant_from_its_directory() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir_all(root.join("sub/[x]")).unwrap();
        std::os::unix::fs::symlink("sub", root.join("link")).unwrap();
        let beside = tempfile::tempdir().unwrap();
        let alias = beside.path().join("alias");
        std::os::unix::fs::symlink(&root, &alias).unwrap();
        let check = |base: &str, glob: &str, expected: &[&str]| {
            let protect = ProtectGlob {
                glob: glob.to_owned(),
                base: root.join(base),
            };
            assert_eq!(protect.from_root(&root), expected, "{base} {glob}");
        };
        check("", "tests/**", &["/tests/**"]);
        check("sub", "tests/**", &["/sub/tests/**"]);
        check("sub", "*.lock", &["/sub/**/*.lock"]);
        check("", "*.lock", &["/**/*.lock"]);
        check("sub", "./a", &["/sub/a"]);
        check("sub", "../a/b", &["/a/b"]);
        check("sub", "../../a", &[]);
        check("sub/[x]", "a/b", &["/sub/[[]x[]]/a/b"]);
        check("link", "a/*", &["/sub/a/*"]);
        check("", "link", &["/**/link", "/link", "/sub"]);
        check("", "link/", &["/**/link/", "/link", "/sub"]);
        check("sub", "../link", &["/link", "/sub"]);
        check("sub", "[x]", &["/sub/**/[x]", "/sub/[[]x[]]"]);
        check("", "sub", &["/**/sub"]);
        check("", ".", &["/**"]);
        check("sub", "./", &["/sub"]);
        check("sub", "..", &["/**"]);
        check("", "..", &[]);
        check("", "link/a/*", &["/link/a/*", "/sub/a/*"]);
        check("sub", "tests/", &["/sub/**/tests/"]);
        check("sub", "/anywhere/*.py", &["/anywhere/*.py"]);
        let whole = |place: &Path| format!("{}/sub/t/**", place.display());
        check("sub", &whole(&root), &["/sub/t/**"]);
        check("sub", &whole(&alias), &["/sub/t/**"]);
        let outside = ProtectGlob {
            glob: "secrets/*".to_owned(),
            base: "/".into(),
        };
        assert_eq!(outside.from_root(&root), ["/secrets/*"]);
        let spelt = |base: &str, glob: &str| {
            let protect = ProtectGlob {
                glob: glob.to_owned(),
                base: root.join(base),
            };
            protect.as_spelt_in(&root).map(|other| other.glob)
        };
        assert_eq!(spelt("", "Sub/**").as_deref(), Some("sub/**"));
        assert_eq!(spelt("sub", "../SUB/*.rs").as_deref(), Some("../sub/*.rs"));
        assert_eq!(spelt("", "sub/**"), None);
        assert_eq!(spelt("", "Other/**"), None);
    }
}
