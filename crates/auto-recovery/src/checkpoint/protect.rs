//! Protected paths as people write them: globs from a directory, whole paths, paths through links.
//!
//! A glob is meant from the directory it was written in or for: the current one when it was typed,
//! that of its file when it stands in one. What comes out are globs from the root of the tree, as
//! [`Protected`](super::rules::Protected) takes them. Nothing here decides what is protected.

use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// A glob of protected paths, and where it is meant from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectGlob {
    /// The glob, as it was written.
    pub glob: String,
    /// The directory it is meant from. One outside of the tree stands for the root of the tree.
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

    /// The globs from `root` that it means: one, and a second where a link leads elsewhere in the
    /// tree. None if it leads out of the tree.
    pub fn from_root(&self, root: &Path) -> Vec<String> {
        let glob = self.glob.as_str();
        let base = fs::canonicalize(&self.base).unwrap_or_else(|_| self.base.clone());
        let base = if base.starts_with(root) { &base } else { root };
        let is_name = !glob.trim_end_matches('/').contains('/');
        if is_name {
            return vec![below(root, base, &[&format!("**/{glob}")])];
        }
        let (literal, rest) = split_literal(glob);
        let written = base.join(&literal);
        let mut places = vec![plain(&written), real(&written)];
        // One that begins with a slash and is no path into the tree is meant from its root.
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

/// The path that `glob` begins with, before the first component with a wildcard, and what follows.
fn split_literal(glob: &str) -> (PathBuf, Vec<&str>) {
    let has_wildcard = |part: &str| part.contains(['*', '?', '[', '{', '\\']);
    let parts: Vec<&str> = glob.split('/').collect();
    let end = parts.iter().position(|part| has_wildcard(part));
    let (literal, rest) = parts.split_at(end.unwrap_or(parts.len()));
    let mut path = PathBuf::new();
    if glob.starts_with('/') {
        path.push("/");
    }
    path.extend(literal.iter().filter(|part| !part.is_empty()));
    let rest = rest.iter().copied().filter(|part| !part.is_empty());
    (path, rest.collect())
}

/// `path` without `.` and `..`, by its words alone.
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

/// `path` without links, as far as there is such a path.
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
    format!("/{}", parts.join("/"))
}

fn escaped(name: &OsStr) -> String {
    globset::escape(&name.to_string_lossy())
}

/// The files below `root` that a command starts: its program, or the script that an interpreter is
/// given, in each part of a shell text.
pub fn scripts_of(argv: &[String], cwd: &Path, root: &Path) -> Vec<PathBuf> {
    let texts: Vec<Vec<String>> = match argv {
        [shell, flag, text] if is_interpreter(shell) && flag == "-c" => commands_of(text),
        _ => vec![argv.to_vec()],
    };
    let named = texts.iter().filter_map(|words| script_of(words));
    let files = named.filter_map(|word| fs::canonicalize(cwd.join(word)).ok());
    files
        .filter(|file| file.is_file() && file.starts_with(root))
        .collect()
}

/// The word of a command that may be a script.
fn script_of(words: &[String]) -> Option<&String> {
    let is_assignment = |word: &String| {
        let name = word.split_once('=').map(|(name, _)| name);
        name.is_some_and(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_'))
    };
    let mut words = words.iter().skip_while(|word| is_assignment(word));
    let program = words.next()?;
    if is_interpreter(program) {
        return words.find(|word| !word.starts_with('-'));
    }
    program.contains('/').then_some(program)
}

fn is_interpreter(program: &str) -> bool {
    const NAMES: [&str; 17] = [
        "ash", "bash", "bun", "dash", "deno", "env", "exec", "fish", "ksh", "node", "perl", "php",
        "python", "ruby", "sh", "tclsh", "zsh",
    ];
    let name = program.rsplit('/').next().unwrap_or(program);
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    NAMES.contains(&name)
}

/// The commands of a shell text, each as words without quotes. Only as good as needed to find
/// paths.
fn commands_of(text: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word = String::new();
    let mut quote = None;
    let end = |word: &mut String, commands: &mut Vec<Vec<String>>| {
        if !word.is_empty()
            && let Some(words) = commands.last_mut()
        {
            words.push(std::mem::take(word));
        }
    };
    for c in text.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => word.push(c),
            (None, '\'' | '"') => quote = Some(c),
            (None, ';' | '&' | '|' | '(' | ')' | '\n') => {
                end(&mut word, &mut commands);
                commands.push(Vec::new());
            }
            (None, c) if c.is_whitespace() => end(&mut word, &mut commands),
            (None, c) => word.push(c),
        }
    }
    end(&mut word, &mut commands);
    commands
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
    }

    #[test]
    fn scripts_are_found_in_what_is_run() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        for name in ["fix.sh", "a b.sh", "x.py"] {
            fs::write(root.join(name), "").unwrap();
        }
        let check = |argv: &[&str], expected: &[&str]| {
            let argv: Vec<_> = argv.iter().map(|word| (*word).to_owned()).collect();
            let expected: Vec<_> = expected.iter().map(|name| root.join(name)).collect();
            assert_eq!(scripts_of(&argv, &root, &root), expected, "{argv:?}");
        };
        check(&["./fix.sh", "x.py"], &["fix.sh"]);
        check(&["sh", "-c", "./fix.sh --on x.py"], &["fix.sh"]);
        check(
            &["sh", "-c", "X=1 python3 -u x.py && './a b.sh'"],
            &["x.py", "a b.sh"],
        );
        check(&["sh", "-c", "cat x.py | ./fix.sh"], &["fix.sh"]);
        check(&["bash", "fix.sh"], &["fix.sh"]);
        check(&["npm", "run", "fix.sh"], &[]);
        check(&["./missing.sh"], &[]);
    }
}
