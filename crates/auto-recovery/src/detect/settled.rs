//! What a command went on after: the findings of a check, such as a linter or a formatter, that did
//! not end it. Behind `-black --check .` or `|| true` a check reports, is let pass, and something
//! else fails.
//!
//! Only a check's findings are ever settled, and only on proof: the command line lets the check
//! pass, `make` says `(ignored)`, the exit code is none that the check gives, or something else
//! reported its own failure after it. Refuses where several things run whatever fails.

use std::sync::OnceLock;

use regex::bytes::Regex;

use super::detector::{Answer, Case};
use super::edges::last_filled;
use super::found::{Place, Within};
use super::line::{line_at, starts_below, undecorated};
use super::rule::{Rule, Sign, compile};
use super::rules::{Prepared, Rules};
use super::tools::Tools;
use crate::command_line::Ending;
use crate::failure::Category;

/// Checks, and the codes with which each says that it found something or could not look.
const CHECKS: &[(&str, &[i32])] = &[
    ("actionlint", &[1, 2, 3]),
    ("bandit", &[1, 2]),
    ("biome", &[1]),
    ("black", &[1, 123]),
    ("clang-format", &[1]),
    ("clippy", &[1, 101]),
    ("eslint", &[1, 2]),
    ("flake8", &[1]),
    ("gofmt", &[1, 2]),
    ("golangci-lint", &[1, 2, 3, 4, 5, 6, 7]),
    ("hadolint", &[1]),
    ("isort", &[1]),
    ("ktlint", &[1, 3]),
    ("markdownlint", &[1, 2, 3, 4]),
    ("oxlint", &[1, 2]),
    ("prettier", &[1, 2]),
    ("pycodestyle", &[1]),
    ("pydocstyle", &[1, 2]),
    ("pyflakes", &[1]),
    ("pyright", &[1, 2, 3, 4]),
    ("rubocop", &[1, 2]),
    ("ruff", &[1, 2]),
    ("rustfmt", &[1]),
    ("shellcheck", &[1, 2, 3, 4]),
    ("shfmt", &[1]),
    ("stylelint", &[1, 2, 64, 78]),
    ("terraform-fmt", &[1, 2, 3]),
    ("yamllint", &[1, 2]),
];

/// Codes that those who run a check make of its own: build tools, `cargo`, `xargs`, scripts.
const RUNNERS_CODES: &[i32] = &[1, 2, 3, 101, 123, 124, 255];

/// Types by which rules call what a check finds, if the check gave no name of its own.
const CHECKS_TYPES: &[&str] = &["clippy", "formatting", "lint", "type-error"];

/// Programs that run several things whatever fails, and fail if one does.
const GATHERERS: &[&str] = &[
    "act",
    "bazel",
    "concurrently",
    "gradle",
    "lefthook",
    "lerna",
    "lint-staged",
    "megalinter",
    "mvn",
    "ninja",
    "nox",
    "npm-run-all",
    "nx",
    "parallel",
    "pre-commit",
    "prek",
    "run-p",
    "tox",
    "trunk",
    "turbo",
    "xargs",
];

/// Options with which `make` is one of them.
const GATHERING: &[&str] = &["-k", "-j", "--keep-going", "--jobs", "-i"];

/// Lines below a check's last finding that may still be its own: what it quotes, and its count.
const REPORT_LINES_MAX: usize = 60;

/// What a check writes below its findings.
const TAIL_PATTERN: &str = concat!(
    r"(?i)^(?:$|\s|[|+=-]|\d+ [|+-]|help: |note: |\[\*\] |Diff in ",
    r"|\W*(?:oh no!|all done|found \d|\d+ (?:files?|problems?|errors?|warnings?|issues?|fixable)\b",
    r"|would reformat|no fixes available|skipped \d|code style issues|error: formatting|run \S+ to fix))",
);

/// A failure that only says that another program failed.
const WRAPPED_PATTERN: &str = concat!(
    r"(?i)non-?zero|\bexit(?:ed)?(?: with)?(?: a)? (?:status|code)\b|\bcommand\b.*\bfail(?:ed|ure)\b",
    r"|CalledProcessError|UnexpectedExit|\bexited with\b|\bfailed with\b|\bELIFECYCLE\b|\*\*\* \[",
);

/// What works within another program, and says with that one's words that it failed.
const KIN: &[&[&str]] = &[&["clippy", "rustc", "cargo"], &["eslint", "prettier"]];

/// Whether the words of `source` may end the report of `check`.
fn is_kin(source: &str, check: Option<&str>) -> bool {
    let is_of = |kin: &&&[&str]| check.is_some_and(|check| kin.contains(&check));
    let mut kin = KIN.iter().filter(is_of);
    Some(source) == check || kin.any(|kin| kin.contains(&source))
}

