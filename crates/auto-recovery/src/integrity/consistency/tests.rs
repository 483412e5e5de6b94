//! Proofs against an oracle that follows the definition, for all small sizes, and the examples of
//! the standard.

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::integrity::merkle::tests::LEAVES;
use crate::integrity::{Tree, hex};

fn leaves(count: u64) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| number.to_le_bytes().to_vec())
        .collect()
}

/// The root of a tree, as RFC 6962 §2.1 defines it.
fn defined_root(leaves: &[Vec<u8>]) -> Hash {
    let hash = |parts: &[&[u8]]| Sha256::digest(parts.concat()).into();
    match leaves {
        [] => hash(&[]),
        [one] => hash(&[&[0], one]),
        _ => {
            let (left, right) = leaves.split_at(half(leaves.len()));
            hash(&[&[1], &defined_root(left), &defined_root(right)])
        }
    }
}

/// The largest power of two that is smaller than `size`.
fn half(size: usize) -> usize {
    let mut half = 1;
    while half * 2 < size {
        half *= 2;
    }
    half
}

/// The proof, as §2.1.2 defines it.
fn defined_proof(old: usize, leaves: &[Vec<u8>], is_old: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if is_old {
            vec![]
        } else {
            vec![defined_root(leaves)]
        };
    }
    let (left, right) = leaves.split_at(half(leaves.len()));
    let (mut proof, beside) = match old <= left.len() {
        true => (defined_proof(old, left, is_old), right),
        false => (defined_proof(old - left.len(), right, false), left),
    };
    proof.push(defined_root(beside));
    proof
}

fn grown(old: u64, leaves: &[Vec<u8>]) -> Grown {
    let mut growth = Growth::new(old, leaves.len() as u64).unwrap();
    leaves.iter().for_each(|leaf| growth.push(leaf));
    growth.push(b"behind the new size");
    growth.finish().unwrap()
}

/// Asserts that the proof from `old` is the one that is defined, and holds.
fn check(old: usize, leaves: &[Vec<u8>]) -> Grown {
    let made = grown(old as u64, leaves);
    let expected = match old {
        0 => Vec::new(),
        _ => defined_proof(old, leaves, true),
    };
    assert_eq!(made.proof, expected, "{old} of {}", leaves.len());
    assert_eq!(made.old_root, defined_root(&leaves[..old]));
    assert_eq!(made.new_root, defined_root(leaves));
    let (old, new) = (old as u64, leaves.len() as u64);
    assert!(
        is_consistent((old, &made.old_root), (new, &made.new_root), &made.proof),
        "{old} of {new}"
    );
    made
}

#[test]
fn every_proof_of_a_small_tree_is_the_one_that_is_defined() {
    let leaves = leaves(70);
    for new in 0..=leaves.len() {
        for old in 0..=new {
            check(old, &leaves[..new]);
        }
    }
}

#[test]
fn the_proofs_of_the_standards_example() {
    // RFC 6962 §2.1.3: seven leaves d0 to d6, and the proofs from 3, 4 and 6 of them.
    let all = leaves(7);
    let root = |span: Span<usize>| defined_root(&all[span]);
    let (c, d, g) = (root(2..3), root(3..4), root(0..2));
    let (i, j, k, l) = (root(4..6), root(6..7), root(0..4), root(4..7));
    assert_eq!(check(3, &all).proof, [c, d, g, l]);
    assert_eq!(check(4, &all).proof, [l]);
    assert_eq!(check(6, &all).proof, [i, j, k]);
}

#[test]
fn the_vectors_of_certificate_transparency() {
    let all: Vec<_> = LEAVES.iter().map(|leaf| leaf.to_vec()).collect();
    let hexes = |old, new: usize| -> Vec<String> {
        let made = check(old, &all[..new]);
        made.proof.iter().map(|hash| hex(hash)).collect()
    };
    assert!(hexes(1, 1).is_empty());
    assert_eq!(
        hexes(1, 8),
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ]
    );
    assert_eq!(
        hexes(2, 5),
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ]
    );
}

