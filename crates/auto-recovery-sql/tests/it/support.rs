//! What the tests of every store share.

use auto_recovery::audit::{AuditStore, StoredEntry};

/// Every entry of a trail as it is stored.
pub(crate) fn trail(store: &dyn AuditStore, session_id: &str) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut visit = |stored: StoredEntry<'_>| {
        all.push(stored.raw().to_vec());
        Ok(())
    };
    assert_eq!(store.read_trail(session_id, &mut visit).unwrap(), []);
    all
}
