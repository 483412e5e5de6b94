//! A line of a trail taken apart without being decoded: readers that only count, or that write it
//! in another shape, touch each byte once and allocate nothing.
//!
//! Only the text that [`RecoveryAuditEntry::to_json`](super::RecoveryAuditEntry::to_json) writes is
//! understood, to the byte: the same names in the same order, no space between tokens, strings with
//! the escapes that it uses, durations in milliseconds. Anything else is reported as unknown, and
//! the caller decodes it; so this and the decoder can never differ in meaning.

mod scan;

use std::borrow::Cow;

use self::scan::next_special;
use super::RecoveryAuditEntry;

/// Digits of whole seconds up to which the shortest decimal of a number is its text: with three
/// decimals they stay within the 15 digits that a double always distinguishes.
const SECONDS_DIGITS_MAX: usize = 12;

/// Digits of an attempt number that always fit into 64 bits.
const NUMBER_DIGITS_MAX: usize = 19;

/// One entry, and the places of its values in the line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryLine<'a> {
    /// The whole line.
    pub(crate) json: &'a str,
    pub(crate) entry_id: Text,
    pub(crate) timestamp: Text,
    pub(crate) session_id: Text,
    pub(crate) error_type: Text,
    pub(crate) strategy: Text,
    pub(crate) attempt_number: u64,
    pub(crate) success: bool,
    pub(crate) changes_made: List,
    pub(crate) files_modified: List,
    pub(crate) rollback_performed: bool,
    pub(crate) next_action: Text,
    duration_seconds: Span,
    pub(crate) duration_ms: u64,
    pub(crate) error_message: Text,
    pub(crate) recovery_message: Text,
}

/// A range of a line. Small, so that it is handed on in registers.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

/// The place of a string, without its quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text {
    span: Span,
    escaped: bool,
}

/// The place of a list of strings, brackets included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List {
    span: Span,
}

impl<'a> EntryLine<'a> {
    /// Parses the entry on `line`, which has no line end; `None` if its form is not ours.
    #[inline(always)]
    pub(crate) fn parse(line: &'a [u8]) -> Option<Self> {
        // Its places are numbers of 32 bits.
        u32::try_from(line.len()).ok()?;
        let json = std::str::from_utf8(line).ok()?;
        let mut rest = Rest { line, at: 0 };
        let entry_id = rest.key(b"{\"entry_id\":")?.text()?;
        let timestamp = rest.key(b",\"timestamp\":")?.text()?;
        let session_id = rest.key(b",\"session_id\":")?.text()?;
        let error_type = rest.key(b",\"error_type\":")?.text()?;
        let strategy = rest.key(b",\"strategy\":")?.text()?;
        let attempt_number = rest.key(b",\"attempt_number\":")?;
        let attempt_number = number(attempt_number.digits(NUMBER_DIGITS_MAX)?);
        let success = rest.key(b",\"success\":")?.truth()?;
        let changes_made = rest.key(b",\"changes_made\":")?.list()?;
        let files_modified = rest.key(b",\"files_modified\":")?.list()?;
        let rollback_performed = rest.key(b",\"rollback_performed\":")?.truth()?;
        let next_action = rest.key(b",\"next_action\":")?.text()?;
        let (duration_seconds, duration_ms) = rest.key(b",\"duration_seconds\":")?.seconds()?;
        let error_message = rest.key(b",\"error_message\":")?.text()?;
        let recovery_message = rest.key(b",\"recovery_message\":")?.text()?;
        rest.is_last(b"}").then_some(Self {
            json,
            entry_id,
            timestamp,
            session_id,
            error_type,
            strategy,
            attempt_number,
            success,
            changes_made,
            files_modified,
            rollback_performed,
            next_action,
            duration_seconds,
            duration_ms,
            error_message,
            recovery_message,
        })
    }
}

impl<'a> EntryLine<'a> {
    /// The string at `text`.
    pub(crate) fn text(&self, text: Text) -> Cow<'a, str> {
        let raw = text.span.of(self.json);
        match text.escaped {
            true => unescaped(raw).into(),
            false => raw.into(),
        }
    }

    /// The list at `list`, as it is written.
    pub(crate) fn list(&self, list: List) -> &'a str {
        list.span.of(self.json)
    }

    /// The strings of the list at `list`, in order.
    pub(crate) fn items(&self, list: List) -> impl Iterator<Item = Cow<'a, str>> {
        let line = *self;
        // After the bracket, and after each comma, is the next item or the end.
        let mut rest = Rest {
            line: self.json.as_bytes(),
            at: list.span.start as usize + 1,
        };
        std::iter::from_fn(move || {
            let item = rest.text()?;
            rest.at += 1;
            Some(line.text(item))
        })
    }

    /// The duration of the attempt, as it is written.
    pub(crate) fn duration_seconds(&self) -> &'a str {
        self.duration_seconds.of(self.json)
    }

    /// The entry as a value.
    pub(crate) fn to_entry(self) -> RecoveryAuditEntry {
        let text = |text| self.text(text).into_owned();
        let list = |list| self.items(list).map(Cow::into_owned).collect();
        RecoveryAuditEntry {
            entry_id: text(self.entry_id),
            timestamp: text(self.timestamp),
            session_id: text(self.session_id),
            error_type: text(self.error_type),
            strategy: text(self.strategy),
            attempt_number: self.attempt_number,
            success: self.success,
            changes_made: list(self.changes_made),
            files_modified: list(self.files_modified),
            rollback_performed: self.rollback_performed,
            next_action: text(self.next_action),
            duration_seconds: self.duration_ms as f64 / 1000.0,
            error_message: text(self.error_message),
            recovery_message: text(self.recovery_message),
        }
    }
}

