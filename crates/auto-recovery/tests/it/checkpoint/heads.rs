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

/// What git says, in one line or several.
fn git(tree: &Tree, args: &[&str]) -> String {
    tree.run_git(args).trim().to_owned()
}

/// What is said of `script` after `beginning`, and the tree after the way back, without an undo.
fn told(beginning: &str, script: &str) -> (Tree, String) {
    let tree = Tree::git();
    tree.write("a", "1\n");
    assert!(shell(&tree, "git add -A && git commit -qm first"));
    shell(&tree, beginning);
    std::thread::sleep(std::time::Duration::from_millis(20));
    let store = tree.store();
    let mut session = store.begin_session("s").unwrap();
    let before = session.snapshot("").unwrap();
    assert!(shell(&tree, script), "{script}");
    let after = session.snapshot("").unwrap();
    let moved = store.head_moved(&before, &after).expect("HEAD moved");
    if let Some((_, back)) = moved.rsplit_once(": `") {
        let back = back.split('`').next().unwrap();
        assert!(shell(&tree, back), "{moved}");
    }
    (tree, moved)
}

const COLLEAGUE: &str = "git checkout -qb feat; echo x > g; git add g; \
                         git commit -qm 'of a colleague'; git checkout -q main";

#[test]
fn commits_of_others_are_not_those_of_an_attempt() {
    let (tree, moved) = told(COLLEAGUE, "git merge -q feat");
    assert!(moved.starts_with("brought in 1 older commit, "), "{moved}");
    assert!(!moved.contains("committed"), "{moved}");
    assert_eq!(git(&tree, &["log", "--format=%s"]), "first");
    assert_eq!(git(&tree, &["diff", "--cached", "--name-only"]), "");
    let mine = format!("{COLLEAGUE}; git commit -q --allow-empty -m mine");
    let (tree, moved) = told(&mine, "git merge -q --no-edit feat");
    let said = [
        "committed \"",
        "Merge branch 'feat'\", and brought in 1 older commit, ",
    ];
    assert!(said.iter().all(|said| moved.contains(said)), "{moved}");
    assert!(git(&tree, &["log", "--format=%s"]).starts_with("mine"));
}

#[test]
fn a_merge_that_an_attempt_ends_goes_on() {
    let merging =
        format!("{COLLEAGUE}; echo m > g; git add g; git commit -qm mine; git merge feat");
    let resolve = "echo both > g; git add g; git commit -qm resolved";
    let (tree, moved) = told(&merging, resolve);
    assert!(moved.contains("and so the merge of "), "{moved}");
    assert_eq!(git(&tree, &["log", "-1", "--format=%s"]), "mine");
    assert!(shell(&tree, "git commit -qm mine-again"));
    assert_eq!(
        git(&tree, &["rev-list", "--count", "--merges", "HEAD"]),
        "1"
    );
    let (tree, moved) = told(&merging, "git merge --abort");
    assert!(
        moved.contains("that was under way has ended: `echo "),
        "{moved}"
    );
    assert!(shell(&tree, "git commit -qm merged --allow-empty"));
    assert_eq!(
        git(&tree, &["rev-list", "--count", "--merges", "HEAD"]),
        "1"
    );
    let picking = merging.replace("git merge feat", "git cherry-pick feat");
    let (tree, moved) = told(&picking, resolve);
    assert!(moved.contains("and so the cherry-pick of "), "{moved}");
    assert!(shell(&tree, "git cherry-pick --quit"));
}

#[test]
fn a_rebase_that_an_attempt_ends_can_be_taken_back() {
    let rebasing = format!(
        "{COLLEAGUE}; echo m > g; git add g; git commit -qm mine; git checkout -q feat; git rebase main"
    );
    for end in [
        "echo r > g; git add g; GIT_EDITOR=true git rebase --continue",
        "git rebase --abort",
        "git rebase --abort; git checkout -q main",
    ] {
        let (tree, moved) = told(&rebasing, end);
        assert!(
            moved.starts_with("the rebase of feat that was under way has ended, "),
            "{moved}"
        );
        assert_eq!(head(&tree).0.trim(), "feat", "{moved}");
        let log = git(&tree, &["log", "--format=%s"]);
        assert_eq!(log, "of a colleague\nfirst", "{moved}");
    }
}

#[test]
fn a_repository_that_is_gone_is_told_as_gone() {
    let (_, moved) = told("true", "rm -rf .git");
    assert!(moved.starts_with("`.git` is gone, "), "{moved}");
}
