//! Where an attempt moved HEAD: told with the way back, and that way works.

#![expect(
    clippy::disallowed_methods,
    reason = "what a person is told to type is typed here"
)]

use std::process::Command;

use crate::checkpoint::tree::Tree;

/// What HEAD is on, and the commit.
fn head(tree: &Tree) -> (String, String) {
    let branch = tree.run_git(&["rev-parse", "--abbrev-ref", "HEAD"]);
    (branch, tree.run_git(&["rev-parse", "HEAD"]))
}

fn shell(tree: &Tree, text: &str) -> bool {
    let mut shell = Command::new("sh");
    shell.args(["-c", text]).current_dir(tree.root());
    for role in ["AUTHOR", "COMMITTER"] {
        shell.env(format!("GIT_{role}_NAME"), "t");
        shell.env(format!("GIT_{role}_EMAIL"), "t@t");
    }
    shell.output().unwrap().status.success()
}

/// Moves HEAD by `script`, and goes back as told: with what the script left, and after an undo.
fn check(beginning: &str, script: &str, says: &[&str]) {
    for is_undone in [false, true] {
        let tree = Tree::git();
        tree.write("a", "1\n");
        assert!(shell(&tree, "git add -A && git commit -qm first"));
        assert!(shell(&tree, beginning), "{beginning}");
        let (was, content) = (head(&tree), tree.read("a"));
        let store = tree.store();
        let mut session = store.begin_session("s").unwrap();
        let before = session.snapshot("").unwrap();
        shell(&tree, script);
        let after = session.snapshot("").unwrap();
        let moved = store.head_moved(&before, &after).expect("HEAD moved");
        for word in says {
            assert!(moved.contains(word), "{script}: {moved}");
        }
        if is_undone {
            session.restore(&before, Some(&after)).unwrap();
        }
        let (_, back) = moved.rsplit_once(": `").expect("a way back");
        // Every second piece is a command; a second one is for where the first is refused.
        let mut ways = back.split('`').step_by(2);
        assert!(ways.any(|back| shell(&tree, back)), "{script}: {moved}");
        assert_eq!(head(&tree), was, "{script}: {moved}");
        if is_undone {
            assert_eq!(tree.read("a"), content, "{script}: {moved}");
        }
    }
}

#[test]
fn the_way_back_of_a_moved_head_works() {
    let commit = "echo 2 > a; git commit -qam second";
    check("true", commit, &["committed", "second"]);
    check(
        "true",
        "git checkout -qb x",
        &["from main", "to x", "`git switch main`"],
    );
    let on_another = format!("git checkout -qb fix/x; {commit}");
    check("true", &on_another, &["to fix/x", "second\""]);
    check(
        "true",
        "git branch -m main trunk",
        &["to trunk", "git branch -m trunk main"],
    );
    let renamed = format!("git branch -m main trunk; {commit}");
    check("true", &renamed, &["to trunk", "second\""]);
    check("true", "git checkout -qb x; git branch -D main", &["to x"]);
    let both = format!("{commit}; git checkout -qb x");
    check("true", &both, &["to x", "second\""]);
    check("true", "git checkout -q --detach", &["to a detached HEAD"]);
    let detached = "git checkout -q --detach";
    check(detached, "git switch -q main", &["from a detached HEAD"]);
    let from_detached = format!("git switch -q main; {commit}");
    check(
        detached,
        &from_detached,
        &["from a detached HEAD", "second\""],
    );
}

#[test]
fn a_rebase_that_stopped_is_ended_and_one_that_was_there_is_not() {
    let conflict = "git checkout -qb x && echo x > a && git commit -qam theirs && \
                    git checkout -q main && echo 1 >> a && echo 1 > a && echo 0 > b && git add b && \
                    git commit -qm ours && echo 3 > c && git add c && git commit -qm more && \
                    git checkout -q x && echo y > b && git add b && git commit -qm both && \
                    git checkout -q main";
    check(conflict, "git rebase x", &["`git rebase --abort`"]);
    // In the middle of one, a commit is a commit.
    let stopped = format!("{conflict}; git rebase x; echo z > b; git add b");
    let go_on = "git commit -qm resolved";
    check(&stopped, go_on, &["committed", "resolved", "git reset"]);
}
