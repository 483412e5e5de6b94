//! Putting trees back.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};

use auto_recovery::checkpoint::{Checkpoint, CheckpointSession, RestoreReport};

use crate::checkpoint::tree::{Tree, bytes};

/// A snapshot of now, and back from it to `good`.
fn undo(session: &mut CheckpointSession, good: &Checkpoint) -> RestoreReport {
    let bad = session.snapshot("after").unwrap();
    session.restore(good, Some(&bad)).unwrap()
}

#[test]
fn types_modes_links_and_empty_directories_go_back() {
    let tree = Tree::new();
    tree.write("a.txt", "a");
    tree.write("d/b.txt", "b");
    tree.write("tool", "t");
    tree.chmod("tool", 0o755);
    tree.write("private", "p");
    tree.chmod("private", 0o600);
    tree.write("setgid", "s");
    tree.chmod("setgid", 0o2755);
    tree.write("closed", "c");
    tree.chmod("closed", 0o400);
    tree.mkdir("empty/inner");
    tree.mkdir("sticky");
    tree.chmod("sticky", 0o1777);
    tree.write("readonly/f", "r");
    tree.chmod("readonly", 0o555);
    tree.link("l", "a.txt");
    tree.link("dangling", "nowhere");
    tree.link("dirlink", "d");
    let image = tree.image();
    let mut session = tree.session();
    let good = session.snapshot("before").unwrap();
    tree.write("a.txt", "changed");
    tree.remove("d");
    tree.write("d", "a directory became a file");
    tree.chmod("tool", 0o644);
    tree.chmod("private", 0o666);
    tree.write("setgid", "other");
    tree.chmod("closed", 0o644);
    tree.remove("empty");
    tree.chmod("sticky", 0o700);
    tree.chmod("readonly", 0o755);
    tree.remove("readonly/f");
    tree.chmod("readonly", 0o555);
    tree.remove("l");
    tree.write("l/x/y", "a link became a directory");
    tree.remove("dangling");
    tree.write("dangling", "a link became a file");
    tree.remove("dirlink");
    tree.link("dirlink", "empty");
    tree.write("new/file", "new");
    tree.mkdir("newdir");
    let report = undo(&mut session, &good);
    assert!(report.is_exact(), "{report:?}");
    assert_eq!(tree.image(), image);
    assert!(session.snapshot("").unwrap().is_same_tree(&good));
}

#[test]
fn what_goes_back_is_told_from_what_stood_there_by_whole_seconds() {
    let tree = Tree::new();
    let names = ["replaced.py", "overwritten.py", "links/overwritten.py"];
    tree.write(names[0], "a - b");
    tree.write(names[1], "a - b");
    tree.mkdir("links");
    fs::hard_link(tree.path(names[1]), tree.path(names[2])).unwrap();
    let mut session = tree.session();
    let good = session.snapshot("").unwrap();
    let second = |name: &str| fs::metadata(tree.path(name)).unwrap().mtime();
    // Each way: what is put again must be told from what was taken away, too.
    let mut seen = Vec::new();
    for name in &names[..2] {
        tree.write(name, "a + b");
        seen.push(second(name));
    }
    let bad = session.snapshot("").unwrap();
    let report = session.restore(&good, Some(&bad)).unwrap();
    assert!(report.is_exact(), "{report:?}");
    seen.extend([second(names[0]), second(names[1])]);
    let now = session.snapshot("").unwrap();
    let report = session.restore(&bad, Some(&now)).unwrap();
    assert!(report.is_exact(), "{report:?}");
    seen.extend([second(names[0]), second(names[1])]);
    for pair in [[0, 2], [1, 3], [2, 4], [3, 5]] {
        assert_ne!(seen[pair[0]], seen[pair[1]], "{seen:?}");
    }
    assert_eq!(fs::read(tree.path(names[2])).unwrap(), b"a + b");
}

#[test]
fn what_an_attempt_closed_is_opened_again() {
    let tree = Tree::new();
    tree.write("dir/deep/file", "1");
    tree.write("noread", "1");
    tree.write("nosearch/file", "1");
    let image = tree.image();
    let mut session = tree.session();
    let good = session.snapshot("").unwrap();
    tree.write("dir/deep/file", "2");
    tree.chmod("dir/deep", 0o000);
    tree.chmod("noread", 0o000);
    tree.chmod("nosearch", 0o600);
    let report = undo(&mut session, &good);
    assert_eq!(report.foreign, [""; 0]);
    assert_eq!(tree.image(), image);
}

