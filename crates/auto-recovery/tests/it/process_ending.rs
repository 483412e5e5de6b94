//! Ending commands: limits, interrupts, and processes that do not want to go.

use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use auto_recovery::host::{Host, SystemHost};
use auto_recovery::interrupt::Interrupt;
use auto_recovery::process::{
    self, Completion, Discard, Exit, Leftovers, PassThrough, Process, Stream,
};

use crate::checkpoint::child::skipped;
use crate::process_support::{Taken, eventually, in_role, is_alive, pid_in, run, sh, start_role};

const GRACE: Duration = Duration::from_millis(50);
/// What a busy machine may add to any of the times below. What hangs does so for longer.
const SLACK: Duration = Duration::from_secs(15);

#[test]
fn a_timeout_asks_first_and_passes_on_the_last_words() {
    let mut spec = sh("trap 'echo cleaned up; exit 7' TERM; echo ready; sleep 100 & wait");
    spec.timeout = Some(Duration::from_secs(1));
    let (done, taken) = run(&spec);
    assert_eq!(done.exit, Exit::Code(7));
    assert!(done.timed_out && !done.deadline_passed);
    assert_eq!(taken.stdout, b"ready\ncleaned up\n");
    assert!(done.left_running.is_empty());
}

#[test]
fn a_child_that_ignores_term_ends_after_the_grace() {
    let mut spec = sh("trap '' TERM; sleep 100 & sleep 100");
    spec.timeout = Some(Duration::from_millis(100));
    spec.grace = GRACE;
    let host = SystemHost::new();
    let (done, _) = run(&spec);
    assert_eq!(done.exit, Exit::Signal(9));
    let took = host.monotonic();
    assert!(
        took < Duration::from_millis(100) + GRACE + SLACK,
        "{took:?}"
    );
}

#[test]
fn the_deadline_comes_first_when_it_is_first() {
    let host = SystemHost::new();
    let mut spec = sh("exec sleep 100");
    spec.timeout = Some(Duration::from_secs(60));
    spec.deadline = Some(host.monotonic() + Duration::from_millis(100));
    let done = process::run(&spec, &mut Discard, &Interrupt::none(), &host).unwrap();
    assert_eq!(done.exit, Exit::Signal(15));
    assert!(done.deadline_passed && !done.timed_out);
}

fn end(done: &Completion) -> Vec<Process> {
    let interrupt = Interrupt::none();
    process::end(
        &done.left_running,
        None,
        GRACE,
        &interrupt,
        &SystemHost::new(),
    )
    .expect("they can be waited for")
}

/// A daemon as daemons are made: it leaves the session, loses its parent and keeps no stream.
fn daemon(dir: &Path, then: &str) -> String {
    format!(
        "cd '{}'; setsid sh -c 'trap \"\" TERM HUP; sleep 100 </dev/null >/dev/null 2>&1 & \
         echo $! > child; echo $$ > pid; mv pid daemon; exec sleep 100' \
         </dev/null >/dev/null 2>&1 & \
         until [ -e daemon ]; do :; done; {then}",
        dir.display()
    )
}

#[test]
fn daemons_end_with_the_attempt_that_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = sh(&daemon(dir.path(), "sleep 100"));
    spec.timeout = Some(Duration::from_secs(1));
    spec.grace = GRACE;
    let (done, _) = run(&spec);
    assert!(done.timed_out);
    assert!(done.left_running.is_empty(), "{:?}", done.left_running);
    assert!(!is_alive(pid_in(&dir.path().join("daemon"))));
    assert!(!is_alive(pid_in(&dir.path().join("child"))));
}

#[test]
fn daemons_of_a_command_that_exits_are_kept_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let (done, _) = run(&sh(&daemon(dir.path(), "exit 0")));
    assert!(done.is_success());
    let daemon = pid_in(&dir.path().join("daemon"));
    let child = pid_in(&dir.path().join("child"));
    for pid in [daemon, child] {
        let named = done.left_running.iter().find(|process| process.pid == pid);
        let named = named.expect("it is named").to_string();
        // What it runs at this moment is `sh`, or already the `sleep` that it becomes.
        assert!(named.starts_with(&format!("{pid} s")), "{named}");
    }
    assert!(is_alive(daemon));
    let again = Process::find_again(&done.left_running[0].identity());
    assert_eq!(
        again.map(|process| process.pid),
        Some(done.left_running[0].pid)
    );
    let other_boot = format!("elsewhere:{}", done.left_running[0].identity());
    assert_eq!(Process::find_again(&other_boot), None);
    assert!(end(&done).is_empty());
    assert!(!is_alive(daemon) && !is_alive(child));
    assert_eq!(Process::find_again(&done.left_running[0].identity()), None);
}

