//! What is known of a failure at a moment: from the summary of its workspace, and of the others.

use crate::failure::{Category, Failure};
use crate::learn::cell::Counts;
use crate::learn::class::{Class, Key, Salt, hash_of};
use crate::learn::day::Moment;
use crate::learn::others::Others;
use crate::learn::summary::Summary;

/// A failure, as it is known again.
#[derive(Clone, Debug, PartialEq)]
pub struct FailureKey {
    /// Its class.
    pub class: Class,
    /// Its kind: see [`crate::failure_kind`].
    pub kind: String,
    /// The file that the tool pointed at.
    pub file: String,
    /// The version of the tool, where it says that.
    pub version: Option<String>,
}

impl FailureKey {
    /// The key of `failure`, whose texts are as records have them.
    pub fn of(category: Category, failure: &Failure) -> Self {
        Self::with_kind(Class::of(category, failure), failure, failure.kind())
    }

    pub(super) fn with_kind(class: Class, failure: &Failure, kind: String) -> Self {
        Self {
            class,
            kind,
            file: failure.file_path.clone().unwrap_or_default(),
            version: version_of(failure),
        }
    }

    pub(super) fn key(&self, salt: Salt) -> Key {
        salt.key(&["failure", &self.kind, &self.file])
    }
}

/// The version of its own that the tool of `failure` says: the first word that begins with a digit
/// and has a dot, right after the tool's name.
fn version_of(failure: &Failure) -> Option<String> {
    /// Bytes that are looked through: versions stand in the first lines.
    const BYTES_MAX: usize = 4096;

    let tool = failure
        .source
        .rsplit('/')
        .next()
        .filter(|tool| !tool.is_empty())?;
    let texts = [Some(&failure.message), failure.stack_trace.as_ref()];
    texts.into_iter().flatten().find_map(|text| {
        let text = text.get(..BYTES_MAX).unwrap_or(text);
        let mut words = text.split(|c: char| c.is_whitespace() || "/@()".contains(c));
        while let Some(word) = words.next() {
            if word != tool {
                continue;
            }
            let version = words
                .clone()
                .next()
                .unwrap_or_default()
                .trim_start_matches('v');
            let version = version.trim_end_matches([',', ':', ';', '.']);
            if version.starts_with(|c: char| c.is_ascii_digit()) && version.contains('.') {
                return Some(version.to_owned());
            }
        }
        None
    })
}

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

/// What is known of one step: in other projects, of its class here, of this very failure here.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
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
        runs: impl IntoIterator<Item = crate::learn::Run>,
        workspace: &str,
        (salt, now, with_others): (Salt, Moment, bool),
    ) -> Self {
        let (mut summaries, others) = Others::count(runs, salt, &Summary::new(salt, None));
        Self {
            summary: summaries.remove(workspace).unwrap_or_default(),
            others: with_others.then(|| others.without(salt, workspace)),
            salt,
            now,
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
            others: others.map_or_else(Counts::default, |one| one.counts(class, step, today)),
            here,
            this,
        }
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
    pub(super) fn tripped(&self, failure: &FailureKey) -> Option<crate::learn::Day> {
        let class = self.summary.class(failure.class.key(self.salt))?;
        class.trip.off_since(self.now.day())
    }

    /// A hash of what is known of the class of `failure`.
    pub(super) fn hash(&self, failure: &FailureKey, steps: &[String]) -> String {
        let mut text = format!("{:?}", failure.class);
        for step in steps {
            let known = self.known(failure, step);
            for counts in [known.others, known.here, known.this] {
                text.push_str(&format!(" {counts:?}"));
            }
            text.push_str(&format!(" {:?}", self.cured_last(failure, step)));
        }
        let hash = hash_of(b"evidence", &[&text]);
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_that_of_the_tool() {
        let cases = [
            (
                "rustc",
                "internal error: rustc 1.95.0 (abc) running on x",
                Some("1.95.0"),
            ),
            ("npm", "using npm@10.2.3, node@v20", Some("10.2.3")),
            ("tools/mypy", "mypy v1.2: x", Some("1.2")),
            ("cargo", "cargo failed with 101 in 1.2 s", None),
            ("cargo", "rustc 1.95", None),
            ("", "1.2", None),
        ];
        for (tool, message, expected) in cases {
            let failure = Failure::new("E", message, tool);
            assert_eq!(version_of(&failure).as_deref(), expected, "{message}");
        }
    }
}
