//! Files whose names say that they are secret: watched, never stored, and never lost.

use std::os::unix::fs::MetadataExt as _;

use auto_recovery::checkpoint::{
    AskedBy, Change, Checkpoint, CheckpointOptions, CheckpointSession, RestoreReport, Unfinished,
    UnfinishedRun, UnfinishedState, Wanted, put_back,
};

use crate::checkpoint::tree::Tree;

const WHY: &str = "its name says that it is secret";

/// A content that no object may hold.
const SECRET: &str = "KEY=hunter2hunter2\n";

/// A tree before and after an attempt, and the session that saw both.
struct Attempt {
    session: CheckpointSession,
    before: Checkpoint,
    after: Checkpoint,
}

impl Attempt {
    fn of(tree: &Tree, act: impl FnOnce(&Tree)) -> Self {
        Self::with(tree, CheckpointOptions::default(), act)
    }

    fn with(tree: &Tree, options: CheckpointOptions, act: impl FnOnce(&Tree)) -> Self {
        let mut session = tree.store_with(options).begin_session("s").unwrap();
        let before = session.snapshot("").unwrap();
        act(tree);
        let after = session.snapshot("").unwrap();
        Self {
            session,
            before,
            after,
        }
    }

    fn changes(&self, tree: &Tree) -> Vec<Change> {
        tree.store().changes(&self.before, &self.after)
    }

    fn undo(&mut self) -> RestoreReport {
        let Self {
            session,
            before,
            after,
        } = self;
        session.undo(before, Some(after), None).unwrap()
    }

    fn restore(&mut self) -> RestoreReport {
        let Self {
            session,
            before,
            after,
        } = self;
        session.restore(before, Some(after)).unwrap()
    }
}

fn named(report: &RestoreReport) -> Vec<(&str, &str)> {
    let left = report.not_covered.iter();
    left.map(|one| (&*one.display, one.reason)).collect()
}

/// Makes sure that no object of the private repository holds `text`.
#[track_caller]
fn assert_not_kept(tree: &Tree, text: &str) {
    assert!(!tree.is_kept(text), "{text:?} is kept");
}

#[test]
fn a_new_one_goes_with_the_undo_of_the_attempt_that_made_it() {
    let tree = Tree::new();
    tree.write("a", "1");
    let mut attempt = Attempt::of(&tree, |tree| {
        tree.write("a", "2");
        tree.write(".env", SECRET);
        tree.write("deep/er/server.key", SECRET);
        tree.chmod("deep/er/server.key", 0o000);
    });
    assert!(
        attempt
            .changes(&tree)
            .iter()
            .any(|one| one.display == ".env")
    );
    let report = attempt.undo();
    assert!(report.is_exact(), "{report:?}");
    assert_eq!(report.removed, [".env", "deep/er/server.key"]);
    assert_eq!(tree.read("a"), b"1");
    assert!(!tree.exists(".env") && !tree.exists("deep"));
    assert_not_kept(&tree, SECRET);
}

#[test]
fn whatever_is_no_undo_leaves_a_new_one_and_names_it() {
    let tree = Tree::new();
    tree.write("a", "1");
    let mut attempt = Attempt::of(&tree, |tree| {
        tree.write("a", "2");
        tree.write(".env", SECRET);
    });
    let report = attempt.restore();
    assert_eq!(named(&report), [(".env", WHY)]);
    assert_eq!(tree.read(".env"), SECRET.as_bytes());
    assert_eq!(tree.read("a"), b"1");
    // Without a look at what the attempt left, neither does an undo.
    let report = attempt.session.undo(&attempt.before, None, None).unwrap();
    assert_eq!(named(&report), [(".env", WHY)]);
    assert!(tree.exists(".env"));
}

#[test]
fn one_that_somebody_changed_since_stays() {
    let tree = Tree::new();
    let mut attempt = Attempt::of(&tree, |tree| tree.write(".env", SECRET));
    tree.write(".env", "KEY=mine\n");
    let report = attempt.undo();
    assert_eq!(report.foreign, [".env"]);
    assert_eq!(tree.read(".env"), b"KEY=mine\n");
}

