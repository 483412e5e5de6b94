//! One recovery at a time a workspace.

use std::sync::mpsc::channel;

use auto_recovery::checkpoint::{LockHolder, Locked, WorkspaceLock};
use auto_recovery::host::SystemHost;

use crate::checkpoint::tree::Tree;

fn holder(session: &str) -> LockHolder {
    LockHolder {
        pid: 7,
        session_id: Some(session.to_owned()),
        ..Default::default()
    }
}

#[test]
fn a_second_one_is_told_who_holds_it() {
    let tree = Tree::new();
    let (state, workspace) = (tree.state(), tree.workspace());
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
