//! Taking snapshots.

use crate::checkpoint::tree::Tree;

#[test]
fn an_unchanged_tree_is_the_same_checkpoint() {
    let tree = Tree::new();
    tree.write("a.txt", "a");
    tree.write("d/b.txt", "b");
    let mut session = tree.session();
    let first = session.snapshot("first").unwrap();
    let second = session.snapshot("second").unwrap();
    assert_eq!(first.id(), second.id());
    assert_eq!(first.files(), 2);
}
