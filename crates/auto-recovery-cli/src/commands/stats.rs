//! `recover stats`: a session summed up.

use std::collections::BTreeMap;
use std::time::SystemTime;

use auto_recovery::audit::AuditStore;
use auto_recovery::audit::session_id::short;
use auto_recovery::{RecoveryStatistics, Result};

use crate::commands::session::{self, Asked};
use crate::exit::Exit;
use crate::output::{Facts, Printer, age, human_seconds};

/// File names that people are shown; the rest is counted.
const FILES_SHOWN: usize = 8;

/// Sums up the session `asked` for.
pub(crate) fn stats(
    store: &dyn AuditStore,
    asked: Asked<'_>,
    now: SystemTime,
    printer: &Printer,
) -> Result<Exit> {
    let session = session::asked_for(store, asked, printer)?;
    let (statistics, damage) = store.read_statistics(&session)?;
    if printer.json {
        printer.json(&statistics)?;
    } else {
        printer.long_text(&text(&statistics, now, printer.columns))?;
    }
    session::told(store, &session, statistics.total_attempts, &damage, printer)
}

/// A time and its age.
pub(super) fn when(time: &Option<String>, now: SystemTime) -> String {
    match time {
        Some(time) => match age(time, now) {
            age if time.starts_with(&age) => time.clone(),
            age => format!("{time} ({age})"),
        },
        None => "never".to_owned(),
    }
}

fn text(statistics: &RecoveryStatistics, now: SystemTime, columns: Option<u16>) -> String {
    let RecoveryStatistics {
        session_id,
        session_start,
        total_attempts,
        successful_attempts,
        failed_attempts,
        success_rate,
        strategies_used,
        error_type_distribution,
        total_duration_seconds,
        average_duration_seconds,
        files_modified_count,
        files_modified,
        rollback_count,
        first_attempt_timestamp,
        last_attempt_timestamp,
    } = statistics;
    let mut facts = Facts::new(columns);
    facts.add("session", short(session_id));
    facts.add("began", when(session_start, now));
    facts.add("first attempt", when(first_attempt_timestamp, now));
    facts.add("last attempt", when(last_attempt_timestamp, now));
    facts.add(
        "attempts",
        format!("{total_attempts}: {successful_attempts} cured, {failed_attempts} failed"),
    );
    facts.add("success rate", format!("{success_rate:.2} %"));
    facts.add("strategies", counts(strategies_used));
    facts.add("error types", counts(error_type_distribution));
    facts.add(
        "time",
        format!(
            "{} in all, {} on average",
            human_seconds(*total_duration_seconds),
            human_seconds(*average_duration_seconds)
        ),
    );
    facts.add("undone", rollback_count.to_string());
    facts.add("files", files(*files_modified_count, files_modified));
    facts.render()
}

/// `counts`, the largest first.
pub(super) fn counts(counts: &BTreeMap<String, u64>) -> String {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), *name));
    let parts: Vec<_> = sorted
        .iter()
        .map(|(name, count)| format!("{name} × {count}"))
        .collect();
    if parts.is_empty() {
        "none".to_owned()
    } else {
        parts.join(", ")
    }
}

fn files(count: u64, names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let shown = names.len().min(FILES_SHOWN);
    let rest = names.len() - shown;
    let more = if rest > 0 {
        format!(", … {rest} more")
    } else {
        String::new()
    };
    format!("{count}: {}{more}", names[..shown].join(", "))
}
