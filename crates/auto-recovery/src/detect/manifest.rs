//! Manifests and lock files: where a project says what it depends on. A dependency's failure is
//! mended there, so it is the file of a failure that names no other.

use std::sync::OnceLock;

use regex::bytes::Regex;

use super::line::{line_at, starts_above, starts_below, undecorated};
use super::nearby::{LINES_ABOVE, LINES_BELOW, shown_file};
use super::rule::compile;

/// A package manager, its manifest, its lock file.
const OF_TOOLS: &[(&str, &str, &str)] = &[
    ("npm", "package.json", "package-lock.json"),
    ("yarn", "package.json", "yarn.lock"),
    ("pnpm", "package.json", "pnpm-lock.yaml"),
    ("bun", "package.json", "bun.lock"),
    ("deno", "deno.json", "deno.lock"),
    ("poetry", "pyproject.toml", "poetry.lock"),
    ("uv", "pyproject.toml", "uv.lock"),
    ("pdm", "pyproject.toml", "pdm.lock"),
    ("pipenv", "Pipfile", "Pipfile.lock"),
    ("cargo", "Cargo.toml", "Cargo.lock"),
    ("bundle", "Gemfile", "Gemfile.lock"),
    ("composer", "composer.json", "composer.lock"),
    ("go", "go.mod", "go.sum"),
    ("pod", "Podfile", "Podfile.lock"),
    ("carthage", "Cartfile", "Cartfile.resolved"),
    ("helm", "Chart.yaml", "Chart.lock"),
    ("swift", "Package.swift", "Package.resolved"),
    ("mix", "mix.exs", "mix.lock"),
    ("rebar3", "rebar.config", "rebar.lock"),
    ("dart", "pubspec.yaml", "pubspec.lock"),
    ("flutter", "pubspec.yaml", "pubspec.lock"),
    ("nix", "flake.nix", "flake.lock"),
    ("terraform", "", ".terraform.lock.hcl"),
];

/// A file without a line: the manifest or lock file that the lines around the telling one speak of,
/// the lock file before the manifest.
pub(super) fn manifest(text: &[u8], start: usize) -> Option<String> {
    let pattern = named();
    let around = std::iter::once(start)
        .chain(starts_below(text, start).take(LINES_BELOW))
        .chain(starts_above(text, start).take(LINES_ABOVE));
    let mut named = around.flat_map(|start| {
        let line = undecorated(line_at(text, start));
        pattern.captures_iter(line).map(|captures| {
            let is_lock = captures.name("line").is_some();
            (shown_file(&captures["file"]), is_lock)
        })
    });
    let (first, is_lock) = named.next()?;
    if is_lock {
        return Some(first);
    }
    let lock = named.find(|(_, is_lock)| *is_lock);
    Some(lock.map_or(first, |(file, _)| file))
}

/// The manifest that a command names, as in `pip install -r requirements.txt`.
pub(super) fn manifest_in(argv: &[String]) -> Option<String> {
    let pattern = named();
    argv.iter().skip(1).find_map(|word| {
        let captures = pattern.captures(word.as_bytes())?;
        (captures["file"].len() == word.len()).then(|| word.clone())
    })
}

fn named() -> &'static Regex {
    static MANIFEST: OnceLock<Regex> = OnceLock::new();
    MANIFEST
        .get_or_init(|| compile(MANIFEST_PATTERN).expect("the tests of this file try the pattern"))
}

