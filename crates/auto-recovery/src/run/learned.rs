//! What a run learned before, and how it is kept: `STATE/learned/` has a directory for each store,
//! with a summary of each workspace and one of the others.
//!
//! All of it is derived from the journal and may be removed at any time. A run reads two small
//! files when its command failed, and counts its own session at its end; a command that passes
//! pays nothing. Nothing here is a reason to fail: without it, the shipped order stays.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind as IoKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use crate::audit::{AdviceExpected, AdviceRecord, AdviceUnit, AuditStore, Damage, this_host};
use crate::error::{Error, ErrorKind, Result};
use crate::files::{Purpose, Synced, make_own_dir, open_own, replace};
use crate::host::Host;
use crate::learn::{
    Counting, Evidence, Filter, History, LearnMode, LearnScope, LearnSettings, Learned, Moment,
    Others, Run as LearnedRun, SUMMARY_BYTES_MAX, Salt, Summary, Unit, is_control, sentence,
};
use crate::patience::a_moment;
use crate::plan::{Advice, AdviceStatus};
use crate::run::event::RunEvent;
use crate::run::planning::RunPlan;
use crate::run::under_way::Run;
use crate::strategy::RecoveryStrategyType;
use crate::workers::relay;
use crate::workspace::Workspace;

/// The directory of summaries in the state.
const DIR: &str = "learned";

/// The file that is there while a run was not counted.
const MISSED: &str = "missed";

/// The longest time for which a plan waits for what was learned.
const READ_MAX: Duration = Duration::from_millis(20);

/// Version of the way of counting, on record with each advice.
const VERSION: u32 = 1;

/// The summaries of one store, in a state.
#[derive(Clone, Debug)]
pub struct Learning {
    state_dir: PathBuf,
    store_url: String,
    settings: LearnSettings,
}

impl Learning {
    /// The summaries of the store at `store_url` in the state `state_dir`.
    pub fn new(state_dir: &Path, store_url: &str, settings: LearnSettings) -> Self {
        Self {
            state_dir: state_dir.to_owned(),
            store_url: store_url.to_owned(),
            settings,
        }
    }

