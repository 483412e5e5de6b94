//! The page that lists recipes and rules, made from them. `PAGES=write` writes it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{Machine, writes_pages};

const HEAD: &str = "\
# The list of recipes and rules

Made from the data that `recover` is built with; a test compares. `recover recipes NAME` tells all of a recipe on your
machine, `recover explain` which rule and which recipes met a failure.

";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// `text` as the cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// `texts` as code, each by itself.
fn codes<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let codes: Vec<_> = texts.map(|text| format!("`{}`", cell(text))).collect();
    codes.join(", ")
}

fn recipes(page: &mut String) {
    let machine = Machine::new();
    let listed = machine.recover(&["recipes", "--json"]).json();
    let listed = listed.as_array().expect("a list");
    writeln!(
        page,
        "## {} recipes, in the order they are tried\n",
        listed.len()
    )
    .expect("written");
    page.push_str("| recipe | tier | for | of | runs |\n|---|---|---|---|---|\n");
    for recipe in listed {
        let text = |key: &str| recipe[key].as_str().expect("a text");
        let texts = |key: &str| recipe[key].as_array().expect("a list").iter();
        let tools = texts("tools").chain(texts("commands"));
        let mut tools: Vec<_> = tools.map(|tool| tool.as_str().expect("a text")).collect();
        tools.dedup();
        let categories = texts("categories").map(|one| one.as_str().expect("a text"));
        let categories: Vec<_> = categories.collect();
        writeln!(
            page,
            "| {} | {} | {} | {} | `{}` |",
            text("name"),
            text("tier"),
            categories.join(", "),
            codes(tools.into_iter()),
            cell(text("runs")),
        )
        .expect("written");
    }
}

fn rules(page: &mut String) {
    let dir = repository().join("crates/auto-recovery/src/detect/rules");
    let mut files: Vec<_> = fs::read_dir(dir)
        .expect("the rules")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let mut rows = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a file of rules");
        let table: toml::Table = text.parse().expect("TOML");
        let group = file
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        for rule in table
            .get("rule")
            .and_then(|rules| rules.as_array())
            .into_iter()
            .flatten()
        {
            let text = |key: &str| rule.get(key).and_then(|value| value.as_str());
            let (Some(id), Some(category)) = (text("id"), text("category")) else {
                continue;
            };
            let kind = text("error_type").map(|kind| codes([kind].into_iter()));
            let source = text("source").unwrap_or_default();
            rows.push(format!(
                "| {id} | {category} | {} | {source} | {group} |\n",
                kind.unwrap_or_default()
            ));
        }
    }
    writeln!(page, "\n## {} rules of detection\n", rows.len()).expect("written");
    page.push_str(
        "Where none of them knows an output, its words decide ([detection](../detection.md)).\n\n",
    );
    page.push_str("| rule | category | type | source | group |\n|---|---|---|---|---|\n");
    page.push_str(&rows.concat());
}

#[test]
fn the_page_of_recipes_and_rules_says_what_is_built_in() {
    let mut page = HEAD.to_owned();
    recipes(&mut page);
    rules(&mut page);
    let path = repository().join("docs/guide/recipe-list.md");
    if writes_pages() {
        fs::write(&path, &page).expect("written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/guide/recipe-list.md is not what the data says: run this test with PAGES=write"
    );
}