#[test]
fn leftovers_are_ended_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = sh(&daemon(dir.path(), "exit 3"));
    spec.leftovers = Leftovers::End;
    spec.grace = GRACE;
    let (done, _) = run(&spec);
    assert_eq!(done.exit, Exit::Code(3));
    assert!(done.left_running.is_empty());
    assert!(!is_alive(pid_in(&dir.path().join("daemon"))));
}

#[test]
fn who_holds_the_pipe_in_the_background_holds_up_nobody() {
    let host = SystemHost::new();
    let (done, taken) = run(&sh("echo before; sleep 100 & exit 5"));
    let took = host.monotonic();
    assert_eq!(done.exit, Exit::Code(5));
    assert_eq!(taken.stdout, b"before\n");
    assert_eq!(done.left_running.len(), 1);
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(end(&done).is_empty());
}

#[test]
fn a_helper_that_outlives_the_command_by_a_moment_is_heard() {
    // The helper speaks as soon as the command is a zombie.
    let (_, taken) = run(&sh(
        "(while read -r stat </proc/$$/stat; do case $stat in *') Z '*) break; esac; done; \
          echo late) & echo early",
    ));
    assert_eq!(taken.stdout, b"early\nlate\n");
}

#[test]
fn an_interrupt_is_forwarded_and_a_second_one_hurries() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = sh("trap 'echo int > got' INT; echo $$ > pid; mv pid ready; \
                       while :; do sleep 0.01; done");
    spec.cwd = Some(dir.path().to_owned());
    spec.grace = Duration::from_secs(100);
    let interrupt = Interrupt::new().unwrap();
    let done = std::thread::scope(|scope| {
        scope.spawn(|| {
            pid_in(&dir.path().join("ready"));
            interrupt.raise(2);
            eventually("the command got the signal", || {
                dir.path().join("got").exists()
            });
            interrupt.raise(15);
        });
        let mut sink = Taken::default();
        process::run(&spec, &mut sink, &interrupt, &SystemHost::new()).unwrap()
    });
    assert_eq!(done.interrupted, Some(2));
    assert_eq!(done.exit, Exit::Signal(9));
}

#[test]
fn nothing_is_left_of_thirty_runs_that_resist() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for batch in 0..6 {
            let dir = dir.path();
            scope.spawn(move || (0..5).for_each(|i| resist(&dir.join(format!("{batch}-{i}")), i)));
        }
    });
}

/// A run that hangs, or makes daemons, or stops itself, and ignores what it can.
fn resist(dir: &Path, kind: u32) {
    std::fs::create_dir(dir).expect("a new directory");
    let mut spec = sh(&match kind % 3 {
        0 => daemon(dir, "trap '' TERM; sleep 100"),
        1 => daemon(dir, "(setsid sleep 100 &) ; sleep 100 & exit 1"),
        _ => daemon(dir, "kill -STOP $$"),
    });
    spec.leftovers = Leftovers::End;
    spec.timeout = Some(Duration::from_secs(1));
    spec.grace = GRACE;
    let (done, _) = run(&spec);
    assert!(done.left_running.is_empty(), "{:?}", done.left_running);
    assert!(!is_alive(pid_in(&dir.join("daemon"))), "{dir:?}");
    assert!(!is_alive(pid_in(&dir.join("child"))), "{dir:?}");
}

#[test]
fn a_later_program_ends_what_a_dead_run_left_by_its_marker() {
    let dir = tempfile::tempdir().unwrap();
    let spec = sh(&daemon(dir.path(), "exit 0"));
    let (done, _) = run(&spec);
    assert!(!done.left_running.is_empty());
    let marker = spec.marker.as_ref();
    let host = SystemHost::new();
    let left = process::end(&[], marker, GRACE, &Interrupt::none(), &host).unwrap();
    assert!(left.is_empty(), "{left:?}");
    assert!(!is_alive(pid_in(&dir.path().join("daemon"))));
    assert!(!is_alive(pid_in(&dir.path().join("child"))));
}

