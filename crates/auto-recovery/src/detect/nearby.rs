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

/// Lines below the telling one among which a build of an image shows its step: what the step said
/// comes twice before that.
const STEP_LINES: usize = 60;

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

/// What stands in lines in which a program that only serves names its own code: what runs
/// recipes, and the ends of a copy.
const SERVANTS: &[&[u8]] = &[
    b"*** [",
    b"[sender=",
    b"[receiver=",
    b"[generator=",
    b"[Sender=",
    b"[Receiver=",
    b"[client=",
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

/// A file without a line: the manifest or lock file that the lines around the telling one speak of,
/// the lock file before the manifest.
pub(super) fn manifest(text: &[u8], start: usize) -> Option<String> {
    static MANIFEST: OnceLock<Regex> = OnceLock::new();
    let pattern = MANIFEST
        .get_or_init(|| compile(MANIFEST_PATTERN).expect("the tests of this file try the pattern"));
    let around = std::iter::once(start)
        .chain(starts_below(text, start).take(LINES_BELOW))
        .chain(starts_above(text, start).take(LINES_ABOVE));
    let mut named = around.filter_map(|start| {
        let line = undecorated(line_at(text, start));
        let captures = pattern.captures(line)?;
        let is_lock = captures.name("line").is_some();
        Some((shown_file(&captures["file"]), is_lock))
    });
    let (first, is_lock) = named.next()?;
    if is_lock {
        return Some(first);
    }
    let lock = named.find(|(_, is_lock)| *is_lock);
    Some(lock.map_or(first, |(file, _)| file))
}

/// See [`manifest`]. What is captured as `line` as well is a lock file.
const MANIFEST_PATTERN: &str = concat!(
    r#"(?:^|[\s("'`:=])(?<file>(?:[\w.@~+-]*/)*(?:"#,
    r"(?<line>package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?",
    r"|Gemfile\.lock|Cargo\.lock|composer\.lock|poetry\.lock|uv\.lock|pdm\.lock|Pipfile\.lock",
    r"|Podfile\.lock|mix\.lock|flake\.lock|pubspec\.lock|go\.sum|packages\.lock\.json)",
    r"|package\.json|Gemfile|Cargo\.toml|composer\.json|pyproject\.toml|Pipfile|Podfile|mix\.exs",
    r"|pubspec\.yaml|go\.mod|requirements[\w-]*\.(?:txt|in)|constraints[\w-]*\.txt|setup\.(?:py|cfg)",
    r"|environment\.ya?ml|pom\.xml|build\.gradle(?:\.kts)?|build\.sbt|[\w.-]+\.(?:csproj|fsproj|vbproj)",
    r"|Package\.(?:swift|resolved)|conanfile\.(?:txt|py)|vcpkg\.json|stack\.yaml|[\w-]+\.(?:cabal|opam)",
    r#"))(?:$|[\s)"'`:,.;(])"#,
);

/// The step of an image's build that failed: the line that stands above the excerpt of its file.
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

/// A file that the line names in quotes, where it is surely one.
pub(super) fn quoted_file(line: &[u8]) -> Option<String> {
    static QUOTED: OnceLock<Regex> = OnceLock::new();
    let pattern = QUOTED
        .get_or_init(|| compile(QUOTED_PATTERN).expect("the tests of this file try the pattern"));
    let captures = pattern.captures(line)?;
    let file = shown_file(&captures["file"]);
    // From a drive, a quoting language doubles what separates folders.
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

fn shown_file(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn place_in(line: &[u8]) -> Option<(String, u64)> {
    static PLACE: OnceLock<Regex> = OnceLock::new();
    let pattern = PLACE.get_or_init(|| {
        compile(r#"(?:^|[\s("'`=\[,])(?:@ )?{position}(?:$|[\s:,.;)'"`\]])"#)
            .expect("the tests of this file try the pattern")
    });
    let names_its_own = |mark: &&[u8]| memchr::memmem::find(line, mark).is_some();
    if SERVANTS.iter().any(names_its_own) || is_java_library(&String::from_utf8_lossy(line)) {
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
    use super::{Reach, build_step, manifest, place, quoted_file};

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
    fn manifests_and_quoted_files_are_named() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(manifest(text.as_bytes(), 0).as_deref(), expected, "{text}");
        };
        check("no version of a\n  In Gemfile:\n", Some("Gemfile"));
        check(
            "the package.json and\npackage-lock.json differ",
            Some("package-lock.json"),
        );
        check(
            "a==9 (from -r ci/requirements-dev.txt (line 7))",
            Some("ci/requirements-dev.txt"),
        );
        check("nothing of the kind", None);
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
        check("telling db.example.com:5432", Reach::Line, None);
        check("telling https://example.com:443/a", Reach::Line, None);
        check("telling 10.0.0.1:80 at 12:00:01", Reach::Line, None);
        check("telling\na.c:3:4: warning: x\n", Reach::Around, None);
        check(
            "telling (code 9) at main.c(7) [sender=3.2]",
            Reach::Line,
            None,
        );
    }
}