#[test]
fn names_in_any_bytes_go_back() {
    let names: [&[u8]; 14] = [
        b"new\nline",
        b"not\xff\xfeutf8",
        b"-rf",
        b"--",
        b":(exclude)x",
        b":!x",
        b"quo\"te",
        b"back\\slash",
        b" space ",
        b"*",
        b"tab\t",
        b"\x01\x7f",
        b".gitignore~",
        b"git~1",
    ];
    let tree = Tree::git();
    for name in names {
        tree.write(bytes(name), name);
        tree.write(bytes(&[name, b"d/", name].concat()), name);
    }
    let image = tree.image();
    let mut session = tree.session();
    let good = session.snapshot("").unwrap();
    for name in names {
        tree.write(bytes(name), "changed");
        tree.remove(bytes(&[name, b"d"].concat()));
        tree.write(bytes(&[name, b"new"].concat()), "x");
    }
    let report = undo(&mut session, &good);
    assert!(report.is_exact(), "{report:?}");
    assert_eq!(tree.image(), image);
    let store = tree.store();
    assert!(
        store
            .changes(&good, &store.load(&good.id()).unwrap())
            .is_empty()
    );
}

#[test]
fn untouched_files_keep_their_times_and_inodes() {
    use std::os::unix::fs::MetadataExt as _;
    let tree = Tree::new();
    tree.write("same/file", "1");
    tree.write("changed", "1");
    let stamp = || {
        let metadata = tree.path("same/file").metadata().unwrap();
        (
            metadata.mtime(),
            metadata.mtime_nsec(),
            metadata.ctime_nsec(),
            metadata.ino(),
        )
    };
    let before = stamp();
    let mut session = tree.session();
    let good = session.snapshot("").unwrap();
    tree.write("changed", "2");
    let report = undo(&mut session, &good);
    assert_eq!(report.restored, ["changed"]);
    assert_eq!(stamp(), before);
}

#[test]
fn edits_after_the_last_snapshot_are_kept_and_named() {
    let tree = Tree::new();
    for name in ["edited", "removed", "mine", "retyped", "rechmod"] {
        tree.write(name, "1");
    }
    let mut session = tree.session();
    let good = session.snapshot("").unwrap();
    for name in ["edited", "removed", "mine", "retyped", "rechmod"] {
        tree.write(name, "2");
    }
    tree.write("added", "2");
    let bad = session.snapshot("").unwrap();
    tree.write("edited", "3");
    tree.remove("removed");
    tree.remove("retyped");
    tree.mkdir("retyped");
    tree.chmod("rechmod", 0o600);
    tree.write("added", "3");
    tree.write("appeared/here", "3");
    let report = session.restore(&good, Some(&bad)).unwrap();
    let foreign = [
        "added",
        "appeared",
        "appeared/here",
        "edited",
        "rechmod",
        "removed",
        "retyped",
    ];
    assert_eq!(report.foreign, foreign);
    assert_eq!(report.restored, ["mine"]);
    assert_eq!(tree.read("mine"), b"1");
    assert_eq!(tree.read("edited"), b"3");
    assert_eq!(tree.read("added"), b"3");
    assert_eq!(tree.read("appeared/here"), b"3");
    assert!(tree.path("retyped").is_dir());
    assert!(!tree.exists("removed"));
}

#[test]
fn a_link_never_leads_a_write_outside() {
    let tree = Tree::new();
    let outside = tree.outside().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "outside").unwrap();
    tree.write("dir/file", "inside");
    tree.write("dir/gone", "inside");
    tree.write("file", "inside");
    let image = tree.image();
    let mut session = tree.session();
    let good = session.snapshot("").unwrap();
    // The attempt itself plants links: they are undone, and what they point to is left.
    tree.remove("dir");
    symlink(&outside, tree.path("dir")).unwrap();
    tree.remove("file");
    symlink(outside.join("file"), tree.path("file")).unwrap();
    let report = undo(&mut session, &good);
    assert!(report.is_exact(), "{report:?}");
    assert_eq!(tree.image(), image);
    // Somebody plants one after the last snapshot: everything below it is foreign.
    tree.write("dir/file", "changed");
    tree.remove("dir/gone");
    tree.write("dir/new", "new");
    let bad = session.snapshot("").unwrap();
    tree.remove("dir");
    symlink(&outside, tree.path("dir")).unwrap();
    let report = session.restore(&good, Some(&bad)).unwrap();
    assert!(!report.is_exact());
    assert!(
        report.foreign.contains(&"dir/file".to_owned()),
        "{report:?}"
    );
    let names: Vec<_> = fs::read_dir(&outside)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["file"]);
    assert_eq!(fs::read(outside.join("file")).unwrap(), b"outside");
}

