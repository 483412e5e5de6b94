//! How long the state is kept: checkpoints by their own limits, outputs as long as checkpoints.
//!
//! Done after a recovery, at most once an hour, and never a reason to fail: the next one tries
//! again.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::checkpoint::{self, CheckpointOptions, RetentionLimits};
use crate::error::{Error, Result};
use crate::files::{self, Purpose};
use crate::host::Host;
use crate::run::outputs::OUTPUTS;
use crate::run::state_file::StateFile;

/// Time between two looks at the state.
const PERIOD: Duration = Duration::from_secs(60 * 60);

/// When the state was looked at last, in seconds since 1970.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Looked {
    at: u64,
}

/// Removes from the state what is older, or more, than is kept.
///
/// # Errors
/// If checkpoints cannot be pruned.
pub(super) fn prune_state(state_dir: &Path, host: &Arc<dyn Host>) -> Result<()> {
    files::check_own_dir(state_dir, Purpose::State)
        .map_err(|error| Error::io("use the state directory", state_dir, error))?;
    let now = host.now();
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let is_due = StateFile::new(state_dir, "retention.json").change(|looked: &mut Looked| {
        let is_due = seconds.abs_diff(looked.at) >= PERIOD.as_secs();
        if is_due {
            looked.at = seconds;
        }
        is_due
    });
    if is_due != Some(true) {
        return Ok(());
    }
    let limits = RetentionLimits::default();
    if let Some(oldest) = now.checked_sub(limits.age_max) {
        prune_outputs(&state_dir.join(OUTPUTS), oldest);
    }
    let options = CheckpointOptions::default();
    checkpoint::prune(state_dir, &limits, &options, Arc::clone(host)).map(drop)
}

/// Removes outputs to which nothing was added since `oldest`.
fn prune_outputs(outputs: &Path, oldest: SystemTime) {
    let Ok(sessions) = fs::read_dir(outputs) else {
        return;
    };
    for session in sessions.flatten() {
        let is_old = |metadata: fs::Metadata| metadata.modified().is_ok_and(|at| at < oldest);
        if session.metadata().is_ok_and(is_old) {
            // One that stays is tried again with the next look.
            let _ = fs::remove_dir_all(session.path());
        }
    }
}
