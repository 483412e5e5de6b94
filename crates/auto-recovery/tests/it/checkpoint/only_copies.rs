//! What is the only copy of something is never removed, whatever name a fix gave it: it gets its
//! name back, or is left and named.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use auto_recovery::checkpoint::{
    AskedBy, Checkpoint, CheckpointLimits, CheckpointOptions, CheckpointSession, CheckpointStore,
    RestoreReport, Unfinished, UnfinishedRun, UnfinishedState, Wanted, preview, put_back,
};
use auto_recovery::host::{Host, SystemHost, Wait};

use crate::checkpoint::tree::{Image, Tree, image};

/// A project whose ignored files are the only ones of their kind.
fn project() -> Tree {
    let tree = Tree::git();
    tree.write(".gitignore", "local.cfg\n.env\nnode_modules\n/data/\n");
    tree.write("a", "covered");
    tree.write("local.cfg", "ONLY");
    tree.write(".env", "PASSWORD=1");
    tree.write("node_modules/m/index.js", "module");
    tree.write("data/x/table", "rows");
    tree
}

/// All of the tree, also git's.
fn whole(tree: &Tree) -> Image {
    image(&tree.root())
}

fn rename(tree: &Tree, from: &str, to: &str) {
    fs::rename(tree.path(from), tree.path(to)).unwrap();
}

fn undo(session: &mut CheckpointSession, good: &Checkpoint) -> RestoreReport {
    let bad = session.snapshot("after").unwrap();
    session.undo(good, Some(&bad), None).unwrap()
}

/// Renames, in order, after which everything gets its name back.
const RENAMES: [&[(&str, &str)]; 7] = [
    &[(".git", "dotgit")],
    &[("local.cfg", "l.bak"), (".env", "env.old")],
    &[("node_modules", "nm")],
    &[("data", "data2")],
    &[("data/x/table", "t")],
    &[("local.cfg", "a")],
    &[(".git", "g1"), ("g1", "g2")],
];

#[test]
fn what_was_renamed_gets_its_name_back() {
    for renames in RENAMES {
        let tree = project();
        let before = whole(&tree);
        let mut session = tree.session();
        let good = session.snapshot("").unwrap();
        for (from, to) in renames {
            rename(&tree, from, to);
        }
        tree.write("junk", "junk");
        undo(&mut session, &good);
        assert_eq!(whole(&tree), before, "{renames:?}");
    }
}

#[test]
fn a_later_process_gives_names_back_too() {
    for renames in RENAMES {
        let tree = project();
        let before = whole(&tree);
        let mut session = tree.session();
        let good = session.snapshot("").unwrap();
        for (from, to) in renames {
            rename(&tree, from, to);
        }
        tree.write("junk", "junk");
        let bad = session.snapshot("after").unwrap();
        let run = UnfinishedRun {
            session_id: "session_test".to_owned(),
            since_ns: good.seen_ns(),
            before: good.id(),
            ..Default::default()
        };
        let mut died = Unfinished::begin(&tree.state(), &tree.workspace(), run).unwrap();
        died.note_after(&bad).unwrap();
        drop(session);
        let store = tree.store();
        let state = died.assess(&store).unwrap();
        assert!(matches!(state, UnfinishedState::Finishable(_)), "{state:?}");
        died.finish(&store, None).unwrap();
        assert_eq!(whole(&tree), before, "{renames:?}");
    }
}

#[test]
fn a_restore_of_an_older_checkpoint_removes_none_of_it() {
    let tree = project();
    let before = whole(&tree);
    let good = tree.session().snapshot("").unwrap().id();
    rename(&tree, ".git", "dotgit");
    rename(&tree, "local.cfg", "l.bak");
    rename(&tree, "node_modules", "nm");
    let store = tree.store();
    let mut session = store.begin_session("session_later").unwrap();
    let good = store.load(&good).unwrap();
    let now = session.snapshot_covering("now", &[&good]).unwrap();
    session.restore(&good, Some(&now)).unwrap();
    assert_eq!(whole(&tree), before);
}

#[test]
fn a_restore_leaves_what_is_ignored_by_now() {
    let tree = project();
    let good = tree.session().snapshot("").unwrap().id();
    tree.write("venv/bin/python", "python");
    tree.write("venv/.gitignore", "*\n");
    tree.write("logs/today", "line");
    tree.write(".gitignore", "logs/\n");
    tree.write("new", "covered, and not there then");
    let store = tree.store();
    let wanted = Wanted::Tree(store.load(&good).unwrap());
    let planned = preview(&store, &wanted).unwrap();
    let changes: Vec<_> = planned.changes.iter().map(|one| &*one.path).collect();
    assert_eq!(changes, [".gitignore", "new"], "{planned:?}");
    let by = AskedBy::Person { died: None };
    let put = put_back(&tree.state(), &store, &wanted, by).unwrap();
    assert_eq!(put.restored, [".gitignore", "new"], "{put:?}");
    assert_eq!(tree.read("venv/bin/python"), b"python");
    assert_eq!(tree.read("logs/today"), b"line");
    assert!(!tree.exists("new"));
    let left: Vec<_> = put.not_covered.iter().map(|one| &*one.display).collect();
    assert_eq!(left, ["logs", "venv/.gitignore", "venv/bin"], "{put:?}");
}

