//! A session and its attempts as a person reads them. Everything that came from outside is escaped
//! here.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::time::SystemTime;

use auto_recovery::RecoveryAuditEntry;
use auto_recovery::audit::session_id::short;
use auto_recovery::audit::{AttemptStarted, FailureDetected};
use auto_recovery::detect::NO_RULE;
use auto_recovery::escape::{strip_escapes, strip_progress};
use auto_recovery::report::{order_of, particulars};
use auto_recovery::run::display_command;
use auto_recovery::wording::cut;

use crate::commands::evidence::Evidence;
use crate::commands::history::{next_of, result_of, result_tone};
use crate::commands::outcome::outcome_name;
use crate::commands::show_diff::Beginning;
use crate::kept_outputs::KeptOutputs;
use crate::output::{
    Escapes, Facts, Tone, age, chunks, counted, escape_bytes, escape_text, fold, human_seconds,
    session_argument, shell_words,
};

/// Lines of an attempt's output that are shown; the file holds all.
const OUTPUT_LINES_SHOWN: usize = 20;
/// How the reason begins that every session has in which nothing helped.
const NOTHING_HELPED: &str = "All recovery strategies failed";
/// How other reasons end; whether anybody was called stands elsewhere.
const NOBODY_CALLED: &str = " Human intervention required.";
/// Bytes read from the end of an output to find them: lines of 400 bytes on average.
const OUTPUT_BYTES_READ: u64 = 8 * 1024;

/// Characters of a command that was shown whole before.
const COMMAND_CHARS: usize = 40;
/// Columns before a line of an output.
const GUTTER: usize = 4;

/// Columns before the value of a fact about an attempt.
const FACT_COLUMNS: usize = 13;
/// Least width of such a value, before lines grow longer than the terminal is wide.
const VALUE_WIDTH_MIN: usize = 20;

/// A session as a whole.
pub(crate) struct SessionFacts<'a> {
    pub(crate) session: &'a str,
    pub(crate) evidence: &'a Evidence,
    /// Number of its attempts.
    pub(crate) total: u64,
    /// Whether the last of them was a success.
    pub(crate) last_succeeded: bool,
}

/// Renders the facts of the session as a whole.
pub(crate) fn session(of: &SessionFacts<'_>, columns: Option<u16>, now: SystemTime) -> String {
    let SessionFacts {
        session,
        evidence,
        total,
        last_succeeded,
    } = of;
    let mut facts = Facts::new(columns);
    facts.add("session", short(session));
    if let Some(started) = evidence.session_started() {
        if let Some(command) = &started.command {
            facts.add("command", shell_words(command));
        }
        if let Some(cwd) = &started.cwd {
            facts.add("in", cwd);
        }
        if let (Some(user), Some(host)) = (&started.user, &started.host) {
            facts.add("by", format!("{user} on {host}"));
        }
    }
    if let Some(detected) = evidence.failure() {
        facts.add("failure", failure(detected));
        facts.add(
            "kind",
            match detected.rule == NO_RULE {
                true => format!("{} (no rule knows it)", detected.category),
                false => format!("{} (rule {})", detected.category, detected.rule),
            },
        );
        if let Some(order) = order_of(detected) {
            facts.add("order", order);
        }
        for skipped in &detected.skipped {
            facts.add("not tried", skipped);
        }
    }
    match evidence.session_finished() {
        Some(finished) => {
            let outcome = outcome_name(finished.outcome);
            let cure = cure(&finished.reason);
            // A reason that says the outcome says it better.
            let says_it = finished.reason.starts_with(outcome) || cure.is_some();
            let outcome = match cure {
                Some(strategy) => format!("{outcome} by {strategy}"),
                None if says_it => finished.reason.clone(),
                None => outcome.to_owned(),
            };
            let tries = counted(*total, "attempt");
            let took = human_seconds(finished.duration_seconds);
            let flaky = if finished.flaky { " (flaky)" } else { "" };
            facts.add("outcome", format!("{outcome}{flaky}, {tries}, {took}"));
            let tells_more = !says_it && !finished.reason.starts_with(NOTHING_HELPED);
            if !finished.reason.is_empty() && tells_more {
                facts.add("because", finished.reason.trim_end_matches(NOBODY_CALLED));
            }
        }
        None => {
            let outcome = outcome_name(evidence.outcome(*last_succeeded));
            let tries = counted(*total, "attempt");
            facts.add("outcome", format!("{outcome}, {tries}"));
        }
    }
    for (at, restored) in evidence.put_back() {
        facts.add(
            "put back",
            format!("{}, {}", restored.in_words(), age(at, now)),
        );
    }
    facts.render()
}

