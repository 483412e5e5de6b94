//! A line of a trail taken apart without being decoded: readers that only count, or that write what
//! they read in another shape, touch each byte once and allocate nothing.
//!
//! Only what [`RecoveryAuditEntry::to_json`](super::RecoveryAuditEntry::to_json) writes is understood,
//! to the byte: the same names in the same order, no space between tokens, strings with the escapes
//! that it uses, durations in milliseconds. Of anything else it says that it does not know, and the
//! caller decodes it; so what this accepts and what the decoder accepts can never differ in meaning.

use std::borrow::Cow;

use memchr::memchr2;

use super::RecoveryAuditEntry;

/// Digits of whole seconds up to which the shortest decimal of a number is the one that stands there:
/// with three decimals they stay within the 15 digits that a double always tells apart.
const SECONDS_DIGITS_MAX: usize = 12;

/// Digits of an attempt number that fit into 64 bits whatever they are.
const NUMBER_DIGITS_MAX: usize = 19;

/// One entry, its values as they stand in the line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryLine<'a> {
    /// The whole line.
    pub(crate) json: &'a str,
    pub(crate) entry_id: RawText<'a>,
    pub(crate) timestamp: RawText<'a>,
    pub(crate) session_id: RawText<'a>,
    pub(crate) error_type: RawText<'a>,
    pub(crate) strategy: RawText<'a>,
    pub(crate) attempt_number: u64,
    pub(crate) success: bool,
    pub(crate) changes_made: RawList<'a>,
    pub(crate) files_modified: RawList<'a>,
    pub(crate) rollback_performed: bool,
    pub(crate) next_action: RawText<'a>,
    pub(crate) duration_seconds: &'a str,
    pub(crate) duration_ms: u64,
    pub(crate) error_message: RawText<'a>,
    pub(crate) recovery_message: RawText<'a>,
}

/// A string as it stands between its quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawText<'a> {
    raw: &'a str,
    escaped: bool,
}

/// A list of strings as it stands, brackets included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawList<'a> {
    pub(crate) json: &'a str,
}

impl<'a> EntryLine<'a> {
    /// The entry on `line`, which has no line end; `None` if it is not written as we write it.
    pub(crate) fn parse(line: &'a [u8]) -> Option<Self> {
        if has_control_characters(line) {
            return None;
        }
        let json = std::str::from_utf8(line).ok()?;
        let mut rest = Rest { json, at: 0 };
        let entry_id = rest.key("{\"entry_id\":")?.text()?;
        let timestamp = rest.key(",\"timestamp\":")?.text()?;
        let session_id = rest.key(",\"session_id\":")?.text()?;
        let error_type = rest.key(",\"error_type\":")?.text()?;
        let strategy = rest.key(",\"strategy\":")?.text()?;
        let attempt_number = rest.key(",\"attempt_number\":")?;
        let attempt_number = number(attempt_number.digits(NUMBER_DIGITS_MAX)?);
        let success = rest.key(",\"success\":")?.truth()?;
        let changes_made = rest.key(",\"changes_made\":")?.list()?;
        let files_modified = rest.key(",\"files_modified\":")?.list()?;
        let rollback_performed = rest.key(",\"rollback_performed\":")?.truth()?;
        let next_action = rest.key(",\"next_action\":")?.text()?;
        let (duration_seconds, duration_ms) = rest.key(",\"duration_seconds\":")?.seconds()?;
        let error_message = rest.key(",\"error_message\":")?.text()?;
        let recovery_message = rest.key(",\"recovery_message\":")?.text()?;
        rest.is_last("}").then_some(Self {
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

impl EntryLine<'_> {
    /// The entry as a value.
    pub(crate) fn to_entry(self) -> RecoveryAuditEntry {
        let list = |list: RawList<'_>| {
            list.items()
                .map(|item| item.decoded().into_owned())
                .collect()
        };
        RecoveryAuditEntry {
            entry_id: self.entry_id.decoded().into_owned(),
            timestamp: self.timestamp.decoded().into_owned(),
            session_id: self.session_id.decoded().into_owned(),
            error_type: self.error_type.decoded().into_owned(),
            strategy: self.strategy.decoded().into_owned(),
            attempt_number: self.attempt_number,
            success: self.success,
            changes_made: list(self.changes_made),
            files_modified: list(self.files_modified),
            rollback_performed: self.rollback_performed,
            next_action: self.next_action.decoded().into_owned(),
            duration_seconds: self.duration_ms as f64 / 1000.0,
            error_message: self.error_message.decoded().into_owned(),
            recovery_message: self.recovery_message.decoded().into_owned(),
        }
    }
}

impl<'a> RawText<'a> {
    /// The text.
    pub(crate) fn decoded(self) -> Cow<'a, str> {
        if !self.escaped {
            return self.raw.into();
        }
        let mut text = String::with_capacity(self.raw.len());
        let mut rest = self.raw;
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
        text.into()
    }
}

impl<'a> RawList<'a> {
    /// Its items, in order.
    pub(crate) fn items(self) -> impl Iterator<Item = RawText<'a>> {
        // Behind the bracket, then behind the comma, stands the next item or the end.
        let mut rest = Rest {
            json: self.json,
            at: 1,
        };
        std::iter::from_fn(move || {
            let item = rest.text();
            rest.at += 1;
            item
        })
    }
}

