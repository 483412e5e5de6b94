//! Pagers, editors and prompts: programs that read keys work under `recover` as without it.

use std::path::Path;

use super::{Machine, skip};
use crate::session::Session;

/// The pager's prompt at the end of a page of a file, and of its piped input.
const PROMPT: &str = ":";

fn has_less() -> bool {
    let has = Path::new("/usr/bin/less").exists();
    if !has {
        skip("less is not installed");
    }
    has
}

/// A machine whose workspace has more commits than a screen has lines.
fn with_commits() -> Machine {
    let machine = Machine::new();
    let script = "git init -q && i=0 && while [ $i -lt 40 ]; do i=$((i + 1)); \
                  git -c user.name=t -c user.email=t@t commit -q --allow-empty -m \"number $i.\"; done";
    assert_eq!(machine.run(&mut machine.shell(script)).code, 0);
    machine
}

/// Asserts that the session ends with 0, shows nothing of ours, and leaves the terminal unchanged.
fn ends_quietly(session: &mut Session) {
    let status = session.end();
    assert_eq!(status.code(), Some(0), "{status:?} {}", session.seen());
    assert!(!session.seen().contains("recover:"), "{}", session.seen());
    assert!(session.reads_lines(), "the terminal is left as it was");
}

#[test]
fn the_pager_of_git_is_read_and_quit() {
    if !has_less() {
        return;
    }
    let machine = with_commits();
    for script in [
        "\"$RECOVER\" run -- git log",
        "\"$RECOVER\" run -- sh -c 'git log | less'",
        "git log | \"$RECOVER\" run -- less",
        "\"$RECOVER\" run -- git log | less",
        "\"$RECOVER\" run --no-pty -- sh -c 'git log | less >/dev/tty 2>&1'",
    ] {
        let mut session = Session::shell(&machine, script);
        session.wait_for("number 40.");
        session.wait_for(PROMPT);
        session.press(b" ");
        session.wait_for("number 35.");
        session.press(b"q");
        ends_quietly(&mut session);
    }
}

#[test]
fn an_interrupt_in_the_pager_is_the_pagers() {
    if !has_less() {
        return;
    }
    let machine = Machine::new();
    let lines: String = (0..200).map(|i| format!("line {i}.\n")).collect();
    machine.write("project/file", &lines);
    let mut session = Session::start(&machine, &["run", "--retry", "1", "--", "less", "file"]);
    session.wait_for("line 20.");
    session.press(b"\x03");
    // The page is shown anew, with another prompt than at first.
    session.wait_for(PROMPT);
    session.press(b" ");
    session.wait_for("line 40.");
    session.press(b"q");
    ends_quietly(&mut session);
}

#[test]
fn a_pager_is_stopped_and_continued() {
    if !has_less() {
        return;
    }
    let machine = with_commits();
    let script =
        "set -m; \"$RECOVER\" run -- git log || { stty -a | grep -q ' icanon' && echo away; fg; }";
    let mut session = Session::shell(&machine, script);
    session.wait_for("number 40.");
    session.wait_for(PROMPT);
    session.press(b"\x1a");
    session.wait_for("away");
    session.wait_for(PROMPT);
    session.press(b" ");
    session.wait_for("number 35.");
    session.press(b"q");
    let status = session.end();
    assert_eq!(status.code(), Some(0), "{}", session.seen());
}

#[test]
fn a_program_that_sets_its_output_and_reads_its_input_gets_keys() {
    let machine = Machine::new();
    // Like editors that find their screen by standard output.
    let script = "stty -icanon -echo <&1; echo \"rea\"\"dy\"; key=$(dd bs=1 count=1 2>/dev/null); \
                  stty icanon echo <&1; echo \"got $key.\"";
    let mut session = Session::start(&machine, &["run", "--", "sh", "-c", script]);
    session.wait_for("ready");
    session.press(b"x");
    session.wait_for("got x.");
    ends_quietly(&mut session);
}

#[test]
fn a_password_is_asked_for_on_the_terminal() {
    let machine = Machine::new();
    let script = "stty -echo </dev/tty; printf 'word? ' >/dev/tty; read word </dev/tty; \
                  stty echo </dev/tty; echo \"it is $word.\"";
    let mut session = Session::start(&machine, &["run", "--", "sh", "-c", script]);
    session.wait_for("word? ");
    session.press(b"secret\n");
    session.wait_for("it is secret.");
    assert_eq!(session.seen().matches("secret").count(), 1);
    ends_quietly(&mut session);
}

#[test]
fn what_reaches_for_the_terminal_gets_it_where_the_shell_ignores_its_stops() {
    let machine = Machine::new();
    let reads = "printf 'word? ' >/dev/tty; read word </dev/tty; echo \"it is $word.\"";
    machine.write("project/reads", reads);
    // Like an interactive shell's `$(…)`.
    let script = "trap '' TSTP TTIN TTOU; x=$(\"$RECOVER\" run -- sh reads); echo \"$x\"";
    let mut session = Session::shell(&machine, script);
    session.wait_for("word? ");
    session.press(b"abc\n");
    session.wait_for("it is abc.");
    ends_quietly(&mut session);
}

#[test]
fn a_pager_that_reads_keys_from_its_stderr_gets_them() {
    if !Path::new("/usr/bin/more").exists() {
        return skip("more is not installed");
    }
    let machine = Machine::new();
    let lines: String = (0..200).map(|i| format!("line {i}.\n")).collect();
    machine.write("project/file", &lines);
    let mut session = Session::start(&machine, &["run", "--", "more", "file"]);
    session.wait_for("line 20.");
    session.press(b" ");
    session.wait_for("line 40.");
    session.press(b" ");
    session.wait_for("line 60.");
    session.press(b"q");
    ends_quietly(&mut session);
}

#[test]
fn a_question_at_stderr_is_answered_even_where_the_answer_comes_early() {
    let machine = Machine::new();
    let script = "echo \"rea\"\"dy\"; until [ -e ../go ]; do sleep 0.01; done; \
                  read word <&2; echo \"it is $word.\"; read word; echo \"then $word.\"";
    let mut session = Session::start(&machine, &["run", "--", "sh", "-c", script]);
    session.wait_for("ready");
    session.press(b"early\n");
    machine.write("go", "");
    session.wait_for("it is early.");
    session.press(b"late\n");
    session.wait_for("then late.");
    ends_quietly(&mut session);
}