/// The strategy that cured, where that is all that `reason` says.
fn cure(reason: &str) -> Option<&str> {
    let strategy = reason.strip_prefix("Recovered using ")?;
    strategy.strip_suffix(" strategy")
}

/// Renders an attempt that has no end on record.
pub(crate) fn without_end(started: &AttemptStarted) -> String {
    format!(
        "\nattempt {}  {} · no end on record: it is under way, or recover died in it\n  {:<11}{}\n",
        started.attempt_number,
        escape_text(&started.strategy),
        "did",
        escape_text(&started.action),
    )
}

/// Renders one attempt, with its changes and its output. Its failure is left out where what stands
/// before says it.
pub(crate) fn attempt(
    (entry, is_known_failure): (&RecoveryAuditEntry, bool),
    evidence: &Evidence,
    (diff, outputs): (Option<&Beginning>, &Outputs<'_>),
    now: SystemTime,
) -> String {
    let number = entry.attempt_number;
    let head = format!("attempt {number}  {}", escape_text(&entry.strategy));
    let mut text = format!(
        "\n{} · {} · {} · {}\n",
        Tone::Head.on_stdout(&head),
        result_tone(entry).on_stdout(result_of(entry)),
        human_seconds(entry.duration_seconds),
        escape_text(&age(&entry.timestamp, now)),
    );
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            let name = Tone::Aside.on_stdout(&format!("{name:<11}"));
            text.push_str(&format!("  {name}{}\n", outputs.folded(value)));
        }
    };
    if let Some(started) = evidence.started(number) {
        add("did", &started.action);
        add("recipe", &recipe(started));
    }
    let diff = diff.filter(|diff| !diff.bytes.is_empty());
    if !is_known_failure {
        let failure = format!("{}: {}", entry.error_type, entry.error_message);
        add("failure", &failure);
    }
    let action = evidence.started(number).map(|started| &*started.action);
    let changes = entry.changes_made.iter().filter(|change| {
        let ran = change.strip_prefix("ran `");
        action.is_none() || ran.and_then(|ran| ran.strip_suffix('`')) != action
    });
    let changes: Vec<_> = changes.map(|change| &**change).collect();
    add("changes", &changes.join("; "));
    if diff.is_none() {
        add("files", &entry.files_modified.join(", "));
    }
    add(
        "result",
        &with_short_command(&entry.recovery_message, evidence),
    );
    // Of a cure it says nothing more.
    if entry.next_action != "complete" {
        add("next", next_of(entry));
    }
    if let Some(finished) = evidence.finished(number) {
        for one in particulars(finished) {
            add(one.short_name, &one.says);
        }
    }
    if let Some(diff) = diff {
        text.push_str(&outputs.show_diff(diff, number));
    }
    if let Some(path) = evidence.output_file(number) {
        text.push_str(&outputs.show(path, Some(number)));
    }
    text
}

/// The end of the output of the command's first failure, if it is kept.
pub(crate) fn first_output(evidence: &Evidence, outputs: &Outputs<'_>) -> String {
    let head = Tone::Head.on_stdout("first failure");
    let path = evidence.first_output_file();
    path.map(|path| format!("\n{head}\n{}", outputs.show(path, None)))
        .unwrap_or_default()
}

fn failure(detected: &FailureDetected) -> String {
    let failure = &detected.failure;
    let place = failure
        .location()
        .map(|place| format!(" · {place}"))
        .unwrap_or_default();
    format!("{}: {}{place}", failure.error_type, failure.message)
}

