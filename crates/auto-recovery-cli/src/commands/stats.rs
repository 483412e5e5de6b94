//! `recover stats`: a session summed up, or all of them.

use std::collections::BTreeMap;
use std::time::SystemTime;

use auto_recovery::audit::AuditStore;
use auto_recovery::statistics::{AggregateQuery, AggregateStatistics};
use auto_recovery::{RecoveryStatistics, Result};

use crate::commands::session;
use crate::exit::Exit;
use crate::output::{Facts, Printer, age, human_seconds};

/// File names that people are shown; the rest is counted.
const FILES_SHOWN: usize = 8;

/// Sums up `session`, or the newest one.
pub(crate) fn stats(
    store: &dyn AuditStore,
    session: Option<String>,
    now: SystemTime,
    printer: &Printer,
) -> Result<Exit> {
    let session = session::named_or_newest(store, session, printer)?;
    let statistics = store.statistics(&session)?;
    if printer.json {
        printer.json(&statistics)?;
    } else {
        printer.text(&text(&statistics, now, printer.columns))?;
    }
    Ok(Exit::OK)
}

/// Sums up every session.
pub(crate) fn stats_of_all(
    store: &dyn AuditStore,
    now: SystemTime,
    printer: &Printer,
) -> Result<Exit> {
    let statistics = store.aggregate(&AggregateQuery::default())?.total;
    if printer.json {
        printer.json(&statistics)?;
    } else {
        printer.text(&text_of_all(&statistics, now, printer.columns))?;
    }
    Ok(Exit::OK)
}

fn text_of_all(statistics: &AggregateStatistics, now: SystemTime, columns: Option<u16>) -> String {
    let of = statistics;
    let mut facts = Facts::new(columns);
    facts.add(
        "sessions",
        format!(
            "{}: {} recovered, {} escalated",
            of.sessions, of.recovered_sessions, of.escalated_sessions
        ),
    );
    facts.add("first attempt", when(&of.first_attempt_timestamp, now));
    facts.add("last attempt", when(&of.last_attempt_timestamp, now));
    facts.add(
        "attempts",
        format!(
            "{}: {} cured, {} failed, {} flaky",
            of.total_attempts, of.successful_attempts, of.failed_attempts, of.flaky_attempts
        ),
    );
    facts.add(
        "success rate",
        format!(
            "{:.2} %, with 95 % confidence from {:.2} to {:.2} %",
            of.success_rate, of.success_rate_low, of.success_rate_high
        ),
    );
    facts.add("strategies", counts(&of.strategies_used));
    facts.add("error types", counts(&of.error_type_distribution));
    facts.add(
        "time",
        format!(
            "{} in all, {} on average",
            human_seconds(of.total_duration_seconds),
            human_seconds(of.average_duration_seconds)
        ),
    );
    let shares = [
        (of.duration_p50_seconds, "half"),
        (of.duration_p95_seconds, "95 %"),
        (of.duration_p99_seconds, "99 %"),
    ];
    facts.add("an attempt", within(&shares));
    let shares = [
        (of.recovery_p50_seconds, "half"),
        (of.recovery_p95_seconds, "95 %"),
    ];
    facts.add("a recovery", within(&shares));
    facts.add("undone", of.rollback_count.to_string());
    facts.add("files", of.files_modified_count.to_string());
    facts.render()
}

/// What share took how long at most.
fn within(shares: &[(Option<f64>, &str)]) -> String {
    let parts: Vec<_> = shares
        .iter()
        .filter_map(|(time, share)| Some(format!("{share} within {}", human_seconds((*time)?))))
        .collect();
    match parts.is_empty() {
        true => "none".to_owned(),
        false => parts.join(", "),
    }
}

/// A time and its age.
fn when(time: &Option<String>, now: SystemTime) -> String {
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
    facts.add("session", session_id);
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
fn counts(counts: &BTreeMap<String, u64>) -> String {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), *name));
    let parts: Vec<_> = sorted
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
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
