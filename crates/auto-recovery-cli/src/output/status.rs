//! The one line that moves: what is being done right now, on a terminal, below everything else.
//!
//! It is there only while stderr is a terminal and the last thing written ended its line, so that it
//! never covers what a command wrote. Elsewhere it does nothing.

use std::io::{self, IsTerminal as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::{Printer, Verbosity, escape_text};

/// How often the line moves: slow enough to cost nothing, fast enough to live.
const TICK: Duration = Duration::from_millis(250);
/// Columns of the text; the rest is for the time.
const TEXT_CHARS: usize = 60;

/// The line that moves.
pub(crate) struct Status {
    state: Option<Mutex<State>>,
}

struct State {
    bar: Option<ProgressBar>,
    /// Whether whatever was written last on the terminal ended its line.
    at_line_start: bool,
}

impl Status {
    /// A line on stderr, if that is a terminal and `printer` may say more than warnings.
    pub(crate) fn new(printer: &Printer) -> Self {
        let wanted = io::stderr().is_terminal() && printer.verbosity >= Verbosity::Normal;
        Self {
            state: wanted.then(|| {
                Mutex::new(State {
                    bar: None,
                    at_line_start: true,
                })
            }),
        }
    }

    /// Something is being done, for as long as it takes.
    pub(crate) fn working(&self, what: &str) {
        self.show(what, "{spinner} {msg} · {elapsed}");
    }

    /// Something is waited for, for `duration` at most.
    pub(crate) fn wait(&self, what: &str, duration: Duration) {
        let seconds = duration.as_secs_f64();
        self.show(
            &format!("{what} in {seconds:.0} s"),
            "{spinner} {msg} · {elapsed}",
        );
    }

    /// Nothing is being done.
    pub(crate) fn idle(&self) {
        if let Some(mut state) = self.lock()
            && let Some(bar) = state.bar.take()
        {
            bar.finish_and_clear();
        }
    }

    /// Does `write` with the line out of the way.
    pub(crate) fn over<T>(&self, write: impl FnOnce() -> T) -> T {
        self.around(None, write)
    }

    /// Passes on what a command wrote, with the line out of the way; it comes back when that ended
    /// its line.
    pub(crate) fn passing<T>(&self, bytes: &[u8], write: impl FnOnce() -> T) -> T {
        self.around(bytes.last().map(|last| *last == b'\n'), write)
    }

    fn around<T>(&self, ends_line: Option<bool>, write: impl FnOnce() -> T) -> T {
        let Some(mut state) = self.lock() else {
            return write();
        };
        if let Some(bar) = &state.bar {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let value = write();
        state.at_line_start = ends_line.unwrap_or(true);
        if let Some(bar) = &state.bar
            && state.at_line_start
        {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        value
    }

    fn show(&self, what: &str, template: &str) {
        let Some(mut state) = self.lock() else { return };
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
        let target = match state.at_line_start {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        let text: String = escape_text(what).chars().take(TEXT_CHARS).collect();
        bar.set_message(text);
        bar.enable_steady_tick(TICK);
        state.bar = Some(bar);
    }

    fn lock(&self) -> Option<MutexGuard<'_, State>> {
        let state = self.state.as_ref()?;
        Some(state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