/// Whether findings of `rule` are those of a check.
fn is_check(rule: &Rule) -> bool {
    let named = |name: &str| CHECKS.iter().any(|(check, _)| *check == name);
    let is_typed = || {
        let kind = rule.error_type.as_deref();
        kind.is_some_and(|kind| CHECKS_TYPES.contains(&kind))
    };
    let source = rule.source.as_deref();
    rule.category == Category::CodeQuality
        && source.map_or_else(is_typed, |name| named(name) || is_typed())
}

impl Case<'_> {
    /// Where in its stream the report ends that `answer` is from, if it did not end the command.
    pub(super) fn end_of_settled(
        &self,
        prepared: &Prepared,
        answer: &Answer,
        rules: &Rules,
    ) -> Option<Place> {
        let place = answer.place?;
        if answer.is_users || !is_check(&prepared.rule) {
            return None;
        }
        let check = self.reporter(&prepared.rule);
        if let Some(Held { decides }) = self.held_by_shell(check.as_deref()) {
            return (!decides).then(|| self.end_of_report(prepared, place));
        }
        if check.as_deref() == Some(self.tools.main()) {
            return None;
        }
        if let Some(ignored) = self.end_of_ignored(place) {
            return Some(ignored);
        }
        let end = self.end_of_report(prepared, place);
        let is_settled = self.is_no_code_of(check.as_deref())
            || (!self.gathers()
                && (self.is_left_by_make(end) || self.is_followed(end, check.as_deref(), rules)));
        is_settled.then_some(end)
    }

    /// Whether the command line names a program of `rule`; one whose code is all that is known must
    /// be one that the command ends with.
    pub(super) fn runs(&self, rule: &Rule) -> bool {
        let names = self.tools.names().iter();
        let mut named = names.filter(|name| rule.tools.iter().any(|tool| tool == *name));
        named.any(|name| {
            rule.line.is_some()
                || self
                    .held_by_shell(Some(name))
                    .is_none_or(|held| held.decides)
        })
    }

    /// The check that reported the findings of `rule`, as far as that is known.
    fn reporter(&self, rule: &Rule) -> Option<String> {
        let typed = || {
            let mut named = self.tools.names().iter().filter(|name| {
                CHECKS.iter().any(|(check, _)| check == name)
                    || rule.tools.iter().any(|one| one == *name)
            });
            let first = named.next()?;
            named.next().is_none().then(|| first.clone())
        };
        let own = rule.source.as_deref().map(str::to_owned);
        own.or_else(typed)
    }

    /// Whether a shell's text that names `check` ends as it does.
    fn held_by_shell(&self, check: Option<&str>) -> Option<Held> {
        let check = check?;
        let ending = self.ending.get_or_init(|| {
            let ending = Ending::of(self.observation.argv)?;
            let names = |commands: &[Vec<String>]| {
                let tools = commands.iter().map(|words| Tools::of(words));
                tools.flat_map(|tools| tools.names().to_vec()).collect()
            };
            Some([names(&ending.decide), names(&ending.pass)])
        });
        let [decide, pass]: &[Vec<String>; 2] = ending.as_ref()?;
        let has = |names: &[String]| names.iter().any(|name| name == check);
        match (has(decide), has(pass)) {
            (true, _) => Some(Held { decides: true }),
            (false, true) => Some(Held { decides: false }),
            (false, false) => None,
        }
    }

    /// Whether the command ended with a code that neither `check` gives nor who runs it.
    fn is_no_code_of(&self, check: Option<&str>) -> bool {
        let known = CHECKS.iter().find(|(name, _)| Some(*name) == check);
        let (Some((_, codes)), Some(code)) = (known, self.observation.exit_code) else {
            return false;
        };
        self.observation.signal.is_none()
            && !codes.contains(&code)
            && !RUNNERS_CODES.contains(&code)
    }

    /// The end of `make`'s last word below `place` that it ignores a failure.
    fn end_of_ignored(&self, place: Place) -> Option<Place> {
        if self.gathers() {
            return None;
        }
        let text = self.streams[place.stream].text.as_ref();
        let is_it = |start: &usize| is_ignored(undecorated(line_at(text, *start)));
        let last = starts_below(text, place.start).filter(is_it).last()?;
        let start = last + line_at(text, last).len();
        Some(Place { start, ..place })
    }

    /// Whether `make` ignored a failure and went on after the report that ends there, in the stream
    /// in which it says no such thing.
    fn is_left_by_make(&self, end: Place) -> bool {
        let other = self.streams[1 - end.stream].text.as_ref();
        let starts = std::iter::once(0).chain(starts_below(other, 0));
        let mut said = starts.map(|start| undecorated(line_at(other, start)));
        if !said.any(is_ignored) {
            return false;
        }
        let text = self.streams[end.stream].text.as_ref();
        let mut below = starts_below(text, end.start).map(|start| line_at(text, start));
        below.any(|line| !line.trim_ascii().is_empty() && !line.starts_with(b"make"))
    }

    /// Whether the command is, or runs, what goes on whatever fails.
    fn gathers(&self) -> bool {
        let argv = self.observation.argv;
        let names = self.tools.names();
        let is_make = names.iter().any(|name| name == "make");
        let goes_on = |word: &String| GATHERING.iter().any(|option| word.starts_with(option));
        let hooks = b"- hook id: ";
        names.iter().any(|name| GATHERERS.contains(&name.as_str()))
            || (is_make && argv.iter().any(goes_on))
            || self
                .streams
                .iter()
                .any(|stream| memchr::memmem::find(&stream.text, hooks).is_some())
    }

    /// Whether something else reported its own failure after the report that ends there: a test, an
    /// exception, another tool.
    fn is_followed(&self, end: Place, check: Option<&str>, rules: &Rules) -> bool {
        let below = end.below();
        let stream = 1 - end.stream;
        let beside = Within {
            stream,
            starts: 0..usize::MAX,
        };
        let last = last_filled(&self.streams[stream].text);
        let own = rules
            .ordered
            .iter()
            .filter(|prepared| prepared.rule.beats.is_empty());
        let mut others = own.filter(|prepared| !prepared.is_users && !is_check(&prepared.rule));
        others.any(|prepared| {
            let rule = &prepared.rule;
            let source = rule.source.as_deref();
            let is_named = source.is_some_and(|source| !is_kin(source, check));
            let speaks_below = match rule.sign {
                Sign::Test | Sign::Exception => true,
                Sign::Cause | Sign::Diagnostic | Sign::Tool | Sign::System => is_named,
                Sign::Outcome | Sign::Words | Sign::Exit => false,
            };
            let is_own = |answer: &Answer| !self.only_wraps(answer, check);
            let found_below = || {
                self.ask(prepared, Some(&below))
                    .is_some_and(|one| is_own(&one))
            };
            let found_beside = || {
                let is_last = |answer: &Answer| {
                    let ends = last.as_ref().zip(answer.place);
                    rule.sign == Sign::Test || ends.is_some_and(|(last, at)| at.start == last.start)
                };
                let answer = self.ask(prepared, Some(&beside));
                answer.is_some_and(|one| is_own(&one) && is_last(&one))
            };
            let may_stand_beside = matches!(rule.sign, Sign::Test | Sign::Exception);
            speaks_below && (found_below() || (may_stand_beside && found_beside()))
        })
    }

    /// Whether `answer` says no more than that another program failed, `check` for one.
    fn only_wraps(&self, answer: &Answer, check: Option<&str>) -> bool {
        static WRAPPED: OnceLock<Regex> = OnceLock::new();
        let wrapped = WRAPPED.get_or_init(|| {
            compile(WRAPPED_PATTERN).expect("the tests of this file try the pattern")
        });
        let Some(place) = answer.place else {
            return true;
        };
        let line = line_at(self.streams[place.stream].text.as_ref(), place.start);
        let message = answer.detection.failure.message.as_bytes();
        let names = |text: &[u8]| {
            check.is_some_and(|check| memchr::memmem::find(text, check.as_bytes()).is_some())
        };
        [line, message]
            .iter()
            .any(|text| wrapped.is_match(text) || names(text))
    }

    /// Where the report of `prepared`'s tool ends that has a finding at `place`.
    fn end_of_report(&self, prepared: &Prepared, place: Place) -> Place {
        static TAIL: OnceLock<Regex> = OnceLock::new();
        let tail = TAIL
            .get_or_init(|| compile(TAIL_PATTERN).expect("the tests of this file try the pattern"));
        let text = self.streams[place.stream].text.as_ref();
        let last = prepared.line().and_then(|line| {
            let below = place.below();
            let hits = self.hits(prepared, line, Some(&below));
            hits.map(|hit| hit.place.start).last()
        });
        let last = last.unwrap_or(place.start);
        let lines = starts_below(text, last).take(REPORT_LINES_MAX);
        let own = lines.take_while(|&start| tail.is_match(undecorated(line_at(text, start))));
        let last = own.last().unwrap_or(last);
        let start = last + line_at(text, last).len();
        Place { start, ..place }
    }
}

/// What a shell's text says of one of its commands.
#[derive(Clone, Copy)]
struct Held {
    /// Set if the text ends as the command does.
    decides: bool,
}

/// Whether `make` says there that a failure was ignored.
fn is_ignored(line: &[u8]) -> bool {
    line.ends_with(b"(ignored)") && memchr::memmem::find(line, b"make").is_some()
}