/// What of a line is still to be taken.
struct Rest<'a> {
    json: &'a str,
    at: usize,
}

impl<'a> Rest<'a> {
    fn bytes(&self) -> &'a [u8] {
        self.json.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn key(&mut self, key: &str) -> Option<&mut Self> {
        self.skip(key).then_some(self)
    }

    fn skip(&mut self, token: &str) -> bool {
        let found = self.bytes().starts_with(token.as_bytes());
        if found {
            self.at += token.len();
        }
        found
    }

    fn is_last(&self, token: &str) -> bool {
        self.bytes() == token.as_bytes()
    }

    fn text(&mut self) -> Option<RawText<'a>> {
        if !self.skip("\"") {
            return None;
        }
        let bytes = self.json.as_bytes();
        let start = self.at;
        let mut end = start;
        let mut escaped = false;
        loop {
            end += memchr2(b'"', b'\\', &bytes[end..])?;
            if bytes[end] == b'"' {
                break;
            }
            // Other escapes have a shorter form, or mean what was refused above.
            if !matches!(
                bytes.get(end + 1)?,
                b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't'
            ) {
                return None;
            }
            escaped = true;
            end += 2;
        }
        self.at = end + 1;
        Some(RawText {
            raw: &self.json[start..end],
            escaped,
        })
    }

    fn list(&mut self) -> Option<RawList<'a>> {
        let start = self.at;
        if !self.skip("[") {
            return None;
        }
        if !self.skip("]") {
            self.text()?;
            while self.skip(",") {
                self.text()?;
            }
            if !self.skip("]") {
                return None;
            }
        }
        Some(RawList {
            json: &self.json[start..self.at],
        })
    }

    fn truth(&mut self) -> Option<bool> {
        if self.skip("true") {
            return Some(true);
        }
        self.skip("false").then_some(false)
    }

    /// A whole number without leading zeros.
    fn digits(&mut self, digits_max: usize) -> Option<&'a str> {
        let bytes = self.bytes();
        let length = bytes
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let leading_zero = length > 1 && bytes[0] == b'0';
        if length == 0 || length > digits_max || leading_zero {
            return None;
        }
        let start = self.at;
        self.at += length;
        Some(&self.json[start..self.at])
    }

    /// Seconds as serde writes those that are whole milliseconds, and how many of these.
    fn seconds(&mut self) -> Option<(&'a str, u64)> {
        let start = self.at;
        let whole = self.digits(SECONDS_DIGITS_MAX)?;
        if !self.skip(".") {
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
        Some((&self.json[start..self.at], ms))
    }
}

fn number(digits: &str) -> u64 {
    digits
        .bytes()
        .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

/// Whether there is a byte that a JSON string may hold only as an escape. In blocks, so that many are
/// compared at once.
fn has_control_characters(line: &[u8]) -> bool {
    const BLOCK_BYTES: usize = 64;
    line.chunks(BLOCK_BYTES).any(|block| {
        block
            .iter()
            .fold(false, |found, &byte| found | (byte < b' '))
    })
}

#[cfg(test)]
mod tests;
