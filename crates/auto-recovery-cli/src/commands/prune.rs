//! `recover prune`: old sessions go by rule; and the same by itself after a recovery.

use std::collections::{BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use auto_recovery::audit::encrypting::{KeyStore, take_over_keys};
use auto_recovery::audit::session_id::short;
use auto_recovery::audit::{AuditStore, Recorder};
use auto_recovery::files::{Purpose, check_own_dir, open_own};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::retention::{PruneOptions, Pruned, RetentionRules, Selected, prune};
use auto_recovery::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::args::PruneArgs;
use crate::artifacts;
use crate::commands::around::Around;
use crate::commands::clear::confirmed;
use crate::context::Context;
use crate::exit::Exit;
use crate::hints;
use crate::identity;
use crate::output::{Column, Printer, Table, counted, short_age};
use crate::settings::human_size;

/// How often the rules of the configuration are applied by themselves.
const BY_ITSELF_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// How many sessions go by themselves at once: a person is waiting for the command that was run.
const BY_ITSELF_MAX: usize = 1000;

/// The file in the state that says when that was done last.
const STAMP_NAME: &str = "retention.stamp";

/// A session that went, or would.
#[derive(Serialize)]
struct Row {
    session_id: String,
    entries: u64,
    bytes: u64,
    last_attempt_timestamp: Option<String>,
    /// For people: the age of one in which nothing was tried.
    #[serde(skip)]
    session_start: Option<String>,
    reason: String,
    pruned: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    archive: Option<String>,
}

/// Removes the sessions that the rules name.
pub(crate) fn prune_sessions(context: &Context, args: PruneArgs) -> Result<Exit> {
    let (printer, dry_run, yes) = (&context.printer, args.dry_run, args.yes);
    let archive = args.archive.clone();
    let configured = &context.settings.retention.archive;
    let archive = archive.or_else(|| configured.as_ref().map(|one| one.value.clone()));
    let rules = rules(context, args)?;
    let store = context.store()?;
    let (sessions, damage) = store.read_sessions()?;
    for unread in damage.iter().filter(|damage| damage.is_of_all()) {
        printer.warn(format_args!("{unread}: it stays"));
    }
    let mut doomed = rules.select(sessions, context.host.now());
    if doomed.is_empty() && !printer.json {
        printer.note("nothing is to go by these rules");
        if !dry_run {
            remove_artifacts_of_gone(context, &*store)?;
        }
        return Ok(Exit::OK);
    }
    if dry_run {
        let rows: Vec<_> = doomed.iter().map(row).collect();
        show(&rows, context.host.now(), printer)?;
        printer.note(format_args!("{} would go", sum(&rows)));
        return Ok(Exit::OK);
    }
    if !doomed.is_empty() && !yes {
        let rows: Vec<_> = doomed.iter().map(row).collect();
        let question = format!("remove {} for good?", sum(&rows));
        if !confirmed(&question)? {
            printer.note("nothing was removed");
            return Ok(Exit::NOT_FOUND);
        }
        // While somebody thought about it, others may have gone on.
        let sessions = store.sessions()?;
        doomed = still_doomed(doomed, &rules.select(sessions, context.host.now()), printer);
    }
    let outcome = prune_all(context, &store, &doomed, archive)?;
    if printer.json {
        printer.json_lines(&outcome.rows)?;
    }
    printer.note(format_args!("removed {}", sum(&outcome.rows)));
    match (outcome.error, outcome.has_left) {
        (Some(error), _) => Err(error),
        (None, true) => Ok(Exit::NOT_FOUND),
        (None, false) => Ok(Exit::OK),
    }
}

/// The rules that were typed; where there are none, those of the configuration.
fn rules(context: &Context, args: PruneArgs) -> Result<RetentionRules> {
    let mut rules = RetentionRules {
        older_than: args.older_than,
        keep_last: args.keep_last,
        max_bytes: args.max_size,
        project: args.project,
    };
    if rules.are_empty() {
        rules = RetentionRules {
            project: rules.project,
            ..context.settings.retention.rules()
        };
    }
    if rules.are_empty() {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "prune needs a rule: --older-than, --keep-last or --max-size, or [retention] in your \
             config.toml",
        ));
    }
    Ok(rules)
}

