//! `recover advise`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use auto_recovery::audit::{
    AdviceRecord, AuditStore, FailureDetected, FoundSession, JournalEvent, SessionSummary,
    find_session,
};
use auto_recovery::files::{Links, open_regular};
use auto_recovery::learn::{
    ControlReport, Evidence, FailureKey, History, LearnMode, LearnSettings, Learned, Moment,
    NewestFailure, advise as advise_again, as_if_off, counts_in_words, days_until_back, document,
    left_out_in_words, sure_in_words,
};
use auto_recovery::plan::{Advice, StepFacts};
use auto_recovery::recipe::Situation;
use auto_recovery::run::{self as library, Learning, RunPlan, units_on_record};
use auto_recovery::wording::{counted, cut, long};
use auto_recovery::{Category, Error, ErrorKind, Failure, Result, classify};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::args::AdviseArgs;
use crate::commands::run::library_request;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Column, Table, escape_text};
use crate::settings::RunRequest;

/// Characters of each part of a class that are shown.
const CLASS_CHARS: usize = 60;

/// The longest file that a failure is read from: 1 MiB.
const FAILURE_BYTES_MAX: u64 = 1024 * 1024;

/// Says what history advises.
///
/// # Errors
/// If the store or the failure cannot be read, or stdout cannot be written.
pub(crate) fn advise(context: &Context, args: AdviseArgs) -> Result<Exit> {
    let settings = context.settings.run.learn.settings();
    if args.forget {
        return forget(context);
    }
    let store = context.store()?;
    let learning = learning(context, &*store);
    if args.report {
        let (runs, damage) = learning.runs(&*store)?;
        context.printer.damage(&damage);
        return report(context, &runs);
    }
    if let Some(session) = &args.session {
        return again(context, (&learning, &*store), session);
    }
    let (now, until) = match args.as_of {
        Some(day) => (day.end(), Some(day.end())),
        None => (now(context), None),
    };
    let given = args.failure.as_deref().map(read_failure).transpose()?;
    let workspace = context.settings.workspace.display().to_string();
    let history = History::watching(&workspace, learning.host().as_deref());
    let (history, damage) = library::read_history(&*store, history)?;
    context.printer.damage(&damage);
    let newest = match history.newest_failure().and_then(faced) {
        Some(newest) => Some(newest),
        None => newest(context, &*store)?,
    };
    let command = command_for(&*store, args.command, newest.as_ref())?;
    let Some(found) = given.or_else(|| newest.map(|newest| newest.found)) else {
        context
            .printer
            .note("no failure is on record in this workspace");
        return Ok(Exit::NOT_FOUND);
    };
    let evidence = learning.evidence_of(history, &workspace, (now, until));
    let request = library_request(context, &RunRequest::of(command))?;
    let plan = plan_against(context, &request, &found, evidence.clone())?;
    let Some((advice, names)) = plan.advice else {
        return Ok(Exit::NOT_FOUND);
    };
    let advice = match settings.mode {
        LearnMode::Off => as_if_off(*advice),
        LearnMode::Advise | LearnMode::On => *advice,
    };
    let (failure, category) = &found;
    let mask = |text: &str| context.redactor.redact_text(text).into_owned();
    let key = FailureKey::masked(*category, failure, &mask);
    let back = days_until_back(&advice, &key, &evidence, &advising(context));
    if context.printer.json {
        context.printer.json(&document(&advice, &back))?;
        return Ok(Exit::OK);
    }
    table(context, (&advice, &back), &|step| name_of(step, &names))?;
    if advice.units.is_empty() {
        context.printer.note(
            "what stood on the command line is told as to `run`: recover advise --fix CMD -- CMD",
        );
    }
    Ok(Exit::OK)
}

/// What was learned from `store`.
pub(super) fn learning(context: &Context, store: &dyn AuditStore) -> Learning {
    let settings = context.settings.run.learn.settings();
    Learning::new(&context.settings.state_dir.value, &store.url(), settings)
}

fn forget(context: &Context) -> Result<Exit> {
    let is_removed = Learning::forget(&context.settings.state_dir.value)?;
    let says = match is_removed {
        true => "removed; the journal is counted anew at the end of the next recovery",
        false => "nothing was learned yet",
    };
    match context.printer.json {
        true => context.printer.json(&json!({"removed": is_removed}))?,
        false => context.printer.line(says, 0)?,
    }
    Ok(Exit::OK)
}

