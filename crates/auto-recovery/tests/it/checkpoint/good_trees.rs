//! Trees that were good.

use auto_recovery::checkpoint::Good;

use crate::checkpoint::tree::Tree;

fn passed(argv: &str, cwd: &str) -> Good {
    Good::Passed {
        argv: vec![argv.to_owned()],
        cwd: cwd.to_owned(),
    }
}

#[test]
fn the_newest_pass_of_this_command_or_mark_is_last_good() {
    let tree = Tree::new();
    let store = tree.store();
    let mut session = tree.session();
    let mut take = |content: &str| {
        tree.write("f", content);
        session.snapshot("").unwrap()
    };
    let (one, two, three) = (take("1"), take("2"), take("3"));
    let last = |argv: &str, cwd: &str| {
        store
            .last_good(&[argv.to_owned()], cwd)
            .unwrap()
            .map(|mark| mark.checkpoint)
    };
    assert_eq!(last("test", "/p"), None);
    store.mark_good(&one, passed("test", "/p")).unwrap();
    store.mark_good(&two, passed("other", "/p")).unwrap();
    assert_eq!(last("test", "/p"), Some(one.id()));
    assert_eq!(last("test", "/q"), None);
    assert_eq!(last("other", "/p"), Some(two.id()));
    let mark = store.mark_good(&three, Good::Marked).unwrap();
    assert_eq!(last("test", "/p"), Some(three.id()));
    assert!(store.age(&mark).unwrap().as_secs() < 60);
    store.mark_good(&two, passed("test", "/p")).unwrap();
    assert_eq!(last("test", "/p"), Some(two.id()));
    assert_eq!(
        store.good_trees().unwrap().len(),
        3,
        "a later pass replaces the earlier"
    );
    // Another process sees the same.
    assert_eq!(
        tree.store().good_trees().unwrap(),
        store.good_trees().unwrap()
    );
}
