//! Permitted imports: between crates by their manifests, inside the library by the names in its
//! code.
//!
//! The tables are the rule. A new module or crate gets its row here first, and a row that is no
//! longer true is removed. Tests are free: code under `#[cfg(test)]`, and the module `testing`, may
//! import any module; nothing that ships imports `testing`, for it has no row.

use std::collections::{BTreeMap, BTreeSet};

use super::rust;
use super::tree::{File, Tree};

pub(super) type Table<'a> = &'a [(&'a str, &'a [&'a str])];

/// Each crate, and which of ours it may depend on. No crate depends on the command line or on the
/// Python package.
const CRATES: Table<'_> = &[
    ("auto-recovery", &[]),
    (
        "auto-recovery-cli",
        &[
            "auto-recovery",
            "auto-recovery-remote",
            "auto-recovery-server",
            "auto-recovery-sql",
        ],
    ),
    ("auto-recovery-python", &["auto-recovery"]),
    ("auto-recovery-remote", &["auto-recovery"]),
    ("auto-recovery-server", &["auto-recovery"]),
    ("auto-recovery-sql", &["auto-recovery"]),
];

/// Each module of the library, and which others it may import.
#[rustfmt::skip]
pub(super) const MODULES: Table<'_> = &[
    // What is said of one failure, one try, one record.
    ("error", &[]),
    ("mutex", &[]),
    ("group_commit", &["error", "mutex"]),
    ("wording", &[]),
    ("exit", &[]),
    ("escape", &[]),
    ("failure_kind", &["escape"]),
    ("tier", &["error"]),
    ("failure", &["error", "failure_kind"]),
    ("entry", &["error"]),
    ("attempt", &["failure", "strategy"]),
    // What is decided: pure.
    ("strategy", &["failure", "tier"]),
    ("detect", &["error", "escape", "failure", "command_line"]),
    ("classify", &["failure"]),
    ("plan", &["failure", "strategy", "tier"]),
    ("learn", &["error", "failure", "strategy", "tier", "plan", "statistics", "integrity", "wording"]),
    ("command_line", &[]),
    ("recipe", &["error", "escape", "failure", "command_line", "detect", "tier"]),
    ("fixer", &["error"]),
    ("redaction", &[]),
    ("integrity", &[]),
    ("encryption", &["integrity"]),
    ("statistics", &["error", "entry"]),
    // What touches the world.
    ("platform", &[]),
    ("files", &["error"]),
    ("workers", &["error", "mutex"]),
    ("interrupt", &["error", "mutex", "platform"]),
    ("host", &["mutex", "interrupt"]),
    ("patience", &["error", "files", "platform", "host"]),
    ("process", &["error", "mutex", "exit", "files", "platform", "interrupt", "host", "patience", "wording"]),
    ("git", &["error", "files", "host", "process"]),
    ("workspace", &["error", "files", "platform", "host", "git"]),
    ("checkpoint", &["error", "mutex", "command_line", "redaction", "files", "platform", "host", "patience", "git", "workspace", "wording", "workers"]),
    // What is kept.
    ("audit", &["error", "mutex", "failure", "entry", "tier", "statistics", "integrity", "encryption", "files", "workers", "host", "redaction", "wording"]),
    ("jsonl", &["error", "mutex", "group_commit", "statistics", "integrity", "files", "workers", "platform", "host", "patience", "audit"]),
    ("spool", &["error", "mutex", "files", "host", "patience", "audit", "jsonl", "export", "wording"]),
    ("export", &["error", "mutex", "entry", "files", "host", "audit"]),
    ("report", &["error", "escape", "failure", "entry", "statistics", "host", "audit", "export", "wording"]),
    ("retention", &["error", "statistics", "files", "audit", "export", "wording"]),
    ("transfer", &["error", "entry", "files", "platform", "redaction", "audit", "jsonl"]),
    ("logger", &["error", "mutex", "attempt", "entry", "statistics", "integrity", "host", "audit", "jsonl", "export", "report", "wording"]),
    // What drives it all.
    ("manager", &["error", "mutex", "failure", "attempt", "entry", "strategy", "classify", "plan", "tier", "statistics", "exit", "host", "audit", "export", "logger", "wording"]),
    ("run", &["error", "escape", "mutex", "failure", "attempt", "strategy", "detect", "plan", "learn", "command_line", "recipe", "tier", "fixer", "exit", "files", "interrupt", "host", "patience", "process", "platform", "redaction", "integrity", "encryption", "workspace", "checkpoint", "audit", "report", "logger", "manager", "wording", "workers"]),
];

/// The modules that embedders build on: what is public there changes with a line in CHANGELOG.md.
/// What else is public is so for our own crates.
pub(super) const BOUNDARIES: &[&str] = &[
    "attempt",
    "audit",
    "detect",
    "entry",
    "error",
    "export",
    "failure",
    "host",
    "jsonl",
    "logger",
    "manager",
    "plan",
    "report",
    "retention",
    "run",
    "statistics",
    "strategy",
    "transfer",
];

/// The modules that must not reach the world, not even through another.
const PURE: [&str; 18] = [
    "error",
    "escape",
    "exit",
    "failure",
    "failure_kind",
    "entry",
    "attempt",
    "strategy",
    "detect",
    "classify",
    "plan",
    "learn",
    "command_line",
    "recipe",
    "redaction",
    "encryption",
    "tier",
    "statistics",
];

const WORLD: [&str; 13] = [
    "platform",
    "interrupt",
    "host",
    "patience",
    "process",
    "git",
    "workspace",
    "checkpoint",
    "audit",
    "jsonl",
    "logger",
    "manager",
    "run",
];

const LIBRARY: &str = "crates/auto-recovery/src/";

/// Limit on the floors of the modules, each above all that it imports.
const FLOORS_MAX: usize = 9;

pub(super) fn in_library(tree: &Tree) -> Vec<String> {
    let mut findings = arrows_of_modules(tree, MODULES);
    findings.extend(floors(MODULES));
    findings
}

/// Modules on too high a floor, and those without one, for they import each other in a circle.
fn floors(table: Table<'_>) -> Vec<String> {
    let floors = floors_of(table);
    let modules = table.iter().map(|(module, _)| *module);
    let found = modules.filter_map(|module| match floors.get(module) {
        None => Some(format!(
            "`{module}` is in a circle of modules, or stands on one"
        )),
        Some(floor) if *floor > FLOORS_MAX => Some(format!(
            "`{module}` stands on floor {floor}, at most {FLOORS_MAX}: import less"
        )),
        Some(_) => None,
    });
    found.collect()
}

/// The floor of each module, above all that it imports; none of a circle has one.
pub(super) fn floors_of<'t>(table: Table<'t>) -> BTreeMap<&'t str, usize> {
    let mut floors = BTreeMap::new();
    loop {
        let before = floors.len();
        for (module, allowed) in table {
            let below = allowed.iter().map(|import| floors.get(import).copied());
            if let Some(below) = below.collect::<Option<Vec<usize>>>() {
                floors.insert(*module, below.into_iter().max().unwrap_or_default() + 1);
            }
        }
        if floors.len() == before {
            return floors;
        }
    }
}

