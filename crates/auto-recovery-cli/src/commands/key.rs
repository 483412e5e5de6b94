//! `recover key`.

use auto_recovery::audit::sealing::{Keys, newest_seal};
use auto_recovery::{Error, ErrorKind, Result};

use crate::args::{KeyArgs, KeyCommand};
use crate::commands::{session_keys, witness};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Column, Table};

/// Shows the chain of the store, lists those that this machine began, or sees after the keys that
/// texts are encrypted with.
///
/// # Errors
/// If there is none, or it cannot be read or written.
pub(crate) fn key(context: &Context, args: KeyArgs) -> Result<Exit> {
    match args.what {
        KeyCommand::Show => show(context),
        KeyCommand::List => list(context),
        KeyCommand::Witness => witness::key(context),
        KeyCommand::Init { output } => session_keys::init(context, &output),
        KeyCommand::Identity => session_keys::identity(context),
        KeyCommand::Rotate { to } => session_keys::rotate(context, &to),
        KeyCommand::Shred { session, yes } => session_keys::shred(context, &session, yes),
    }
}

fn show(context: &Context) -> Result<Exit> {
    let printer = &context.printer;
    let Some((seal, _)) = newest_seal(&*context.store()?)? else {
        let text = format!(
            "{} has no seal yet: `recover seal` makes one",
            context.settings.store.value
        );
        return Err(Error::new(ErrorKind::NotFound, text));
    };
    if printer.json {
        let (chain, origin) = (&seal.chain, &seal.origin);
        printer.json(&serde_json::json!({"chain": chain, "origin": origin}))?;
        return Ok(Exit::OK);
    }
    printer.text(&format!("{}\n", seal.chain))?;
    printer.note(format_args!(
        "written down elsewhere, it tells this chain from any other: `recover verify --pin {}`",
        seal.chain
    ));
    Ok(Exit::OK)
}

fn list(context: &Context) -> Result<Exit> {
    let printer = &context.printer;
    let seen = Keys::in_state(&context.settings.state_dir.value).seen()?;
    if printer.json {
        printer.json_lines(&seen)?;
        return Ok(Exit::OK);
    }
    let columns = [Column::whole("CHAIN"), Column::flexible("STORE", 20)];
    let mut table = Table::new(&columns, printer.columns);
    for seen in &seen {
        table.row([seen.chain.as_str(), &seen.store]);
    }
    match seen.is_empty() {
        true => printer.note("this machine has begun no chain yet"),
        false => printer.long_text(&table.render())?,
    }
    Ok(Exit::OK)
}