/// Those of `agreed` that are to go by the rules `now` too, as they were. It is told which stay.
fn still_doomed(agreed: Vec<Selected>, now: &[Selected], printer: &Printer) -> Vec<Selected> {
    let now: HashMap<&str, &Selected> = now
        .iter()
        .map(|one| (one.session.session_id.as_str(), one))
        .collect();
    let (doomed, stay): (Vec<_>, Vec<_>) = agreed.into_iter().partition(|one| {
        let now = now.get(one.session.session_id.as_str());
        now.is_some_and(|now| now.session == one.session)
    });
    for one in stay {
        printer.note(format_args!(
            "session {} is another than it was, and stays",
            one.session.session_id
        ));
    }
    doomed
}

/// Applies the rules of the configuration, if there are any and they were not applied today. What
/// goes wrong is a warning: it says nothing about the command that was run.
pub(crate) fn prune_by_itself(context: &Context) {
    let rules = context.settings.retention.rules();
    if rules.are_empty() {
        return;
    }
    if let Err(error) = prune_if_due(context, &rules) {
        context.printer.warn(format_args!(
            "old sessions could not be removed: {}",
            hints::chain(&error)
        ));
    }
}

fn prune_if_due(context: &Context, rules: &RetentionRules) -> Result<()> {
    let now = context.host.now();
    let state_dir = &context.settings.state_dir.value;
    check_own_dir(state_dir, Purpose::State)
        .map_err(|error| Error::io("cannot use the state directory", state_dir, error))?;
    let stamp = state_dir.join(STAMP_NAME);
    let Some(file) = take_turn(&stamp, now)? else {
        return Ok(());
    };
    let store = context.store()?;
    let mut doomed = rules.select(store.sessions()?, now);
    doomed.truncate(BY_ITSELF_MAX);
    let archive = context.settings.retention.archive.as_ref();
    let archive = archive.map(|one| one.value.clone());
    let Outcome { rows, error, .. } = prune_all(context, &store, &doomed, archive)?;
    if !rows.is_empty() {
        context.count_anew();
        context
            .printer
            .note(format_args!("removed {} as [retention] says", sum(&rows)));
    }
    match error {
        Some(error) => Err(error),
        // Only now: what was not done is tried again by the next.
        None => file
            .set_modified(now)
            .map_err(|error| Error::io("set the time of", &stamp, error)),
    }
}

/// The stamp, locked, if it is time; none if it is not, or somebody else is at it.
fn take_turn(stamp: &Path, now: SystemTime) -> Result<Option<File>> {
    let failed = |error| Error::io("open", stamp, error);
    let is_new = !stamp.exists();
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    let file = open_own(stamp, &mut options).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
        Err(std::fs::TryLockError::Error(error)) => {
            return Err(Error::io("lock", stamp, error));
        }
    }
    if is_new {
        // Nothing was done yet, and if this time nothing is, the next tries again.
        file.set_modified(SystemTime::UNIX_EPOCH).map_err(failed)?;
        return Ok(Some(file));
    }
    let done = file
        .metadata()
        .and_then(|metadata| metadata.modified())
        .map_err(failed)?;
    let age = now.duration_since(done).unwrap_or(Duration::ZERO);
    Ok((age >= BY_ITSELF_EVERY).then_some(file))
}

/// What came of letting sessions go.
#[derive(Default)]
struct Outcome {
    /// Those that went.
    rows: Vec<Row>,
    /// Whether something stays that should have gone.
    has_left: bool,
    /// Why the store could not let one go; the others were tried all the same.
    error: Option<Error>,
}

/// Lets `doomed` go, one after the other, and what hangs on sessions that are gone.
fn prune_all(
    context: &Context,
    opened: &Arc<dyn AuditStore>,
    doomed: &[Selected],
    archive: Option<PathBuf>,
) -> Result<Outcome> {
    let started = identity::session_started(&context.settings, None);
    let options = PruneOptions {
        user: started.user,
        host: started.host,
        archive: archive.map(|dir| context.settings.cwd.join(dir)),
    };
    let (store, printer) = (&**opened, &context.printer);
    let mut outcome = Outcome::default();
    let ids = doomed.iter().map(|one| one.session.session_id.as_str());
    let seals = Around::begin(context, opened, &ids.collect::<Vec<_>>());
    for one in doomed {
        let id = &one.session.session_id;
        if let Some(dir) = &options.archive {
            archive_keys(context, store, (id, dir))?;
        }
        match prune(store, one, &options) {
            Ok(Pruned::Gone {
                entries: _,
                archive,
            }) => {
                let archive = archive.map(|path| path.display().to_string());
                outcome.rows.push(Row {
                    pruned: true,
                    archive,
                    ..row(one)
                });
            }
            Ok(Pruned::Unknown) => {}
            Ok(Pruned::Changed) => {
                printer.note(format_args!("session {id} was gone on with and stays"));
            }
            Ok(Pruned::Held(_)) => printer.note(format_args!("session {id} is held and stays")),
            Err(error) if error.kind() == ErrorKind::Damaged => {
                outcome.has_left = true;
                printer.warn(hints::chain(&error));
            }
            Err(error) if outcome.error.is_none() => outcome.error = Some(error),
            // Most likely the same again.
            Err(_) => {}
        }
    }
    seals.end();
    outcome.has_left |= !remove_artifacts_of_gone(context, store)?;
    Ok(outcome)
}

