//! What is guarded: protected paths however they are spelt, also while the command is run again.

use super::{Machine, read, write};
use crate::harness::Run;

/// Runs a fix of `file` in `dir`, and says whether that was let.
fn fix_in(machine: &Machine, dir: &str, flags: &[&str], file: &str) -> (bool, Run) {
    let fix = format!("echo changed > {file}");
    let check = format!("grep -q changed {file}");
    let args = [
        &["run", "--max-attempts", "1"],
        flags,
        &["--fix", &fix, "--", "sh", "-c", &check],
    ];
    let mut command = machine.command(&args.concat());
    command.current_dir(machine.work().join(dir));
    let run = machine.run(&mut command);
    let is_let = run.code == 0;
    assert_eq!(is_let, !run.stderr.contains("is protected"), "{run:?}");
    (is_let, run)
}

#[test]
fn globs_are_meant_from_where_they_are_typed_and_any_spelling_means_the_same() {
    let machine = Machine::new();
    write(&machine, "sub/tests/a", "1\n");
    write(&machine, "tests/a", "1\n");
    write(&machine, ".git/HEAD", "ref: refs/heads/main\n");
    std::os::unix::fs::symlink("sub", machine.work().join("link")).expect("make a link");
    let whole = machine.work().join("sub/tests/**").display().to_string();
    for (glob, is_let) in [
        ("tests/**", false),
        ("../tests/**", true),
        ("./tests/a", false),
        ("tests", false),
        ("*/a", false),
        (&whole, false),
        ("../link/tests/**", false),
        ("../sub/tests/*", false),
    ] {
        let (found, run) = fix_in(&machine, "sub", &["--protect", glob], "tests/a");
        assert_eq!(found, is_let, "{glob}: {run:?}");
        write(&machine, "sub/tests/a", "1\n");
    }
}

#[test]
fn a_link_a_dot_and_a_name_with_the_signs_of_a_glob_mean_what_is_there() {
    let machine = Machine::new();
    write(&machine, ".git/HEAD", "ref: refs/heads/main\n");
    std::os::unix::fs::symlink("tests", machine.work().join("tl")).expect("make a link");
    for (dir, glob, file) in [
        ("", "tl", "tests/a"),
        ("", "tl/", "tests/a"),
        ("", ".", "tests/a"),
        ("tests", "./", "a"),
        ("tests", "..", "../other"),
        ("", "te sts[1]", "'te sts[1]'/a"),
        ("", "./te sts[1]", "'te sts[1]'/a"),
    ] {
        write(&machine, "tests/a", "1\n");
        write(&machine, "other", "1\n");
        write(&machine, "te sts[1]/a", "1\n");
        let (is_let, run) = fix_in(&machine, dir, &["--protect", glob], file);
        assert!(!is_let, "{glob}: {run:?}");
        assert!(!run.stderr.contains("matches nothing"), "{glob}: {run:?}");
    }
    let (is_let, run) = fix_in(&machine, "tests", &["--protect", "."], "../other");
    assert!(is_let, "only what is below: {run:?}");
}

#[test]
fn globs_of_a_file_are_meant_from_that_file() {
    let machine = Machine::new();
    write(&machine, ".git/HEAD", "ref: refs/heads/main\n");
    write(&machine, "sub/tests/a", "1\n");
    write(&machine, "recover.toml", "protect = [\"sub/tests/**\"]\n");
    let (is_let, run) = fix_in(&machine, "sub", &[], "tests/a");
    assert!(!is_let, "{run:?}");
    write(&machine, "recover.toml", "protect = [\"tests/**\"]\n");
    let (is_let, run) = fix_in(&machine, "sub", &[], "tests/a");
    assert!(is_let, "{run:?}");
}

