//! Commands and terminals: output that stays a terminal's, the foreground, job control.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Child;
use std::sync::Arc;

use auto_recovery::host::SystemHost;
use auto_recovery::interrupt::Interrupt;
use auto_recovery::process::{
    self, ControllingTerminal, Exit, OutputSink, PassThrough, Signals, Stdin, Stream, Terminals,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::process_support::{Taken, in_role, run, sh, start_role};

/// A terminal that a test looks at: what a person has in front of them.
struct Screen {
    person: File,
    program: Arc<OwnedFd>,
    seen: Vec<u8>,
}

impl Screen {
    fn new() -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .expect("a pseudo terminal");
        grantpt(&person).expect("granted");
        unlockpt(&person).expect("unlocked");
        let name = ptsname(&person, Vec::new()).expect("a name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let program = rustix::fs::open(name, flags, Mode::empty()).expect("opened");
        let screen = Self {
            person: person.into(),
            program: Arc::new(program),
            seen: Vec::new(),
        };
        screen.resize(24, 80);
        screen
    }

    fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.program, size).expect("resized");
    }

    fn both(&self) -> Terminals {
        Terminals::among(self.program.as_fd(), self.program.as_fd()).expect("terminals")
    }

    fn type_keys(&mut self, keys: &[u8]) {
        self.person.write_all(keys).expect("typed");
    }

    /// Reads until `words` were shown.
    fn wait_for(&mut self, words: &str) {
        let mut buffer = [0; 1024];
        while !String::from_utf8_lossy(&self.seen).contains(words) {
            let mut fds = [PollFd::new(&self.person, PollFlags::IN)];
            let limit = Timespec {
                tv_sec: 10,
                tv_nsec: 0,
            };
            let ready = poll(&mut fds, Some(&limit)).expect("polled");
            let seen = String::from_utf8_lossy(&self.seen);
            assert!(ready > 0, "no {words:?} in {seen:?}");
            // It never hangs up: we hold the program's end as well, and the session waits for us.
            match self.person.read(&mut buffer) {
                Ok(count) if count > 0 => self.seen.extend_from_slice(&buffer[..count]),
                end => panic!("no {words:?} but {end:?} in {seen:?}"),
            }
        }
    }
}

#[test]
fn both_streams_are_terminals_of_the_same_size_and_raw() {
    let screen = Screen::new();
    screen.resize(41, 133);
    let mut spec =
        sh("[ -t 1 ] && [ -t 2 ] && stty size <&1; printf 'a\\nb\\tc\\r\\n' >&2; echo d");
    spec.terminals = screen.both();
    let (done, taken) = run(&spec);
    assert!(done.is_success());
    let text = String::from_utf8(taken.both).unwrap();
    assert_eq!(text, "41 133\na\nb\tc\r\nd\n");
    assert_eq!(text.as_bytes(), taken.stdout, "one terminal, one stream");
}

#[test]
fn a_redirected_stream_stays_a_pipe() {
    let screen = Screen::new();
    let mut spec = sh("[ -t 1 ] && echo out; [ -t 2 ] && echo err >&2; :");
    spec.terminals.stderr = screen.both().stderr;
    let (_, taken) = run(&spec);
    assert_eq!(taken.stdout, b"");
    assert_eq!(taken.stderr, b"err\n");
}

#[test]
fn different_terminals_stay_apart() {
    let (one, other) = (Screen::new(), Screen::new());
    let mut spec = sh("[ -t 1 ] && [ -t 2 ] && echo out && echo err >&2");
    spec.terminals =
        Terminals::among(one.program.as_fd(), other.program.as_fd()).expect("terminals");
    let (_, taken) = run(&spec);
    assert_eq!(taken.stdout, b"out\n");
    assert_eq!(taken.stderr, b"err\n");
}

#[test]
fn nothing_is_lost_of_a_megabyte_through_a_terminal() {
    let screen = Screen::new();
    let mut spec = sh("yes 'all work and no play' | head -c 1000000; printf end");
    spec.terminals = screen.both();
    let (_, taken) = run(&spec);
    assert_eq!(taken.stdout.len(), 1_000_003);
    assert!(taken.stdout.ends_with(b"end"));
}

#[test]
fn a_terminal_that_is_resized_resizes_the_commands() {
    struct Resizing<'a>(Taken, &'a Screen);
    impl OutputSink for Resizing<'_> {
        fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<usize> {
            self.1.resize(50, 100);
            self.0.write(stream, bytes)
        }
    }
    let screen = Screen::new();
    let mut spec = sh("trap 'stty size <&1; exit 0' WINCH; \
                       while :; do echo tick; sleep 0.01; done");
    spec.terminals = screen.both();
    let mut sink = Resizing(Taken::default(), &screen);
    process::run(&spec, &mut sink, &Interrupt::none(), &SystemHost::new()).unwrap();
    assert!(sink.0.stdout.ends_with(b"50 100\n"));
}

