//! Killing a restore at any moment, and running it again.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use auto_recovery::checkpoint::{CheckpointStore, Unfinished, UnfinishedRun, UnfinishedState};
use auto_recovery::host::SystemHost;
use auto_recovery::workspace::Workspace;

use crate::checkpoint::child;
use crate::checkpoint::tree::Tree;

/// Files that the restore has to put back.
const FILES: usize = 400;

/// How many of them are back before each kill.
const KILLS: [usize; 8] = [0, 1, 40, 120, 199, 260, 330, 399];

fn name(number: usize) -> String {
    format!("d{:02}/f{number:03}", number / 20)
}

/// In a child: finishes the run that died. It is killed on the way.
#[test]
fn a_killed_restore_is_run_again_to_the_exact_tree() {
    if let Some(root) = child::directory() {
        return finish_in(&root);
    }
    let tree = Tree::git();
    for number in 0..FILES {
        tree.write(name(number), format!("good {number}"));
    }
    tree.write("type", "a file");
    tree.link("other", "type");
    tree.mkdir("empty");
    tree.chmod("d07", 0o555);
    let image = tree.image();
    let store = tree.store();
    let mut session = store.begin_session("s").unwrap();
    let good = session.snapshot("good").unwrap();
    tree.chmod("d07", 0o755);
    for number in 0..FILES {
        tree.write(name(number), format!("bad {number}"));
    }
    tree.chmod("d07", 0o555);
    tree.remove("type");
    tree.write("type/is/a/directory", "x");
    tree.remove("other");
    tree.write("other/too", "x");
    tree.remove("empty");
    tree.write("added/1", "x");
    let bad = session.snapshot("bad").unwrap();
    let run = UnfinishedRun {
        session_id: "s".into(),
        before: good.id(),
        ..Default::default()
    };
    let mut unfinished = Unfinished::begin(&tree.state(), &tree.workspace(), run).unwrap();
    unfinished.note_after(&bad).unwrap();
    let mut cut_short = 0;
    for put_back in KILLS {
        kill_after(&tree, put_back);
        let found = Unfinished::find(&tree.state(), &tree.workspace())
            .unwrap()
            .unwrap();
        match found.assess(&store).unwrap() {
            UnfinishedState::Finishable(_) => cut_short += 1,
            // On a busy machine the kill comes late: damage it anew, and go on.
            UnfinishedState::Clean => {
                session.restore(&bad, None).unwrap();
            }
            conflicting => panic!("{put_back}: {conflicting:?}"),
        }
    }
    assert!(cut_short > 0, "no restore was killed in the middle");
    let report = unfinished.finish(&store, None).unwrap();
    assert!(report.is_exact(), "{report:?}");
    assert_eq!(tree.image(), image);
    assert_eq!(unfinished.assess(&store).unwrap(), UnfinishedState::Clean);
    unfinished.end().unwrap();
    assert!(
        Unfinished::find(&tree.state(), &tree.workspace())
            .unwrap()
            .is_none()
    );
}

/// What the child does.
fn finish_in(root: &Path) {
    let workspace = Workspace::find(root, None).unwrap();
    let state = root.parent().unwrap().join("state");
    let host = Arc::new(SystemHost::new());
    let store = CheckpointStore::open(&state, &workspace, Default::default(), host).unwrap();
    let unfinished = Unfinished::find(&state, &workspace).unwrap().unwrap();
    unfinished.finish(&store, None).unwrap();
}

/// Starts the child and kills it once the file of that number is back.
fn kill_after(tree: &Tree, number: usize) {
    let name = "checkpoint::kill::a_killed_restore_is_run_again_to_the_exact_tree";
    let file = tree.path(self::name(number));
    let mut child = child::command(name, &tree.root()).spawn().unwrap();
    let good = format!("good {number}");
    while fs::read_to_string(&file).unwrap() != good {
        assert_eq!(
            child.try_wait().unwrap(),
            None,
            "it ended before it was killed"
        );
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
