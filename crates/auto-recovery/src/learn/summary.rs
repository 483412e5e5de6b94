//! The summary of one workspace: what became of each step, by class and failure.
//!
//! Derived from the journal and disposable. All names are salted hashes. A reader refuses another
//! version, another salt and another choice of machines, and counts the journal anew.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::learn::cell::Cell;
use crate::learn::class::{Class, Key, Salt};
use crate::learn::day::Day;
use crate::learn::history::Run;
use crate::learn::tripwire::Tripwire;

/// The version of the format and of the way of counting.
const VERSION: u32 = 3;

/// The most bytes of a summary: some thousand cells. Those that were used least recently go first.
pub const SUMMARY_BYTES_MAX: usize = 64 * 1024;

/// Runs that are remembered, so that none is counted twice: more than end between the end of one
/// run and its being counted.
const RUNS_MAX: usize = 64;

/// Versions of a tool that are kept.
const VERSIONS_MAX: usize = 8;

/// What a day weighs that is older than a new version of the tool.
const OLD_VERSION: f64 = 0.25;

/// What is counted, and how. What was counted otherwise says something else.
#[derive(Clone, Copy, Debug)]
pub struct Counting<'a> {
    /// What names are hashed with.
    pub salt: Salt,
    /// The machine whose runs count; `None` for every one.
    pub host: Option<&'a str>,
    /// What a person takes who has to look in the end.
    pub person: Duration,
}

/// The summary of one workspace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    v: u32,
    /// What was counted: a hash of the salt, the machines and a person's time.
    of: Key,
    /// What a person takes who has to look, in milliseconds.
    person: u64,
    /// The last runs that were counted: their ends and keys.
    runs: Vec<(i64, Key)>,
    classes: BTreeMap<Key, ClassCells>,
}

/// What is known of a class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct ClassCells {
    /// Stands for the category.
    #[serde(rename = "c")]
    pub(super) category: Key,
    /// The versions of the tool, and the day each was first seen.
    #[serde(rename = "v", default, skip_serializing_if = "BTreeMap::is_empty")]
    versions: BTreeMap<Key, i32>,
    #[serde(rename = "w", default, skip_serializing_if = "Tripwire::is_empty")]
    pub(super) trip: Tripwire,
    /// By failure, then by step.
    #[serde(rename = "f")]
    failures: BTreeMap<Key, BTreeMap<Key, Cell>>,
}

impl Summary {
    /// An empty summary of runs that are counted as `counting` says.
    pub fn new(counting: &Counting<'_>) -> Self {
        Self {
            v: VERSION,
            of: counting.key(),
            person: counting.person_millis(),
            ..Self::default()
        }
    }

