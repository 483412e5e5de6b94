//! Making an entry fit: how large an entry that we write may be, and what is cut when it is larger.
//!
//! An entry has at most [`ENTRY_BYTES_MAX`] bytes of JSON. Texts are cut at a character and say how
//! much is gone; lists are cut at whole items and say how many. What is cut is not lost where it
//! matters: the journal holds every path of an attempt.

use crate::entry::RecoveryAuditEntry;
use crate::error::{Error, ErrorKind, Result};

/// The largest entry that we write, in bytes of compact JSON: 2^16 - 1, the limit of an entry in
/// the bundles of C2SP transparency logs.
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// What a short text (type, strategy, action, id, time) may take when an entry is too large, in
/// bytes of JSON. Five of them and the session id (at most 200 characters of at most 6 bytes) leave
/// more than 58,000 bytes for messages and lists.
const SHORT_TEXT_BYTES_MAX: usize = 1024;

/// The bytes that a cut text's marker may take: "… 18446744073709551615 bytes cut".
const MARKER_BYTES_MAX: usize = 40;

/// Appends `entry` to `out` as compact JSON of at most `limit` bytes, cutting what is too large.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if its duration is no duration.
pub(super) fn write_fitted(
    entry: &mut RecoveryAuditEntry,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<()> {
    let seconds = entry.duration_seconds;
    if !seconds.is_finite() || seconds < 0.0 {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!("duration_seconds is {seconds}: give a number of seconds, 0 or more"),
        ));
    }
    let rounded = (seconds * 1000.0).round() / 1000.0;
    // One that is too long to be rounded has no part of a second.
    if rounded.is_finite() {
        entry.duration_seconds = rounded;
    }
    let start = out.len();
    write(entry, out);
    if out.len() - start > limit {
        let size = out.len() - start;
        out.truncate(start);
        cut(entry, size, limit);
        write(entry, out);
        debug_assert!(out.len() - start <= limit, "cutting must suffice");
    }
    Ok(())
}

fn write(entry: &RecoveryAuditEntry, out: &mut Vec<u8>) {
    serde_json::to_writer(out, entry)
        .expect("strings, numbers, bools and lists always serialise, and a Vec takes all");
}

/// Cuts `entry`, which takes `size` bytes of JSON, to at most `limit`.
fn cut(entry: &mut RecoveryAuditEntry, mut size: usize, limit: usize) {
    for text in [
        &mut entry.entry_id,
        &mut entry.timestamp,
        &mut entry.error_type,
        &mut entry.strategy,
        &mut entry.next_action,
    ] {
        size -= text_size(text);
        cut_text(text, SHORT_TEXT_BYTES_MAX);
        size += text_size(text);
    }
    let sizes = [
        text_size(&entry.error_message),
        text_size(&entry.recovery_message),
        list_size(&entry.changes_made),
        list_size(&entry.files_modified),
    ];
    let rest = size - sizes.iter().sum::<usize>();
    let shares = fair_shares(sizes, limit.saturating_sub(rest));
    cut_text(&mut entry.error_message, shares[0]);
    cut_text(&mut entry.recovery_message, shares[1]);
    cut_list(&mut entry.changes_made, shares[2]);
    cut_list(&mut entry.files_modified, shares[3]);
}

/// Divides `budget` so that the small get what they need and the large share what is left evenly.
fn fair_shares<const N: usize>(sizes: [usize; N], mut budget: usize) -> [usize; N] {
    let mut order: Vec<usize> = (0..N).collect();
    order.sort_by_key(|&index| sizes[index]);
    let mut shares = [0; N];
    for (done, index) in order.into_iter().enumerate() {
        shares[index] = sizes[index].min(budget / (N - done));
        budget -= shares[index];
    }
    shares
}

/// Cuts `text` to at most `limit` bytes of JSON, quotes not counted.
fn cut_text(text: &mut String, limit: usize) {
    if text_size(text) <= limit {
        return;
    }
    let budget = limit.saturating_sub(MARKER_BYTES_MAX);
    let mut taken = 0;
    let mut keep = 0;
    for (index, character) in text.char_indices() {
        taken += character_size(character);
        if taken > budget {
            break;
        }
        keep = index + character.len_utf8();
    }
    let gone = text.len() - keep;
    text.truncate(keep);
    text.push_str(&format!("… {gone} bytes cut"));
}

/// Cuts `list` to at most `limit` bytes of JSON, brackets not counted.
fn cut_list(list: &mut Vec<String>, limit: usize) {
    if list_size(list) <= limit {
        return;
    }
    let budget = limit.saturating_sub(MARKER_BYTES_MAX);
    let mut taken = 0;
    let keep = list
        .iter()
        .take_while(|item| {
            taken += item_size(item);
            taken <= budget
        })
        .count();
    let gone = list.len() - keep;
    list.truncate(keep);
    list.push(format!("… {gone} more"));
}

fn list_size(list: &[String]) -> usize {
    list.iter().map(|item| item_size(item)).sum()
}

/// An item with its quotes and its comma.
fn item_size(item: &str) -> usize {
    text_size(item) + 3
}

fn text_size(text: &str) -> usize {
    text.chars().map(character_size).sum()
}

/// What a character takes in JSON, as serde_json escapes it.
fn character_size(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        other => other.len_utf8(),
    }
}
