//! What an importer knows of what is there, so that each is taken over once.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

/// How often something is there, and how often it came. Of what it is, half a SHA-256 tells.
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
    /// Notes that `text` is there.
    pub fn is_there(&mut self, text: &[u8]) {
        self.of(text).there += 1;
    }

    /// Notes that `text` came. Returns whether it is to be added, and then is there.
    pub fn comes(&mut self, text: &[u8]) -> bool {
        let counts = self.of(text);
        counts.came += 1;
        let is_new = counts.came > counts.there;
        counts.there += u32::from(is_new);
        is_new
    }

    /// The same where somebody else counts how often `text` is there. Returns whether it came more
    /// often.
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
