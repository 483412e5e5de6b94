//! One recovery at a time a workspace.

use std::sync::mpsc::channel;

use auto_recovery::checkpoint::{LockHolder, Locked, Workspace, WorkspaceLock};
use auto_recovery::host::SystemHost;

use crate::checkpoint::tree::Tree;

fn holder_of(workspace: &Workspace, session: &str) -> LockHolder {
    LockHolder {
        pid: 7,
        session_id: Some(session.to_owned()),
        root: workspace.root().display().to_string(),
        ..Default::default()
    }
}

#[test]
fn a_second_one_is_told_who_holds_it() {
    let tree = Tree::new();
    let (state, workspace) = (tree.state(), tree.workspace());
    let holder = |session| holder_of(&workspace, session);
    let take = |session| WorkspaceLock::try_acquire(&state, &workspace, &holder(session)).unwrap();
    let Locked::Ours(mut first) = take("first") else {
        panic!("nobody held it")
    };
    assert!(matches!(take("second"), Locked::Theirs(Some(other)) if other == holder("first")));
    first.describe(&holder("renamed")).unwrap();
    assert!(matches!(take("second"), Locked::Theirs(Some(other)) if other == holder("renamed")));
    drop(first);
    assert!(matches!(take("second"), Locked::Ours(_)));
}

#[test]
fn a_waiter_waits_once_told_and_then_has_it() {
    let tree = Tree::new();
    let (state, workspace) = (tree.state(), tree.workspace());
    let holder = |session| holder_of(&workspace, session);
    let first = WorkspaceLock::try_acquire(&state, &workspace, &holder("first")).unwrap();
    let (told, is_told) = channel();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let mut on_wait = |other: Option<&LockHolder>| told.send(other.cloned()).unwrap();
            let host = SystemHost::new();
            WorkspaceLock::acquire(
                &state,
                &workspace,
                &holder("second"),
                &host,
                None,
                &mut on_wait,
            )
        });
        assert_eq!(is_told.recv().unwrap(), Some(holder("first")));
        drop(first);
        waiter.join().unwrap().unwrap();
    });
    assert!(is_told.try_recv().is_err(), "told more than once");
}

#[test]
fn workspaces_that_overlap_exclude_each_other_and_neighbours_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let root = std::fs::canonicalize(dir.path()).unwrap();
    let state = root.join("state");
    let at = |path: &str| {
        let path = root.join(path);
        std::fs::create_dir_all(path.join(".git")).unwrap();
        std::fs::write(path.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
        Workspace::find(&path, Some(&root.join("home"))).unwrap()
    };
    let take = |workspace: &Workspace| {
        let holder = holder_of(workspace, "s");
        match WorkspaceLock::try_acquire(&state, workspace, &holder).unwrap() {
            Locked::Ours(lock) => Ok(lock),
            Locked::Theirs(other) => Err(other.map(|other| other.root)),
        }
    };
    let (outer, inner, other) = (at("a"), at("a/b/c"), at("a/d"));
    let name = |workspace: &Workspace| Some(workspace.root().display().to_string());
    let held = take(&outer).unwrap();
    assert_eq!(take(&inner).unwrap_err(), name(&outer));
    drop(held);
    let (one, two) = (take(&inner).unwrap(), take(&other).unwrap());
    let inside = take(&outer).unwrap_err();
    assert!([name(&inner), name(&other)].contains(&inside), "{inside:?}");
    drop(one);
    assert_eq!(take(&outer).unwrap_err(), name(&other));
    drop(two);
    drop(take(&outer).unwrap());
    // Nothing is ever undone in the home directory, so it keeps nobody waiting.
    let (home, project) = (at("home"), at("home/project"));
    let held = take(&home).unwrap();
    drop(take(&project).unwrap());
    drop(held);
}
