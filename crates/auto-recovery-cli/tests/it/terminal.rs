//! What a terminal gets: tables that fit it, and nothing that it would obey.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::json;

use crate::harness::Machine;

/// Runs `recover` with `args` on a terminal of `columns`, and returns what the terminal got.
fn on_terminal(machine: &Machine, columns: u16, args: &[&str]) -> String {
    typing(machine, columns, args, "")
}

/// The same where somebody has typed `typed`.
fn typing(machine: &Machine, columns: u16, args: &[&str], typed: &str) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&terminal).expect("grant it");
    unlockpt(&terminal).expect("unlock it");
    let size = Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&terminal, size).expect("set its size");
    let name = ptsname(&terminal, Vec::new()).expect("its name");
    let open = || -> OwnedFd {
        rustix::fs::open(
            name.as_c_str(),
            OFlags::RDWR | OFlags::NOCTTY,
            Mode::empty(),
        )
        .expect("open it")
    };
    let stdin = open();
    rustix::io::write(&terminal, typed.as_bytes()).expect("type");
    let mut child = machine
        .command(args)
        .stdin(stdin)
        .stdout(open())
        .stderr(open())
        .spawn()
        .expect("start recover");
    // Read beside it: a terminal that nobody reads takes a few KiB and then no more.
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // The last writer's end shows as an error on a terminal.
        File::from(terminal).read_to_end(&mut bytes).ok();
        bytes
    });
    child.wait().expect("wait for recover");
    let bytes = reader.join().expect("the reader");
    String::from_utf8(bytes)
        .expect("UTF-8")
        .replace("\r\n", "\n")
}

#[test]
fn what_reads_from_a_terminal_says_so() {
    let machine = Machine::new();
    for (args, what) in [
        (&["log"][..], "attempts"),
        (&["record"], "attempts"),
        (&["classify"], "the output of a command"),
        (&["classify", "--batch"], "failures"),
    ] {
        // The end of input, as Ctrl-D types it.
        let screen = typing(&machine, 80, args, "\x04");
        let says = format!("recover: reading {what}");
        assert!(screen.contains(&says), "{args:?}: {screen}");
        assert!(screen.contains("Ctrl-D ends it"), "{args:?}: {screen}");
    }
}

fn with_wide_rows() -> Machine {
    let machine = Machine::new();
    let line = json!({"session_id":"session_0192f0c1d2e37abc8def0123456789ab","strategy":"alternative",
        "success":false,"error_type":"ModuleNotFoundError","rollback_performed":true,
        "files_modified":["a/very/long/path/to/a/file/in/the/project.rs","日本語のファイル名前がここにあります.txt"],
        "next_action":"continue","duration_seconds":12.5,"timestamp":"2020-01-02T03:04:05Z"});
    machine.recover_with(&["log"], line.to_string()).quiet();
    machine
}

#[test]
fn tables_fit_and_leave_out_what_matters_least() {
    let machine = with_wide_rows();
    insta::assert_snapshot!(on_terminal(&machine, 110, &["history", "-q"]), @r"
    #         AGE  STRATEGY     RESULT          TOOK  ERROR TYPE           NEXT      CHANGED
    1  2020-01-02  alternative  failed, undone  12 s  ModuleNotFoundError  continue  a/very/long/path/to/a/file/i…
    ");
    insta::assert_snapshot!(on_terminal(&machine, 80, &["history", "-q"]), @r"
    #         AGE  STRATEGY     RESULT          TOOK  ERROR TYPE        CHANGED
    1  2020-01-02  alternative  failed, undone  12 s  ModuleNotFoundE…  a/very/long…
    ");
    insta::assert_snapshot!(on_terminal(&machine, 50, &["history", "-q"]), @r"
    #  STRATEGY     RESULT          ERROR TYPE
    1  alternative  failed, undone  ModuleNotFoundErr…
    ");
    for columns in [200, 110, 80, 60, 50, 44] {
        for command in ["sessions", "history", "config"] {
            let text = on_terminal(&machine, columns, &[command, "-q"]);
            // Characters of two columns count twice; the wide ones here are all Japanese.
            let width = |line: &str| {
                line.chars()
                    .map(|c| if c >= '\u{3000}' { 2 } else { 1 })
                    .sum()
            };
            let widest: usize = text.lines().map(width).max().expect("a line");
            assert!(
                widest <= usize::from(columns),
                "{command} at {columns}:\n{text}"
            );
        }
    }
    on_terminal(&machine, 1, &["history", "-q"]);
}

#[test]
fn a_pipe_gets_everything() {
    let machine = with_wide_rows();
    let run = machine.recover(&["history", "-q"]);
    assert!(run.quiet().contains(
        "a/very/long/path/to/a/file/in/the/project.rs, 日本語のファイル名前がここにあります.txt"
    ));
}

#[test]
fn nothing_hostile_reaches_a_terminal_and_json_still_means_the_same() {
    let machine = Machine::new();
    let hostile = "\u{1b}[31m \u{9b}2J \u{202e} \u{7f} \r x\u{e0041}";
    let line = json!({"session_id":"s","strategy":"fix","success":true,"error_type":hostile,
        "error_message":hostile,"timestamp":"2020-01-02T03:04:05Z"});
    machine.recover_with(&["log"], line.to_string()).quiet();
    for args in [
        &["history", "--json"][..],
        &["show", "--json"],
        &["stats", "--json"],
        &["export"],
        &["export", "--format", "jsonl"],
        &["export", "--format", "csv"],
        &["report"],
        &["report", "--json"],
        &["history"],
        &["show"],
        &["stats"],
    ] {
        let args: Vec<_> = args.iter().copied().chain(["-q"]).collect();
        let text = on_terminal(&machine, 100, &args);
        let found = text.chars().find(|c| {
            (c.is_control() && *c != '\n' && *c != '\t') || "\u{202e}\u{e0041}".contains(*c)
        });
        assert_eq!(found, None, "{args:?}: {text:?}");
    }
    let text = on_terminal(&machine, 100, &["history", "--json", "-q"]);
    let entries: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(entries[0]["error_type"], hostile);
}

#[test]
fn clear_asks_on_a_terminal_and_takes_no_for_the_default() {
    let machine = Machine::with_trail();
    let text = typing(&machine, 80, &["clear", "build-7"], "\n");
    assert!(
        text.contains("remove session build-7 with its outputs and checkpoints? [y/N] "),
        "{text}"
    );
    assert!(text.contains("nothing was removed"), "{text}");
    assert_eq!(
        machine.recover(&["stats", "build-7", "--json"]).json()["total_attempts"],
        3
    );
    let text = typing(&machine, 80, &["clear", "build-7"], "yes\n");
    assert!(text.contains("removed build-7 (3 entries)"), "{text}");
}
