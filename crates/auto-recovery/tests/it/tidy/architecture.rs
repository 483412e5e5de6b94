//! The imports in ARCHITECTURE.md are those of the tidy table, for they are printed from there.

use std::fs;
use std::path::Path;

use super::arrows::{self, Table};
use super::tree::Tree;

const PAGE: &str = "ARCHITECTURE.md";

/// The lines around the printed part.
const BEGIN: &str = "<!-- printed from crates/auto-recovery/tests/it/tidy/arrows.rs -->";
const END: &str = "<!-- end of the printed part -->";

/// Findings about the page. A page that differs is printed anew in the build's directory, and the
/// finding has the command that copies it.
pub(super) fn page(tree: &Tree) -> Vec<String> {
    let text = tree.get(PAGE).map_or("", |file| &file.text);
    let table = printed(arrows::MODULES, arrows::BOUNDARIES);
    let Some(expected) = with_table(text, &table) else {
        return vec![format!("{PAGE}: give it the lines `{BEGIN}` and `{END}`")];
    };
    if text == expected {
        return Vec::new();
    }
    let renewed = Path::new(env!("CARGO_TARGET_TMPDIR")).join(PAGE);
    fs::write(&renewed, expected).expect("the build's directory can be written");
    vec![format!(
        "{PAGE}: the printed imports are not those of the tidy table: cp {} {PAGE}",
        renewed.display()
    )]
}

/// `text` with `table` between its two lines; `None` if it has no such lines.
fn with_table(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

/// The modules by floor, the highest first, with what each may import.
fn printed(modules: Table<'_>, boundaries: &[&str]) -> String {
    let floors = arrows::floors_of(modules);
    let mut rows: Vec<_> = modules.iter().collect();
    rows.sort_by_key(|(module, _)| std::cmp::Reverse(floors.get(module).copied()));
    let mut text = "| floor | module | may import |\n|---|---|---|\n".to_owned();
    for (module, imports) in rows {
        let floor = floors.get(module).copied().unwrap_or_default();
        let name = match boundaries.contains(module) {
            true => format!("**{module}**"),
            false => (*module).to_owned(),
        };
        let imports = match imports {
            [] => "nothing of ours".to_owned(),
            imports => imports.join(", "),
        };
        text += &format!("| {floor} | {name} | {imports} |\n");
    }
    text
}

/// Boundaries that cannot be reached from outside, for `lib.rs` does not open them.
pub(super) fn closed_boundaries(tree: &Tree) -> Vec<String> {
    let root = tree.get("crates/auto-recovery/src/lib.rs");
    let code = root.map_or("", |file| &file.code);
    let is_open = |module: &&&str| code.contains(&format!("pub mod {module};"));
    let closed = arrows::BOUNDARIES.iter().filter(|module| !is_open(module));
    closed
        .map(|module| format!("the tidy table has the boundary `{module}`: no public module"))
        .collect()
}

#[test]
fn prints_the_highest_floor_first_and_boundaries_in_bold() {
    let table: Table<'_> = &[("a", &[]), ("b", &["a"]), ("c", &["a", "b"])];
    let expected = "| floor | module | may import |\n|---|---|---|\n| 3 | **c** | a, b |\n\
                    | 2 | b | a |\n| 1 | a | nothing of ours |\n";
    assert_eq!(printed(table, &["c"]), expected);
    let page = format!("head\n{BEGIN}\nold\n{END}\ntail\n");
    let renewed = with_table(&page, "new\n").unwrap();
    assert_eq!(renewed, format!("head\n{BEGIN}\nnew\n{END}\ntail\n"));
    assert_eq!(with_table(&renewed, "new\n").unwrap(), renewed);
    assert_eq!(with_table("none", "new\n"), None);
}
