//! `recover hold`: sessions that no rule and no `clear` removes.

use auto_recovery::Result;
use auto_recovery::audit::session_id::short;
use auto_recovery::audit::{JournalEvent, SessionHeld, SessionReleased};

use crate::args::HoldArgs;
use crate::commands::session;
use crate::context::Context;
use crate::exit::Exit;
use crate::identity;
use crate::output::session_argument;

/// Has a session kept until it is released, or releases it.
pub(crate) fn hold(context: &Context, args: HoldArgs) -> Result<Exit> {
    let HoldArgs {
        session,
        reason,
        release: releases,
    } = args;
    if releases {
        return release(context, session);
    }
    let store = context.store()?;
    let session = session::existing(&*store, &session)?;
    let started = identity::session_started(&context.settings, None);
    let held = SessionHeld {
        reason,
        user: started.user,
        host: started.host,
    };
    store.record(Some(&session), JournalEvent::SessionHeld(held))?;
    context.printer.note(format_args!(
        "session {} is held; `recover hold --release {}` lets it go",
        short(&session),
        session_argument(&session)
    ));
    Ok(Exit::OK)
}

/// Lets `session` go again.
fn release(context: &Context, session: String) -> Result<Exit> {
    let store = context.store()?;
    let session = session::existing(&*store, &session)?;
    if session::facts(&*store, &session)?.held.is_none() {
        context
            .printer
            .note(format_args!("session {} was not held", short(&session)));
        return Ok(Exit::OK);
    }
    let started = identity::session_started(&context.settings, None);
    let released = SessionReleased {
        user: started.user,
        host: started.host,
    };
    store.record(Some(&session), JournalEvent::SessionReleased(released))?;
    context.printer.note(format_args!(
        "session {} is not held any more",
        short(&session)
    ));
    Ok(Exit::OK)
}
