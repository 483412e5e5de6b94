//! What a run learned before, and how it is kept: `STATE/learned/` has a summary of each workspace
//! and one of the others.
//!
//! All of it is derived from the journal and may be removed at any time. A run reads two small
//! files when its command failed, and counts its own session at its end; a command that passes
//! pays nothing. Nothing here is a reason to fail: without it, the shipped order stays.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind as IoKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use crate::audit::{AdviceExpected, AdviceRecord, AdviceUnit, AuditStore, this_host};
use crate::error::{Error, ErrorKind, Result};
use crate::files::{Purpose, Synced, make_own_dir, open_own, replace};
use crate::host::Host;
use crate::learn::{
    Evidence, Filter, History, LearnMode, LearnScope, LearnSettings, Learned, Moment, Others,
    Run as LearnedRun, SUMMARY_BYTES_MAX, Salt, Summary, Unit, is_control, sentence,
};
use crate::patience::a_moment;
use crate::plan::{Advice, AdviceStatus};
use crate::run::event::RunEvent;
use crate::run::planning::RunPlan;
use crate::run::under_way::Run;
use crate::strategy::RecoveryStrategyType;
use crate::workspace::Workspace;

/// The directory of summaries in the state.
const DIR: &str = "learned";

/// The longest time for which a plan waits for what was learned.
const READ_MAX: Duration = Duration::from_millis(20);

/// Version of the way of counting, on record with each advice.
const VERSION: u32 = 1;

/// The summaries of a state.
#[derive(Clone, Debug)]
pub struct Learning {
    state_dir: PathBuf,
    settings: LearnSettings,
}

impl Learning {
    /// The summaries in the state `state_dir`.
    pub fn new(state_dir: &Path, settings: LearnSettings) -> Self {
        Self {
            state_dir: state_dir.to_owned(),
            settings,
        }
    }

    /// What is known in `workspace`, from the summaries.
    ///
    /// # Errors
    /// In words, why nothing can be said.
    pub fn evidence(&self, workspace: &Workspace, now: Moment) -> Result<Evidence, String> {
        let salt = self.salt().ok_or("nothing was learned here yet")?;
        let root = root_of(workspace);
        let text = self
            .read(&self.path(salt, &root))
            .ok_or("nothing was learned here yet")?;
        let host = self.host();
        let summary = Summary::read(&text, salt, host.as_deref())
            .map_err(|why| format!("what was learned is of no use: {why}"))?;
        let others = match self.settings.scope {
            LearnScope::Workspace => None,
            LearnScope::User | LearnScope::Store => {
                let text = self.read(&self.dir().join("others.json"));
                let others = text.and_then(|text| Others::read(&text, &summary));
                Some(
                    others
                        .ok_or("what other projects saw cannot be read")?
                        .without(salt, &root),
                )
            }
        };
        Ok(Evidence {
            summary,
            others,
            salt,
            now,
        })
    }

    /// Counts the runs of the session `session_id`, which ended, in the summary of `workspace`; all
    /// that `store` has, where there is no summary.
    ///
    /// # Errors
    /// If the store cannot be read, or the summaries cannot be written.
    pub fn count(
        &self,
        store: &dyn AuditStore,
        (workspace, session_id): (&Workspace, &str),
        host: &dyn Host,
    ) -> Result<()> {
        let Some(_lock) = self.lock()? else {
            return Ok(());
        };
        let salt = match self.salt() {
            Some(salt) => salt,
            None => self.new_salt(host)?,
        };
        let root = root_of(workspace);
        let of_host = self.host();
        let text = self.read(&self.path(salt, &root));
        let summary = text.and_then(|text| Summary::read(&text, salt, of_host.as_deref()).ok());
        let others_text = self.read(&self.dir().join("others.json"));
        let counted = summary.and_then(|mut summary| {
            let mut others = Others::read(&others_text?, &summary)?;
            for run in runs(store, Some(session_id)).ok()? {
                if !summary.add(&run, salt) {
                    return None;
                }
                others.put_run(salt, &run, &summary);
            }
            summary.fold();
            Some((summary, others))
        });
        let (mut summary, mut others) = match counted {
            Some(counted) => counted,
            None => self.count_all(store, salt, &root)?,
        };
        let write = |path: PathBuf, text: String| replace(&path, Synced::No, text.as_bytes());
        write(self.path(salt, &root), summary.to_text())?;
        write(self.dir().join("others.json"), others.to_text())
    }

