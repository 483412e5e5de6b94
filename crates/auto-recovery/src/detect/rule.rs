//! One rule: the meaning of one line of a tool. Rules are data; this is their format.
//!
//! A rule holds when all its conditions hold. `find` are literals; `line` is tried only on a line
//! with one of them, so that a large output is read once for all rules together.

use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use super::position::spelled_out;
use super::scan::LITERAL_BYTES_MIN;
use super::text::Text;
use crate::error::{Error, ErrorKind, Result};
use crate::failure::Category;

/// A rule, as written in a file of rules, or made of a `[rule.NAME]` of `recover.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name in records and messages.
    pub id: Text,
    /// The category of the failure.
    pub category: Category,
    /// Its weight as evidence; more telling rules are asked first.
    #[serde(default)]
    pub sign: Sign,
    /// Only for commands that run one of these programs; empty for any.
    #[serde(default)]
    pub tools: Vec<Text>,
    /// Literals; one must be in the line. Empty for any line near either end.
    #[serde(default)]
    pub find: Vec<Text>,
    /// The telling line, with the captures `type`, `message`, `file` and `line`. In each pattern
    /// `{position}` stands for a place in any form, and captures `file` and `line`.
    #[serde(default)]
    pub line: Option<Text>,
    /// A pattern that one of the few lines above the telling one must match, with the same
    /// captures.
    #[serde(default)]
    pub under: Option<Text>,
    /// Categories of headlines that a line near them overrules, since it has the reason. A rule
    /// with this is asked about nothing else.
    #[serde(default)]
    pub beats: Vec<Category>,
    /// A line that matches this is not meant, nor are the lines under it.
    #[serde(default)]
    pub except: Option<Text>,
    /// Literals; one must be somewhere in the output.
    #[serde(default)]
    pub with: Vec<Text>,
    /// Literals; none may be anywhere in the output.
    #[serde(default)]
    pub without: Vec<Text>,
    /// Only for these exit codes; empty for any.
    #[serde(default)]
    pub exit: Vec<i32>,
    /// Only for these signals, also as a shell reports them (128 + signal); empty for any.
    #[serde(default)]
    pub signal: Vec<i32>,
    /// Only for commands that were stopped at their time limit, or only for others.
    #[serde(default)]
    pub timed_out: Option<bool>,
    /// Only when nothing at all was written, or only when something was.
    #[serde(default)]
    pub silent: Option<bool>,
    /// The type to name, when no capture has it.
    #[serde(default)]
    pub error_type: Option<Text>,
    /// Captured types to name differently: `[captured, name]`.
    #[serde(default)]
    pub names: Vec<(Text, Text)>,
    /// The message to give, when no capture has it; otherwise it is the line.
    #[serde(default)]
    pub message: Option<Text>,
    /// The tool that wrote the line, when the line proves it.
    #[serde(default)]
    pub source: Option<Text>,
    /// Captures to look for in the lines above, nearest first.
    #[serde(default)]
    pub above: Option<Text>,
    /// Captures to look for in the lines below, nearest first.
    #[serde(default)]
    pub below: Option<Text>,
    /// The stack trace that belongs to the line.
    #[serde(default)]
    pub trace: Option<Trace>,
    /// Set if the last such line tells most, rather than the first.
    #[serde(default)]
    pub last: bool,
}

/// The strength of a rule as evidence, strongest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// The way the process ended: its time limit, a signal.
    Outcome,
    /// The root cause that a later, louder report only wraps.
    Cause,
    /// A diagnostic of a compiler, linter or formatter, with a code or a place.
    Diagnostic,
    /// The result of a test runner.
    Test,
    /// The exception that ended a program.
    Exception,
    /// A tool's own error line.
    #[default]
    Tool,
    /// The operating system's words at the end of an error line.
    System,
    /// Words in a line that reports an error.
    Words,
    /// The exit code alone.
    Exit,
}

impl Sign {
    /// The sign of this name in a file of rules.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "outcome" => Self::Outcome,
            "cause" => Self::Cause,
            "diagnostic" => Self::Diagnostic,
            "test" => Self::Test,
            "exception" => Self::Exception,
            "tool" => Self::Tool,
            "system" => Self::System,
            "words" => Self::Words,
            "exit" => Self::Exit,
            _ => return None,
        })
    }

    /// Whether rules of this sign use wording, which warnings and quoted code can have as well.
    pub(super) fn reads_prose(self) -> bool {
        match self {
            Self::Tool | Self::System | Self::Words | Self::Exit => true,
            Self::Outcome | Self::Cause | Self::Diagnostic | Self::Test | Self::Exception => false,
        }
    }
}

/// The languages whose stack traces are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trace {
    /// `File "a.py", line 1, in f`, innermost last; also pytest's `a.py:1: in f`.
    Python,
    /// `File "a.py", line 1 in f`, innermost first: what a dying interpreter prints.
    Faulthandler,
    /// `at f (/a.js:1:2)`, innermost first.
    Node,
    /// `at a.B.c(B.java:1)`, innermost first; Kotlin and Scala too.
    Java,
    /// `a.rb:1:in 'f'`, innermost first.
    Ruby,
    /// `#0 /a.php(1): f()`, innermost first.
    Php,
    /// A tab and `/a.go:1 +0x1d`, innermost first.
    Go,
    /// `#0 0x1 in f /a.c:1`, innermost first: sanitizers and debuggers.
    Native,
    /// `at A.B() in /a.cs:line 1`, innermost first.
    Dotnet,
    /// `(app 0.1.0) lib/a.ex:1: A.f/1`, innermost first.
    Elixir,
}

