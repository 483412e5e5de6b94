//! Random trees, random changes, exact ways back.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use crate::checkpoint::tree::{Tree, bytes};

/// Names that tests of paths trip over, few enough for collisions to be frequent.
const NAMES: [&[u8]; 8] = [
    b"a", b"a-b", b"b", b"-x", b"n\nl", b"\xff", b"c.tmp", b"d e",
];

/// What may be done to a path.
#[derive(Clone, Debug)]
enum Act {
    Write(Vec<u8>),
    Link(Vec<u8>),
    Dir,
    Remove,
    Mode(u32),
    Rename(Vec<usize>),
}

/// One act on one path (names by index, outermost first).
type Step = (Vec<usize>, Act);

fn path() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..NAMES.len(), 1..4)
}

fn step() -> impl Strategy<Value = Step> {
    let content = prop::collection::vec(prop::sample::select(&b"ab\r\n\0"[..]), 0..6);
    let target = prop::sample::select(vec![b"a".to_vec(), b"../..".to_vec(), b"/".to_vec()]);
    let mode = prop::sample::select(vec![0o644, 0o600, 0o755, 0o777, 0o2755, 0o1700]);
    let act = prop_oneof![
        6 => content.prop_map(Act::Write),
        2 => target.prop_map(Act::Link),
        2 => Just(Act::Dir),
        3 => Just(Act::Remove),
        2 => mode.prop_map(Act::Mode),
        1 => path().prop_map(Act::Rename),
    ];
    (path(), act)
}

fn steps(count: usize) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 0..count)
}

fn resolve(tree: &Tree, names: &[usize]) -> PathBuf {
    names
        .iter()
        .fold(tree.root(), |path, name| path.join(bytes(NAMES[*name])))
}

/// Removes whatever stands at `path`.
fn clear(path: &Path) {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

/// Makes the directories above `path`, in place of whatever else stands there.
fn make_parents(tree: &Tree, names: &[usize]) {
    for end in 1..names.len() {
        let dir = resolve(tree, &names[..end]);
        if !dir
            .symlink_metadata()
            .is_ok_and(|metadata| metadata.is_dir())
        {
            clear(&dir);
            fs::create_dir(&dir).unwrap();
        }
    }
}

fn act(tree: &Tree, (names, act): &Step) {
    let path = resolve(tree, names);
    let exists = path.symlink_metadata().is_ok();
    match act {
        Act::Remove => clear(&path),
        Act::Mode(mode) => {
            if let Ok(metadata) = path.symlink_metadata()
                && !metadata.is_symlink()
            {
                // The test itself must get into every directory, whoever runs it.
                let own = if metadata.is_dir() { 0o700 } else { 0 };
                fs::set_permissions(&path, fs::Permissions::from_mode(mode | own)).unwrap();
            }
        }
        Act::Rename(to) => {
            if exists && !to.starts_with(names) && !names.starts_with(to) {
                make_parents(tree, to);
                let to = resolve(tree, to);
                clear(&to);
                // The way there may have led over the path itself, or, by a link, into it.
                let parent = to.parent().and_then(|parent| parent.canonicalize().ok());
                let is_inside = parent.zip(path.canonicalize().ok());
                let is_inside = is_inside.is_some_and(|(parent, path)| parent.starts_with(path));
                if path.symlink_metadata().is_ok() && !is_inside {
                    fs::rename(&path, to).unwrap();
                }
            }
        }
        Act::Write(content) => {
            make_parents(tree, names);
            if path
                .symlink_metadata()
                .is_ok_and(|metadata| !metadata.is_file())
            {
                clear(&path);
            }
            fs::write(&path, content).unwrap();
        }
        Act::Link(target) => {
            make_parents(tree, names);
            clear(&path);
            symlink(bytes(target), &path).unwrap();
        }
        Act::Dir => {
            make_parents(tree, names);
            if !path
                .symlink_metadata()
                .is_ok_and(|metadata| metadata.is_dir())
            {
                clear(&path);
                fs::create_dir(&path).unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_change_of_any_tree_goes_back_exactly(
        first in steps(30),
        second in steps(20),
        third in steps(10),
    ) {
        let tree = Tree::new();
        first.iter().for_each(|step| act(&tree, step));
        let one = tree.image();
        let store = tree.store();
        let mut session = store.begin_session("s").unwrap();
        let good = session.snapshot("").unwrap();

        second.iter().for_each(|step| act(&tree, step));
        let two = tree.image();
        let bad = session.snapshot("").unwrap();
        prop_assert_eq!(one == two, good.is_same_tree(&bad));
        prop_assert_eq!(one == two, store.changes(&good, &bad).is_empty());

        // Undone.
        let report = session.restore(&good, Some(&bad)).unwrap();
        prop_assert!(report.is_exact(), "{:?}", report);
        prop_assert_eq!(&tree.image(), &one);
        prop_assert!(session.snapshot("").unwrap().is_same_tree(&good));

        // Redone, by another process that knows only the id.
        let mut later = store.begin_session("later").unwrap();
        let now = later.snapshot("").unwrap();
        let target = store.load(&bad.id()).unwrap();
        prop_assert!(later.restore(&target, Some(&now)).unwrap().is_exact());
        prop_assert_eq!(&tree.image(), &two);

        // Put back blindly over changes that no snapshot has seen.
        third.iter().for_each(|step| act(&tree, step));
        prop_assert!(later.restore(&good, None).unwrap().is_exact());
        prop_assert_eq!(&tree.image(), &one);
    }
}
