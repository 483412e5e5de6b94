//! `recover proof`.

use std::path::Path;

use auto_recovery::audit::sealing::{Keys, receipt};
use auto_recovery::integrity::{Receipt, Seal};
use auto_recovery::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::args::ProofArgs;
use crate::commands::captured::Source;
use crate::commands::session;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Escapes, stdout_error, write_output};

/// The longest receipt that is read: one of an entry of 16 MiB, in base64.
const RECEIPT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A receipt that holds, for programs.
#[derive(Serialize)]
struct Checked<'a> {
    holds: bool,
    is_vouched: bool,
    seal: String,
    chain: &'a str,
    entry: serde_json::Value,
}

/// Prints the receipt of an attempt, or checks one.
///
/// # Errors
/// If there is no such attempt, or it is not sealed.
pub(crate) fn proof(context: &Context, args: ProofArgs) -> Result<Exit> {
    let ProofArgs {
        session,
        attempt,
        output,
        check: file,
        pin: pins,
    } = args;
    if let Some(file) = file {
        return check(context, &file, &pins);
    }
    let store = context.store()?;
    let session = session::existing(&*store, &session.unwrap_or_default())?;
    let text = receipt(&*store, &session, attempt.unwrap_or_default())?.text();
    write_output(output.as_deref(), Escapes::Text, &context.printer, |out| {
        out.write_all(text.as_bytes()).map_err(stdout_error)
    })?;
    Ok(Exit::OK)
}

/// Checks the receipt in `file`.
fn check(context: &Context, file: &Path, pins: &[String]) -> Result<Exit> {
    let mut bytes = Vec::new();
    let name = file.display();
    Source::open(Some(file))?.each(|piece| {
        bytes.extend_from_slice(piece);
        match bytes.len() > RECEIPT_BYTES_MAX {
            true => {
                let text = format!("{name} is longer than any receipt");
                Err(Error::new(ErrorKind::InvalidInput, text))
            }
            false => Ok(()),
        }
    })?;
    let read = String::from_utf8(bytes).ok();
    let receipt = read.and_then(|text| Receipt::read(&text).ok());
    let checked = receipt.as_ref().map(Receipt::check);
    let (Some(receipt), Some(Ok(seal))) = (&receipt, checked) else {
        let printer = &context.printer;
        match printer.json {
            true => printer.json(&serde_json::json!({"holds": false}))?,
            false => printer.warn(format_args!(
                "{name} proves nothing: it is no receipt, or was changed"
            )),
        }
        return Ok(Exit::NOT_FOUND);
    };
    let is_vouched = is_vouched(context, &seal, pins)?;
    tell(context, receipt, &seal, is_vouched)?;
    Ok(match is_vouched {
        true => Exit::OK,
        false => Exit::NOT_PROVED,
    })
}

/// Whether a pin names the chain, or this machine began it.
fn is_vouched(context: &Context, seal: &Seal, pins: &[String]) -> Result<bool> {
    if !pins.is_empty() {
        return Ok(pins.contains(&seal.chain));
    }
    let seen = Keys::in_state(&context.settings.state_dir.value).seen()?;
    Ok(seen
        .iter()
        .any(|seen| (&seen.chain, &seen.origin) == (&seal.chain, &seal.origin)))
}

fn tell(context: &Context, receipt: &Receipt, seal: &Seal, is_vouched: bool) -> Result<()> {
    let printer = &context.printer;
    let entry: serde_json::Value = serde_json::from_str(&receipt.entry.entry).unwrap_or_default();
    if printer.json {
        return printer.json(&Checked {
            holds: true,
            is_vouched,
            seal: seal.short().to_string(),
            chain: &seal.chain,
            entry,
        });
    }
    printer.json(&entry)?;
    let vouched = match is_vouched {
        true => "",
        false => {
            "; nobody here vouches for that chain: `--pin CHAIN` names one that you wrote down"
        }
    };
    printer.note(format_args!(
        "this attempt was on record at seal {} of chain {}{vouched}",
        seal.short(),
        seal.chain
    ));
    Ok(())
}