/// The captures a pattern may name.
const CAPTURES: [&str; 4] = ["type", "message", "file", "line"];

/// Largest size of a compiled pattern: 1 MiB, a hundred times what the built-in ones need.
const PATTERN_SIZE_MAX: usize = 1 << 20;

/// Longest literal of a rule: a longer line is no report.
const LITERAL_BYTES_MAX: usize = 1024;

impl Rule {
    /// An empty rule of this name, with the category unknown.
    pub fn named(id: impl Into<Text>) -> Self {
        Self {
            id: id.into(),
            category: Category::Unknown,
            sign: Sign::default(),
            tools: Vec::new(),
            find: Vec::new(),
            line: None,
            under: None,
            beats: Vec::new(),
            except: None,
            with: Vec::new(),
            without: Vec::new(),
            exit: Vec::new(),
            signal: Vec::new(),
            timed_out: None,
            silent: None,
            error_type: None,
            names: Vec::new(),
            message: None,
            source: None,
            above: None,
            below: None,
            trace: None,
            last: false,
        }
    }

    /// Whether it says no more than that something failed: any error's line, with no code.
    pub(super) fn says_little(&self) -> bool {
        self.sign == Sign::Exit && self.category == Category::Unknown && self.exit.is_empty()
    }

    /// Whether it knows a finding or a failed test by the exit code alone.
    pub(super) fn finds_by_exit(&self) -> bool {
        let has_places = matches!(self.category, Category::CodeQuality | Category::TestFailure);
        self.sign == Sign::Exit && has_places
    }

    /// Refuses a rule that could never hold, or whose patterns are no patterns.
    pub(super) fn check(&self) -> Result<()> {
        let bad = |what: String| Error::new(ErrorKind::InvalidInput, what);
        if self.id.is_empty() {
            return Err(bad("a rule without an id: give it a name".to_owned()));
        }
        for (key, pattern) in self.patterns() {
            compile(pattern)
                .and_then(|regex| check_captures(&regex))
                .map_err(|reason| bad(format!("rule {}: {key}: {reason}", self.id)))?;
        }
        let says_when = self.line.is_some()
            || !self.exit.is_empty()
            || !self.signal.is_empty()
            || !self.with.is_empty()
            || self.timed_out.is_some()
            || self.silent.is_some();
        if !says_when {
            return Err(bad(format!(
                "rule {}: says nothing about when it holds: give it a line, with, exit, signal, \
                 timed_out or silent",
                self.id
            )));
        }
        if self.line.is_none() && (self.under.is_some() || !self.beats.is_empty()) {
            return Err(bad(format!(
                "rule {}: under or beats without line: say which line is meant",
                self.id
            )));
        }
        if self.line.is_none() && !self.find.is_empty() {
            return Err(bad(format!(
                "rule {}: find without line: use with for literals anywhere in the output",
                self.id
            )));
        }
        let literals = || self.find.iter().chain(&self.with).chain(&self.without);
        if let Some(short) = literals().find(|literal| literal.len() < LITERAL_BYTES_MIN) {
            return Err(bad(format!(
                "rule {}: the literal {short:?} is too short to tell: use {LITERAL_BYTES_MIN} bytes \
                 or more, or leave it to the pattern",
                self.id
            )));
        }
        if let Some(several) = literals().find(|literal| literal.contains(['\n', '\r'])) {
            return Err(bad(format!(
                "rule {}: the literal {several:?} spans more than one line",
                self.id
            )));
        }
        if let Some(long) = literals().find(|literal| literal.len() > LITERAL_BYTES_MAX) {
            return Err(bad(format!(
                "rule {}: a literal of {} bytes: use {LITERAL_BYTES_MAX} or fewer",
                self.id,
                long.len()
            )));
        }
        Ok(())
    }

    fn patterns(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("line", &self.line),
            ("under", &self.under),
            ("except", &self.except),
            ("above", &self.above),
            ("below", &self.below),
        ]
        .into_iter()
        .filter_map(|(key, pattern)| Some((key, pattern.as_deref()?)))
    }
}

/// Compiles a pattern in the rules' sense: bytes, ASCII classes, one line at a time, places spelled
/// out.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(&spelled_out(pattern))
        .unicode(false)
        .size_limit(PATTERN_SIZE_MAX)
        .build()
        .map_err(|error| error.to_string())
}

fn check_captures(regex: &Regex) -> Result<(), String> {
    match regex
        .capture_names()
        .flatten()
        .find(|name| !CAPTURES.contains(name))
    {
        Some(name) => Err(format!(
            "unknown capture {name:?}: use type, message, file or line"
        )),
        None => Ok(()),
    }
}