#[test]
fn one_that_was_changed_replaced_or_deleted_is_named_and_left() {
    let tree = Tree::new();
    for name in ["changed.pem", "replaced.pem", "deleted.pem", "same.pem"] {
        tree.write(name, SECRET);
    }
    tree.write("a", "1");
    let mut attempt = Attempt::of(&tree, |tree| {
        tree.write("changed.pem", "by the attempt");
        tree.write("new", "replaces it");
        std::fs::rename(tree.path("new"), tree.path("replaced.pem")).unwrap();
        tree.remove("deleted.pem");
        tree.write("a", "2");
    });
    let report = attempt.undo();
    let left = ["changed.pem", "deleted.pem", "replaced.pem"].map(|path| (path, WHY));
    assert_eq!(named(&report), left);
    assert_eq!(tree.read("changed.pem"), b"by the attempt");
    assert_eq!(tree.read("replaced.pem"), b"replaces it");
    assert_eq!(tree.read("a"), b"1");
    assert_not_kept(&tree, SECRET);
    assert_not_kept(&tree, "by the attempt");
}

#[test]
fn its_bits_are_put_back() {
    let tree = Tree::new();
    tree.write(".env", SECRET);
    tree.chmod(".env", 0o600);
    let mut attempt = Attempt::of(&tree, |tree| tree.chmod(".env", 0o644));
    let report = attempt.undo();
    assert!(report.is_exact(), "{report:?}");
    assert_eq!(report.bits_back, [".env"]);
    assert_eq!(tree.path(".env").metadata().unwrap().mode() & 0o777, 0o600);
}

/// The undo of `act` puts every file back under its name, and keeps no secret.
#[track_caller]
fn check_renamed_back(act: impl FnOnce(&Tree)) -> RestoreReport {
    let tree = Tree::new();
    tree.write(".env", SECRET);
    tree.write("conf/app.key", SECRET);
    tree.write("covered", "covered\n");
    let image = tree.image();
    let mut attempt = Attempt::of(&tree, act);
    let report = attempt.undo();
    assert_eq!(tree.image(), image, "{report:?}");
    assert!(report.is_exact(), "{report:?}");
    report
}

#[test]
fn one_that_got_another_name_gets_its_own_back() {
    let rename = |tree: &Tree, from: &str, to: &str| {
        std::fs::rename(tree.path(from), tree.path(to)).unwrap();
    };
    let names = |pairs: &[(&str, &str)]| {
        let names = pairs.iter();
        names
            .map(|(now, was)| ((*now).to_owned(), (*was).to_owned()))
            .collect::<Vec<_>>()
    };
    let report = check_renamed_back(|tree| rename(tree, ".env", "prod.key"));
    assert_eq!(report.renamed_back, names(&[("prod.key", ".env")]));
    assert_eq!(report.removed, [""; 0]);
    // Also one whose new name says nothing.
    let report = check_renamed_back(|tree| {
        rename(tree, ".env", "config.txt");
        assert_not_kept(tree, SECRET);
    });
    assert_eq!(report.renamed_back, names(&[("config.txt", ".env")]));
    // Also where the attempt put another in its place.
    for in_its_place in ["file", "link"] {
        let report = check_renamed_back(|tree| {
            rename(tree, ".env", ".env.bak");
            match in_its_place {
                "file" => tree.write(".env", "KEY=new\n"),
                _ => tree.link(".env", ".env.bak"),
            }
        });
        assert_eq!(report.renamed_back, names(&[(".env.bak", ".env")]));
    }
    // Also with its directory, and over a covered file.
    check_renamed_back(|tree| rename(tree, "conf", "conf.old"));
    check_renamed_back(|tree| rename(tree, ".env", "covered"));
    // And a second name for it goes.
    check_renamed_back(|tree| std::fs::hard_link(tree.path(".env"), tree.path("copy")).unwrap());
    check_renamed_back(|tree| {
        tree.remove("covered");
        std::fs::hard_link(tree.path(".env"), tree.path("covered")).unwrap();
    });
}

