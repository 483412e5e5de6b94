//! One command from start to end.
//!
//! A single loop waits for output, for the end of the command, for the user and for the clock. The
//! command's exit status is collected last, so that its process group cannot become somebody else's
//! while it may still have to be signalled.

mod terminal;

use std::os::fd::AsFd;
use std::time::Duration;

use rustix::process::Signal;

use super::capture::Capture;
use super::clock::Clock;
use super::connect::{Ends, connect};
use super::descendants::{Family, Process};
use super::ending::{END_WAIT, KILL_WAIT, Others, Remains, is_quiet};
use super::events::{Event, Waiting};
use super::foreground::Foreground;
use super::pty::Pty;
use super::pump::Pump;
use super::relay;
use super::sink::OutputSink;
use super::spawn::Started;
use super::spec::{CommandSpec, Completion, Exit, Leftovers};
use super::stdin::Feeder;
use super::watch::{News, Watch};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::interrupt::{Attending, Interrupt};
use crate::platform::control_group::ControlGroup;

/// How long output is still waited for when the command has exited and another process holds its
/// pipe: enough for a `tee` beside the command to finish, too short for anybody to notice.
const LINGER: Duration = Duration::from_millis(100);

/// How long a command that was asked to stop may take before the person is told what comes next:
/// most end before anybody would read it.
const TELL_AFTER: Duration = Duration::from_millis(200);

/// How long helpers that have closed their pipes may take to end before they are named as left.
const SETTLE: Duration = Duration::from_millis(20);

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
    running.complete(sink)
}

/// A started command.
struct Running<'a> {
    spec: &'a CommandSpec,
    interrupt: &'a Interrupt,
    attending: Attending<'a>,
    clock: Clock<'a>,
    started: Started,
    watch: Watch,
    foreground: Option<Foreground>,
    ends: Ends,
    capture: Capture,
    family: Family,
    others: Others,
    phase: Phase,
    /// When what is killed must have ended, however much more of it is found.
    end_by: Option<Duration>,
    exited: bool,
    timed_out: bool,
    deadline_passed: bool,
    interrupted: Option<i32>,
    /// Whether the interrupt was typed while the command had the foreground.
    by_key: bool,
    /// When the person is told that the command is being stopped.
    tell_at: Option<Duration>,
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

impl<'a> Running<'a> {
    fn start(spec: &'a CommandSpec, interrupt: &'a Interrupt, host: &'a dyn Host) -> Result<Self> {
        let before = Family::descendants_before();
        let (streams, ends) = connect(spec)?;
        let clock = Clock {
            host,
            started: host.monotonic(),
            paused: Duration::ZERO,
        };
        let marker = spec.marker.as_ref();
        let control_group = marker.and_then(|marker| ControlGroup::make(&marker.value));
        let started = Started::new(spec, streams, control_group.as_ref())?;
        // Before anything else: a command soon looks whether it has the terminal.
        let terminal = spec.controlling_terminal.as_ref();
        let foreground = terminal.map(|terminal| Foreground::new(terminal, started.pid()));
        let watch = Watch::start(started.pid())
            .map_err(|e| Error::os(format!("watch `{}`", spec.program().to_string_lossy()), e))?;
        Ok(Self {
            spec,
            interrupt,
            attending: interrupt.attend(),
            clock,
            family: Family::new(started.pid(), spec.marker.clone(), before).within(control_group),
            started,
            watch,
            foreground,
            ends,
            capture: Capture::new(spec.capture_head, spec.capture_tail),
            others: Others::default(),
            phase: Phase::Running,
            end_by: None,
            exited: false,
            timed_out: false,
            deadline_passed: false,
            interrupted: None,
            by_key: false,
            tell_at: None,
            ran_for: Duration::ZERO,
        })
    }

    fn until_over(&mut self, sink: &mut dyn OutputSink) -> Result<()> {
        loop {
            while !self.is_over() {
                let events = self.wait(sink)?;
                self.handle(&events, sink);
                self.keep_time(sink);
            }
            if !self.was_ended_by_key() {
                return Ok(());
            }
        }
    }

