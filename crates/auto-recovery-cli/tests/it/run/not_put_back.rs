//! Paths that the system does not let us put back: all others are, and later runs work.
//!
//! Mounts and immutable files take root; elsewhere these tests say so and end.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Machine, read, write};
use crate::harness::skipped;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs a program that may not be allowed here.
#[expect(
    clippy::disallowed_methods,
    reason = "tests mount and mark files as an administrator would"
)]
fn tries(program: &str, args: &[&str]) -> bool {
    let done = Command::new(program).args(args).output();
    done.is_ok_and(|done| done.status.success())
}

/// A mount that is gone when the test ends.
struct Mounted(PathBuf);

impl Mounted {
    fn bind(from: &Path, onto: &Path) -> Option<Self> {
        let (from, to) = (from.to_str()?, onto.to_str()?);
        let is_done = is_root() && tries("mount", &["--bind", from, to]);
        is_done.then(|| Self(onto.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let path = self.0.display().to_string();
        tries("umount", &["-l", &path]);
    }
}

const UNDO: [&str; 6] = ["run", "--session", "s", "--max-attempts", "1", "--fix"];

/// After whatever was refused: the rest is as it was, it is named once, later runs work.
fn check_the_rest(machine: &Machine, told: &str, name: &str) {
    assert_eq!(read(machine, "value"), "broken\n", "{told}");
    assert!(!machine.work().join("added").exists(), "{told}");
    assert_eq!(told.matches("could not be put back").count(), 1, "{told}");
    assert!(told.contains(name), "{told}");
    assert!(!told.contains("the tree is as it was"), "{told}");
    let next = machine.recover(&["run", "--", "true"]);
    assert_eq!((next.code, next.stderr.as_str()), (0, ""));
    let next = machine.recover(&["run", "--max-attempts", "1", "--fix", "true", "--", "false"]);
    assert_eq!(next.code, 1, "{next:?}");
}

#[test]
fn a_file_that_something_is_mounted_on_is_written_in_place() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    write(&machine, "mounted", "old\n");
    machine.write("elsewhere", "old\n");
    let (from, onto) = (
        machine.root().join("elsewhere"),
        machine.work().join("mounted"),
    );
    let Some(_mounted) = Mounted::bind(&from, &onto) else {
        skipped("nothing can be mounted here");
        return;
    };
    let fix = "echo half > mounted; echo half > value; touch added";
    let run = machine.recover(&[&UNDO[..], &[fix, "--", "false"]].concat());
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(read(&machine, "mounted"), "old\n", "{run:?}");
    assert_eq!(read(&machine, "value"), "broken\n");
    assert!(run.stderr.contains("the tree is as it was"), "{run:?}");
}

#[test]
fn what_a_fix_mounts_is_never_entered() {
    let machine = Machine::new();
    let outside = machine.root().join("outside");
    fs::create_dir(&outside).expect("make a directory outside");
    fs::write(outside.join("data"), "precious").expect("write outside");
    write(&machine, "value", "broken\n");
    write(&machine, "src/file", "old\n");
    fs::create_dir(machine.work().join("there")).expect("make a directory");
    let precious = || fs::read_to_string(outside.join("data")).ok();
    for place in ["there", "new", "new/src"] {
        let from = if place == "new/src" {
            "src"
        } else {
            "../outside"
        };
        let fix = format!("echo half > value; mkdir -p {place}; mount --bind {from} {place}");
        let run = machine.recover(&[&UNDO[..], &[&fix, "--", "false"]].concat());
        let mounted = Mounted(machine.work().join(place));
        if !is_root() || !tries("mountpoint", &[&mounted.0.display().to_string()]) {
            skipped("nothing can be mounted here");
            return;
        }
        assert_eq!(precious().as_deref(), Some("precious"), "{run:?}");
        assert_eq!(read(&machine, "src/file"), "old\n", "{run:?}");
        assert_eq!(read(&machine, "value"), "broken\n", "{run:?}");
        let named = format!("{place} (a mount point)");
        assert!(run.stderr.contains(&named), "{run:?}");
        assert!(!run.stderr.contains("the tree is as it was"), "{run:?}");
    }
    let fix = "mount --bind ../outside there; echo x > ok";
    let run = machine.recover(&[&UNDO[..], &[fix, "--", "test", "-e", "ok"]].concat());
    let _mounted = Mounted(machine.work().join("there"));
    assert_eq!(run.code, 0, "{run:?}");
    let restore = machine.recover(&["restore", "--last"]);
    assert_eq!(precious().as_deref(), Some("precious"), "{restore:?}");
    assert!(!machine.work().join("ok").exists(), "{restore:?}");
}

#[test]
fn a_file_that_may_not_be_changed_is_named() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    write(&machine, "fixed", "old\n");
    let path = machine.work().join("fixed").display().to_string();
    let fix = format!("echo half > fixed; echo half > value; touch added; chattr +i '{path}'");
    let run = machine.recover(&[&UNDO[..], &[&fix, "--", "false"]].concat());
    if !is_root() || !tries("chattr", &["-i", &path]) || read(&machine, "fixed") == "old\n" {
        skipped("nothing can be made immutable here");
        return;
    }
    assert_eq!(run.code, 1, "{run:?}");
    check_the_rest(&machine, &run.stderr, "fixed");
    // Once it may be changed, the session is taken back to the end.
    assert_eq!(machine.recover(&["restore", "s"]).code, 0);
    assert_eq!(read(&machine, "fixed"), "old\n");
}

