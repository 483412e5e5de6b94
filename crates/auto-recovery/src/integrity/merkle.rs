//! The tree of hashes of RFC 6962 §2.1: its root in one pass over the leaves, with a few hashes in
//! memory, and the path from a leaf to a root.

use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The hash of a leaf.
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(leaf);
    hash.finalize().into()
}

/// The hash of the node above `left` and `right`.
pub(super) fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut both = [1; 65];
    both[1..33].copy_from_slice(left);
    both[33..].copy_from_slice(right);
    Sha256::digest(both).into()
}

/// The leaves of a tree from its first on, as the hashes of the largest whole trees that they make:
/// at most 64, one for each bit of their number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    size: u64,
    hashes: Vec<Hash>,
}

impl Range {
    /// The range of `size` leaves that `hashes` are of; `None` if there is no such range.
    pub fn of(size: u64, hashes: Vec<Hash>) -> Option<Self> {
        let is_one = hashes.len() as u64 == u64::from(size.count_ones());
        is_one.then_some(Self { size, hashes })
    }

    /// Number of its leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its hashes, that of the largest tree first.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: &[u8]) {
        self.push_hash(leaf_hash(leaf));
    }

    /// Adds the leaf that has this hash.
    pub(super) fn push_hash(&mut self, mut hash: Hash) {
        for _ in 0..self.size.trailing_ones() {
            let left = self.hashes.pop().expect("there is one for each bit");
            hash = node_hash(&left, &hash);
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// The root of the tree of these leaves.
    pub fn root(&self) -> Hash {
        let mut from_right = self.hashes.iter().rev();
        match from_right.next() {
            Some(&last) => from_right.fold(last, |right, left| node_hash(left, &right)),
            None => Sha256::digest([]).into(),
        }
    }
}

/// A whole tree, by the hashes of its leaves, for those who need a path in it.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    leaves: Vec<Hash>,
}

impl Tree {
    /// Adds a leaf.
    pub fn push(&mut self, leaf: &[u8]) {
        self.leaves.push(leaf_hash(leaf));
    }

    /// Number of its leaves.
    pub fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// The root of the tree of its first `size` leaves; `None` if it has fewer.
    pub fn root(&self, size: u64) -> Option<Hash> {
        let leaves = self.leaves.get(..usize::try_from(size).ok()?)?;
        Some(root_of(leaves))
    }

    /// The path from the leaf at `index` to the root of the tree of its first `size` leaves; `None`
    /// if there is no such leaf in it.
    pub fn path(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        let leaves = self.leaves.get(..usize::try_from(size).ok()?)?;
        let index = usize::try_from(index).ok()?;
        (index < leaves.len()).then(|| path_of(leaves, index))
    }
}

/// Whether the leaf with `hash` at `index` is in the tree of `size` leaves that has `root`, by its
/// `path` (RFC 9162 §2.1.3.2).
pub fn leads_to(hash: Hash, (index, size): (u64, u64), path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut number, mut last, mut hash) = (index, size - 1, hash);
    for beside in path {
        if last == 0 {
            return false;
        }
        if number & 1 == 1 || number == last {
            hash = node_hash(beside, &hash);
            while number & 1 == 0 && number != 0 {
                number >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, beside);
        }
        number >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// The number of leaves in the left tree below the root of one of `size`, which is over 1.
fn left_size(size: usize) -> usize {
    size.next_power_of_two() / 2
}

fn root_of(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [only] => *only,
        _ => {
            let (left, right) = leaves.split_at(left_size(leaves.len()));
            node_hash(&root_of(left), &root_of(right))
        }
    }
}

fn path_of(leaves: &[Hash], index: usize) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(left_size(leaves.len()));
    let (mut path, beside) = match index < left.len() {
        true => (path_of(left, index), right),
        false => (path_of(right, index - left.len()), left),
    };
    path.push(root_of(beside));
    path
}

#[cfg(test)]
pub(super) mod tests;
