//! `recover sessions`: every recovery so far, newest first.

use std::time::SystemTime;

use auto_recovery::Result;
use auto_recovery::audit::{AuditStore, SessionSummary};

use crate::commands::outcome::outcome_name;
use crate::commands::session::distinct_ids;
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
        for (session, name) in sessions.iter().zip(distinct_ids(&sessions)) {
            table.row(row(session, name, now));
        }
        printer.text(&table.render())?;
    }
    printer.damage(&damage);
    Ok(Exit::OK)
}

fn row(session: &SessionSummary, name: &str, now: SystemTime) -> [String; 6] {
    let last = session
        .last_attempt_timestamp
        .as_ref()
        .or(session.session_start.as_ref());
    [
        name.to_owned(),
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
