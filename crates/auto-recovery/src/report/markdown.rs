//! The report for people: what came of it first, then what was tried, then every detail.

use std::fmt::Write as _;
use std::io::{BufWriter, Write};
use std::time::SystemTime;

use super::text::{block, code, inline};
use crate::audit::{AuditStore, Damage};
use crate::entry::RecoveryAuditEntry;
use crate::error::{Error, Result};
use crate::host::timestamp;
use crate::statistics::RecoveryStatistics;
use crate::wording::counted;

/// How many characters of a message stand in the table.
const CELL_CHARS_MAX: usize = 80;

/// How many files are listed in the summary.
const FILES_SHOWN_MAX: usize = 50;

/// Writes the report of `session_id` to `out` and returns what of the trail could not be read.
///
/// # Errors
/// If the store cannot be read or `out` not be written.
pub fn write_markdown(
    store: &dyn AuditStore,
    session_id: &str,
    now: SystemTime,
    out: &mut dyn Write,
) -> Result<Vec<Damage>> {
    let (statistics, mut damage) = store.read_statistics(session_id)?;
    let mut last = None;
    store.read_trail(session_id, &mut |stored| {
        last = Some(Last::of(&stored.entry()));
        Ok(())
    })?;
    let mut out = BufWriter::with_capacity(64 * 1024, out);
    let mut put = |text: String| {
        out.write_all(text.as_bytes())
            .map_err(|error| Error::os("write the report", error))
    };
    put(summary(&statistics, last.as_ref(), &timestamp(now)))?;
    if statistics.total_attempts > 0 {
        put("\n## What was tried\n\n".to_owned())?;
        put("| # | Strategy | Failure | Result | Took | Files | Next |\n".to_owned())?;
        put("|--:|---|---|---|--:|--:|---|\n".to_owned())?;
        store.read_trail(session_id, &mut |stored| put(row(&stored.entry())))?;
        put("\n## Each attempt\n".to_owned())?;
    }
    let of_entries = store.read_trail(session_id, &mut |stored| put(details(&stored.entry())))?;
    Damage::join(&mut damage, of_entries);
    put(damage_note(&damage))?;
    out.flush()
        .map_err(|error| Error::os("write the report", error))?;
    Ok(damage)
}

/// The last attempt, which says how it ended.
struct Last {
    number: u64,
    strategy: String,
    success: bool,
}

impl Last {
    fn of(entry: &RecoveryAuditEntry) -> Self {
        Self {
            number: entry.attempt_number,
            strategy: shortened(&entry.strategy),
            success: entry.success,
        }
    }
}

fn summary(statistics: &RecoveryStatistics, last: Option<&Last>, generated_at: &str) -> String {
    let mut text = format!("# Recovery report: {}\n\n", inline(&statistics.session_id));
    text.push_str(&verdict(statistics, last));
    text.push_str("\n\n| | |\n|---|---|\n");
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "| {name} | {value} |");
    };
    if let Some(start) = &statistics.session_start {
        line("Session began", inline(start));
    }
    if let Some(last) = &statistics.last_attempt_timestamp {
        line("Last attempt", inline(last));
    }
    line("Attempts", statistics.total_attempts.to_string());
    line(
        "Successful",
        format!(
            "{} ({:.1}%)",
            statistics.successful_attempts, statistics.success_rate
        ),
    );
    line("Undone", statistics.rollback_count.to_string());
    line(
        "Time in attempts",
        format!(
            "{}, {} on average",
            duration(statistics.total_duration_seconds),
            duration(statistics.average_duration_seconds)
        ),
    );
    line("Strategies", counts(&statistics.strategies_used));
    line("Failures", counts(&statistics.error_type_distribution));
    line(
        "Files modified",
        statistics.files_modified_count.to_string(),
    );
    line("Report made", generated_at.to_owned());
    if !statistics.files_modified.is_empty() {
        text.push_str("\n## Files modified\n\n");
        text.push_str(&files(&statistics.files_modified, FILES_SHOWN_MAX));
    }
    text
}

