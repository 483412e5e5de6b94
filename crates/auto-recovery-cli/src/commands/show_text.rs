//! A session and its attempts as a person reads them. Everything that came from outside is escaped
//! here.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use auto_recovery::RecoveryAuditEntry;
use auto_recovery::audit::{AttemptFinished, AttemptStarted, FailureDetected, LeftBehind};
use auto_recovery::files::{Links, open_regular};

use crate::commands::evidence::Evidence;
use crate::commands::history::result_of;
use crate::commands::outcome::outcome_name;
use crate::commands::show_diff::Beginning;
use crate::output::{
    Escapes, Facts, age, counted, escape_bytes, escape_text, human_seconds, shell_words,
    without_colours,
};

/// Lines of an attempt's output that are shown; the file holds all.
const OUTPUT_LINES_SHOWN: usize = 20;
/// Bytes read from the end of an output to find them: lines of 400 bytes on average.
const OUTPUT_BYTES_READ: u64 = 8 * 1024;

/// A session as a whole.
pub(crate) struct SessionFacts<'a> {
    pub(crate) session: &'a str,
    pub(crate) evidence: &'a Evidence,
    /// Number of its attempts.
    pub(crate) total: u64,
    /// The last attempt shown.
    pub(crate) last: Option<&'a RecoveryAuditEntry>,
}

/// Renders the facts of the session as a whole.
pub(crate) fn session(of: &SessionFacts<'_>, now: SystemTime, columns: Option<u16>) -> String {
    let SessionFacts {
        session,
        evidence,
        total,
        last,
    } = of;
    let mut facts = Facts::new(columns);
    facts.add("session", *session);
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
            format!("{} (rule {})", detected.category, detected.rule),
        );
        for skipped in &detected.skipped {
            facts.add("not tried", skipped);
        }
    }
    match evidence.session_finished() {
        Some(finished) => {
            facts.add(
                "outcome",
                format!(
                    "{}, {}, {}",
                    outcome_name(finished.outcome),
                    counted(*total, "attempt"),
                    human_seconds(finished.duration_seconds)
                ),
            );
            if !finished.reason.is_empty() {
                facts.add("because", &finished.reason);
            }
        }
        None => facts.add("attempts", total.to_string()),
    }
    if let Some(last) = last {
        facts.add("last try", age(&last.timestamp, now));
    }
    facts.render()
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

/// Renders one attempt, with its changes and its output. `outputs` is the directory in our own
/// state for outputs of the session.
pub(crate) fn attempt(
    entry: &RecoveryAuditEntry,
    evidence: &Evidence,
    (diff, outputs): (Option<&Beginning>, &Path),
    now: SystemTime,
) -> String {
    let number = entry.attempt_number;
    let mut text = format!(
        "\nattempt {number}  {} · {} · {} · {}\n",
        escape_text(&entry.strategy),
        result_of(entry),
        human_seconds(entry.duration_seconds),
        escape_text(&age(&entry.timestamp, now)),
    );
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!("  {name:<11}{}\n", escape_text(value)));
        }
    };
    if let Some(started) = evidence.started(number) {
        add("did", &started.action);
        add("recipe", &recipe(started));
    }
    add(
        "failure",
        &format!("{}: {}", entry.error_type, entry.error_message),
    );
    add("changes", &entry.changes_made.join("; "));
    add("files", &entry.files_modified.join(", "));
    add("result", &entry.recovery_message);
    add("next", &entry.next_action);
    if let Some(finished) = evidence.finished(number) {
        for (name, value) in particulars(finished) {
            add(name, &value);
        }
    }
    if let Some(diff) = diff.filter(|diff| !diff.bytes.is_empty()) {
        let head = format!("diff{}", diff.note());
        text.push_str(&indented(&head, &diff.bytes, Keep::All));
    }
    if let Some(path) = evidence.output_file(number) {
        text.push_str(&output(path, outputs));
    }
    text
}

/// The end of the output of the command's first failure, if it is kept.
pub(crate) fn first_output(evidence: &Evidence, outputs: &Path) -> String {
    let path = evidence.first_output_file();
    path.map(|path| output(path, outputs)).unwrap_or_default()
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

/// Facts that an entry has no field for and a person should know.
fn particulars(finished: &AttemptFinished) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("protected", finished.protected.join(", ")),
        ("foreign", finished.foreign.join(", ")),
        ("left behind", joined(&finished.left_behind)),
        ("uncovered", finished.not_covered.join(", ")),
        ("running", finished.left_running.join(", ")),
    ];
    if finished.kept {
        facts.push((
            "kept",
            "its changes are the ground for the next attempt".to_owned(),
        ));
    }
    if finished.stood_in {
        facts.push((
            "stood in",
            "for the command, which was not run again".to_owned(),
        ));
    }
    if finished.flaky {
        facts.push(("flaky", "the command passed by being run again".to_owned()));
    }
    facts
}

fn joined(all: &[LeftBehind]) -> String {
    let all: Vec<_> = all.iter().map(ToString::to_string).collect();
    all.join(", ")
}

/// The end of the output kept at `path`, if `path` lies in `outputs` of our own state. A record
/// that was imported, or that another program wrote into a shared store, may name any file.
fn output(path: &str, outputs: &Path) -> String {
    let head = format!("output {}", escape_text(path));
    let Some(own) = in_state(Path::new(path), outputs) else {
        return format!("  {head} (not in this state: not opened)\n");
    };
    match read_end(&own) {
        Ok(bytes) if bytes.is_empty() => format!("  {head} (empty)\n"),
        Ok(bytes) => indented(
            &head,
            &without_colours(&bytes),
            Keep::Last(OUTPUT_LINES_SHOWN),
        ),
        Err(error) => format!("  {head} (cannot be read: {error})\n"),
    }
}

/// The file in `outputs` that `path` means, if it means one. Only its text decides: resolving it
/// would follow links.
pub(crate) fn in_state(path: &Path, outputs: &Path) -> Option<PathBuf> {
    let (dir, name) = (path.parent()?, path.file_name()?);
    let is_there = dir == outputs || fs::canonicalize(outputs).is_ok_and(|real| plain(dir) == real);
    is_there.then(|| outputs.join(name))
}

/// Removes `..` from `path`, as if nothing in it were a link.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

fn read_end(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open_regular(path, Links::Refuse)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(OUTPUT_BYTES_READ)))?;
    let mut bytes = Vec::new();
    file.take(OUTPUT_BYTES_READ).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The lines of a long text to keep.
#[derive(Clone, Copy)]
enum Keep {
    All,
    Last(usize),
}

fn indented(head: &str, bytes: &[u8], keep: Keep) -> String {
    let escaped = escape_bytes(bytes, Escapes::Text);
    let lines: Vec<&str> = escaped.lines().collect();
    let (shown, note) = match keep {
        Keep::Last(max) if lines.len() > max => (&lines[lines.len() - max..], " (its end)"),
        _ => (&lines[..], ""),
    };
    let mut text = format!("  {head}{note}\n");
    for line in shown {
        // A terminal's line ends have two characters; the first was escaped.
        let line = line.strip_suffix("\\r").unwrap_or(line);
        text.push_str(&format!("  │ {line}\n"));
    }
    text
}