#[test]
fn the_only_copy_of_one_is_never_removed() {
    let tree = Tree::new();
    tree.write(".env", SECRET);
    let mut attempt = Attempt::of(&tree, |tree| {
        std::fs::rename(tree.path(".env"), tree.path("prod.key")).unwrap();
        tree.write("prod.key", "KEY=hunter2hunter2 and more\n");
    });
    let report = attempt.undo();
    // Nothing else has what is in it now, or was.
    let refused: Vec<_> = report.refused.iter().map(|one| &*one.display).collect();
    assert_eq!(refused, [".env"], "{report:?}");
    assert_eq!(tree.read(".env"), b"KEY=hunter2hunter2 and more\n");
    assert!(!tree.exists("prod.key"));
    // The same over another one that was watched.
    let tree = Tree::new();
    tree.write(".env", SECRET);
    tree.write("prod.key", "other\n");
    let mut attempt = Attempt::of(&tree, |tree| {
        std::fs::rename(tree.path(".env"), tree.path("prod.key")).unwrap();
    });
    let report = attempt.undo();
    assert_eq!(named(&report), [(".env", WHY), ("prod.key", WHY)]);
    assert_eq!(tree.read("prod.key"), SECRET.as_bytes());
}

#[test]
fn a_new_one_stays_where_it_may_hold_what_another_held() {
    // The copy of one that was changed or deleted; also where the other is ignored.
    for ignored in ["", ".env\n"] {
        for change in ["change", "delete"] {
            let tree = Tree::new();
            tree.write(".gitignore", ignored);
            tree.write(".env", SECRET);
            let mut attempt = Attempt::of(&tree, |tree| {
                std::fs::copy(tree.path(".env"), tree.path(".env.bak")).unwrap();
                match change {
                    "change" => tree.write(".env", "2"),
                    _ => tree.remove(".env"),
                }
            });
            let report = attempt.undo();
            assert_eq!(named(&report).last(), Some(&(".env.bak", WHY)));
            assert_eq!(
                tree.read(".env.bak"),
                SECRET.as_bytes(),
                "{ignored} {change}"
            );
            assert_not_kept(&tree, SECRET);
        }
    }
}

#[test]
fn one_that_came_from_elsewhere_is_no_new_one() {
    let tree = Tree::new();
    tree.write(".gitignore", "dist/\n.env\n");
    tree.write(".env", SECRET);
    tree.write("dist/app.key", SECRET);
    let outside = tree.outside().join("id_rsa");
    std::fs::write(&outside, SECRET).unwrap();
    let mut attempt = Attempt::of(&tree, |tree| {
        std::fs::rename(&outside, tree.path("id_rsa")).unwrap();
        std::fs::rename(tree.path("dist/app.key"), tree.path("app.key")).unwrap();
        std::fs::rename(tree.path(".env"), tree.path(".env.old")).unwrap();
        tree.write("made.key", SECRET);
    });
    let report = attempt.undo();
    assert_eq!(named(&report), [("app.key", WHY), ("id_rsa", WHY)]);
    assert_eq!(report.removed, ["made.key"]);
    // What was ignored and watched has its name back.
    assert!(tree.exists(".env") && !tree.exists(".env.old"));
    assert_not_kept(&tree, SECRET);
}

/// What another process finds of a run that died after its attempt did `act`, and does of it.
fn finished(tree: &Tree, act: impl FnOnce(&Tree)) -> (UnfinishedState, RestoreReport) {
    let attempt = Attempt::of(tree, act);
    let run = UnfinishedRun {
        session_id: "s".to_owned(),
        ..UnfinishedRun::default()
    };
    let mut died = Unfinished::begin(&tree.state(), &tree.workspace(), run).unwrap();
    died.note_before(&attempt.before, &[]).unwrap();
    died.note_after(&attempt.after).unwrap();
    drop((died, attempt));
    let found = Unfinished::find(&tree.state(), &tree.workspace());
    let found = found.unwrap().unwrap();
    let store = tree.store();
    let state = found.assess(&store).unwrap();
    (state, found.finish(&store, None).unwrap())
}

