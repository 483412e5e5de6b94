//! What is known of a failure at a moment: from the summary of its workspace, and of the others.

use crate::integrity::hex;
use crate::learn::cell::Counts;
use crate::learn::class::{Key, Salt, hash_of};
use crate::learn::day::{Day, Moment};
use crate::learn::failure_key::FailureKey;
use crate::learn::history::Run;
use crate::learn::others::Others;
use crate::learn::settings::LearnSettings;
use crate::learn::summary::{Counting, Summary};

/// What is known, seen at a moment.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The summary of this workspace.
    pub summary: Summary,
    /// What other workspaces saw, where that counts.
    pub others: Option<Others>,
    /// What names are hashed with.
    pub salt: Salt,
    /// The moment.
    pub now: Moment,
}

/// What is known of one step: of the other classes of its category here, of its class in other
/// projects, of its class here, of this very failure here.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    pub(super) category: Counts,
    pub(super) others: Counts,
    pub(super) here: Counts,
    pub(super) this: Counts,
}

impl Evidence {
    /// Nothing is known.
    pub fn none(now: Moment) -> Self {
        Self {
            summary: Summary::default(),
            others: None,
            salt: Salt::default(),
            now,
        }
    }

    /// Counts `runs` of `workspace` and of all others, and looks at them at `now`.
    pub fn of_runs(
        runs: impl IntoIterator<Item = Run>,
        workspace: &str,
        (salt, now, settings): (Salt, Moment, &LearnSettings),
    ) -> Self {
        let empty = begun(salt, settings);
        let (mut summaries, others) = Others::count(runs, salt, &empty);
        Self {
            summary: summaries.remove(workspace).unwrap_or(empty),
            others: settings
                .counts_others()
                .then(|| others.without(salt, workspace)),
            salt,
            now,
        }
    }

    /// The same for each workspace of `runs`, which `take` is given with its name.
    pub fn of_each_workspace(
        runs: impl IntoIterator<Item = Run>,
        (salt, now, settings): (Salt, Moment, &LearnSettings),
        take: &mut dyn FnMut(&str, &Self),
    ) {
        let (summaries, others) = Others::count(runs, salt, &begun(salt, settings));
        for (workspace, summary) in summaries {
            let of_others = || others.clone().without(salt, &workspace);
            let evidence = Self {
                summary,
                others: settings.counts_others().then(of_others),
                salt,
                now,
            };
            take(&workspace, &evidence);
        }
    }

    pub(super) fn known(&self, failure: &FailureKey, step: &str) -> Known {
        let today = self.now.day();
        let class = failure.class.key(self.salt);
        let step = self.salt.key(&["step", step]);
        let (mut here, mut this) = (Counts::default(), Counts::default());
        if let Some(cells) = self.summary.class(class) {
            let version = failure.version.as_ref();
            let version = version.map(|version| self.salt.key(&["version", version]));
            let factor = cells.factor(version);
            let failure = failure.key(self.salt);
            for (key, cell) in cells.of_step(step) {
                let counts = cell.counts(today, &factor);
                here.add(&counts);
                if key == failure {
                    this.add(&counts);
                }
            }
        }
        let others = self.others.as_ref();
        Known {
            category: self.of_category(failure, step),
            others: others.map_or_else(Counts::default, |one| one.counts(class, step, today)),
            here,
            this,
        }
    }

    /// What the other classes of the category of `failure` say of `step`.
    fn of_category(&self, failure: &FailureKey, step: Key) -> Counts {
        let class = failure.class.key(self.salt);
        let category = failure.class.category_key(self.salt);
        let mut sums = Counts::default();
        for (key, cells) in self.summary.classes() {
            if key == class || cells.category != category {
                continue;
            }
            let factor = cells.factor(None);
            for (_, cell) in cells.of_step(step) {
                sums.add(&cell.counts(self.now.day(), &factor));
            }
        }
        sums
    }

    /// When `step` cured this very failure last, if it did so each time of late.
    pub(super) fn cured_last(&self, failure: &FailureKey, step: &str) -> Option<Moment> {
        let cells = self.summary.class(failure.class.key(self.salt))?;
        let step = self.salt.key(&["step", step]);
        cells
            .cell(failure.key(self.salt), step)?
            .cured_each_time(self.now.day())
    }

    /// Trials in the class here, each for itself.
    pub(super) fn trials(&self, failure: &FailureKey) -> u64 {
        let class = self.summary.class(failure.class.key(self.salt));
        class.map_or(0, |class| class.trials())
    }

    /// The day since which advice for the class of `failure` is off, if it is.
    pub(super) fn tripped(&self, failure: &FailureKey) -> Option<Day> {
        let class = self.summary.class(failure.class.key(self.salt))?;
        class.trip.off_since(self.now.day())
    }

    /// A hash of all counts of the class of `failure`.
    pub(super) fn hash(&self, failure: &FailureKey, steps: &[String]) -> String {
        let mut text = format!("{:?}", failure.class);
        for step in steps {
            let known = self.known(failure, step);
            for counts in [known.category, known.others, known.here, known.this] {
                text.push_str(&format!(" {counts:?}"));
            }
            text.push_str(&format!(" {:?}", self.cured_last(failure, step)));
        }
        hex(&hash_of(b"evidence", &[&text]))
    }
}

/// A summary of runs that were chosen beforehand.
fn begun(salt: Salt, settings: &LearnSettings) -> Summary {
    Summary::new(&Counting {
        salt,
        host: None,
        person: settings.person,
    })
}