/// What the step `step` does, by the `names` of a plan.
pub(super) fn name_of(step: &str, names: &BTreeMap<String, String>) -> String {
    let (base, number) = step.split_once('#').unwrap_or((step, "1"));
    let known = names.get(base).cloned();
    let known = known.unwrap_or_else(|| base.to_owned());
    match number {
        "1" => known,
        number => format!("{known}, try {number}"),
    }
}

/// What `request` would try against the failure, with what history advises.
pub(super) fn plan_against(
    context: &Context,
    request: &library::RunRequest,
    (failure, category): &(Failure, Category),
    evidence: Evidence,
) -> Result<RunPlan> {
    let redactor = context.redactor.clone();
    let planner = Learned {
        shipped: request.tries.planner.clone(),
        evidence: Ok(evidence),
        settings: advising(context),
        control: false,
        mask: Arc::new(move |text| redactor.redact_text(text).into_owned()),
    };
    let argv = request.words();
    let situation = Situation {
        argv: &argv,
        failure: Some(failure),
        category: *category,
        output: &failure.message,
    };
    let policy = (request.tries.policy)(*category, failure);
    request.plan_by(&situation, &policy, Duration::ZERO, &planner)
}

/// The settings, whatever the mode: who asks wants advice.
fn advising(context: &Context) -> LearnSettings {
    LearnSettings {
        mode: LearnMode::Advise,
        ..context.settings.run.learn.settings()
    }
}

/// The time of day.
pub(super) fn now(context: &Context) -> Moment {
    let since = context.host.now().duration_since(UNIX_EPOCH);
    Moment(i64::try_from(since.unwrap_or_default().as_secs()).unwrap_or(i64::MAX))
}

/// The failure in `file`, or on stdin if that is `-`, and its category: what it says, or what its
/// texts tell.
fn read_failure(file: &Path) -> Result<(Failure, Category)> {
    use std::io::Read as _;
    let is_stdin = file == Path::new("-");
    let name = match is_stdin {
        true => "what stands on stdin".to_owned(),
        false => file.display().to_string(),
    };
    let failed = |error| Error::io("read", file, error);
    let refused = |why: &str| {
        let context = format!(
            "{name} is no failure: {why}; write it like {{\"error_type\": \"E0425\", \"message\": \
             \"…\", \"source\": \"cargo\"}}"
        );
        Error::new(ErrorKind::InvalidInput, context)
    };
    let mut text = Vec::new();
    let most = FAILURE_BYTES_MAX + 1;
    match is_stdin {
        true => std::io::stdin().lock().take(most).read_to_end(&mut text),
        false => {
            let opened = open_regular(file, Links::Follow).map_err(failed)?;
            opened.take(most).read_to_end(&mut text)
        }
    }
    .map_err(failed)?;
    if text.len() as u64 > FAILURE_BYTES_MAX {
        return Err(refused("it has more than 1 MiB"));
    }
    let value: Value =
        serde_json::from_slice(&text).map_err(|error| refused(&error.to_string()))?;
    // `recover classify` says the failure and its category beside each other.
    let failure = match value.get("failure") {
        Some(failure) if failure.is_object() => failure,
        _ => &value,
    };
    if !failure.is_object() {
        return Err(refused("it is no object"));
    }
    let failure: Failure =
        serde_json::from_value(failure.clone()).map_err(|error| refused(&error.to_string()))?;
    let category = match value.get("category").and_then(Value::as_str) {
        Some(category) => category.parse::<Category>()?,
        None => classify::classify(&failure).0,
    };
    Ok((failure, category))
}

/// The failure that is the `newest`, if its record can be read.
fn faced(newest: NewestFailure<'_>) -> Option<Faced> {
    #[derive(Deserialize)]
    struct Recorded {
        failure: Failure,
        category: Category,
    }
    let Recorded { failure, category } = serde_json::from_slice(newest.record).ok()?;
    Some(Faced {
        session_id: newest.session_id.to_owned(),
        found: (failure, category),
    })
}

/// A failure on record.
pub(super) struct Faced {
    session_id: String,
    pub(super) found: (Failure, Category),
}

