//! Progress that a program writes over itself in a line: only its last state is kept.
//!
//! A carriage return goes back to the line's beginning, and what follows covers what stood there.
//! A program could also cover what it wants to hide: a text that says something else than the text
//! after it is kept, and shown beside its carriage return.

use std::borrow::Cow;

/// `text`, which has no escape sequences, without the states of a progress that others follow;
/// borrowed when it holds none.
pub fn strip_progress(text: &[u8]) -> Cow<'_, [u8]> {
    if !memchr::memchr_iter(b'\r', text).any(|at| !matches!(text.get(at + 1), Some(b'\n') | None)) {
        return Cow::Borrowed(text);
    }
    let mut kept = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let states: Vec<_> = line.split_inclusive(|byte| *byte == b'\r').collect();
        for (at, state) in states.iter().enumerate() {
            // The carriage return of a line's end is followed by nothing that covers anything.
            let next = states
                .get(at + 1)
                .filter(|next| !next.trim_ascii().is_empty());
            if !next.is_some_and(|next| is_followed_up(state, next)) {
                kept.extend_from_slice(state);
            }
        }
    }
    Cow::Owned(kept)
}

/// Whether `next` tells of the same as `state`, further on: all the letters of `state` are in it.
fn is_followed_up(state: &[u8], next: &[u8]) -> bool {
    let letters = |text: &[u8]| -> Vec<u8> {
        let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || !byte.is_ascii();
        text.iter().copied().filter(is_letter).collect()
    };
    letters(next).starts_with(&letters(state))
}

#[cfg(test)]
mod tests {
    use super::strip_progress;

    #[test]
    fn of_a_progress_its_last_state_is_kept() {
        for (text, expected) in [
            ("a\r\nb\r\n", "a\r\nb\r\n"),
            (
                "\rGot:  10% (1/9)\rGot: 100% (9/9), done.\nfatal: x\n",
                "Got: 100% (9/9), done.\nfatal: x\n",
            ),
            (
                "## 1/3 MB eta 2\r#### 3/3 MB eta 0\r\nok\n",
                "#### 3/3 MB eta 0\r\nok\n",
            ),
            ("|\r/\rinstalled 3\n", "installed 3\n"),
            // What says something else is hidden from nobody.
            ("rm -rf x\rall is well\n", "rm -rf x\rall is well\n"),
            ("rm -rf x\r \rall is well\n", "rm -rf x\rall is well\n"),
            ("rm -rf x\rrm -rf y\n", "rm -rf x\rrm -rf y\n"),
            ("危険\rall is well\n", "危険\rall is well\n"),
            ("50%\r", "50%\r"),
            ("é 1\ré 2", "é 2"),
            ("", ""),
        ] {
            let kept = strip_progress(text.as_bytes());
            assert_eq!(String::from_utf8_lossy(&kept), expected);
        }
    }
}
