//! What stands in a store and is under no seal, whoever recorded it: for whoever seals what others
//! left behind.

use super::store::SealStore;
use super::told::{last_seal, newest_sizes};
use crate::audit::AuditStore;
use crate::error::Result;

/// What of a store is under no seal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unsealed {
    /// The sessions with entries behind the newest head of their trail.
    pub sessions: Vec<String>,
    /// Whether the journal has records behind the newest seal.
    pub has_records: bool,
}

/// What of `store` is under no seal; nothing of a store that keeps none. The journal and the list
/// of sessions are read, and no trail.
///
/// # Errors
/// If the store cannot be read.
pub fn unsealed(store: &dyn AuditStore) -> Result<Unsealed> {
    let Some(seals) = store.seals()? else {
        return Ok(Unsealed::default());
    };
    unsealed_of(store, seals)
}

fn unsealed_of(store: &dyn AuditStore, seals: &dyn SealStore) -> Result<Unsealed> {
    let sealed = last_seal(seals, |_| true)?.map_or(0, |(seal, _)| seal.size);
    let (sizes, records) = newest_sizes(seals)?;
    let mut sessions = Vec::new();
    store.visit_sessions(&mut |session| {
        let sealed = sizes.get(&session.session_id).copied().unwrap_or(0);
        // One that is shorter than its head was changed: verification tells.
        if session.total_attempts > sealed {
            sessions.push(session.session_id);
        }
        Ok(())
    })?;
    sessions.sort_unstable();
    Ok(Unsealed {
        sessions,
        has_records: records > sealed,
    })
}