    /// What is known in `workspace`, from the summaries.
    ///
    /// # Errors
    /// In words, why nothing can be said.
    pub fn evidence(&self, workspace: &Workspace, now: Moment) -> Result<Evidence, String> {
        let files = self.files().ok_or("nothing was learned here yet")?;
        if files.missed().exists() {
            return Err("what was learned is to be counted anew".to_owned());
        }
        let (salt, root) = (files.salt, root_of(workspace));
        let text = read(&files.summary(&root)).ok_or("nothing was learned here yet")?;
        let host = self.host();
        let summary = Summary::read(&text, &self.counting(salt, host.as_deref()))
            .map_err(|why| format!("what was learned is of no use: {why}"))?;
        let others = match self.settings.counts_others() {
            false => None,
            true => {
                let text = read(&files.others());
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
    /// that `store` has, where there is no summary or a run was missed.
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
            self.miss();
            return Ok(());
        };
        let files = match self.files() {
            Some(files) => files,
            None => self.begin(host)?,
        };
        files.make_dir()?;
        let root = root_of(workspace);
        if files.missed().exists() {
            return self.recount(&files, store, (Some(&root), Stale::All));
        }
        let counted = self.counted_on(&files, store, (&root, session_id));
        let Some((mut summary, mut others)) = counted else {
            return self.recount(&files, store, (Some(&root), Stale::Own));
        };
        write(&files.summary(&root), &summary.to_text())?;
        write(&files.others(), &others.to_text())
    }

    /// The summaries with the runs of the session on top; `None` if that cannot be.
    fn counted_on(
        &self,
        files: &Files,
        store: &dyn AuditStore,
        (root, session_id): (&str, &str),
    ) -> Option<(Summary, Others)> {
        let host = self.host();
        let counting = self.counting(files.salt, host.as_deref());
        let mut summary = Summary::read(&read(&files.summary(root))?, &counting).ok()?;
        let mut others = Others::read(&read(&files.others())?, &summary)?;
        for run in runs_of(store, session_id).ok()? {
            if !summary.add(&run, files.salt) {
                return None;
            }
            others.put_run(files.salt, &run, &summary);
        }
        summary.fold();
        Some((summary, others))
    }

    /// Counts all that `store` has anew, after something was taken from it or added to it from
    /// elsewhere. Returns whether there was anything to count anew.
    ///
    /// # Errors
    /// If the store cannot be read, or the summaries cannot be written. The next recovery does it
    /// then.
    pub fn count_anew(&self, store: &dyn AuditStore) -> Result<bool> {
        // A copy adds to another store.
        let stores = std::fs::read_dir(self.dir())
            .into_iter()
            .flatten()
            .flatten();
        let stores = stores.map(|store| store.path());
        stores
            .filter(|path| path.is_dir())
            .for_each(|dir| miss_in(&dir));
        let is_off = self.settings.mode == LearnMode::Off;
        if is_off || self.files().is_none_or(|files| !files.dir.exists()) {
            return Ok(false);
        }
        if let Some(_lock) = self.lock()?
            && let Some(files) = self.files()
        {
            self.recount(&files, store, (None, Stale::All))?;
        }
        Ok(true)
    }

    /// Writes the summaries anew that are stale, and that of the workspace `root`.
    fn recount(
        &self,
        files: &Files,
        store: &dyn AuditStore,
        which: (Option<&str>, Stale),
    ) -> Result<()> {
        // Whoever misses a run from here on says so again.
        match std::fs::remove_file(files.missed()) {
            Err(error) if error.kind() != IoKind::NotFound => {
                return Err(Error::io("remove", &files.missed(), error));
            }
            _ => {}
        }
        let recounted = self.recounted(files, store, which);
        if recounted.is_err() {
            self.miss();
        }
        recounted
    }

    fn recounted(
        &self,
        files: &Files,
        store: &dyn AuditStore,
        (root, stale): (Option<&str>, Stale),
    ) -> Result<()> {
        let host = self.host();
        let empty = Summary::new(&self.counting(files.salt, host.as_deref()));
        let (history, _) = read_history(store, History::default())?;
        let all = self.runs_until(history, None);
        let (summaries, mut others) = Others::count(all, files.salt, &empty);
        let by_root = summaries.into_iter();
        let mut by_path: HashMap<PathBuf, Summary> = by_root
            .map(|(root, summary)| (files.summary(&root), summary))
            .collect();
        let own = root.map(|root| files.summary(root));
        let old = match stale {
            Stale::All => files.summaries(),
            Stale::Own => Vec::new(),
        };
        let old = old.into_iter();
        for path in old.filter(|path| Some(path) != own.as_ref()) {
            match by_path.remove(&path) {
                Some(mut summary) => write(&path, &summary.to_text())?,
                None => drop(std::fs::remove_file(&path)),
            }
        }
        if let Some(path) = own {
            let mut summary = by_path.remove(&path).unwrap_or(empty);
            write(&path, &summary.to_text())?;
        }
        write(&files.others(), &others.to_text())
    }

    /// Says that a run was not counted: all are to be counted anew. Where nothing was counted yet,
    /// they are anyway.
    pub fn miss(&self) {
        if let Some(files) = self.files()
            && files.dir.exists()
        {
            miss_in(&files.dir);
        }
    }

    fn counting<'h>(&self, salt: Salt, host: Option<&'h str>) -> Counting<'h> {
        Counting {
            salt,
            host,
            person: self.settings.person,
        }
    }

    /// What is known in `workspace` at `now`, counted from `history`. `until` cuts it off: what
    /// ended later is not known.
    pub fn evidence_of(
        &self,
        history: History,
        workspace: &str,
        (now, until): (Moment, Option<Moment>),
    ) -> Evidence {
        let all = self.runs_until(history, until);
        Evidence::of_runs(all, workspace, (Salt::default(), now, &self.settings))
    }

    /// Every run of `store` that counts, and the damage met on the way.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn runs(&self, store: &dyn AuditStore) -> Result<(Vec<LearnedRun>, Vec<Damage>)> {
        let (history, damage) = read_history(store, History::default())?;
        Ok((self.runs_until(history, None).collect(), damage))
    }

    /// The runs of `history` that count, and that ended by `until`, if given.
    fn runs_until(
        &self,
        history: History,
        until: Option<Moment>,
    ) -> impl Iterator<Item = LearnedRun> {
        let host = self.host();
        let filter = Filter { host, until };
        let all = history.into_runs().into_iter();
        all.filter(move |run| filter.takes(run))
    }

    /// Removes all summaries in the state `state_dir`, of every store. The journal stays, and is
    /// counted anew at the end of the next recovery. Returns whether there were any.
    ///
    /// # Errors
    /// If they cannot be removed.
    pub fn forget(state_dir: &Path) -> Result<bool> {
        let dir = state_dir.join(DIR);
        match std::fs::remove_dir_all(&dir) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == IoKind::NotFound => Ok(false),
            Err(error) => Err(Error::io("remove", &dir, error)),
        }
    }

    fn dir(&self) -> PathBuf {
        self.state_dir.join(DIR)
    }

    /// The machine whose runs count; `None` for every one.
    pub fn host(&self) -> Option<String> {
        (self.settings.scope != LearnScope::Store).then(this_host)
    }

    /// Where the summaries are; `None` if nothing was ever counted.
    fn files(&self) -> Option<Files> {
        let text = read(&self.dir().join("salt"))?;
        let text = String::from_utf8(text).ok()?;
        let salt = u64::from_str_radix(text.trim(), 16).ok().map(Salt)?;
        Some(self.files_by(salt))
    }

    fn files_by(&self, salt: Salt) -> Files {
        let name = salt.name(&["store", &self.store_url]);
        Files {
            dir: self.dir().join(name),
            salt,
        }
    }

    /// The same, begun with a new salt, where there is none: nobody can find any more what was
    /// counted with another one.
    fn begin(&self, host: &dyn Host) -> Result<Files> {
        for store in std::fs::read_dir(self.dir())
            .into_iter()
            .flatten()
            .flatten()
        {
            let name = store.file_name().to_string_lossy().into_owned();
            if name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                let _not_ours = std::fs::remove_dir_all(store.path());
            }
        }
        let salt = host.random();
        let text = format!("{salt:016x}\n");
        replace(&self.dir().join("salt"), Synced::No, text.as_bytes())?;
        Ok(self.files_by(Salt(salt)))
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

