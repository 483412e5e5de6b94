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
    showing(columns, machine.command(args), typed)
}

/// What a terminal of `columns` gets of `command`, when `typed` is typed.
pub(crate) fn showing(columns: u16, mut command: std::process::Command, typed: &str) -> String {
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
    let mut child = command
        .stdin(stdin)
        .stdout(open())
        .stderr(open())
        .spawn()
        .expect("start recover");
    // It has the terminal, too, and would keep it open.
    drop(command);
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
        (&["redact"], "the text to mask"),
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
    1  2020-01-02  alternative  failed, undone  13 s  ModuleNotFoundError  continue  a/very/long/path/to/a/file/i…
    ");
    insta::assert_snapshot!(on_terminal(&machine, 80, &["history", "-q"]), @r"
    #         AGE  STRATEGY     RESULT          TOOK  ERROR TYPE        CHANGED
    1  2020-01-02  alternative  failed, undone  13 s  ModuleNotFoundE…  a/very/long…
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

#[test]
fn colours_are_there_for_whoever_wants_them_and_say_nothing_by_themselves() {
    let machine = with_wide_rows();
    let shown = |term: &str, args: &[&str], variables: &[(&str, &str)]| {
        let mut command = machine.command(args);
        command.env("TERM", term).envs(variables.iter().copied());
        showing(110, command, "")
    };
    let args = ["history", "--no-pager"];
    let coloured = shown("xterm", &args, &[]);
    assert!(
        coloured.contains("\x1b[31mfailed, undone\x1b[0m"),
        "{coloured:?}"
    );
    let plain = shown("xterm", &args, &[("NO_COLOR", "1")]);
    assert!(!plain.contains('\x1b'), "{plain:?}");
    let bare = without_colours(&coloured);
    assert_eq!(bare, plain);
    assert_eq!(shown("dumb", &args, &[]), plain);
    let never = ["history", "--color", "never"];
    assert_eq!(shown("xterm", &never, &[("CLICOLOR_FORCE", "1")]), plain);
    let piped = machine.recover(&["history", "--color", "always"]);
    assert!(piped.stdout.contains("\x1b[31mfailed"), "{piped:?}");
    let forced = machine.run(machine.command(&["history"]).env("CLICOLOR_FORCE", "1"));
    assert!(forced.stdout.contains("\x1b[31mfailed"), "{forced:?}");
    assert!(!machine.recover(&["history"]).stdout.contains('\x1b'));
}

/// `text` without colours.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + part.split_once('m').map_or("", |(_, rest)| rest)
    })
}

#[test]
fn a_screen_lists_the_newest_of_this_workspace_and_a_pipe_all() {
    let machine = Machine::new();
    for number in 0..25 {
        let line = json!({"session_id": format!("here-{number:02}"), "strategy": "fix",
            "success": number % 2 == 0, "error_type": "E", "next_action": "escalate",
            "timestamp": format!("2020-01-{:02}T00:00:00Z", number + 1)});
        machine.recover_with(&["log"], line.to_string()).quiet();
    }
    let elsewhere = machine.root().join("elsewhere");
    std::fs::create_dir(&elsewhere).expect("a directory");
    let line =
        json!({"session_id": "there", "strategy": "fix", "success": true, "error_type": "E"});
    let file = machine.write("line", &line.to_string());
    let mut log = machine.command(&["log"]);
    log.current_dir(&elsewhere)
        .stdin(File::open(file).expect("open"));
    assert_eq!(machine.run(&mut log).code, 0);
    let rows = |text: &str| text.lines().filter(|line| line.contains("here")).count();

    let screen = on_terminal(&machine, 80, &["ls"]);
    assert_eq!(rows(&screen), 20, "{screen}");
    assert!(
        screen.contains("here-24") && !screen.contains("there "),
        "{screen}"
    );
    assert!(
        screen.contains("`-n 40` shows more, `--all` all of the store"),
        "{screen}"
    );
    let newest = on_terminal(&machine, 80, &["sessions", "-n", "2", "-q"]);
    assert!(newest.contains("here-23") && rows(&newest) == 2, "{newest}");
    assert_eq!(
        rows(&on_terminal(&machine, 80, &["sessions", "--all", "-q"])),
        26
    );
    let project = on_terminal(&machine, 80, &["sessions", "--project", "elsewhere"]);
    assert!(
        project.contains("there ") && rows(&project) == 1,
        "{project}"
    );
    let since = on_terminal(&machine, 80, &["sessions", "--since", "2020-01-25", "-q"]);
    assert!(since.contains("here-24") && rows(&since) == 1, "{since}");

    assert_eq!(rows(&machine.recover(&["sessions"]).stdout), 26);
    let all = machine.recover(&["sessions", "--json"]).json();
    assert_eq!(all.as_array().map(Vec::len), Some(26));
    let none = machine.recover(&["sessions", "--outcome", "not_recovered"]);
    assert_eq!(none.code, 0, "{none:?}");
    let same = machine.recover(&["sessions", "--outcome", "escalated"]);
    assert_eq!(same.stdout, none.stdout);
}

#[test]
fn what_is_longer_than_the_screen_goes_to_the_pager() {
    let machine = Machine::new();
    let line =
        json!({"session_id": "long", "strategy": "fix", "success": false, "error_type": "E"});
    let lines = vec![line.to_string(); 40].join("\n");
    assert_eq!(machine.recover_with(&["log"], lines).code, 0);
    let paged = |pager: &str, args: &[&str]| {
        let mut command = machine.command(args);
        command.env("TERM", "xterm").env("PAGER", pager);
        showing(80, command, "")
    };
    let pager = "sed 's/^/paged /'";
    assert!(paged(pager, &["history"]).contains("paged"));
    assert!(!paged(pager, &["history", "--last", "3"]).contains("paged"));
    assert!(!paged(pager, &["--no-pager", "history"]).contains("paged"));
    let missing = paged("no-such-pager-anywhere", &["history"]);
    assert!(missing.contains("\n40 "), "{missing}");
    assert!(paged("", &["history"]).contains("\n40 "));
    for failing in ["false", "cat > /dev/null; exit 3", "/"] {
        let text = paged(failing, &["history"]);
        assert!(text.contains("\n40 "), "{failing}: {text}");
    }
    let piped = machine.run(machine.command(&["history"]).env("PAGER", pager));
    assert!(!piped.stdout.contains("paged"), "{piped:?}");
}
