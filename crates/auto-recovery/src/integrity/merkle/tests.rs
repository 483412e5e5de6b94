//! The vectors of certificate transparency, and paths in trees of all small sizes.

use proptest::prelude::*;

use super::*;
use crate::integrity::hex;

/// The leaves that the implementations of certificate transparency test with.
pub(in crate::integrity) const LEAVES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];

/// The roots of the first so-many of them.
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

#[test]
fn the_roots_of_certificate_transparency() {
    let (mut range, mut tree) = (Range::default(), Tree::default());
    for (size, root) in ROOTS.iter().enumerate() {
        assert_eq!(hex(&range.root()), *root, "{size}");
        assert_eq!(tree.root(size as u64), Some(range.root()));
        assert_eq!(
            Range::of(range.size(), range.hashes().to_vec()),
            Some(range.clone())
        );
        if let Some(leaf) = LEAVES.get(size) {
            range.push(leaf);
            tree.push(leaf);
        }
    }
    assert_eq!(Range::of(3, vec![[0; 32]]), None);
}

fn tree_of(size: u64) -> Tree {
    let mut tree = Tree::default();
    for number in 0..size {
        tree.push(&number.to_le_bytes());
    }
    tree
}

#[test]
fn every_path_leads_to_its_root_and_to_no_other() {
    let tree = tree_of(33);
    for size in 0..=33 {
        let root = tree.root(size).unwrap();
        assert_eq!(tree.path(size, size), None);
        for index in 0..size {
            let path = tree.path(index, size).unwrap();
            let leaf = leaf_hash(&index.to_le_bytes());
            assert!(leads_to(leaf, (index, size), &path, &root));
            for (other, of) in [(index + 1, size), (index, size + 1), (index ^ 1, size)] {
                // A path may be of the same shape in a larger tree, whose root is another.
                let other_root = tree.root(of).unwrap_or_default();
                assert!(
                    !leads_to(leaf, (other, of), &path, &other_root),
                    "{other} {of}"
                );
            }
            if let [_, rest @ ..] = &*path {
                assert!(!leads_to(leaf, (index, size), rest, &root));
            }
            let longer = [&path[..], &[[7; 32]]].concat();
            assert!(!leads_to(leaf, (index, size), &longer, &root));
        }
    }
    assert_eq!(tree.path(0, 34), None);
}

proptest! {
    #[test]
    fn a_range_has_the_root_of_the_tree(leaves: Vec<Vec<u8>>) {
        let (mut range, mut tree) = (Range::default(), Tree::default());
        for leaf in &leaves {
            range.push(leaf);
            tree.push(leaf);
        }
        prop_assert_eq!(tree.root(range.size()), Some(range.root()));
    }
}
