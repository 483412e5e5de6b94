//! What history would try first, of everything on record: what the page and the API of advice show.
//!
//! It is counted from the journal alone, with the rules and the numbers of `recover advise`. Each
//! class of failures in each workspace is asked about once: against the newest failure of it that
//! was advised something, whose plan stands on record. Counting a long journal takes seconds, so
//! its board is kept with its moment, and made anew in the background once something came.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use auto_recovery::Result;
use auto_recovery::audit::{AuditStore, FailureDetected, JournalEvent, JournalRecord};
use auto_recovery::host::timestamp;
use auto_recovery::learn::{
    Class, ControlReport, Evidence, FailureKey, History, LearnMode, LearnScope, LearnSettings,
    Moment, Run, Salt, Topic, Unit, advise, as_if_off, days_until_back, step_name, topics,
};
use auto_recovery::mutex::lock;
use auto_recovery::plan::Advice;
use auto_recovery::run::{read_history, units_on_record};
use serde::Deserialize;

use crate::digest::digest;

/// Classes in workspaces on a board: a few hundred KB of text. What was seen least recently is left
/// out, and counted.
const TOPICS_MAX: usize = 1000;

/// What is made in this time is made whenever somebody asks.
const QUICK: Duration = Duration::from_millis(50);

/// Names of steps that are kept of one session.
const NAMES_MAX: usize = 64;

/// All that history says.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) items: Vec<Told>,
    /// Classes in workspaces that are not there.
    pub(crate) more: usize,
    /// What following advice saves, by the controls.
    pub(crate) report: ControlReport,
    pub(crate) mode: LearnMode,
    /// When it was counted.
    pub(crate) at: SystemTime,
}

/// A class of failures in a workspace, and what is advised against it.
#[derive(Debug)]
pub(crate) struct Told {
    /// The same for the same class in the same workspace.
    pub(crate) id: String,
    pub(crate) topic: Topic,
    pub(crate) project: Option<String>,
    /// `None` where no plan is on record that could be ordered.
    pub(crate) advice: Option<Advice>,
    /// The days after which each step that is left out is tried again.
    pub(crate) back: BTreeMap<String, u32>,
    /// What steps do, by their names.
    pub(crate) names: BTreeMap<String, String>,
}

impl Told {
    /// What `step` does, in words.
    pub(crate) fn name_of(&self, step: &str) -> String {
        let (base, number) = step.split_once('#').unwrap_or((step, "1"));
        let known = self.names.get(base).map_or(base, |name| name);
        match number {
            "1" => known.to_owned(),
            number => format!("{known}, try {number}"),
        }
    }
}

/// The board that is kept. Times are those of a clock that nobody sets.
#[derive(Debug, Default)]
pub(crate) struct Boards {
    kept: Mutex<Option<Kept>>,
    /// Held by whoever makes one: who asks meanwhile waits for it.
    pub(crate) making: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
struct Kept {
    board: Arc<Board>,
    /// The newest row of the feed before it was made, and the UTC day.
    of: (i64, i64),
    took: Duration,
    is_asked_for: bool,
}

impl Boards {
    /// The kept board, if it is still true or takes long to make. `of` is the newest row of the
    /// feed, and the UTC day.
    pub(crate) fn find(&self, of: (i64, i64)) -> Option<Arc<Board>> {
        let mut kept = lock(&self.kept);
        let kept = kept.as_mut()?;
        kept.is_asked_for = true;
        (kept.of == of || kept.took > QUICK).then(|| Arc::clone(&kept.board))
    }

    /// Whether somebody asked for a board that is no longer true.
    pub(crate) fn is_due(&self, of: (i64, i64)) -> bool {
        let kept = lock(&self.kept);
        kept.as_ref()
            .is_some_and(|one| one.is_asked_for && one.of != of)
    }

