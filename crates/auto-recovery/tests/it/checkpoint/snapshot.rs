//! Taking snapshots: what they hold, what they refuse.

use std::fs::{self, File};
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use auto_recovery::checkpoint::{
    CheckpointLimits, CheckpointOptions, CheckpointStore, display_path,
};
use auto_recovery::host::SystemHost;
use auto_recovery::workspace::Workspace;
use auto_recovery::{ErrorKind, Result};

use crate::checkpoint::tree::{Tree, bytes};

#[test]
fn an_unchanged_tree_is_the_same_checkpoint() {
    let tree = Tree::new();
    tree.write("a.txt", "a");
    tree.write("d/b.txt", "b");
    let mut session = tree.session();
    let first = session.snapshot("first").unwrap();
    let second = session.snapshot("second").unwrap();
    assert_eq!(first.id(), second.id());
    assert_eq!(first.files(), 2);
}

#[test]
fn equal_trees_have_equal_fingerprints_and_others_do_not() {
    let tree = Tree::new();
    tree.write("a", "1");
    let store = tree.store();
    let first = store.begin_session("one").unwrap().snapshot("").unwrap();
    let second = store.begin_session("two").unwrap().snapshot("").unwrap();
    assert_ne!(first.id(), second.id(), "each session has its own commit");
    assert_eq!(first.fingerprint(), second.fingerprint());
    tree.chmod("a", 0o640);
    let third = store.begin_session("three").unwrap().snapshot("").unwrap();
    assert_ne!(
        first.fingerprint(),
        third.fingerprint(),
        "permission bits count"
    );
    tree.chmod("a", 0o644);
    tree.mkdir("empty");
    let fourth = store.begin_session("four").unwrap().snapshot("").unwrap();
    assert_ne!(
        first.fingerprint(),
        fourth.fingerprint(),
        "empty directories count"
    );
}

#[test]
fn a_checkpoint_reads_back_as_it_was_taken() {
    let tree = Tree::new();
    tree.write("plain", "x");
    tree.write("bin/run", "#!");
    tree.chmod("bin/run", 0o755);
    tree.write("secret", "s");
    tree.chmod("secret", 0o600);
    tree.mkdir("empty/deep");
    tree.chmod("empty", 0o700);
    tree.link("link", "plain");
    tree.link(".gitmodules", "plain");
    let store = tree.store();
    let taken = store
        .begin_session("session: a/b")
        .unwrap()
        .snapshot("two\nlines")
        .unwrap();
    let loaded = store.load(&taken.id()).unwrap();
    assert!(store.changes(&taken, &loaded).is_empty());
    assert!(loaded.is_same_tree(&taken));
    assert_eq!(loaded.label(), "two lines");
    assert_eq!(loaded.session(), "session: a/b");
    assert_eq!(loaded.taken_at(), taken.taken_at());
    assert_eq!(
        store.session_checkpoints("session: a/b").unwrap(),
        [taken.id()]
    );
}

#[test]
fn an_unknown_checkpoint_is_not_found() {
    let tree = Tree::new();
    let store = tree.store();
    for id in ["", "nonsense", "-h", &"0".repeat(40)] {
        assert_eq!(
            store.load(id).unwrap_err().kind(),
            ErrorKind::NotFound,
            "{id:?}"
        );
    }
}

#[test]
fn every_quick_edit_of_the_same_length_is_seen() {
    let tree = Tree::new();
    tree.write("counter", "000");
    let mut session = tree.session();
    let mut last = session.snapshot("").unwrap().fingerprint();
    for round in 1..20 {
        tree.write("counter", format!("{round:03}"));
        let now = session.snapshot("").unwrap().fingerprint();
        assert_ne!(now, last, "round {round}");
        last = now;
    }
}

#[test]
fn an_edit_that_forges_the_time_is_seen() {
    let tree = Tree::new();
    tree.write("file", "one");
    let mut session = tree.session();
    let before = session.snapshot("").unwrap();
    let time = tree.path("file").metadata().unwrap().modified().unwrap();
    tree.write("file", "two");
    File::options()
        .write(true)
        .open(tree.path("file"))
        .unwrap()
        .set_modified(time)
        .unwrap();
    let after = session.snapshot("").unwrap();
    assert!(!after.is_same_tree(&before));
}

#[test]
fn a_cache_that_does_not_add_up_is_not_believed() {
    let tree = Tree::new();
    tree.write("file", "one");
    let before = tree.session().snapshot("").unwrap();
    let stamps = find(&tree.state(), "stamps");
    let mut content = fs::read(&stamps).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(&stamps, content).unwrap();
    assert!(tree.session().snapshot("").unwrap().is_same_tree(&before));
}

#[test]
fn a_repository_that_lost_its_objects_is_filled_again() {
    let tree = Tree::new();
    tree.write("dir/file", "one");
    let before = tree.session().snapshot("").unwrap();
    let packs = find(&tree.state(), "pack");
    fs::remove_dir_all(&packs).unwrap();
    fs::create_dir(&packs).unwrap();
    tree.write("other", "two");
    let store = tree.store();
    let after = store.begin_session("next").unwrap().snapshot("").unwrap();
    assert_eq!(after.files(), 2);
    let loaded = store.load(&after.id()).unwrap();
    assert!(loaded.is_same_tree(&after));
    assert!(!after.is_same_tree(&before));
}