/// See [`manifest`]. What is captured as `line` as well is a lock file.
const MANIFEST_PATTERN: &str = concat!(
    r#"(?:^|[\s("'`:=])(?<file>(?:[\w.@~+-]*/)*(?:"#,
    r"(?<line>package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?",
    r"|Gemfile\.lock|Cargo\.lock|composer\.lock|poetry\.lock|uv\.lock|pdm\.lock|Pipfile\.lock",
    r"|Podfile\.lock|mix\.lock|flake\.lock|pubspec\.lock|go\.sum|packages\.lock\.json)",
    r"|package\.json|Gemfile|Cargo\.toml|composer\.json|pyproject\.toml|Pipfile|Podfile|mix\.exs",
    r"|pubspec\.yaml|go\.mod|requirements[\w-]*\.(?:txt|in)|constraints[\w-]*\.txt|setup\.(?:py|cfg)",
    r"|env(?:ironment)?[\w-]*\.ya?ml|pom\.xml|build\.gradle(?:\.kts)?|build\.sbt|[\w.-]+\.(?:csproj|fsproj|vbproj)",
    r"|Package\.(?:swift|resolved)|conanfile\.(?:txt|py)|Chart\.(?:yaml|lock)|Cartfile(?:\.resolved)?|vcpkg\.json|stack\.yaml|[\w-]+\.(?:cabal|opam)",
    r#"))(?:$|[\s)"'`:,.;(])"#,
);

/// The file in which `tool` keeps what `message` is about: its lock file if the message speaks of
/// one, its manifest if versions do not fit together. None if it speaks of neither.
pub(super) fn manifest_of(tool: &str, message: &[u8]) -> Option<String> {
    static WORDS: OnceLock<Regex> = OnceLock::new();
    let pattern = WORDS
        .get_or_init(|| compile(WORDS_PATTERN).expect("the tests of this file try the pattern"));
    let (_, manifest, lock) = OF_TOOLS.iter().find(|(known, ..)| *known == tool)?;
    let captures = pattern.captures(message)?;
    let file = if captures.name("file").is_some() {
        lock
    } else {
        manifest
    };
    (!file.is_empty()).then(|| (*file).to_owned())
}

/// See [`manifest_of`]. What is captured as `file` speaks of a lock file.
const WORDS_PATTERN: &str = concat!(
    r"(?i)(?<file>\block ?-?file\b|\.lock\b|frozen|\bin sync\b|\bYN0028\b)",
    r"|solving failed|not compatible|incompatible|conflict|supported python|swift tools version",
    r"|\bERESOLVE\b|could(?: not|n.t) find compatible|could not be resolved|no (?:matching )?version",
);

#[cfg(test)]
mod tests {
    use super::{manifest, manifest_in, manifest_of};

    #[test]
    fn manifests_are_named_by_the_output() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(manifest(text.as_bytes(), 0).as_deref(), expected, "{text}");
        };
        check("no version of a\n  In Gemfile:\n", Some("Gemfile"));
        check(
            "the package.json and\npackage-lock.json differ",
            Some("package-lock.json"),
        );
        check(
            "when your package.json and package-lock.json are in sync",
            Some("package-lock.json"),
        );
        check(
            "a==9 (from -r ci/requirements-dev.txt (line 7))",
            Some("ci/requirements-dev.txt"),
        );
        check("nothing of the kind", None);
    }

    #[test]
    fn manifests_are_named_by_the_command() {
        let check = |command: &str, expected: Option<&str>| {
            let argv: Vec<String> = command.split(' ').map(str::to_owned).collect();
            assert_eq!(manifest_in(&argv).as_deref(), expected, "{command}");
        };
        check("conda env create -f ci/env.yml -n a", Some("ci/env.yml"));
        check(
            "pip install -r requirements-dev.txt",
            Some("requirements-dev.txt"),
        );
        check("bash ci.sh", None);
    }

    #[test]
    fn a_tools_own_manifest_is_named_for_what_is_mended_there() {
        let check = |tool: &str, message: &str, expected: Option<&str>| {
            let got = manifest_of(tool, message.as_bytes());
            assert_eq!(got.as_deref(), expected, "{tool}: {message}");
        };
        check(
            "yarn",
            "The lockfile would have been modified",
            Some("yarn.lock"),
        );
        check(
            "poetry",
            "a, version solving failed.",
            Some("pyproject.toml"),
        );
        check("poetry", "a connection was closed", None);
        check("make", "The lockfile is old", None);
        check("terraform", "no matching version", None);
    }
}
