//! An importer's count of stored items, so that each is taken over once.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

/// Counts how often each text is stored and how often it was offered. A text is identified by the
/// first half of its SHA-256.
#[derive(Debug, Default)]
pub struct Duplicates {
    counts: HashMap<[u8; 16], Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    there: u32,
    came: u32,
}

impl Duplicates {
    /// Notes that `text` is stored.
    pub fn is_there(&mut self, text: &[u8]) {
        self.of(text).there += 1;
    }

    /// Notes that `text` was offered. Returns whether it must be added, and then counts it as
    /// stored.
    pub fn comes(&mut self, text: &[u8]) -> bool {
        let counts = self.of(text);
        counts.came += 1;
        let is_new = counts.came > counts.there;
        counts.there += u32::from(is_new);
        is_new
    }

    /// The same where the caller counts how often `text` is stored. Returns whether it was offered
    /// more often.
    pub fn comes_beyond(&mut self, text: &[u8], there: u64) -> bool {
        let counts = self.of(text);
        counts.came += 1;
        u64::from(counts.came) > there
    }

    fn of(&mut self, text: &[u8]) -> &mut Counts {
        let hash = Sha256::digest(text);
        let half = hash
            .first_chunk()
            .copied()
            .expect("it has twice as many bytes");
        self.counts.entry(half).or_default()
    }
}
