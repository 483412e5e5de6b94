//! The file of a test that failed, where the line that tells it names none: reports list the files
//! of tests by name, or the command does.

use std::sync::OnceLock;

use regex::bytes::Regex;

use super::line::{line_at, starts_above, starts_below, undecorated};
use super::nearby::{place_in, shown_file};
use super::rule::compile;
use super::whose::is_packages;

/// Lines on either side of the telling one among which a test's own file is looked for: reports
/// of several tests, with what each of them printed.
const TEST_LINES: usize = 60;

/// The file of a test around the telling line, with the place in it where one is named. Only what
/// calls itself a test counts: a report of several tests names much else.
pub(super) fn test_file(text: &[u8], start: usize) -> Option<(String, Option<u64>)> {
    let pattern = code_file();
    let below = starts_below(text, start).take(TEST_LINES);
    let around = std::iter::once(start)
        .chain(below)
        .chain(starts_above(text, start).take(TEST_LINES));
    let mut named: Option<String> = None;
    for line in around.map(|start| undecorated(line_at(text, start))) {
        let place = place_in(line).filter(|(file, _)| is_test(file));
        match (place, &named) {
            (Some((file, line)), None) => return Some((file, Some(line))),
            (Some((file, line)), Some(known)) if is_same_file(&file, known) => {
                return Some((file, Some(line)));
            }
            _ => {}
        }
        if named.is_none() {
            let mut files = pattern
                .captures_iter(line)
                .map(|captures| shown_file(&captures["file"]));
            named = files.find(|file| is_test(file) && !is_packages(file));
        }
    }
    named.map(|file| (file, None))
}

/// A file of code in a line, by its ending.
fn code_file() -> &'static Regex {
    static FILE: OnceLock<Regex> = OnceLock::new();
    FILE.get_or_init(|| compile(CODE_FILE_PATTERN).expect("the tests of this file try the pattern"))
}

/// See [`code_file`].
const CODE_FILE_PATTERN: &str = concat!(
    r#"(?:^|[\s("'`=\[,])(?<file>(?:[A-Za-z]:)?[^\s:"'`()\[\]<>|,;=#]+\.(?:py|rb|go|rs|[cm]?[jt]sx?|java|kts?"#,
    r"|scala|groovy|cs|fs|vb|phpt?|pl|t|lua|exs?|erl|hs|ml|swift|mm?|c|cc|cpp|cxx|dart|jl|[rR]|sh|bats|robot",
    r#"|feature|scm|lisp|el|rkt|adb|zig|nim|cr|clj[cs]?|elm|ps1|sql|coffee|tcl|ya?ml))(?:$|[\s)"'`\],:])"#,
);

/// Whether the name of the file, or of one of its folders, says that it is a test's.
fn is_test(file: &str) -> bool {
    let own = [".t", ".bats", ".robot", ".feature", ".phpt"];
    let words = ["test", "tests", "spec", "specs", "suite", "testing", "e2e"];
    let in_lower = file.to_ascii_lowercase();
    let mut parts = in_lower.split(|byte: char| !byte.is_ascii_alphabetic());
    let joined = |ending: &str| {
        let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
        let stem = name.split('.').next().unwrap_or(name);
        stem.ends_with(ending) || stem.starts_with(ending)
    };
    own.iter().any(|ending| in_lower.ends_with(ending))
        || parts.any(|part| words.contains(&part))
        || ["Test", "Tests", "Spec", "Suite"]
            .iter()
            .any(|ending| joined(ending))
}

fn is_same_file(one: &str, other: &str) -> bool {
    one.ends_with(other) || other.ends_with(one)
}

/// The one file of code that a command names as what it runs or checks.
pub(super) fn named_in(argv: &[String]) -> Option<String> {
    let pattern = code_file();
    let is_file = |word: &&String| {
        let whole = pattern.captures(word.as_bytes());
        whole.is_some_and(|captures| captures["file"].len() == word.len())
    };
    let mut files = argv.iter().skip(1).filter(is_file);
    let first = files.next()?;
    files.next().is_none().then(|| first.clone())
}

#[cfg(test)]
mod tests {
    use super::{named_in, test_file};

    #[test]
    fn the_file_of_a_test_is_found_in_the_report() {
        let check = |text: &str, expected: Option<(&str, Option<u64>)>| {
            let start = text.find("telling").unwrap();
            let start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
            let got = test_file(text.as_bytes(), start);
            let got = got.as_ref().map(|(file, line)| (file.as_str(), *line));
            assert_eq!(got, expected, "{text}");
        };
        let place = "telling\n\n at f (http://h:80/tests?p=spec/a_spec.js:31:4)\n";
        check(place, Some(("spec/a_spec.js", Some(31))));
        let above = "t/b.t .. Dubious\n\ntelling\n";
        check(above, Some(("t/b.t", None)));
        let masked = "  at A.B() in <work>/Shop.Tests/Cart.cs:line 22\ntelling\nShop.Tests.dll\n";
        check(masked, Some(("<work>/Shop.Tests/Cart.cs", Some(22))));
        let listed = "telling\n │ ✖  cart.spec.ts    00:10 │\n   at cart.spec.ts:7:3\n";
        check(listed, Some(("cart.spec.ts", Some(7))));
        check("telling\n at node_modules/mocha/lib/test.js:3:1\n", None);
        check("telling\n at src/latest.js:3:1\n", None);
    }

    #[test]
    fn a_command_names_the_file_that_it_runs_if_it_is_one() {
        let check = |argv: &[&str], expected: Option<&str>| {
            let argv: Vec<String> = argv.iter().map(ToString::to_string).collect();
            assert_eq!(named_in(&argv).as_deref(), expected, "{argv:?}");
        };
        check(
            &["robot", "-d", "out", "a/cart.robot"],
            Some("a/cart.robot"),
        );
        check(&["prove", "a.t", "b.t"], None);
        check(&["sh", "-c", "robot a.robot"], None);
        check(&["go", "test", "./..."], None);
    }
}
