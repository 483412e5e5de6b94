//! Letting one session go.

use std::path::PathBuf;

use super::archive::refuse;
use super::{Selected, archive_session};
use crate::audit::{AuditStore, Pruning, Removal, Removed, SessionHeld};
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

/// Removes `doomed` from `store`, unless it has other entries by now than when it was chosen. If
/// this dies at any moment, the session is there as it was or it is gone whole, archived and on
/// record; doing it again does the rest.
///
/// # Errors
/// [`crate::ErrorKind::Damaged`] if something of it cannot be read: it stays. Otherwise if the
/// store cannot be read or written, or the archive not be written.
pub fn prune(store: &dyn AuditStore, doomed: &Selected, options: &PruneOptions) -> Result<Pruned> {
    let session_id = &doomed.session.session_id;
    let (digest, archive) = match &options.archive {
        Some(dir) => {
            let archived = archive_session(store, session_id, dir)?;
            (archived.digest, archived.trail)
        }
        None => {
            let (digest, damage) = store.digest(session_id)?;
            refuse(session_id, &damage)?;
            (digest, None)
        }
    };
    // Where there is nothing, somebody else may have removed it, as the store tells.
    let is_there = digest.entries > 0;
    if is_there && digest.entries != doomed.session.total_attempts {
        return Ok(Pruned::Changed);
    }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::audit::Recorder;
    use crate::host::SystemHost;
    use crate::jsonl::{JsonlOptions, JsonlStore};
    use crate::retention::RetentionRules;
    use crate::testing::store_contract::entry;

    #[test]
    fn a_session_with_which_somebody_went_on_since_it_was_chosen_stays() {
        let dir = tempfile::tempdir().unwrap();
        let host = Arc::new(SystemHost::new());
        let store =
            JsonlStore::open(dir.path(), JsonlOptions::default(), Recorder::new(host)).unwrap();
        store.append(vec![entry("s", 1)]).unwrap();
        let rules = RetentionRules {
            older_than: Some(Duration::ZERO),
            ..RetentionRules::default()
        };
        let later = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
        let doomed = rules.select(store.sessions().unwrap(), later);
        store.append(vec![entry("s", 2)]).unwrap();
        let pruned = prune(&store, &doomed[0], &PruneOptions::default()).unwrap();
        assert_eq!(pruned, Pruned::Changed);
        assert_eq!(store.statistics("s").unwrap().total_attempts, 2);
        let doomed = rules.select(store.sessions().unwrap(), later);
        let pruned = prune(&store, &doomed[0], &PruneOptions::default()).unwrap();
        assert!(matches!(pruned, Pruned::Gone { entries: 2, .. }));
    }
}
