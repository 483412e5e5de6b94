//! `recover stats`: a session summed up.

use std::time::SystemTime;

use auto_recovery::audit::AuditStore;
use auto_recovery::audit::session_id::short;
use auto_recovery::{RecoveryStatistics, Result};

use crate::args::StatsArgs;
use crate::commands::evidence::Evidence;
use crate::commands::session;
use crate::commands::stats_of_all::stats_of_all;
use crate::commands::stats_text::{counts, when};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Facts, human_seconds};

/// File names that people are shown; the rest is counted.
const FILES_SHOWN: usize = 8;

/// Sums up the session that is asked for, or those of the whole store.
pub(crate) fn stats(context: &Context, args: StatsArgs) -> Result<Exit> {
    let is_of_all = args.all
        || !args.by.is_empty()
        || [&args.since, &args.until, &args.project, &args.host]
            .into_iter()
            .any(Option::is_some);
    if is_of_all {
        return stats_of_all(context, args);
    }
    let (store, printer, now) = (&*context.store()?, &context.printer, context.host.now());
    let asked = context.asked(args.session, args.any_project);
    let session = session::asked_for(store, asked, printer)?;
    let (statistics, damage) = store.read_statistics(&session)?;
    if printer.json {
        printer.json(&statistics)?;
    } else {
        // A session without attempts has a failure all the same.
        let failure = match statistics.total_attempts {
            0 => failure_of(store, &session)?,
            _ => None,
        };
        printer.long_text(&text(&statistics, failure, now, printer.columns))?;
    }
    session::told(store, &session, statistics.total_attempts, &damage, printer)
}

/// The failure that `session` began with, if that is on record.
fn failure_of(store: &dyn AuditStore, session: &str) -> Result<Option<String>> {
    let (evidence, _damage) = Evidence::of(store, session)?;
    let failure = evidence.failure().map(|detected| &detected.failure);
    Ok(failure.map(|failure| format!("{}: {}", failure.error_type, failure.message)))
}

/// The sums in words. `failure` is what nothing was tried against.
fn text(
    statistics: &RecoveryStatistics,
    failure: Option<String>,
    now: SystemTime,
    columns: Option<u16>,
) -> String {
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
    if *total_attempts > 0 {
        facts.add("success rate", format!("{success_rate:.2} %"));
    }
    facts.add("strategies", counts(strategies_used));
    match failure {
        Some(failure) => facts.add("failure", failure),
        None => facts.add("error types", counts(error_type_distribution)),
    }
    facts.add(
        "spent",
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
