//! A `recover.toml` that somebody else could have written: what of it is used, and who says to.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::{Machine, Run, skipped};

/// A project's file with a command, a limit, a protection and more.
const PROJECT: &str = "\
fix = \"touch fixed\"
max_attempts = 2
base_delay = \"1ms\"
retry = 9
protect = [\"tests/**\"]
checkpoint = false
fail_on_flaky = true

[recipe.mine]
tools = [\"make\"]
fix = \"touch recipe\"
";

const NOT_USED: &str = "fix, base_delay, retry, checkpoint, [recipe.mine]";

/// A user that is neither the one who runs the tests nor root.
const STRANGER: u32 = 54_321;

/// The project's file of a machine, writable by all.
fn untrusted(machine: &Machine) -> PathBuf {
    machine.write("project/.git/HEAD", "ref: refs/heads/main\n");
    let path = machine.write("project/recover.toml", PROJECT);
    set_mode(&path, 0o666);
    path
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set its mode");
}

/// The values that `recover config` has for `key`.
fn values(run: &Run, key: &str) -> Vec<Value> {
    let rows = run.json();
    let rows = rows.as_array().expect("an array");
    let of_key = rows.iter().filter(|row| row["key"] == key);
    of_key.map(|row| row["value"].clone()).collect()
}

fn said(why: &str) -> String {
    format!(
        "recover: warning: [ROOT]/project/recover.toml is used only where it makes recovery stricter, \
         because {why}; not used: {NOT_USED}; `recover trust` takes it whole\n"
    )
}

#[test]
fn a_file_that_others_can_write_only_makes_stricter_and_is_named_once() {
    let machine = Machine::new();
    untrusted(&machine);
    let says = said("others can write it (mode 0666)");
    let run = machine.recover(&["config", "--json"]);
    assert_eq!(run.stderr, says);
    for (key, expected) in [
        ("fix", json!([])),
        ("max_attempts", json!(2)),
        ("base_delay", json!("1s")),
        ("retry", Value::Null),
        ("allow", json!("safe")),
        ("protect", json!("tests/**")),
        ("checkpoint", json!(true)),
        ("fail_on_flaky", json!(true)),
    ] {
        assert_eq!(values(&run, key), [expected], "{key}");
    }
    assert_eq!(values(&run, "recipe.mine"), Vec::<Value>::new());
    let not_used: Vec<_> = NOT_USED.split(", ").collect();
    assert_eq!(values(&run, "not used"), [json!(not_used)]);

    let run = machine.recover(&["run", "--", "true"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, &*says));
    let run = machine.recover(&["--quiet", "run", "--", "false"]);
    assert_eq!(
        (run.code, run.stderr.matches("recover.toml").count()),
        (1, 1),
        "{run:?}"
    );
    assert!(!machine.work().join("fixed").exists());
    let plan = machine.recover(&["plan", "--", "false"]);
    assert!(plan.stderr.starts_with(&says), "{plan:?}");
    assert!(!plan.stdout.contains("touch"), "{plan:?}");
    // What does not ask the file says nothing of it.
    assert_eq!(machine.recover(&["sessions", "--json"]).stderr, "");
}

#[test]
fn a_file_of_which_all_is_used_is_named_as_well() {
    let machine = Machine::new();
    let path = machine.write("project/recover.toml", "retry = 0\n");
    set_mode(&path, 0o646);
    let run = machine.recover(&["run", "--", "true"]);
    assert!(
        run.stderr
            .contains("(mode 0646); all it says does that; `recover trust`"),
        "{run:?}"
    );
}

#[test]
fn what_is_wrong_in_a_file_is_wrong_whoever_wrote_it() {
    let machine = Machine::new();
    for (text, says) in [
        (
            "max_atempts = 1\n",
            "1: unknown key `max_atempts`: did you mean",
        ),
        ("fix = \"\"\n", "1: `fix`: must be a command"),
        (
            "store = \"jsonl:/x\"\n",
            "1: `store` cannot be set by a project",
        ),
        ("= 1\n", "1: not valid TOML"),
    ] {
        let path = machine.write("project/recover.toml", text);
        set_mode(&path, 0o666);
        for (args, code) in [(&["run", "--", "true"][..], 125), (&["config"], 2)] {
            let run = machine.recover(args);
            assert_eq!(run.code, code, "{run:?}");
            let told = [run.stdout.as_str(), &run.stderr].concat();
            assert!(told.contains(&format!("recover.toml:{says}")), "{run:?}");
        }
    }
}

#[test]
fn the_group_of_its_owner_alone_may_write() {
    let passwd = fs::read_to_string("/etc/passwd").expect("the list of users");
    let users_of_0 = passwd
        .lines()
        .filter(|line| line.split(':').nth(3) == Some("0"));
    if !rustix::process::geteuid().is_root() || users_of_0.count() != 1 {
        skipped("needs root, and a group of root that nobody else is in");
        return;
    }
    let machine = Machine::new();
    let path = untrusted(&machine);
    set_mode(&path, 0o664);
    let run = machine.recover(&["config", "--json"]);
    assert_eq!(run.stderr, "");
    assert_eq!(values(&run, "fix"), [json!(["touch fixed"])]);
    chown(&path, None, Some(STRANGER)).expect("another group");
    let run = machine.recover(&["config", "--json"]);
    assert_eq!(
        run.stderr,
        said("others can write it (mode 0664, group 54321)")
    );
    // A list of further users hides behind the group's permissions.
    chown(&path, None, Some(0)).expect("root's group");
    let list = b"\x02\0\0\0\x01\0\x06\0\xff\xff\xff\xff\x02\0\x06\0\x31\xd4\0\0\x04\0\x04\0\xff\xff\xff\xff\x10\0\x06\0\xff\xff\xff\xff\x20\0\x04\0\xff\xff\xff\xff";
    let name = "system.posix_acl_access";
    match rustix::fs::setxattr(&path, name, list, rustix::fs::XattrFlags::empty()) {
        Ok(()) => {
            let run = machine.recover(&["config", "--json"]);
            assert_eq!(run.stderr, said("others can write it (mode 0664, group 0)"));
        }
        Err(error) => skipped(&format!("this file system has no access lists: {error}")),
    }
}

#[test]
fn a_file_of_somebody_else_gives_no_commands() {
    if !rustix::process::geteuid().is_root() {
        skipped("needs root, to give a file away");
        return;
    }
    let machine = Machine::new();
    let path = untrusted(&machine);
    set_mode(&path, 0o644);
    chown(&path, Some(STRANGER), None).expect("another owner");
    let says = said("it belongs to user 54321, not to you or root");
    let run = machine.recover(&["run", "--", "true"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, &*says));
    // Mode 0600 of somebody else is read by root, and no more trusted.
    set_mode(&path, 0o600);
    assert_eq!(machine.recover(&["config", "--json"]).stderr, says);
}

#[test]
fn a_workspace_is_trusted_until_that_is_taken_back() {
    let machine = Machine::new();
    untrusted(&machine);
    machine.write("project/below/file", "");
    let trust = |args: &[&str], says: &str| {
        let run = machine.run(
            machine
                .command(args)
                .current_dir(machine.work().join("below")),
        );
        let says = format!("recover: [ROOT]/project {says}\n");
        assert_eq!((run.code, run.stderr.as_str()), (0, &*says), "{args:?}");
    };
    let is_trusted = || machine.recover(&["run", "--", "true"]).stderr.is_empty();
    let list = machine.state().join("trusted");
    trust(&["trust", "--revoke"], "was not trusted");
    assert!(!list.exists() && !is_trusted());
    let takes_back = "is trusted: its recover.toml is used whole · `recover trust --revoke` takes it \
                      back";
    trust(&["trust"], takes_back);
    trust(&["trust"], "was trusted already");
    assert!(is_trusted());
    let root = fs::canonicalize(machine.work()).expect("the workspace");
    let line = format!("{}\n", root.display());
    assert_eq!(fs::read_to_string(&list).expect("the list"), line);
    let mode = |path: &Path| fs::metadata(path).expect("it").permissions().mode() & 0o777;
    assert_eq!((mode(&list), mode(&machine.state())), (0o600, 0o700));
    assert_eq!(machine.recover(&["trust", "--list"]).quiet(), line);
    assert_eq!(
        machine.recover(&["trust", "--list", "--json"]).json(),
        json!([root])
    );
    let run = machine.recover(&["run", "--", "test", "-e", "fixed"]);
    assert_eq!(run.code, 0, "{run:?}");

    // Of another path, nothing was said; nor in another's list.
    let elsewhere = machine.write("elsewhere/recover.toml", PROJECT);
    set_mode(&elsewhere, 0o666);
    let mut run = machine.command(&["run", "--", "true"]);
    let run = machine.run(run.current_dir(machine.root().join("elsewhere")));
    assert!(run.stderr.contains("not used"), "{run:?}");
    set_mode(&list, 0o666);
    assert!(!is_trusted(), "a list that others can write says nothing");
    let run = machine.recover(&["trust", "--list"]);
    assert_eq!(run.code, 125, "{run:?}");
    set_mode(&list, 0o600);

    let run = machine.recover(&["trust", "--revoke", "--json"]);
    assert_eq!(
        run.json(),
        json!({"workspace": root, "trusted": false, "changed": true})
    );
    assert!(!is_trusted());
    assert_eq!(fs::read_to_string(&list).expect("the list"), "");
    assert_eq!(machine.recover(&["trust", "--list"]).stdout, "");
    assert_eq!(machine.recover(&["trust", "--list", "--revoke"]).code, 2);
}

#[test]
fn what_git_takes_for_safe_is_trusted() {
    let machine = Machine::new();
    untrusted(&machine);
    let root = fs::canonicalize(machine.root()).expect("the root");
    let is_trusted = |config: &str| {
        machine.write(
            "user/.gitconfig",
            &config.replace("ROOT", root.to_str().expect("UTF-8")),
        );
        machine.recover(&["run", "--", "true"]).stderr.is_empty()
    };
    for (config, expected) in [
        ("", false),
        ("[safe]\ndirectory = ROOT/project\n", true),
        ("[safe]\ndirectory = ROOT/project/\n", true),
        ("[safe]\ndirectory = ROOT/*\n", true),
        ("[safe]\ndirectory = ~/../project\n", true),
        ("[safe]\ndirectory = *\n", true),
        ("[safe]\ndirectory = *\ndirectory =\n", false),
        (
            "[safe]\ndirectory = ROOT\ndirectory = ROOT/project/sub\n",
            false,
        ),
        ("[safe\n", false),
    ] {
        assert_eq!(is_trusted(config), expected, "{config}");
    }
    // What the project says of itself does not count.
    machine.write("project/.git/config", "[safe]\n\tdirectory = *\n");
    assert!(!is_trusted(""));
    is_trusted("[safe]\ndirectory = *\n");
    let run = machine.recover(&["trust", "--revoke"]);
    assert!(run.stderr.contains("git's safe.directory names"), "{run:?}");
}

#[test]
fn a_file_that_is_not_there_is_not_trusted_whatever_will_be_in_it() {
    let machine = Machine::new();
    let run = machine.recover(&["trust"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(
        run.stderr.contains("there is no recover.toml in"),
        "{run:?}"
    );
    let list = machine.recover(&["trust", "--list"]);
    assert_eq!(list.stdout, "", "{list:?}");
}
