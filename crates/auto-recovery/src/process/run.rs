//! One command from start to end.
//!
//! A single loop waits for output, for the end of the command, for the user and for the clock. The
//! command's exit status is collected last, so that its process group cannot become somebody else's
//! while it may still have to be signalled.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;
use std::time::Duration;

use rustix::io::ioctl_fionbio;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Signal;

use super::capture::{Capture, Stream};
use super::descendants::{Family, Process};
use super::ending::{KILL_WAIT, Others};
use super::events::{Event, Waiting};
use super::interrupt::Interrupt;
use super::pump::Pump;
use super::sink::OutputSink;
use super::spawn::{Started, Streams};
use super::spec::{CommandSpec, Completion, Leftovers, Stdin};
use super::watch::{News, Watch};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;

/// How long output is still waited for when the command has exited and another process holds its
/// pipe: enough for a `tee` beside the command to finish, too short for anybody to notice.
const LINGER: Duration = Duration::from_millis(100);

/// Runs a command: passes its output on to `sink` as it comes, ends it when a limit passes or the
/// user asks to stop, and returns when it is over.
///
/// A command that cannot be started is an error of the kind `CommandNotFound` or `NotExecutable`;
/// whatever a started command does is a [`Completion`]. Nothing is started once `interrupt` was
/// raised (`Interrupted`) or the deadline has passed (`TimedOut`).
pub fn run(
    spec: &CommandSpec,
    sink: &mut dyn OutputSink,
    interrupt: &Interrupt,
    host: &dyn Host,
) -> Result<Completion> {
    let name = spec.program().to_string_lossy();
    if interrupt.raised().is_some() {
        let context = format!("`{name}` was not started: interrupted");
        return Err(Error::new(ErrorKind::Interrupted, context));
    }
    if spec.deadline.is_some_and(|at| at <= host.monotonic()) {
        let context = format!("`{name}` was not started: the deadline has passed");
        return Err(Error::new(ErrorKind::TimedOut, context));
    }
    let mut running = Running::start(spec, interrupt, host)?;
    running.until_over(sink)?;
    running.complete()
}

/// A started command.
struct Running<'a> {
    spec: &'a CommandSpec,
    interrupt: &'a Interrupt,
    clock: Clock<'a>,
    started: Started,
    watch: Watch,
    pumps: Vec<Pump>,
    capture: Capture,
    family: Family,
    others: Others,
    phase: Phase,
    exited: bool,
    timed_out: bool,
    deadline_passed: bool,
    interrupted: Option<i32>,
    ran_for: Duration,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// The command runs.
    Running,
    /// It and all it started were asked to end.
    Ending { kill_at: Duration },
    /// They were killed.
    Killing { give_up_at: Duration },
    /// It has exited; the rest of its output is fetched.
    Draining { until: Duration },
}

/// The host's clock, without the time that the command was stopped by job control.
struct Clock<'a> {
    host: &'a dyn Host,
    started: Duration,
    paused: Duration,
}

impl Clock<'_> {
    fn now(&self) -> Duration {
        self.host.monotonic().saturating_sub(self.paused)
    }
}

impl<'a> Running<'a> {
    fn start(spec: &'a CommandSpec, interrupt: &'a Interrupt, host: &'a dyn Host) -> Result<Self> {
        let before = Family::children_before();
        let (streams, pumps) = connect(spec)?;
        let clock = Clock {
            host,
            started: host.monotonic(),
            paused: Duration::ZERO,
        };
        let started = Started::new(spec, streams)?;
        let watch = Watch::start(started.pid())
            .map_err(|e| Error::os(format!("watch `{}`", spec.program().to_string_lossy()), e))?;
        Ok(Self {
            spec,
            interrupt,
            clock,
            family: Family::new(started.pid(), spec.marker.clone(), before),
            started,
            watch,
            pumps,
            capture: Capture::new(spec.capture_head, spec.capture_tail),
            others: Others::default(),
            phase: Phase::Running,
            exited: false,
            timed_out: false,
            deadline_passed: false,
            interrupted: None,
            ran_for: Duration::ZERO,
        })
    }

