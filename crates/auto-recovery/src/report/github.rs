//! A run in GitHub Actions' form: annotations in the step's log, a summary, and outputs.
//!
//! A step shows ten errors and ten warnings, so there is one annotation for the result of the run.
//! The log is read for workflow commands wherever a line begins with `::` or has `##[` in it:
//! programs' output is put only inside an annotation, with its line ends escaped, or between
//! `::stop-commands::` and a mark that no program could have known. A summary beyond 1 MiB is
//! dropped whole, so it is cut before that.

use std::fmt::Write as _;

use super::ci::{self, CiReport, Verdict};
use super::short::{cut, first_line};
use super::text::{block, code, inline};
use crate::escape::push_visible;
use crate::failure::Failure;
use crate::wording::counted;
use crate::wording::long;

/// Most bytes in a step's summary; all steps' commands write into one.
pub const SUMMARY_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of an annotation's message, and of its title.
const MESSAGE_BYTES_MAX: usize = 4096;
const TITLE_BYTES_MAX: usize = 200;

/// Bytes of one text in the summary.
const BLOCK_BYTES_MAX: usize = 16 * 1024;

/// Files that a summary or an annotation names; more are counted.
const FILES_MAX: usize = 20;

/// Renders `report` for the step's log; `mark` is a word that no program can have known. Empty for
/// a command that passed at once.
pub fn github_log(report: &CiReport, mark: &str) -> String {
    let Some(mut log) = annotation(report) else {
        return String::new();
    };
    let (tries, untold) = report.told_tries();
    if tries.is_empty() {
        return log;
    }
    let _ = writeln!(log, "::group::recover: what was tried");
    let _ = writeln!(log, "::stop-commands::{mark}");
    if untold > 0 {
        let _ = writeln!(log, "{} before these", counted(untold as u64, "try"));
    }
    for one in tries {
        let end = one.result();
        let said = first_line(&one.message, MESSAGE_BYTES_MAX);
        let line = format!("{}: {end}: {said}", one.strategy);
        let _ = writeln!(log, "{}", visible(&line));
    }
    let _ = writeln!(log, "::{mark}::");
    let _ = writeln!(log, "::endgroup::");
    log
}

/// The one annotation.
fn annotation(report: &CiReport) -> Option<String> {
    let command = first_line(&report.command, TITLE_BYTES_MAX);
    let first = report.failure.as_ref();
    let (kind, title, said, at) = match report.verdict() {
        Verdict::Passed => return None,
        Verdict::Failed => {
            let said = match report.deciding() {
                Some(failure) if !failure.message.is_empty() => failure.message.clone(),
                _ if !report.message.is_empty() => report.message.clone(),
                _ => format!("exit code {} ({})", report.exit_code, report.outcome),
            };
            let title = format!("`{command}` fails{}", type_of(report.deciding()));
            ("error", title, said, report.deciding())
        }
        Verdict::Flaky => {
            let title = format!("`{command}` is flaky{}", type_of(first));
            let said = first.map(|failure| failure.message.clone());
            let said = format!(
                "It passed when it was run again. {}",
                said.unwrap_or_default()
            );
            ("warning", title, said, first)
        }
        Verdict::Cured => {
            let title = format!("`{command}` was recovered{}", type_of(first));
            let files = named(&report.files_modified, str::to_owned).join(", ");
            let changed = match report.files_modified.is_empty() {
                true => String::new(),
                false => format!("Changed and not committed: {files}. "),
            };
            (
                "notice",
                title,
                format!("{changed}{}", report.message),
                first,
            )
        }
    };
    let mut properties = Vec::new();
    if let Some(spot) = at.and_then(|failure| report.spot(failure)) {
        properties.push(format!("file={}", property(&spot.path)));
        properties.extend(spot.line.map(|line| format!("line={line}")));
    }
    properties.push(format!("title={}", property(&title)));
    let properties = properties.join(",");
    let said = data(&cut(said.trim_end(), MESSAGE_BYTES_MAX));
    Some(format!("::{kind} {properties}::{said}\n"))
}

/// The type of `failure` behind a colon, if it has one.
fn type_of(failure: Option<&Failure>) -> String {
    let kind = failure.map_or("", |failure| &failure.error_type);
    match first_line(kind, TITLE_BYTES_MAX) {
        kind if kind.is_empty() => kind,
        kind => format!(": {kind}"),
    }
}

/// Renders `files` with `show`; too many are counted.
fn named(files: &[String], show: impl Fn(&str) -> String) -> Vec<String> {
    let mut named: Vec<_> = files
        .iter()
        .take(FILES_MAX)
        .map(|file| show(file))
        .collect();
    if files.len() > FILES_MAX {
        named.push(format!("… {} more", files.len() - FILES_MAX));
    }
    named
}

