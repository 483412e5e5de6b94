//! What a person sees of a recovery: one line a step on stderr, the next step always named.

use std::sync::{Arc, Mutex};

use auto_recovery::audit::session_id::short;
use auto_recovery::checkpoint::some_names;
use auto_recovery::manager::Event;
use auto_recovery::mutex;
use auto_recovery::run::{RunEvent, RunObserver, TreeLeft};
use auto_recovery::wording::spelled;

use crate::commands::checkpoints::with_short_checkpoints;
use crate::commands::run::consent::LETS_IT_RUN;
use crate::commands::run::last_lines::{TAKES_BACK, fitted, two_lines};
use crate::hints;
use crate::output::{
    Line, Printer, Status, Tone, Verbosity, columns, counted, cut_to, masked, session_argument,
    with_short_words,
};

/// Columns of the first word of a line, `alternative 10/10`.
const STEP_COLUMNS: usize = 14;
/// Columns of the word for a step, so that the text after it lines up.
const ACTION_COLUMNS: usize = 30;
/// Paths that a line names; more are counted.
const PATHS_SHOWN: usize = 4;
/// Characters of a failure's message that a line shows.
const MESSAGE_CHARS: usize = 120;
/// Columns of the command, once it was shown whole.
const COMMAND_COLUMNS: usize = 40;
/// Columns of the longest id that the last lines name.
const ID_COLUMNS_MAX: usize = 32;
/// How it is said that changes stay which cured nothing.
const LEFT: &str = "left changed: ";
/// Columns that the name before each line takes, `recover: `.
const NAME_COLUMNS: usize = 9;

