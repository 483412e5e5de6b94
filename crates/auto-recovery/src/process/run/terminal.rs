//! The running command and its terminals: job control, typed signals, and the terminals of ours
//! that it writes to.

use rustix::process::Signal;

use super::{Phase, Running};
use crate::exit::EXIT_SIGNAL_BASE;
use crate::interrupt::{stop_our_group, stop_ourselves};
use crate::process::descendants::is_stopped;
use crate::process::foreground::Foreground;
use crate::process::spec::Exit;

impl Running<'_> {
    /// Handles a stop of the command by job control. A command that reaches for the terminal gets
    /// it if it is ours to give; any other stop is ours too.
    pub(super) fn command_stopped(&mut self, signal: i32) {
        if !is_stopped(self.started.pid()) {
            // The report is from before it was continued.
            return;
        }
        let Some(foreground) = &mut self.foreground else {
            return;
        };
        let reaches = [Signal::TTIN, Signal::TTOU].map(Signal::as_raw);
        if !matches!(self.phase, Phase::Running) || (reaches.contains(&signal) && foreground.lend())
        {
            self.started.signal(Signal::CONT);
        } else if !self.pause(stop_our_group) && signal == Signal::TSTP.as_raw() {
            // Where nothing could continue us, the key that pauses does nothing.
            self.started.signal(Signal::CONT);
        }
    }

    pub(super) fn nudged(&mut self) {
        let nudge = self.attending.take();
        if nudge.resized {
            self.mirror_sizes();
            self.started.signal(Signal::WINCH);
        }
        if nudge.pause {
            self.started.signal(Signal::TSTP);
            if !self.pause(stop_ourselves) {
                // Where nothing could continue us, nothing could continue the command either.
                self.started.signal(Signal::CONT);
            }
        }
        for signal in nudge.forwarded {
            self.started.tell(signal);
        }
    }

    /// Handles a typed signal that ends programs. The first time, the terminal has asked the
    /// command's group to end; the second time, the user is out of patience.
    pub(super) fn typed(&mut self) {
        let typed = self.foreground.as_mut().and_then(Foreground::take_typed);
        let Some(signal) = typed else { return };
        self.interrupt.share_typed(signal);
        let signal = signal.as_raw();
        match (self.phase, self.interrupted) {
            (Phase::Ending { .. }, Some(_)) => return self.kill(),
            (Phase::Killing { .. }, _) => return,
            (Phase::Running | Phase::Draining { .. }, None) => return self.end_by_key(signal),
            (Phase::Running | Phase::Draining { .. } | Phase::Ending { .. }, _) => {}
        }
        self.by_key = self.interrupted.is_none();
        self.interrupted.get_or_insert(signal);
    }

    fn end_by_key(&mut self, signal: i32) {
        self.interrupted = Some(signal);
        self.by_key = true;
        self.begin_ending(None);
    }

    /// Whether a typed signal ended the command, which is over, so that everything it started ends
    /// too. Keys go to the command alone while it has the terminal. A command that ends like an
    /// interrupted program was interrupted by the user, even if the signal was not seen.
    pub(super) fn was_ended_by_key(&mut self) -> bool {
        let Some(foreground) = self.foreground.as_mut().filter(|_| self.exited) else {
            return false;
        };
        if self.interrupted.is_some() {
            return false;
        }
        let seen = foreground.last_typed();
        seen.into_iter().for_each(|s| self.interrupt.share_typed(s));
        let seen = seen.map(Signal::as_raw);
        let signal = match self.started.exit() {
            Some(Exit::Signal(signal)) => signal,
            Some(Exit::Code(code)) => code - EXIT_SIGNAL_BASE,
            None => 0,
        };
        let ends = [Signal::INT, Signal::QUIT, Signal::HUP].map(Signal::as_raw);
        let by_us = self.timed_out || self.deadline_passed;
        let is_shown = foreground.is_lent() && !by_us && ends.contains(&signal);
        let Some(signal) = seen.or(is_shown.then_some(signal)) else {
            return false;
        };
        foreground.watch_on();
        self.end_by_key(signal);
        true
    }

    /// Whether the program gave the typed interrupt the meaning of its own prompt: it reads keys
    /// again. Then it continues, and no interrupt counts.
    pub(super) fn is_taken_up(&mut self) -> bool {
        let by_key = self.by_key && matches!(self.phase, Phase::Ending { .. });
        if self.exited || self.timed_out || self.deadline_passed || !by_key {
            return false;
        }
        let taken_up = self.foreground.as_mut().is_some_and(Foreground::look);
        if taken_up {
            self.phase = Phase::Running;
            self.interrupted = None;
            self.by_key = false;
            self.tell_at = None;
        }
        taken_up
    }

    /// Stops us with `stop`, if that is possible, and continues the command when we are continued.
    fn pause(&mut self, stop: fn() -> bool) -> bool {
        self.foreground.iter_mut().for_each(Foreground::rest_keys);
        let before = self.clock.host.monotonic();
        let stopped = stop();
        self.clock.paused += self.clock.host.monotonic().saturating_sub(before);
        if stopped {
            self.foreground.iter_mut().for_each(Foreground::lend_again);
            self.started.signal(Signal::CONT);
        }
        stopped
    }

    /// Handles news from a terminal of ours: it may have been set for reading keys, or back.
    pub(super) fn serve_keys(&mut self) {
        if let Some(foreground) = self.foreground.as_mut().filter(|_| !self.exited) {
            let mut set = self
                .ends
                .ptys
                .iter()
                .filter(|pty| pty.key_modes().is_some());
            foreground.serve_keys(set.next());
        }
    }

    /// Handles keys typed at the person's terminal: the command may wait for them at one of ours.
    pub(super) fn pass_unread(&mut self) {
        if let Some(foreground) = self.foreground.as_mut().filter(|_| !self.exited) {
            foreground.pass_unread(&self.ends.ptys);
        }
    }

    /// Looks at unread keys after a quiet moment: a program may wait for them by now.
    pub(super) fn look_at_unread(&mut self) {
        let foreground = self.foreground.as_ref();
        if foreground.is_some_and(|foreground| foreground.unread_wait().is_some()) {
            self.pass_unread();
        }
    }

    /// Looks at the terminals' settings, because there is output.
    pub(super) fn look_at_terminal(&mut self) {
        self.mirror_sizes();
        self.foreground.iter_mut().for_each(|foreground| {
            foreground.look();
        });
        self.is_taken_up();
    }

    /// While the command has the foreground the system reports a change of size to the command
    /// alone. The size matters to output, so we look when there is some; the command may have
    /// looked before us, and is signalled again.
    fn mirror_sizes(&mut self) {
        if self.ends.mirror_sizes() {
            self.started.signal(Signal::WINCH);
        }
    }
}