#[test]
fn a_subreaper_needs_no_marker() {
    let name = "process_ending::a_subreaper_needs_no_marker";
    if in_role() {
        process::become_subreaper().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut spec = sh(&daemon(dir.path(), "exit 0"));
        spec.marker = None;
        let (kept, _) = run(&spec);
        assert!(!kept.left_running.is_empty());

        // What the first run left is none of the second one's business.
        let again = tempfile::tempdir().unwrap();
        spec.argv[2] = daemon(again.path(), "exit 0").into();
        spec.leftovers = Leftovers::End;
        spec.grace = GRACE;
        let (ended, _) = run(&spec);
        assert!(ended.left_running.is_empty(), "{:?}", ended.left_running);
        assert!(!is_alive(pid_in(&again.path().join("daemon"))));
        assert!(!is_alive(pid_in(&again.path().join("child"))));
        assert!(is_alive(pid_in(&dir.path().join("daemon"))));
        assert!(end(&kept).is_empty());
        return;
    }
    in_a_copy(name);
}

/// Plays the part of the test `name` in a process of its own.
fn in_a_copy(name: &str) {
    let null = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .unwrap();
    // The copy fails as a test does when one of its assertions does.
    assert!(
        start_role(&["env"], name, &null.into())
            .wait()
            .unwrap()
            .success()
    );
}

#[test]
fn who_clears_its_environment_and_becomes_an_orphan_is_found_by_its_control_group() {
    let dir = tempfile::tempdir().unwrap();
    let (_, taken) = run(&sh("cat /proc/self/cgroup"));
    let groups = String::from_utf8(taken.stdout).unwrap();
    let Some(group) = groups.lines().find(|line| line.contains("/recover-")) else {
        skipped("no control group may be made here");
        return;
    };
    let name = group.rsplit('/').next().unwrap();
    let mut spec = sh(
        "env -i PATH=\"$PATH\" setsid sh -c 'echo $$ > lost; sleep 300' \
                       </dev/null >/dev/null 2>&1 & until [ -s lost ]; do :; done; exit 3",
    );
    spec.cwd = Some(dir.path().to_owned());
    let (done, _) = run(&spec);
    let pid = pid_in(&dir.path().join("lost"));
    assert!(
        done.left_running.iter().any(|one| one.pid == pid),
        "{done:?}"
    );
    assert!(end(&done).is_empty());
    assert!(!is_alive(pid));
    drop(done);
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let top = mounts
        .lines()
        .find(|line| line.contains(" - cgroup2 "))
        .unwrap();
    let top = Path::new(top.split(' ').nth(4).unwrap());
    assert!(!top.join(name).exists(), "{name} is left");
}

/// Detaches with a cleared environment, again and again, and writes down that it did.
const HOPS: &str = "echo hop >> hops; sleep 0.00$(($$ % 9)); \
                    env -i PATH=\"$PATH\" setsid sh hops.sh </dev/null >/dev/null 2>&1 & exit";

/// Detaches others with a cleared environment for as long as it may, whatever it is told.
const FORKS: &str = "trap '' TERM HUP INT; while :; do \
                     (env -i PATH=\"$PATH\" setsid sh -c 'trap \"\" TERM; echo hop >> hops; \
                     sleep 300 & wait' &); sleep 0.01; done";

/// What a script of its own, begun by a command that then does what `then` says, leaves of itself
/// once it was ended.
fn escape(script: &str, then: &str) {
    process::become_subreaper().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let hops = dir.path().join("hops");
    std::fs::write(dir.path().join("hops.sh"), script).unwrap();
    let begin = "env -i PATH=\"$PATH\" setsid sh hops.sh </dev/null >/dev/null 2>&1 &";
    let mut spec = sh(&format!(
        "{begin} until [ -s hops ] && [ $(wc -l < hops) -gt 20 ]; do :; done; {then}"
    ));
    spec.cwd = Some(dir.path().to_owned());
    spec.grace = GRACE;
    if then != "exit 3" {
        spec.timeout = Some(Duration::from_secs(1));
    }
    let interrupt = Interrupt::none();
    let (done, _) = run(&spec);
    let host = SystemHost::new();
    let left = done.remains.end(&[], GRACE, &interrupt, &host).unwrap();
    assert!(left.is_empty(), "{left:?}");
    let count = || std::fs::read_to_string(&hops).unwrap().len();
    let (at_end, length) = (host.monotonic(), count());
    while host.monotonic() < at_end + Duration::from_millis(300) {
        assert_eq!(count(), length, "it goes on");
    }
    let begun = dir.path().display().to_string();
    let lives = |pid: i32| {
        let cwd = std::fs::read_link(format!("/proc/{pid}/cwd"));
        cwd.is_ok_and(|cwd| cwd.display().to_string() == begun) && is_alive(pid)
    };
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let mut pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    assert_eq!(pids.find(|pid| lives(*pid)), None);
}