#[test]
fn names_in_records_show_bytes_that_are_no_text() {
    let cases: [(&[u8], &str); 4] = [
        (b"plain", "plain"),
        ("h\u{e9}".as_bytes(), "h\u{e9}"),
        (b"a\xffb", "a\\xffb"),
        (b"\xf0\x9f", "\\xf0\\x9f"),
    ];
    for (path, shown) in cases {
        assert_eq!(display_path(path), shown);
    }
}

#[test]
fn records_name_what_changed_once_and_sorted() {
    let tree = Tree::new();
    tree.write("kept", "k");
    tree.write("old/a", "a");
    tree.write("mode", "m");
    let store = tree.store();
    let mut session = tree.session();
    let before = session.snapshot("").unwrap();
    tree.write("new/b", "b");
    tree.write(bytes(b"\xff"), "c");
    tree.remove("old");
    tree.mkdir("empty");
    tree.chmod("mode", 0o600);
    let after = session.snapshot("").unwrap();
    let names = store.files_modified(&before, &after);
    assert_eq!(names, ["\\xff", "empty", "mode", "new/b", "old/a"]);
}

#[test]
fn the_diff_is_for_people_and_says_what_diffs_do_not() {
    let tree = Tree::new();
    tree.write("text", "one\n");
    tree.write("data", b"\0\x01");
    tree.write("mode", "m");
    // Nothing in the tree may make git run a program for a diff.
    tree.write(".gitattributes", "text diff=evil\ndata diff=evil\n");
    let store = tree.store();
    let mut session = tree.session();
    let before = session.snapshot("").unwrap();
    tree.write("text", "two\n");
    tree.write("data", b"\0\x02");
    tree.chmod("mode", 0o600);
    tree.mkdir("empty");
    let after = session.snapshot("").unwrap();
    let mut patch = Vec::new();
    let mut gather = |piece: &[u8]| {
        patch.extend_from_slice(piece);
        Ok(ControlFlow::Continue(()))
    };
    let read = store.patch(&before, &after, &mut gather).unwrap();
    assert!(read.is_continue());
    let patch = String::from_utf8(patch).unwrap();
    for part in [
        "--- a/text\n+++ b/text\n@@ -1 +1 @@\n-one\n+two\n",
        "Binary files a/data and b/data differ",
        "# mode 0644 => 0600: mode\n",
        "# new directory: empty\n",
    ] {
        assert!(patch.contains(part), "{part:?} in {patch}");
    }
}

#[test]
fn a_diff_is_made_no_further_than_it_is_read() {
    const FILES: usize = 8;
    let tree = Tree::new();
    let store = tree.store();
    let mut session = tree.session();
    let before = session.snapshot("").unwrap();
    let long = "a line\n".repeat(150_000);
    (0..FILES).for_each(|file| tree.write(format!("f{file}"), &long));
    let after = session.snapshot("").unwrap();
    let read_upto = |wanted: usize| {
        let (mut read, mut largest) = (0, 0);
        let mut count = |piece: &[u8]| {
            read += piece.len();
            largest = largest.max(piece.len());
            Ok(match read < wanted {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            })
        };
        let ended = store.patch(&before, &after, &mut count).unwrap();
        assert_eq!(ended.is_break(), read >= wanted);
        assert!(largest <= 64 * 1024, "{largest} bytes at once");
        read
    };
    assert!(read_upto(usize::MAX) > FILES * long.len());
    assert!(read_upto(1) <= 64 * 1024, "the first piece is enough");
}

#[test]
fn a_state_inside_the_tree_is_no_part_of_it() {
    let tree = Tree::new();
    tree.write("file", "x");
    let state = tree.path(".state");
    let audit = tree.path("audit");
    fs::create_dir_all(&audit).unwrap();
    let options = CheckpointOptions {
        exclude: vec![audit],
        ..Default::default()
    };
    let host = Arc::new(SystemHost::new());
    let store = CheckpointStore::open(&state, &tree.workspace(), options, host).unwrap();
    let mut session = store.begin_session("s").unwrap();
    let first = session.snapshot("").unwrap();
    tree.write("audit/trail", "line");
    let second = session.snapshot("").unwrap();
    assert_eq!(first.files(), 1);
    assert_eq!(first.id(), second.id());
}

#[test]
fn the_state_is_for_this_user_only() {
    let tree = Tree::new();
    tree.write("file", "x");
    tree.session().snapshot("").unwrap();
    let mode = |path: &Path| path.metadata().unwrap().mode() & 0o777;
    assert_eq!(mode(&tree.state()), 0o700);
    assert_eq!(mode(&find(&tree.state(), "stamps")), 0o600);
}