#[test]
fn doing_it_twice_changes_nothing_more() {
    let tree = Tree::new();
    tree.write("a/b", "1");
    let image = tree.image();
    let mut session = tree.session();
    let good = session.snapshot("").unwrap();
    tree.remove("a");
    tree.write("a", "2");
    let bad = session.snapshot("").unwrap();
    let first = session.restore(&good, Some(&bad)).unwrap();
    let second = session.restore(&good, Some(&bad)).unwrap();
    assert_eq!(first, second);
    assert!(second.is_exact());
    assert_eq!(tree.image(), image);
}

#[test]
fn without_a_snapshot_of_the_present_all_goes_back() {
    let tree = Tree::new();
    tree.write(".gitignore", "ignored\n");
    tree.write("ignored", "i");
    tree.write("same", "s");
    tree.write("a/b", "1");
    let image = tree.image();
    let good = tree.session().snapshot("").unwrap();
    tree.remove("a");
    tree.write("a", "2");
    tree.write("new/file", "2");
    let mut session = tree.store().begin_session("later").unwrap();
    let loaded = tree.store().load(&good.id()).unwrap();
    let report = session.restore(&loaded, None).unwrap();
    assert_eq!(report.restored, ["a", "a/b", "new", "new/file"]);
    assert!(report.is_exact(), "{report:?}");
    assert_eq!(tree.image(), image);
}

#[test]
fn a_directory_that_holds_what_is_not_covered_stays() {
    let tree = Tree::new();
    tree.write(".gitignore", "*.o\n");
    tree.write("file", "1");
    let mut session = tree.session();
    let good = session.snapshot("").unwrap();
    tree.write("made/source", "2");
    tree.write("made/object.o", "2");
    tree.remove("file");
    tree.write("file/object.o", "2");
    let report = undo(&mut session, &good);
    assert!(!report.is_exact());
    assert_eq!(report.holding, ["made"]);
    assert_eq!(report.foreign, [] as [&str; 0]);
    let aside = ("file".to_owned(), "file.kept-by-recover-1".to_owned());
    assert_eq!(report.moved_aside, [aside]);
    assert!(!tree.exists("made/source"));
    assert_eq!(tree.read("made/object.o"), b"2");
    // What is covered comes back, and what is not is still there.
    assert_eq!(tree.read("file"), b"1");
    assert_eq!(tree.read("file.kept-by-recover-1/object.o"), b"2");
}

#[test]
fn a_rollback_to_another_session_can_itself_be_undone() {
    let tree = Tree::git();
    tree.write("file", "old");
    tree.write("old-only", "x");
    let old = tree.session().snapshot("").unwrap();
    tree.write("file", "new");
    tree.remove("old-only");
    tree.write("new-only/x", "y");
    let image = tree.image();
    let store = tree.store();
    let mut session = store.begin_session("rollback").unwrap();
    let target = store.load(&old.id()).unwrap();
    let now = session
        .snapshot_covering("before rollback", &[&target])
        .unwrap();
    assert!(session.restore(&target, Some(&now)).unwrap().is_exact());
    assert_eq!(tree.read("file"), b"old");
    assert!(tree.exists("old-only") && !tree.exists("new-only"));
    let rolled = session.snapshot("").unwrap();
    assert!(session.restore(&now, Some(&rolled)).unwrap().is_exact());
    assert_eq!(tree.image(), image);
}

