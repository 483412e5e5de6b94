//! `recover verify`.

use std::path::Path;

use auto_recovery::audit::sealing::{
    ChainReport, Keys, Outside, Requirements, Verification, VerifyRequest, Voucher, Witnessed,
    verify as check,
};
use auto_recovery::integrity::{Finding, Verdict};
use auto_recovery::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::args::{Required, VerifyArgs};
use crate::commands::captured::Source;
use crate::commands::findings::in_words;
use crate::commands::session;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Printer, age, counted};

/// The most that is read of a file of seals: a hundred thousand.
const SEALS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The answer, for programs.
#[derive(Serialize)]
struct Answer<'a> {
    verdict: Verdict,
    sealed: Option<String>,
    records: u64,
    trails: u64,
    chains: &'a [ChainReport],
    witnessed: Option<&'a Witnessed>,
    findings: &'a [Finding],
}

/// Verifies the store.
///
/// # Errors
/// If it cannot be read, or is of a newer format.
pub(crate) fn verify(context: &Context, args: VerifyArgs) -> Result<Exit> {
    let VerifyArgs {
        session: named,
        all: _,
        against,
        pin: pins,
        require,
    } = args;
    let store = context.store()?;
    let named = named.iter().map(|named| session::existing(&*store, named));
    let sessions = named.collect::<Result<Vec<_>>>()?;
    let mut outside = Vec::new();
    for one in &against {
        outside.extend(read_outside(one)?);
    }
    let request = VerifyRequest {
        sessions,
        against: outside,
        pins,
        require: Requirements {
            sealed: require.contains(&Required::Sealed),
            pinned: require.contains(&Required::Pinned),
            outside: require.contains(&Required::Outside),
        },
        keys: Some(Keys::in_state(&context.settings.state_dir.value)),
        witnesses: context.settings.run.seal_witnesses.value.clone(),
    };
    let found = check(&*store, &request)?;
    if context.printer.json {
        context.printer.json(&Answer {
            verdict: found.verdict,
            sealed: found.newest.as_ref().map(|seal| seal.short().to_string()),
            records: found.records,
            trails: found.trails,
            chains: &found.chains,
            witnessed: found.witnessed.as_ref(),
            findings: &found.findings,
        })?;
    } else {
        tell(context, &found);
    }
    Ok(exit_of(found.verdict))
}

/// What a verdict exits with.
pub(super) fn exit_of(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Proved => Exit::OK,
        Verdict::Changed => Exit::NOT_FOUND,
        Verdict::Unproved => Exit::NOT_PROVED,
    }
}

/// The seals that `given` is, or names the file of.
fn read_outside(given: &str) -> Result<Vec<Outside>> {
    if let Ok(short) = given.parse() {
        return Ok(vec![Outside::Short(short)]);
    }
    let mut bytes = Vec::new();
    let file = Path::new(given);
    Source::open(Some(file))?.each(|piece| {
        bytes.extend_from_slice(piece);
        match bytes.len() > SEALS_BYTES_MAX {
            true => Err(no_seals(given, "it is too long")),
            false => Ok(()),
        }
    })?;
    let seals = Outside::read_all(&String::from_utf8_lossy(&bytes))
        .map_err(|refused| no_seals(given, &refused.to_string()))?;
    match seals.is_empty() {
        true => Err(no_seals(given, "there is none in it")),
        false => Ok(seals),
    }
}

fn no_seals(given: &str, why: &str) -> Error {
    let text = format!("{given} is neither a seal N:HEX nor a file of seals: {why}");
    Error::new(ErrorKind::InvalidInput, text)
}

fn tell(context: &Context, found: &Verification) {
    let printer = &context.printer;
    for finding in &found.findings {
        printer.warn(in_words(finding));
    }
    let trails = counted(found.trails, "trail");
    let entries = counted(found.entries, "entry");
    let records = counted(found.records, "journal record");
    match (found.verdict, &found.newest) {
        (Verdict::Proved, _) => printer.note(format_args!(
            "{trails} ({entries}) and {records} are as they were sealed"
        )),
        (Verdict::Changed, _) => {
            let named = |one: &&Finding| one.session_id.is_some();
            let named = found.findings.iter().filter(named).count();
            let changed = counted(named as u64, "trail");
            printer.note(match named {
                0 => "what is named above is not as it was sealed".to_owned(),
                _ if named == found.findings.len() => {
                    format!("{changed} not as sealed; {trails} are there")
                }
                _ => {
                    format!("{changed} and what is named above: not as sealed; {trails} are there")
                }
            });
        }
        (Verdict::Unproved, None) => printer.note(format_args!(
            "{trails} ({entries}) and {records}: nothing can be proved, `recover seal` seals them \
             from now on"
        )),
        (Verdict::Unproved, Some(_)) => printer.note(format_args!(
            "{trails} ({entries}) and {records}: nothing is known to have changed, and that cannot \
             be proved"
        )),
    }
    tell_newest(context, found);
    tell_rest(printer, found);
}

/// Tells of the newest seal, and what came after it.
fn tell_newest(context: &Context, found: &Verification) {
    let Some(newest) = &found.newest else {
        return;
    };
    let at = found.newest_at.as_deref().unwrap_or_default();
    let chain = found.chains.iter().find(|one| one.chain == newest.chain);
    let whose = match chain.and_then(|one| one.vouched_by) {
        Some(Voucher::Key | Voucher::Memory) => " of this machine",
        Some(Voucher::Pin) => ", as it was pinned",
        Some(Voucher::Outside) => ", whose seal somebody outside has",
        None => "",
    };
    let since = match (found.records_since, found.entries_since) {
        (0, 0) => "everything is sealed".to_owned(),
        (records, 0) => format!("{} since", counted(records, "record")),
        (0, entries) => format!("{} not sealed yet", counted(entries, "entry")),
        (records, entries) => {
            let entries = counted(entries, "entry");
            format!(
                "{entries} and {} since are not sealed yet",
                counted(records, "record")
            )
        }
    };
    context.printer.note(format_args!(
        "newest seal {}, {}, chain {}{whose}; {since}",
        newest.short(),
        age(at, context.host.now()),
        newest.chain,
    ));
}

fn tell_rest(printer: &Printer, found: &Verification) {
    for (record, reason) in &found.new_chains {
        printer.note(format_args!(
            "a new chain was begun at record {record}: {reason}"
        ));
    }
    if let Some(Witnessed { seal, witnesses }) = &found.witnessed {
        let who = witnesses
            .iter()
            .map(|one| format!("{} at {}", one.name, one.at));
        let who = who.collect::<Vec<_>>().join(", ");
        printer.note(format_args!("seal {seal} is witnessed by {who}"));
    }
    if found.removed > 0 {
        let removals = counted(found.removed, "removal");
        printer.note(format_args!("{removals} of trails on record"));
    }
    if let (Verdict::Proved, Some(newest), false) =
        (found.verdict, &found.newest, found.has_outside)
    {
        printer.note(format_args!(
            "nobody outside holds a seal: to be sure nothing was put back as a whole, compare one \
             from a CI log: `recover verify --against {}`",
            newest.short()
        ));
    }
}
