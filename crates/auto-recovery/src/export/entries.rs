//! The entries of a session as a list in a document.

use crate::audit::{AuditStore, Damage};
use crate::error::{Error, ErrorKind, Result};
use crate::export::Document;

/// Adds the first `count` entries of `session_id` to `document`, as the list `name`. Those that
/// arrive while it is written are left out, so that a document says the same everywhere. Returns
/// what could not be read.
pub(crate) fn list_entries(
    document: &mut Document<'_>,
    name: &str,
    store: &dyn AuditStore,
    session_id: &str,
    count: u64,
) -> Result<Vec<Damage>> {
    let mut written = 0;
    document.begin_list(name);
    let damage = store.read_trail(session_id, &mut |stored| {
        if written == count {
            return Ok(());
        }
        written += 1;
        document.item(stored.json().as_bytes())
    })?;
    // In a store that counts what it cannot read, those are missing too.
    if written + (damage.len() as u64) < count {
        return Err(changed(session_id));
    }
    document.end_list();
    Ok(damage)
}

/// A trail had fewer entries when it was read than when they were counted.
fn changed(session_id: &str) -> Error {
    Error::new(
        ErrorKind::Busy,
        format!("session {session_id} was cleared while it was read: try again"),
    )
}