impl Span {
    /// The range between these bytes. Its maker has checked that the line is short enough.
    fn new(start: usize, end: usize) -> Self {
        Self {
            start: start as u32,
            end: end as u32,
        }
    }

    fn of(self, json: &str) -> &str {
        &json[self.start as usize..self.end as usize]
    }
}

/// The text of `raw`, whose escapes were checked.
fn unescaped(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        text.push(match rest.as_bytes()[at + 1] {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            quote_or_backslash => quote_or_backslash.into(),
        });
        rest = &rest[at + 2..];
    }
    text.push_str(rest);
    text
}

/// The rest of a line. Most of its methods are inlined whatever that costs in code, so that the
/// place stays in a register: keeping it in memory would take a third of the time.
struct Rest<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Rest<'a> {
    fn bytes(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    #[inline(always)]
    fn key<const LENGTH: usize>(&mut self, key: &[u8; LENGTH]) -> Option<&mut Self> {
        self.skip(key).then_some(self)
    }

    /// The length is a constant so that a comparison is a few instructions, and no call.
    #[inline(always)]
    fn skip<const LENGTH: usize>(&mut self, token: &[u8; LENGTH]) -> bool {
        let found = self.bytes().first_chunk() == Some(token);
        if found {
            self.at += LENGTH;
        }
        found
    }

    fn is_last(&self, token: &[u8]) -> bool {
        self.bytes() == token
    }

    #[inline(always)]
    fn text(&mut self) -> Option<Text> {
        if !self.skip(b"\"") {
            return None;
        }
        let start = self.at;
        let end = next_special(self.line, start)?;
        if self.line[end] != b'"' {
            return self.text_with_escapes(start, end);
        }
        self.at = end + 1;
        let span = Span::new(start, end);
        Some(Text {
            span,
            escaped: false,
        })
    }

    /// A string that begins at `start` and has a byte at `end` that is not its end.
    #[inline(never)]
    fn text_with_escapes(&mut self, start: usize, mut end: usize) -> Option<Text> {
        while self.line[end] != b'"' {
            // A string may hold control characters only as escapes. Those not listed here have a
            // shorter form, or mean a control character that has none.
            let escape = self.line.get(end..end + 2)?;
            if !matches!(
                escape,
                [b'\\', b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't']
            ) {
                return None;
            }
            end = next_special(self.line, end + 2)?;
        }
        self.at = end + 1;
        let span = Span::new(start, end);
        let escaped = true;
        Some(Text { span, escaped })
    }

    #[inline(always)]
    fn list(&mut self) -> Option<List> {
        let start = self.at;
        if !self.skip(b"[") {
            return None;
        }
        if !self.skip(b"]") {
            self.text()?;
            while self.skip(b",") {
                self.text()?;
            }
            if !self.skip(b"]") {
                return None;
            }
        }
        let span = Span::new(start, self.at);
        Some(List { span })
    }

    #[inline(always)]
    fn truth(&mut self) -> Option<bool> {
        if self.skip(b"true") {
            return Some(true);
        }
        self.skip(b"false").then_some(false)
    }

    /// A whole number without leading zeros.
    fn digits(&mut self, digits_max: usize) -> Option<&'a [u8]> {
        let bytes = self.bytes();
        let length = bytes
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let leading_zero = length > 1 && bytes[0] == b'0';
        if length == 0 || length > digits_max || leading_zero {
            return None;
        }
        self.at += length;
        Some(&bytes[..length])
    }

    /// Seconds as serde writes whole milliseconds, and their number.
    fn seconds(&mut self) -> Option<(Span, u64)> {
        let start = self.at;
        let whole = self.digits(SECONDS_DIGITS_MAX)?;
        if !self.skip(b".") {
            return None;
        }
        let bytes = self.bytes();
        let length = bytes
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let decimals = &bytes[..length];
        let shortest = length == 1 || decimals.last() != Some(&b'0');
        if !(1..=3).contains(&length) || !shortest {
            return None;
        }
        self.at += length;
        let thousandths = [100, 10, 1].iter().zip(decimals);
        let below = thousandths.map(|(weight, digit)| weight * u64::from(digit - b'0'));
        let ms = number(whole) * 1000 + below.sum::<u64>();
        Some((Span::new(start, self.at), ms))
    }
}

fn number(digits: &[u8]) -> u64 {
    digits
        .iter()
        .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

#[cfg(test)]
mod tests;
