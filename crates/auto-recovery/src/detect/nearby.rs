//! A place for a failure whose rule found none, or only one in somebody else's package: in the
//! telling line itself, else in the lines around it.

use std::sync::OnceLock;

use regex::bytes::Regex;

use super::line::{line_at, only_warns, starts_above, starts_below, undecorated};
use super::rule::compile;
use super::trace::is_java_library;
use super::whose::is_packages;

/// Lines below the telling one that may name the place: a stack, a list of failures.
pub(super) const LINES_BELOW: usize = 10;

/// Lines above it.
pub(super) const LINES_ABOVE: usize = 4;

/// Lines below the telling one in which a build of an image shows its step: the step's output is
/// repeated twice before that.
const STEP_LINES: usize = 60;

/// Lines at the end of an unknown output.
const LAST_LINES: usize = 20;

/// Endings of hosts' names, where a port looks like a line.
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

/// Endings of files that were built, not written.
const BUILT: &[&str] = &[
    ".so", ".o", ".exe", ".dll", ".class", ".jar", ".log", ".pyc",
];

/// Endings of calls, where what they are given looks like a line: `sys.exit(1)`.
const CALLS: &[&str] = &[
    ".exit", "._exit", ".abort", ".sleep", ".wait", ".get", ".seed",
];

/// Marks of lines in which a program that only serves names its own code: runners of recipes, and
/// the ends of a copy.
const SERVANTS: &[&[u8]] = &[
    b"*** [",
    b"(ignored)",
    b"[sender=",
    b"[receiver=",
    b"[generator=",
    b"[Sender=",
    b"[Receiver=",
    b"[client=",
    b"(_ssl.c:",
];

/// The distance from the telling line at which a place counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// In the line itself.
    Line,
    /// In the lines around it too.
    Around,
    /// In the last lines of an unknown output: the first that names one, as traces begin with the
    /// failing code.
    Last,
}

/// The nearest place in the project's own code, as a file and a line.
pub(super) fn place(text: &[u8], start: usize, reach: Reach) -> Option<(String, u64)> {
    let lines: Vec<usize> = match reach {
        Reach::Line => Vec::new(),
        Reach::Around => {
            let below = starts_below(text, start).take(LINES_BELOW);
            below
                .chain(starts_above(text, start).take(LINES_ABOVE))
                .collect()
        }
        Reach::Last => {
            let mut above: Vec<usize> = starts_above(text, start).take(LAST_LINES).collect();
            above.reverse();
            above
        }
    };
    let near = lines
        .into_iter()
        .map(|start| undecorated(line_at(text, start)));
    let own = place_in(undecorated(line_at(text, start)));
    own.or_else(|| near.filter(|line| !only_warns(line)).find_map(place_in))
}

/// The place around the telling line of the code that asked for something missing.
pub(super) fn importing(text: &[u8], start: usize) -> Option<(String, Option<u64>)> {
    static ASKS: OnceLock<Regex> = OnceLock::new();
    let pattern =
        ASKS.get_or_init(|| compile(ASKS_PATTERN).expect("the tests of this file try the pattern"));
    let around = starts_below(text, start)
        .take(LINES_BELOW)
        .chain(starts_above(text, start).take(LINES_ABOVE));
    let (file, line) = around
        .map(|start| undecorated(line_at(text, start)))
        .filter(|line| !only_warns(line) && pattern.is_match(line))
        .find_map(place_in)?;
    Some((file, Some(line)))
}

/// See [`importing`].
const ASKS_PATTERN: &str = r"(?i)\b(?:import|include|require|use|load|find|found|resolve|resolved|running|no such)\b|CMakeLists\.txt:\d";

