//! Short hashes of texts, for ids and names that are the same every time.

use auto_recovery::integrity::hex;
use sha2::{Digest as _, Sha256};

/// The first `bytes` of the hash of `parts`, in hex. The length of each goes first, so that no two
/// lists are one text.
pub(crate) fn digest(parts: &[&str], bytes: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex(&hash.finalize()[..bytes])
}

/// The first `bytes` of the hash of `text` alone, in hex.
pub(crate) fn digest_of(text: &str, bytes: usize) -> String {
    hex(&Sha256::digest(text)[..bytes])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_lists_have_one_hash() {
        let lists: [&[&str]; 4] = [&["a", "bc"], &["ab", "c"], &["a", "b", "c"], &["abc"]];
        let all: BTreeSet<_> = lists.iter().map(|parts| digest(parts, 8)).collect();
        assert_eq!(all.len(), lists.len());
        assert!(all.iter().all(|one| one.len() == 16));
    }
}
