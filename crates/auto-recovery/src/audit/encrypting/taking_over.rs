//! Keys that come along with the texts that they open.

use super::keys::KeyFile;
use crate::audit::AuditStore;
use crate::error::{Error, ErrorKind, Result};

/// Adds the keys that `session_id` has in `from` to those that it has in `to`, as they are, and
/// returns how many were not there. Texts that are taken over need them.
///
/// # Errors
/// [`ErrorKind::Refused`] if `to` keeps no keys, and there are some; otherwise if keys cannot be
/// read or written.
pub fn take_over_keys(from: &dyn AuditStore, to: &dyn AuditStore, session_id: &str) -> Result<u64> {
    let Some(from) = from.keys()? else {
        return Ok(0);
    };
    let files = from.read_keys(session_id)?;
    if files.is_empty() {
        return Ok(0);
    }
    let keys = to.keys()?.ok_or_else(|| {
        let text = format!(
            "the texts of session {session_id} are encrypted, and {} keeps no keys",
            to.url()
        );
        Error::new(ErrorKind::Refused, text)
    })?;
    let there = keys.read_keys(session_id)?;
    let mut added = 0;
    for KeyFile { number: _, file } in files {
        if !there.iter().any(|key| key.file == file) {
            // Only who opens it knows its name.
            keys.add_key(session_id, "", &file)?;
            added += 1;
        }
    }
    Ok(added)
}