/// The step of an image's build that failed: the line above the excerpt of its file.
pub(super) fn build_step(text: &[u8], start: usize) -> Option<(String, u64)> {
    static STEP: OnceLock<Regex> = OnceLock::new();
    let pattern =
        STEP.get_or_init(|| compile(STEP_PATTERN).expect("the tests of this file try the pattern"));
    let below = starts_below(text, start).take(STEP_LINES);
    let around = below.chain(starts_above(text, start).take(LINES_BELOW));
    let mut named = around.filter_map(|start| {
        let captures = pattern.captures(line_at(text, start))?;
        let line = std::str::from_utf8(&captures["line"]).ok()?.parse().ok()?;
        Some((shown_file(&captures["file"]), line))
    });
    named.next()
}

/// See [`build_step`].
const STEP_PATTERN: &str =
    r"^(?<file>(?:[\w.@~-]+/)*(?:[\w-]+\.)?(?:Dockerfile|Containerfile)[\w.-]*):(?<line>\d+)\s*$";

/// A file that the line names in quotes, if it surely is one.
pub(super) fn quoted_file(line: &[u8]) -> Option<String> {
    static QUOTED: OnceLock<Regex> = OnceLock::new();
    let pattern = QUOTED
        .get_or_init(|| compile(QUOTED_PATTERN).expect("the tests of this file try the pattern"));
    let captures = pattern.captures(line)?;
    // A program that a runner started is no place.
    let start = captures.get_match().start();
    if line[..start].ends_with(b"process ") {
        return None;
    }
    let file = shown_file(&captures["file"]);
    // After a drive, a quoting language doubles the separators of folders.
    Some(match file.as_bytes().get(1) {
        Some(b':') => file.replace(r"\\", r"\"),
        _ => file,
    })
}

/// See [`quoted_file`].
const QUOTED_PATTERN: &str = concat!(
    r#"["'`](?<file>(?:/[\w.@~+-]+/|\.{1,2}/|~/|[A-Za-z]:[\\/])[^\s"'`<>|*?:]*[^\s"'`<>|*?:/]"#,
    r"|(?:[\w.@+-]+/)*[\w@+-][\w.@+-]*\.(?:ya?ml|json|toml|xml|ini|cfg|conf|tf|tfvars|txt|csv|lock|env",
    r#"|py|rb|go|rs|js|ts|java|kt|php|pl|sh|c|cpp|h|cs|ex|exs|nix|sql|md))["'`]"#,
);

pub(super) fn shown_file(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(super) fn place_in(line: &[u8]) -> Option<(String, u64)> {
    static PLACE: OnceLock<Regex> = OnceLock::new();
    let pattern = PLACE.get_or_init(|| {
        compile(
            r#"(?:^|[\s("'`=\[,]|(?:ERROR|FATAL|CRITICAL):)(?:@ )?{position}(?:$|[\s:,.;)'"`\]])"#,
        )
        .expect("the tests of this file try the pattern")
    });
    static REVERSED: OnceLock<Regex> = OnceLock::new();
    let reversed = REVERSED
        .get_or_init(|| compile(REVERSED_PATTERN).expect("the tests of this file try the pattern"));
    let names_its_own = |mark: &&[u8]| memchr::memmem::find(line, mark).is_some();
    if SERVANTS.iter().any(names_its_own) || is_java_library(&String::from_utf8_lossy(line)) {
        return None;
    }
    let mut both = pattern
        .captures_iter(line)
        .chain(reversed.captures_iter(line));
    both.find_map(|captures| {
        let either = |one, other| captures.name(one).or_else(|| captures.name(other));
        let file = String::from_utf8_lossy(either("file", "named")?.as_bytes());
        // Folders may have blanks, and so may the text before a path: `GET /a in b.ts:7`.
        let file = [" in ", " at ", " from "]
            .iter()
            .find_map(|word| Some(file.rsplit_once(word)?.1.to_owned()))
            .unwrap_or_else(|| file.into_owned());
        let number = either("line", "at")?.as_bytes();
        let number = std::str::from_utf8(number).ok()?.parse().ok()?;
        let lower = file.to_ascii_lowercase();
        let is_else = |endings: &[&str]| endings.iter().any(|ending| lower.ends_with(ending));
        let is_file = [DOMAINS, BUILT, CALLS]
            .into_iter()
            .all(|endings| !is_else(endings));
        (is_file && !is_packages(&file)).then_some((file, number))
    })
}

/// A place with the line before the file: `on line 2:16 of a.scss`, `at line: 81 in C:\\a.ps1`.
const REVERSED_PATTERN: &str = concat!(
    // A word between shows that even a name without an ending is a file's.
    r"(?:(?:^|\s)(?<named>/(?:[\w.@+-]+/)+[\w.@+-]+),? line (?<at>\d+)\b)|",
    r"\b(?:on|at) line:? (?<line>\d+)(?:[:.]\d+)?(?:,? col(?:umn)?:? \d+)?,? (?:of|in) (?:file )?",
    r#"["'`]?(?<file>(?:[A-Za-z]:[\\/])?[^\s"'`:,()<>]+\.[A-Za-z]\w{0,9})"#,
);

#[cfg(test)]
mod tests {
    use super::{Reach, build_step, importing, place, quoted_file};

    #[test]
    fn the_step_of_an_images_build_is_named() {
        let check = |text: &str, expected: Option<(&str, u64)>| {
            let got = build_step(text.as_bytes(), 0);
            let got = got.as_ref().map(|(file, line)| (file.as_str(), *line));
            assert_eq!(got, expected, "{text}");
        };
        let step = "2.1 it failed\n------\nci/web.Dockerfile:12\n--------\n  12 | >>> RUN it\n";
        check(step, Some(("ci/web.Dockerfile", 12)));
        check("it failed\nDockerfile:12: RUN it\n", None);
        check("it failed\nsee Dockerfile:12\n", None);
    }

    #[test]
    fn the_code_that_asked_for_what_is_missing_is_named() {
        let check = |text: &str, expected: Option<&str>| {
            let start = text.rfind("plug-in").unwrap();
            let got = importing(text.as_bytes(), start).map(|(file, _)| file);
            assert_eq!(got.as_deref(), expected, "{text}");
        };
        let asked = "src/a.erl:14: can't find include lib \"b/c.hrl\"\n\nplug-in not there\n";
        check(asked, Some("src/a.erl"));
        check("src/a.erl:14: it is long\n\nplug-in not there\n", None);
    }

    #[test]
    fn quoted_files_are_named() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(quoted_file(text.as_bytes()).as_deref(), expected, "{text}");
        };
        check(
            "open '/srv/shop/a.tfstate' failed",
            Some("/srv/shop/a.tfstate"),
        );
        check("when creating \"pod.yaml\": forbidden", Some("pod.yaml"));
        check(r"denied: 'C:\\shop\\a.txt'", Some(r"C:\shop\a.txt"));
        check("the name \"/shelf\" is taken", None);
        check("The process '/usr/bin/git' failed with exit code 1", None);
        check("object 'a.b' has no 'c/d'", None);
        check(
            "type 'application/json' at \"https://example.org/a.json\"",
            None,
        );
    }

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
        check(
            "telling\n  on line 2:16 of app/a.scss\n",
            Reach::Around,
            Some(("app/a.scss", 2)),
        );
        check(
            "telling GET /cart in src/routes.ts:12",
            Reach::Line,
            Some(("src/routes.ts", 12)),
        );
        check(
            "telling /etc/ssh/sshd_config line 88: bad",
            Reach::Line,
            Some(("/etc/ssh/sshd_config", 88)),
        );
        check(
            "at a.F.g(F.java:7)\n at a.F.h(F.java:3)\ntelling",
            Reach::Last,
            Some(("F.java", 7)),
        );
        check("telling db.example.com:5432", Reach::Line, None);
        check("telling https://example.com:443/a", Reach::Line, None);
        check("telling 10.0.0.1:80 at 12:00:01", Reach::Line, None);
        check("telling\na.c:3:4: warning: x\n", Reach::Around, None);
        check("telling\n>   sys.exit(1)\n", Reach::Around, None);
        check("telling\na.pas(1)\n", Reach::Around, Some(("a.pas", 1)));
        check(
            "telling (code 9) at main.c(7) [sender=3.2]",
            Reach::Line,
            None,
        );
    }
}