fn limited(tree: &Tree, limits: CheckpointLimits) -> Result<()> {
    let options = CheckpointOptions {
        limits,
        ..Default::default()
    };
    let mut session = tree.store_with(options).begin_session("limited").unwrap();
    session.snapshot("").map(drop)
}

#[test]
fn what_would_fill_the_disk_is_refused_with_the_way_out() {
    let tree = Tree::new();
    tree.write("small", [0; 10]);
    tree.write("large", [0; 100]);
    let cases = [
        (
            "large",
            CheckpointLimits {
                new_bytes_max: 109,
                ..Default::default()
            },
        ),
        (
            "large",
            CheckpointLimits {
                new_files_max: 1,
                ..Default::default()
            },
        ),
        // Nothing in the tree is to blame.
        (
            "RECOVER_STATE_DIR",
            CheckpointLimits {
                disk_reserve_bytes: u64::MAX / 4,
                ..Default::default()
            },
        ),
    ];
    for (word, limits) in cases {
        let error = limited(&tree, limits).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSpace);
        let text = error.to_string();
        assert!(
            text.contains(word) && text.contains("without checkpoints"),
            "{text}"
        );
    }
    let just = CheckpointLimits {
        new_bytes_max: 110,
        new_files_max: 2,
        ..Default::default()
    };
    limited(&tree, just).unwrap();
    // Nothing is new any more, so nothing is refused.
    limited(
        &tree,
        CheckpointLimits {
            new_bytes_max: 1,
            ..Default::default()
        },
    )
    .unwrap_or_else(|e| {
        // Files younger than the clock's tick are read again, and count.
        assert_eq!(e.kind(), ErrorKind::NoSpace);
    });
}

#[test]
fn without_git_the_way_out_is_named() {
    let tree = Tree::new();
    let options = CheckpointOptions {
        git_program: Some(PathBuf::from("/nonexistent/git")),
        ..Default::default()
    };
    let host = Arc::new(SystemHost::new());
    let opened = CheckpointStore::open(&tree.state(), &tree.workspace(), options, host);
    let error = opened.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::CommandNotFound);
    assert!(error.to_string().contains("install git"), "{error}");
}

#[test]
fn the_home_directory_and_what_holds_it_are_refused() {
    let tree = Tree::new();
    let root = tree.root();
    tree.mkdir("user/project");
    let cases = [
        (Path::new("/").to_owned(), root.clone()),
        (root.clone(), root.clone()),
        (root.clone(), root.join("user")),
    ];
    for (cwd, home) in cases {
        let workspace = Workspace::find(&cwd, Some(&home)).unwrap();
        assert_eq!(workspace.root(), cwd);
        assert_eq!(
            workspace.checkpointable().unwrap_err().kind(),
            ErrorKind::Refused
        );
        let host = Arc::new(SystemHost::new());
        let opened = CheckpointStore::open(&tree.state(), &workspace, Default::default(), host);
        assert_eq!(opened.err().unwrap().kind(), ErrorKind::Refused);
    }
    let inside = Workspace::find(&root.join("user/project"), Some(&root.join("user"))).unwrap();
    inside.checkpointable().unwrap();
}

#[test]
fn the_workspace_is_the_git_top_level_else_the_directory() {
    let tree = Tree::git();
    tree.mkdir("a/b");
    let found = Workspace::find(&tree.path("a/b"), None).unwrap();
    assert_eq!(found.root(), tree.root());
    assert_eq!(found.git_dir(), Some(&*tree.path(".git")));
    let plain = Tree::new();
    plain.mkdir("a/b");
    let found = Workspace::find(&plain.path("a/b"), None).unwrap();
    assert_eq!(found.root(), plain.path("a/b"));
    assert_eq!(found.git_dir(), None);
}

/// The first path named `name` below `dir`.
fn find(dir: &Path, name: &str) -> PathBuf {
    let mut todo = vec![dir.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name() == name {
                return entry.path();
            }
            if entry.path().is_dir() {
                todo.push(entry.path());
            }
        }
    }
    panic!("no {name} in {}", dir.display());
}

#[test]
fn names_that_look_like_gits_or_ours_are_the_users() {
    let tree = Tree::git();
    let names = [
        ".GIT",
        ".Git/config",
        "sub/.giT/HEAD",
        "sub/.GIT\u{1}/x",
        ".recover-restore-",
        ".recover-restore-0123456789ab.tmp",
        "sub/.recover-restore-notes/file",
    ];
    names.iter().for_each(|name| tree.write(name, "1"));
    let image = tree.image();
    let store = tree.store();
    let mut session = store.begin_session("s").unwrap();
    let good = session.snapshot("").unwrap();
    let held: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(good.files(), held.len());
    names.iter().for_each(|name| tree.write(name, "2"));
    tree.write("new/.GIT/HEAD", "2");
    let bad = session.snapshot("").unwrap();
    let loaded = store.load(&good.id()).unwrap();
    assert!(store.changes(&good, &loaded).is_empty());
    assert!(session.restore(&loaded, Some(&bad)).unwrap().is_exact());
    assert_eq!(tree.image(), image);
}
