//! What a person sees of a recovery: one line a step on stderr, the next step always named.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use auto_recovery::checkpoint::some_names;
use auto_recovery::manager::Event;
use auto_recovery::mutex;
use auto_recovery::run::{RunEvent, RunObserver, TreeLeft};
use auto_recovery::wording::shell_word;

use crate::hints;
use crate::output::{Printer, Status, counted, with_short_words};

/// Columns of the first word of a line, `alternative 10/10`.
const STEP_COLUMNS: usize = 14;
/// Columns of the word for a step, so that the text after it lines up.
const ACTION_COLUMNS: usize = 30;
/// Paths that a line names; more are counted.
const PATHS_SHOWN: usize = 4;
/// Bytes of a failure's message that a line shows.
const MESSAGE_CHARS: usize = 120;

/// Prints the steps of a run.
pub(super) struct Narrator {
    printer: Printer,
    status: Arc<Status>,
    /// Where all that is said goes, if that is one line at the end.
    verdict: Option<Verdict>,
}

/// The one line that is said of a run at its end.
#[derive(Clone, Default)]
pub(super) struct Verdict(Arc<Mutex<Vec<String>>>);

impl Verdict {
    fn add(&self, words: &str) {
        let mut said = mutex::lock(&self.0);
        said.push(words.to_owned());
    }

    /// Says it, if there is anything to say.
    pub(super) fn print(&self, printer: &Printer) {
        let said = mutex::lock(&self.0);
        if !said.is_empty() {
            printer.note(said.join("; "));
        }
    }
}

impl Narrator {
    pub(super) fn new(printer: Printer, status: Arc<Status>, verdict: Option<Verdict>) -> Self {
        Self {
            printer,
            status,
            verdict,
        }
    }

    /// Says what belongs to the verdict: at once, unless that is one line.
    fn conclude(&self, words: &str) {
        match &self.verdict {
            Some(verdict) => verdict.add(words),
            None => self.say(words),
        }
    }

    fn line(&self, step: &str, what: &str, more: &[String]) {
        let more = more
            .iter()
            .filter(|part| !part.is_empty())
            .cloned()
            .collect::<Vec<_>>();
        // What lines up needs no mark between; what is too long for that does.
        let between = match what.chars().count() > ACTION_COLUMNS {
            true => " · ",
            false => " ",
        };
        let line = match more.is_empty() {
            true => format!("{step:<STEP_COLUMNS$} {what}"),
            false => format!(
                "{step:<STEP_COLUMNS$} {what:<ACTION_COLUMNS$}{between}{}",
                more.join(" · ")
            ),
        };
        self.say(line.trim_end());
    }

    fn say(&self, line: &str) {
        if self.verdict.is_some() {
            return;
        }
        let line = with_short_words(line);
        self.status.over(|| self.printer.note(line));
    }

    fn warn(&self, line: &str) {
        let line = with_short_words(line);
        self.status.over(|| self.printer.warn(line));
    }

    fn step(&self, event: &Event<'_>) {
        match event {
            Event::Waiting { strategy, delay } => {
                self.status
                    .waiting(&format!("{strategy} again soon"), *delay);
                self.say(&format!("next try in {} · Ctrl-C ends", seconds(*delay)));
            }
            Event::Attempt {
                strategy,
                strategy_attempt,
                max_attempts,
                ends_early,
                action,
                recipe,
                foreign,
                left,
            } => {
                let step = match *max_attempts {
                    // How many there will be is not known.
                    2.. if *ends_early => format!("{strategy} {strategy_attempt}"),
                    u32::MAX => format!("{strategy} {strategy_attempt}"),
                    most => format!("{strategy} {strategy_attempt}/{most}"),
                };
                let recipe = recipe.map(|recipe| format!("recipe {recipe}"));
                let foreign = match foreign.is_empty() {
                    true => String::new(),
                    false => format!("somebody else changed {}, kept", paths(foreign)),
                };
                let left: Vec<_> = left.iter().map(ToString::to_string).collect();
                let left = match left.is_empty() {
                    true => String::new(),
                    false => format!("still there: {}", paths(&left)),
                };
                self.line(&step, action, &[recipe.unwrap_or_default(), foreign, left]);
                self.status.working(&format!("{step} {action}"));
            }
            Event::Verifying { .. } => self.status.working("verifying"),
            Event::Confirming { without: true } => {
                self.status.working("confirming: without the change");
            }
            Event::Confirming { without: false } => {
                self.status.working("confirming: with it again")
            }
            Event::Tried { .. } => self.tried(event),
            Event::Turned { failure, category } => {
                let place = failure.location().map(|place| format!(" · {place}"));
                let place = place.unwrap_or_default();
                let what = format!("{}, {category}{place}", failure.error_type);
                self.line("now", &what, &[]);
                if !failure.message.is_empty() {
                    self.say(&format!("  {}", short(&failure.message)));
                }
            }
            Event::NotRecorded { error } => {
                let reason = hints::chain(error);
                self.warn(&format!(
                    "this is NOT RECORDED, and the recovery goes on: {reason}"
                ));
            }
            _ => {}
        }
    }