    /// Keeps `board`, which is of `of` and `took` so long.
    pub(crate) fn keep(&self, board: &Arc<Board>, of: (i64, i64), took: Duration) {
        *lock(&self.kept) = Some(Kept {
            board: Arc::clone(board),
            of,
            took,
            is_asked_for: false,
        });
    }
}

/// What a store is asked for.
pub(crate) struct Asked<'a> {
    pub(crate) store: &'a dyn AuditStore,
    pub(crate) settings: &'a LearnSettings,
    pub(crate) at: SystemTime,
    /// Masks what others wrote.
    pub(crate) mask: &'a dyn Fn(&str) -> String,
}

/// Counts all that is on record.
///
/// # Errors
/// If the store cannot be read.
pub(crate) fn count(asking: &Asked<'_>) -> Result<Board> {
    let Asked {
        store,
        settings,
        at,
        mask,
    } = asking;
    let since = at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let now = Moment(i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
    let runs = read_history(*store, History::default())?.0.into_runs();
    let report = ControlReport::of(&runs, settings.person.as_secs_f64());
    let mut asked = topics(&runs);
    let more = asked.len().saturating_sub(TOPICS_MAX);
    asked.truncate(TOPICS_MAX);
    let told = on_record(*store, &asked, mask)?;
    let mut items: Vec<Told> = asked.into_iter().map(|topic| item(topic, &told)).collect();
    advise_all(&mut items, runs, &told, (settings, now));
    Ok(Board {
        items,
        more,
        report,
        mode: settings.mode,
        at: *at,
    })
}

/// `topic`, about which nothing was asked yet.
fn item(topic: Topic, told: &BTreeMap<String, OnRecord>) -> Told {
    let seen = told.get(&topic.session_id);
    let class = &topic.class;
    let parts = [
        &*topic.host,
        &topic.workspace,
        class.category.as_str(),
        &class.tool,
        &class.error_type,
    ];
    Told {
        id: digest(&parts, 8),
        project: seen.and_then(|seen| seen.project.clone()),
        advice: None,
        back: BTreeMap::new(),
        names: seen.map(|seen| seen.names.clone()).unwrap_or_default(),
        topic,
    }
}

/// Asks about each of `items`, which `runs` faced, with what is `told` of their sessions.
fn advise_all(
    items: &mut [Told],
    runs: Vec<Run>,
    told: &BTreeMap<String, OnRecord>,
    (settings, now): (&LearnSettings, Moment),
) {
    let asking = LearnSettings {
        mode: LearnMode::Advise,
        ..*settings
    };
    let mut places: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
    // Every machine has its own history, unless the user says otherwise.
    let machine = |host: &str| match settings.scope {
        LearnScope::Store => String::new(),
        LearnScope::Workspace | LearnScope::User => host.to_owned(),
    };
    for (place, one) in items.iter().enumerate() {
        let of = (machine(&one.topic.host), one.topic.workspace.clone());
        places.entry(of).or_default().push(place);
    }
    let mut by_machine: BTreeMap<String, Vec<Run>> = BTreeMap::new();
    for run in runs {
        by_machine.entry(machine(&run.host)).or_default().push(run);
    }
    for (host, runs) in by_machine {
        Evidence::of_each_workspace(
            runs,
            (Salt::default(), now, settings),
            &mut |workspace, evidence| {
                let of = (host.clone(), workspace.to_owned());
                for place in places.get(&of).into_iter().flatten() {
                    let item = &mut items[*place];
                    let seen = told.get(&item.topic.session_id);
                    let Some(faced) = seen.and_then(|seen| seen.faced.get(&item.topic.class))
                    else {
                        continue;
                    };
                    let advice = advise(&faced.1, &faced.0, evidence, &asking);
                    let advice = match settings.mode {
                        LearnMode::Off => as_if_off(advice),
                        LearnMode::Advise | LearnMode::On => advice,
                    };
                    item.back = days_until_back(&advice, &faced.0, evidence, &asking);
                    item.advice = Some(advice);
                }
            },
        );
    }
}

/// What stands on record of one session.
#[derive(Debug, Default)]
struct OnRecord {
    project: Option<String>,
    /// What steps do, by their names.
    names: BTreeMap<String, String>,
    /// The last failure of each class, and the plan that was advised about.
    faced: BTreeMap<Class, (FailureKey, Vec<Unit>)>,
}

/// The few fields by which it is known whether a record matters.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow, default)]
    session_id: Option<Cow<'a, str>>,
}

