//! `recover hold`: sessions that no rule and no `clear` removes.

use auto_recovery::Result;
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
    let name = session::told_of(&*store, &session, &context.settings.workspace)?;
    let started = identity::session_started(&context.settings, None);
    let held = SessionHeld {
        reason,
        user: started.user,
        host: started.host,
    };
    store.record(Some(&session), JournalEvent::SessionHeld(held))?;
    context.printer.note(format_args!(
        "session {name} is held; `recover hold --release {}` lets it go",
        session_argument(&session)
    ));
    Ok(Exit::OK)
}

/// Lets `session` go again.
fn release(context: &Context, session: String) -> Result<Exit> {
    let store = context.store()?;
    let session = session::existing(&*store, &session)?;
    let name = session::told_of(&*store, &session, &context.settings.workspace)?;
    if session::facts(&*store, &session)?.held.is_none() {
        context
            .printer
            .note(format_args!("session {name} was not held"));
        return Ok(Exit::OK);
    }
    let started = identity::session_started(&context.settings, None);
    let released = SessionReleased {
        user: started.user,
        host: started.host,
    };
    store.record(Some(&session), JournalEvent::SessionReleased(released))?;
    context
        .printer
        .note(format_args!("session {name} is not held any more"));
    Ok(Exit::OK)
}
