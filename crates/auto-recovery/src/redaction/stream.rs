//! Redaction of a text that comes piece by piece, in constant memory.
//!
//! Whole lines are given out as soon as nothing that follows could change what is secret in them.
//! So a secret may be cut anywhere between two pieces, and folded over lines.

use std::sync::Arc;

use memchr::{memchr, memchr_iter, memrchr};

use super::limits::{BEFORE_BYTES_MAX, TOKEN_BYTES_MAX};
use super::redactor::{Finding, Redactor, Span, findings};

/// What is kept of the text before, for contexts that stand there.
const CONTEXT_BYTES: usize = 4 * BEFORE_BYTES_MAX;
/// The longest line that is waited for.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// What is kept back of a longer one: no token and no context reaches over more.
const HELD_BYTES: usize = 2 * TOKEN_BYTES_MAX;
/// New bytes of a line without an end after which it is looked at again.
const STEP_BYTES: usize = 16 * 1024;

/// Masks what it is given piece by piece.
#[derive(Debug)]
pub struct RedactionStream {
    redactor: Arc<Redactor>,
    /// What was given out last, for the sake of contexts, and then what was not yet.
    pending: Vec<u8>,
    /// How much of that was given out.
    done: usize,
    /// How much of it was looked at.
    looked_at: usize,
    /// Bytes before it.
    offset: usize,
    /// The line that the first byte not given out stands in.
    line: usize,
}

impl RedactionStream {
    /// A stream that masks with `redactor`, and teaches it what it finds.
    pub fn new(redactor: Arc<Redactor>) -> Self {
        Self {
            redactor,
            pending: Vec::new(),
            done: 0,
            looked_at: 0,
            offset: 0,
            line: 1,
        }
    }

    /// Takes the next `bytes`, appends to `out` what can be told by now, and returns the secrets
    /// that were masked in that.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Vec<Finding> {
        let mut found = Vec::new();
        // No piece is larger than a step, so that what is pending stays small.
        for piece in bytes.chunks(STEP_BYTES) {
            self.pending.extend_from_slice(piece);
            let is_due = self.pending.len() - self.looked_at >= STEP_BYTES;
            if is_due || memchr(b'\n', piece).is_some() {
                found.extend(self.advance(false, out));
            }
        }
        found
    }

    /// Appends the rest to `out`, and returns the secrets that were masked in it.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Vec<Finding> {
        self.advance(true, out)
    }

    fn advance(&mut self, is_last: bool, out: &mut Vec<u8>) -> Vec<Finding> {
        let whole = self.redactor.spans(&self.pending);
        let limit = match is_last {
            true => self.pending.len(),
            false => self.limit(&whole.spans, whole.open),
        };
        let done = self.done;
        let is_due = |span: &Span| done < span.range.end && span.range.end <= limit;
        let shifted = |mut span: Span| {
            span.range = span.range.start.saturating_sub(done)..span.range.end - done;
            span
        };
        let spans = whole.spans.into_iter().filter(is_due).map(shifted);
        let spans: Vec<_> = spans.collect();
        let text = &self.pending[done..limit];
        self.redactor.write(text, &spans, out);
        let mut found = findings(text, self.line, &spans);
        for one in &mut found {
            let start = self.offset + done;
            one.range = one.range.start + start..one.range.end + start;
        }
        self.line += memchr_iter(b'\n', text).count();
        let cut = limit.saturating_sub(CONTEXT_BYTES);
        self.pending.drain(..cut);
        self.offset += cut;
        self.done = limit - cut;
        self.looked_at = self.pending.len();
        found
    }

    /// Where the pending text begins that following text could change.
    fn limit(&self, spans: &[Span], open: usize) -> usize {
        let length = self.pending.len();
        let held = HELD_BYTES + 2 * self.redactor.longest_form();
        let lines = memrchr(b'\n', &self.pending).map_or(0, |at| at + 1);
        let mut limit = lines.min(open).max(self.done);
        if length - limit > LINE_BYTES_MAX + held {
            limit = length - held;
        }
        let across = spans
            .iter()
            .find(|span| span.range.start < limit && limit < span.range.end);
        match across {
            // One that is longer than what is held is masked in parts.
            Some(span) if length - span.range.start <= LINE_BYTES_MAX + held + STEP_BYTES => {
                span.range.start.max(self.done)
            }
            Some(span) => span.range.end,
            None => limit,
        }
    }
}
