//! `recover sessions`: every recovery so far, newest first.

use std::time::SystemTime;

use auto_recovery::Result;
use auto_recovery::audit::{AuditStore, SessionOutcome, SessionSummary};

use crate::exit::Exit;
use crate::output::{Column, Printer, Table, shell_words, short_age};

/// Lists every session of `store`.
pub(crate) fn sessions(store: &dyn AuditStore, now: SystemTime, printer: &Printer) -> Result<Exit> {
    let (sessions, damage) = store.read_sessions()?;
    if printer.json {
        printer.json_lines(&sessions)?;
    } else if sessions.is_empty() && damage.is_empty() {
        printer.note(format_args!(
            "no sessions yet in {}; `recover run -- CMD` records one when CMD fails",
            store.url()
        ));
    } else {
        let columns = [
            Column::whole("SESSION"),
            Column::whole("AGE").number().rank(1),
            Column::whole("OUTCOME").rank(2),
            Column::whole("CURED").number().rank(4),
            Column::flexible("COMMAND", 12).rank(3),
            Column::flexible("PROJECT", 12).rank(5),
        ];
        let mut table = Table::new(&columns, printer.columns);
        for session in &sessions {
            table.row(row(session, now));
        }
        printer.text(&table.render())?;
    }
    printer.damage(&damage);
    Ok(Exit::OK)
}

/// The word for `outcome`.
pub(crate) fn outcome_name(outcome: SessionOutcome) -> &'static str {
    match outcome {
        SessionOutcome::Recovered => "recovered",
        SessionOutcome::Escalated => "escalated",
        SessionOutcome::Interrupted => "interrupted",
        SessionOutcome::Running => "running",
        SessionOutcome::Unknown => "unknown",
    }
}

fn row(session: &SessionSummary, now: SystemTime) -> [String; 6] {
    let last = session
        .last_attempt_timestamp
        .as_ref()
        .or(session.session_start.as_ref());
    [
        session.session_id.clone(),
        last.map(|last| short_age(last, now)).unwrap_or_default(),
        match session.held {
            Some(_) => format!("{}, held", outcome_name(session.outcome)),
            None => outcome_name(session.outcome).to_owned(),
        },
        format!("{}/{}", session.successful_attempts, session.total_attempts),
        session
            .command
            .as_deref()
            .map(shell_words)
            .unwrap_or_default(),
        session.project.clone().unwrap_or_default(),
    ]
}
