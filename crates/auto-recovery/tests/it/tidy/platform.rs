//! What is Linux's own stands in one room, so that a port to another system is that room.

use super::rust;
use super::tree::{File, Tree};

/// The room.
const ROOM: &str = "auto-recovery/src/platform/";

/// Names that other Unix systems lack, or some of them.
const NAMES: [&str; 32] = [
    "O_PATH",
    "O_TMPFILE",
    "close_range",
    "copy_file_range",
    "dup3",
    "epoll",
    "eventfd",
    "fallocate",
    "fcntl_setpipe_size",
    "inotify",
    "memfd_create",
    "openat2",
    "pidfd_getfd",
    "pidfd_open",
    "pidfd_send_signal",
    "pipe_with",
    "prctl",
    "prlimit",
    "renameat_with",
    "sendfile",
    "set_child_subreaper",
    "child_subreaper",
    "set_dumpable_behavior",
    "set_parent_process_death_signal",
    "signalfd",
    "SpliceFlags",
    "statx",
    "sync_file_range",
    "target_os",
    "tee",
    "timerfd",
    "unshare",
];

/// How paths begin that other systems lack, as they are written in code.
const PLACES: [&str; 2] = ["\"/proc", "\"/sys/fs/"];

/// Files outside of the room that have some of it still. This table may only shrink.
const OUTSIDE: &[(&str, &str)] = &[(
    "auto-recovery-cli/src/commands/run/result_file.rs",
    "tells a name of its own streams: to be asked of the library",
)];

pub(super) fn outside_the_room(tree: &Tree) -> Vec<String> {
    check(tree, OUTSIDE)
}

fn check(tree: &Tree, outside: &[(&str, &str)]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut used = Vec::new();
    for file in tree.rust().filter(|file| !file.is_test()) {
        let Some(place) = file.path.strip_prefix("crates/") else {
            continue;
        };
        if !place.contains("/src/") || place.contains("/src/testing") || place.starts_with(ROOM) {
            continue;
        }
        let Some(found) = first(file) else {
            continue;
        };
        match outside.iter().find(|(path, _)| *path == place) {
            Some((path, _)) => used.push(*path),
            None => findings.push(format!(
                "{}: `{found}` is Linux's own: ask `crate::platform` for what it gives",
                file.path
            )),
        }
    }
    let unused = outside.iter().filter(|(path, _)| !used.contains(path));
    findings.extend(unused.map(|(path, _)| {
        format!(
            "the tidy table lets crates/{path} name what is Linux's own, and it does not: strike it"
        )
    }));
    findings
}

/// The first name or place of Linux's own that the shipped code of `file` has.
fn first(file: &File) -> Option<&'static str> {
    let code = file.shipped_code();
    let named = |name: &&&str| rust::words(&code, name).next().is_some();
    let named = NAMES.iter().find(named);
    let text = file.text.split("#[cfg(test)]").next().unwrap_or_default();
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let has = |place: &&&str| {
        text.lines()
            .filter(is_code)
            .any(|line| line.contains(**place))
    };
    named.or_else(|| PLACES.iter().find(has)).copied()
}

#[test]
fn linux_outside_of_its_room_is_found_and_so_is_a_row_that_nobody_needs() {
    let of = |text: &str| Tree::of(&[("crates/a/src/b.rs", text)]);
    let row: &[(&str, &str)] = &[("a/src/b.rs", "")];
    for text in [
        "use rustix::process::pidfd_open;",
        "#[cfg(target_os = \"linux\")] fn f() {}",
        "fn f() { list(\"/proc/self/fd\"); }",
    ] {
        assert_eq!(check(&of(text), &[]).len(), 1, "{text}");
        assert!(check(&of(text), row).is_empty(), "{text}");
        let in_test = format!("#[cfg(test)]\nmod tests {{ {text} }}");
        assert!(check(&of(&in_test), &[]).is_empty(), "{text}");
    }
    let words = "// \"/proc\" and pidfd_open\nfn f() { my_statx(\"unshare\"); }";
    assert_eq!(check(&of(words), row).len(), 1);
    let inside = [("crates/auto-recovery/src/platform/a.rs", "use statx;")];
    assert!(check(&Tree::of(&inside), &[]).is_empty());
}
