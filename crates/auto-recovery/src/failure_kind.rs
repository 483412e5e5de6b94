//! The failure kind: the common properties of two failures that count as the same.
//!
//! Two failures are the same when the tool, the type and the message are, once the parts that
//! differ from run to run are masked in the message. No project, file or line is asked. Masked are:
//!
//! - **numbers**, also joined by `.`, `,`, `:`, `-`, `/` or `_` (`1,024`, `3.14`, `127.0.0.1:8080`,
//!   `2026-11-29`, `12:30:45`), with a sign left as it is; so ports, lines, columns and times. A
//!   number that follows a letter directly is part of a word: `E0308`, `utf8` and `i32` stay;
//! - **durations and sizes**: a number with its unit, `950ms`, `1.2 s`, `5m30s`, `3 seconds`,
//!   `12 MiB`;
//! - **dates**: numbers joined as above, with `T`, `Z` and an offset, and English months and
//!   weekdays beside a number, `Sun Nov 29`, `29/Nov/2026`, `Nov 29`;
//! - **addresses**: `0x7ffd…`, IPv4, IPv6 and MAC addresses;
//! - **hashes and ids**: UUIDs; seven or more hex digits, at least one a digit; 20 or more letters
//!   and digits, at least three of them digits;
//! - **temporary paths**, whole: below `/tmp`, `/var/tmp`, `/var/folders`, `/dev/shm`,
//!   `/run/user` and Windows' `…\Temp\`; and of any other absolute path the **directories**, which
//!   say where the project lies. Its last name stays, and relative paths do, as words;
//! - **secrets**, which stand there as `[redacted KIND 7f3a]`;
//! - colours and all else that draws nothing on a terminal ([`crate::escape`]), and how much white
//!   space is between words.
//!
//! All else counts, letter by letter. The first [`MESSAGE_BYTES_MAX`] bytes of a message count, any
//! bytes; time and memory grow with them alone. A kind is `1-` and 16 hex digits; `1` is the
//! version of these rules, so that kinds of different rules are never equal.

use std::sync::LazyLock;

use regex::bytes::{Captures, Regex, RegexBuilder};
use sha2::{Digest as _, Sha256};

use crate::escape::strip_escapes;

/// The version of the rules above. A change of the masks raises it.
const VERSION: u32 = 1;

/// Bytes of a message that count: 64 KiB, far more than distinguish one failure from another.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Bytes of the digest that are kept: 64 bits. A million kinds have two alike once in 37 million
/// times.
const DIGEST_BYTES: usize = 8;

/// Letters and digits that make an id, and the least number of digits among them.
const ID_CHARS_MIN: usize = 20;
const ID_DIGITS_MIN: usize = 3;

/// The replacement for masked text.
const MASK: &[u8] = b"#";

