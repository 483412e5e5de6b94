//! Whether a literal that was found belongs to a secret, and from where to where that is.

use std::ops::Range;

use memchr::{memchr, memrchr};

use super::kind::{Kind, Parts, Value};
use super::limits::{BEFORE_BYTES_MAX, TOKEN_BYTES_MAX};
use super::mask;
use super::private_key;
use super::squeezed::Squeezed;
use super::unlikely::{is_placeholder, is_reference, is_weak};

/// The longest text that a context reaches over, with its value.
const CONTEXT_BYTES_MAX: usize = 2 * 1024;
/// The longest head of a block.
const HEAD_BYTES_MAX: usize = 80;
/// Characters of a line that a program may have folded: a shorter one ends where it ends.
pub(super) const FOLDED_WIDTH_MIN: usize = 40;
/// Folds of one token: the longest on narrow terminals.
const FOLDS_MAX: usize = 32;
/// The last bytes of a token that tell what it is made of.
const LAST_BYTES: usize = 8;
/// Characters of a token on the line after a fold that need no digit among them.
const REST_LENGTH_MIN: usize = 20;

/// A literal that was found in a text.
#[derive(Clone)]
pub(super) struct Hit<'t> {
    pub(super) text: &'t [u8],
    /// As its kind spells it.
    pub(super) literal: &'t [u8],
    pub(super) at: Range<usize>,
    /// Whether a secret ends where it begins.
    pub(super) is_after_secret: bool,
}

/// Whether a few bytes around `hit` allow a secret of `kind` there.
pub(super) fn may_be(kind: &Kind, hit: &Hit<'_>) -> bool {
    let parts = kind.parts();
    let is_spelled = parts.any_case || hit.text[hit.at.clone()] == *hit.literal;
    let begins_word = || hit.is_after_secret || begins_word(hit.text, hit.at.start);
    is_spelled && may_run(&hit.text[hit.at.end..], parts.run) && (!parts.word || begins_word())
}

/// The secret of `kind` at `hit`, where [`may_be`] allows one, and whether its checksum is right.
pub(super) fn judge(kind: &Kind, hit: &Hit<'_>) -> Option<(Range<usize>, bool)> {
    let parts = kind.parts();
    if parts.block {
        let header = parts.body.at_start().find(window(hit, HEAD_BYTES_MAX))?;
        let end = private_key::end(hit.text, hit.at.end + header.end())?;
        return Some((hit.at.start..end, false));
    }
    if parts.value.is_some() {
        return judge_context(&parts, hit).map(|range| (range, false));
    }
    let range = match folded(&parts, hit) {
        Some(range) => range,
        None => judge_token(&parts, hit)?,
    };
    let is_proved = match parts.check {
        Some(check) => check.confirms(&hit.text[range.clone()], hit.literal.len()),
        None => false,
    };
    Some((range, is_proved))
}

/// The place from which on it cannot be told yet what `hit` is, where the text goes on behind its
/// end: a block that is not closed, or a token that reaches it over folded lines. One reaches it
/// that is not before `open_tail`.
pub(super) fn open_from(kind: &Kind, hit: &Hit<'_>, open_tail: usize) -> Option<usize> {
    let parts = kind.parts();
    if hit.text.len() - hit.at.end > TOKEN_BYTES_MAX {
        return None;
    }
    let is_open = match (parts.block || parts.lines, parts.value) {
        (true, _) => {
            let head = parts
                .block
                .then(|| parts.body.at_start().find(window(hit, HEAD_BYTES_MAX)));
            let head = head.map_or(Some(0), |head| head.map(|head| head.end()));
            head.is_some_and(|head| private_key::is_open(hit.text, hit.at.end + head))
        }
        (false, Some(_)) => false,
        (false, None) => hit.at.end >= open_tail,
    };
    let before = match parts.lead {
        Some(_) => BEFORE_BYTES_MAX,
        None => 0,
    };
    is_open.then(|| hit.at.start.saturating_sub(before))
}

/// Where the end of `text` begins that is of one token, over as many lines as it has.
pub(super) fn open_tail(text: &[u8]) -> usize {
    let floor = text.len().saturating_sub(TOKEN_BYTES_MAX);
    let mut at = text.len();
    while at > floor {
        let is_indent = |byte: &u8| matches!(byte, b' ' | b'\t');
        let before = text[..at].iter().rposition(|byte| !is_indent(byte));
        match before.map(|before| (before, text[before])) {
            Some((before, b'\n')) => at = before,
            Some((before, byte)) if before + 1 == at && (byte == b'\r' || is_token_byte(byte)) => {
                at = before;
            }
            _ => break,
        }
    }
    at
}

