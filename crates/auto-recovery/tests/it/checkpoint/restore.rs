//! Putting trees back.

use crate::checkpoint::tree::Tree;

#[test]
fn a_changed_tree_goes_back_exactly() {
    let tree = Tree::new();
    tree.write("a.txt", "a");
    tree.write("d/b.txt", "b");
    tree.mkdir("empty");
    tree.link("l", "a.txt");
    let image = tree.image();
    let mut session = tree.session();
    let before = session.snapshot("before").unwrap();
    tree.write("a.txt", "changed");
    tree.remove("d");
    tree.write("d", "now a file");
    tree.remove("empty");
    tree.remove("l");
    tree.write("l/x/y", "now a directory");
    tree.write("new/file", "new");
    let after = session.snapshot("after").unwrap();
    let store = tree.store();
    let mut patch = Vec::new();
    store.patch(&before, &after, &mut patch).unwrap();
    println!("{}", String::from_utf8_lossy(&patch));
    println!("{:?}", store.files_modified(&before, &after));
    let report = session.restore(&before, Some(&after)).unwrap();
    println!("{report:?}");
    assert!(report.is_exact());
    assert_eq!(tree.image(), image);
    let loaded = store.load(&before.id()).unwrap();
    assert!(loaded.is_same_tree(&before));
    assert!(store.changes(&loaded, &before).is_empty());
}
