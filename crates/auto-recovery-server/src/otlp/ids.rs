//! Ids of traces and spans, made from what they are of: the same every time.

use crate::digest::{digest, digest_of};

/// Bytes of the id of a trace, and of a span.
const TRACE_BYTES: usize = 16;
const SPAN_BYTES: usize = 8;

/// The id of the trace of `session`, in hex: others may work it out from the session's id.
pub(super) fn trace_id(session: &str) -> String {
    digest_of(&format!("recover.trace.1{session}"), TRACE_BYTES)
}

/// The id of the span of `session` that is its `part`, in hex.
pub(super) fn span_id(session: &str, part: &[&str]) -> String {
    let parts = [&["recover.span.1", session], part].concat();
    digest(&parts, SPAN_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_has_the_hash_that_anybody_can_work_out() {
        // printf recover.trace.1build-7 | sha256sum
        assert_eq!(trace_id("build-7"), "319c99e567667301acb2688695a40d27");
    }

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