    fn until_over(&mut self, sink: &mut dyn OutputSink) -> Result<()> {
        while !self.is_over() {
            let events = self.wait(sink)?;
            self.handle(&events, sink);
            self.keep_time(sink);
        }
        Ok(())
    }

    fn wait(&self, sink: &dyn OutputSink) -> Result<Vec<Event>> {
        let mut waiting = Waiting::default();
        if !self.exited {
            waiting.readable(Some(self.watch.as_fd()), Event::News);
        }
        match (self.interrupted, self.phase) {
            (None, _) => waiting.readable(self.interrupt.first(), Event::Interrupted),
            (Some(_), Phase::Ending { .. }) => {
                waiting.readable(self.interrupt.second(), Event::Hurried);
            }
            (Some(_), _) => {}
        }
        for (number, pump) in self.pumps.iter().enumerate() {
            waiting.readable(pump.readable(), Event::Readable(number));
            if pump.waits_for_sink() {
                waiting.writable(sink.wait_on(pump.stream()), Event::Writable(number));
            }
        }
        for (number, handle) in self.others.handles().enumerate() {
            waiting.readable(Some(handle), Event::Gone(number));
        }
        let now = self.clock.now();
        waiting.wait(self.next_moment().map(|at| at.saturating_sub(now)))
    }

    /// The moment at which something has to be done though nothing happens.
    fn next_moment(&self) -> Option<Duration> {
        match self.phase {
            Phase::Running => self.limit().map(|limit| limit.at),
            Phase::Ending { kill_at } => Some(kill_at),
            Phase::Killing { give_up_at } => Some(give_up_at),
            // Past that moment only the sink or the user can bring anything on.
            Phase::Draining { until } => (self.clock.now() < until).then_some(until),
        }
    }

    /// The limit on time that comes first.
    fn limit(&self) -> Option<Limit> {
        let timeout = self.spec.timeout.map(|timeout| Limit {
            at: self.clock.started.saturating_add(timeout),
            is_deadline: false,
        });
        let deadline = self.spec.deadline.map(|at| Limit {
            at,
            is_deadline: true,
        });
        [timeout, deadline]
            .into_iter()
            .flatten()
            .min_by_key(|limit| limit.at)
    }

    fn handle(&mut self, events: &[Event], sink: &mut dyn OutputSink) {
        let mut gone = Vec::new();
        for &event in events {
            match event {
                Event::Readable(number) => self.pumps[number].read(&mut self.capture, sink),
                Event::Writable(number) => self.pumps[number].pass_on(sink),
                Event::Gone(number) => gone.push(number),
                Event::News => match self.watch.read() {
                    News::Exited => self.command_exited(),
                    News::Stopped(_) => {}
                },
                Event::Interrupted => {
                    self.interrupted = self.interrupt.raised();
                    self.end(self.interrupted.unwrap_or(Signal::INT.as_raw()));
                }
                Event::Hurried => self.kill(),
            }
        }
        if !gone.is_empty() {
            self.others.forget(&gone);
            self.look_for_end();
        }
    }

    fn keep_time(&mut self, sink: &mut dyn OutputSink) {
        let now = self.clock.now();
        match self.phase {
            Phase::Running => {
                let Some(limit) = self.limit().filter(|limit| limit.at <= now) else {
                    return;
                };
                self.timed_out = !limit.is_deadline;
                self.deadline_passed = limit.is_deadline;
                self.end(Signal::TERM.as_raw());
            }
            Phase::Ending { kill_at } if kill_at <= now => self.kill(),
            Phase::Killing { give_up_at } if give_up_at <= now => self.drain(),
            Phase::Draining { until } if until <= now => {
                for pump in self.pumps.iter_mut().filter(|pump| !pump.is_drained()) {
                    if pump.waits_for_sink() {
                        pump.pass_on(sink);
                    } else {
                        pump.read(&mut self.capture, sink);
                    }
                }
            }
            Phase::Ending { .. } | Phase::Killing { .. } | Phase::Draining { .. } => {}
        }
    }

    fn is_over(&self) -> bool {
        let Phase::Draining { until } = self.phase else {
            return false;
        };
        if self.pumps.iter().all(Pump::is_closed) {
            return true;
        }
        // Output is lost to a reader who has stalled only when the user no longer waits either.
        until <= self.clock.now()
            && (self.interrupted.is_some() || self.pumps.iter().all(Pump::is_drained))
    }