    fn wait(&self, sink: &dyn OutputSink) -> Result<Vec<Event>> {
        let mut waiting = Waiting::default();
        if !self.exited {
            waiting.readable(Some(self.watch.as_fd()), Event::News);
        }
        match (self.interrupted, self.phase) {
            (None, _) => waiting.readable(self.interrupt.first(), Event::Interrupted),
            // What was typed nobody else knows of yet.
            (Some(_), Phase::Ending { .. }) if self.by_key => {
                waiting.readable(self.interrupt.first(), Event::Hurried);
            }
            (Some(_), Phase::Ending { .. }) => {
                waiting.readable(self.interrupt.second(), Event::Hurried);
            }
            (Some(_), _) => {}
        }
        let typed = self.foreground.as_ref().and_then(Foreground::typed);
        waiting.readable(typed, Event::Typed);
        if let Some(foreground) = &self.foreground {
            let (readable, writable) = foreground.keys_wait();
            waiting.readable(readable, Event::Keys);
            waiting.writable(writable, Event::Keys);
            let is_watched = !self.exited && !self.ends.ptys.is_empty();
            let unread = foreground.unread().filter(|_| is_watched);
            waiting.readable(unread, Event::Unread);
        }
        waiting.readable(self.attending.nudged(), Event::Nudged);
        if let Some(feeder) = &self.ends.feeder {
            waiting.readable(feeder.readable(), Event::Feed);
            waiting.writable(feeder.writable(), Event::Feed);
        }
        for (number, pump) in self.ends.pumps.iter().enumerate() {
            waiting.readable(pump.readable(), Event::Readable(number));
            if pump.waits_for_sink() {
                waiting.writable(sink.wait_on(pump.stream()), Event::Writable(number));
            }
        }
        for (number, handle) in self.others.handles().enumerate() {
            waiting.readable(Some(handle), Event::Gone(number));
        }
        let now = self.clock.now();
        let moment = self.next_moment().map(|at| at.saturating_sub(now));
        let foreground = self.foreground.as_ref().filter(|_| !self.exited);
        let unread = foreground.and_then(Foreground::unread_wait);
        waiting.wait(moment.into_iter().chain(unread).min())
    }

    /// The moment at which something has to be done though nothing happens.
    fn next_moment(&self) -> Option<Duration> {
        match self.phase {
            Phase::Running => self.clock.limit(self.spec).map(|limit| limit.at),
            Phase::Ending { kill_at } => {
                Some(self.tell_at.map_or(kill_at, |tell_at| kill_at.min(tell_at)))
            }
            Phase::Killing { give_up_at } => Some(give_up_at),
            // Past that moment only the sink, the user or the deadline can bring anything on.
            Phase::Draining { until } => match self.clock.now() < until {
                true => Some(until),
                false => self.spec.deadline.filter(|_| !self.deadline_passed),
            },
        }
    }