/// In a session whose terminal is the screen, under a shell with job control: runs `script`, having
/// signal handlers, and shows what came of it. `piped` says that another program reads what we
/// write.
fn run_in_session(script: &str, piped: bool) {
    let interrupt = Arc::new(Interrupt::new().expect("an interrupt"));
    let signals = Signals::install(interrupt.clone()).expect("handlers");
    let (_reader, writer) = io::pipe().expect("a pipe");
    let (stdin, stdout) = (io::stdin(), io::stdout());
    let shown_to = if piped {
        writer.as_fd()
    } else {
        stdout.as_fd()
    };
    let mut spec = sh(script);
    spec.stdin = Stdin::Inherit;
    spec.controlling_terminal = ControllingTerminal::open(stdin.as_fd(), shown_to);
    assert!(spec.controlling_terminal.is_some(), "there is a terminal");
    let mut sink = PassThrough::new(stdout.as_fd(), stdout.as_fd()).expect("a sink");
    let host = SystemHost::with_interrupt(interrupt.clone());
    let done = process::run(&spec, &mut sink, &interrupt, &host).expect("it starts");
    drop(signals);
    let (interrupted, raised) = (done.interrupted, interrupt.raised());
    let paused = !done.paused.is_zero();
    let exit = done.exit;
    writeln!(
        io::stdout(),
        "over: {exit}, interrupted {interrupted:?}, raised {raised:?}, paused {paused}."
    )
    .expect("shown");
}

/// What a shell with job control does for the person: the job, and `fg` when it was stopped.
fn start_session(screen: &Screen, name: &str) -> Child {
    start_shell(screen, name, "-mc", "\"$@\" || { echo stopped; fg; }")
}

/// A shell that leads the session and stays until [`end_session`]: when it ends the terminal hangs
/// up, and what was not read yet is lost.
fn start_shell(screen: &Screen, name: &str, options: &str, script: &str) -> Child {
    let script = format!("{script}; read end");
    let shell = ["setsid", "-c", "sh", options, &script, "sh"];
    start_role(&shell, name, &screen.program)
}

fn end_session(mut screen: Screen, mut session: Child) {
    screen.type_keys(b"\n");
    session.wait().expect("it was started");
}

#[test]
fn an_interrupt_that_is_typed_reaches_the_command_and_counts() {
    let name = "process_terminal::an_interrupt_that_is_typed_reaches_the_command_and_counts";
    if in_role() {
        return run_in_session("echo ready; exec sleep 100", false);
    }
    let mut screen = Screen::new();
    let session = start_session(&screen, name);
    screen.wait_for("ready");
    screen.type_keys(b"\x03");
    screen.wait_for("over: SIGINT, interrupted Some(2), raised Some(2), paused false.");
    end_session(screen, session);
}

#[test]
fn an_interrupt_that_the_command_catches_counts_as_well() {
    let name = "process_terminal::an_interrupt_that_the_command_catches_counts_as_well";
    if in_role() {
        // What is left running would be named by the last line; the sentinel is none of it.
        let script = "trap 'exit 0' INT; echo ready; while :; do sleep 0.01; done";
        run_in_session(script, false);
        let children = std::fs::read_to_string("/proc/self/task/self/children");
        return assert_eq!(
            children.unwrap_or_default(),
            "",
            "nobody stands there any more"
        );
    }
    let mut screen = Screen::new();
    let session = start_session(&screen, name);
    screen.wait_for("ready");
    screen.type_keys(b"\x03");
    screen.wait_for("over: exit 0, interrupted Some(2), raised Some(2), paused false.");
    end_session(screen, session);
}

#[test]
fn who_stands_in_the_group_for_us_holds_nothing_and_is_nobodys() {
    let name = "process_terminal::who_stands_in_the_group_for_us_holds_nothing_and_is_nobodys";
    if in_role() {
        // It stands there soon after the command has begun.
        let script = "until [ -n \"$pid\" ]; do for p in /proc/[0-9]*; do \
                      read -r _ name _ _ group _ <$p/stat || continue; \
                      [ $group = $$ ] && [ $name = '(cat)' ] && pid=$p; done; done 2>/dev/null; \
                      for fd in 0 1 2; do readlink $pid/fd/$fd; done; echo in $(readlink $pid/cwd).; \
                      exit 3";
        return run_in_session(script, false);
    }
    let mut screen = Screen::new();
    let session = start_session(&screen, name);
    screen.wait_for("in /.");
    screen.wait_for("over: exit 3, interrupted None, raised None, paused false.");
    let seen = String::from_utf8_lossy(&screen.seen).into_owned();
    let lines = |text: &str| seen.lines().filter(|l| l.trim().starts_with(text)).count();
    assert_eq!(lines("pipe:"), 1, "its input alone: {seen}");
    assert_eq!(lines("/dev/"), lines("/dev/null"), "no terminal: {seen}");
    assert_eq!(lines("/dev/null"), 2, "{seen}");
    end_session(screen, session);
}