    /// The end of an attempt.
    fn tried(&self, event: &Event<'_>) {
        let Event::Tried {
            success,
            verdict,
            files_modified,
            undone,
            is_ground,
            verification_modified,
            not_covered,
            ..
        } = event
        else {
            return;
        };
        self.status.idle();
        let changed = match files_modified.is_empty() {
            true => String::new(),
            false => format!("changed {}", paths(files_modified)),
        };
        let undone = if *undone {
            "undone".to_owned()
        } else {
            String::new()
        };
        match *success {
            true => self.line("verified", verdict, &[changed]),
            false if *is_ground => self.line("progress", verdict, &[changed, "kept".to_owned()]),
            false => self.line("no cure", verdict, &[changed, undone]),
        }
        if !verification_modified.is_empty() {
            self.line(
                "",
                &format!(
                    "changed during the verification: {}",
                    paths(verification_modified)
                ),
                &[],
            );
        }
        if !not_covered.is_empty() {
            self.warn(&format!(
                "changed and not covered by undo: {}",
                paths(not_covered)
            ));
        }
    }
}

impl RunObserver for Narrator {
    fn observe(&mut self, event: &RunEvent<'_>) {
        match event {
            RunEvent::Cleaned { what } => self.say(what),
            RunEvent::Note { what } => self.conclude(what),
            RunEvent::Leftover { what } | RunEvent::Warning { what } => self.warn(what),
            RunEvent::NoState { why } => self.warn(&format!(
                "nothing was tried, because what is kept of it cannot be written: {why} · name a \
                 place that can be: RECOVER_STATE_DIR for the state, --store for the record"
            )),
            RunEvent::Failed { .. } => self.failed(event),
            RunEvent::NotTried { why } => self.line("not tried", why, &[]),
            RunEvent::WaitingForOther { holder } => self.say(&format!(
                "another recovery works here ({holder}); waiting for it · --no-wait refuses instead"
            )),
            RunEvent::PassedAfterWaiting => self.say("the command passes now"),
            RunEvent::Step(event) => self.step(event),
            RunEvent::Recovered { .. } => self.recovered(event),
            RunEvent::NotRecovered {
                why,
                attempts,
                duration,
                tree,
                session_id,
            } => {
                self.status.idle();
                let tree = match tree {
                    TreeLeft::AsItWas => " · the tree is as it was",
                    TreeLeft::AsTheCommandLeftIt => {
                        " · the tree is as the command left it, which changed files itself"
                    }
                    TreeLeft::NothingToUndo => " · nothing to undo",
                    TreeLeft::Changed => "",
                };
                let next = match (attempts, session_id) {
                    (1.., Some(id)) => format!(
                        " · `recover show {}` has every try and its diff",
                        shell_word(id)
                    ),
                    _ => String::new(),
                };
                let tries = match attempts {
                    0 => String::new(),
                    _ => format!(", {}", counted(*attempts as u64, "attempt")),
                };
                let took = seconds(*duration);
                self.conclude(&format!("{why}{tries}, {took}{tree}{next}"));
            }
            RunEvent::NotEnded { processes } => {
                for process in *processes {
                    self.warn(&format!("could not be ended and still runs: {process}"));
                }
            }
            RunEvent::HelperFailed { what } => self.warn(what),
            RunEvent::Plan { steps, skipped } => {
                if steps.is_empty() {
                    self.say("would try nothing");
                }
                for (number, step) in steps.iter().enumerate() {
                    self.say(&format!("would try {}. {step}", number + 1));
                }
                for why in *skipped {
                    self.line("not tried", why, &[]);
                }
            }
            _ => {}
        }
    }
}

impl Narrator {
    fn failed(&self, event: &RunEvent<'_>) {
        let RunEvent::Failed {
            command,
            exit,
            timed_out,
            failure,
            category,
            ..
        } = event
        else {
            return;
        };
        let how = match timed_out {
            true => "stopped at its time limit".to_owned(),
            false => exit.to_string(),
        };
        let place = failure
            .location()
            .map(|place| format!(" · {place}"))
            .unwrap_or_default();
        self.conclude(&format!(
            "`{command}` failed ({how}): {}, {category}{place}",
            failure.error_type
        ));
        if !failure.message.is_empty() {
            self.say(&format!("  {}", short(&failure.message)));
        }
    }

    fn recovered(&self, event: &RunEvent<'_>) {
        let RunEvent::Recovered {
            strategy,
            attempts,
            duration,
            flaky,
            left_running,
            changed_tests,
            changed,
            session_id,
        } = event
        else {
            return;
        };
        self.status.idle();
        for process in *left_running {
            self.say(&format!("still running: {process}"));
        }
        if !changed_tests.is_empty() {
            self.warn(&format!("the cure changed tests: {}", paths(changed_tests)));
        }
        let flaky = if *flaky {
            " (flaky: it passed by being run again)"
        } else {
            ""
        };
        let word = session_id.map(shell_word);
        let hints = match (word, changed) {
            (Some(word), true) => {
                format!(" · see `recover show {word}` · undo with `recover restore {word}`")
            }
            (Some(word), false) => format!(" · see `recover show {word}`"),
            (None, _) => String::new(),
        };
        let tries = counted(*attempts as u64, "attempt");
        self.conclude(&format!(
            "recovered by {strategy}{flaky}, {tries}, {}{hints}",
            seconds(*duration)
        ));
    }
}

fn paths(paths: &[String]) -> String {
    some_names(paths, PATHS_SHOWN)
}

fn short(message: &str) -> String {
    let line = message
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default()
        .trim();
    match line.char_indices().nth(MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        s if s >= 90.0 => format!("{} min {} s", s as u64 / 60, s as u64 % 60),
        s if s >= 10.0 => format!("{s:.0} s"),
        s => format!("{s:.1} s"),
    }
}