fn recipe(started: &AttemptStarted) -> String {
    match (&started.recipe, started.tier) {
        (Some(name), Some(tier)) => format!("{name}, {tier}"),
        (name, _) => name.clone().unwrap_or_default(),
    }
}

/// The outputs of a session: each is shown where it says more than the one before.
pub(crate) struct Outputs<'a> {
    kept: KeptOutputs<'a>,
    /// How wide the terminal is, if there is one.
    columns: Option<u16>,
    last: RefCell<Vec<String>>,
    /// The attempt whose diff was shown first, by the hash of the diff.
    diffs: RefCell<HashMap<u64, u64>>,
}

impl<'a> Outputs<'a> {
    pub(crate) fn of(kept: KeptOutputs<'a>, columns: Option<u16>) -> Self {
        Self {
            kept,
            columns,
            last: RefCell::default(),
            diffs: RefCell::default(),
        }
    }

    /// The `value` of a fact, which goes on below its beginning where a line has no room for it.
    fn folded(&self, value: &str) -> String {
        let value = escape_text(value);
        let room = self
            .columns
            .and_then(|columns| usize::from(columns).checked_sub(FACT_COLUMNS + VALUE_WIDTH_MIN));
        match room {
            Some(more) => {
                fold(&value, more + VALUE_WIDTH_MIN, 0).join(&format!("\n{:FACT_COLUMNS$}", ""))
            }
            None => value,
        }
    }

    /// The diff of attempt `number`, where no attempt before made the same.
    fn show_diff(&self, diff: &Beginning, number: u64) -> String {
        let note = diff.note();
        let mut hasher = DefaultHasher::new();
        diff.bytes.hash(&mut hasher);
        let first = *(self.diffs.borrow_mut())
            .entry(hasher.finish())
            .or_insert(number);
        // Of one that is not whole the rest may differ.
        if first != number && note.is_empty() {
            return format!("  diff: the same as that of attempt {first}\n");
        }
        indented(&format!("diff{note}"), &diff.bytes, Keep::Diff, self.room())
    }

    /// The end of the output kept at `path`, of the attempt `number` or of the first failure, if
    /// `path` lies in our own state. A record that was imported, or that another program wrote into
    /// a shared store, may name any file.
    fn show(&self, path: &str, number: Option<u64>) -> String {
        let named = format!("output {}", escape_text(path));
        let Some(own) = self.kept.own(Path::new(path)) else {
            return format!("  {named} (not in this state: not opened)\n");
        };
        let bytes = match self.kept.end(&own, OUTPUT_BYTES_READ) {
            Ok(None) => return format!("  {named} (encrypted)\n"),
            Ok(Some(bytes)) if bytes.is_empty() => return "  output: none\n".to_owned(),
            Ok(Some(bytes)) => without_codes(&bytes, self.room()),
            Err(error) => return format!("  {named} (cannot be read: {error})\n"),
        };
        let said = what_it_said(&bytes);
        if *self.last.borrow() == said {
            return "  output: the same as before\n".to_owned();
        }
        *self.last.borrow_mut() = said;
        let number = number
            .map(|number| format!(" {number}"))
            .unwrap_or_default();
        let all = format!(
            "recover show --output {}{number}",
            session_argument(self.kept.session())
        );
        let keep = Keep::Last(OUTPUT_LINES_SHOWN, &all);
        indented("output", &bytes, keep, self.room())
    }

    /// How wide a line behind its bar may be.
    fn room(&self) -> Option<usize> {
        let columns = self.columns?;
        Some(usize::from(columns).saturating_sub(GUTTER))
    }
}

/// `bytes` of an output without codes for terminals and progress. The lines that we wrote before
/// what a command wrote are words of its own, which keep theirs, and stand elsewhere whole: they
/// are cut to `columns`.
fn without_codes(bytes: &[u8], columns: Option<usize>) -> Vec<u8> {
    let (mut clean, mut written) = (Vec::new(), Vec::new());
    let mut begins = true;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if begins && line.starts_with(b"$ ") {
            clean.extend_from_slice(&strip_progress(&strip_escapes(&written)));
            written.clear();
            let words = escape_bytes(line.trim_ascii_end(), Escapes::Text);
            let words = columns.map_or(words.to_string(), |columns| cut(&words, columns));
            clean.extend_from_slice(words.as_bytes());
            clean.push(b'\n');
        } else {
            written.extend_from_slice(line);
        }
        let line = line.trim_ascii_end();
        begins = line.starts_with(b"[") && line.ends_with(b"]");
    }
    clean.extend_from_slice(&strip_progress(&strip_escapes(&written)));
    clean
}