#[test]
fn a_glob_that_protects_nothing_is_warned_of_with_one_that_would() {
    let machine = Machine::new();
    write(&machine, ".git/HEAD", "ref: refs/heads/main\n");
    write(&machine, "sub/tests/a", "1\n");
    for (dir, glob, hint) in [
        ("", "tests/**", Some("`**/tests/**` would")),
        ("sub", "sub/tests/**", Some("/project/sub/tests/**` would")),
        ("", "Sub/**", Some("`sub/**` would")),
        ("sub", "TESTS/A", Some("`tests/a` would")),
        ("", "nothing/like/it", None),
        ("", "sub/tests/**", None),
    ] {
        let (_, run) = fix_in(&machine, dir, &["--protect", glob], "new");
        let warned = run.stderr.contains("matches nothing in this tree");
        assert_eq!(
            warned,
            hint.is_some() || glob.contains("nothing"),
            "{glob}: {run:?}"
        );
        assert!(
            run.stderr.contains(hint.unwrap_or_default()),
            "{glob}: {run:?}"
        );
        std::fs::remove_file(machine.work().join(dir).join("new")).expect("remove it again");
    }
    // A command that passes is not told: nothing was looked at.
    let run = machine.recover(&["run", "--protect", "nothing/like/it", "--", "true"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
}

#[test]
fn the_configuration_and_the_scripts_that_mend_are_protected_by_themselves() {
    let machine = Machine::new();
    write(&machine, "recover.toml", "");
    machine.write("project/fix.sh", "echo changed > $1\n");
    for (start, file) in [
        ("sh", "recover.toml"),
        ("sh", "fix.sh"),
        ("env A=b sh", "fix.sh"),
        ("timeout 5 sh", "fix.sh"),
        ("set --", "recover.toml"),
    ] {
        let fix = match start {
            "set --" => format!("set -- {file}; . ./fix.sh"),
            start => format!("{start} ./fix.sh {file}"),
        };
        let check = format!("grep -q ^changed {file}");
        let args = [
            "run",
            "--max-attempts",
            "1",
            "--fix",
            &fix,
            "--",
            "sh",
            "-c",
            &check,
        ];
        let run = machine.recover(&args);
        assert_eq!(run.code, 1, "{file}: {run:?}");
        assert!(
            run.stderr.contains(&format!("{file} is protected")),
            "{run:?}"
        );
    }
    assert_eq!(read(&machine, "fix.sh"), "echo changed > $1\n");
    // Nor can a fix write a configuration where there was none.
    std::fs::remove_file(machine.work().join("recover.toml")).expect("remove it");
    let args = [
        "run",
        "--max-attempts",
        "1",
        "--fix",
        "touch recover.toml",
        "--",
        "test",
        "-e",
    ];
    let run = machine.recover(&[&args[..], &["recover.toml"]].concat());
    assert!(run.stderr.contains("recover.toml is protected"), "{run:?}");
}

#[test]
fn what_the_verification_changes_is_checked_and_told() {
    let machine = Machine::new();
    write(&machine, "snapshot", "1\n");
    // The test updates its own snapshot once the fix is there.
    let check = "test -e fixed && echo 2 > snapshot && touch report";
    let args = [
        "run",
        "--session",
        "s",
        "--max-attempts",
        "1",
        "--fix",
        "touch fixed",
    ];
    let command = ["--", "sh", "-c", check];
    let run = machine.recover(&[&args[..], &["--protect", "snapshot"], &command].concat());
    assert_eq!(run.code, 1, "{run:?}");
    let verdict = "snapshot is protected, and changed during the verification";
    assert!(run.stderr.contains(verdict), "{run:?}");
    assert_eq!(read(&machine, "snapshot"), "1\n");
    assert!(!machine.work().join("fixed").exists());
    let run = machine.recover(&[&args[..], &command].concat());
    assert_eq!(run.code, 0, "{run:?}");
    let told = "changed during the verification: report, snapshot";
    assert!(run.stderr.contains(told), "{run:?}");
    let shown = machine.recover(&["show", "s"]);
    for part in ["# changed during the verification:", "+2", "fixed"] {
        assert!(shown.stdout.contains(part), "{part}: {}", shown.stdout);
    }
    let journal =
        std::fs::read_to_string(machine.state().join("journal.jsonl")).expect("a journal");
    let field = "\"verification_modified\":[\"report\",\"snapshot\"]";
    assert!(journal.contains(field), "{journal}");
    // A restore takes it back too: it is what the session did.
    assert_eq!(machine.recover(&["restore", "s"]).code, 0);
    assert_eq!(read(&machine, "snapshot"), "1\n");
    assert!(!machine.work().join("report").exists());
}