#[test]
fn the_undo_of_a_run_that_died_treats_them_alike() {
    let tree = Tree::new();
    tree.write(".gitignore", "dist/\n");
    tree.write("dist/app.key", SECRET);
    tree.write(".env", SECRET);
    let (state, report) = finished(&tree, |tree| {
        tree.write("new.key", SECRET);
        std::fs::rename(tree.path(".env"), tree.path("config.txt")).unwrap();
        std::fs::rename(tree.path("dist/app.key"), tree.path("app.key")).unwrap();
    });
    let paths = ["config.txt", "new.key"].map(str::to_owned).to_vec();
    assert_eq!(state, UnfinishedState::Finishable(paths));
    assert_eq!(named(&report), [("app.key", WHY)]);
    assert!(tree.exists(".env") && tree.exists("app.key") && !tree.exists("new.key"));
    assert_not_kept(&tree, SECRET);
}

#[test]
fn a_run_that_died_and_changed_one_says_so() {
    let tree = Tree::new();
    tree.write(".env", SECRET);
    let (state, report) = finished(&tree, |tree| tree.write(".env", "2"));
    assert_eq!(state, UnfinishedState::Clean);
    assert_eq!(named(&report), [(".env", WHY)]);
    let died = Unfinished::find(&tree.state(), &tree.workspace());
    let left = died.unwrap().unwrap().not_covered(&tree.store()).unwrap();
    assert_eq!((&*left[0].display, left.len()), (".env", 1));
}

#[test]
fn one_that_git_tracks_or_that_is_protected_is_covered_byte_for_byte() {
    let tree = Tree::git();
    tree.write(".env", "tracked\n");
    tree.write("conf/server.key", "protected\n");
    tree.write("nested/.env", "tracked by another\n");
    tree.run_git(&["add", ".env"]);
    tree.run_git_in(&tree.root().join("nested"), &["init", "--quiet"]);
    tree.run_git_in(&tree.root().join("nested"), &["add", ".env"]);
    let image = tree.image();
    let options = CheckpointOptions {
        protect: vec!["conf/**".to_owned()],
        ..CheckpointOptions::default()
    };
    let paths = [".env", "conf/server.key", "nested/.env"];
    let mut attempt = Attempt::with(&tree, options, |tree| {
        paths.iter().for_each(|path| tree.write(path, "2"));
        // What the session holds it keeps holding.
        tree.run_git(&["rm", "--quiet", "--cached", "--force", ".env"]);
    });
    let report = attempt.undo();
    assert!(report.is_exact(), "{report:?}");
    assert_eq!(report.restored, paths);
    assert_eq!(tree.image(), image);
}

#[test]
fn links_and_directories_of_such_names_are_covered() {
    let tree = Tree::new();
    tree.write("secrets.key/inside", "1");
    tree.link(".env", "elsewhere");
    tree.write(".env.example", "KEY=\n");
    tree.write("credentials.py", "1");
    let image = tree.image();
    let mut attempt = Attempt::of(&tree, |tree| {
        for path in ["secrets.key", ".env", ".env.example", "credentials.py"] {
            tree.remove(path);
        }
        tree.write(".env", SECRET);
    });
    let report = attempt.undo();
    assert!(report.is_exact(), "{report:?}");
    assert_eq!(tree.image(), image);
    assert_not_kept(&tree, SECRET);
}

#[test]
fn what_stands_where_a_tree_held_one_is_never_overwritten() {
    let tree = Tree::git();
    tree.write(".env", "held\n");
    tree.run_git(&["add", ".env"]);
    let held = tree.session().snapshot("").unwrap();
    tree.run_git(&["rm", "--quiet", "--cached", ".env"]);
    tree.write(".env", SECRET);
    let store = tree.store();
    let wanted = Wanted::Tree(store.load(&held.id()).unwrap());
    let by = AskedBy::Person { died: None };
    let put = put_back(&tree.state(), &store, &wanted, by).unwrap();
    let left: Vec<_> = put.not_covered.iter().map(|one| &*one.display).collect();
    assert_eq!(left, [".env"]);
    assert_eq!(tree.read(".env"), SECRET.as_bytes());
    assert_not_kept(&tree, SECRET);
    // Where nothing stands it is put back.
    tree.remove(".env");
    let put = put_back(&tree.state(), &store, &wanted, by).unwrap();
    assert_eq!(put.restored, [".env"]);
    assert_eq!(tree.read(".env"), b"held\n");
}
