//! Files are made private, replaced whole and brought to the disk in one way: by
//! `auto_recovery::files`.

use super::tree::Tree;

/// The room in which that stands.
const ROOM: &str = "auto-recovery/src/files/";

/// Calls that make, replace or sync, and what `files` has in place of each.
const CALLS: [(&str, &str); 5] = [
    ("DirBuilder", "make_private_dir"),
    ("fs::create_dir", "make_private_dir"),
    ("fs::create_dir_all", "make_private_dirs"),
    ("fs::rename", "replace"),
    ("sync_all", "replace` or `sync_dir"),
];

/// Where such a call stands all the same, and why.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    (
        "auto-recovery/src/checkpoint/store.rs",
        "fs::rename",
        "moves a damaged repository away and replaces nothing",
    ),
    (
        "auto-recovery/src/git.rs",
        "fs::create_dir_all",
        "completes a repository, in which git makes directories too",
    ),
    (
        "auto-recovery/src/platform/control_group.rs",
        "fs::create_dir",
        "makes a control group, which has no file's mode",
    ),
    (
        "auto-recovery/src/retention/archive.rs",
        "sync_all",
        "an archive is read back once it is synced, and named only then",
    ),
    (
        "auto-recovery-cli/src/commands/completions.rs",
        "fs::create_dir_all",
        "completions are for every program of the user's, not private",
    ),
    (
        "auto-recovery-cli/src/settings/trusted.rs",
        "sync_all",
        "the list is locked, so it grows in place: another file would leave the lock behind",
    ),
];

pub(super) fn calls_elsewhere(tree: &Tree) -> Vec<String> {
    check(tree, ELSEWHERE)
}

fn check(tree: &Tree, elsewhere: &[(&str, &str, &str)]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut used = Vec::new();
    for file in tree.rust().filter(|file| !file.is_test()) {
        let Some(place) = file.path.strip_prefix("crates/") else {
            continue;
        };
        if !place.contains("/src/") || place.contains("/src/testing") || place.starts_with(ROOM) {
            continue;
        }
        let code = file.shipped_code();
        let made = CALLS.iter().filter(|(call, _)| has(&code, call));
        for (call, instead) in made {
            match elsewhere.iter().find(|row| (row.0, row.1) == (place, call)) {
                Some(row) => used.push(row),
                None => findings.push(format!(
                    "{}: `{call}`: use `{instead}` of `auto_recovery::files`, or say in the tidy \
                     table why not",
                    file.path
                )),
            }
        }
    }
    let unused = elsewhere.iter().filter(|row| !used.contains(row));
    findings.extend(unused.map(|(path, call, _)| {
        format!("the tidy table lets crates/{path} call `{call}`, which it does not: strike it")
    }));
    findings
}

/// Whether `code` has `call`, and not only as the beginning or the end of another name.
fn has(code: &str, call: &str) -> bool {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    code.match_indices(call).any(|(at, _)| {
        let before = code.as_bytes()[..at].last();
        let after = code.as_bytes().get(at + call.len());
        !before.is_some_and(is_of_name) && !after.is_some_and(is_of_name)
    })
}

#[test]
fn a_call_elsewhere_is_found_and_so_is_a_row_that_nobody_needs() {
    let of = |text: &str| Tree::of(&[("crates/a/src/b.rs", text)]);
    for (call, _) in CALLS {
        let text = format!("fn f() {{ std::{call}; }}");
        let row: &[(&str, &str, &str)] = &[("a/src/b.rs", call, "")];
        assert_eq!(check(&of(&text), &[]).len(), 1, "{call}");
        assert!(check(&of(&text), row).is_empty(), "{call}");
        let in_test = format!("#[cfg(test)]\nmod tests {{ {text} }}");
        assert_eq!(check(&of(&in_test), row).len(), 1, "{call}");
    }
    let others = "fn f() { my_fs::rename(a, b); fs::renamed(a); self.create_dir(); }";
    assert!(check(&of(others), &[]).is_empty());
    let inside = [("crates/auto-recovery/src/files/a.rs", "fs::rename(a, b)")];
    assert!(check(&Tree::of(&inside), &[]).is_empty());
}