fn judge_token(parts: &Parts<'_>, hit: &Hit<'_>) -> Option<Range<usize>> {
    // The short look first: a text may be full of the literal.
    let start = match parts.lead {
        Some(lead) => lead_start(lead, hit)?,
        None => hit.at.start,
    };
    let body = parts.body.at_start().find(window(hit, TOKEN_BYTES_MAX))?;
    let end = hit.at.end + body.end();
    let is_example = is_placeholder(&hit.text[hit.at.end..end]);
    (!is_example && !is_excused(parts, hit, end)).then_some(start..end)
}

fn judge_context(parts: &Parts<'_>, hit: &Hit<'_>) -> Option<Range<usize>> {
    let text = window(hit, CONTEXT_BYTES_MAX);
    let body = parts.body.at_start();
    // Most are none: that is found out before groups are asked for.
    if !body.is_match(text) {
        return None;
    }
    if let Some(before) = parts.before {
        before.at_end().find(lookbehind(hit))?;
    }
    let groups = body.captures(text)?;
    let value = groups.iter().skip(1).flatten().next()?;
    let secret = value.as_bytes();
    let is_none = match parts.value {
        Some(Value::Strong) => is_reference(secret) || is_weak(secret),
        Some(Value::Any) => is_reference(secret),
        Some(Value::Exact) | None => false,
    };
    let end = hit.at.end + value.end();
    // Where a mask stands it was looked at before, when it was longer.
    let has_masks = !mask::masks_in(&text[..value.end()]).is_empty();
    let is_masked = has_masks || secret.starts_with(mask::OPENING_WORD);
    let is_none = is_none || is_masked || is_placeholder(secret);
    (!is_none && !is_excused(parts, hit, end)).then(|| hit.at.end + value.start()..end)
}

fn is_excused(parts: &Parts<'_>, hit: &Hit<'_>, end: usize) -> bool {
    let rest = &hit.text[end..hit.text.len().min(end + BEFORE_BYTES_MAX)];
    // What is masked already and stands behind it was an excuse before it was masked.
    let excuse = |unless: &super::kind::Pattern| {
        unless.at_start().is_match(rest) || rest.starts_with(mask::OPENING_WORD)
    };
    parts.unless.is_some_and(excuse)
}

/// The token at `hit` where its line was folded inside it.
fn folded(parts: &Parts<'_>, hit: &Hit<'_>) -> Option<Range<usize>> {
    let text = hit.text;
    let next = text.get(hit.at.end).copied()?;
    if !is_token_byte(next) && !matches!(next, b'\r' | b'\n') {
        return None;
    }
    let line_end = hit.at.end + memchr(b'\n', window(hit, TOKEN_BYTES_MAX))?;
    let line = text[hit.at.end..line_end].trim_ascii_end();
    if !line.iter().all(|byte| is_token_byte(*byte)) {
        return None;
    }
    let line_start = memrchr(b'\n', &text[..hit.at.start]).map_or(0, |at| at + 1);
    let width = line_end - line_start;
    if width < FOLDED_WIDTH_MIN {
        return None;
    }
    let start = match parts.lead {
        Some(lead) => lead_start(lead, hit)?,
        None => hit.at.start,
    };
    let alone = Parts {
        lead: None,
        ..*parts
    };
    let mut found = judge_token(&alone, hit).map(|range| range.end);
    let limit = text.len().min(hit.at.end + TOKEN_BYTES_MAX);
    let mut last = line_end;
    for _ in 0..FOLDS_MAX {
        let next = last + 1;
        let next_end = memchr(b'\n', &text[next.min(limit)..limit]).map_or(limit, |at| next + at);
        if let Some(end) = joined_end(&alone, hit, next_end).filter(|end| *end > last) {
            if found.is_none() || (is_rest(text, last, end) && !is_whole(parts, hit, last, end)) {
                found = Some(end);
            } else {
                break;
            }
        }
        // Lines that are as wide are folded, too; the first that is not is the last.
        if next_end >= limit || next_end - next != width || found.is_some_and(|end| end <= last) {
            break;
        }
        last = next_end;
    }
    let end = found.filter(|end| *end > line_end)?;
    Some(start..end)
}