    /// All that `store` has, counted anew.
    fn count_all(
        &self,
        store: &dyn AuditStore,
        salt: Salt,
        root: &str,
    ) -> Result<(Summary, Others)> {
        let empty = Summary::new(salt, self.host().as_deref());
        let all = self.runs_until(store, None)?;
        let (mut summaries, others) = Others::count(all, salt, &empty);
        Ok((summaries.remove(root).unwrap_or(empty), others))
    }

    /// What is known in `workspace` at `now`, counted from the journal of `store` alone. `until`
    /// cuts it off: what ended later is not known.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn evidence_on_record(
        &self,
        store: &dyn AuditStore,
        workspace: &str,
        (now, until): (Moment, Option<Moment>),
    ) -> Result<Evidence> {
        let all = self.runs_until(store, until)?;
        let salt = Salt::default();
        let with_others = self.settings.scope != LearnScope::Workspace;
        Ok(Evidence::of_runs(all, workspace, (salt, now, with_others)))
    }

    /// Every run of `store` that counts.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn runs(&self, store: &dyn AuditStore) -> Result<Vec<LearnedRun>> {
        Ok(self.runs_until(store, None)?.collect())
    }

    /// The runs of `store` that count, and that ended by `until`, if given.
    fn runs_until(
        &self,
        store: &dyn AuditStore,
        until: Option<Moment>,
    ) -> Result<impl Iterator<Item = LearnedRun>> {
        let host = self.host();
        let filter = Filter { host, until };
        let all = runs(store, None)?.into_iter();
        Ok(all.filter(move |run| filter.takes(run)))
    }

    /// Removes all summaries. The journal stays, and is counted anew at the end of the next
    /// recovery. Returns whether there were any.
    ///
    /// # Errors
    /// If they cannot be removed.
    pub fn forget(&self) -> Result<bool> {
        let dir = self.dir();
        match std::fs::remove_dir_all(&dir) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == IoKind::NotFound => Ok(false),
            Err(error) => Err(Error::io("remove", &dir, error)),
        }
    }

    fn dir(&self) -> PathBuf {
        self.state_dir.join(DIR)
    }

    fn path(&self, salt: Salt, root: &str) -> PathBuf {
        self.dir().join(format!("{}.json", salt.workspace(root)))
    }

    /// The machine whose runs count; `None` for every one.
    fn host(&self) -> Option<String> {
        (self.settings.scope != LearnScope::Store).then(this_host)
    }

    fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let file = open_own(path, OpenOptions::new().read(true)).ok()?;
        let mut text = Vec::new();
        let most = 2 * SUMMARY_BYTES_MAX as u64;
        file.take(most).read_to_end(&mut text).ok()?;
        Some(text)
    }

    fn salt(&self) -> Option<Salt> {
        let text = self.read(&self.dir().join("salt"))?;
        let text = String::from_utf8(text).ok()?;
        u64::from_str_radix(text.trim(), 16).ok().map(Salt)
    }

    fn new_salt(&self, host: &dyn Host) -> Result<Salt> {
        let salt = host.random();
        let text = format!("{salt:016x}\n");
        replace(&self.dir().join("salt"), Synced::No, text.as_bytes())?;
        Ok(Salt(salt))
    }

    /// Takes turns with other runs; `None` if another one takes too long, which is not waited for.
    fn lock(&self) -> Result<Option<File>> {
        let dir = make_own_dir(&self.state_dir, Path::new(DIR), Purpose::State)
            .map_err(|error| Error::io("use the state directory", &self.state_dir, error))?;
        let path = dir.join("lock");
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        let file =
            open_own(&path, &mut options).map_err(|error| Error::io("open", &path, error))?;
        Ok(a_moment(|| file.try_lock().is_ok()).then_some(file))
    }
}

/// The runs that `store` has, of one session if given.
fn runs(store: &dyn AuditStore, session_id: Option<&str>) -> Result<Vec<LearnedRun>> {
    let mut history = History::default();
    store.read_records_raw(session_id, &mut |raw| {
        history.read(raw);
        Ok(())
    })?;
    Ok(history.into_runs())
}

