//! What other projects saw, by class and step: at most a few trials of each, so that nobody's
//! history, however long or forged, outweighs what happened here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::learn::cell::{Counts, half_lives};
use crate::learn::class::{Key, Salt};
use crate::learn::day::Day;
use crate::learn::history::Run;
use crate::learn::summary::{ClassCells, SUMMARY_BYTES_MAX, Summary};

/// The version of the format and of the way of counting.
const VERSION: u32 = 1;

/// The most trials of a step that another project counts for.
const TRIALS_MAX: f64 = 5.0;

/// What other projects saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "File", into = "File")]
pub struct Others {
    v: u32,
    /// As in the summary.
    of: Key,
    /// By class, step and workspace.
    rows: BTreeMap<(Key, Key, Key), Row>,
}

/// The same as it is kept.
#[derive(Serialize, Deserialize)]
struct File {
    v: u32,
    of: Key,
    rows: Vec<((Key, Key, Key), Row)>,
}

impl From<File> for Others {
    fn from(File { v, of, rows }: File) -> Self {
        let rows = rows.into_iter().collect();
        Self { v, of, rows }
    }
}

impl From<Others> for File {
    fn from(Others { v, of, rows }: Others) -> Self {
        let rows = rows.into_iter().collect();
        Self { v, of, rows }
    }
}

/// What one project saw of a step: the last day, then sums aged to it, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    #[serde(rename = "d")]
    day: i32,
    #[serde(rename = "x")]
    sums: (i64, i64, i64),
    #[serde(rename = "p")]
    plain: (i64, i64),
}

impl Others {
    /// Nothing, to be counted as `summary` is.
    pub fn like(summary: &Summary) -> Self {
        Self {
            v: VERSION,
            of: summary.counted_of(),
            rows: BTreeMap::new(),
        }
    }

    /// What `text` says, if it was counted as `summary` was.
    pub fn read(text: &[u8], summary: &Summary) -> Option<Self> {
        let read: Self = serde_json::from_slice(text).ok()?;
        (read.v == VERSION && read.of == summary.counted_of()).then_some(read)
    }

    /// Its text, of at most [`SUMMARY_BYTES_MAX`] bytes.
    pub fn to_text(&mut self) -> String {
        let text = |rows: &Self| serde_json::to_string(rows).expect("numbers are JSON");
        let mut made = text(self);
        while made.len() > SUMMARY_BYTES_MAX {
            // Least recent first, and a few more than by the average.
            let keep = self.rows.len() * SUMMARY_BYTES_MAX / made.len() * 63 / 64;
            let mut all: Vec<_> = self.rows.iter().map(|(key, row)| (row.day, *key)).collect();
            all.sort_unstable();
            let goes = all.len() - keep;
            for (_, key) in &all[..goes] {
                self.rows.remove(key);
            }
            made = text(self);
        }
        made
    }

    /// The summaries of each workspace that `runs` are of, begun as `empty` is, and what all saw.
    pub fn count(
        runs: impl IntoIterator<Item = Run>,
        salt: Salt,
        empty: &Summary,
    ) -> (BTreeMap<String, Summary>, Self) {
        let mut summaries: BTreeMap<String, Summary> = BTreeMap::new();
        for run in runs {
            let summary = match summaries.get_mut(&*run.workspace) {
                Some(summary) => summary,
                None => summaries
                    .entry(run.workspace.to_string())
                    .or_insert_with(|| empty.clone()),
            };
            let added = summary.add(&run, salt);
            debug_assert!(added, "nothing is folded before all is counted");
        }
        let mut others = Self::like(empty);
        for (workspace, summary) in &mut summaries {
            summary.fold();
            others.put(salt, workspace, summary);
        }
        (summaries, others)
    }

    /// Replaces the rows of `workspace` by those that its `summary` makes.
    pub fn put(&mut self, salt: Salt, workspace: &str, summary: &Summary) {
        let workspace = salt.key(&["workspace", workspace]);
        self.rows.retain(|(_, _, of), _| *of != workspace);
        for (class, cells) in summary.classes() {
            self.put_class(workspace, class, cells);
        }
    }

    /// The same for the classes that `run`, of `workspace`, met: that it was counted in `summary`
    /// changed no other.
    pub fn put_run(&mut self, salt: Salt, run: &Run, summary: &Summary) {
        let workspace = salt.key(&["workspace", &run.workspace]);
        for incident in &run.incidents {
            let class = incident.failure.class.key(salt);
            if let Some(cells) = summary.class(class) {
                self.put_class(workspace, class, cells);
            }
        }
    }

    fn put_class(&mut self, workspace: Key, class: Key, cells: &ClassCells) {
        let factor = cells.factor(None);
        for step in cells.steps() {
            let day = cells.of_step(step).map(|(_, cell)| cell.last_day()).max();
            let day = day.unwrap_or_default();
            let mut sums = Counts::default();
            for (_, cell) in cells.of_step(step) {
                sums.add(&cell.counts(day, &factor));
            }
            let row = Row {
                day: day.0,
                sums: sums.at_most(TRIALS_MAX).rough(),
                plain: sums.plain,
            };
            self.rows.insert((class, step, workspace), row);
        }
    }

    /// The same without what `workspace` itself saw.
    pub fn without(mut self, salt: Salt, workspace: &str) -> Self {
        let workspace = salt.key(&["workspace", workspace]);
        self.rows.retain(|(_, _, of), _| *of != workspace);
        self
    }

    pub(super) fn counts(&self, class: Key, step: Key, today: Day) -> Counts {
        let mut sums = Counts::default();
        for (_, row) in self.rows.range((class, step, 0)..=(class, step, Key::MAX)) {
            let weight = half_lives(Day(row.day).until(today));
            sums.add(&Counts::weighed(row.sums, weight, row.plain));
        }
        sums
    }
}
