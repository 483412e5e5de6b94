//! `recover key witness`, `recover seal --add-checkpoint` and `--cosignatures`: what witnesses are
//! told, sent, and answer. Nothing here asks them by itself.

use std::path::Path;

use auto_recovery::audit::AuditStore;
use auto_recovery::audit::sealing::{
    Cosigned, Keys, Sealer, Witness, add_checkpoint, keep_cosignatures, newest_seal,
};
use auto_recovery::integrity::Seal;
use auto_recovery::patience::Waiting;
use auto_recovery::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::commands::captured::Source;
use crate::context::Context;
use crate::exit::Exit;

/// The most that is read of an answer: some lines of 5 KiB at most.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What was kept of an answer, for programs.
#[derive(Serialize)]
struct Kept<'a> {
    seal: String,
    witnesses: &'a [Witness],
    unknown: &'a [String],
    /// Whether it was on record before.
    was_known: bool,
}

/// Prints the key by which witnesses know the store, made the first time.
pub(super) fn key(context: &Context) -> Result<Exit> {
    let (store, printer) = (context.store()?, &context.printer);
    if newest_seal(&*store)?.is_none() {
        let text = format!(
            "{} has no seal yet: `recover seal` makes one",
            context.settings.store.value
        );
        return Err(Error::new(ErrorKind::NotFound, text));
    }
    let state_dir = &context.settings.state_dir.value;
    let sealer = Sealer::new(store.clone(), state_dir, context.host.clone());
    let mut waiting = Waiting::default();
    let key = loop {
        match sealer.log_key()? {
            Some(key) => break key.to_string(),
            None => waiting.pause(&*context.host, &|| {
                format!("{}, which somebody else is sealing", store.url())
            })?,
        }
    };
    if printer.json {
        printer.json(&serde_json::json!({"key": key}))?;
        return Ok(Exit::OK);
    }
    printer.text(&format!("{key}\n"))?;
    printer.note(
        "the operator of a witness takes this line; seals from now on are signed with it too, and \
         `recover seal --add-checkpoint 0` prints the first request",
    );
    Ok(Exit::OK)
}

/// What a witness is sent that signed a seal of `old` records last.
pub(super) fn request(
    context: &Context,
    store: &dyn AuditStore,
    seal: &Seal,
    old: u64,
) -> Result<String> {
    let seals = store.seals()?.ok_or_else(|| {
        let text = format!("{} keeps no seals", store.url());
        Error::new(ErrorKind::Refused, text)
    })?;
    let keys = Keys::in_state(&context.settings.state_dir.value);
    add_checkpoint(seals, &keys, seal, old)
}

/// Keeps the answer in `file`.
pub(super) fn keep(context: &Context, store: &dyn AuditStore, file: &Path) -> Result<Exit> {
    let refused = |text: String| {
        let text = format!("the answer {} is not kept: {text}", file.display());
        Error::new(ErrorKind::Refused, text)
    };
    let mut bytes = Vec::new();
    Source::open(Some(file))?.each(|piece| {
        bytes.extend_from_slice(piece);
        match bytes.len() > ANSWER_BYTES_MAX {
            true => Err(refused(
                "it is too long for an answer of a witness".to_owned(),
            )),
            false => Ok(()),
        }
    })?;
    let answer = String::from_utf8(bytes).map_err(|_| refused("it is no text".to_owned()))?;
    let witnesses = &context.settings.run.seal_witnesses.value;
    let kept = keep_cosignatures(store, witnesses, &answer).map_err(|error| {
        let named = match error.kind() {
            ErrorKind::Refused => refused(error.to_string()),
            _ => return error,
        };
        match error.hint().cloned() {
            Some(hint) => named.with_hint(hint),
            None => named,
        }
    })?;
    tell(context, &kept)?;
    Ok(Exit::OK)
}

fn tell(context: &Context, kept: &Cosigned) -> Result<()> {
    let Cosigned {
        seal,
        by,
        unknown,
        is_known,
    } = kept;
    let printer = &context.printer;
    let seal = seal.short().to_string();
    let by: Vec<_> = by.iter().map(Witness::from).collect();
    if !unknown.is_empty() {
        printer.note(format_args!(
            "not kept, for `[seal] witnesses` does not name who signed: {}",
            unknown.join(", ")
        ));
    }
    if printer.json {
        return printer.json(&Kept {
            seal,
            witnesses: &by,
            unknown,
            was_known: *is_known,
        });
    }
    let who = by.iter().map(|one| format!("{} at {}", one.name, one.at));
    let who = who.collect::<Vec<_>>().join(", ");
    printer.note(match is_known {
        true => format!("seal {seal} is witnessed by {who}, as was on record"),
        false => format!("seal {seal} is witnessed by {who}, which is on record now"),
    });
    Ok(())
}
