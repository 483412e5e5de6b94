//! The proof that a tree of hashes grew and that nothing of it changed (RFC 6962 §2.1.2): made in
//! one pass over the leaves, with a few hashes in memory, and checked with nothing but both roots.

use std::ops::Range as Span;

use super::merkle::node_hash;
use super::{Hash, Range, leaf_hash};

/// A tree that grows from an old size to a new one while its leaves come by, each once.
#[derive(Clone, Debug)]
pub(crate) struct Growth {
    old_size: u64,
    new_size: u64,
    /// The trees whose roots the proof has, in the order of the proof.
    parts: Vec<Part>,
    all: Range,
    old_root: Hash,
}

/// A tree below the root, as far as its leaves came by.
#[derive(Clone, Debug)]
struct Part {
    leaves: Span<u64>,
    range: Range,
}

/// What a tree grew from and to, and the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grown {
    /// The root at the old size.
    pub old_root: Hash,
    /// The root at the new one.
    pub new_root: Hash,
    /// The proof; empty if it grew from nothing, or not at all.
    pub proof: Vec<Hash>,
}

impl Growth {
    /// The growth from `old_size` leaves to `new_size`; `None` if that is fewer.
    pub(crate) fn new(old_size: u64, new_size: u64) -> Option<Self> {
        let mut spans = Vec::new();
        if old_size > 0 {
            add_spans(old_size, 0..new_size, true, &mut spans);
        }
        let part = |leaves| Part {
            leaves,
            range: Range::default(),
        };
        let all = Range::default();
        (old_size <= new_size).then(|| Self {
            old_size,
            new_size,
            parts: spans.into_iter().map(part).collect(),
            old_root: all.root(),
            all,
        })
    }

    /// The old size, and the new one.
    pub(crate) fn sizes(&self) -> (u64, u64) {
        (self.old_size, self.new_size)
    }

    /// Adds the next leaf. What comes behind the new size is left out.
    pub(crate) fn push(&mut self, leaf: &[u8]) {
        let index = self.all.size();
        if index == self.new_size {
            return;
        }
        let hash = leaf_hash(leaf);
        self.all.push_hash(hash);
        // No leaf is in two of them, and there are two at most for each bit of the size.
        let part = self
            .parts
            .iter_mut()
            .find(|part| part.leaves.contains(&index));
        if let Some(part) = part {
            part.range.push_hash(hash);
        }
        if self.all.size() == self.old_size {
            self.old_root = self.all.root();
        }
    }

    /// The proof; `None` if there were fewer leaves than the new size says.
    pub(crate) fn finish(self) -> Option<Grown> {
        (self.all.size() == self.new_size).then(|| Grown {
            old_root: self.old_root,
            new_root: self.all.root(),
            proof: self.parts.iter().map(|part| part.range.root()).collect(),
        })
    }
}

/// Adds the trees whose roots prove that the first `old` of `leaves` are at the beginning of them,
/// in the order of the proof. Whoever checks has the root of the old tree, so the proof leaves that
/// out where `is_old` says that these leaves begin with all of it.
fn add_spans(old: u64, leaves: Span<u64>, is_old: bool, spans: &mut Vec<Span<u64>>) {
    let size = leaves.end.saturating_sub(leaves.start);
    if old >= size {
        if !is_old {
            spans.push(leaves);
        }
        return;
    }
    // The largest power of two below `size`, which is over 1 here.
    let left = 1 << (size - 1).ilog2();
    let middle = leaves.start + left;
    if old <= left {
        add_spans(old, leaves.start..middle, is_old, spans);
        spans.push(middle..leaves.end);
    } else {
        add_spans(old - left, middle..leaves.end, false, spans);
        spans.push(leaves.start..middle);
    }
}

/// Whether `proof` shows that the tree of `new_size` leaves that has `new_root` begins with that of
/// `old_size` leaves that has `old_root` (RFC 9162 §2.1.4.2).
pub(crate) fn is_consistent(
    (old_size, old_root): (u64, &Hash),
    (new_size, new_root): (u64, &Hash),
    proof: &[Hash],
) -> bool {
    if old_size == 0 || old_size >= new_size {
        let is_same = old_size == new_size && old_root == new_root;
        let is_from_nothing = old_size == 0 && new_size > 0 && *old_root == Range::default().root();
        return proof.is_empty() && (is_same || is_from_nothing);
    }
    let (first, rest) = match old_size.is_power_of_two() {
        true => (old_root, proof),
        false => match proof.split_first() {
            Some((first, rest)) => (first, rest),
            None => return false,
        },
    };
    if proof.is_empty() {
        return false;
    }
    let shift = (old_size - 1).trailing_ones();
    let (mut number, mut last) = ((old_size - 1) >> shift, (new_size - 1) >> shift);
    let (mut old, mut new) = (*first, *first);
    for beside in rest {
        if last == 0 {
            return false;
        }
        if number & 1 == 1 || number == last {
            old = node_hash(beside, &old);
            new = node_hash(beside, &new);
            while number & 1 == 0 && number != 0 {
                number >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(&new, beside);
        }
        number >>= 1;
        last >>= 1;
    }
    last == 0 && old == *old_root && new == *new_root
}

#[cfg(test)]
mod tests;
