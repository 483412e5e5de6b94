//! What is checked beside the code: pages, scripts, the justfile.

use regex::Regex;

use super::tree::{File, Tree};

/// The justfile stays something one can remember.
const VERBS_MAX: usize = 10;

/// Folders of the machines this was written on; nobody else has them. In halves, or this file would
/// hold what it forbids.
const MACHINE_FOLDERS: [&str; 2] = [concat!("/wo", "rk/"), concat!("/tmp/", "wt")];

pub(super) fn machine_paths(tree: &Tree) -> Vec<String> {
    let folders = MACHINE_FOLDERS.map(regex::escape).join("|");
    let pattern = Regex::new(&format!(r"(^|[^\w./-])({folders})")).expect("a pattern of ours");
    let mut findings = Vec::new();
    for file in &tree.files {
        for (index, line) in file.text.lines().enumerate() {
            if pattern.is_match(line) {
                findings.push(format!(
                    "{}:{}: a path of one machine",
                    file.path,
                    index + 1
                ));
            }
        }
    }
    findings
}

/// Commands in messages that name a session as it is: what is typed again as it is printed must be
/// one word for a shell.
pub(super) fn unquoted_sessions(tree: &Tree) -> Vec<String> {
    let pattern = Regex::new(r"`recover [^`]*\{(session|session_id|id|earlier)\}[^`]*`");
    let pattern = pattern.expect("a pattern of ours");
    let continued = Regex::new(r"\\\n *").expect("a pattern of ours");
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.contains("/src/")) {
        for found in pattern.find_iter(&continued.replace_all(&file.text, "")) {
            findings.push(format!(
                "{}: {}: a session in a command is written with `shell_word`",
                file.path,
                found.as_str()
            ));
        }
    }
    findings
}

pub(super) fn changelog(tree: &Tree, version: &str) -> Vec<String> {
    let heading = format!("## {version}");
    let known = tree
        .get("CHANGELOG.md")
        .is_some_and(|page| page.text.lines().any(|line| line.starts_with(&heading)));
    if known {
        Vec::new()
    } else {
        vec![format!(
            "CHANGELOG.md: no heading `{heading}`: say what a user gets"
        )]
    }
}

/// Links from page to page; those into the web are not followed.
pub(super) fn dead_links(tree: &Tree) -> Vec<String> {
    let link = Regex::new(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)").expect("a pattern of ours");
    let mut findings = Vec::new();
    for page in tree.files.iter().filter(|file| file.path.ends_with(".md")) {
        let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for found in link.captures_iter(&page.text) {
            let target = &found[1];
            let path = match target {
                "" => Some(page.path.clone()),
                target => leads_to(tree, folder, target),
            };
            let Some(path) = path else {
                findings.push(format!(
                    "{}: the link to `{target}` leads nowhere",
                    page.path
                ));
                continue;
            };
            let heading = found.get(2).map(|heading| heading.as_str());
            let known = tree.get(&path).map(|page| headings(&page.text));
            if let (Some(heading), Some(known)) = (heading, known)
                && !known.iter().any(|known| known == heading)
            {
                findings.push(format!(
                    "{}: `{path}` has no heading `#{heading}`",
                    page.path
                ));
            }
        }
    }
    findings
}