#[test]
fn what_lies_on_a_file_system_that_became_read_only_is_named() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    write(&machine, "disk/file", "old\n");
    let disk = machine.work().join("disk");
    let Some(_mounted) = Mounted::bind(&disk, &disk) else {
        skipped("nothing can be mounted here");
        return;
    };
    let fix =
        "echo half > disk/file; echo half > value; touch added; mount -o remount,ro,bind disk";
    let run = machine.recover(&[&UNDO[..], &[fix, "--", "false"]].concat());
    assert_eq!(run.code, 1, "{run:?}");
    check_the_rest(&machine, &run.stderr, "disk/file");
    assert!(run.stderr.contains("Read-only file system"), "{run:?}");
}

/// Gives all of `machine`, with a `recover` of its own, to nobody and the group `group`, where that
/// is possible.
fn is_given_away(machine: &Machine, group: u32) -> bool {
    if !is_root() || !tries("setpriv", &["--reuid=65534", "--clear-groups", "true"]) {
        skipped("nobody else can be run as here");
        return false;
    }
    write(machine, "value", "broken\n");
    let value = machine.work().join("value");
    for path in [machine.root(), &machine.work(), &machine.home(), &value] {
        std::os::unix::fs::chown(path, Some(65534), Some(group)).expect("give it away");
    }
    let program = machine.root().join("recover");
    fs::copy(env!("CARGO_BIN_EXE_recover"), &program).expect("copy recover");
    true
}

#[test]
fn what_is_somebody_elses_in_a_directory_of_theirs_is_named() {
    let machine = Machine::new();
    if !is_given_away(&machine, 65534) {
        return;
    }
    // What a helper that runs as root leaves; here this test, told when.
    let fix = "echo half > value; touch added ../fixing; until [ -e ../go ]; do sleep 0.01; done";
    let mut command = machine.shell(&format!(
        "exec setpriv --reuid=65534 --clear-groups ../recover run --max-attempts 1 --fix '{fix}' -- false"
    ));
    let recovery = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("start recover");
    super::wait_for(&machine.root().join("fixing"));
    machine.write("project/roots/left", "by root\n");
    machine.write("go", "");
    let done = recovery.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{told}");
    assert_eq!(read(&machine, "value"), "broken\n", "{told}");
    assert!(
        told.contains("could not be put back (Permission denied"),
        "{told}"
    );
    assert!(told.contains("roots/left"), "{told}");
    let again = machine.run(
        &mut machine.shell("exec setpriv --reuid=65534 --clear-groups ../recover run -- true"),
    );
    assert_eq!(again.code, 0, "{again:?}");
}