    fn command_exited(&mut self) {
        self.exited = true;
        self.ran_for = self.clock.now().saturating_sub(self.clock.started);
        for pump in &mut self.pumps {
            pump.command_exited();
        }
        match (self.phase, self.spec.leftovers) {
            (Phase::Running, Leftovers::Keep) => self.drain(),
            (Phase::Running, Leftovers::End) => self.end(Signal::TERM.as_raw()),
            (Phase::Ending { .. } | Phase::Killing { .. }, _) => self.look_for_end(),
            (Phase::Draining { .. }, _) => {}
        }
    }

    /// Asks everything to end: the group by `signal`, what left the group by `TERM`.
    fn end(&mut self, signal: i32) {
        let signal = Signal::from_named_raw(signal).unwrap_or(Signal::TERM);
        self.phase = Phase::Ending {
            kill_at: self.clock.now().saturating_add(self.spec.grace),
        };
        self.others.look(&self.family);
        self.started.signal(signal);
        self.started.signal(Signal::CONT);
        self.others.group_was_asked();
        self.others.ask();
        self.look_for_end();
    }

    /// Kills everything.
    fn kill(&mut self) {
        self.phase = Phase::Killing {
            give_up_at: self.clock.now().saturating_add(KILL_WAIT),
        };
        self.started.signal(Signal::KILL);
        self.others.look(&self.family);
        self.others.kill();
        self.look_for_end();
    }

    /// Goes on when everything known has ended, unless something new is found.
    fn look_for_end(&mut self) {
        if !self.exited || !self.others.is_empty() {
            return;
        }
        self.others.look(&self.family);
        if self.others.is_empty() {
            return self.drain();
        }
        match self.phase {
            Phase::Ending { .. } => self.others.ask(),
            Phase::Killing { .. } => self.others.kill(),
            Phase::Running | Phase::Draining { .. } => {}
        }
    }

    fn drain(&mut self) {
        self.phase = Phase::Draining {
            until: self.clock.now().saturating_add(LINGER),
        };
    }

    fn complete(mut self) -> Result<Completion> {
        let exit = if self.exited {
            self.started.collect()?
        } else {
            // Killed, and still waiting in the kernel: it is named below.
            self.started.abandon()
        };
        if !self.exited || !self.family.is_surely_gone() {
            self.others.look(&self.family);
            self.family.collect_ended();
        }
        let mut left_running = self.others.into_processes();
        if !self.exited {
            left_running.extend(Process::find(self.started.pid()));
        }
        Ok(Completion {
            exit,
            timed_out: self.timed_out,
            deadline_passed: self.deadline_passed,
            interrupted: self.interrupted,
            duration: self.ran_for,
            paused: self.clock.paused,
            left_running,
            output_error: self.pumps.iter_mut().find_map(Pump::take_error),
            capture: self.capture,
        })
    }
}

/// The streams for the command, and our ends of them.
fn connect(spec: &CommandSpec) -> Result<(Streams, Vec<Pump>)> {
    let failed = |e: io::Error| {
        let name = spec.program().to_string_lossy();
        Error::os(format!("connect the streams of `{name}`"), e)
    };
    let (out, stdout) = pipe().map_err(failed)?;
    let (err, stderr) = pipe().map_err(failed)?;
    let stdin = match &spec.stdin {
        Stdin::Inherit => Stdio::inherit(),
        Stdin::Null => Stdio::null(),
        Stdin::File(file) => file.try_clone().map_err(failed)?.into(),
    };
    let streams = Streams {
        stdin,
        stdout: stdout.into(),
        stderr: stderr.into(),
    };
    let pumps = vec![
        Pump::new(Stream::Stdout, out),
        Pump::new(Stream::Stderr, err),
    ];
    Ok((streams, pumps))
}

/// A pipe whose reading end, ours, does not block.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    ioctl_fionbio(&ours, true)?;
    Ok((ours, theirs))
}

/// A limit on time.
struct Limit {
    at: Duration,
    is_deadline: bool,
}