#[test]
fn who_detaches_again_and_again_is_ended_with_the_leftovers() {
    let name = "process_ending::who_detaches_again_and_again_is_ended_with_the_leftovers";
    match in_role() {
        true => escape(HOPS, "exit 3"),
        false => in_a_copy(name),
    }
}

#[test]
fn who_detaches_again_and_again_is_ended_at_the_limit() {
    let name = "process_ending::who_detaches_again_and_again_is_ended_at_the_limit";
    match in_role() {
        true => escape(HOPS, "sleep 300"),
        false => in_a_copy(name),
    }
}

#[test]
fn who_starts_others_for_ever_is_ended_with_the_leftovers() {
    let name = "process_ending::who_starts_others_for_ever_is_ended_with_the_leftovers";
    match in_role() {
        true => escape(FORKS, "exit 3"),
        false => in_a_copy(name),
    }
}

#[test]
fn who_starts_others_for_ever_is_ended_at_the_limit() {
    let name = "process_ending::who_starts_others_for_ever_is_ended_at_the_limit";
    match in_role() {
        true => escape(FORKS, "sleep 300"),
        false => in_a_copy(name),
    }
}

#[test]
fn what_others_started_later_is_no_part_of_the_leftovers() {
    let name = "process_ending::what_others_started_later_is_no_part_of_the_leftovers";
    if !in_role() {
        return in_a_copy(name);
    }
    process::become_subreaper().unwrap();
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (helper, _) = run(&sh(&daemon(first.path(), "exit 1")));
    let (command, _) = run(&sh(&daemon(second.path(), "exit 1")));
    let host = SystemHost::new();
    let kept = &command.left_running;
    let left = helper.remains.end(kept, GRACE, &Interrupt::none(), &host);
    assert!(left.unwrap().is_empty());
    assert!(!is_alive(pid_in(&first.path().join("daemon"))));
    assert!(!is_alive(pid_in(&first.path().join("child"))));
    assert!(is_alive(pid_in(&second.path().join("daemon"))));
    assert!(is_alive(pid_in(&second.path().join("child"))));
    assert!(end(&command).is_empty());
}

#[test]
fn who_outlives_the_command_is_heard_on() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut sink = PassThrough::new(writer.as_fd(), writer.as_fd()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut spec = sh("(until [ -e go ]; do :; done; echo late; echo later >&2) & echo early");
    spec.cwd = Some(dir.path().to_owned());
    let host = SystemHost::new();
    let done = process::run(&spec, &mut sink, &Interrupt::none(), &host).unwrap();
    assert_eq!(done.left_running.len(), 1, "{:?}", done.left_running);
    std::fs::write(dir.path().join("go"), "").unwrap();
    drop((sink, writer));
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["early", "late", "later"]);
}

#[test]
fn a_reader_that_stalls_does_not_hold_up_the_timeout() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut sink = PassThrough::new(writer.as_fd(), writer.as_fd()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut spec = sh("echo $$ > pid; mv pid ready; exec head -c 10000000 /dev/zero");
    spec.cwd = Some(dir.path().to_owned());
    spec.timeout = Some(Duration::from_secs(1));
    let count = std::thread::scope(|scope| {
        let reading = scope.spawn(move || {
            // Nothing is read until the command has ended for want of a reader.
            let pid = pid_in(&dir.path().join("ready"));
            eventually("the command ends", || !is_alive(pid));
            std::io::copy(&mut reader, &mut std::io::sink()).unwrap()
        });
        let host = SystemHost::new();
        let done = process::run(&spec, &mut sink, &Interrupt::none(), &host).unwrap();
        drop((sink, writer));
        assert!(done.timed_out);
        assert_eq!(done.exit, Exit::Signal(15));
        let count = reading.join().unwrap();
        assert_eq!(
            count,
            done.capture.written(Stream::Stdout),
            "all that was read is passed on"
        );
        count
    });
    assert!(count > 64 << 10 && count < 10_000_000, "{count}");
}