/// The newest failure on record in this workspace, of those that count here.
pub(super) fn newest(context: &Context, store: &dyn AuditStore) -> Result<Option<Faced>> {
    let workspace = context.settings.workspace.display().to_string();
    let host = learning(context, store).host();
    let is_here = |one: &&SessionSummary| {
        one.workspace.as_deref() == Some(&*workspace) && (host.is_none() || one.host == host)
    };
    for session in store.sessions()?.iter().filter(is_here) {
        if let Some((detected, _)) = detected(store, &session.session_id)? {
            return Ok(Some(Faced {
                session_id: session.session_id.clone(),
                found: (detected.failure, detected.category),
            }));
        }
    }
    Ok(None)
}

/// The command that was `typed`, or else that of the `newest` failure on record; `true` where that
/// cannot be read.
fn command_for(
    store: &dyn AuditStore,
    typed: Vec<OsString>,
    newest: Option<&Faced>,
) -> Result<Vec<OsString>> {
    let mut command = typed;
    if command.is_empty()
        && let Some(newest) = newest
    {
        store.read_journal(Some(&newest.session_id), &mut |record| {
            if let JournalEvent::SessionStarted(started) = record.event {
                let words = started.command.unwrap_or_default().into_iter();
                command = words.map(OsString::from).collect();
            }
            Ok(())
        })?;
    }
    if command.is_empty() {
        command.push(OsString::from("true"));
    }
    Ok(command)
}

/// The failure that the session `id` began with, and when it was seen.
fn detected(store: &dyn AuditStore, id: &str) -> Result<Option<(FailureDetected, String)>> {
    let mut found = None;
    store.read_journal(Some(id), &mut |record| {
        if let JournalEvent::FailureDetected(detected) = record.event {
            found.get_or_insert((*detected, record.at));
        }
        Ok(())
    })?;
    Ok(found)
}

fn report(context: &Context, runs: &[auto_recovery::learn::Run]) -> Result<Exit> {
    let person = context.settings.run.learn.person.value.as_secs_f64();
    let report = ControlReport::of(runs, person);
    match context.printer.json {
        true => context.printer.json(&report.document())?,
        false => context.printer.line(&report.in_words(), 0)?,
    }
    Ok(Exit::OK)
}

/// Counts again what `session` was advised, from what was on record before it, and compares.
fn again(
    context: &Context,
    (learning, store): (&Learning, &dyn AuditStore),
    session: &str,
) -> Result<Exit> {
    let FoundSession::One(id) = find_session(store, session)? else {
        context.printer.note("there is no one session of that id");
        return Ok(Exit::NOT_FOUND);
    };
    let id = id.as_str();
    let Some((detected, at)) = detected(store, id)? else {
        context
            .printer
            .note("no failure of that session is on record");
        return Ok(Exit::NOT_FOUND);
    };
    let Some(record) = &detected.advice else {
        context.printer.note("that session was advised nothing");
        return Ok(Exit::NOT_FOUND);
    };
    let now = Moment::of(&at).unwrap_or_default();
    let summary = store
        .sessions()?
        .into_iter()
        .find(|one| one.session_id == id);
    let workspace = summary.and_then(|one| one.workspace).unwrap_or_default();
    let (history, damage) = library::read_history(store, History::before(id))?;
    context.printer.damage(&damage);
    let evidence = learning.evidence_of(history, &workspace, (now, None));
    let key = FailureKey::of(detected.category, &detected.failure);
    let advice = advise_again(
        &units_on_record(record),
        &key,
        &evidence,
        &advising(context),
    );
    let differs = differences(record, &advice);
    if context.printer.json {
        let advice = document(&advice, &BTreeMap::new());
        let both = json!({"agrees": differs.is_empty(), "differs": differs, "again": advice});
        context.printer.json(&both)?;
    } else if differs.is_empty() {
        context.printer.line("counted again: the same advice", 0)?;
    }
    for one in &differs {
        context
            .printer
            .warn(format_args!("counted again, it differs: {one}"));
    }
    Ok(if differs.is_empty() {
        Exit::OK
    } else {
        Exit::NOT_FOUND
    })
}

