//! `recover hold`: sessions that no rule and no `clear` removes.

use auto_recovery::Result;
use auto_recovery::audit::{JournalEvent, SessionHeld, SessionReleased};
use auto_recovery::wording::shell_word;

use crate::app::App;
use crate::commands::session;
use crate::exit::Exit;
use crate::identity;

/// Has `session` kept, because of `reason`, until it is released.
pub(crate) fn hold(app: &App, session: String, reason: Option<String>) -> Result<Exit> {
    let store = app.store()?;
    let session = session::existing(&*store, session)?;
    let started = identity::session_started(&app.settings, None);
    let held = SessionHeld {
        reason,
        user: started.user,
        host: started.host,
    };
    store.record(Some(&session), JournalEvent::SessionHeld(held))?;
    app.printer.note(format_args!(
        "session {session} is held; `recover hold --release {}` lets it go",
        shell_word(&session)
    ));
    Ok(Exit::OK)
}

/// Lets `session` go again.
pub(crate) fn release(app: &App, session: String) -> Result<Exit> {
    let store = app.store()?;
    let session = session::existing(&*store, session)?;
    if session::facts(&*store, &session)?.held.is_none() {
        app.printer
            .note(format_args!("session {session} was not held"));
        return Ok(Exit::OK);
    }
    let started = identity::session_started(&app.settings, None);
    let released = SessionReleased {
        user: started.user,
        host: started.host,
    };
    store.record(Some(&session), JournalEvent::SessionReleased(released))?;
    app.printer
        .note(format_args!("session {session} is not held any more"));
    Ok(Exit::OK)
}