/// Where the token at `hit` ends in the text up to `until`, its lines joined.
fn joined_end(parts: &Parts<'_>, hit: &Hit<'_>, until: usize) -> Option<usize> {
    let joined = Squeezed::joined(&hit.text[hit.at.start..until]);
    let inner = Hit {
        text: &joined.text,
        at: 0..hit.at.len(),
        ..hit.clone()
    };
    let found = judge_token(parts, &inner)?;
    Some(hit.at.start + joined.end(found.end))
}

/// Whether the token at `hit`, long enough without it, is whole where its line ends: its checksum
/// says so, or what stands from there to `end` is a hash, or another token of its kind.
fn is_whole(parts: &Parts<'_>, hit: &Hit<'_>, line_end: usize, end: usize) -> bool {
    let token = hit.text[hit.at.start..line_end].trim_ascii_end();
    let is_confirmed = |check: super::checksum::Check| check.confirms(token, hit.literal.len());
    let rest = hit.text[line_end..end].trim_ascii();
    let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    // Those of git, whole or short, behind a token that does not end in such digits itself.
    let is_hash = rest.iter().all(is_hex) && (rest.len() == 40 || rest.len() <= 12);
    let last = &token[token.len().saturating_sub(LAST_BYTES)..];
    let is_hash = is_hash && !last.iter().all(is_hex);
    is_hash || rest.starts_with(hit.literal) || parts.check.is_some_and(is_confirmed)
}

/// Whether what stands between the end of a line and `end` is the rest of a token, not the next
/// word: up to the end of its line or of a string, and long, with a digit or with several capitals.
fn is_rest(text: &[u8], line_end: usize, end: usize) -> bool {
    let rest = text[line_end..end].trim_ascii();
    let is_mixed = || {
        let capitals = rest.iter().filter(|byte| byte.is_ascii_uppercase());
        rest.iter().any(u8::is_ascii_lowercase) && capitals.count() >= 2
    };
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n' | b'"' | b'\'' | b'\\');
    text.get(end).is_none_or(is_end)
        && (rest.len() >= REST_LENGTH_MIN || rest.iter().any(u8::is_ascii_digit) || is_mixed())
}

fn lead_start(lead: &super::kind::Pattern, hit: &Hit<'_>) -> Option<usize> {
    let before = lookbehind(hit);
    let found = lead.at_end().find(before)?;
    Some(hit.at.start - before.len() + found.start())
}

/// What follows the literal, at most `limit` bytes.
fn window<'t>(hit: &Hit<'t>, limit: usize) -> &'t [u8] {
    let end = hit.text.len().min(hit.at.end.saturating_add(limit));
    &hit.text[hit.at.end..end]
}

fn lookbehind<'t>(hit: &Hit<'t>) -> &'t [u8] {
    &hit.text[hit.at.start.saturating_sub(BEFORE_BYTES_MAX)..hit.at.start]
}

/// Whether a token of at least `length` bytes may follow: up to there, or to the end of a line,
/// nothing stands that tokens do not have.
fn may_run(text: &[u8], length: usize) -> bool {
    let mut bytes = text.iter().take(length);
    let other = bytes.find(|byte| !is_token_byte(**byte));
    other.is_none_or(|byte| matches!(byte, b'\r' | b'\n'))
}

/// Whether tokens may have `byte` in them.
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.+/=~$@%".contains(&byte)
}

/// Whether a word begins at `at`: no letter and no digit stands before it, but for one that ends
/// an escape or a terminal's code written out (`\n`, `%3D`, `\u003d`, `[32m`).
fn begins_word(text: &[u8], at: usize) -> bool {
    let before = &text[at.saturating_sub(16)..at];
    let hex = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_hexdigit);
    match before {
        [] => true,
        [.., last] if !last.is_ascii_alphanumeric() => true,
        [.., b'\\', b'n' | b'r' | b't' | b'b' | b'f' | b'v' | b'0'] => true,
        [.., b'%', high, low] if hex(&[*high, *low]) => true,
        [.., b'\\', b'x', high, low] if hex(&[*high, *low]) => true,
        [.., b'\\', b'u', a, b, c, d] if hex(&[*a, *b, *c, *d]) => true,
        [rest @ .., b'm'] => {
            let is_part = |byte: &u8| byte.is_ascii_digit() || *byte == b';';
            let code = rest.iter().rposition(|byte| !is_part(byte));
            code.is_some_and(|at| rest[at] == b'[')
        }
        _ => false,
    }
}