/// Prints the steps of a run.
pub(super) struct Narrator {
    printer: Printer,
    status: Arc<Status>,
    /// Where all that is said goes, if that is one line at the end.
    verdict: Option<Verdict>,
    /// The command, once it was shown whole, and what it is cut to from then on.
    shown: Mutex<Option<(String, String)>>,
    /// What was said at the end of the last attempt: it is not said again.
    verdict_said: Mutex<String>,
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
            shown: Mutex::new(None),
            verdict_said: Mutex::default(),
        }
    }

    /// Says what belongs to the verdict: at once, unless that is one line.
    fn conclude(&self, line: Line) {
        match &self.verdict {
            Some(verdict) => verdict.add(&line.text()),
            None => self.say_line(line),
        }
    }

    /// Says what became of it all: `head` with `rest` and the `effort`, then `more`, on two lines
    /// at most, the second dim. What is last of `more` is what to type next, and is there whatever
    /// else there is no room for.
    fn end(&self, (tone, head): (Tone, &str), (rest, effort): (&str, &str), more: &[String]) {
        let whole = format!("{head}{rest}, {effort}");
        let Some(width) = self.printer.columns_of_stderr else {
            let parts = std::iter::once(&whole).chain(more);
            let parts: Vec<_> = parts.map(String::as_str).collect();
            let line = parts.join(" · ");
            let rest = line.strip_prefix(head).unwrap_or_default();
            return self.conclude(Line::of(tone, head).and(Tone::Plain, rest));
        };
        if let Some(verdict) = &self.verdict {
            return verdict.add(&[&[whole], more].concat().join(" · "));
        }
        let width = usize::from(width).saturating_sub(NAME_COLUMNS);
        let mut whole = self.short_of_command(&whole);
        let more = more.iter().map(|part| masked(part).into_owned());
        let mut more: Vec<_> = more.collect();
        if columns(&whole) > width {
            whole = self.short_of_command(&format!("{head}{rest}"));
            // Why it exits so, and what is left changed, say more.
            let first = |part: &&String| says_exit(part) || part.starts_with(LEFT);
            let after = more.iter().take_while(first).count();
            more.insert(after, effort.to_owned());
        }
        // What is to be in the second line whatever the command is called.
        let kept = |part: &&String| says_exit(part) || says_tree(part);
        let kept = more.iter().filter(kept).chain(more.last());
        let kept: Vec<_> = kept.map(String::as_str).collect();
        let whole = fitted(&whole, width, columns(&kept.join(" · ")).min(width));
        let (mut first, mut second) = two_lines(&whole, &more, width);
        let lacks = |part: &String| !first.contains(part) && !second.contains(part);
        if more.iter().any(|part| says_tree(part) && lacks(part)) {
            more.retain(|part| part != effort);
            (first, second) = two_lines(&whole, &more, width);
        }
        // Why the exit code surprises is said above them where it has no room.
        if let Some(at) = more.iter().position(|part| says_exit(part))
            && ![&first, &second]
                .iter()
                .any(|line| line.contains(&more[at]))
        {
            self.say(&more.remove(at));
            (first, second) = two_lines(&whole, &more, width);
        }
        let rest = first.strip_prefix(head).map(str::to_owned);
        self.say_line(match rest {
            Some(rest) => Line::of(tone, head).and(Tone::Plain, rest),
            None => Line::of(tone, first),
        });
        if !second.is_empty() {
            self.say_line(Line::of(Tone::Aside, second));
        }
    }

    fn line(&self, (tone, step): (Tone, &str), what: &str, more: &[String]) {
        let what = self.short_of_command(what);
        let more = more
            .iter()
            .filter(|part| !part.is_empty())
            .cloned()
            .collect::<Vec<_>>();
        // What lines up needs no mark between; what is too long for that does.
        let between = match columns(&what) > ACTION_COLUMNS {
            true => " · ",
            false => " ",
        };
        let blanks = " ".repeat(STEP_COLUMNS.saturating_sub(columns(step)) + 1);
        let line = Line::of(tone, step).and(Tone::Plain, blanks);
        self.say_line(match more.is_empty() {
            true => line.and(Tone::Plain, what.trim_end()),
            false => line
                .and(Tone::Plain, what.as_str())
                .and(
                    Tone::Plain,
                    " ".repeat(ACTION_COLUMNS.saturating_sub(columns(&what))),
                )
                .and(Tone::Aside, format!("{between}{}", more.join(" · "))),
        });
    }

    fn say(&self, line: &str) {
        self.say_line(Line::of(Tone::Plain, line));
    }

    fn say_line(&self, line: Line) {
        if self.verdict.is_some() {
            return;
        }
        let line = line
            .map(|text| with_short_words(&with_short_checkpoints(&self.short_of_command(text))));
        self.status.over(|| self.printer.note_line(&line));
    }

    fn warn(&self, line: &str) {
        let line = with_short_words(&self.short_of_command(line));
        self.status.over(|| self.printer.warn(line));
    }

    /// `text` without its secrets, the command cut if that is long and was shown whole before.
    fn short_of_command(&self, text: &str) -> String {
        match &*mutex::lock(&self.shown) {
            Some((whole, short)) => masked(&text.replace(whole, short)).into_owned(),
            None => masked(text).into_owned(),
        }
    }

    fn step(&self, event: &Event<'_>) {
        match event {
            Event::Waiting { strategy, delay } => {
                self.status
                    .waiting(&format!("{strategy} again soon"), *delay);
                self.say(&format!("next try in {} · Ctrl-C ends", spelled(*delay)));
            }
            Event::Attempt {
                strategy,
                strategy_attempt,
                max_attempts,
                action,
                recipe,
                foreign,
                left,
                ..
            } => {
                let step = match *max_attempts {
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
                self.line(
                    (Tone::Head, &step),
                    action,
                    &[recipe.unwrap_or_default(), foreign, left],
                );
                self.status.working(&format!("{step} {action}"));
            }
            Event::Verifying { .. } => self.status.working("verifying"),
            Event::Confirming { without: true } => self.confirming("without the change"),
            Event::Confirming { without: false } => self.confirming("with it again"),
            Event::Tried { .. } => self.tried(event),
            Event::Turned { failure, category } => {
                let place = failure.location().map(|place| format!(" · {place}"));
                let place = place.unwrap_or_default();
                let what = format!("{}, {category}{place}", failure.error_type);
                self.line((Tone::Doubtful, "now"), &what, &[]);
                if !failure.message.is_empty() {
                    self.say(&format!("  {}", first_line(&masked(&failure.message))));
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

    /// Says that the command runs once more to prove a cure, `how`: where no line moves, a line of
    /// its own keeps its output apart from that of the run before.
    fn confirming(&self, how: &str) {
        self.status.working(&format!("confirming: {how}"));
        if self.printer.columns_of_stderr.is_none() {
            self.line((Tone::Plain, "confirming"), how, &[]);
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
        *mutex::lock(&self.verdict_said) = (*verdict).to_owned();
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
            true => self.line((Tone::Good, "verified"), verdict, &[changed]),
            false if *is_ground => self.line(
                (Tone::Doubtful, "progress"),
                verdict,
                &[changed, "kept".to_owned()],
            ),
            false => self.line((Tone::Bad, "no cure"), verdict, &[changed, undone]),
        }
        if !verification_modified.is_empty() {
            self.line(
                (Tone::Plain, ""),
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
            RunEvent::Note { what } => self.conclude(Line::of(Tone::Plain, *what)),
            RunEvent::Leftover { what } | RunEvent::Warning { what } => self.warn(what),
            RunEvent::NoState { why } => self.warn(&format!(
                "nothing was tried, because what is kept of it cannot be written: {why} · name a \
                 place that can be: RECOVER_STATE_DIR for the state, --store for the record"
            )),
            RunEvent::Failed { .. } => self.failed(event),
            RunEvent::Advice { says, applied } => {
                let head = if *applied { "order" } else { "history" };
                self.line((Tone::Aside, head), says, &[]);
            }
            RunEvent::NotTried { why } if mutex::lock(&self.verdict_said).contains(why) => {}
            // Said when it was refused.
            RunEvent::NotTried { why } if why.ends_with(LETS_IT_RUN) => {}
            RunEvent::NotTried { why } => self.line((Tone::Aside, "not tried"), why, &[]),
            RunEvent::WaitingForOther { holder } => self.say(&format!(
                "another recovery works here ({holder}); waiting for it · --no-wait refuses instead"
            )),
            RunEvent::PassedAfterWaiting => self.say("the command passes now"),
            RunEvent::NothingToPlan => self.say("the command passes: nothing would be tried"),
            RunEvent::Step(event) => self.step(event),
            RunEvent::Recovered { .. } => self.recovered(event),
            RunEvent::NotRecovered { .. } => self.not_recovered(event),
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
                    self.line((Tone::Aside, "not tried"), why, &[]);
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
        let shown = masked(command);
        let whole = format!("`{shown}`");
        // A failure that nothing more is known of is called as it ended.
        let kind = match failure.error_type == how {
            true => String::new(),
            false => format!("{}, ", failure.error_type),
        };
        let says = format!(" ({how}): {kind}{category}{place}");
        let line = Line::of(Tone::Head, &whole).and(Tone::Bad, " failed");
        self.conclude(line.and(Tone::Plain, says));
        let short = cut_to(&shown, COMMAND_COLUMNS);
        if short != *command {
            *mutex::lock(&self.shown) = Some(((*command).to_owned(), short));
        }
        if !failure.message.is_empty() {
            let message = format!("  {}", first_line(&masked(&failure.message)));
            self.say_line(Line::of(Tone::Aside, message));
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
            undoable,
            exits,
            session_id,
            seal,
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
        let flaky = match *flaky && exits.is_none() {
            true => " (flaky: it passed by being run again)",
            false => "",
        };
        let mut more: Vec<String> = exits.iter().map(|why| (*why).to_owned()).collect();
        more.extend(self.seal(*seal));
        if let Some(id) = session_id {
            let (show, undo) = self.typed_next(id, &mut more);
            more.push(show);
            more.extend(undoable.then(|| format!("{undo}{TAKES_BACK}")));
        }
        let tries = counted(*attempts as u64, "attempt");
        let effort = format!("{tries}, {}", spelled(*duration));
        let rest = format!(" by {strategy}{flaky}");
        self.end((Tone::Good, "recovered"), (&rest, &effort), &more);
    }

    /// What shows the session `id` and what takes its cure back. The id itself goes to `more`, but
    /// on a terminal not one so long that no line has room for what to type.
    fn typed_next(&self, id: &str, more: &mut Vec<String>) -> (String, String) {
        let word = session_argument(id);
        if self.printer.columns_of_stderr.is_some() && columns(&word) > ID_COLUMNS_MAX {
            return ("recover show --last".to_owned(), "recover undo".to_owned());
        }
        more.push(short(id).to_owned());
        (
            format!("recover show {word}"),
            format!("recover undo {word}"),
        )
    }

    /// The `seal` in words, where a log keeps it: so the log is a witness. On a terminal the
    /// command to type next needs the room.
    fn seal(&self, seal: Option<&str>) -> Option<String> {
        let is_log = self.printer.columns_of_stderr.is_none() && self.verdict.is_none();
        let is_wanted = is_log || self.printer.verbosity >= Verbosity::Verbose;
        seal.filter(|_| is_wanted)
            .map(|seal| format!("seal {seal}"))
    }

    fn not_recovered(&self, event: &RunEvent<'_>) {
        let RunEvent::NotRecovered {
            why,
            attempts,
            duration,
            tree,
            left,
            exits,
            session_id,
            seal,
        } = event
        else {
            return;
        };
        self.status.idle();
        let took = spelled(*duration);
        let tries = match attempts {
            0 if why.starts_with("not recovered: `") => format!("nothing was tried, {took}"),
            0 => took,
            1 => format!("tried once in {took}"),
            2 => format!("tried twice in {took}"),
            many => format!("tried {many} times in {took}"),
        };
        let tree = match tree {
            _ if !left.is_empty() => format!("{LEFT}{}", paths(left)),
            TreeLeft::AsItWas => "the tree is as it was".to_owned(),
            TreeLeft::AsTheCommandLeftIt => {
                "the tree is as the command left it, which changed files itself".to_owned()
            }
            TreeLeft::NothingToUndo => "nothing to undo".to_owned(),
            TreeLeft::Changed => String::new(),
        };
        let mut more = vec![exits.unwrap_or_default().to_owned(), tree];
        more.retain(|part| !part.is_empty());
        more.extend(self.seal(*seal));
        if let Some(id) = session_id {
            let (show, undo) = self.typed_next(id, &mut more);
            more.push(show);
            more.extend((!left.is_empty()).then_some(undo));
        }
        let (head, rest) = match why.strip_prefix("not recovered") {
            Some(rest) => ("not recovered", rest),
            None => ("", *why),
        };
        self.end((Tone::Bad, head), (rest, &tries), &more);
    }
}

/// Whether `part` says how the tree is.
fn says_tree(part: &str) -> bool {
    part.starts_with(LEFT) || part.starts_with("the tree is as ")
}

/// Whether `part` says why a run exits as it does.
fn says_exit(part: &str) -> bool {
    part.starts_with("exit ") || part.starts_with("exits ")
}

fn paths(paths: &[String]) -> String {
    some_names(paths, PATHS_SHOWN)
}

fn first_line(message: &str) -> String {
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
