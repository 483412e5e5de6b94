//! A place for a failure whose rule found none, or only one in somebody else's package: in the
//! telling line itself, else in the lines around it.

use std::sync::OnceLock;

use regex::bytes::Regex;

use super::line::{line_at, only_warns, starts_above, starts_below, undecorated};
use super::rule::compile;
use super::trace::is_java_library;
use super::whose::is_packages;

/// Lines below the telling one that may name the place: a stack, a list of what failed.
const LINES_BELOW: usize = 10;

/// Lines above it.
const LINES_ABOVE: usize = 4;

/// What the names of hosts end in, where a port looks like a line.
const DOMAINS: &[&str] = &[
    ".com",
    ".org",
    ".net",
    ".io",
    ".dev",
    ".local",
    ".internal",
    ".example",
    ".test",
    ".svc",
];

/// Endings of what was built, not written.
const BUILT: &[&str] = &[
    ".so", ".o", ".exe", ".dll", ".class", ".jar", ".log", ".pyc",
];

/// How far from the telling line a place counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// In the line itself.
    Line,
    /// In the lines around it too.
    Around,
}

/// The nearest place in the project's own code, as a file and a line.
pub(super) fn place(text: &[u8], start: usize, reach: Reach) -> Option<(String, u64)> {
    let around = || {
        let below = starts_below(text, start).take(LINES_BELOW);
        below.chain(starts_above(text, start).take(LINES_ABOVE))
    };
    place_in(undecorated(line_at(text, start))).or_else(|| match reach {
        Reach::Line => None,
        Reach::Around => around()
            .map(|start| undecorated(line_at(text, start)))
            .filter(|line| !only_warns(line))
            .find_map(place_in),
    })
}

fn place_in(line: &[u8]) -> Option<(String, u64)> {
    static PLACE: OnceLock<Regex> = OnceLock::new();
    let pattern = PLACE.get_or_init(|| {
        compile(r#"(?:^|[\s("'`=\[,])(?:@ )?{position}(?:$|[\s:,.;)'"`\]])"#)
            .expect("the tests of this file try the pattern")
    });
    if is_java_library(&String::from_utf8_lossy(line)) {
        return None;
    }
    pattern.captures_iter(line).find_map(|captures| {
        let file = String::from_utf8_lossy(&captures["file"]).into_owned();
        let number = std::str::from_utf8(&captures["line"]).ok()?.parse().ok()?;
        let lower = file.to_ascii_lowercase();
        let is_else = |endings: &[&str]| endings.iter().any(|ending| lower.ends_with(ending));
        let is_own = !is_packages(&file) && !is_else(DOMAINS) && !is_else(BUILT);
        is_own.then_some((file, number))
    })
}

#[cfg(test)]
mod tests {
    use super::{Reach, place};

    #[test]
    fn the_nearest_place_of_the_projects_own_is_found() {
        let check = |text: &str, reach: Reach, expected: Option<(&str, u64)>| {
            let start = text.find("telling").unwrap();
            let start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
            let got = place(text.as_bytes(), start, reach);
            let got = got.as_ref().map(|(file, line)| (file.as_str(), *line));
            assert_eq!(got, expected, "{text}");
        };
        check(
            "telling, in tag at /w/MODULE.bazel:5:17, unknown",
            Reach::Line,
            Some(("/w/MODULE.bazel", 5)),
        );
        check(
            "telling 'x' at /w/a.nix:2'",
            Reach::Line,
            Some(("/w/a.nix", 2)),
        );
        check(
            "telling\n [1] f\n   @ D:\\w\\a.jl:92\n",
            Reach::Around,
            Some(("D:\\w\\a.jl", 92)),
        );
        check("telling\n [1] f\n   @ D:\\w\\a.jl:92\n", Reach::Line, None);
        check(
            "telling\n  at /w/node_modules/a.js:2:3\n  at /w/b.js:7:1\n",
            Reach::Around,
            Some(("/w/b.js", 7)),
        );
        check(
            "at hello (a.clj:3).\ntelling\n",
            Reach::Around,
            Some(("a.clj", 3)),
        );
        check("telling db.example.com:5432", Reach::Line, None);
        check("telling https://example.com:443/a", Reach::Line, None);
        check("telling 10.0.0.1:80 at 12:00:01", Reach::Line, None);
        check("telling\na.c:3:4: warning: x\n", Reach::Around, None);
    }
}
