//! The record of a run that died.

use std::fs;

use auto_recovery::ErrorKind;
use auto_recovery::checkpoint::{StartedGroup, Unfinished, UnfinishedRun, UnfinishedState};

use crate::checkpoint::tree::Tree;

fn begin(tree: &Tree, before: String) -> Unfinished {
    let run = UnfinishedRun {
        session_id: "s".to_owned(),
        store: "jsonl:/somewhere".to_owned(),
        before,
        ..Default::default()
    };
    Unfinished::begin(&tree.state(), &tree.workspace(), run).unwrap()
}

#[test]
fn it_is_found_as_it_was_written_until_it_ends() {
    let tree = Tree::new();
    tree.write("f", "1");
    let find = || Unfinished::find(&tree.state(), &tree.workspace()).unwrap();
    assert!(find().is_none());
    let mut session = tree.session();
    let before = session.snapshot("").unwrap();
    let mut unfinished = begin(&tree, before.id());
    let group = StartedGroup {
        pgid: 42,
        started: Some(7),
    };
    unfinished.note_group(group).unwrap();
    tree.write("f", "2");
    let after = session.snapshot("").unwrap();
    unfinished.note_after(&after).unwrap();
    let found = find().unwrap();
    assert_eq!(found.run(), unfinished.run());
    assert_eq!(found.run().groups, [group]);
    assert_eq!(found.run().after, Some(after.id()));
    unfinished.forget_groups().unwrap();
    unfinished.note_before(&after, &[]).unwrap();
    let found = find().unwrap();
    assert_eq!((found.run().groups.len(), &found.run().after), (0, &None));
    assert_eq!(found.run().before, after.id());
    unfinished.end().unwrap();
    assert!(find().is_none());
}

#[test]
fn a_tree_between_its_images_is_finished() {
    let tree = Tree::new();
    for name in ["a", "b", "c"] {
        tree.write(name, "1");
    }
    let image = tree.image();
    let store = tree.store();
    let mut session = tree.session();
    let before = session.snapshot("").unwrap();
    let mut unfinished = begin(&tree, before.id());
    assert_eq!(unfinished.assess(&store).unwrap(), UnfinishedState::Clean);
    for name in ["a", "b", "new/d"] {
        tree.write(name, "2");
    }
    unfinished
        .note_after(&session.snapshot("").unwrap())
        .unwrap();
    // Half of it is undone already.
    tree.write("a", "1");
    let state = unfinished.assess(&store).unwrap();
    let left = ["b", "new", "new/d"].map(str::to_owned).to_vec();
    assert_eq!(state, UnfinishedState::Finishable(left));
    assert!(unfinished.finish(&store, None).unwrap().is_exact());
    assert_eq!(tree.image(), image);
    assert_eq!(unfinished.assess(&store).unwrap(), UnfinishedState::Clean);
}

#[test]
fn a_tree_that_somebody_changed_is_named_and_left() {
    let tree = Tree::new();
    tree.write("a", "1");
    tree.write("b", "1");
    let store = tree.store();
    let mut session = tree.session();
    let before = session.snapshot("").unwrap();
    let mut unfinished = begin(&tree, before.id());
    tree.write("a", "2");
    let after = session.snapshot("").unwrap();
    unfinished.note_after(&after).unwrap();
    tree.write("b", "3");
    tree.write("mine", "3");
    let named = ["b", "mine"].map(str::to_owned).to_vec();
    assert_eq!(
        unfinished.assess(&store).unwrap(),
        UnfinishedState::Conflicting(named)
    );
    assert_eq!(tree.read("a"), b"2");
}

#[test]
fn a_run_that_died_in_the_middle_of_an_attempt_conflicts() {
    let tree = Tree::new();
    tree.write("a", "1");
    let store = tree.store();
    let before = tree.session().snapshot("").unwrap();
    let unfinished = begin(&tree, before.id());
    tree.write("a", "2");
    let named = UnfinishedState::Conflicting(vec!["a".to_owned()]);
    assert_eq!(unfinished.assess(&store).unwrap(), named);
}

#[test]
fn what_is_as_a_ground_left_it_goes_back_too() {
    let tree = Tree::new();
    for name in ["a", "b", "c"] {
        tree.write(name, "1");
    }
    let image = tree.image();
    let store = tree.store();
    let mut session = tree.session();
    let before = session.snapshot("").unwrap();
    let mut unfinished = begin(&tree, before.id());
    let grounds = ["2", "3"].map(|content| {
        tree.write("a", content);
        tree.write(content, content);
        session.snapshot("").unwrap()
    });
    unfinished
        .note_before(&before, &grounds.each_ref())
        .unwrap();
    // While it is waited, and in the middle of the next attempt.
    let finishable = |paths: &[&str]| {
        UnfinishedState::Finishable(paths.iter().map(|path| (*path).to_owned()).collect())
    };
    let state = unfinished.assess(&store).unwrap();
    assert_eq!(state, finishable(&["2", "3", "a"]));
    tree.write("b", "half");
    let named = UnfinishedState::Conflicting(vec!["b".to_owned()]);
    assert_eq!(unfinished.assess(&store).unwrap(), named);
    // While the next attempt, and then the one before it, is undone.
    tree.write("a", "4");
    tree.write("b", "4");
    unfinished
        .note_after(&session.snapshot("").unwrap())
        .unwrap();
    tree.write("a", "2");
    let state = unfinished.assess(&store).unwrap();
    assert_eq!(state, finishable(&["2", "3", "a", "b"]));
    let report = unfinished.finish(&store, None).unwrap();
    assert!(report.is_exact(), "{report:?}");
    assert_eq!(tree.image(), image);
    assert_eq!(unfinished.assess(&store).unwrap(), UnfinishedState::Clean);
}

#[test]
fn a_record_that_cannot_be_understood_is_kept_and_named() {
    let tree = Tree::new();
    tree.write("a", "1");
    let before = tree.session().snapshot("").unwrap();
    begin(&tree, before.id());
    let checkpoints = tree.state().join("checkpoints");
    let dirs = fs::read_dir(checkpoints)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let path = dirs
        .map(|dir| dir.join("pending.json"))
        .find(|path| path.exists())
        .unwrap();
    for (text, kind) in [
        ("{", ErrorKind::Damaged),
        ("{\"v\":99}", ErrorKind::NewerFormat),
    ] {
        fs::write(&path, text).unwrap();
        let error = Unfinished::find(&tree.state(), &tree.workspace()).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains("pending.json"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}