fn arrows_of_modules(tree: &Tree, table: Table<'_>) -> Vec<String> {
    let table: BTreeMap<_, _> = table.iter().copied().collect();
    let mut findings = Vec::new();
    let mut met = BTreeSet::new();
    let mut used = BTreeSet::new();
    for file in tree.rust().filter(|file| !file.is_test()) {
        let Some(place) = file.path.strip_prefix(LIBRARY) else {
            continue;
        };
        let module = place.split('/').next().unwrap_or(place);
        let module = module.strip_suffix(".rs").unwrap_or(module);
        if module == "lib" {
            continue;
        }
        met.insert(module);
        let Some(allowed) = table.get(module) else {
            findings.push(format!(
                "{}: `{module}` has no row in the tidy table",
                file.path
            ));
            continue;
        };
        for import in imports(file, depth(place)) {
            if !table.contains_key(import.as_str()) {
                findings.push(format!(
                    "{}: `crate::{import}` names no module: import from where it is defined",
                    file.path
                ));
            } else if import != module && !allowed.contains(&import.as_str()) {
                findings.push(format!(
                    "{}: `{module}` must not import `{import}`",
                    file.path
                ));
            }
            used.insert((module, import));
        }
    }
    let gone = table.keys().filter(|module| !met.contains(*module));
    findings.extend(
        gone.map(|module| format!("the tidy table has a row for `{module}`: no such module")),
    );
    for (module, allowed) in &table {
        let is_unused = |import: &&&str| !used.contains(&(*module, (**import).to_owned()));
        findings.extend(allowed.iter().filter(is_unused).map(|import| {
            format!(
                "the tidy table lets `{module}` import `{import}`, which it does not: strike it"
            )
        }));
    }
    findings
}