/// A new file could not be given to that group, so the one that stands there is written.
#[test]
fn a_file_of_a_group_that_its_owner_is_not_in_keeps_it() {
    let machine = Machine::new();
    if !is_given_away(&machine, 7) {
        return;
    }
    let run = machine.run(&mut machine.shell(
        "exec setpriv --reuid=65534 --regid=65534 --clear-groups ../recover run --max-attempts 1 \
         --fix 'echo half >> value' -- false",
    ));
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(read(&machine, "value"), "broken\n", "{run:?}");
    let found = fs::metadata(machine.work().join("value")).expect("it is there");
    assert_eq!((found.uid(), found.gid()), (65534, 7), "{run:?}");
    assert!(run.stderr.contains("the tree is as it was"), "{run:?}");
}

#[test]
fn what_a_link_leads_to_outside_is_named_by_the_undo() {
    let machine = Machine::new();
    machine.write("outside", "old\n");
    std::os::unix::fs::symlink("../outside", machine.work().join("link")).expect("a link");
    let fix = "echo new > link; touch ok";
    let run = machine.recover(&["run", "--fix", fix, "--", "test", "-e", "ok"]);
    assert_eq!(run.code, 0, "{run:?}");
    let undone = machine.recover(&["undo"]);
    assert_eq!(undone.code, 1, "{undone:?}");
    let told = "link was left by attempt 1 and stays: a link that leads out of the tree";
    assert!(undone.stderr.contains(told), "{undone:?}");
    assert!(!machine.work().join("ok").exists(), "{undone:?}");
}

#[test]
fn of_many_paths_that_stay_some_are_named_and_the_rest_are_counted() {
    let machine = Machine::new();
    write(&machine, ".gitignore", "*.tmp\n");
    let fix = "for n in 1 2 3 4 5 6 7 8; do touch $n.tmp; done; touch ok";
    let run = machine.recover(&["run", "--fix", fix, "--", "test", "-e", "ok"]);
    assert_eq!(run.code, 0, "{run:?}");
    let undone = machine.recover(&["undo"]);
    assert_eq!(undone.code, 1, "{undone:?}");
    let named = undone.stderr.matches("and no checkpoint holds it").count();
    assert_eq!(named, 5, "{undone:?}");
    let rest = "attempt 1 left 3 paths more: ignored · --json names each";
    assert!(undone.stderr.contains(rest), "{undone:?}");
}

#[test]
fn a_fix_that_changes_more_than_a_checkpoint_holds_fails_alone() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    // 100,001 new files; a checkpoint stores 100,000.
    let many = "head -c 11000000 /dev/zero > dump; mkdir many; cd many; seq 1 100001 | xargs touch";
    let args = [
        "run",
        "--max-attempts",
        "1",
        "--fix",
        many,
        "--fix",
        "echo mended > value",
        "--",
    ];
    let run = machine.recover(&[&args[..], &["grep", "-q", "mended", "value"]].concat());
    assert_eq!(run.code, 0, "{run:?}");
    let line = run.stderr.lines().find(|line| line.contains("no cure"));
    let line = line.expect("the first attempt is told");
    assert!(
        line.contains("changed more than a checkpoint holds"),
        "{line}"
    );
    assert!(line.contains("undone"), "{line}");
    let told = "changed and not covered by undo: dump (larger than the limit)";
    assert!(run.stderr.contains(told), "{run:?}");
    assert!(!machine.work().join("many").exists());
    assert_eq!(read(&machine, "value"), "mended\n");
}

#[test]
fn what_a_failed_fix_left_running_writes_nothing_that_stays() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let server = "while :; do date >> server.log; sleep 0.005; done";
    let fix = format!("echo half > value; ({server}) & sleep 0.1");
    let run = machine.recover(&[&UNDO[..], &[&fix, "--", "false"]].concat());
    assert_eq!(run.code, 1, "{run:?}");
    assert!(!machine.work().join("server.log").exists(), "{run:?}");
    assert!(run.stderr.contains("the tree is as it was"), "{run:?}");
}