#[test]
fn what_was_written_after_its_renaming_is_still_it() {
    let tree = project();
    let mut session = tree.session();
    let good = session.snapshot("").unwrap();
    rename(&tree, "local.cfg", "l.bak");
    File::open(tree.path("l.bak"))
        .unwrap()
        .set_modified(SystemTime::UNIX_EPOCH)
        .unwrap();
    rename(&tree, ".env", "env.old");
    let mut options = OpenOptions::new();
    let mut file = options.append(true).open(tree.path("env.old")).unwrap();
    file.write_all(b"\nMORE=1").unwrap();
    let report = undo(&mut session, &good);
    assert_eq!(tree.read("local.cfg"), b"ONLY");
    assert_eq!(tree.read(".env"), b"PASSWORD=1\nMORE=1");
    assert!(!tree.exists("l.bak") && !tree.exists("env.old"));
    let refused: Vec<_> = report.refused.iter().map(|one| &*one.display).collect();
    assert_eq!(refused, [".env", "local.cfg"], "{report:?}");
}

#[test]
fn a_name_that_changed_with_two_steps_is_given_back_through_both() {
    let tree = project();
    let before = whole(&tree);
    let mut session = tree.session();
    let first = session.snapshot("").unwrap();
    rename(&tree, "local.cfg", "l.bak");
    let second = session.snapshot("a ground").unwrap();
    rename(&tree, "l.bak", "l3");
    undo(&mut session, &second);
    assert_eq!(tree.read("l.bak"), b"ONLY");
    session.undo(&first, Some(&second), None).unwrap();
    assert_eq!(whole(&tree), before);
}

#[test]
fn what_came_from_outside_is_left_and_named() {
    let tree = project();
    let of_outside = tree.outside().join("precious");
    fs::create_dir(&of_outside).unwrap();
    fs::write(of_outside.join("deed"), "the only one").unwrap();
    let mut session = tree.session();
    let good = session.snapshot("").unwrap();
    fs::rename(&of_outside, tree.path("loot")).unwrap();
    tree.write("loot/new", "made by the fix");
    let report = undo(&mut session, &good);
    assert_eq!(tree.read("loot/deed"), b"the only one");
    assert!(!tree.exists("loot/new"));
    let refused: Vec<_> = report.refused.iter().map(|one| &*one.display).collect();
    assert_eq!(refused, ["loot"], "{report:?}");
    assert!(report.refused[0].reason.contains("older"), "{report:?}");
}

#[test]
fn what_a_link_leads_to_outside_is_named_when_it_changes() {
    let tree = project();
    let outside = tree.outside().join("shared.py");
    fs::write(&outside, "x  = 1").unwrap();
    tree.link("l.py", &outside);
    tree.link("inside", "a");
    let store = tree.store();
    let mut session = store.begin_session("session_test").unwrap();
    let good = session.snapshot("").unwrap();
    fs::write(&outside, "x = 1").unwrap();
    let bad = session.snapshot("").unwrap();
    let changes = store.not_covered_changes(&good, &bad);
    let [changed] = &*changes else {
        panic!("{changes:?}");
    };
    assert_eq!(
        (&*changed.display, changed.reason),
        ("l.py", "a link that leads out of the tree")
    );
}

#[test]
fn where_the_watch_ends_early_nothing_of_it_is_removed() {
    let tree = project();
    for number in 0..40 {
        tree.write(format!("data/{number:02}"), format!("row {number}"));
    }
    let before = whole(&tree);
    let options = CheckpointOptions {
        limits: CheckpointLimits {
            watched_max: 10,
            ..CheckpointLimits::default()
        },
        ..CheckpointOptions::default()
    };
    let store = tree.store_with(options);
    let mut session = store.begin_session("session_test").unwrap();
    let good = session.snapshot("").unwrap();
    rename(&tree, "data", "data2");
    undo(&mut session, &good);
    assert_eq!(whole(&tree), before);
    // One that is not watched, and has another name, stays with that.
    let good = session.snapshot("").unwrap();
    rename(&tree, "data/39", "39");
    undo(&mut session, &good);
    assert!(tree.exists("39") || tree.exists("data/39"));
}