/// What is on record of the sessions that `topics` name.
fn on_record(
    store: &dyn AuditStore,
    topics: &[Topic],
    mask: &dyn Fn(&str) -> String,
) -> Result<BTreeMap<String, OnRecord>> {
    let wanted: BTreeSet<&str> = topics.iter().map(|topic| &*topic.session_id).collect();
    let mut all: BTreeMap<String, OnRecord> = BTreeMap::new();
    store.read_records_raw(None, &mut |raw| {
        let Ok(head) = serde_json::from_slice::<Head<'_>>(raw) else {
            return Ok(());
        };
        let matters = [
            "session_started",
            "failure_detected",
            "failure_changed",
            "attempt_started",
        ];
        let id = head.session_id.as_deref().unwrap_or_default();
        if !matters.contains(&&*head.event) || !wanted.contains(id) {
            return Ok(());
        }
        if let Ok(record) = serde_json::from_slice::<JournalRecord>(raw) {
            let seen = all.entry(id.to_owned()).or_default();
            seen.take(record.event, mask);
        }
        Ok(())
    })?;
    Ok(all)
}

impl OnRecord {
    fn take(&mut self, event: JournalEvent, mask: &dyn Fn(&str) -> String) {
        match event {
            JournalEvent::SessionStarted(started) => self.project = started.project,
            JournalEvent::FailureDetected(detected) | JournalEvent::FailureChanged(detected) => {
                self.face(&detected, mask);
            }
            JournalEvent::AttemptStarted(begun) => {
                let kind = begun.strategy.clone().into();
                let name = step_name(&kind, begun.recipe.as_deref(), &begun.action);
                self.name(name, &begun.action, mask);
            }
            _ => {}
        }
    }

    fn face(&mut self, detected: &FailureDetected, mask: &dyn Fn(&str) -> String) {
        let Some(advice) = &detected.advice else {
            return;
        };
        let units = units_on_record(advice);
        // The words of a plan stand in the order in which it was tried.
        if !advice.applied && units.len() == detected.plan.len() {
            for (unit, words) in units.iter().zip(&detected.plan) {
                if !self.names.contains_key(&unit.name) {
                    self.name(unit.name.clone(), words, mask);
                }
            }
        }
        let key = FailureKey::of(detected.category, &detected.failure);
        self.faced.insert(key.class.clone(), (key, units));
    }

    fn name(&mut self, step: String, words: &str, mask: &dyn Fn(&str) -> String) {
        if self.names.len() < NAMES_MAX && !words.is_empty() {
            self.names.insert(step, mask(words));
        }
    }
}

/// The moment as records have it.
pub(crate) fn time_of(moment: Moment) -> String {
    let since = Duration::from_secs(u64::try_from(moment.0).unwrap_or(0));
    timestamp(SystemTime::UNIX_EPOCH + since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quick_is_counted_for_whoever_asks_and_what_is_not_when_something_came() {
        let board = Arc::new(Board {
            items: Vec::new(),
            more: 0,
            report: ControlReport::default(),
            mode: LearnMode::Advise,
            at: SystemTime::UNIX_EPOCH,
        });
        let boards = Boards::default();
        assert!(boards.find((1, 1)).is_none() && !boards.is_due((1, 1)));
        boards.keep(&board, (1, 1), QUICK);
        assert!(boards.find((1, 1)).is_some());
        assert!(boards.find((2, 1)).is_none() && boards.find((1, 2)).is_none());
        boards.keep(&board, (1, 1), QUICK * 2);
        assert!(!boards.is_due((2, 1)), "nobody asks");
        assert!(boards.find((2, 1)).is_some());
        assert!(boards.is_due((2, 1)) && boards.is_due((1, 2)) && !boards.is_due((1, 1)));
    }
}