#[test]
fn what_holds_ignored_files_is_not_called_somebody_elses() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    write(&machine, ".gitignore", "__pycache__/\n");
    let fix = "mkdir -p pkg/__pycache__; touch pkg/a.py pkg/__pycache__/a.pyc; echo half > value";
    let run = machine.recover(&[&UNDO[..], &[fix, "--", "false"]].concat());
    assert_eq!(run.code, 1, "{run:?}");
    let told = "left what holds what is not covered: pkg";
    assert!(run.stderr.contains(told), "{run:?}");
    assert!(!run.stderr.contains("somebody else"), "{run:?}");
    assert!(!run.stderr.contains("the tree is as it was"), "{run:?}");
    assert!(!machine.work().join("pkg/a.py").exists());
    let shown = machine.recover(&["show", "s", "--json"]);
    assert!(shown.stdout.contains("\"holding_uncovered\""), "{shown:?}");
    // Nor is it by the next attempt.
    let fix = "mkdir -p new/__pycache__; touch new/$RECOVER_ATTEMPT.py new/__pycache__/a.pyc";
    let args = ["run", "--max-attempts", "2", "--base-delay", "1ms", "--fix"];
    let run = machine.recover(&[&args[..], &[fix, "--", "false"]].concat());
    assert!(run.stderr.contains("changed new/2.py"), "{run:?}");
    assert!(!run.stderr.contains("somebody else"), "{run:?}");
}

#[test]
fn what_is_not_covered_gets_its_name_back() {
    let machine = Machine::new();
    let git = |command: &str| {
        let done = machine.run(&mut machine.shell(command));
        assert_eq!(done.code, 0, "{done:?}");
    };
    write(&machine, ".gitignore", ".env\n*.log\nnode_modules\nwt\n");
    write(&machine, "sub/file", "tracked\n");
    git("git init -q && git add . && git -c user.name=n -c user.email=e commit -qm first");
    git("git worktree add -q wt -b other");
    let uncovered = [".env", "sub/x.log", "node_modules/a/b", "wt/untracked"];
    for path in uncovered {
        write(&machine, path, "the only copy\n");
    }
    let moves = [
        "mv .env .env.bak",
        "mv sub sub2",
        "mv node_modules nm",
        "mv wt wt-old",
        "mv .git .git.bak",
        "mkdir new; mv .env node_modules new",
    ];
    for fix in moves {
        let run = machine.recover(&[&UNDO[..], &[fix, "--", "false"]].concat());
        assert_eq!(run.code, 1, "{run:?}");
        for path in uncovered {
            assert_eq!(read(&machine, path), "the only copy\n", "{fix}: {run:?}");
        }
        assert!(run.stderr.contains("renamed back: "), "{fix}: {run:?}");
        // Without the repository nobody could see what it watches.
        let is_whole = fix.contains(".git") || run.stderr.contains("the tree is as it was");
        assert!(is_whole, "{fix}: {run:?}");
    }
    git("test -z \"$(git status --porcelain)\"");
    // Where something else has the name by now, the only copy keeps the new one, and is named.
    let fix = "mv .env .env.bak; echo other > .env";
    let run = machine.recover(&[&UNDO[..], &[fix, "--", "false"]].concat());
    assert_eq!(read(&machine, ".env.bak"), "the only copy\n", "{run:?}");
    assert!(run.stderr.contains("not covered: .env.bak"), "{run:?}");
    assert!(!run.stderr.contains("the tree is as it was"), "{run:?}");
}

#[test]
fn a_new_file_over_the_limit_is_named_wherever_a_failed_attempt_is_told() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let fix = "echo half > value; head -c 11000000 /dev/zero > core; mkdir out; cp core out/dump";
    let args = ["--result-file", "../result.json", "--", "false"];
    let run = machine.recover(&[&UNDO[..], &[fix], &args].concat());
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(read(&machine, "value"), "broken\n");
    let shown = machine.recover(&["show", "s"]);
    let json = machine.recover(&["show", "s", "--json"]);
    for told in [&run.stderr, &shown.stdout, &json.stdout] {
        assert!(told.contains("core (larger than the limit)"), "{told}");
        assert!(told.contains("out/dump (larger than the limit)"), "{told}");
    }
    assert!(!run.stderr.contains("the tree is as it was"), "{run:?}");
    assert!(!run.stderr.contains("somebody else"), "{run:?}");
    // The next attempt does not take it for its own, and is not told of it as somebody else's.
    let next = machine.recover(&["run", "--max-attempts", "1", "--fix", "true", "--", "false"]);
    assert!(!next.stderr.contains("core"), "{next:?}");
}

