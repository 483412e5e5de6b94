//! `recover run` as a person uses it: through the binary, on real files and processes.

mod borders;
mod ci;
mod confirm;
mod cure;
mod died;
mod escapees;
mod guarded;
mod hearsay;
mod hook;
mod keys;
mod limits;
mod long_diffs;
mod not_put_back;
mod once;
mod others;
mod pager;
mod patch;
mod restore;
mod result;
mod secret_files;
mod signals;
mod state;
mod streams;
mod typos;
mod waits;
mod wording;
mod workspaces;

use std::fs;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use super::harness::{Machine, Run};

/// How long a test waits for something that a process of its own is about to do.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `path` is there.
fn wait_for(path: &Path) {
    until(&format!("{} appears", path.display()), || path.exists());
}

/// Waits until `holds`; `what` says for what.
#[expect(
    clippy::disallowed_methods,
    reason = "a test waits for another process"
)]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Says why a test cannot be made here.
#[expect(clippy::print_stderr, reason = "whoever runs the tests must know")]
fn skip(why: &str) {
    eprintln!("skipped: {why}");
}

/// Starts `recover` and lets it run.
fn start(machine: &Machine, args: &[&str]) -> Child {
    machine.command(args).spawn().expect("start recover")
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).expect("signal recover");
}

fn read(machine: &Machine, name: &str) -> String {
    fs::read_to_string(machine.work().join(name)).expect("read a file of the project")
}

fn write(machine: &Machine, name: &str, text: &str) {
    machine.write(&format!("project/{name}"), text);
}

/// Whether a process whose command line holds `mark` is alive.
pub(crate) fn is_running(mark: &str) -> bool {
    let processes = fs::read_dir("/proc")
        .expect("read the process table")
        .flatten();
    processes
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .any(|line| {
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains(mark) && !line.contains("recover")
        })
}
