//! Completions and manual pages come from the same source as the help.

use std::fs;

use crate::harness::{Machine, skipped};

#[test]
fn every_shell_has_completions_of_every_command() {
    let machine = Machine::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run = machine.recover(&["completions", shell]);
        for word in ["history", "export", "fail-on-flaky", "attempt-timeout"] {
            assert!(run.quiet().contains(word), "{shell} lacks {word}");
        }
    }
}

#[test]
fn the_completions_are_ones_that_the_shell_accepts() {
    let machine = Machine::new();
    let script = machine.write(
        "recover.bash",
        machine.recover(&["completions", "bash"]).quiet(),
    );
    let run = machine.run(machine.shell("bash -n \"$0\"").arg(script));
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let machine = Machine::new();
    let page = machine.recover(&["completions", "man"]);
    assert!(page.quiet().contains(".TH recover 1"), "{page:?}");
    let run = machine.recover(&["completions", "man", ".", "--quiet"]);
    run.quiet();
    let mut names: Vec<_> = fs::read_dir(machine.work())
        .expect("the directory")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    names.sort();
    assert_eq!(names.len(), 26, "{names:?}");
    assert_eq!(names[0], "recover-checkpoint.1");
    let run_page = fs::read_to_string(machine.work().join("recover-run.1")).expect("the page");
    assert!(run_page.contains("fail\\-on\\-flaky") || run_page.contains("fail-on-flaky"));
    assert!(
        run_page.contains("recover run [OPTIONS] [CMD]..."),
        "{run_page:.400}"
    );
    let sections = [
        "SYNOPSIS",
        "EXIT STATUS",
        "ENVIRONMENT",
        "FILES",
        "SEE ALSO",
    ];
    for section in sections {
        for page in [&run_page, &page.stdout] {
            assert!(page.contains(&format!(".SH {section}\n")), "{section}");
        }
    }
    assert!(page.stdout.contains(".BR recover\\-run (1)"), "{page:?}");
    let script = "command -v man > /dev/null || exit 3; MANWIDTH=80 man -l ./recover-run.1 | cat";
    let shown = machine.run(&mut machine.shell(script));
    match shown.code {
        3 => skipped("there is no man here"),
        _ => {
            let text = shown.quiet();
            assert!(text.contains("EXIT STATUS"), "{text}");
            assert!(text.contains("recover run [OPTIONS] [CMD]..."), "{text}");
        }
    }
}

#[test]
fn they_need_no_valid_configuration() {
    let machine = Machine::new();
    machine.write("project/recover.toml", "nonsense");
    machine.recover(&["completions", "fish"]).quiet();
}

#[test]
fn a_directory_gets_the_name_that_the_shell_looks_for() {
    let machine = Machine::new();
    let run = machine.recover(&["completions", "zsh", "."]);
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (0, "recover: wrote ./_recover\n")
    );
    machine
        .recover(&["completions", "man", "not/there/yet", "-q"])
        .quiet();
    assert!(machine.work().join("not/there/yet/recover.1").exists());
    machine.write("project/file", "");
    let run = machine.recover(&["completions", "zsh", "file"]);
    assert_eq!(run.code, 125);
    assert!(run.stderr.contains("create directory file"), "{run:?}");
}
