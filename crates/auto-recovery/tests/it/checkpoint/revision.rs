//! Going back to a commit of the user's repository.

use auto_recovery::ErrorKind;

use crate::checkpoint::tree::Tree;

fn commit(tree: &Tree) {
    tree.run_git(&["add", "-A"]);
    tree.run_git(&["commit", "--quiet", "-m", "x"]);
}

#[test]
fn tracked_files_go_to_the_revision_and_others_stay() {
    let tree = Tree::git();
    tree.write("file", "one");
    tree.write("run", "#!");
    tree.chmod("run", 0o755);
    tree.write("old/only", "x");
    tree.link("link", "file");
    commit(&tree);
    tree.write("file", "two");
    tree.chmod("run", 0o644);
    tree.remove("old");
    tree.remove("link");
    tree.write("link", "no link");
    tree.write("new/tracked", "y");
    tree.write("shared/tracked", "y");
    commit(&tree);
    tree.write("file", "edited");
    tree.write("untracked/notes", "mine");
    tree.write("shared/untracked", "mine");
    let git = tree.git_image();
    let mut session = tree.session();
    let now = session.snapshot("").unwrap();
    let target = session.import_revision("HEAD~1", &now).unwrap();
    assert!(target.label().starts_with("git:HEAD~1"));
    let report = session.restore(&target, Some(&now)).unwrap();
    assert!(report.is_exact(), "{report:?}");
    assert_eq!(tree.read("file"), b"one");
    assert_eq!(
        tree.path("link").read_link().unwrap().to_str(),
        Some("file")
    );
    assert_eq!(tree.read("old/only"), b"x");
    assert!(
        !tree.exists("new"),
        "a checkout leaves no directory that it emptied"
    );
    assert!(!tree.exists("shared/tracked"));
    assert_eq!(tree.read("untracked/notes"), b"mine");
    assert_eq!(tree.read("shared/untracked"), b"mine");
    assert_eq!(tree.image()[&b"run"[..]].0 & 0o777, 0o755);
    assert_eq!(tree.git_image(), git, "the user's .git was written to");
    assert_eq!(
        tree.run_git(&["diff", "HEAD~1", "--", "file", "run", "link"]),
        ""
    );
    let back = session.snapshot("").unwrap();
    assert!(session.restore(&now, Some(&back)).unwrap().is_exact());
    assert_eq!(tree.read("file"), b"edited");
}

#[test]
fn files_come_as_a_checkout_would_write_them() {
    let tree = Tree::git();
    tree.run_git(&["config", "filter.shout.smudge", "tr a-z A-Z"]);
    tree.write(".gitattributes", "*.crlf text eol=crlf\n*.f filter=shout\n");
    tree.write("a.crlf", "one\ntwo\n");
    tree.write("b.f", "quiet");
    tree.write("new\nline", "x");
    commit(&tree);
    tree.remove("a.crlf");
    tree.remove("b.f");
    tree.remove("new\nline");
    tree.remove(".gitattributes");
    let mut session = tree.session();
    let now = session.snapshot("").unwrap();
    let target = session.import_revision("HEAD", &now).unwrap();
    session.restore(&target, Some(&now)).unwrap();
    assert_eq!(tree.read("a.crlf"), b"one\r\ntwo\r\n");
    assert_eq!(tree.read("b.f"), b"QUIET");
    assert_eq!(tree.read("new\nline"), b"x");
}

#[test]
fn an_unknown_revision_is_not_found() {
    let tree = Tree::git();
    tree.write("f", "1");
    commit(&tree);
    let mut session = tree.session();
    let now = session.snapshot("").unwrap();
    for revision in ["nonsense", "--help", "HEAD:f", ""] {
        let error = session.import_revision(revision, &now).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{revision:?}: {error}");
    }
    let plain = Tree::new();
    let mut session = plain.session();
    let now = session.snapshot("").unwrap();
    let error = session.import_revision("HEAD", &now).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn a_repository_inside_the_tree_is_left_as_it_is() {
    let tree = Tree::git();
    tree.write("file", "one");
    tree.write("vendor/v", "tracked above, once");
    commit(&tree);
    tree.write("file", "two");
    tree.run_git(&["rm", "--quiet", "-r", "--cached", "vendor"]);
    commit(&tree);
    tree.run_git(&["init", "--quiet", "vendor"]);
    tree.run_git(&["-C", "vendor", "add", "-A"]);
    tree.run_git(&["-C", "vendor", "commit", "--quiet", "-m", "v"]);
    tree.write("vendor/v", "edited");
    tree.write("vendor/new", "new");
    let mut session = tree.session();
    let now = session.snapshot("").unwrap();
    let target = session.import_revision("HEAD~1", &now).unwrap();
    let report = session.restore(&target, Some(&now)).unwrap();
    assert!(report.is_exact(), "{report:?}");
    assert_eq!(tree.read("file"), b"one");
    assert_eq!(tree.read("vendor/v"), b"edited");
    assert_eq!(tree.read("vendor/new"), b"new");
}

#[test]
fn what_a_sparse_checkout_leaves_out_stays_out() {
    let tree = Tree::git();
    for version in ["one", "two"] {
        tree.write("in/file", version);
        tree.write("out/file", version);
        tree.write("out/kept", version);
        commit(&tree);
    }
    tree.run_git(&["sparse-checkout", "set", "in"]);
    assert!(!tree.exists("out"));
    // Somebody put one there nevertheless.
    tree.write("out/kept", "by hand");
    let mut session = tree.session();
    let now = session.snapshot("").unwrap();
    let target = session.import_revision("HEAD~1", &now).unwrap();
    let report = session.restore(&target, Some(&now)).unwrap();
    assert!(report.is_exact(), "{report:?}");
    assert_eq!(tree.read("in/file"), b"one");
    assert!(!tree.exists("out/file"));
    assert_eq!(tree.read("out/kept"), b"by hand");
}