#[test]
fn a_tree_does_not_shrink_nor_end_early() {
    assert!(Growth::new(8, 7).is_none());
    let mut growth = Growth::new(1, 3).unwrap();
    growth.push(b"one");
    growth.push(b"two");
    assert_eq!(growth.finish(), None);
}

#[test]
fn every_change_of_a_proof_is_refused() {
    let leaves = leaves(40);
    for (old, new) in [
        (1, 2),
        (3, 7),
        (6, 8),
        (8, 8),
        (0, 5),
        (16, 40),
        (21, 40),
        (39, 40),
    ] {
        let made = grown(old, &leaves[..new as usize]);
        let holds = |old_root: &Hash, new_root: &Hash, proof: &[Hash]| {
            is_consistent((old, old_root), (new, new_root), proof)
        };
        let Grown {
            old_root,
            new_root,
            proof,
        } = &made;
        assert!(holds(old_root, new_root, proof));
        for bit in 0..256 {
            let flipped = |hash: &Hash| {
                let mut hash = *hash;
                hash[bit / 8] ^= 1 << (bit % 8);
                hash
            };
            // An empty proof from no leaf holds for every new root.
            assert!(old == 0 || !holds(old_root, &flipped(new_root), proof));
            assert!(!holds(&flipped(old_root), new_root, proof), "{old} {new}");
            for at in 0..proof.len() {
                let mut changed = proof.clone();
                changed[at] = flipped(&changed[at]);
                assert!(
                    !holds(old_root, new_root, &changed),
                    "{old} {new} {at} {bit}"
                );
            }
        }
        for at in 0..=proof.len() {
            let mut longer = proof.clone();
            longer.insert(at, proof.first().copied().unwrap_or([7; 32]));
            assert!(!holds(old_root, new_root, &longer), "{old} {new} {at}");
            if at < proof.len() {
                let mut shorter = proof.clone();
                shorter.remove(at);
                assert!(!holds(old_root, new_root, &shorter), "{old} {new} {at}");
            }
        }
        assert!(!is_consistent((new + 1, old_root), (new, new_root), proof));
    }
}

#[test]
fn a_proof_holds_for_its_sizes_and_no_others() {
    let leaves = leaves(33);
    let mut tree = Tree::default();
    leaves.iter().for_each(|leaf| tree.push(leaf));
    for (old, new) in [(3, 7), (4, 7), (12, 33), (32, 33)] {
        let made = grown(old, &leaves[..new as usize]);
        for other in 1..=33 {
            // With the root that the tree really has there.
            let root = tree.root(other).unwrap();
            let is_new = is_consistent((old, &made.old_root), (other, &root), &made.proof);
            assert_eq!(is_new, other == new, "{old} {new} {other}");
            let is_old = is_consistent((other, &root), (new, &made.new_root), &made.proof);
            assert_eq!(is_old, other == old, "{old} {new} {other}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_larger_tree_is_proved_as_it_is_defined(new in 71_u64..700, part in 0.0..=1.0) {
        let old = (new as f64 * part) as usize;
        check(old, &leaves(new));
    }

    #[test]
    fn a_fork_is_not_proved(new in 2_u64..200, at: prop::sample::Index, from: prop::sample::Index) {
        let old = 1 + from.index(new as usize - 1);
        let mut forked = leaves(new);
        let old_root = defined_root(&forked[..old]);
        forked[at.index(old)].push(1);
        let made = grown(old as u64, &forked);
        prop_assert!(!is_consistent(
            (old as u64, &old_root),
            (new, &made.new_root),
            &made.proof
        ));
    }

    #[test]
    fn any_proof_is_checked(old: u64, new: u64, proof in prop::collection::vec(any::<Hash>(), 0..70)) {
        let refused = !is_consistent((old, &[1; 32]), (new, &[2; 32]), &proof);
        prop_assert!(refused);
    }
}
