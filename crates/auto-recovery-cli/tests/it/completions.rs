//! Completions and manual pages come from the same source as the help.

use std::fs;
use std::path::Path;

use crate::harness::{Machine, skipped};
use crate::session::Session;

/// A machine with two sessions, a marked tree and `recover` on its PATH, if `shell` is there.
fn with_shell(shell: &str) -> Option<Machine> {
    if !Path::new("/usr/bin").join(shell).exists() && !Path::new("/bin").join(shell).exists() {
        skipped(&format!("{shell} is not installed"));
        return None;
    }
    let machine = Machine::new();
    machine.write("project/a", "");
    let script = "mkdir ../bin && ln -s \"$RECOVER\" ../bin/recover && git init -q . && \
                  for id in first-one second-one; do \
                      \"$RECOVER\" run -q --session $id --fix 'exit 3' -- sh -c 'exit 4'; \
                  done; \"$RECOVER\" checkpoint -q --label green > /dev/null && \
                  \"$RECOVER\" checkpoint -q --label 'rel$(touch RAN)' > /dev/null && \
                  \"$RECOVER\" checkpoint -q --label 'star*' > /dev/null && touch star1 && mkdir dir";
    assert_eq!(machine.run(&mut machine.shell(script)).code, 0);
    Some(machine)
}

/// What `script` of `shell`, which finds `recover` on its PATH, prints.
fn in_shell(machine: &Machine, shell: &str, script: &str) -> String {
    let mut command = machine.shell(&format!("PATH=$PWD/../bin:$PATH exec {shell} \"$SCRIPT\""));
    command.env("SCRIPT", machine.write("script", script));
    machine.run(&mut command).quiet().to_owned()
}

/// What is typed, and what the shell offers for it among other things.
const OFFERED: [(&str, &[&str]); 12] = [
    ("recover sho", &["show"]),
    ("recover show ", &["first-one", "second-one"]),
    ("recover show second-one ", &["1", "2", "3"]),
    ("recover undo ", &["first-one", "green"]),
    (
        "recover recipes cargo-lock",
        &["cargo-lock", "cargo-lock-offline"],
    ),
    ("recover stats --by ", &["category", "recipe", "hour"]),
    ("recover stats --by strategy,d", &["strategy,day"]),
    ("recover run --fi", &["--fix"]),
    ("recover run --fix ./x printen", &["printenv"]),
    ("recover run --rollback=", &["green"]),
    ("recover import sta", &["star1"]),
    ("recover import di", &["dir/"]),
];

#[test]
fn bash_offers_what_is_there() {
    let Some(machine) = with_shell("bash") else {
        return;
    };
    let script = "source <(recover completions bash)\n\
        ask() {\n\
            local line=${1//=/ = }\n\
            read -ra COMP_WORDS <<< \"$line\"\n\
            [[ $line != *' ' || $1 == *= ]] || COMP_WORDS+=('')\n\
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()\n\
            typed=${COMP_WORDS[COMP_CWORD]}\n\
            _recover recover \"${typed#=}\" ''\n\
            echo \"$1: ${COMPREPLY[*]}\"\n\
        }\n";
    for (typed, expected) in OFFERED {
        let seen = in_shell(&machine, "bash", &format!("{script}ask '{typed}'\n"));
        let seen: Vec<_> = seen.split_whitespace().collect();
        for word in expected {
            assert!(seen.contains(word), "{typed:?} lacks {word}: {seen:?}");
        }
    }
    // What the wrapped command knows itself, also where no package of bash's helps.
    let other = "mine() { COMPREPLY=($(compgen -W 'red green' -- \"$2\")); }\n\
                 complete -W 'one two' other; complete -F mine mine\n";
    for (typed, expected) in [
        ("recover run other t", "two"),
        ("recover run --retry 1 other o", "one"),
        ("recover run -- mine g", "green"),
    ] {
        let seen = in_shell(&machine, "bash", &format!("{script}{other}ask '{typed}'\n"));
        assert_eq!(seen, format!("{typed}: {expected}\n"));
    }
    // Words that the shell would run or spread are inserted as words.
    for (typed, expected) in [
        ("recover restore rel", r"rel\$\(touch\ RAN\)"),
        ("recover restore star", r"star\*"),
        ("recover run --rollback=rel", r"rel\$\(touch\ RAN\)"),
    ] {
        let seen = in_shell(&machine, "bash", &format!("{script}ask '{typed}'\n"));
        assert_eq!(seen, format!("{typed}: {expected}\n"));
    }
}

