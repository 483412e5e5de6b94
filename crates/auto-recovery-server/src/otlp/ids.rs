//! Ids of traces and spans, made from what they are of: the same every time.

use sha2::{Digest as _, Sha256};

/// Bytes of the id of a trace, and of a span.
const TRACE_BYTES: usize = 16;
const SPAN_BYTES: usize = 8;

/// The id of the trace of `session`, in hex.
pub(super) fn trace_id(session: &str) -> String {
    hex("recover.trace.1", &[session], TRACE_BYTES)
}

/// The id of the span of `session` that is its `part`, in hex.
pub(super) fn span_id(session: &str, part: &[&str]) -> String {
    let parts: Vec<&str> = std::iter::once(session)
        .chain(part.iter().copied())
        .collect();
    hex("recover.span.1", &parts, SPAN_BYTES)
}

fn hex(what: &str, parts: &[&str], bytes: usize) -> String {
    let mut hash = Sha256::new();
    hash.update(what);
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let digits = digest.iter().take(bytes);
    digits.map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_what_they_are_made_from_and_of_the_length_that_is_wanted() {
        assert_eq!(trace_id("build-7"), trace_id("build-7"));
        assert_eq!(trace_id("build-7").len(), 32);
        assert_eq!(span_id("build-7", &["act", "1"]).len(), 16);
        let all = [
            span_id("a", &["bc"]),
            span_id("ab", &["c"]),
            span_id("a", &["b", "c"]),
            trace_id("a"),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
