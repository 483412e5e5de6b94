//! Letting one session go.

use std::path::PathBuf;

use super::archive::refuse;
use super::{Doomed, archive_session};
use crate::audit::{AuditStore, Pruning, Removal, Removed, SessionHeld, TrailDigest};
use crate::error::Result;

/// On whose behalf sessions go, and where to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneOptions {
    /// The user.
    pub user: Option<String>,
    /// The machine.
    pub host: Option<String>,
    /// The directory of the archives; none if nothing is archived.
    pub archive: Option<PathBuf>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Pruned {
    /// It is gone.
    Gone {
        /// How many entries went.
        entries: u64,
        /// The file that has them now, if one was wanted and there were any.
        archive: Option<PathBuf>,
    },
    /// Somebody else removed it.
    Unknown,
    /// Somebody went on with it, so it is not old any more.
    Changed,
    /// Somebody wants it kept.
    Held(SessionHeld),
}

/// Removes `doomed` from `store`. If this dies at any moment, the session is there as it was or it is gone
/// whole, archived and on record; doing it again does the rest.
///
/// # Errors
/// [`crate::ErrorKind::Damaged`] if something of it cannot be read: it stays. Otherwise if the store cannot
/// be read or written, or the archive not be written.
pub fn prune(store: &dyn AuditStore, doomed: &Doomed, options: &PruneOptions) -> Result<Pruned> {
    let session_id = &doomed.session.session_id;
    let (digest, archive) = match &options.archive {
        Some(dir) => {
            let archived = archive_session(store, session_id, dir)?;
            (archived.digest, archived.trail)
        }
        None => {
            let (digest, damage) = TrailDigest::of(store, session_id)?;
            refuse(session_id, &damage)?;
            (digest, None)
        }
    };
    let removal = Removal::Pruned(Pruning {
        reason: doomed.reason.to_string(),
        user: options.user.clone(),
        host: options.host.clone(),
        archive: archive.as_ref().map(|path| path.display().to_string()),
        digest,
    });
    Ok(match store.remove(session_id, &removal)? {
        Removed::Gone { entries } => Pruned::Gone { entries, archive },
        Removed::Unknown => Pruned::Unknown,
        Removed::Changed => Pruned::Changed,
        Removed::Held(held) => Pruned::Held(held),
    })
}
