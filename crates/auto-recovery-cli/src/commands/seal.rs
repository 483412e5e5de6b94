//! `recover seal`.

use std::path::Path;

use auto_recovery::audit::sealing::{NewChain, Sealed, Sealer, WhatToSeal, newest_seal};
use auto_recovery::integrity::Seal;
use auto_recovery::patience::Waiting;
use auto_recovery::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::args::SealArgs;
use crate::commands::publish::{publish, sign_as};
use crate::commands::witness;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Escapes, stdout_error};

/// A seal, for programs.
#[derive(Serialize)]
struct Shown<'a> {
    seal: String,
    size: u64,
    chain: &'a str,
    number: u64,
    note: &'a str,
    /// What a witness is sent, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    add_checkpoint: Option<&'a str>,
}

/// What is told of a seal.
struct Told<'a> {
    seal: &'a Seal,
    note: &'a str,
    /// What a witness is sent.
    request: Option<&'a str>,
    /// Whether the note is printed.
    print: bool,
}

/// Makes sure that the key to sign with is there, before anything is sealed.
fn check_key(key: Option<&Path>) -> Result<()> {
    match key.filter(|key| !key.exists()) {
        Some(key) => {
            let says = format!("there is no file {}: name the public key", key.display());
            Err(Error::new(ErrorKind::Io, says))
        }
        None => Ok(()),
    }
}

/// Seals what is on record now.
///
/// # Errors
/// If it cannot be sealed.
pub(crate) fn seal(context: &Context, args: SealArgs) -> Result<Exit> {
    let SealArgs {
        print,
        sign,
        close,
        add_checkpoint,
        cosignatures,
        publish_newest,
        new_chain: _,
        reason,
    } = args;
    let store = context.store()?;
    if publish_newest {
        publish(context, &*store)?;
        return Ok(Exit::OK);
    }
    if let Some(file) = &cosignatures {
        return witness::keep(context, &*store, file);
    }
    check_key(sign.as_deref())?;
    let state_dir = &context.settings.state_dir.value;
    let sealer = Sealer::new(store.clone(), state_dir, context.host.clone());
    let mut waiting = Waiting::default();
    let sealed = loop {
        let sealed = match &reason {
            Some(reason) => sealer.seal_in_new_chain(WhatToSeal::All, NewChain { reason })?,
            None if close => sealer.seal_and_close(WhatToSeal::All)?,
            None => sealer.seal(WhatToSeal::All)?,
        };
        match sealed {
            Sealed::Busy => waiting.pause(&*context.host, &|| {
                format!("{}, which somebody else is sealing", store.url())
            })?,
            sealed => break sealed,
        }
    };
    let Some(seal) = sealed.seal() else {
        return nothing(context, &sealed, add_checkpoint.is_some());
    };
    if let Some(why) = sealer.unknown_to_witnesses() {
        context.printer.warn(format_args!(
            "seal {} is made, and no witness will know it: {}; `recover key witness` makes a new \
             key, and they must be told",
            seal.short(),
            why.chain()
        ));
    }
    let request = add_checkpoint
        .map(|old| witness::request(context, &*store, seal, old))
        .transpose()?;
    let note = newest_seal(&*store)?
        .map(|(_, note)| note)
        .unwrap_or_default();
    let told = Told {
        seal,
        note: &note,
        request: request.as_deref(),
        print,
    };
    tell(context, &sealed, &told)?;
    if let Some(key) = &sign {
        sign_as(context, &*store, key, (seal, &note))?;
    }
    if matches!(sealed, Sealed::Made(_)) {
        publish(context, &*store)?;
    }
    Ok(Exit::OK)
}

fn tell(context: &Context, sealed: &Sealed, told: &Told<'_>) -> Result<()> {
    let Told {
        seal,
        note,
        request,
        print,
    } = *told;
    let printer = &context.printer;
    if printer.json {
        return printer.json(&Shown {
            seal: seal.short().to_string(),
            size: seal.size,
            chain: &seal.chain,
            number: seal.number,
            note,
            add_checkpoint: request,
        });
    }
    let data = request.or(print.then_some(note));
    if let Some(data) = data {
        return printer.data(Escapes::Text, |out| {
            out.write_all(data.as_bytes()).map_err(stdout_error)
        });
    }
    match sealed {
        Sealed::Already(_) => {
            printer.note(format_args!("everything is under seal {}", seal.short()))
        }
        _ => printer.note(format_args!("seal {}", seal.short())),
    }
    Ok(())
}

/// There was nothing to seal, or it cannot be.
fn nothing(context: &Context, sealed: &Sealed, is_asked: bool) -> Result<Exit> {
    let url = &context.settings.store.value;
    if *sealed == Sealed::NotKept {
        let text = format!("{url} keeps no seals");
        return Err(Error::new(ErrorKind::Refused, text));
    }
    let text = format!("nothing is recorded in {url} yet");
    if is_asked {
        return Err(Error::new(ErrorKind::Refused, text));
    }
    context.printer.note(text);
    Ok(Exit::OK)
}