/// What of `record` does not come out again as `advice`.
fn differences(record: &AdviceRecord, advice: &Advice) -> Vec<String> {
    let left_out: Vec<String> = advice.left_out.iter().map(|one| one.step.clone()).collect();
    let expected =
        |order: f64, shipped: f64, sure: f64| format!("{order} s for {shipped} s, {sure} sure");
    let (was, is) = (record.expected, advice.expected);
    let pairs = [
        (
            "status",
            record.status.clone(),
            advice.status.as_str().to_owned(),
        ),
        ("order", record.order.join(" "), advice.order.join(" ")),
        ("left out", record.left_out.join(" "), left_out.join(" ")),
        (
            "expected",
            expected(was.order, was.shipped, was.sure),
            expected(is.order, is.shipped, is.sure),
        ),
        (
            "hash of the counts",
            record.summary.clone(),
            advice.summary.clone(),
        ),
    ];
    let differs = pairs.into_iter().filter(|(_, was, is)| was != is);
    differs
        .map(|(what, was, is)| format!("{what}: {was} then, {is} now"))
        .collect()
}

/// A row for each step of `advice`, as they would be tried.
fn rows(context: &Context, advice: &Advice, name: &dyn Fn(&str) -> String) -> String {
    let columns = [
        Column::flexible("STEP", 12),
        Column::whole("CURED HERE").number(),
        Column::whole("ELSEWHERE").number().rank(2),
        Column::whole("CHANCE").number(),
        Column::whole("90 %").number().rank(1),
        Column::whole("TAKES").number(),
        Column::whole("NOW").number(),
        Column::whole("WOULD BE").number(),
    ];
    let mut table = Table::new(&columns, context.printer.columns);
    let place = |steps: &[String], step: &str| steps.iter().position(|one| one == step);
    let number = |place: Option<usize>, none: &str| {
        place.map_or_else(|| none.to_owned(), |place| (place + 1).to_string())
    };
    let mut steps: Vec<&StepFacts> = advice.steps.iter().collect();
    steps.sort_by_key(|step| place(&advice.order, &step.step).unwrap_or(usize::MAX));
    for step in steps {
        table.row([
            name(&step.step),
            counts_in_words(step.here),
            counts_in_words(step.others),
            format!("{:.0} %", step.chance * 100.0),
            format!("{:.0}–{:.0}", step.low * 100.0, step.high * 100.0),
            long(step.seconds),
            number(place(&advice.shipped, &step.step), "–"),
            number(place(&advice.order, &step.step), "left out"),
        ]);
    }
    table.render()
}

fn table(
    context: &Context,
    (advice, back): (&Advice, &BTreeMap<String, u32>),
    name: &dyn Fn(&str) -> String,
) -> Result<()> {
    let line = |text: &str| context.printer.line(&escape_text(text), 2);
    let class: Vec<&str> = advice.class.iter().map(String::as_str).collect();
    let class = class.into_iter().filter(|part| !part.is_empty());
    let class: Vec<_> = class.map(|part| cut(part, CLASS_CHARS)).collect();
    line(&format!("{} · {}", class.join(" · "), advice.why))?;
    if !advice.steps.is_empty() {
        context.printer.text(&rows(context, advice, name))?;
    }
    for (what, why) in left_out_in_words(&advice.left_out, name) {
        line(&format!("  left out: {what}: {why}"))?;
    }
    if let (Some(first), Some(last)) = (back.values().min(), back.values().max()) {
        let last = counted((*last).into(), "day");
        let back = match counted((*first).into(), "day") {
            first if first == last => first,
            _ => format!("{first} to {last}"),
        };
        line(&format!(
            "  what is left out is back in {back}, and `--retry N` retries all the same"
        ))?;
    }
    if advice.expected.shipped > 0.0 && advice.order != advice.shipped {
        let new = long(advice.expected.order);
        let shipped = long(advice.expected.shipped);
        let sure = sure_in_words(advice.expected.sure);
        line(&match new == shipped {
            true => format!("  to the end: {new} either way, expected"),
            // Memory goes before the counts, which may be of another mind.
            false if advice.expected.order > advice.expected.shipped => {
                format!("  to the end, by the counts alone: {new} instead of {shipped}")
            }
            false => format!("  to the end: {new} instead of {shipped}, expected, {sure}"),
        })?;
    }
    Ok(())
}