/// Which summaries are not what the journal says any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stale {
    /// That of the workspace alone: it is not there, or of no use.
    Own,
    /// Every one.
    All,
}

/// The files of the summaries of one store.
struct Files {
    dir: PathBuf,
    salt: Salt,
}

impl Files {
    fn make_dir(&self) -> Result<()> {
        let (above, name) = (self.dir.parent(), self.dir.file_name());
        let (above, name) = (above.unwrap_or(&self.dir), name.unwrap_or_default());
        make_own_dir(above, Path::new(name), Purpose::State)
            .map(drop)
            .map_err(|error| Error::io("make", &self.dir, error))
    }

    /// Of the workspace `root`.
    fn summary(&self, root: &str) -> PathBuf {
        let name = self.salt.name(&["workspace", root]);
        self.dir.join(format!("{name}.json"))
    }

    fn others(&self) -> PathBuf {
        self.dir.join("others.json")
    }

    fn missed(&self) -> PathBuf {
        self.dir.join(MISSED)
    }

    /// Those of all workspaces that there are.
    fn summaries(&self) -> Vec<PathBuf> {
        let found = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let paths = found.map(|one| one.path());
        let is_one = |path: &PathBuf| {
            path.extension().is_some_and(|end| end == "json") && *path != self.others()
        };
        paths.filter(is_one).collect()
    }
}

/// Leaves the mark of a run that was not counted in `dir`.
fn miss_in(dir: &Path) {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    drop(open_own(&dir.join(MISSED), &mut options));
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let file = open_own(path, OpenOptions::new().read(true)).ok()?;
    let mut text = Vec::new();
    let most = 2 * SUMMARY_BYTES_MAX as u64;
    file.take(most).read_to_end(&mut text).ok()?;
    Some(text)
}

fn write(path: &Path, text: &str) -> Result<()> {
    replace(path, Synced::No, text.as_bytes())
}

/// Reads all that `store` has into `history`, on a thread beside the one that reads. Returns the
/// damage met on the way, too.
///
/// # Errors
/// If the store cannot be read.
pub fn read_history(
    store: &dyn AuditStore,
    mut history: History,
) -> Result<(History, Vec<Damage>)> {
    let find = |found: &mut dyn FnMut(&[u8]) -> Result<()>| store.read_records_raw(None, found);
    let damage = relay(find, |raw| history.read(raw))?;
    Ok((history, damage))
}

/// The runs of one session.
fn runs_of(store: &dyn AuditStore, session_id: &str) -> Result<Vec<LearnedRun>> {
    let mut history = History::default();
    store.read_records_raw(Some(session_id), &mut |raw| {
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
    let learning = Learning::new(&request.state.dir, &request.state.store.url(), settings);
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
    let store = &*request.state.store;
    let learning = Learning::new(&request.state.dir, &store.url(), settings);
    if settings.mode == LearnMode::Off {
        learning.miss();
        return;
    }
    let Err(error) = learning.count(store, (workspace, session_id), &*run.runner.host) else {
        return;
    };
    learning.miss();
    // A store that is away was told of when it was recorded to; it is counted another time.
    if error.kind() != ErrorKind::Unreachable {
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