/// One sentence that says how it stands.
fn verdict(statistics: &RecoveryStatistics, last: Option<&Last>) -> String {
    let attempts = counted(statistics.total_attempts, "attempt");
    match last {
        None => "Nothing was tried.".to_owned(),
        Some(last) if last.success => {
            let strategy = inline(&last.strategy);
            format!("**Recovered** by attempt {}, {strategy}.", last.number)
        }
        Some(_) if statistics.successful_attempts == 0 => {
            format!("**Not recovered**: {attempts}, none helped.")
        }
        Some(_) => format!(
            "**Not recovered** in the end: {} of {attempts} succeeded, the last did not.",
            statistics.successful_attempts
        ),
    }
}

fn row(entry: &RecoveryAuditEntry) -> String {
    format!(
        "| {} | {} | {} | {} | {} | {} | {} |\n",
        entry.attempt_number,
        inline(&shortened(&entry.strategy)),
        inline(&shortened(&format!(
            "{}: {}",
            entry.error_type, entry.error_message
        ))),
        result(entry),
        duration(entry.duration_seconds),
        entry.files_modified.len(),
        inline(&shortened(&entry.next_action)),
    )
}

fn details(entry: &RecoveryAuditEntry) -> String {
    let mut text = format!(
        "\n### {}. {}: {}\n\n{} · {} · next: {} · {}\n",
        entry.attempt_number,
        inline(&shortened(&entry.strategy)),
        result(entry),
        inline(&entry.timestamp),
        duration(entry.duration_seconds),
        inline(&entry.next_action),
        code(&entry.entry_id),
    );
    if !entry.error_message.is_empty() {
        let _ = write!(
            text,
            "\nFailure {}:\n\n{}\n",
            inline(&entry.error_type),
            block(&entry.error_message)
        );
    }
    if !entry.recovery_message.is_empty() {
        let _ = write!(text, "\nOutcome:\n\n{}\n", block(&entry.recovery_message));
    }
    if !entry.changes_made.is_empty() {
        text.push_str("\nChanges:\n\n");
        for change in &entry.changes_made {
            let _ = writeln!(text, "- {}", inline(change));
        }
    }
    if !entry.files_modified.is_empty() {
        text.push_str("\nFiles:\n\n");
        text.push_str(&files(&entry.files_modified, usize::MAX));
    }
    text
}

fn result(entry: &RecoveryAuditEntry) -> &'static str {
    match (entry.success, entry.rollback_performed) {
        (true, false) => "✔ success",
        (true, true) => "✔ success, undone",
        (false, true) => "✘ failed, undone",
        (false, false) => "✘ failed",
    }
}

fn damage_note(damage: &[Damage]) -> String {
    if damage.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "\n## Damage\n\n{} of the record could not be read, and what stood there is missing above:\n\n",
        counted(damage.len() as u64, "place")
    );
    for place in damage {
        let _ = writeln!(
            text,
            "- {}, line {}, {}: {}",
            code(&place.place),
            place.line,
            counted(place.bytes, "byte"),
            inline(&place.reason)
        );
    }
    text
}

fn files(paths: &[String], max: usize) -> String {
    let mut text = String::new();
    for path in paths.iter().take(max) {
        let _ = writeln!(text, "- {}", code(path));
    }
    if paths.len() > max {
        let _ = writeln!(text, "- … {} more", paths.len() - max);
    }
    text
}

fn counts(counts: &std::collections::BTreeMap<String, u64>) -> String {
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let parts: Vec<String> = counts
        .into_iter()
        .map(|(name, count)| format!("{} {count}", inline(&shortened(name))))
        .collect();
    if parts.is_empty() {
        return "none".to_owned();
    }
    parts.join(", ")
}

fn shortened(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= CELL_CHARS_MAX && line.len() == text.trim_end().len() {
        return line.to_owned();
    }
    let mut short: String = line.chars().take(CELL_CHARS_MAX).collect();
    short.push('…');
    short
}

fn duration(seconds: f64) -> String {
    const MINUTE: f64 = 60.0;
    if seconds < MINUTE {
        return format!("{seconds} s");
    }
    // Truncation is meant: 119.7 s are not 1 min 60 s.
    let minutes = (seconds / MINUTE).floor();
    format!("{minutes} min {} s", (seconds % MINUTE).floor())
}
