//! One recovery at a time a workspace.

use std::sync::mpsc::channel;

use auto_recovery::host::SystemHost;
use auto_recovery::workspace::{
    Claimed, LockHolder, Locked, Workspace, WorkspaceLock, forget_locks_inside,
};

use crate::checkpoint::tree::Tree;
use crate::process_support::eventually;

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
fn who_held_it_before_and_is_gone_is_not_there() {
    let mut holder = LockHolder {
        pid: std::process::id(),
        ..LockHolder::default()
    };
    assert!(holder.is_there());
    holder.pid_started = Some(1);
    assert!(!holder.is_there(), "another had that id before");
    holder.pid = u32::MAX;
    assert!(!holder.is_there());
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

/// What a run of this process would get that says to be a part of session `parent`.
fn claim(tree: &Tree, holder: &LockHolder, parent: &str) -> String {
    let (state, workspace) = (tree.state(), tree.workspace());
    match WorkspaceLock::try_claim_inside(&state, &workspace, holder, parent) {
        Ok(Ok(Claimed::Whole(_))) => "whole".to_owned(),
        Ok(Ok(Claimed::Inside(_))) => "inside".to_owned(),
        Ok(Err(other)) => format!("waits for {}", other.unwrap().session_id.unwrap()),
        Err(error) => error.chain(),
    }
}

#[test]
fn only_the_lock_of_one_that_this_process_descends_from_is_passed() {
    let tree = Tree::new();
    let (state, workspace) = (tree.state(), tree.workspace());
    let me = holder_of(&workspace, "me");
    assert_eq!(claim(&tree, &me, "outer"), "whole");
    let parent = rustix::process::getppid().expect("a parent");
    let parent = u32::try_from(parent.as_raw_nonzero().get()).expect("an id");
    let held_by = |pid, pid_started, session: &str| {
        let holder = LockHolder {
            pid,
            pid_started,
            ..holder_of(&workspace, session)
        };
        // A child that another test is about to start has copies of all that was open here.
        let mut lock = None;
        eventually("nobody holds it", || {
            let tried = WorkspaceLock::try_acquire(&state, &workspace, &holder).unwrap();
            if let Locked::Ours(taken) = tried {
                lock = Some(taken);
            }
            lock.is_some()
        });
        lock.unwrap()
    };
    // Somebody whose process this one does not descend from, whatever the environment says.
    let stranger = held_by(7_000_000, None, "stranger");
    assert_eq!(claim(&tree, &me, "outer"), "waits for stranger");
    let refused = claim(&tree, &me, "stranger");
    assert!(refused.contains("unset RECOVER_SESSION_ID"), "{refused}");
    drop(stranger);
    // A process of that id that began at another time is another one.
    let reused = held_by(parent, Some(1), "reused");
    assert_eq!(claim(&tree, &me, "outer"), "waits for reused");
    drop(reused);
    let outer = held_by(parent, None, "outer");
    assert_eq!(claim(&tree, &me, "outer"), "inside");
    // Those inside queue on each other, and leave nothing once the outer one is over.
    let sibling = LockHolder {
        pid: 7_000_000,
        ..holder_of(&workspace, "sibling")
    };
    let held = WorkspaceLock::try_claim_inside(&state, &workspace, &sibling, "outer").unwrap();
    assert!(matches!(held, Ok(Claimed::Inside(_))));
    assert_eq!(claim(&tree, &me, "outer"), "waits for sibling");
    drop(held);
    assert_eq!(claim(&tree, &me, "outer"), "inside");
    drop(outer);
    assert_eq!(claim(&tree, &me, "outer"), "whole");
}

#[test]
fn a_tree_that_a_stranger_shares_with_the_recovery_around_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let root = std::fs::canonicalize(dir.path()).unwrap();
    let state = root.join("state");
    let at = |path: &str| {
        let path = root.join(path);
        std::fs::create_dir_all(path.join(".git")).unwrap();
        std::fs::write(path.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
        Workspace::find(&path, None).unwrap()
    };
    let parent = rustix::process::getppid().expect("a parent");
    let parent = u32::try_from(parent.as_raw_nonzero().get()).expect("an id");
    let take = |workspace: &Workspace, pid, session: &str| {
        let holder = LockHolder {
            pid,
            ..holder_of(workspace, session)
        };
        match WorkspaceLock::try_acquire(&state, workspace, &holder).unwrap() {
            Locked::Ours(lock) => lock,
            Locked::Theirs(other) => panic!("{other:?}"),
        }
    };
    let (whole, mine, theirs) = (at("a"), at("a/mine"), at("a/theirs"));
    let _outer = take(&mine, parent, "outer");
    let me = holder_of(&whole, "me");
    let claim = || WorkspaceLock::try_claim_inside(&state, &whole, &me, "outer").unwrap();
    assert!(matches!(claim(), Ok(Claimed::Inside(_))));
    let stranger = take(&theirs, 7_000_000, "stranger");
    let other = claim().err().flatten().and_then(|other| other.session_id);
    assert_eq!(other.as_deref(), Some("stranger"));
    drop(stranger);
    // A child that another test is about to start has copies of all that was open here.
    let mut inside = claim();
    eventually("the stranger's lock is nobody's any more", || {
        inside = claim();
        matches!(inside, Ok(Claimed::Inside(_)))
    });
    // Nor does a stranger begin in a part of it meanwhile.
    let begin = || {
        let stranger = holder_of(&theirs, "stranger");
        WorkspaceLock::try_acquire(&state, &theirs, &stranger).unwrap()
    };
    assert!(
        matches!(begin(), Locked::Theirs(Some(other)) if other.session_id.as_deref() == Some("me"))
    );
    drop(inside);
    assert!(matches!(begin(), Locked::Ours(_)));
}

#[test]
fn locks_inside_a_recovery_that_is_over_are_removed_unless_held() {
    let tree = Tree::new();
    let (state, workspace) = (tree.state(), tree.workspace());
    let locks = state.join("locks");
    drop(WorkspaceLock::try_acquire(&state, &workspace, &holder_of(&workspace, "s")).unwrap());
    let whole = std::fs::read_dir(&locks).unwrap().count();
    let key = "0123456789abcdef0123456789abcdef";
    let (gone, held) = (
        locks.join(format!("{key}.in-7000000-1.lock")),
        locks.join(format!("{key}.in-7000001-1.lock")),
    );
    for path in [&gone, &held] {
        std::fs::write(path, "").unwrap();
    }
    let file = std::fs::File::open(&held).unwrap();
    file.lock().unwrap();
    forget_locks_inside(&state);
    assert!(!gone.exists() && held.exists());
    drop(file);
    forget_locks_inside(&state);
    assert_eq!(std::fs::read_dir(&locks).unwrap().count(), whole);
}