/// Depth in modules of a file of the library: `a.rs` and `a/mod.rs` 1, `a/b.rs` 2.
fn depth(place: &str) -> usize {
    let steps = place.split('/').count();
    if place.ends_with("/mod.rs") {
        steps - 1
    } else {
        steps
    }
}

/// The names at the root of the crate that the shipped code of `file` uses.
fn imports(file: &File, depth: usize) -> BTreeSet<String> {
    let code = file.shipped_code();
    let mut names = BTreeSet::new();
    let from_root = rust::words(&code, "crate").map(|at| &code[at + "crate".len()..]);
    let from_above = rust::words(&code, "super").filter_map(|at| above(&code[at..], depth));
    for path in from_root.chain(from_above) {
        names.extend(heads(path));
    }
    names
}

/// The text after `depth` times `super::`, from before the last `::`.
fn above(code: &str, depth: usize) -> Option<&str> {
    let mut rest = code.strip_prefix("super")?;
    for _ in 1..depth {
        rest = rest
            .trim_start()
            .strip_prefix("::")?
            .trim_start()
            .strip_prefix("super")?;
    }
    Some(rest)
}

/// The first names of the path or group that follows: `::a::b` has `a`, `::{a, b::{c, d}}` has `a`,
/// `b`.
fn heads(path: &str) -> Vec<String> {
    let Some(path) = path.trim_start().strip_prefix("::").map(str::trim_start) else {
        return Vec::new();
    };
    if path.starts_with('*') {
        return vec!["*".to_owned()];
    }
    if !path.starts_with('{') {
        return vec![rust::first_word(path).to_owned()];
    }
    let group = rust::close_of(path, 0).map_or("", |close| &path[1..close]);
    let mut depth = 0_usize;
    group
        .split(|character| {
            match character {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            character == ',' && depth == 0
        })
        .map(|item| match item.trim() {
            "*" => "*".to_owned(),
            item => rust::first_word(item).to_owned(),
        })
        .filter(|name| !name.is_empty())
        .collect()
}

pub(super) fn between_crates(tree: &Tree) -> Vec<String> {
    let table: BTreeMap<_, _> = CRATES.iter().copied().collect();
    let mut findings = Vec::new();
    for file in &tree.files {
        let manifest = file.path.strip_prefix("crates/");
        let manifest = manifest.and_then(|path| path.strip_suffix("/Cargo.toml"));
        // What lies deeper are projects that tests work on.
        let Some(folder) = manifest.filter(|folder| !folder.contains('/')) else {
            continue;
        };
        let manifest: toml::Table = file.text.parse().expect("cargo has read it already");
        let name = manifest["package"]["name"].as_str().unwrap_or_default();
        if name != folder {
            findings.push(format!(
                "{}: crate `{name}` is not named as its folder",
                file.path
            ));
        }
        let Some(allowed) = table.get(name) else {
            findings.push(format!(
                "{}: `{name}` has no row in the tidy table",
                file.path
            ));
            continue;
        };
        for ours in dependencies(&manifest).filter(|name| name.starts_with("auto-recovery")) {
            if !allowed.contains(&ours) {
                findings.push(format!(
                    "{}: `{name}` must not depend on `{ours}`",
                    file.path
                ));
            }
        }
    }
    findings
}

/// Dependencies that the workspace lists and no crate takes.
pub(super) fn unused_dependencies(tree: &Tree) -> Vec<String> {
    let manifests = tree
        .files
        .iter()
        .filter(|file| file.path.ends_with("/Cargo.toml") && file.path.matches('/').count() == 2);
    let mut taken = BTreeSet::new();
    for file in manifests {
        let manifest: toml::Table = file.text.parse().expect("cargo has read it already");
        let sections = ["dependencies", "build-dependencies", "dev-dependencies"];
        let sections = sections
            .iter()
            .filter_map(|section| manifest.get(*section)?.as_table());
        taken.extend(sections.flat_map(|section| section.keys().cloned()));
    }
    let root = tree.get("Cargo.toml").map_or("", |file| &file.text);
    let root: toml::Table = root.parse().expect("cargo has read it already");
    let listed = root
        .get("workspace")
        .and_then(|table| table.get("dependencies"));
    let listed = listed.and_then(toml::Value::as_table).into_iter().flatten();
    listed
        .filter(|(name, _)| !taken.contains(*name))
        .map(|(name, _)| format!("Cargo.toml: no crate takes `{name}`: strike it"))
        .collect()
}

/// Every dependency that ships, by name; what tests need is free.
fn dependencies(manifest: &toml::Table) -> impl Iterator<Item = &str> {
    ["dependencies", "build-dependencies"]
        .into_iter()
        .filter_map(|section| manifest.get(section)?.as_table())
        .flat_map(|section| section.keys().map(String::as_str))
}

#[test]
fn modules_stand_on_few_floors() {
    let check = |table: Table<'_>, expected: usize| {
        assert_eq!(floors(table).len(), expected, "{table:?}");
    };
    check(&[("a", &[]), ("b", &["a"])], 0);
    check(&[("b", &["a"]), ("a", &[])], 0);
    check(
        &[("a", &["b"]), ("b", &["a"]), ("c", &["a"]), ("d", &[])],
        3,
    );
    let names: Vec<String> = (0..=FLOORS_MAX).map(|floor| floor.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let rows = (0..names.len()).map(|at| (names[at], &names[at.saturating_sub(1)..at]));
    check(&rows.collect::<Vec<_>>(), 1);
}

#[test]
fn pure_modules_reach_no_world() {
    let table: BTreeMap<_, _> = MODULES.iter().copied().collect();
    let mut reached: BTreeSet<&str> = PURE.into();
    let mut waiting = PURE.to_vec();
    while let Some(module) = waiting.pop() {
        waiting.extend(table[module].iter().filter(|next| reached.insert(next)));
    }
    for module in WORLD {
        assert!(!reached.contains(module), "{module}");
    }
}

#[test]
fn reads_imports() {
    let check = |path: &str, text: &str, expected: &[&str]| {
        let tree = Tree::of(&[(path, text)]);
        let place = path.strip_prefix(LIBRARY).unwrap();
        let found = imports(&tree.files[0], depth(place));
        assert_eq!(
            found.iter().map(String::as_str).collect::<Vec<_>>(),
            expected,
            "{text}"
        );
    };
    let (flat, folder) = (
        "crates/auto-recovery/src/a.rs",
        "crates/auto-recovery/src/a/mod.rs",
    );
    let (deep, tests) = (
        "crates/auto-recovery/src/a/b.rs",
        "crates/auto-recovery/src/a/tests.rs",
    );
    check(flat, "use crate::b::{C, D};", &["b"]);
    check(flat, "use crate::{b::{C, D}, e, f as g};", &["b", "e", "f"]);
    check(
        flat,
        "fn f() -> crate::b::C { crate :: d::e() }",
        &["b", "d"],
    );
    check(
        flat,
        "pub(crate) fn f() {} // crate::b\n/// [`crate::c`]\nstruct S(&str);",
        &[],
    );
    check(
        flat,
        "use super::b::C; use super::{d, e::F};",
        &["b", "d", "e"],
    );
    check(folder, "use super::b; use self::c::D;", &["b"]);
    check(deep, "use super::c; use super::super::d::E;", &["d"]);
    check(flat, "use crate::*;", &["*"]);
    check(flat, "#[cfg(test)] mod tests { use crate::b; }", &[]);
    check(tests, "use crate::b;", &[]);
}

#[test]
fn rejects_a_wrong_arrow() {
    let table: Table<'_> = &[("a", &[]), ("b", &["a"])];
    let check = |a: &str, b: &str, expected: &[&str]| {
        let tree = Tree::of(&[
            ("crates/auto-recovery/src/a.rs", a),
            ("crates/auto-recovery/src/b/mod.rs", b),
        ]);
        let findings = arrows_of_modules(&tree, table);
        assert_eq!(findings.len(), expected.len(), "{findings:?}");
        for (finding, expected) in findings.iter().zip(expected) {
            assert!(finding.contains(expected), "{finding}");
        }
    };
    let unused = "lets `b` import `a`, which it does not";
    check("use crate::a::A;", "use crate::a::A;", &[]);
    check(
        "use crate::b::B;",
        "use crate::a::A;",
        &["`a` must not import `b`"],
    );
    check("", "use crate::A;", &["`crate::A` names no module", unused]);
    check("", "#[cfg(test)] use crate::a::A;", &[unused]);
    let tree = Tree::of(&[("crates/auto-recovery/src/c.rs", "")]);
    assert_eq!(
        arrows_of_modules(&tree, table).len(),
        4,
        "one without a row, two rows without one, one permission that nobody uses"
    );
}

#[test]
fn rejects_an_unused_dependency() {
    let check = |manifest: &str, expected: usize| {
        let tree = Tree::of(&[
            ("Cargo.toml", "[workspace.dependencies]\na = \"1\"\n"),
            ("crates/b/Cargo.toml", manifest),
        ]);
        assert_eq!(unused_dependencies(&tree).len(), expected, "{manifest}");
    };
    check("[dependencies]\na.workspace = true", 0);
    check("[dev-dependencies]\na = { workspace = true }", 0);
    check("[dependencies]\nb = \"1\"", 1);
}

#[test]
fn rejects_a_wrong_dependency() {
    let check = |folder: &str, name: &str, dependencies: &str, expected: usize| {
        let text = format!("[package]\nname = \"{name}\"\n{dependencies}");
        let path = format!("crates/{folder}/Cargo.toml");
        let findings = between_crates(&Tree::of(&[(&path, &text)]));
        assert_eq!(findings.len(), expected, "{findings:?}");
    };
    let (library, cli) = ("auto-recovery", "auto-recovery-cli");
    check(
        cli,
        cli,
        "[dependencies]\nauto-recovery.workspace = true\nclap = \"4\"",
        0,
    );
    check(
        library,
        library,
        "[dependencies]\nauto-recovery-cli = { path = \"../x\" }",
        1,
    );
    check(
        library,
        library,
        "[build-dependencies.auto-recovery-cli]\npath = \"../x\"",
        1,
    );
    check("recover", cli, "", 1);
    check("auto-recovery-new", "auto-recovery-new", "", 1);
}
