//! Commands that need the store itself: over a server, which gives nobody more than its API, they
//! are refused by name.

use auto_recovery::{Error, ErrorKind, Result};

#[cfg(feature = "serve")]
use crate::args::AlertsCommand;
use crate::args::{Command, KeyCommand};
use crate::context::Context;
use crate::settings::StoreUrl;

/// What people do where the store is.
const THERE: &str = "do it on the machine of that server, with its own store";
#[cfg(feature = "serve")]
const ALERTS: &str = "the page /alerts and `GET /api/v1/alerts` there have its alerts";

/// Makes sure that what is recorded can be encrypted, if it is to be: over a server there is no
/// place for the keys.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if it cannot.
pub(crate) fn check_encryption(context: &Context) -> Result<()> {
    let server = context.settings.store.value.server();
    let Some(server) = server.filter(|_| context.encryption.is_some()) else {
        return Ok(());
    };
    let text = format!(
        "what is recorded cannot be encrypted over {server}, which keeps no keys for others: take \
         [encryption] out of your config.toml, or record into a store of your own"
    );
    Err(Error::new(ErrorKind::InvalidInput, text))
}

/// Makes sure that `command` can be done with `store`.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if it needs the store itself, and that is a server's.
pub(crate) fn check_store(command: &Command, store: &StoreUrl) -> Result<()> {
    match needs_own(command) {
        Some((name, instead)) => store.check_own(name, instead),
        None => Ok(()),
    }
}

/// The name of `command` if it needs the store itself, and what to do where that is a server's.
fn needs_own(command: &Command) -> Option<(&'static str, &'static str)> {
    match command {
        Command::Prune(_) => Some((
            "prune",
            "that server keeps to its own rules of retention each day; or do it on its machine, \
             with its own store",
        )),
        Command::Import(_) => Some(("import", THERE)),
        Command::Verify(_) => Some(("verify", THERE)),
        Command::Seal(_) => Some(("seal", THERE)),
        // Checking a receipt takes no store.
        Command::Proof(args) if args.check.is_none() => Some(("proof", THERE)),
        Command::Key(args) => match args.what {
            KeyCommand::Show => Some(("key show", THERE)),
            KeyCommand::Witness => Some(("key witness", THERE)),
            KeyCommand::Rotate { .. } => Some(("key rotate", THERE)),
            KeyCommand::Shred { .. } => Some(("key shred", THERE)),
            KeyCommand::List | KeyCommand::Init { .. } | KeyCommand::Identity => None,
        },
        #[cfg(feature = "serve")]
        Command::Serve(args) if args.what.is_none() => Some((
            "serve",
            "it is a server already; start one where its store is",
        )),
        #[cfg(feature = "serve")]
        Command::Serve(_) => Some(("serve token", "make tokens where that server runs")),
        #[cfg(feature = "serve")]
        Command::Alerts(args) => match args.command {
            AlertsCommand::Test { .. } => None,
            _ => Some(("alerts", ALERTS)),
        },
        #[cfg(feature = "serve")]
        Command::Heartbeat(_) => Some((
            "heartbeat",
            "`POST /api/v1/heartbeats/NAME` there, with a token, tells it",
        )),
        // All others do with any store; `copy` names its stores itself, and looks at them.
        _ => None,
    }
}
