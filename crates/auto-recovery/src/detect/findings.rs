//! The files in which one tool found the same kind of thing: what its output names beside the file
//! of the failure.
//!
//! A failure is the first finding of many. What mends a file at a time has to be given them all,
//! and only those that the tool itself named: the rules that could have told the failure read the
//! other lines too. Nothing is taken for a file because it looks like one. A user's own rules are
//! not asked; a failure that one of them told keeps its one file.

use std::collections::HashSet;

use memchr::memchr2_iter;

use super::detector::named_at;
use super::rules::{Prepared, Rules};
use crate::escape::strip_escapes;
use crate::failure::Failure;

/// Files that are named at most: as many as fit into one command, and far more than a person reads.
pub const FILES_MAX: usize = 1_000;

/// Bytes of their names together: 96 KiB, below the least that systems allow for one command with
/// its environment, which is 128 KiB.
const NAMES_BYTES_MAX: usize = 96 * 1024;

/// Findings that are read: some ten a file.
const FINDINGS_MAX: usize = 10_000;

/// The file of `failure`, and after it the others in which its tool found the same kind of thing,
/// as `output` names them: each once, in the order in which they stand there, at most
/// [`FILES_MAX`]. Empty if the failure names none.
pub fn files_of(failure: &Failure, output: &[u8]) -> Vec<String> {
    let Some(first) = &failure.file_path else {
        return Vec::new();
    };
    let text = strip_escapes(output);
    let mut files = Files::default();
    files.add(first);
    let rules = Rules::builtin().ordered.iter();
    for rule in rules.filter(|rule| is_of(rule, &failure.source)) {
        let found = findings(rule, &text);
        let is_it =
            |(file, kind): &(String, String)| is_same(file, first) && *kind == failure.error_type;
        if found.iter().any(is_it) {
            let others = found.iter().filter(|(file, _)| !is_same(file, first));
            others.for_each(|(file, _)| files.add(file));
        }
    }
    files.names
}

/// Whether `file`, as a tool names it, is `known`, which may stand without its folders: tools name
/// files by their whole path that a failure names from the folder of the command.
fn is_same(file: &str, known: &str) -> bool {
    let folder = file.strip_suffix(known);
    folder.is_some_and(|folder| {
        folder.is_empty() || (folder.starts_with('/') && folder.ends_with('/'))
    })
}

fn is_of(prepared: &Prepared, source: &str) -> bool {
    let rule = &prepared.rule;
    match &rule.source {
        Some(own) => own == source,
        None => rule.tools.iter().any(|tool| tool == source),
    }
}

/// The file and the type of each finding that `rule` reads in `text`.
fn findings(rule: &Prepared, text: &[u8]) -> Vec<(String, String)> {
    let starts = std::iter::once(0).chain(memchr2_iter(b'\n', b'\r', text).map(|at| at + 1));
    let starts = starts.filter(|&start| start < text.len());
    let found = starts.filter_map(|start| named_at(rule, text, start));
    found.take(FINDINGS_MAX).collect()
}

/// Names of files, each once and bounded.
#[derive(Default)]
struct Files {
    names: Vec<String>,
    seen: HashSet<String>,
    bytes: usize,
}

impl Files {
    /// Adds `name`, unless a program could take it for an option.
    fn add(&mut self, name: &str) {
        let bytes = self.bytes + name.len() + 1;
        let fits = self.names.len() < FILES_MAX && bytes <= NAMES_BYTES_MAX;
        if !fits || name.starts_with('-') || !self.seen.insert(name.to_owned()) {
            return;
        }
        self.bytes = bytes;
        self.names.push(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check((source, kind, file): (&str, &str, &str), output: &str, expected: &[&str]) {
        let failure = Failure {
            file_path: Some(file.to_owned()),
            ..Failure::new(kind, "", source)
        };
        assert_eq!(files_of(&failure, output.as_bytes()), expected, "{output}");
    }

    #[test]
    fn all_files_with_findings_of_the_tool_are_named_and_no_others() {
        check(
            ("black", "formatting", "a.py"),
            "would reformat a.py\nwould reformat b/c d.py\nwould reformat a.py\n\n\
             x.py:1: error: bad  [mypy]\n2 files would be reformatted.\n\
             make: *** [Makefile:2: lint] Error 1\n",
            &["a.py", "b/c d.py"],
        );
        check(
            ("ruff", "F401", "a.py"),
            "F401 [*] `os` imported but unused\n --> a.py:1:8\n  |\n1 | import os\n\n\
             E711 Comparison to `None`\n --> b.py:2:4\n  |\nunformatted: File would be reformatted\n\
             \x20--> c.py:1:1\n",
            &["a.py", "b.py", "c.py"],
        );
        check(
            ("eslint", "no-var", "/w/a.js"),
            "\n/w/a.js\n  1:1  error  Unexpected var  no-var\n  2:1  error  Missing  semi\n\n\
             /w/b.js\n  1:1  error  Missing  semi\n\n✖ 3 problems (3 errors, 0 warnings)\n",
            &["/w/a.js", "/w/b.js"],
        );
        check(
            ("prettier", "formatting", "a.css"),
            "[warn] a.css\n[warn] b.css\n[warn] Code style issues found in 2 files.\n",
            &["a.css", "b.css"],
        );
    }

    #[test]
    fn a_file_that_the_tool_names_by_its_whole_path_is_the_failures_own() {
        check(
            ("black", "formatting", "b.py"),
            "would reformat /w/b.py\nwould reformat /w/a.py\n",
            &["b.py", "/w/a.py"],
        );
    }

    #[test]
    fn what_another_tool_or_nobody_names_is_not_taken() {
        check(
            ("isort", "formatting", "a.py"),
            "would reformat b.py\n",
            &["a.py"],
        );
        check(
            ("black", "formatting", "a.py"),
            "would reformat b.py\n",
            &["a.py"],
        );
        check(
            ("black", "formatting", "a.py"),
            "would reformat a.py\nwould reformat -rf\n",
            &["a.py"],
        );
        check(("black", "formatting", "--x"), "would reformat --x\n", &[]);
    }

    #[test]
    fn names_are_bounded_in_number_and_length() {
        let name = |number: usize, length: usize| format!("{number:0length$}.py");
        for (length, expected) in [(10, FILES_MAX), (1_000, NAMES_BYTES_MAX / 1_004)] {
            let lines =
                (0..2_000).map(|number| format!("would reformat {}\n", name(number, length)));
            let failure = Failure {
                file_path: Some(name(0, length)),
                ..Failure::new("formatting", "", "black")
            };
            let files = files_of(&failure, lines.collect::<String>().as_bytes());
            assert_eq!(files.len(), expected);
        }
    }
}