#[test]
fn permission_bits_of_what_is_not_covered_are_put_back() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    write(&machine, ".gitignore", "*.key\n");
    write(&machine, "private.key", "secret\n");
    write(&machine, "large", &"x".repeat(11_000_000));
    let mode = |name: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        let path = machine.work().join(name);
        fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
            & 0o777
    };
    let before = ["private.key", "large"].map(mode);
    let fix = "chmod 777 private.key large; echo half > value";
    let run = machine.recover(&[&UNDO[..], &[fix, "--", "false"]].concat());
    assert_eq!(["private.key", "large"].map(mode), before, "{run:?}");
    assert!(run.stderr.contains("the tree is as it was"), "{run:?}");
    assert!(!run.stderr.contains("not covered"), "{run:?}");
}

#[test]
fn a_new_directory_is_not_taken_for_an_ignored_one_that_is_gone() {
    let machine = Machine::new();
    write(&machine, ".gitignore", "node_modules/\n");
    fs::create_dir_all(machine.work().join("node_modules/p")).expect("make a directory");
    // Most file systems give the new one the inode of the one that went.
    let fix = "rm -rf node_modules; mkdir -p made/in; echo x > made/in/f";
    let run = machine.recover(&[&UNDO[..], &[fix, "--", "false"]].concat());
    assert_eq!(run.code, 1, "{run:?}");
    assert!(!machine.work().join("made").exists(), "{run:?}");
    assert!(!machine.work().join("node_modules").exists(), "{run:?}");
    assert!(run.stderr.contains("node_modules"), "{run:?}");
    assert!(!run.stderr.contains("the tree is as it was"), "{run:?}");
}

#[test]
fn what_a_fix_mounts_over_a_mount_or_unmounts_is_left_alone() {
    let machine = Machine::new();
    for (dir, text) in [("first", "mounted"), ("second", "precious")] {
        machine.write(&format!("{dir}/f"), text);
    }
    write(&machine, "there/f", "under");
    let (first, there) = (machine.root().join("first"), machine.work().join("there"));
    for fix in ["mount --bind ../second there", "umount there"] {
        let Some(_mounted) = Mounted::bind(&first, &there) else {
            skipped("nothing can be mounted here");
            return;
        };
        let fix = format!("echo x > new; {fix}");
        let run = machine.recover(&[&UNDO[..], &[&fix, "--", "false"]].concat());
        let _second = Mounted(there.clone());
        let text = |dir: &Path| fs::read_to_string(dir.join("f")).expect("it is there");
        let second = machine.root().join("second");
        assert_eq!(
            (&*text(&first), &*text(&second)),
            ("mounted", "precious"),
            "{run:?}"
        );
        let now = text(&there);
        assert!(now == "precious" || now == "under", "{now}: {run:?}");
        let why = match fix.ends_with("umount there") {
            true => "there (nothing is mounted there any more)",
            false => "there (a mount point)",
        };
        assert!(run.stderr.contains(why), "{run:?}");
        assert!(!run.stderr.contains("the tree is as it was"), "{run:?}");
        assert!(!machine.work().join("new").exists(), "{run:?}");
    }
}

#[test]
fn what_an_attempt_left_is_told_as_its_own_by_all_later_ones_and_by_restore() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    // 100,001 new files; a checkpoint stores 100,000.
    let many = "head -c 11000000 /dev/zero > dump; mkdir many; cd many; seq 1 100001 | xargs touch";
    let args = [
        "run",
        "--session",
        "s",
        "--max-attempts",
        "1",
        "--fix",
        many,
        "--fix",
        "echo a > value",
        "--fix",
        "echo b > value",
        "--",
        "false",
    ];
    let run = machine.recover(&args);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(!run.stderr.contains("somebody else"), "{run:?}");
    let told = "dump (left by attempt 1: larger than the limit)";
    let lines = run.stderr.lines().filter(|line| line.contains(told));
    assert_eq!(lines.count(), 2, "{run:?}");
    let shown = machine.recover(&["show", "s"]);
    // In the message and in the particulars of both later attempts.
    assert_eq!(shown.stdout.matches(told).count(), 4, "{shown:?}");
    let left = |json: &str| {
        let dense: String = json.split_whitespace().collect();
        let left =
            r#""left_behind":[{"path":"dump","attempt_number":1,"reason":"largerthanthelimit"}]"#;
        dense.matches(left).count()
    };
    for attempt in ["2", "3"] {
        let json = machine.recover(&["show", "s", attempt, "--json"]);
        assert_eq!(left(&json.stdout), 1, "{json:?}");
    }
    for more in [&["--preview"][..], &[], &["--whole-tree"], &[]] {
        let restore = machine.recover(&[&["restore", "s"], more].concat());
        assert_eq!(restore.code, 1, "{more:?}: {restore:?}");
        let told = "dump was left by attempt 1 and stays: larger than the limit";
        assert_eq!(
            restore.stderr.matches(told).count(),
            1,
            "{more:?}: {restore:?}"
        );
        let json = machine.recover(&[&["restore", "s", "--json"], more].concat());
        assert_eq!(left(&json.stdout), 1, "{more:?}: {json:?}");
        assert_eq!(json.code, 1, "{more:?}: {json:?}");
    }
    fs::remove_file(machine.work().join("dump")).expect("remove what was left");
    let restore = machine.recover(&["restore", "s"]);
    assert_eq!(restore.code, 0, "{restore:?}");
    assert!(!restore.stderr.contains("dump"), "{restore:?}");
}

