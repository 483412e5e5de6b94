//! Retention of the state by age and size: checkpoints and outputs under the same limits.
//!
//! Done after a recovery, at most once an hour, and never a reason to fail: the next one tries
//! again.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::audit::AuditStore;
use crate::checkpoint::{self, CheckpointOptions, RetentionLimits};
use crate::error::{Error, Result};
use crate::files::{self, Purpose};
use crate::host::Host;
use crate::run::state::rooms::StateRooms;
use crate::run::state::state_file::StateFile;

/// Time between two looks at the state.
const PERIOD: Duration = Duration::from_secs(60 * 60);

/// When the state was looked at last, in seconds since 1970.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Looked {
    at: u64,
}

/// Removes from the state what is older, or more, than is kept; nothing of the session `own`, nor
/// of those that `store` says are held.
///
/// # Errors
/// If checkpoints cannot be pruned.
pub(in crate::run) fn prune_state(
    state_dir: &Path,
    store: &dyn AuditStore,
    own: &str,
    host: &Arc<dyn Host>,
) -> Result<()> {
    files::check_own_dir(state_dir, Purpose::State)
        .map_err(|error| Error::io("cannot use the state directory", state_dir, error))?;
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
    bring_within(&RetentionLimits::default(), state_dir, store, own, host)
}

/// Brings the state within `limits`.
fn bring_within(
    limits: &RetentionLimits,
    state_dir: &Path,
    store: &dyn AuditStore,
    own: &str,
    host: &Arc<dyn Host>,
) -> Result<()> {
    let mut rooms = StateRooms::of(state_dir, store, own);
    if let Some(oldest) = host.now().checked_sub(limits.age_max) {
        rooms.drop_older(oldest);
    }
    let options = CheckpointOptions::default();
    checkpoint::prune(state_dir, limits, &options, Arc::clone(host), &mut rooms).map(drop)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::audit::{JournalEvent, Recorder, SessionHeld, SessionReleased, SessionStarted};
    use crate::error::ErrorKind;
    use crate::jsonl::{JsonlOptions, JsonlStore};
    use crate::run::state::outputs::{OUTPUTS, Outputs};
    use crate::testing::ScriptedHost;

    const KIB: u64 = 1024;
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    /// A state directory, which is the store's too.
    struct State {
        dir: tempfile::TempDir,
        store: JsonlStore,
        host: Arc<dyn Host>,
    }

    impl State {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let host: Arc<dyn Host> = Arc::new(ScriptedHost::new());
            let options = JsonlOptions::default();
            let store =
                JsonlStore::open(dir.path(), options, Recorder::new(Arc::clone(&host))).unwrap();
            Self { dir, store, host }
        }

        /// Outputs of 100 KiB of `session`, as old as that.
        fn outputs(&self, session: &str, age: Duration) -> PathBuf {
            let started = JournalEvent::SessionStarted(SessionStarted::default());
            self.store.record(Some(session), started).unwrap();
            let dir = self.dir.path().join(OUTPUTS).join(session);
            fs::create_dir_all(&dir).unwrap();
            let file = fs::File::create(dir.join("000.log")).unwrap();
            file.set_len(100 * KIB).unwrap();
            let at = self.host.now() - age;
            file.set_modified(at).unwrap();
            fs::File::open(&dir).unwrap().set_modified(at).unwrap();
            dir
        }

        /// Brings it within this many KiB, for a run of the session `own`.
        fn bring_within(&self, kib: u64) {
            let limits = RetentionLimits {
                bytes_max: kib * KIB,
                ..RetentionLimits::default()
            };
            bring_within(&limits, self.dir.path(), &self.store, "own", &self.host).unwrap();
        }

        fn left(&self) -> Vec<String> {
            let outputs = fs::read_dir(self.dir.path().join(OUTPUTS)).unwrap();
            let names = outputs.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<_> = names.collect();
            names.sort();
            names
        }
    }

    #[test]
    fn outputs_count_and_the_oldest_go_but_not_what_runs_or_is_held() {
        let state = State::new();
        for (age, session) in ["young", "middle", "old", "held", "own", "runs"]
            .iter()
            .enumerate()
        {
            state.outputs(session, DAY * (age as u32 + 1));
        }
        let running = Outputs::of(state.dir.path(), "runs", "run_1").unwrap();
        running.write_afresh(&running.diff(), |_| Ok(())).unwrap();
        let held = JournalEvent::SessionHeld(SessionHeld::default());
        state.store.record(Some("held"), held).unwrap();
        let spool = state.dir.path().join("spool/segment");
        fs::create_dir_all(&spool).unwrap();
        let waiting = fs::File::create(spool.join("journal.jsonl")).unwrap();
        waiting.set_len(10_000 * KIB).unwrap();

        let all = ["held", "middle", "old", "own", "runs", "young"];
        state.bring_within(610);
        assert_eq!(state.left(), all);
        state.bring_within(550);
        assert_eq!(state.left(), ["held", "middle", "own", "runs", "young"]);
        state.bring_within(410);
        assert_eq!(state.left(), ["held", "own", "runs", "young"]);
        state.bring_within(1);
        assert_eq!(state.left(), ["held", "own", "runs"]);
        assert!(spool.join("journal.jsonl").exists());

        drop(running);
        let released = JournalEvent::SessionReleased(SessionReleased::default());
        state.store.record(Some("held"), released).unwrap();
        state.bring_within(1);
        assert_eq!(state.left(), ["own"]);
    }

    #[test]
    fn old_outputs_go_however_few_they_are_and_held_ones_stay() {
        let state = State::new();
        state.outputs("old", DAY * 15);
        state.outputs("young", DAY * 13);
        state.outputs("held", DAY * 100);
        // Something was added to it of late.
        let grown = state.outputs("grown", DAY * 100);
        let log = fs::File::create(grown.join("001.log")).unwrap();
        log.set_modified(state.host.now() - DAY).unwrap();
        let held = JournalEvent::SessionHeld(SessionHeld::default());
        state.store.record(Some("held"), held).unwrap();
        state.bring_within(1_000_000);
        assert_eq!(state.left(), ["grown", "held", "young"]);
    }

    #[test]
    fn nothing_goes_while_the_store_cannot_say_what_is_held() {
        let state = State::new();
        state.outputs("old", DAY * 15);
        let journal = state.dir.path().join("journal.jsonl");
        let text = fs::read_to_string(&journal).unwrap();
        fs::write(&journal, text.replace("\"v\":1", "\"v\":9")).unwrap();
        let error = state.store.held("old").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NewerFormat);
        state.bring_within(1);
        assert_eq!(state.left(), ["old"]);
    }
}
