//! What stands at a configuration file's place and is none: named, and of no weight.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, lchown, symlink};

use crate::harness::{Machine, Run, skipped};

/// Users that are neither the one who runs the tests nor root.
const STRANGER: u32 = 54_321;
const USER: u32 = 65_534;

/// How each kind of it is made under the name `$1`, and how it is called.
const NO_FILES: [(&str, &str); 6] = [
    ("mkfifo \"$1\"", "it is a FIFO, not a regular file"),
    ("mkdir \"$1\"", "it is a directory, not a regular file"),
    (
        "ln -s /dev/zero \"$1\"",
        "it is a device, not a regular file",
    ),
    ("ln -s / \"$1\"", "it is a directory, not a regular file"),
    ("ln -s \"$1\" \"$1\"", "it is a link that goes in circles"),
    ("ln -s nowhere \"$1\"", "it is a link to nothing"),
];

fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        skipped("only root can make what is another user's");
    }
    is_root
}

fn warning(path: &str, why: &str) -> String {
    format!("recover: warning: {path} is not read and does not count: {why}\n")
}

/// What `recover config` says is not read, and why.
fn not_read(run: &Run) -> Vec<(String, String)> {
    let rows = run.json();
    let rows = rows.as_array().expect("an array").iter();
    let rows = rows.filter(|row| row["key"] == "not read");
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    rows.map(|row| (text(&row["value"]), text(&row["origin"])))
        .collect()
}

/// A command passes or fails as it would without what stands at `path`, which is named with `why`.
fn check(machine: &Machine, path: &str, why: &str) {
    let run = |args: &[&str]| machine.recover(args);
    let passed = run(&["run", "--", "true"]);
    assert_eq!((passed.code, passed.stderr), (0, warning(path, why)));
    let failed = run(&["run", "--fix", "exit 1", "--", "sh", "-c", "exit 7"]);
    assert_eq!(failed.code, 7, "{failed:?}");
    let named = failed.stderr.matches("is not read").count();
    assert_eq!(named, 1, "{failed:?}");
    let shown = run(&["config", "--json"]);
    let path = path.replace("[ROOT]", &machine.root().display().to_string());
    assert_eq!(not_read(&shown), [(path, why.to_owned())]);
}

#[test]
fn what_is_no_file_does_not_count_wherever_it_stands() {
    for (make, why) in NO_FILES {
        for path in ["project/recover.toml", "user/.config/recover/config.toml"] {
            let machine = Machine::new();
            machine.write("user/.config/recover/beside", "");
            let at = machine.root().join(path);
            let script = make.replace("$1", at.to_str().expect("UTF-8"));
            assert_eq!(machine.run(&mut machine.shell(&script)).code, 0);
            check(&machine, &format!("[ROOT]/{path}"), why);
        }
    }
}

#[test]
fn what_is_no_file_hides_no_file_further_up() {
    let machine = Machine::new();
    machine.write("project/.git/HEAD", "ref: refs/heads/main\n");
    machine.write("project/recover.toml", "max_attempts = 2\n");
    let below = machine.work().join("below");
    fs::create_dir_all(below.join("recover.toml")).expect("make");
    let shown = machine.run(machine.command(&["config", "--json"]).current_dir(&below));
    assert_eq!(not_read(&shown).len(), 1);
    let rows = shown.json();
    let mut rows = rows.as_array().expect("an array").iter();
    assert!(rows.any(|row| row["key"] == "max_attempts" && row["value"] == 2));
}

#[test]
fn what_was_named_is_refused_if_it_is_no_file() {
    let machine = Machine::new();
    let refused = machine.recover(&["--config", "/", "run", "--", "true"]);
    assert_eq!(refused.code, 125, "{refused:?}");
    fs::create_dir(machine.work().join("recover.toml")).expect("make");
    let refused = machine.recover(&["trust", "recover.toml/recover.toml"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    fs::remove_dir(machine.work().join("recover.toml")).expect("remove");
    symlink("/dev/null", machine.work().join("recover.toml")).expect("a link");
    machine.recover(&["trust", "recover.toml"]).fails(
        2,
        "configuration file [ROOT]/project/recover.toml: it is a device, not a regular file",
    );
}

#[test]
fn a_strangers_file_that_says_nothing_ends_no_run() {
    if !is_root() {
        return;
    }
    let machine = Machine::new();
    let path = machine.work().join("recover.toml");
    let by = format!("it belongs to user {STRANGER}, not to you or root");
    let file = "configuration file [ROOT]/project/recover.toml";
    for (text, why) in [
        (
            &b"fix = ["[..],
            "[ROOT]/project/recover.toml:1: not valid TOML",
        ),
        (b"store = 'jsonl:/s'", "`store` cannot be set by a project"),
        (b"\xff", &format!("{file} is not UTF-8")),
        (
            &[b'#'; 1024 * 1024 + 1],
            &format!("{file} is longer than 1 MiB"),
        ),
    ] {
        fs::write(&path, text).expect("write");
        chown(&path, Some(0), Some(0)).expect("be root's");
        assert_eq!(machine.recover(&["run", "--", "true"]).code, 125);
        chown(&path, Some(STRANGER), Some(STRANGER)).expect("be a stranger's");
        let run = machine.recover(&["run", "--", "true"]);
        assert_eq!(run.code, 0, "{run:?}");
        let lines = run.stderr.lines().count();
        assert!(run.stderr.contains(&by) && lines == 1, "{run:?}");
        assert!(run.stderr.contains(why), "{why}: {run:?}");
    }
}

#[test]
fn a_strangers_link_to_a_file_of_ones_own_is_in_doubt() {
    if !is_root() {
        return;
    }
    let machine = Machine::new();
    let own = machine.write("elsewhere.toml", "fix = 'touch fixed'\n");
    let path = machine.work().join("recover.toml");
    symlink(&own, &path).expect("a link");
    lchown(&path, Some(STRANGER), Some(STRANGER)).expect("be a stranger's");
    let run = machine.recover(&["run", "--", "false"]);
    let why = format!("because it is a link that user {STRANGER} made; not used: fix");
    assert!(run.stderr.contains(&why), "{run:?}");
    assert!(!machine.work().join("fixed").exists());
}

#[test]
fn what_a_stranger_closed_ends_no_run_of_a_users() {
    if !is_root() {
        return;
    }
    let machine = Machine::new();
    let path = machine.write("project/recover.toml", "max_attempts = 2\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("close it");
    let program = machine.root().join("recover");
    fs::copy(env!("CARGO_BIN_EXE_recover"), &program).expect("copy the program");
    let give = format!("chown -R {USER}:{USER} .. && chown {STRANGER} recover.toml");
    assert_eq!(machine.run(&mut machine.shell(&give)).code, 0);
    let script =
        format!("exec setpriv --reuid={USER} --regid={USER} --clear-groups ../recover run -- true");
    let run = machine.run(machine.shell(&script).env("HOME", machine.home()));
    let why = format!("it belongs to user {STRANGER}, and is closed to you");
    assert_eq!(
        (run.code, run.stderr),
        (0, warning("[ROOT]/project/recover.toml", &why))
    );
}
