//! A rule's finding: the line that it means, and the captures of its patterns there and around.

use std::ops::Range;

use regex::bytes::{Captures, Regex};

use super::line::{line_at, starts_above, starts_below, undecorated};
use super::manifest::{manifest, manifest_in, manifest_of};
use super::nearby;
use super::rule::{Rule, Sign};
use super::rules::Prepared;
use super::test_file::{named_in, test_file};
use super::trace;
use super::whose::{is_go_root, is_packages};
use crate::failure::Category;

/// Longest message that is kept: as much as a person reads at a glance, with room for a path.
const MESSAGE_BYTES_MAX: usize = 2 * 1024;

/// Lines above the telling one that are searched for a rule's `under`: a compiler quotes few.
const UNDER_LINES: usize = 8;

/// The place of a line: the number of its stream, and its start in it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) stream: usize,
    pub(super) start: usize,
}

/// The part of the output in which a line must start to be meant.
#[derive(Clone)]
pub(super) struct Within {
    pub(super) stream: usize,
    pub(super) starts: Range<usize>,
}

/// A line that a rule meant.
pub(super) struct Hit<'a> {
    pub(super) text: &'a [u8],
    pub(super) place: Place,
    pub(super) line: &'a [u8],
}

/// The command whose output is read.
#[derive(Clone, Copy)]
pub(super) struct Command<'a> {
    pub(super) argv: &'a [String],
    /// The tool that wrote the line.
    pub(super) tool: &'a str,
}

/// `name: not found` of `name’: not found`, which begins behind the quote that is closed there.
fn without_stray_quote(mut message: String) -> String {
    let name = message.find(|c: char| c == ':' || c.is_whitespace());
    let Some(closing) = name.and_then(|end| message[..end].chars().last()) else {
        return message;
    };
    let opened = match closing {
        '’' => '‘',
        '»' => '«',
        '\'' | '"' => closing,
        _ => return message,
    };
    let at = name.unwrap_or_default() - closing.len_utf8();
    if !message[..at].contains(opened) {
        message.remove(at);
    }
    message
}

/// The captures so far; the first capture of each name stays.
#[derive(Default)]
pub(super) struct Found {
    pub(super) error_type: Option<String>,
    pub(super) message: Option<String>,
    pub(super) file: Option<String>,
    pub(super) line_number: Option<u64>,
    pub(super) stack_trace: Option<String>,
}

impl Place {
    /// The part of its stream below it.
    pub(super) fn below(self) -> Within {
        Within {
            stream: self.stream,
            starts: self.start + 1..usize::MAX,
        }
    }
}

impl Within {
    pub(super) fn has(&self, place: Place) -> bool {
        self.stream == place.stream && self.starts.contains(&place.start)
    }
}

impl Prepared {
    /// The nearest of the few lines above the hit that matches the rule's `under`.
    pub(super) fn under_line<'t>(&self, hit: &Hit<'t>) -> Option<&'t [u8]> {
        let under = self.under()?;
        starts_above(hit.text, hit.place.start)
            .take(UNDER_LINES)
            .map(|start| undecorated(line_at(hit.text, start)))
            .find(|line| under.is_match(line))
    }
}

impl Found {
    pub(super) fn take(&mut self, captures: &Captures<'_>) {
        let text = |name: &str| {
            captures
                .name(name)
                .map(|capture| shown(capture.as_bytes()))
                .filter(|text| !text.is_empty())
        };
        self.error_type = self.error_type.take().or_else(|| text("type"));
        let message = || text("message").map(without_stray_quote);
        self.message = self.message.take().or_else(message);
        let file = text("file");
        let same_file = file.is_none() || self.file.is_none() || self.file == file;
        if same_file && self.line_number.is_none() {
            self.line_number = text("line").and_then(|digits| digits.parse().ok());
        }
        self.file = self.file.take().or(file);
    }

    /// Whether every capture of `pattern` is known.
    pub(super) fn has_all_of(&self, pattern: &Regex) -> bool {
        pattern.capture_names().flatten().all(|name| match name {
            "type" => self.error_type.is_some(),
            "message" => self.message.is_some(),
            "file" => self.file.is_some(),
            _ => self.line_number.is_some(),
        })
    }