fn root_of(workspace: &Workspace) -> String {
    workspace.root().display().to_string()
}

/// The time of day of `host`.
fn now(host: &dyn Host) -> Moment {
    let since = host.now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// The planner that goes by history; `None` where nobody wants that.
pub(super) fn learned(run: &Run) -> Option<Learned> {
    let request = &run.runner.request;
    let settings = request.tries.learn;
    if settings.mode == LearnMode::Off || request.record.parent_session.is_some() {
        return None;
    }
    let host = &run.runner.host;
    let begun = host.monotonic();
    let learning = Learning::new(&request.state.dir, settings);
    let evidence = match request.workspace() {
        Ok(workspace) => learning.evidence(&workspace, now(&**host)),
        Err(error) => Err(error.chain()),
    };
    let took = host.monotonic().saturating_sub(begun);
    let evidence = evidence.and_then(|evidence| match took > READ_MAX {
        true => Err("what was learned could not be read in time".to_owned()),
        false => Ok(evidence),
    });
    let control = settings.control_percent > 0
        && is_control(run.runner.announce_session(), settings.control_percent);
    let runner = Arc::clone(&run.runner);
    Some(Learned {
        shipped: request.tries.planner.clone(),
        evidence,
        settings,
        control,
        mask: Arc::new(move |text| runner.redactor.redact_text(text).into_owned()),
    })
}

/// Counts the session that ended. That it cannot be is reported, and fails nothing.
pub(super) fn count_session(run: &Run, session_id: &str, workspace: &Workspace) {
    let request = &run.runner.request;
    let settings = request.tries.learn;
    if settings.mode == LearnMode::Off || request.record.parent_session.is_some() {
        return;
    }
    let learning = Learning::new(&request.state.dir, settings);
    let store = &*request.state.store;
    if let Err(error) = learning.count(store, (workspace, session_id), &*run.runner.host)
        // A store that is away was told of when it was recorded to; it is counted another time.
        && error.kind() != ErrorKind::Unreachable
    {
        let what = format!("learn from this recovery: {}", request.chain(&error));
        run.observe(&RunEvent::HelperFailed { what: &what });
    }
}

/// Says what is advised, where that is another order than the shipped one.
pub(super) fn tell_advice(run: &Run, plan: &RunPlan) {
    let Some((advice, names)) = &plan.advice else {
        return;
    };
    let name = |step: &str| {
        let name = step.split('#').next().unwrap_or(step);
        names.get(name).cloned().unwrap_or_else(|| step.to_owned())
    };
    if let Some(says) = sentence(advice, &name) {
        run.observe(&RunEvent::Advice {
            says: &says,
            applied: advice.applied,
        });
    }
}

/// `advice` as the journal keeps it; `None` where history has nothing to say.
pub(super) fn record_of(advice: &Advice) -> Option<Box<AdviceRecord>> {
    let is_known = advice
        .steps
        .iter()
        .any(|step| step.here[1] + step.others[1] > 0);
    if advice.status == AdviceStatus::Off || !is_known {
        return None;
    }
    let units = advice.units.iter().map(|unit| AdviceUnit {
        name: unit.name.clone(),
        first: unit.first,
        tries: unit.tries,
        strategy: unit.kind.to_string(),
        tier: unit.tier,
        asked: unit.asked,
        typed: unit.typed,
    });
    Some(Box::new(AdviceRecord {
        v: VERSION,
        summary: advice.summary.clone(),
        day: advice.day.clone(),
        status: advice.status.as_str().to_owned(),
        applied: advice.applied,
        control: advice.control,
        order: advice.order.clone(),
        left_out: advice.left_out.iter().map(|one| one.step.clone()).collect(),
        expected: AdviceExpected {
            shipped: advice.expected.shipped,
            order: advice.expected.order,
            sure: advice.expected.sure,
        },
        plan: units.collect(),
    }))
}

/// The shipped plan that `record` was made for.
pub fn units_on_record(record: &AdviceRecord) -> Vec<Unit> {
    let units = record.plan.iter().map(|unit| Unit {
        name: unit.name.clone(),
        first: unit.first,
        tries: unit.tries,
        kind: RecoveryStrategyType::from(unit.strategy.clone()),
        tier: unit.tier,
        asked: unit.asked,
        typed: unit.typed,
    });
    units.collect()
}