#[test]
fn signals_of_the_commands_own_making_are_no_keys() {
    let name = "process_terminal::signals_of_the_commands_own_making_are_no_keys";
    if in_role() {
        let script = "trap '' TERM USR1; kill -TERM 0; kill -USR1 0; echo done; exit 3";
        return run_in_session(script, false);
    }
    let mut screen = Screen::new();
    let session = start_session(&screen, name);
    screen.wait_for("over: exit 3, interrupted None, raised None, paused false.");
    end_session(screen, session);
}

#[test]
fn a_command_reads_from_the_terminal() {
    let name = "process_terminal::a_command_reads_from_the_terminal";
    if in_role() {
        return run_in_session("echo ready; read line; echo \"got $line\"", false);
    }
    let mut screen = Screen::new();
    let session = start_session(&screen, name);
    screen.wait_for("ready");
    screen.type_keys(b"hello\n");
    screen.wait_for("got hello");
    screen.wait_for("over: exit 0, interrupted None, raised None, paused false.");
    end_session(screen, session);
}

#[test]
fn a_command_in_a_pipeline_gets_the_terminal_when_it_reaches_for_it() {
    let name = "process_terminal::a_command_in_a_pipeline_gets_the_terminal_when_it_reaches_for_it";
    if in_role() {
        return run_in_session("echo ready; read line </dev/tty; echo \"got $line\"", true);
    }
    let mut screen = Screen::new();
    let session = start_session(&screen, name);
    screen.wait_for("ready");
    screen.type_keys(b"hello\n");
    screen.wait_for("got hello");
    screen.wait_for("over: exit 0");
    end_session(screen, session);
}

#[test]
fn a_command_that_is_stopped_stops_us_and_goes_on_with_us() {
    let name = "process_terminal::a_command_that_is_stopped_stops_us_and_goes_on_with_us";
    if in_role() {
        return run_in_session("read a; echo \"ready $a\"; read b; echo \"got $b\"", false);
    }
    let mut screen = Screen::new();
    let session = start_session(&screen, name);
    // What is typed while the foreground is still being lent may go to us instead.
    screen.type_keys(b"now\n");
    screen.wait_for("ready now");
    screen.type_keys(b"\x1a");
    screen.wait_for("stopped");
    screen.type_keys(b"hello\n");
    screen.wait_for("got hello");
    screen.wait_for("over: exit 0, interrupted None, raised None, paused true.");
    end_session(screen, session);
}

#[test]
fn when_we_are_asked_to_stop_the_command_stops_first() {
    let name = "process_terminal::when_we_are_asked_to_stop_the_command_stops_first";
    if in_role() {
        // It has not got the terminal, so what is typed reaches us.
        let script = "trap 'echo continued; exit 3' CONT; echo ready; while :; do sleep 0.01; done";
        return run_in_session(script, true);
    }
    let mut screen = Screen::new();
    let session = start_session(&screen, name);
    screen.wait_for("ready");
    screen.type_keys(b"\x1a");
    screen.wait_for("stopped");
    screen.wait_for("continued");
    screen.wait_for("over: exit 3, interrupted None, raised None, paused true.");
    end_session(screen, session);
}

#[test]
fn a_signal_to_us_is_forwarded_and_we_die_of_it() {
    let name = "process_terminal::a_signal_to_us_is_forwarded_and_we_die_of_it";
    if in_role() {
        // What the command starts must end by itself: a program may miss a signal that comes while
        // the shell is about to become it, and is then killed only after the grace.
        let script = "trap 'echo told; exit 9' TERM; echo \"we are $PPID.\"; \
                      while :; do sleep 0.01; done";
        run_in_session(script, false);
        process::die_by_signal(15);
        unreachable!("the signal ended us");
    }
    let mut screen = Screen::new();
    let session = start_shell(&screen, name, "-c", "\"$@\"; echo \"ended with $?.\"");
    screen.wait_for("we are ");
    screen.wait_for(".");
    let seen = String::from_utf8_lossy(&screen.seen).into_owned();
    let pid = seen.split("we are ").nth(1).unwrap();
    let pid = pid.split('.').next().unwrap().parse().unwrap();
    let us = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(us, rustix::process::Signal::TERM).unwrap();
    screen.wait_for("told");
    screen.wait_for("over: exit 9, interrupted Some(15), raised Some(15), paused false.");
    screen.wait_for("ended with 143.");
    end_session(screen, session);
    assert_eq!(Exit::Signal(15).shell_code(), 143);
}
