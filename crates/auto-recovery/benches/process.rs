//! What running a command through the library costs beside a bare spawn, and whether anything is
//! left of runs that resist.
//!
//! `cargo bench --bench process` measures; `cargo bench --bench process -- faults 1000` runs
//! 1000 hanging, daemonising, `TERM`-ignoring commands as a subreaper and fails if one process is
//! left.
#![expect(
    clippy::disallowed_methods,
    reason = "a measurement reads the clock, its arguments, and spawns its rival"
)]

mod side_by_side;

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use auto_recovery::host::SystemHost;
use auto_recovery::interrupt::Interrupt;
use auto_recovery::process::{self, CommandSpec, Completion, Discard, Leftovers, become_subreaper};
use side_by_side::{Pair, say};

fn main() -> ExitCode {
    become_subreaper().expect("the kernel can do that");
    let words: Vec<String> = std::env::args().skip(1).collect();
    let at = words.iter().position(|word| word == "faults");
    match at {
        Some(at) => {
            let rounds = words.get(at + 1).and_then(|word| word.parse().ok());
            faults(rounds.unwrap_or(1000))
        }
        None => cost(),
    }
}

fn cost() -> ExitCode {
    let bare = || {
        let mut command = Command::new("true");
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.output().expect("it runs");
    };
    let ours = || drop(run(&CommandSpec::new(["true"])));
    tell("true", Pair::take(1000, bare, ours));
    let argv = ["head", "-c", "1073741824", "/dev/zero"];
    let bare = || {
        let mut command = Command::new(argv[0]);
        command.args(&argv[1..]).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let mut pipe = child.stdout.take().expect("piped");
        let mut null = fs::File::create("/dev/null").expect("null");
        io::copy(&mut pipe, &mut null).expect("copied");
        child.wait().expect("waited");
    };
    let ours = || drop(run(&CommandSpec::new(argv)));
    tell("1 GiB of output", Pair::take(3, bare, ours));
    ExitCode::SUCCESS
}

fn tell(what: &str, pair: Pair) {
    let (ours, bare) = pair.medians();
    say(&format!("{what:<16} run {ours:>8.1?}  bare {bare:>8.1?}"));
}

fn faults(rounds: u32) -> ExitCode {
    let grace = Duration::from_millis(50);
    let mut late = Duration::ZERO;
    let mut left = 0;
    for round in 0..rounds {
        let mut spec = CommandSpec::new(["sh", "-c", SCRIPTS[round as usize % SCRIPTS.len()]]);
        spec.timeout = Some(Duration::from_millis(30));
        spec.grace = grace;
        spec.leftovers = Leftovers::End;
        let began = Instant::now();
        let done = run(&spec);
        let limit = Duration::from_millis(30) + grace;
        late = late.max(began.elapsed().saturating_sub(limit));
        for process in &done.left_running {
            say(&format!("round {round}: left {process}"));
        }
        left += done.left_running.len();
    }
    // Whatever got away would be our child by now.
    let us = std::process::id();
    let children = fs::read_to_string(format!("/proc/{us}/task/{us}/children")).expect("a list");
    for pid in children.split_ascii_whitespace() {
        let comm = fs::read_to_string(Path::new("/proc").join(pid).join("comm"));
        say(&format!("child {pid} {}", comm.unwrap_or_default().trim()));
        left += 1;
    }
    say(&format!(
        "{rounds} runs, {left} processes left, at most {late:?} after the grace"
    ));
    if left == 0 && late < Duration::from_millis(500) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Commands that do what they can to stay.
const SCRIPTS: [&str; 8] = [
    "trap '' TERM INT HUP; sleep 1000",
    "setsid sh -c 'trap \"\" TERM; sleep 1000' >/dev/null 2>&1 & sleep 1000",
    "(setsid sh -c 'trap \"\" TERM HUP; (sleep 1000 &) ; sleep 1000' &) ; exit 1",
    "trap '' TERM; (setsid env -i sleep 1000 >/dev/null 2>&1 &) ; (setsid env -i sleep 1000 &)",
    "sleep 1000 & kill -STOP $$",
    "S='sleep 0.003; setsid sh -c \"$0\" \"$0\" >/dev/null 2>&1 & exit'; \
     env -i PATH=\"$PATH\" setsid sh -c \"$S\" \"$S\" >/dev/null 2>&1 & exit 1",
    "trap '' TERM; while :; do (env -i setsid sleep 1000 >/dev/null 2>&1 &); done",
    "trap 'setsid sleep 1000 & sleep 1000' TERM; sleep 1000 & wait",
];

fn run(spec: &CommandSpec) -> Completion {
    process::run(spec, &mut Discard, &Interrupt::none(), &SystemHost::new()).expect("it runs")
}