    pub(super) fn look_around(&mut self, hit: &Hit<'_>, prepared: &Prepared) {
        let under = prepared.under_line(hit);
        if let Some(captures) = under.and_then(|line| prepared.under()?.captures(line)) {
            self.take(&captures);
        }
        if let Some(above) = prepared.above() {
            self.take_first(above, hit, starts_above(hit.text, hit.place.start));
        }
        if let Some(below) = prepared.below() {
            self.take_first(below, hit, starts_below(hit.text, hit.place.start));
        }
        if let Some(language) = prepared.rule.trace {
            let read = trace::read(language, hit.text, hit.place.start);
            self.stack_trace = read.text;
            // If all frames are in packages, a person names the innermost, but none in the language
            // itself. A transient failure has no place.
            let innermost = (prepared.rule.category != Category::Transient)
                .then_some(read.innermost)
                .flatten()
                .filter(|(file, _)| !is_go_root(file));
            if let Some((file, line)) = read.own.or(innermost).filter(|_| self.file.is_none()) {
                self.file = Some(file);
                self.line_number = line.or(self.line_number);
            }
        }
    }

    /// Takes a place from around the hit if the rule found none of the project's own. A transient
    /// failure has none, and one known by its exit code or mere words has it in the line only.
    pub(super) fn look_nearby(&mut self, hit: &Hit<'_>, rule: &Rule, command: Command<'_>) {
        let is_own = self.file.as_deref().is_some_and(|file| !is_packages(file));
        if is_own || rule.category == Category::Transient {
            return;
        }
        let reach = match rule.category {
            Category::CodeQuality | Category::TestFailure => nearby::Reach::Around,
            _ if rule.sign == Sign::Exception || self.file.is_some() => nearby::Reach::Around,
            _ if rule.says_little() => nearby::Reach::Around,
            _ => nearby::Reach::Line,
        };
        let place = nearby::place(hit.text, hit.place.start, reach);
        let found = place.map(|(file, line)| (file, Some(line)));
        if let Some(found) = found.or_else(|| self.file_nearby(hit, rule, command)) {
            self.file = Some(found.0);
            self.line_number = found.1;
        }
    }

    /// A file, and perhaps a line, for a failure with no place named nearby.
    fn file_nearby(
        &self,
        hit: &Hit<'_>,
        rule: &Rule,
        command: Command<'_>,
    ) -> Option<(String, Option<u64>)> {
        let start = hit.place.start;
        let without_line = |file| (file, None);
        let file = match rule.category {
            _ if self.file.is_some() => return None,
            Category::Dependency => {
                let named = manifest(hit.text, start).map(without_line);
                let named = named.or_else(|| nearby::importing(hit.text, start));
                named.or_else(|| manifest_of(command.tool, hit.line).map(without_line))
            }
            Category::Unknown => nearby::quoted_file(hit.line).map(without_line),
            Category::TestFailure => test_file(hit.text, start),
            Category::CodeQuality | Category::Transient => None,
        };
        let step = || nearby::build_step(hit.text, start).map(|(file, line)| (file, Some(line)));
        let of_command = || match rule.category {
            Category::TestFailure | Category::CodeQuality => named_in(command.argv),
            Category::Dependency => manifest_in(command.argv),
            Category::Unknown | Category::Transient => None,
        };
        let file = file.or_else(step);
        file.or_else(|| of_command().map(without_line))
    }

    pub(super) fn take_first(
        &mut self,
        pattern: &Regex,
        hit: &Hit<'_>,
        starts: impl Iterator<Item = usize>,
    ) {
        for start in starts {
            let line = undecorated(line_at(hit.text, start));
            if let Some(captures) = pattern.captures(line) {
                self.take(&captures);
                if self.has_all_of(pattern) {
                    return;
                }
            }
        }
    }
}

/// Decodes bytes as text; invalid UTF-8 becomes the replacement character.
pub(super) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.trim_ascii()).into_owned()
}

/// Cuts the message at a character, with a mark at the cut.
pub(super) fn bounded(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES_MAX {
        let mark = "…";
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX - mark.len()));
        message.push_str(mark);
    }
    message
}