/// Keeps the keys of `id` beside its archive, whose texts would open for nobody without them: in
/// `keys`, as in a store of files.
fn archive_keys(context: &Context, store: &dyn AuditStore, (id, dir): (&str, &Path)) -> Result<()> {
    let has_keys = |keys: &dyn KeyStore| keys.read_keys(id).map(|keys| !keys.is_empty());
    if !store.keys()?.map(has_keys).transpose()?.unwrap_or(false) {
        return Ok(());
    }
    let recorder = Recorder::new(context.host.clone());
    let beside = JsonlStore::open(dir, JsonlOptions::default(), recorder)?;
    let kept = take_over_keys(store, &beside, id);
    kept.map(drop)
        .map_err(|error| error.context(format!("keep the keys of session {id} with its archive")))
}

/// Removes what hangs on sessions that the journal says are gone: those that went just now, and
/// those that somebody removed who died before this. Returns whether nothing is left.
fn remove_artifacts_of_gone(context: &Context, store: &dyn AuditStore) -> Result<bool> {
    let state_dir = &context.settings.state_dir.value;
    let mut gone = BTreeSet::new();
    store.read_journal(None, &mut |record| {
        if let Some(id) = record.session_id {
            match record.event.is_removal() {
                true => gone.insert(id),
                false => gone.remove(&id),
            };
        }
        Ok(())
    })?;
    let mut is_done = true;
    for id in &gone {
        artifacts::remove_from_memory(context.encryption.as_deref(), store.keys()?, id)?;
        // Outputs go last.
        if !artifacts::outputs_dir(state_dir, id)?.exists() {
            continue;
        }
        if let Err(error) = artifacts::remove(state_dir, id, &context.host) {
            is_done = false;
            context.printer.warn(format_args!(
                "session {id} is gone, but not yet its outputs and checkpoints: {}",
                hints::chain(&error)
            ));
        }
    }
    Ok(is_done)
}

fn row(doomed: &Selected) -> Row {
    Row {
        session_id: doomed.session.session_id.clone(),
        entries: doomed.session.total_attempts,
        bytes: doomed.session.bytes,
        last_attempt_timestamp: doomed.session.last_attempt_timestamp.clone(),
        session_start: doomed.session.session_start.clone(),
        reason: doomed.reason.to_string(),
        pruned: false,
        archive: None,
    }
}

/// Shows what would go, oldest first.
fn show(rows: &[Row], now: SystemTime, printer: &Printer) -> Result<()> {
    if printer.json {
        return printer.json_lines(rows);
    }
    let columns = [
        Column::flexible("SESSION", 12),
        Column::whole("AGE").number(),
        Column::whole("ATTEMPTS").number().rank(2),
        Column::whole("SIZE").number().rank(3),
        Column::flexible("REASON", 16).rank(1),
    ];
    let mut table = Table::new(&columns, printer.columns);
    for row in rows {
        let last = row.last_attempt_timestamp.as_ref();
        let last = last.or(row.session_start.as_ref()).map(String::as_str);
        table.row([
            short(&row.session_id).to_owned(),
            last.map(|last| short_age(last, now)).unwrap_or_default(),
            row.entries.to_string(),
            human_size(row.bytes),
            row.reason.clone(),
        ]);
    }
    printer.text(&table.render())
}

fn sum(rows: &[Row]) -> String {
    let entries: u64 = rows.iter().map(|row| row.entries).sum();
    let bytes: u64 = rows.iter().map(|row| row.bytes).sum();
    let sessions = counted(rows.len() as u64, "session");
    let entries = counted(entries, "entry");
    format!("{sessions} ({entries}, {})", human_size(bytes))
}
