//! `recover history`: the attempts of a session.

use std::time::SystemTime;

use auto_recovery::audit::{AuditStore, Damage, StoredEntry};
use auto_recovery::{RecoveryAuditEntry, Result, wording};

use crate::args::HistoryArgs;
use crate::commands::evidence::Evidence;
use crate::commands::session;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{
    Column, Escapes, JsonArray, Printer, Table, Tone, human_seconds, short_age, stdout_error,
};

/// Attempts that people are shown unless they ask for more. A table is laid out as a whole, so it
/// needs a bound; 1,000 rows are 20 screens.
const ROWS_DEFAULT: usize = 1000;

/// Lists the attempts of the session that is asked for, or the last of them.
pub(crate) fn history(context: &Context, args: HistoryArgs) -> Result<Exit> {
    let HistoryArgs {
        session,
        last,
        any_project,
    } = args;
    let (store, printer, now) = (
        &*context.readable_store(context.unopened())?,
        &context.printer,
        context.host.now(),
    );
    let session = session::asked_for(store, context.asked(session, any_project), printer)?;
    let last = last.flatten();
    let last = last.map(|last| usize::try_from(last).unwrap_or(usize::MAX));
    let damage = if printer.json {
        print_json(store, &session, last, printer)?
    } else {
        print_table(store, &session, last, now, printer)?
    };
    session::told(store, &session, 0, &damage, printer)
}

fn print_json(
    store: &dyn AuditStore,
    session: &str,
    last: Option<usize>,
    printer: &Printer,
) -> Result<Vec<Damage>> {
    printer.data(Escapes::Json, |out| {
        let mut array = JsonArray::begin(out).map_err(stdout_error)?;
        let mut add = |stored: StoredEntry<'_>| array.item(&*stored.entry()).map_err(stdout_error);
        let damage = match last {
            Some(last) => store.read_last(session, last, &mut add)?,
            None => store.read_trail(session, &mut add)?,
        };
        array.end().map_err(stdout_error)?;
        Ok(damage)
    })
}

fn print_table(
    store: &dyn AuditStore,
    session: &str,
    last: Option<usize>,
    now: SystemTime,
    printer: &Printer,
) -> Result<Vec<Damage>> {
    let tail = read_tail(store, session, last.unwrap_or(ROWS_DEFAULT))?;
    if tail.entries.is_empty() {
        let is_unread = tail.damage.iter().any(|damage| !damage.is_aside);
        if !note_without_end(store, session, 0, printer)? && !is_unread {
            printer.note("nothing was tried in this session; `recover show` tells why");
        }
        return Ok(tail.damage);
    }
    let columns = [
        Column::whole("#").number(),
        Column::whole("AGE").number().rank(2),
        Column::flexible("STRATEGY", 11),
        Column::whole("RESULT"),
        Column::whole("TOOK").number().rank(3),
        Column::flexible("ERROR TYPE", 12).rank(1),
        Column::flexible("NEXT", 8).rank(5),
        Column::flexible("CHANGED", 12).rank(4),
    ];
    let mut table = Table::new(&columns, printer.columns);
    for entry in &tail.entries {
        table.row(row(entry, now));
        table.tone(result_tone(entry), result_of(entry));
    }
    printer.long_text(&table.render())?;
    if let Some(entry) = tail.entries.last().filter(|entry| goes_on(entry)) {
        note_without_end(store, session, entry.attempt_number, printer)?;
    }
    if last.is_none() && tail.entries.len() == ROWS_DEFAULT {
        let total = store.statistics(session)?.total_attempts;
        let earlier = total.saturating_sub(ROWS_DEFAULT as u64);
        if earlier > 0 {
            printer.note(format_args!(
                "{earlier} earlier attempts are not shown; `--last {total}` or `--json` shows them",
            ));
        }
    }
    Ok(tail.damage)
}

/// Whether another attempt is to come after `entry`.
fn goes_on(entry: &RecoveryAuditEntry) -> bool {
    matches!(entry.next_action.as_str(), "retry" | "continue")
}

/// Tells of an attempt after `last` that has no end on record. Returns whether there is one.
fn note_without_end(
    store: &dyn AuditStore,
    session: &str,
    last: u64,
    printer: &Printer,
) -> Result<bool> {
    let (evidence, _damage) = Evidence::of(store, session)?;
    let Some(started) = evidence.without_end(last) else {
        return Ok(false);
    };
    printer.note(format_args!(
        "attempt {}, {} `{}`, has no end on record: it is under way, or recover died in it",
        started.attempt_number, started.strategy, started.action
    ));
    Ok(true)
}

/// The end of a trail.
pub(crate) struct Tail {
    /// Its last entries, in order.
    pub(crate) entries: Vec<RecoveryAuditEntry>,
    /// What could not be read.
    pub(crate) damage: Vec<Damage>,
}

/// Reads the last `count` entries of `session`.
pub(crate) fn read_tail(store: &dyn AuditStore, session: &str, count: usize) -> Result<Tail> {
    let mut entries = Vec::new();
    let damage = store.read_last(session, count, &mut |stored| {
        entries.push(stored.into_entry());
        Ok(())
    })?;
    Ok(Tail { entries, damage })
}

/// What became of an attempt, in a word or two.
pub(crate) fn result_of(entry: &RecoveryAuditEntry) -> &'static str {
    wording::result(entry.success, entry.rollback_performed)
}

/// How that looks.
pub(crate) fn result_tone(entry: &RecoveryAuditEntry) -> Tone {
    match entry.success {
        true => Tone::Good,
        false => Tone::Bad,
    }
}

/// What was to come after an attempt, as people see it.
pub(crate) fn next_of(entry: &RecoveryAuditEntry) -> &str {
    wording::next(&entry.next_action)
}

fn row(entry: &RecoveryAuditEntry, now: SystemTime) -> [String; 8] {
    let changed = match entry.files_modified.as_slice() {
        [] => entry.changes_made.join("; "),
        files => files.join(", "),
    };
    [
        entry.attempt_number.to_string(),
        short_age(&entry.timestamp, now),
        entry.strategy.clone(),
        result_of(entry).to_owned(),
        human_seconds(entry.duration_seconds),
        entry.error_type.clone(),
        next_of(entry).to_owned(),
        changed,
    ]
}