/// The kind of the failure of type `error_type` that `tool` reported with `message`.
pub fn failure_kind(tool: &str, error_type: &str, message: impl AsRef<[u8]>) -> String {
    let message = message.as_ref();
    let message = masked(&message[..message.len().min(MESSAGE_BYTES_MAX)]);
    // A tool that was named by its path is the same from everywhere.
    let tool = tool.rsplit('/').next().unwrap_or(tool);
    let mut hash = Sha256::new();
    for part in [tool.as_bytes(), error_type.as_bytes(), &message] {
        // The length goes first, so that no two triples are one text.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let hex: String = digest[..DIGEST_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{VERSION}-{hex}")
}

/// The texts to mask, the first that fits at each place; each alternative has its name. Words are
/// matched too, so that nothing begins inside one.
static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
    // The characters before a path, in a path, and in the last name of one.
    let edge = r#"(?P<edge>^|[\s"'`(\[{<=,;|])"#;
    let name = r#"[^\s"'`()\[\]{}<>|,;:]"#;
    let last = r#"[^\s"'`()\[\]{}<>|,;:/\\]"#;
    let below = "/(?:private/)?(?:tmp|var/tmp|var/folders|dev/shm|run/user)/";
    let temporary = format!(r"{below}{name}*|[A-Za-z]:\\{name}*?\\Temp\\{name}*");
    let path = format!(r"(?:~|[A-Za-z]:)?[/\\](?:{name}*[/\\])?(?P<last>{last}+)");
    let month = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*";
    let day = "(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?[ ]+)?";
    let hex = "[0-9a-fA-F]{1,4}";
    let groups = format!("{hex}(?::{hex})*");
    let number = r"[0-9]+(?:[.,:/_-][0-9]+)*";
    let time = r"(?:T[0-9]+(?:[.:,][0-9]+)*)?Z?(?:[+-][0-9]{2}:?[0-9]{2})?";
    let short = r"ns|us|\xC2\xB5s|\xCE\xBCs|ms|s|secs?|seconds?|milliseconds?|microseconds?";
    let long = "m|mins?|minutes?|h|hrs?|hours?|d|days?|weeks?|months?|years?";
    let size = "B|[kKMGT]i?[bB]?|[bB]ytes?|bits?";
    let parts = [
        r"(?P<secret>\[redacted [0-9A-Za-z_-]{1,64} [0-9a-f]{4}\])".to_owned(),
        format!("{edge}(?:{temporary}|{path})"),
        r"(?P<uuid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})".to_owned(),
        format!(r"(?P<date>{day}{month}[ /-]+[0-9]{{1,2}}\b|{day}[0-9]{{1,2}}[ /-]{month}\b)"),
        format!(r"(?P<colons>(?:(?:{hex}:){{5,7}}{hex}|(?:{groups})?::{groups})\b)"),
        format!(r"(?P<duration>(?:[0-9]+(?:\.[0-9]+)?[ ]?(?:{short}|{long}))+\b)"),
        format!(r"(?P<number>{number}{time}(?:[ ]?(?:{size}))?\b)"),
        r"(?P<address>0[xX][0-9a-fA-F]+\b)".to_owned(),
        r"(?P<word>[A-Za-z0-9]+)".to_owned(),
        r"(?P<space>\s+)".to_owned(),
    ];
    let mut builder = RegexBuilder::new(&parts.join("|"));
    builder.unicode(false).build().expect("a valid pattern")
});

/// Replaces all that is masked in `message` by [`MASK`].
fn masked(message: &[u8]) -> Vec<u8> {
    let message = strip_escapes(message);
    let text = PATTERN.replace_all(&message, |found: &Captures<'_>| replaced(found));
    text.trim_ascii().to_vec()
}

/// The replacement for a match.
fn replaced(found: &Captures<'_>) -> Vec<u8> {
    let part = |name: &str| found.name(name).map(|found| found.as_bytes());
    let whole = found.get(0).map_or(&b""[..], |found| found.as_bytes());
    if let Some(edge) = part("edge") {
        let edge = if edge.trim_ascii().is_empty() && !edge.is_empty() {
            b" "
        } else {
            edge
        };
        let last = part("last").map(word_by_word).unwrap_or_default();
        return [edge, MASK, &last].concat();
    }
    if part("space").is_some() {
        return b" ".to_vec();
    }
    if let Some(colons) = part("colons") {
        return match colons.iter().any(u8::is_ascii_digit) {
            true => MASK.to_vec(),
            false => colons.to_vec(),
        };
    }
    match part("word") {
        Some(word) => masked_word(word),
        None if whole.is_empty() => Vec::new(),
        None => MASK.to_vec(),
    }
}

/// The last name of a path, with its numbers and ids masked.
fn word_by_word(name: &[u8]) -> Vec<u8> {
    let is_part = |a: &u8, b: &u8| a.is_ascii_alphanumeric() == b.is_ascii_alphanumeric();
    name.chunk_by(is_part).flat_map(masked_word).collect()
}

/// `word` of letters and digits, masked if it is an id; else its digits where it begins with one.
fn masked_word(word: &[u8]) -> Vec<u8> {
    let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_hex = word.len() >= 7 && digits > 0 && word.iter().all(u8::is_ascii_hexdigit);
    if is_hex || (word.len() >= ID_CHARS_MIN && digits >= ID_DIGITS_MIN) {
        return MASK.to_vec();
    }
    if !word.first().is_some_and(u8::is_ascii_digit) {
        return word.to_vec();
    }
    let is_alike = |a: &u8, b: &u8| a.is_ascii_digit() == b.is_ascii_digit();
    let parts = word.chunk_by(is_alike);
    parts
        .flat_map(|part| match part[0].is_ascii_digit() {
            true => MASK,
            false => part,
        })
        .copied()
        .collect()
}

#[cfg(test)]
mod tests;
