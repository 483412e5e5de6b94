//! Which files there may be, and what each kind of file may hold.

use regex::Regex;

use super::rust;
use super::tree::{File, Tree};

/// A file that no other declares is not compiled: its tests never run.
pub(super) fn undeclared_files(tree: &Tree) -> Vec<String> {
    tree.rust()
        .filter_map(|file| {
            let (parents, name) = parents(&file.path)?;
            let declares = |parent: &File| {
                rust::words(&parent.code, "mod")
                    .any(|at| is_declaration(&parent.code[at + "mod".len()..], &name))
            };
            let declared = parents
                .iter()
                .filter_map(|path| tree.get(path))
                .any(declares);
            (!declared).then(|| {
                format!(
                    "{}: no `mod {name};` in {}",
                    file.path,
                    parents.join(" or ")
                )
            })
        })
        .collect()
}

fn is_declaration(after_mod: &str, name: &str) -> bool {
    after_mod
        .trim_start()
        .strip_prefix(name)
        .is_some_and(|rest| rest.trim_start().starts_with(';'))
}

/// Where a file must be declared, and under which name; `None` for the root of a crate.
fn parents(path: &str) -> Option<(Vec<String>, String)> {
    let (folder, file) = path.rsplit_once('/')?;
    let is_root = match file {
        "lib.rs" | "main.rs" => true,
        _ => ["/examples", "/benches", "/bin", "/fuzz_targets"]
            .iter()
            .any(|roots| folder.ends_with(roots)),
    };
    if is_root || file == "build.rs" {
        return None;
    }
    let (folder, name) = match file.strip_suffix(".rs")? {
        "mod" => folder.rsplit_once('/')?,
        name => (folder, name),
    };
    let parents = match folder {
        _ if folder.ends_with("/src") => {
            vec![format!("{folder}/lib.rs"), format!("{folder}/main.rs")]
        }
        _ if folder.ends_with("/tests/it") => vec![format!("{folder}/main.rs")],
        _ => vec![format!("{folder}/mod.rs"), format!("{folder}.rs")],
    };
    Some((parents, name.to_owned()))
}

/// `lib.rs`, `mod.rs` and the roots of test binaries are tables of contents.
pub(super) fn roots_with_code(tree: &Tree) -> Vec<String> {
    let attribute = Regex::new(r"#!?\[").expect("a pattern of ours");
    let contents = Regex::new(r"^(pub(\s*\([^)]*\))?\s+)?(use\s|extern\s+crate\s|mod\s+\w+$)")
        .expect("a pattern of ours");
    tree.rust()
        .filter(|file| is_table_of_contents(&file.path))
        .filter_map(|file| {
            let mut code = file.code.clone();
            while let Some(found) = attribute.find(&code) {
                let Some(close) = rust::close_of(&code, found.end() - 1) else {
                    return Some(format!(
                        "{}: the tidy test cannot read its attributes",
                        file.path
                    ));
                };
                code.replace_range(found.start()..=close, "");
            }
            let other = code
                .split(';')
                .map(str::trim)
                .find(|item| !item.is_empty() && !contents.is_match(item))?;
            let start = other.lines().next().unwrap_or_default();
            Some(format!(
                "{}: only `mod` and `use` stand here, found `{start}`",
                file.path
            ))
        })
        .collect()
}

fn is_table_of_contents(path: &str) -> bool {
    path.ends_with("/lib.rs") || path.ends_with("/mod.rs") || path.ends_with("/tests/it/main.rs")
}

pub(super) fn files_without_a_head(tree: &Tree) -> Vec<String> {
    tree.rust()
        .filter(|file| !file.text.starts_with("//! "))
        .map(|file| {
            format!(
                "{}: open with `//!`: what it is for, what it refuses",
                file.path
            )
        })
        .collect()
}

#[test]
fn finds_files_that_nobody_declares() {
    let check = |files: &[(&str, &str)], expected: usize| {
        assert_eq!(
            undeclared_files(&Tree::of(files)).len(),
            expected,
            "{files:?}"
        );
    };
    let (root, test) = ("crates/a/tests/it/main.rs", "crates/a/tests/it/b.rs");
    check(&[(root, "mod b;"), (test, "")], 0);
    check(&[(root, "mod b ;"), (test, "")], 0);
    check(&[(root, "// mod b;\nmod bb;"), (test, "")], 1);
    check(&[(root, "mod b { }"), (test, "")], 1);
    check(&[(test, "")], 1);
    check(&[(root, "mod b;"), ("crates/a/tests/it/b/mod.rs", "")], 0);
    check(
        &[
            (root, "mod b;"),
            (test, "mod c;"),
            ("crates/a/tests/it/b/c.rs", ""),
        ],
        0,
    );
    check(
        &[
            ("crates/a/src/lib.rs", "mod b;"),
            ("crates/a/src/b/mod.rs", ""),
        ],
        0,
    );
    check(
        &[("crates/a/src/lib.rs", ""), ("crates/a/src/b/mod.rs", "")],
        1,
    );
    check(
        &[("crates/a/examples/b.rs", ""), ("crates/a/build.rs", "")],
        0,
    );
}

#[test]
fn finds_code_in_a_table_of_contents() {
    let check = |text: &str, expected: usize| {
        let tree = Tree::of(&[("crates/a/src/lib.rs", text)]);
        assert_eq!(roots_with_code(&tree).len(), expected, "{text}");
    };
    check(
        "//! A.\n\nmod a;\n#[cfg(unix)]\npub(crate) mod b;\npub use a::{A, b::{C, D}};",
        0,
    );
    check(
        "#![forbid(unsafe_code)]\n#[expect(x, reason = \"a]b\")]\nmod a;",
        0,
    );
    check("mod a { fn f() {} }", 1);
    check("mod a;\npub const A: u8 = 1;", 1);
    check("mod a;\npub fn f() {}", 1);
    check("pub use a::A;\nmacro_rules! m { () => {} }", 1);
}

#[test]
fn finds_modules_without_a_head() {
    let check = |text: &str, expected: usize| {
        let tree = Tree::of(&[("crates/a/src/b.rs", text)]);
        assert_eq!(files_without_a_head(&tree).len(), expected, "{text}");
    };
    check("//! What it is for.\n", 0);
    check("// A comment.\n//! Too late.\n", 1);
    check("use a::b;\n", 1);
}
