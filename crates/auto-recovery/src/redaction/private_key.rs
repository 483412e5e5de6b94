//! Where a private key ends: at its own end, also where lines are written out as `\n`, or where a
//! cut one stops reading like a key.

use std::ops::Range;

use memchr::memmem;

use super::limits::TOKEN_BYTES_MAX;

const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// Characters of a cut key below which it is a mention of one.
const BODY_LENGTH_MIN: usize = 32;

/// The end of the key whose head ends at `from`; none if no key follows.
pub(super) fn end(text: &[u8], from: usize) -> Option<usize> {
    let limit = text.len().min(from + TOKEN_BYTES_MAX);
    let body = &text[from..limit];
    if let Some(at) = memmem::find(body, END) {
        let name = from + at + END.len();
        let rest = &text[name..text.len().min(name + 80)];
        let close = memmem::find(rest, DASHES).map_or(name, |at| name + at + DASHES.len());
        return (count(&body[..at]) >= BODY_LENGTH_MIN).then_some(close);
    }
    let cut = from + cut_body(body);
    (count(&text[from..cut]) >= BODY_LENGTH_MIN).then_some(cut)
}

/// Whether a key whose head ends at `from` may go on behind the end of `text`.
pub(super) fn is_open(text: &[u8], from: usize) -> bool {
    let body = &text[from..];
    body.len() < TOKEN_BYTES_MAX
        && memmem::find(body, END).is_none_or(|at| {
            let rest = &body[at + END.len()..];
            rest.len() < 80 && memmem::find(rest, DASHES).is_none()
        })
        && cut_body(body) == body.len()
}

/// Characters of base 64.
fn count(body: &[u8]) -> usize {
    let is_digit = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    body.iter().filter(is_digit).count()
}

/// How much of `body` reads like lines of a key.
fn cut_body(body: &[u8]) -> usize {
    let mut end = 0;
    for line in lines(body) {
        if !is_key_line(&body[line.clone()]) {
            break;
        }
        end = line.end;
    }
    end
}

fn lines(body: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let ends = memchr::memchr_iter(b'\n', body).map(|at| at + 1);
    let mut start = 0;
    ends.chain([body.len()]).filter_map(move |end| {
        let line = start..end;
        start = end;
        (!line.is_empty()).then_some(line)
    })
}

/// Whether `line` is one of a key: base 64 with what quotes it, or a header of old formats.
fn is_key_line(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let heads = [&b"Proc-Type:"[..], b"DEK-Info:", b"Comment:", b"Version:"];
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=\\\"', >|-#*".contains(byte);
    heads.iter().any(|head| line.starts_with(head))
        || (line.iter().all(is_part) && !has_words(line))
}

/// Whether `line` has blanks between letters, as sentences do.
fn has_words(line: &[u8]) -> bool {
    let mut pairs = line.windows(3);
    pairs.any(|three| {
        three[0].is_ascii_alphabetic() && three[1] == b' ' && three[2].is_ascii_alphabetic()
    })
}
