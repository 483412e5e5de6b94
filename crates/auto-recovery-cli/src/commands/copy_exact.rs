//! `recover copy --exact`.

use std::sync::Arc;

use auto_recovery::audit::sealing::{NewChain, Sealed, Sealer, WhatToSeal};
use auto_recovery::audit::{AuditStore, Damage};
use auto_recovery::integrity::{Finding, FindingKind, Seal, Verdict};
use auto_recovery::transfer::{self, ExactCopy};
use auto_recovery::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::commands::findings::in_words;
use crate::context::Context;
use crate::exit::Exit;
use crate::hints;
use crate::output::{Printer, counted};

/// What became of an exact copy, for programs.
#[derive(Serialize)]
struct Shown {
    from: String,
    to: String,
    sessions: u64,
    entries: u64,
    records: u64,
    seals: u64,
    damaged: usize,
    different: Vec<String>,
    /// Whether all is there as it was sealed.
    holds: bool,
    /// The first seal of its own chain.
    seal: Option<String>,
}

/// Copies all of `from` to `to`, which is empty, and begins a chain of its own there.
///
/// # Errors
/// If it cannot be copied as it is.
pub(super) fn copy_exactly(
    context: &Context,
    from: &dyn AuditStore,
    to: &Arc<dyn AuditStore>,
) -> Result<Exit> {
    let printer = &context.printer;
    let ExactCopy {
        copied,
        seals,
        verified,
    } = transfer::copy_exactly(from, &**to, &mut |_| {})?;
    let is_whole = tell_what_differs(printer, &copied.damage, &copied.different);
    let changed = verified.verdict == Verdict::Changed;
    if changed {
        for finding in verified.findings.iter().filter(is_a_change) {
            printer.warn(in_words(finding));
        }
        printer.warn(
            "the copy is not as it was sealed: `recover verify` says whether FROM is, or it was \
             written to meanwhile; remove the copy and make it again",
        );
    }
    let holds = is_whole && !changed;
    let seal = match (seals, holds) {
        (0, _) | (_, false) => None,
        _ => Some(begin_chain(context, to, &from.url())?),
    };
    printer.note(format_args!(
        "{}, {}, {}, {}{}",
        counted(copied.sessions, "session"),
        counted(copied.entries.read, "entry"),
        counted(copied.records.read, "journal record"),
        counted(seals, "seal"),
        match &seal {
            Some(seal) => format!(
                "; everything is there as it was sealed · a chain of its own begins with seal {}",
                seal.short()
            ),
            None if holds => "; nothing was ever sealed".to_owned(),
            None => String::new(),
        }
    ));
    if printer.json {
        printer.json(&Shown {
            from: from.url(),
            to: to.url(),
            sessions: copied.sessions,
            entries: copied.entries.read,
            records: copied.records.read,
            seals,
            damaged: copied.damage.len(),
            different: copied.different.into_iter().map(|(id, _)| id).collect(),
            holds,
            seal: seal.map(|seal| seal.short().to_string()),
        })?;
    }
    Ok(match holds {
        true => Exit::OK,
        false => Exit::NOT_FOUND,
    })
}

/// Tells what could not be read, and what is not the same. Returns whether all is there.
pub(super) fn tell_what_differs(
    printer: &Printer,
    damage: &[Damage],
    different: &[(String, String)],
) -> bool {
    printer.damage(damage);
    for (session, reason) in different {
        printer.warn(format_args!(
            "session {session} is not the same in both stores: {reason}"
        ));
    }
    different.is_empty() && damage.iter().all(|damage| damage.is_aside)
}

/// Whether `finding` says more than that nobody vouches for a copy, or that not all is sealed.
fn is_a_change(finding: &&Finding) -> bool {
    !matches!(
        finding.kind,
        FindingKind::UnknownChain | FindingKind::Unsealed
    )
}

/// Begins the chain of the copy in `to`: the key for the next seal of the other stays where it is.
fn begin_chain(context: &Context, to: &Arc<dyn AuditStore>, from: &str) -> Result<Seal> {
    let state_dir = &context.settings.state_dir.value;
    let sealer = Sealer::new(to.clone(), state_dir, context.host.clone());
    let reason = format!("an exact copy of {from}");
    let sealed = sealer.seal_in_new_chain(WhatToSeal::All, NewChain { reason: &reason });
    let sealed = sealed.map_err(|error| {
        let why = hints::chain(&error);
        Error::new(
            ErrorKind::Io,
            format!(
                "the copy is whole, but its own chain cannot be begun: {why}; `recover seal \
                 --new-chain --reason copied` in it does so"
            ),
        )
    })?;
    match sealed {
        Sealed::Made(seal) => Ok(seal),
        _ => Err(Error::new(
            ErrorKind::Busy,
            "somebody else is sealing the copy: `recover seal --new-chain --reason copied` in it \
             begins its own chain",
        )),
    }
}