/// The headings of a page, as links name them: in lower case, without marks, joined by hyphens.
fn headings(page: &str) -> Vec<String> {
    let of_line = |line: &str| {
        let heading = line.trim_start_matches('#');
        (heading.len() < line.len() && heading.starts_with(' ')).then(|| heading.trim().to_owned())
    };
    let linked = |heading: String| {
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    page.lines().filter_map(of_line).map(linked).collect()
}

/// Pages of the site that its table of contents does not name.
pub(super) fn pages_out_of_the_site(tree: &Tree) -> Vec<String> {
    let Some(contents) = tree.get("docs/SUMMARY.md") else {
        return vec!["docs/SUMMARY.md is not there: the site has no table of contents".to_owned()];
    };
    let pages = tree.files.iter().filter_map(|file| {
        let page = file.path.strip_prefix("docs/")?;
        (page.ends_with(".md") && page != "SUMMARY.md").then_some(page)
    });
    pages
        .filter(|page| !contents.text.contains(&format!("]({page})")))
        .map(|page| format!("docs/SUMMARY.md does not name {page}"))
        .collect()
}

/// The file or folder to which a link of a page in `folder` leads, if it is there.
fn leads_to(tree: &Tree, folder: &str, target: &str) -> Option<String> {
    let mut steps: Vec<&str> = folder.split('/').filter(|step| !step.is_empty()).collect();
    for step in target.split('/').filter(|step| !step.is_empty()) {
        match step {
            "." => {}
            ".." => {
                steps.pop()?;
            }
            step => steps.push(step),
        }
    }
    let path = steps.join("/");
    let inside = format!("{path}/");
    let is_there = |file: &File| file.path == path || file.path.starts_with(&inside);
    tree.files.iter().any(is_there).then_some(path)
}

pub(super) fn careless_scripts(tree: &Tree) -> Vec<String> {
    tree.files
        .iter()
        .filter(|file| file.path.starts_with("scripts/") || file.path.starts_with(".ci/"))
        .filter(|file| file.text.starts_with("#!"))
        .filter(|file| {
            !file.text.starts_with("#!/usr/bin/env bash\n")
                || !file.text.lines().any(|line| line == "set -euo pipefail")
        })
        .map(|file| format!("{}: use bash and `set -euo pipefail`", file.path))
        .collect()
}

pub(super) fn justfile_verbs(tree: &Tree) -> Vec<String> {
    let verb = Regex::new(r"(?m)^[a-z][\w-]*[^:\n]*:([^=]|$)").expect("a pattern of ours");
    let Some(justfile) = tree.get("justfile") else {
        return vec!["there is no justfile".to_owned()];
    };
    let count = verb.find_iter(&justfile.text).count();
    if (1..=VERBS_MAX).contains(&count) {
        Vec::new()
    } else {
        vec![format!("justfile: {count} verbs, at most {VERBS_MAX}")]
    }
}

#[test]
fn finds_paths_of_one_machine() {
    let check = |text: &str, expected: usize| {
        assert_eq!(
            machine_paths(&Tree::of(&[("a.md", text)])).len(),
            expected,
            "{text}"
        );
    };
    for folder in MACHINE_FOLDERS {
        check(&format!("cd {folder}x"), 1);
        check(&format!("`{folder}x`"), 1);
        check(&format!("{folder}x"), 1);
        check(&format!("/home/runner{folder}x, a{folder}, ./a{folder}"), 0);
    }
}

#[test]
fn finds_a_version_without_an_entry() {
    let check = |text: &str, expected: usize| {
        assert_eq!(
            changelog(&Tree::of(&[("CHANGELOG.md", text)]), "1.2.3").len(),
            expected
        );
    };
    check("# Changelog\n\n## 1.2.3 (soon)\n", 0);
    check("# Changelog\n\n1.2.3\n\n## 1.2.2\n", 1);
    assert_eq!(changelog(&Tree::of(&[]), "1.2.3").len(), 1);
}

#[test]
fn finds_dead_links() {
    let check = |text: &str, expected: usize| {
        let tree = Tree::of(&[
            ("docs/guide/a.md", text),
            ("docs/b.md", "# C\n## What `d` is, and not\n"),
            ("README.md", ""),
        ]);
        assert_eq!(dead_links(&tree).len(), expected, "{text}");
    };
    check(
        "[b](../b.md) [b](../b.md#c) [top](../../README.md) [self](a.md) [f](../guide/)",
        0,
    );
    check(
        "[web](https://example.org/c.md) [d](../b.md#what-d-is-and-not)",
        0,
    );
    check("# Here\n[here](#here)", 0);
    check("[there](#there) [e](../b.md#e)", 2);
    check("[b](b.md) [c](../c.md) [up](../../../README.md)", 3);
}

#[test]
fn finds_pages_that_the_site_lacks() {
    let check = |contents: &str, expected: usize| {
        let pages = [
            ("docs/a.md", ""),
            ("docs/guide/b.md", ""),
            ("README.md", ""),
        ];
        let tree = Tree::of(&[&pages[..], &[("docs/SUMMARY.md", contents)]].concat());
        assert_eq!(pages_out_of_the_site(&tree).len(), expected, "{contents}");
    };
    check("- [a](a.md)\n- [b](guide/b.md)\n", 0);
    check("- [a](a.md)\n", 1);
    assert_eq!(pages_out_of_the_site(&Tree::of(&[])).len(), 1);
}

#[test]
fn finds_careless_scripts() {
    let check = |path: &str, text: &str, expected: usize| {
        assert_eq!(
            careless_scripts(&Tree::of(&[(path, text)])).len(),
            expected,
            "{path}: {text}"
        );
    };
    check("scripts/a", "#!/usr/bin/env bash\nset -euo pipefail\n", 0);
    check("scripts/a", "#!/usr/bin/env bash\nset -e\n", 1);
    check(".ci/run", "#!/bin/sh\nset -euo pipefail\n", 1);
    check("scripts/lib.sh", "# sourced by the others\n", 0);
}

#[test]
fn counts_the_verbs() {
    let check = |text: &str, expected: usize| {
        assert_eq!(
            justfile_verbs(&Tree::of(&[("justfile", text)])).len(),
            expected,
            "{text}"
        );
    };
    let verb = "# what it does\nbuild a=\"b\" *args: lint\n    cargo build {{args}}: no\n";
    check(
        &format!(
            "set shell := ['bash']\nx := '1'\n{}",
            verb.repeat(VERBS_MAX)
        ),
        0,
    );
    check(&verb.repeat(VERBS_MAX + 1), 1);
    check("", 1);
    assert_eq!(justfile_verbs(&Tree::of(&[])).len(), 1);
}

#[test]
fn finds_sessions_that_are_no_word_of_a_shell() {
    let check = |text: &str, expected: usize| {
        let tree = Tree::of(&[("crates/a/src/b.rs", text)]);
        assert_eq!(unquoted_sessions(&tree).len(), expected, "{text}");
    };
    check("format!(\"see `recover show {session}`\")", 1);
    check("format!(\"see `recover \\\n    history {id}` for all\")", 1);
    check("format!(\"session {session}: `recover show {}`\", word)", 0);
}
