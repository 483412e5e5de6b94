//! `recover show`: what was tried, with its changes and its output.

use std::time::SystemTime;

use auto_recovery::audit::encrypting::Opener;
use auto_recovery::audit::{AuditStore, Damage, JournalRecord};
use auto_recovery::run::Place;
use auto_recovery::{Error, ErrorKind, RecoveryAuditEntry, Result};
use serde::Serialize;

use crate::args::ShowArgs;
use crate::commands::evidence::Evidence;
use crate::commands::history::{Tail, read_tail};
use crate::commands::session;
use crate::commands::show_diff::{Beginning, Whole};
use crate::commands::show_part::{Part, show_part};
use crate::commands::show_text::{self, Outputs};
use crate::commands::wanted::{Wanted, session_of};
use crate::context::Context;
use crate::exit::Exit;
use crate::kept_outputs::KeptOutputs;
use crate::output::{Printer, session_argument, session_word};

/// Attempts that people are shown of a session; `history` lists all.
const ATTEMPTS_SHOWN: usize = 20;

/// One attempt, for programs; of a session without any, what there is.
#[derive(Serialize)]
struct Shown<'a> {
    entry: Option<&'a RecoveryAuditEntry>,
    journal: Vec<&'a JournalRecord>,
    diff: Option<&'a Whole<'a>>,
    output_file: Option<&'a str>,
}

/// Shows attempts of a session, with the diffs that its checkpoints tell.
pub(crate) fn show(context: &Context, args: ShowArgs) -> Result<Exit> {
    let ShowArgs {
        session,
        attempt,
        last,
        any_project,
        diff,
        stat,
        output,
    } = args;
    let wanted = Wanted {
        session: context.asked(session, any_project),
        attempt: attempt.or(last.flatten()),
    };
    let (place, opener) = &context.readable_place()?;
    let (printer, now) = (&context.printer, context.host.now());
    let parts = [
        (diff, Part::Diff),
        (stat, Part::Stat),
        (output, Part::Output),
    ];
    if let Some((_, part)) = parts.into_iter().find(|(is_asked, _)| *is_asked) {
        return show_part((place, opener), wanted, part, printer);
    }
    show_attempts((place, opener), wanted, now, printer)
}

fn show_attempts(
    (place, opener): (&Place, &Opener),
    wanted: Wanted<'_>,
    now: SystemTime,
    printer: &Printer,
) -> Result<Exit> {
    let store = &*place.store;
    let session = session_of(store, wanted.session, printer)?;
    let mut tail = match wanted.attempt {
        Some(number) => read_attempt(store, &session, number)?,
        None => read_tail(
            store,
            &session,
            if printer.json { 1 } else { ATTEMPTS_SHOWN },
        )?,
    };
    let (evidence, journal_damage) = Evidence::of(store, &session)?;
    let last = tail.entries.last().map_or(0, |entry| entry.attempt_number);
    let without_end = evidence
        .without_end(last)
        .filter(|_| wanted.attempt.is_none());
    if printer.json {
        for_programs(place, &session, &tail, &evidence, printer)?;
    } else {
        let total = store.statistics(&session)?.total_attempts;
        let facts = show_text::SessionFacts {
            session: &session,
            evidence: &evidence,
            total,
            last_succeeded: last_succeeded(store, &session)?,
        };
        let kept = KeptOutputs::of((store, opener), &place.state_dir, &session)?;
        let outputs = Outputs::of(kept, printer.columns);
        let mut text = show_text::session(&facts, printer.columns, now);
        if wanted.attempt.is_none() {
            text.push_str(&show_text::first_output(&evidence, &outputs));
        }
        let failure = evidence.failure().map(|detected| &detected.failure);
        let mut known = failure.map(|one| (&*one.error_type, &*one.message));
        for entry in &tail.entries {
            let failure = Some((&*entry.error_type, &*entry.error_message));
            let is_known = failure == known;
            known = failure;
            let diff = place.diff(&session, entry.attempt_number)?;
            let diff = diff.as_ref().map(Beginning::of).transpose()?;
            let kept = (diff.as_ref(), &outputs);
            text.push_str(&show_text::attempt((entry, is_known), &evidence, kept, now));
        }
        if let Some(started) = without_end {
            text.push_str(&show_text::without_end(started));
        }
        printer.long_text(&text)?;
        let earlier = total.saturating_sub(tail.entries.len() as u64);
        if wanted.attempt.is_none() && earlier > 0 {
            printer.note(format_args!(
                "{earlier} earlier attempts are not shown; `recover history {}` lists them",
                session_argument(&session)
            ));
        }
    }
    Damage::join(&mut tail.damage, journal_damage);
    let shown = tail.entries.len() as u64;
    session::told(store, &session, shown, &tail.damage, printer)
}

/// Whether the last attempt of `session` was a success.
fn last_succeeded(store: &dyn AuditStore, session: &str) -> Result<bool> {
    let tail = read_tail(store, session, 1)?;
    Ok(tail.entries.last().is_some_and(|last| last.success))
}

/// Prints the last of the attempts as JSON, or what is known of a session without any.
fn for_programs(
    place: &Place,
    session: &str,
    tail: &Tail,
    evidence: &Evidence,
    printer: &Printer,
) -> Result<()> {
    let Some(entry) = tail.entries.last() else {
        if let Some(damage) = tail.damage.iter().find(|damage| !damage.is_aside) {
            return Err(session::nothing_readable(session, damage));
        }
        return printer.json(&Shown {
            entry: None,
            journal: evidence.records(),
            diff: None,
            output_file: evidence.first_output_file(),
        });
    };
    let diff = place.diff(session, entry.attempt_number)?;
    let diff = diff.as_ref().map(Whole::of);
    printer.json(&Shown {
        entry: Some(entry),
        journal: evidence.records_of(entry.attempt_number),
        diff: diff.as_ref(),
        output_file: evidence.output_file(entry.attempt_number),
    })?;
    diff.and_then(Whole::failure).map_or(Ok(()), Err)
}

/// The attempt `number` of `session`. Where two entries have that number, as callers may give them,
/// the later one.
fn read_attempt(store: &dyn AuditStore, session: &str, number: u64) -> Result<Tail> {
    let mut found = None;
    let damage = store.read_trail(session, &mut |stored| {
        if stored.attempt_number() == number {
            found = Some(stored.into_entry());
        }
        Ok(())
    })?;
    match found {
        Some(entry) => Ok(Tail {
            entries: vec![entry],
            damage,
        }),
        None if damage.iter().any(Damage::is_of_all) => {
            Err(session::nothing_readable(session, &damage[0]))
        }
        None => Err(Error::new(
            ErrorKind::NotFound,
            format!(
                "session {} has no attempt {number}; `recover history {}` lists them",
                session_word(session),
                session_argument(session)
            ),
        )),
    }
}