#[test]
fn fish_offers_what_is_there() {
    let Some(machine) = with_shell("fish") else {
        return;
    };
    let script = "source (recover completions fish | psub)\ncomplete --do-complete";
    for (typed, expected) in OFFERED {
        let seen = in_shell(&machine, "fish", &format!("{script} '{typed}'\n"));
        let seen: Vec<_> = seen
            .lines()
            .filter_map(|line| line.split('\t').next())
            .map(|word| word.trim_start_matches("--rollback="))
            .collect();
        for word in expected {
            assert!(seen.contains(word), "{typed:?} lacks {word}: {seen:?}");
        }
    }
}

#[test]
fn zsh_offers_what_is_there() {
    let Some(machine) = with_shell("zsh") else {
        return;
    };
    let script = "PATH=$PWD/../bin:$PATH exec zsh -f -i";
    let start = "autoload -Uz compinit; compinit -u -D; source <(recover completions zsh); \
                 PS1='ready''> '\r";
    let mut session = Session::shell(&machine, script);
    session.press(start.as_bytes());
    session.wait_for("ready> ");
    // Each is shown for the first time.
    let offered = [
        ("recover show ", "first-one"),
        ("recover undo ", "green"),
        ("recover recipes cargo-lock", "cargo-lock-offline"),
        ("recover stats --by ", "category"),
        ("recover run --fix ./x printen", "printenv"),
        ("recover run --rollback=g", "--rollback=green"),
        ("recover restore rel", r"rel\$\(touch\ RAN\)"),
    ];
    for (typed, expected) in offered {
        session.press(format!("{typed}\t\t").as_bytes());
        session.wait_for(expected);
        // Away with the list, and with the line.
        session.press(b"\x07\x15");
    }
}

#[test]
fn a_shell_that_is_not_known_is_told_which_are() {
    let machine = Machine::new();
    let mut command = machine.command(&["--", "recover", ""]);
    let run = machine.run(command.env("RECOVER_COMPLETE", "tcsh"));
    assert_ne!(run.code, 0);
    assert!(run.stderr.contains("expected one of `bash`"), "{run:?}");
}

#[test]
fn a_broken_file_keeps_nobody_from_completing() {
    let machine = Machine::new();
    let id = [
        "run",
        "-q",
        "--session",
        "first-one",
        "--fix",
        "exit 3",
        "false",
    ];
    assert_eq!(machine.recover(&id).code, 1);
    machine.write("project/recover.toml", "nonsense");
    let mut command = machine.command(&["--", "recover", "show", ""]);
    command
        .env("RECOVER_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", "2");
    // What is said of the file goes to stderr, which the shells' scripts drop.
    let run = machine.run(&mut command);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stdout.starts_with("first-one\n"), "{run:?}");
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
    assert_eq!(
        names.len(),
        37 + 3 * usize::from(cfg!(feature = "serve")),
        "{names:?}"
    );
    assert_eq!(names[0], "recover-access.1");
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
    let undo = fs::read_to_string(machine.work().join("recover-undo.1")).expect("the page");
    assert_eq!(undo, ".so man1/recover-restore.1\n");
    assert!(run_page.contains(".SH EXAMPLES\n.nf\n  recover run cargo test\n"));
    assert!(!run_page.contains("EXTRA") && !page.stdout.contains("EXTRA"));
    assert_eq!(page.stdout.matches("SSL_CERT_FILE").count(), 1, "{page:?}");
    let version = format!("\"recover {}\"", env!("CARGO_PKG_VERSION"));
    assert!(run_page.contains(&version), "{run_page:.200}");
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
fn manual_pages_fit_80_columns_and_have_each_exit_code() {
    let machine = Machine::new();
    machine.recover(&["completions", "man", ".", "-q"]).quiet();
    let mut codes = 0;
    for name in ["recover", "recover-verify", "recover-proof", "recover-show"] {
        let page = fs::read_to_string(machine.work().join(format!("{name}.1"))).expect("a page");
        codes += page.matches(".B 3\n").count();
    }
    assert_eq!(codes, 3, "who proves something may not know");
    let all = "for page in *.1; do MANWIDTH=80 man -l ./$page; done > all.txt 2> /dev/null";
    machine.run(&mut machine.shell(all));
    let all = fs::read_to_string(machine.work().join("all.txt")).expect("the pages");
    let wide = all.lines().find(|line| line.chars().count() > 80);
    assert_eq!(wide, None);
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
