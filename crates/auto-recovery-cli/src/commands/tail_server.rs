//! `recover tail --server`: the attempts of a server, over its live stream.
//!
//! The stream goes on where it was when the connection is lost: nothing is missed, and nothing is
//! told twice.

use auto_recovery::{Error, ErrorKind, RecoveryAuditEntry, Result};
use auto_recovery_remote::{Address, Event, EventKind, Events, Wanted};

use crate::commands::tail_line::tell_attempt;
use crate::context::Context;
use crate::exit::Exit;
use crate::store::remote_options;

/// Events that a server tells from before, at most.
const LAST_MAX: u64 = 1000;

/// What is to be told.
pub(super) struct Asked {
    pub(super) server: Address,
    pub(super) session: Option<String>,
    pub(super) project: Option<String>,
    /// Attempts from before.
    pub(super) number: usize,
    /// Whether those that come are told, too.
    pub(super) follow: bool,
}

/// Tells the last attempts, and goes on if that is asked for.
///
/// # Errors
/// If the server refuses or cannot be reached, or stdout not be written.
pub(super) fn tail_server(context: &Context, asked: Asked) -> Result<Exit> {
    let Asked {
        server,
        session,
        project,
        number,
        follow,
    } = asked;
    let wanted = Wanted {
        session_id: session,
        project,
        last: LAST_MAX,
    };
    let options = remote_options(&context.settings)?;
    let mut events = Events::open(server, &options, context.host.clone(), wanted)?;
    let (mut before, mut is_live) = (Vec::new(), false);
    while let Some(event) = events.next_event()? {
        match event.kind {
            EventKind::Entry if is_live => tell(context, &event)?,
            EventKind::Entry => before.push(event),
            EventKind::Live if !is_live => {
                let from = before.len().saturating_sub(number);
                for event in before.drain(..).skip(from) {
                    tell(context, &event)?;
                }
                if !follow {
                    return Ok(Exit::OK);
                }
                is_live = true;
            }
            EventKind::Reset => context.printer.warn(
                "the server cannot say what came while the connection was lost: its sessions \
                 have it",
            ),
            _ => {}
        }
    }
    Ok(Exit::OK)
}

fn tell(context: &Context, event: &Event) -> Result<()> {
    // One that was cleared since is none any more.
    let Some(json) = &event.entry else {
        return Ok(());
    };
    let entry: RecoveryAuditEntry = serde_json::from_str(json.get()).map_err(|error| {
        let text = "the server told an attempt that cannot be read";
        Error::new(ErrorKind::Damaged, text).with_source(error)
    })?;
    tell_attempt(
        &context.printer,
        &entry,
        event.project.as_deref(),
        json.get(),
    )
}