    /// The summary that `text` is, if it is one and was counted so.
    ///
    /// # Errors
    /// In words, why it is of no use.
    pub fn read(text: &[u8], counting: &Counting<'_>) -> Result<Self, &'static str> {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        let version: Version = serde_json::from_slice(text).map_err(|_| "it is damaged")?;
        if version.v != VERSION {
            return Err("it is of another version");
        }
        let read: Self = serde_json::from_slice(text).map_err(|_| "it is damaged")?;
        match read.of == counting.key() {
            true => Ok(read),
            false => Err("it counts something else"),
        }
    }

    /// Its text, of at most [`SUMMARY_BYTES_MAX`] bytes: what was used least recently is left out.
    pub fn to_text(&mut self) -> String {
        let mut text = self.text();
        // Each round removes more than what is too much, or the last class there is.
        while text.len() > SUMMARY_BYTES_MAX && !self.classes.is_empty() {
            let excess = text.len() - SUMMARY_BYTES_MAX;
            self.forget_oldest(excess + excess / 8);
            text = self.text();
        }
        text
    }

    /// Whether nothing is counted.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// Counts `run`. `false` if it cannot be counted on top: then all must be counted anew.
    #[must_use]
    pub fn add(&mut self, run: &Run, salt: Salt) -> bool {
        let ended = run.ended.0;
        let key = salt.key(&["run", &run.session_id, &ended.to_string()]);
        if self.runs.contains(&(ended, key)) {
            return true;
        }
        for incident in &run.incidents {
            let failure = &incident.failure;
            let class = self.class_mut(&failure.class, salt);
            if let Some(version) = &failure.version {
                class.saw_version(salt.key(&["version", version]), incident.at.day());
            }
            if incident.trials.is_empty() {
                continue;
            }
            let cells = class.failures.entry(failure.key(salt)).or_default();
            for trial in &incident.trials {
                let step = salt.key(&["step", &trial.step]);
                let cell = cells.entry(step).or_default();
                if !cell.add(trial.at, trial.won, trial.seconds) {
                    return false;
                }
            }
        }
        self.watch(run, salt);
        let place = self.runs.partition_point(|known| *known < (ended, key));
        self.runs.insert(place, (ended, key));
        let too_many = self.runs.len().saturating_sub(RUNS_MAX);
        self.runs.drain(..too_many);
        true
    }

    /// Folds what is old. To be called when all that was to be counted is.
    pub fn fold(&mut self) {
        let classes = self.classes.values_mut();
        let cells = classes.flat_map(|class| class.failures.values_mut());
        cells.flat_map(BTreeMap::values_mut).for_each(Cell::fold);
        self.classes.retain(|_, class| !class.is_empty());
    }

    pub(super) fn counted_of(&self) -> Key {
        self.of
    }

    pub(super) fn class(&self, class: Key) -> Option<&ClassCells> {
        self.classes.get(&class)
    }

    pub(super) fn classes(&self) -> impl Iterator<Item = (Key, &ClassCells)> {
        self.classes.iter().map(|(key, class)| (*key, class))
    }

    fn class_mut(&mut self, class: &Class, salt: Salt) -> &mut ClassCells {
        let cells = self.classes.entry(class.key(salt)).or_default();
        cells.category = class.category_key(salt);
        cells
    }

    /// Compares how long a run that followed the advice took with what was expected of the shipped
    /// order.
    fn watch(&mut self, run: &Run, salt: Salt) {
        let Some(advised) = run.advised.filter(|one| one.applied && one.changed) else {
            return;
        };
        let person = self.person as f64 / 1000.0;
        let (Some(first), Some(took)) = (run.incidents.first(), run.realised(person)) else {
            return;
        };
        let class = self.class_mut(&first.failure.class, salt);
        class.trip.add(run.ended, took - advised.shipped);
    }

    fn text(&self) -> String {
        serde_json::to_string(self).expect("numbers and keys are JSON")
    }

    /// Removes the cells that were used least recently, of `bytes` in all.
    fn forget_oldest(&mut self, bytes: usize) {
        let mut cells = Vec::new();
        for (class, of_class) in &self.classes {
            for (failure, steps) in &of_class.failures {
                for (step, cell) in steps {
                    cells.push((cell.last_day(), *class, *failure, *step));
                }
            }
        }
        cells.sort_unstable();
        let mut freed = 0;
        for (_, class, failure, step) in cells {
            if freed >= bytes {
                break;
            }
            let Some(of_class) = self.classes.get_mut(&class) else {
                continue;
            };
            if let Some(steps) = of_class.failures.get_mut(&failure) {
                let gone = steps.remove(&step);
                freed += gone.map_or(0, |cell| {
                    24 + serde_json::to_string(&cell).map_or(0, |t| t.len())
                });
                if steps.is_empty() {
                    of_class.failures.remove(&failure);
                    freed += 24;
                }
            }
            if of_class.failures.is_empty() {
                self.classes.remove(&class);
                freed += 32;
            }
        }
        if freed < bytes {
            self.classes.clear();
        }
    }
}

impl ClassCells {
    fn is_empty(&self) -> bool {
        self.failures.is_empty() && self.trip.is_empty()
    }

    fn saw_version(&mut self, version: Key, day: Day) {
        if self.versions.len() >= VERSIONS_MAX && !self.versions.contains_key(&version) {
            let oldest = self.versions.iter().min_by_key(|(key, day)| (**day, **key));
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                self.versions.remove(&oldest);
            }
        }
        let first = self.versions.entry(version).or_insert(day.0);
        *first = day.0.min(*first);
    }

    /// What a day weighs, its age aside, for a failure of a tool of `version`: less for each new
    /// version that came after it.
    pub(super) fn factor(&self, version: Option<Key>) -> impl Fn(Day) -> f64 {
        let first = self.versions.iter().min_by_key(|(key, day)| (**day, **key));
        let first = first.map(|(key, _)| *key);
        let later: Vec<i32> = self
            .versions
            .iter()
            .filter(|(key, _)| Some(**key) != first)
            .map(|(_, day)| *day)
            .collect();
        let is_new =
            version.is_some_and(|one| !self.versions.contains_key(&one)) && first.is_some();
        move |day| {
            let times = later.iter().filter(|new| **new > day.0).count() + usize::from(is_new);
            OLD_VERSION.powi(i32::try_from(times).unwrap_or(i32::MAX))
        }
    }

    /// The cells of `step`, with the failure of each.
    pub(super) fn of_step(&self, step: Key) -> impl Iterator<Item = (Key, &Cell)> {
        let failures = self.failures.iter();
        failures.filter_map(move |(failure, steps)| Some((*failure, steps.get(&step)?)))
    }

    pub(super) fn cell(&self, failure: Key, step: Key) -> Option<&Cell> {
        self.failures.get(&failure)?.get(&step)
    }

    /// Every step there is.
    pub(super) fn steps(&self) -> std::collections::BTreeSet<Key> {
        self.failures
            .values()
            .flat_map(|steps| steps.keys().copied())
            .collect()
    }

    pub(super) fn trials(&self) -> u64 {
        let cells = self.failures.values().flat_map(BTreeMap::values);
        cells.map(Cell::trials).sum()
    }
}

impl Counting<'_> {
    fn key(&self) -> Key {
        let person = self.person_millis().to_string();
        match self.host {
            Some(host) => self.salt.key(&["host", host, &person]),
            None => self.salt.key(&["every host", &person]),
        }
    }

    fn person_millis(&self) -> u64 {
        u64::try_from(self.person.as_millis()).unwrap_or(u64::MAX)
    }
}
