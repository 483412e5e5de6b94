//! The one line that moves: what is being done right now, on a terminal, below everything else.
//!
//! It is there only while stderr is a terminal that can take a line back, and the last thing
//! written ended its line, so that it never covers what a command wrote. Elsewhere it does nothing.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use auto_recovery::host::Host;
use auto_recovery::mutex;
use auto_recovery::wording::spelled;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::output::screen::Screen;
use crate::output::{Printer, Verbosity, escape_text, fold, masked};

/// How often the line moves: slow enough to cost nothing, fast enough to live.
const TICK: Duration = Duration::from_millis(250);
/// Columns of the text at most.
const TEXT_COLUMNS: u16 = 50;
/// Columns of a terminal's line that are for what moves and the time, and for what is typed.
const TIME_COLUMNS: u16 = 26;

/// The line that moves.
pub(crate) struct Status {
    state: Option<Mutex<State>>,
    host: Arc<dyn Host>,
    /// When the run must have ended, on the host's monotonic clock.
    deadline: Option<Duration>,
    columns: u16,
}

struct State {
    /// What is being done, and until when it may last.
    doing: Option<(String, Option<Duration>)>,
    /// The line, while it is on the screen.
    bar: Option<ProgressBar>,
    /// Whether whatever was written last on the terminal ended its line.
    at_line_start: bool,
}

impl Status {
    /// A line on stderr, if that is such a terminal and `printer` may say more than warnings. The
    /// run may last for `limit`.
    pub(crate) fn new(printer: &Printer, host: Arc<dyn Host>, limit: Option<Duration>) -> Self {
        let columns = printer.columns_of_stderr;
        let moves = columns.is_some() && printer.can_take_back;
        let wanted = moves && printer.verbosity >= Verbosity::Normal;
        let state = State {
            doing: None,
            bar: None,
            at_line_start: true,
        };
        let deadline = limit.map(|limit| host.monotonic().saturating_add(limit));
        Self {
            state: wanted.then(|| Mutex::new(state)),
            host,
            deadline,
            columns: columns.unwrap_or_default(),
        }
    }

    /// Something is being done, for as long as it takes.
    pub(crate) fn working(&self, what: &str) {
        self.show(&masked(what), self.deadline);
    }

    /// Something is waited for, for `duration`.
    pub(crate) fn waiting(&self, what: &str, duration: Duration) {
        self.show(what, Some(self.host.monotonic().saturating_add(duration)));
    }

    /// Nothing is being done.
    pub(crate) fn idle(&self) {
        if let Some(mut state) = self.lock() {
            state.doing = None;
            state.hide();
        }
    }

    /// Does `write`, which ends its line, with this line out of the way.
    pub(crate) fn over<T>(&self, write: impl FnOnce() -> T) -> T {
        self.around(true, write)
    }

    /// Passes on what a command wrote, with this line out of the way; it comes back when that ended
    /// its line.
    pub(crate) fn passing<T>(&self, bytes: &[u8], write: impl FnOnce() -> T) -> T {
        self.around(bytes.ends_with(b"\n"), write)
    }

    fn around<T>(&self, ends_line: bool, write: impl FnOnce() -> T) -> T {
        let Some(mut state) = self.lock() else {
            return write();
        };
        state.at_line_start = ends_line;
        match &state.bar {
            Some(bar) if ends_line => bar.suspend(write),
            _ => {
                state.hide();
                let value = write();
                self.draw(&mut state);
                value
            }
        }
    }

    fn show(&self, what: &str, until: Option<Duration>) {
        let Some(mut state) = self.lock() else { return };
        let columns = self.columns.saturating_sub(TIME_COLUMNS).min(TEXT_COLUMNS);
        let text = fold(&escape_text(what), columns.into(), 0).swap_remove(0);
        state.doing = Some((text, until));
        state.hide();
        self.draw(&mut state);
    }

    /// Puts the line on the screen, if something is being done and it would cover nothing.
    fn draw(&self, state: &mut State) {
        let (Some((text, until)), true, None) = (&state.doing, state.at_line_start, &state.bar)
        else {
            return;
        };
        let left = until.map(|until| until.saturating_sub(self.host.monotonic()));
        let style = ProgressStyle::with_template("{spinner} {msg} · {took}{left}");
        let Ok(style) = style else { return };
        let screen = Box::new(Screen::new(self.columns));
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::term_like(screen));
        let style = style.with_key(
            "took",
            |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                // A line that cannot be drawn is not worth failing for.
                let _ = write!(out, "{}", spelled(whole_seconds(state.elapsed())));
            },
        );
        bar.set_style(style.with_key(
            "left",
            move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                if let Some(left) = left {
                    let left = whole_seconds(left.saturating_sub(state.elapsed()));
                    let _ = match left {
                        Duration::ZERO => Ok(()),
                        left => write!(out, ", {} left", spelled(left)),
                    };
                }
            },
        ));
        bar.set_message(text.clone());
        bar.enable_steady_tick(TICK);
        state.bar = Some(bar);
    }

    fn lock(&self) -> Option<MutexGuard<'_, State>> {
        let state = self.state.as_ref()?;
        Some(mutex::lock(state))
    }
}

/// `duration` without its fraction of a second: the line moves a few times a second.
fn whole_seconds(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}

impl State {
    fn hide(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
