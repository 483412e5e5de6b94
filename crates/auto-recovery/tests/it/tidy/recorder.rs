//! The text of entries and journal records is made in one place: `audit/recorder.rs`. A store
//! appends what that made, or takes over what others made.

use super::rust;
use super::tree::{File, Tree};

/// What makes such text, and the only files that name it.
const MAKERS: &[(&str, &[&str])] = &[
    (
        "write_fitted",
        &[
            "auto-recovery/src/audit/fit.rs",
            "auto-recovery/src/audit/recorder.rs",
        ],
    ),
    ("JournalRecord {", &["auto-recovery/src/audit/recorder.rs"]),
    ("EntryRow::written", &[]),
];

/// What makes text of an entry that was recorded or read, and the files of stores that name it.
const AGAIN: (&str, &[&str]) = (
    "to_json",
    &[
        "auto-recovery-sql/src/row.rs",
        "auto-recovery-sql/src/sqlite/entry.rs",
    ],
);

/// The rooms of stores.
const STORES: [&str; 2] = ["auto-recovery/src/jsonl/", "auto-recovery-sql/src/"];

pub(super) fn other_makers(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for file in tree.rust().filter(|file| !file.is_test()) {
        let Some(place) = file.path.strip_prefix("crates/") else {
            continue;
        };
        if !place.contains("/src/") || place.contains("/src/testing") {
            continue;
        }
        let is_store = STORES.iter().any(|room| place.starts_with(room));
        let makers = MAKERS.iter().chain(is_store.then_some(&AGAIN));
        let found = makers.filter(|(name, files)| !files.contains(&place) && names(file, name));
        findings.extend(found.map(|(name, _)| {
            format!(
                "{}: `{name}` makes text of an entry or a record: have the recorder make it",
                file.path
            )
        }));
    }
    findings
}

/// Whether the shipped code of `file` names `maker`; a type that is made, and not only mentioned.
fn names(file: &File, maker: &str) -> bool {
    let code = file.shipped_code();
    let (path, literal) = match maker.strip_suffix(" {") {
        Some(name) => (name, true),
        None => (maker, false),
    };
    let word = path.split("::").next().unwrap_or(path);
    let mut found = rust::words(&code, word);
    found.any(|at| {
        let before = code[..at].trim_end();
        let mentions = ["struct", "impl", "for", "->", "dyn"];
        let is_mentioned = mentions.iter().any(|word| before.ends_with(word));
        match literal {
            true => !is_mentioned && code[at + word.len()..].trim_start().starts_with('{'),
            false => code[at..].starts_with(path),
        }
    })
}

#[test]
fn text_that_passed_no_recorder_is_found() {
    let check = |path: &str, code: &str, expected: usize| {
        let tree = Tree::of(&[(path, code)]);
        assert_eq!(other_makers(&tree).len(), expected, "{path}: {code}");
    };
    let (store, other) = (
        "crates/auto-recovery/src/jsonl/a.rs",
        "crates/auto-recovery/src/report/a.rs",
    );
    check(store, "use crate::audit::write_fitted;", 1);
    check(other, "use crate::audit::write_fitted;", 1);
    check(
        "crates/auto-recovery/src/audit/recorder.rs",
        "write_fitted(e)",
        0,
    );
    check(other, "fn f() { visit(JournalRecord { v, at }) }", 1);
    check(
        other,
        "fn f() -> JournalRecord { g() } impl JournalRecord {}",
        0,
    );
    check(store, "fn f() { put(entry.to_json()) }", 1);
    check(other, "fn f() { put(entry.to_json()) }", 0);
    check(other, "#[cfg(test)] mod tests { use a::write_fitted; }", 0);
}