#[test]
fn what_a_fix_made_and_mounted_on_is_named_while_mounted_and_removed_after() {
    for verification in ["false", "test -e ok"] {
        let machine = Machine::new();
        write(&machine, "value", "broken\n");
        machine.write("outside/data", "precious");
        let place = machine.work().join("new");
        let fix = "echo half > value; touch ok; mkdir new; mount --bind ../outside new";
        let command = ["--", "sh", "-c", verification];
        let run = machine.recover(&[&UNDO[..], &[fix], &command].concat());
        let mounted = Mounted(place.clone());
        if !is_root() || !tries("mountpoint", &[&place.display().to_string()]) {
            skipped("nothing can be mounted here");
            return;
        }
        // What goes on in what is mounted there says nothing of the place.
        machine.write("outside/more", "precious");
        let named = "new (a mount point)";
        assert!(run.stderr.contains(named), "{run:?}");
        for more in [&["--preview"][..], &[], &["--whole-tree"], &[]] {
            let restore = machine.recover(&[&["restore", "s"], more].concat());
            assert_eq!(restore.code, 1, "{more:?}: {restore:?}");
            let told = "new was left by attempt 1 and stays: a mount point";
            assert!(restore.stderr.contains(told), "{more:?}: {restore:?}");
            assert!(
                !restore.stderr.contains("by the session alone"),
                "{restore:?}"
            );
        }
        assert_eq!(read(&machine, "value"), "broken\n");
        assert_eq!(read(&machine, "new/data"), "precious");
        drop(mounted);
        assert!(place.is_dir());
        let preview = machine.recover(&["restore", "s", "--preview"]);
        assert_eq!(preview.code, 0, "{preview:?}");
        assert!(preview.stdout.contains("new"), "{preview:?}");
        let restore = machine.recover(&["restore", "s"]);
        assert_eq!(
            (restore.code, &*restore.stdout),
            (0, "new\n"),
            "{restore:?}"
        );
        assert!(!place.exists(), "{restore:?}");
        // Another of that name that holds something is somebody's.
        write(&machine, "new/mine", "kept\n");
        let restore = machine.recover(&["restore", "s"]);
        assert_eq!(restore.code, 1, "{restore:?}");
        assert!(
            restore
                .stderr
                .contains("new was not changed by the session alone"),
            "{restore:?}"
        );
        assert_eq!(read(&machine, "new/mine"), "kept\n");
    }
}

#[test]
fn checkpoints_that_a_fixer_removed_are_told_and_nothing_is_promised() {
    let machine = Machine::new();
    write(&machine, "value", "broken\n");
    let state = machine.state();
    let fix = format!(
        "rm -rf '{}/checkpoints'; echo worse > value",
        state.display()
    );
    let args = [
        &UNDO[..],
        &[fix.as_str(), "--", "grep", "-q", "good", "value"],
    ]
    .concat();
    let run = machine.recover(&args);
    assert_eq!(run.code, 125, "{run:?}");
    assert!(
        run.stderr
            .contains("something that ran removed its checkpoints"),
        "{run:?}"
    );
    assert!(!run.stderr.contains("puts it back"), "{run:?}");
}