#[test]
fn a_rollback_leaves_and_names_what_an_ignore_file_hides_since() {
    let tree = Tree::git();
    tree.write("file", "old");
    let old = tree.session().snapshot("").unwrap();
    tree.write(".gitignore", "*\n");
    tree.write("made/since/file", "new");
    let expected = tree.image();
    tree.write("file", "new");
    let hidden = tree.image();
    let store = tree.store();
    let mut session = store.begin_session("rollback").unwrap();
    session.snapshot("before the rollback").unwrap();
    let target = store.load(&old.id()).unwrap();
    let now = session.snapshot_covering("", &[&target]).unwrap();
    let report = session.restore(&target, Some(&now)).unwrap();
    let left: Vec<_> = report.not_covered.iter().map(|one| &*one.display).collect();
    assert_eq!(left, [".gitignore", "made"], "{report:?}");
    assert_eq!(tree.image(), expected);
    // What it replaced comes back, too.
    let rolled = session.snapshot("").unwrap();
    session.restore(&now, Some(&rolled)).unwrap();
    assert_eq!(tree.image(), hidden);
}

#[test]
fn what_a_killed_restore_left_goes_and_what_looks_like_it_stays() {
    let tree = Tree::new();
    tree.write("file", "1");
    let mut session = tree.session();
    let good = session.snapshot("").unwrap();
    let left = format!("elsewhere/.recover-restore-{}.tmp", &good.id()[..12]);
    let alike = "elsewhere/.recover-restore-0123456789ab.tmp";
    tree.write(alike, "a user's");
    tree.write("file", "2");
    let image = tree.image();
    let bad = session.snapshot("").unwrap();
    // As it stands after a kill.
    let state = fs::read_dir(tree.state().join("checkpoints")).unwrap();
    let mut state = state.map(|entry| entry.unwrap().path());
    let state = state.find(|path| path.is_dir()).unwrap();
    let name = left.strip_prefix("elsewhere/").unwrap();
    fs::write(state.join("restoring"), format!("{name}\n")).unwrap();
    tree.write(&left, "half");
    assert!(session.snapshot("").unwrap().is_same_tree(&bad));
    session.restore(&bad, Some(&bad)).unwrap();
    assert_eq!(tree.image(), image);
    assert!(!state.join("restoring").exists());
    // By now the name is nobody's.
    tree.write(&left, "a user's");
    assert!(!session.snapshot("").unwrap().is_same_tree(&bad));
    assert_eq!(tree.read(alike), b"a user's");
}

/// Makes directories far deeper than a path may be long, with a file at the bottom.
fn fill_deep(tree: &Tree, levels: usize, content: &[u8]) {
    use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at = openat(CWD, tree.root(), flags, Mode::empty()).unwrap();
    for _ in 0..levels {
        match mkdirat(&at, "a-directory-of-a-usual-name", Mode::RWXU) {
            Err(rustix::io::Errno::EXIST) => {}
            made => made.unwrap(),
        }
        at = openat(&at, "a-directory-of-a-usual-name", flags, Mode::empty()).unwrap();
    }
    let flags = OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY;
    let file = openat(&at, "file", flags, Mode::RUSR | Mode::WUSR).unwrap();
    rustix::io::write(file, content).unwrap();
}

#[test]
fn paths_longer_than_the_system_takes_are_put_back_and_removed() {
    let tree = Tree::new();
    let mut session = tree.session();
    let empty = session.snapshot("").unwrap();
    // 28 bytes a level: 8,400 bytes, where a path may have 4,096.
    fill_deep(&tree, 300, b"1");
    let good = session.snapshot("").unwrap();
    fill_deep(&tree, 300, b"2");
    fill_deep(&tree, 400, b"more");
    let report = undo(&mut session, &good);
    assert!(report.is_exact(), "{:?}", report.refused);
    assert!(session.snapshot("").unwrap().is_same_tree(&good));
    let report = undo(&mut session, &empty);
    assert!(report.is_exact(), "{:?}", report.refused);
    assert!(tree.image().is_empty());
    // And from nothing, by a process that knows only its id.
    let store = tree.store();
    let loaded = store.load(&good.id()).unwrap();
    let mut later = store.begin_session("later").unwrap();
    let now = later.snapshot("").unwrap();
    let report = later.restore(&loaded, Some(&now)).unwrap();
    assert!(report.is_exact(), "{:?}", report.refused);
    assert!(later.snapshot("").unwrap().is_same_tree(&good));
}