#[test]
fn what_an_attempt_made_is_removed_as_ever() {
    let tree = project();
    let before = whole(&tree);
    let mut session = tree.session();
    let good = session.snapshot("").unwrap();
    // A covered file under another name, changed; a copy; a link to an ignored file; a cache.
    rename(&tree, "a", "b");
    tree.write("b", "changed");
    fs::copy(tree.path("local.cfg"), tree.path("copy")).unwrap();
    fs::hard_link(tree.path(".env"), tree.path("second-name")).unwrap();
    tree.write("cache/deep/er/file", "made");
    let report = undo(&mut session, &good);
    assert!(report.is_exact(), "{report:?}");
    assert_eq!(whole(&tree), before);
}

#[test]
fn a_git_directory_of_any_name_is_never_written() {
    let tree = Tree::new();
    tree.write("a", "covered");
    tree.run_git(&["init", "--quiet", "--separate-git-dir=repo.d", "."]);
    tree.run_git(&["init", "--quiet", "--bare", "deploy"]);
    tree.run_git(&["add", "a"]);
    tree.run_git(&["commit", "--quiet", "-m", "one"]);
    let mut session = tree.session();
    let good = session.snapshot("").unwrap();
    tree.write("a", "by the user");
    tree.run_git(&["commit", "--quiet", "-a", "-m", "two"]);
    let commit = tree.run_git(&["rev-parse", "HEAD"]);
    tree.run_git(&["push", "--quiet", "deploy", "HEAD:refs/heads/main"]);
    tree.write("junk", "junk");
    undo(&mut session, &good);
    assert!(!tree.exists("junk"));
    assert_eq!(tree.read("a"), b"covered");
    assert_eq!(tree.run_git(&["rev-parse", "HEAD"]), commit);
    let deployed = tree.run_git_in(&tree.path("deploy"), &["rev-parse", "main"]);
    assert_eq!(deployed, commit);
}

#[test]
fn a_file_that_somebody_has_open_for_writing_is_left_to_them() {
    let tree = project();
    tree.write("server.log", "begin\n");
    let mut session = tree.session();
    let good = session.snapshot("").unwrap();
    let mut server = crate::checkpoint::child::writer_of(&tree.path("server.log"));
    tree.write("a", "changed");
    server.write("while it went on\n");
    let report = undo(&mut session, &good);
    server.write("and after\n");
    server.end();
    assert_eq!(tree.read("a"), b"covered");
    assert_eq!(report.foreign, ["server.log"], "{report:?}");
    assert_eq!(
        tree.read("server.log"),
        b"begin\nwhile it went on\nand after\n"
    );
}