/// `text`, the session's command in it cut where that is long: it is shown whole above.
fn with_short_command(text: &str, evidence: &Evidence) -> String {
    let command = evidence
        .session_started()
        .and_then(|one| one.command.as_ref());
    let Some(command) = command else {
        return text.to_owned();
    };
    let ways = [shell_words(command), display_command(command)];
    ways.iter().fold(text.to_owned(), |text, whole| {
        match whole.chars().count() > COMMAND_CHARS {
            true => text.replace(whole, &cut(whole, COMMAND_CHARS)),
            false => text,
        }
    })
}

/// The lines of an output without those that we wrote around it, which say how long it took.
fn what_it_said(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().filter(|line| !line.starts_with("[exit "));
    lines.map(str::to_owned).collect()
}

/// The lines of a long text to keep.
#[derive(Clone, Copy)]
enum Keep<'a> {
    /// All of a diff, in its colours.
    Diff,
    /// A number of lines at its end, and the command that shows the rest.
    Last(usize, &'a str),
}

/// The text `bytes` behind a bar, in lines of at most `room` columns.
fn indented(head: &str, bytes: &[u8], keep: Keep<'_>, room: Option<usize>) -> String {
    let escaped = escape_bytes(bytes, Escapes::Text);
    let lines: Vec<&str> = escaped.lines().collect();
    let (shown, note) = match keep {
        Keep::Last(max, all) if lines.len() > max => (
            &lines[lines.len() - max..],
            format!(" (its end; `{all}` has all)"),
        ),
        _ => (&lines[..], String::new()),
    };
    let head = Tone::Aside.on_stdout(&format!("{head}{note}"));
    let mut text = format!("  {head}\n");
    for line in shown {
        // A terminal's line ends have two characters; the first was escaped.
        let line = line.strip_suffix("\\r").unwrap_or(line);
        let tone = match keep {
            Keep::Diff => diff_tone(line),
            Keep::Last(..) => Tone::Plain,
        };
        for part in room.map_or(vec![line], |room| chunks(line, room)) {
            let (bar, part) = (Tone::Aside.on_stdout("│"), tone.on_stdout(part));
            text.push_str(&format!("  {bar} {part}\n"));
        }
    }
    text
}

/// How a line of a diff looks.
fn diff_tone(line: &str) -> Tone {
    let heads = [
        "diff ",
        "index ",
        "--- ",
        "+++ ",
        "new file",
        "deleted file",
    ];
    match line.as_bytes().first() {
        _ if heads.iter().any(|head| line.starts_with(head)) => Tone::Head,
        Some(b'+') => Tone::Good,
        Some(b'-') => Tone::Bad,
        Some(b'@') => Tone::Aside,
        _ => Tone::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::without_codes;

    #[test]
    fn the_words_of_a_command_are_cut_and_keep_their_codes() {
        let kept = b"$ ./a \x1b[31mred\x1b[0m\n\x1b[1mbold\x1b[0m\n$ not ours, though it is long\n\
                     [exit 1, 2 s]\n$ ./b of many words\n[exit 0, 1 s]\n";
        let shown = String::from_utf8(without_codes(kept, Some(14))).unwrap();
        let expected = "$ ./a \\x1b[31\u{2026}\nbold\n$ not ours, though it is long\n[exit 1, 2 s]\n\
                        $ ./b of many\u{2026}\n[exit 0, 1 s]\n";
        assert_eq!(shown, expected);
        let whole = String::from_utf8(without_codes(kept, None)).unwrap();
        assert!(
            whole.starts_with("$ ./a \\x1b[31mred\\x1b[0m\nbold\n"),
            "{whole}"
        );
    }
}