/// Renders `report` in Markdown, in at most `bytes_max` bytes. Empty for a command that passed at
/// once.
pub fn github_summary(report: &CiReport, bytes_max: usize) -> String {
    if report.verdict() == Verdict::Passed {
        return String::new();
    }
    let verdict = match report.verdict() {
        Verdict::Flaky => "⚠️ flaky",
        Verdict::Cured if report.exit_code == 0 => "✅ recovered",
        Verdict::Cured => "✅ recovered, not committed",
        Verdict::Passed | Verdict::Failed => "❌ not recovered",
    };
    let command = first_line(&report.command, TITLE_BYTES_MAX);
    let mut parts = vec![format!("### {verdict}: {}\n\n", code(&command))];
    parts.push(format!("{}\n", facts(report)));
    let failure = report.failure.iter().map(|failure| ("Failure", failure));
    let is_other = |left: &&Failure| Some(*left) != report.failure.as_ref();
    let left = report.left.as_ref().filter(is_other);
    let left = left.iter().map(|failure| ("What is left", *failure));
    for (heading, failure) in failure.chain(left) {
        let kind = inline(&first_line(ci::type_of(failure), TITLE_BYTES_MAX));
        let said = block(&cut(&failure.message, BLOCK_BYTES_MAX));
        parts.push(format!("\n**{heading}**: {kind}\n\n{said}\n"));
    }
    if !report.files_modified.is_empty() {
        let files = named(&report.files_modified, code);
        parts.push(format!("\n**Changed**: {}\n", files.join(", ")));
    }
    parts.extend(tries(report));
    fitting(parts, bytes_max)
}

/// The table of tries, a part each row.
fn tries(report: &CiReport) -> Vec<String> {
    let (tries, untold) = report.told_tries();
    if tries.is_empty() {
        return Vec::new();
    }
    let before = match untold {
        0 => String::new(),
        untold => format!("\n{} before these.\n", counted(untold as u64, "try")),
    };
    let head = "\n| Strategy | Result | Took | |\n|---|---|--:|---|\n";
    let mut rows = vec![format!("{before}{head}")];
    rows.extend(tries.iter().map(|one| {
        let sign = if one.success { "✔" } else { "✘" };
        let end = one.result();
        let strategy = inline(&first_line(&one.strategy, TITLE_BYTES_MAX));
        let said = inline(&first_line(&one.message, TITLE_BYTES_MAX));
        format!(
            "| {strategy} | {sign} {end} | {} | {said} |\n",
            long(one.duration_seconds)
        )
    }));
    rows
}

fn facts(report: &CiReport) -> String {
    let mut facts = vec![format!("exit code {}", report.exit_code)];
    facts.extend(report.category.map(|category| inline(category.as_str())));
    if let Some(failure) = report.deciding()
        && let Some(spot) = report.spot(failure)
    {
        let line = spot.line.map(|line| format!(":{line}")).unwrap_or_default();
        facts.push(code(&format!("{}{line}", spot.path)));
    }
    facts.push(long(report.duration_seconds));
    if let Some(session) = &report.session_id {
        facts.push(format!("session {}", code(session)));
    }
    facts.join(" · ")
}

/// The first of `parts` that fit, and a line that says that there are more.
fn fitting(parts: Vec<String>, bytes_max: usize) -> String {
    const MORE: &str = "\n… and more, for which the summary has no room.\n";

    let whole: usize = parts.iter().map(String::len).sum();
    if whole <= bytes_max {
        return parts.concat();
    }
    let mut text = String::new();
    for part in parts {
        if text.len() + part.len() + MORE.len() > bytes_max {
            break;
        }
        text.push_str(&part);
    }
    if text.len() + MORE.len() <= bytes_max {
        text.push_str(MORE);
    }
    text
}

/// The outputs of the step; `mark` is a word that no program can have known: `outcome`,
/// `exit_code`, `session`, `flaky`, `category` and `patch`, empty without a value.
pub fn github_outputs(report: &CiReport, mark: &str) -> String {
    let outputs = [
        ("outcome", report.outcome.clone()),
        ("exit_code", report.exit_code.to_string()),
        ("session", report.session_id.clone().unwrap_or_default()),
        ("flaky", report.flaky.to_string()),
        (
            "category",
            report
                .category
                .map_or_else(String::new, |category| category.to_string()),
        ),
        ("patch", report.patch.clone().unwrap_or_default()),
    ];
    outputs
        .iter()
        .map(|(name, value)| format!("{name}<<{mark}\n{value}\n{mark}\n"))
        .collect()
}

/// Escapes the text after a workflow command.
fn data(text: &str) -> String {
    let text = text.replace('%', "%25");
    visible(&text.replace('\r', "%0D").replace('\n', "%0A"))
}

/// Escapes the value of a workflow command's property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// `text` without characters that do anything, on its line.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\t' => out.push(' '),
            other => push_visible(other, &mut out),
        }
    }
    out
}