/// A host on which an editor saves a file while something is waited for.
struct Editor {
    inner: SystemHost,
    saves: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Host for Editor {
    fn now(&self) -> SystemTime {
        self.inner.now()
    }

    fn monotonic(&self) -> Duration {
        self.inner.monotonic()
    }

    fn sleep(&self, _: Duration) -> Wait {
        if let Some(save) = self.saves.lock().unwrap().take() {
            save();
        }
        Wait::Elapsed
    }

    fn is_interrupted(&self) -> bool {
        false
    }

    fn random(&self) -> u64 {
        self.inner.random()
    }
}

#[test]
fn what_an_editor_saves_while_a_file_is_put_back_stays() {
    for in_place in [false, true] {
        let tree = Tree::new();
        tree.write("a", "aaaa");
        let path = tree.path("a");
        let save = move || match in_place {
            true => fs::write(&path, "THE USER'S").unwrap(),
            false => {
                let temp = path.with_extension("swp");
                fs::write(&temp, "THE USER'S").unwrap();
                fs::rename(temp, path).unwrap();
            }
        };
        let host = Arc::new(Editor {
            inner: SystemHost::new(),
            saves: Mutex::default(),
        });
        let (state, workspace) = (tree.state(), tree.workspace());
        let shared: Arc<dyn Host> = Arc::<Editor>::clone(&host);
        let store = CheckpointStore::open(&state, &workspace, CheckpointOptions::default(), shared);
        let mut session = store.unwrap().begin_session("session_test").unwrap();
        let good = session.snapshot("").unwrap();
        tree.write("a", "bbbb");
        // Of the same second as what is put back, so that it is waited for.
        let now = SystemHost::new().now();
        File::options()
            .write(true)
            .open(tree.path("a"))
            .unwrap()
            .set_modified(now)
            .unwrap();
        *host.saves.lock().unwrap() = Some(Box::new(save));
        let report = undo(&mut session, &good);
        let is_saved = host.saves.lock().unwrap().is_none();
        match is_saved {
            true => {
                assert_eq!(tree.read("a"), b"THE USER'S", "{in_place}");
                assert_eq!(report.foreign, ["a"], "{report:?}");
            }
            // The second was over, and nothing was waited for.
            false => assert_eq!(tree.read("a"), b"aaaa"),
        }
        let names: Vec<_> = fs::read_dir(tree.root()).unwrap().collect();
        assert_eq!(names.len(), 1, "{names:?}");
    }
}

/// An access control list as the system keeps it: version 2, then tag, permissions and id of each
/// entry.
fn access_list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        list.extend(tag.to_le_bytes());
        list.extend(permissions.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    list
}

#[test]
fn an_access_control_list_stays_and_lets_in_nobody_else() {
    const ATTRIBUTE: &str = "system.posix_acl_access";
    const NOBODY: u32 = u32::MAX;
    let tree = Tree::new();
    tree.write("f", "secret");
    let list = access_list(&[
        (0x01, 6, NOBODY),
        (0x02, 6, 2),
        (0x04, 0, NOBODY),
        (0x10, 6, NOBODY),
        (0x20, 0, NOBODY),
    ]);
    let flags = rustix::fs::XattrFlags::empty();
    if rustix::fs::setxattr(tree.path("f"), ATTRIBUTE, &list, flags).is_err() {
        // Not every file system has them.
        return;
    }
    assert_eq!(tree.path("f").metadata().unwrap().mode() & 0o777, 0o660);
    let mut session = tree.session();
    let good = session.snapshot("").unwrap();
    tree.write("f", "secret, changed");
    tree.write("g", "new");
    fs::set_permissions(tree.path("g"), fs::Permissions::from_mode(0o644)).unwrap();
    let report = undo(&mut session, &good);
    assert!(report.is_exact(), "{report:?}");
    assert_eq!(tree.read("f"), b"secret");
    let mut kept = vec![0; 256];
    let len = rustix::fs::getxattr(tree.path("f"), ATTRIBUTE, &mut kept[..]).unwrap();
    assert_eq!(&kept[..len], list);
}

/// Until what is done next has a later time.
fn wait_a_little() {
    SystemHost::new().sleep(Duration::from_millis(50));
}

#[test]
fn a_file_whose_every_name_would_go_is_an_only_copy() {
    let outside = tempfile::tempdir().unwrap();
    let out = |name: &str| outside.path().join(name);
    let tree = project();
    fs::create_dir(out("d")).unwrap();
    fs::write(out("d/1"), "ONLY").unwrap();
    fs::hard_link(out("d/1"), out("d/2")).unwrap();
    fs::write(out("kept"), "elsewhere").unwrap();
    tree.write("node_modules/m/two", "two names");
    fs::hard_link(
        tree.path("node_modules/m/two"),
        tree.path("node_modules/m/names"),
    )
    .unwrap();
    wait_a_little();
    let mut session = tree.session();
    let good = session.snapshot("before").unwrap();
    wait_a_little();
    // A directory with all names, a link to what stays where it is, and names one by one.
    fs::rename(out("d"), tree.path("here")).unwrap();
    fs::hard_link(out("kept"), tree.path("linked")).unwrap();
    tree.write("vendor/x", "new");
    rename(&tree, "node_modules/m/two", "vendor/two");
    rename(&tree, "node_modules/m/names", "vendor/names");
    undo(&mut session, &good);
    assert_eq!(tree.read("here/1"), b"ONLY");
    assert_eq!(tree.read("here/2"), b"ONLY");
    assert!(!tree.path("linked").exists(), "another name of it stays");
    assert!(out("kept").exists() && !tree.path("vendor/x").exists());
    let names = [
        "node_modules/m/two",
        "node_modules/m/names",
        "vendor/two",
        "vendor/names",
    ];
    let kept = names.iter().filter(|name| tree.path(name).exists());
    assert!(kept.count() >= 2, "neither name is lost");
}

#[test]
fn names_that_were_there_before_stay_though_others_have_the_same_files() {
    let outside = tempfile::tempdir().unwrap();
    let tree = project();
    tree.write("fixtures.git/HEAD", "ref: refs/heads/main\n");
    tree.write("fixtures.git/config", "[core]\n\tbare = true\n");
    fs::create_dir_all(tree.path("fixtures.git/refs")).unwrap();
    tree.write("fixtures.git/objects/ab/cd", "object");
    let object = tree.path("fixtures.git/objects/ab/cd");
    fs::hard_link(&object, outside.path().join("same")).unwrap();
    wait_a_little();
    let mut session = tree.session();
    let good = session.snapshot("before").unwrap();
    fs::remove_file(tree.path("fixtures.git/HEAD")).unwrap();
    undo(&mut session, &good);
    assert_eq!(tree.read("fixtures.git/objects/ab/cd"), b"object");
}
