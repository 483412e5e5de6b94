//! Files that somebody else may have made are opened in one way: by `auto_recovery::files`.

use super::rust;
use super::tree::Tree;

/// Calls that open whatever stands at a path, and wait for it, and read it whole.
const RAW: [&str; 3] = ["fs::read(", "fs::read_to_string(", "File::open("];

/// Where they may stand, and what they open there.
const ALLOWED: &[(&str, &str)] = &[
    (
        "auto-recovery/src/files/names.rs",
        "a directory, to sync it",
    ),
    ("auto-recovery/src/platform/told.rs", "/proc"),
    ("auto-recovery/src/platform/waits.rs", "/proc"),
    (
        "auto-recovery/src/run/state/outputs.rs",
        "a directory of our own state, to lock it",
    ),
    (
        "auto-recovery/src/transfer/import.rs",
        "what was typed: may be a pipe",
    ),
    (
        "auto-recovery-cli/src/args/pages.rs",
        "pages of this repository, in a test",
    ),
    (
        "auto-recovery-cli/src/commands/captured.rs",
        "what was typed: may be a pipe",
    ),
    (
        "auto-recovery-cli/src/settings/file.rs",
        "what was typed: may be a pipe",
    ),
];

pub(super) fn raw_reads(tree: &Tree) -> Vec<String> {
    check(tree, ALLOWED)
}

fn check(tree: &Tree, allowed: &[(&str, &str)]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut used = Vec::new();
    for file in tree.rust().filter(|file| !file.is_test()) {
        let Some(place) = file.path.strip_prefix("crates/") else {
            continue;
        };
        if !place.contains("/src/") || place.contains("/src/testing") {
            continue;
        }
        let code = file.shipped_code();
        let has = |raw: &&&str| {
            rust::words(&code, raw.split("::").next().unwrap_or(raw))
                .any(|at| code[at..].starts_with(**raw))
        };
        let Some(raw) = RAW.iter().find(has) else {
            continue;
        };
        match allowed.iter().find(|(path, _)| *path == place) {
            Some((path, _)) => used.push(*path),
            None => findings.push(format!(
                "{}: `{raw}..)` waits for a FIFO and reads without end: use `files::read_small` or \
                 `files::open_regular`, or say in the tidy table what it opens",
                file.path
            )),
        }
    }
    let unused = allowed.iter().filter(|(path, _)| !used.contains(path));
    findings.extend(unused.map(|(path, _)| {
        format!("the tidy table lets crates/{path} read as it likes, which it does not: strike it")
    }));
    findings
}

#[test]
fn a_raw_read_is_found_and_so_is_a_row_that_nobody_needs() {
    let of = |text: &str| Tree::of(&[("crates/a/src/b.rs", text)]);
    let row: &[(&str, &str)] = &[("a/src/b.rs", "/proc")];
    for raw in RAW {
        let text = format!("fn f() {{ std::{raw}path); }}");
        assert_eq!(check(&of(&text), &[]).len(), 1, "{raw}");
        assert!(check(&of(&text), row).is_empty(), "{raw}");
        let in_test = format!("#[cfg(test)]\nmod tests {{ fn f() {{ std::{raw}path); }} }}");
        assert!(check(&of(&in_test), &[]).is_empty(), "{raw}");
    }
    assert_eq!(check(&of("fn f() { my_fs::read(path); }"), row).len(), 1);
}