    fn handle(&mut self, events: &[Event], sink: &mut dyn OutputSink) {
        let mut gone = Vec::new();
        for &event in events {
            match event {
                Event::Readable(number) => {
                    self.look_at_terminal();
                    self.ends.pumps[number].read(&mut self.capture, sink);
                    self.serve_keys();
                }
                Event::Writable(number) => self.ends.pumps[number].pass_on(sink),
                Event::Feed => self.ends.feeder.iter_mut().for_each(Feeder::step),
                Event::Gone(number) => gone.push(number),
                Event::Nudged => self.nudged(),
                Event::News => match self.watch.read() {
                    News::Exited => self.command_exited(),
                    News::Stopped(signal) => self.command_stopped(signal),
                },
                Event::Interrupted => {
                    self.interrupted = self.interrupt.raised();
                    let signal = self.interrupted.unwrap_or(Signal::INT.as_raw());
                    self.ask_to_end(signal);
                }
                Event::Typed => self.typed(),
                Event::Keys => self.foreground.iter_mut().for_each(Foreground::pass_keys),
                Event::Unread => self.pass_unread(),
                Event::Hurried => self.kill(),
            }
        }
        if events.is_empty() {
            self.look_at_unread();
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
                let limit = self.clock.limit(self.spec);
                let Some(limit) = limit.filter(|limit| limit.at <= now) else {
                    return;
                };
                self.timed_out = !limit.is_deadline;
                self.deadline_passed = limit.is_deadline;
                self.ask_to_end(Signal::TERM.as_raw());
            }
            Phase::Ending { kill_at } if kill_at <= now => {
                if !self.is_taken_up() {
                    self.kill();
                }
            }
            Phase::Ending { .. } if self.tell_at.is_some_and(|at| at <= now) => {
                self.tell_at = None;
                sink.stopping(self.spec.grace);
            }
            Phase::Killing { give_up_at } if give_up_at <= now => self.give_up(),
            Phase::Draining { until } if until <= now => {
                for pump in self.ends.pumps.iter_mut().filter(|pump| !pump.is_drained()) {
                    if pump.waits_for_sink() {
                        pump.pass_on(sink);
                    } else {
                        pump.read(&mut self.capture, sink);
                    }
                }
                let is_late = self.spec.deadline.is_some_and(|at| at <= now);
                // What the command has written is a part of it.
                self.deadline_passed |= is_late && !self.is_over();
            }
            Phase::Ending { .. } | Phase::Killing { .. } | Phase::Draining { .. } => {}
        }
    }

    fn is_over(&self) -> bool {
        let Phase::Draining { until } = self.phase else {
            return false;
        };
        if self.ends.pumps.iter().all(Pump::is_closed) {
            return true;
        }
        // Output is lost to a reader who has stalled only when the user no longer waits either.
        let nobody_waits = self.interrupted.is_some() || self.deadline_passed;
        until <= self.clock.now() && (nobody_waits || self.ends.pumps.iter().all(Pump::is_drained))
    }

    fn command_exited(&mut self) {
        self.exited = true;
        self.ran_for = self.clock.elapsed();
        for pump in &mut self.ends.pumps {
            pump.command_exited();
        }
        match (self.phase, self.spec.leftovers) {
            (Phase::Running, Leftovers::Keep) => self.drain(),
            (Phase::Running, Leftovers::End) => self.ask_to_end(Signal::TERM.as_raw()),
            (Phase::Ending { .. } | Phase::Killing { .. }, _) => {
                if self.interrupted.is_some() {
                    // A shell's jobs in the background do not hear an interrupt.
                    self.others.ask_again();
                }
                self.look_for_end();
            }
            (Phase::Draining { .. }, _) => {}
        }
    }

    /// Asks everything to end: the group by `signal`, what left the group by `TERM`.
    fn ask_to_end(&mut self, signal: i32) {
        let signal = Signal::from_named_raw(signal).unwrap_or(Signal::TERM);
        self.begin_ending(Some(signal));
    }

    /// Asks everything to end; without a signal, the group was asked already.
    fn begin_ending(&mut self, signal: Option<Signal>) {
        let kill_at = self.clock.now().saturating_add(self.spec.grace);
        self.phase = match self.phase {
            // Asking once more gives no more time.
            Phase::Ending { kill_at: earlier } => Phase::Ending {
                kill_at: earlier.min(kill_at),
            },
            Phase::Killing { .. } => return,
            Phase::Running | Phase::Draining { .. } => Phase::Ending { kill_at },
        };
        if signal.is_none_or(|signal| signal == Signal::INT) {
            self.tell_at = Some(self.clock.now().saturating_add(TELL_AFTER));
        }
        self.others.look(&self.family);
        if let Some(signal) = signal {
            self.foreground.iter_mut().for_each(|f| f.expect(signal));
            self.started.signal(signal);
        }
        self.started.signal(Signal::CONT);
        if !self.exited {
            self.others.group_was_asked();
        }
        self.others.ask();
        self.look_for_end();
    }

    /// Kills everything.
    fn kill(&mut self) {
        self.started.signal(Signal::KILL);
        self.kill_others();
        self.look_for_end();
    }

    /// Stops what left the group, so that it starts nothing new, and kills it.
    fn kill_others(&mut self) {
        self.family.kill_control_group();
        self.others.freeze(&self.family, self.clock.host);
        self.others.kill();
        let now = self.clock.now();
        let end_by = self.end_by.get_or_insert(now.saturating_add(END_WAIT));
        self.phase = Phase::Killing {
            give_up_at: now.saturating_add(KILL_WAIT).min(*end_by),
        };
    }

    /// Goes on when everything known has ended, unless something new is found.
    fn look_for_end(&mut self) {
        if !self.exited || self.others.has_handles() {
            return;
        }
        self.others.look(&self.family);
        if self.others.is_empty() && is_quiet(&self.family, &mut self.others) {
            return self.drain();
        }
        match self.phase {
            Phase::Ending { .. } => self.others.ask(),
            Phase::Killing { .. } if self.end_by.is_some_and(|at| at <= self.clock.now()) => {
                self.drain();
            }
            Phase::Killing { .. } => self.kill_others(),
            Phase::Running | Phase::Draining { .. } => {}
        }
    }

    /// What was killed does not go: it waits in the kernel, or is not ours to kill. What the
    /// command has written until now is still fetched.
    fn give_up(&mut self) {
        if !self.exited {
            self.ran_for = self.clock.elapsed();
            for pump in &mut self.ends.pumps {
                pump.command_exited();
            }
        }
        self.drain();
    }

    fn drain(&mut self) {
        self.phase = Phase::Draining {
            until: self.clock.now().saturating_add(LINGER),
        };
    }

    fn complete(mut self, sink: &dyn OutputSink) -> Result<Completion> {
        if let Some(feeder) = self.ends.feeder.take() {
            feeder.finish();
        }
        let exit = if self.exited {
            self.started.collect()?
        } else {
            // Killed, and still there: it is named below.
            self.started.abandon()
        };
        if let Some(mut foreground) = self.foreground.take() {
            foreground.take_back(matches!(exit, Exit::Signal(_)));
        }
        if let Some(signal) = self.interrupted.filter(|_| self.by_key) {
            // Now everybody is told.
            self.interrupt.raise(signal);
        }
        let mut is_gone = self.exited && self.family.is_surely_gone();
        if !is_gone {
            self.look_at_what_stays()?;
            self.family.collect_ended();
            is_gone = self.exited && self.others.is_empty() && self.is_surely_quiet();
        }
        let mut left_running = self.others.into_processes();
        if !self.exited {
            left_running.extend(Process::find(self.started.pid()));
        }
        self.ends.ptys.iter().for_each(Pty::end_packets);
        for pump in &mut self.ends.pumps {
            if let Some(source) = pump.take_source().filter(|_| !left_running.is_empty()) {
                relay::leave(source, sink.outlive(pump.stream()));
            }
        }
        Ok(Completion {
            exit,
            timed_out: self.timed_out,
            deadline_passed: self.deadline_passed,
            interrupted: self.interrupted,
            duration: self.ran_for,
            paused: self.clock.paused,
            remains: Remains::new(self.family, &left_running, is_gone),
            left_running,
            output_error: self
                .ends
                .pumps
                .iter_mut()
                .find_map(|pump| Some((pump.stream(), pump.take_error()?))),
            capture: self.capture,
        })
    }

    /// Whether nothing of this run is there, also nothing that is too quick to be found in one
    /// look. Only who adopts orphans can know.
    fn is_surely_quiet(&mut self) -> bool {
        let family = &self.family;
        family.is_surely_gone() || (family.is_adopting() && is_quiet(family, &mut self.others))
    }

    /// Looks for processes that are still there, but not for those that are just about to end.
    fn look_at_what_stays(&mut self) -> Result<()> {
        let until = self.clock.now().saturating_add(SETTLE);
        self.others.look(&self.family);
        while !self.others.is_empty() {
            let left = until.saturating_sub(self.clock.now());
            if left.is_zero() {
                break;
            }
            self.others.wait(None, left)?;
            self.others.look(&self.family);
        }
        Ok(())
    }
}
