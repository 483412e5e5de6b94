//! Numbers of rounds of the campaigns, and the place for their findings.
//!
//! Ordinary test runs take a sample that lasts seconds. With `RECOVER_FAULTS` naming a directory,
//! as `just faults` has it, they are long, and each leaves its row for the table there.
#![expect(clippy::unwrap_used, reason = "this is for tests")]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Number of rounds of a campaign.
#[derive(Clone, Copy, Debug)]
pub struct Rounds {
    /// In an ordinary test run.
    pub ordinary: u64,
    /// In a long campaign.
    pub long: u64,
}

impl Rounds {
    /// The number for this run.
    pub fn count(&self) -> u64 {
        match table() {
            Some(_) => self.long,
            None => self.ordinary,
        }
    }
}

/// The findings of a campaign, as a row of the table.
#[derive(Debug, Default)]
pub struct Found {
    /// Number of rounds.
    pub rounds: u64,
    /// Acknowledged, and lost.
    pub lost: u64,
    /// Shown, and not as it was written.
    pub torn: u64,
    /// Shown more than once.
    pub doubled: u64,
    /// Anything else that must not be.
    pub other: u64,
    /// Descriptions of the first ones.
    details: Vec<String>,
    /// The round under way, as details name it.
    pub round: String,
}

/// A kind of wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Acknowledged, and lost.
    Lost,
    /// Shown, and not as it was written.
    Torn,
    /// Shown more than once.
    Doubled,
    /// Anything else that must not be.
    Other,
}

/// Wrongs that are reported one by one.
const DETAILS_MAX: usize = 10;

/// Characters of each.
const DETAIL_CHARS_MAX: usize = 400;

impl Found {
    /// Starts with nothing wrong in this many rounds.
    pub fn nothing_in(rounds: u64) -> Self {
        Self {
            rounds,
            ..Self::default()
        }
    }

    /// Counts a wrong.
    pub fn wrong(&mut self, wrong: Wrong, what: impl FnOnce() -> String) {
        let count = match wrong {
            Wrong::Lost => &mut self.lost,
            Wrong::Torn => &mut self.torn,
            Wrong::Doubled => &mut self.doubled,
            Wrong::Other => &mut self.other,
        };
        *count += 1;
        if self.details.len() < DETAILS_MAX {
            let detail = format!("{}: {wrong:?}: {}", self.round, what());
            let detail = detail.chars().take(DETAIL_CHARS_MAX).collect();
            self.details.push(detail);
        }
    }

    /// Asserts that nothing is wrong.
    ///
    /// # Panics
    /// If something is.
    #[track_caller]
    pub fn assert_nothing(&self) {
        assert!(
            (self.lost, self.torn, self.doubled, self.other) == (0, 0, 0, 0),
            "{} lost, {} torn, {} doubled, {} else in {} rounds:\n{}",
            self.lost,
            self.torn,
            self.doubled,
            self.other,
            self.rounds,
            self.details.join("\n")
        );
    }
}

/// A campaign under way.
#[derive(Debug)]
pub struct Campaign {
    name: &'static str,
    what: &'static str,
    began: Instant,
}

impl Campaign {
    /// Begins; `name` sorts it in the table, `what` is its text there.
    #[expect(
        clippy::disallowed_methods,
        reason = "a campaign tells how long it took"
    )]
    pub fn begin(name: &'static str, what: &'static str) -> Self {
        let began = Instant::now();
        Self { name, what, began }
    }

    /// Time since its beginning.
    pub fn lasted(&self) -> Duration {
        self.began.elapsed()
    }

    /// Writes `text` beside the row, to be shown below the table.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn note(&self, text: &str) {
        if let Some(directory) = table() {
            fs::write(directory.join(format!("{}.note", self.name)), text).unwrap();
        }
    }

    /// Ends: writes its row, and fails if anything bad was found.
    ///
    /// # Panics
    /// If anything bad was found, or the row cannot be written.
    #[track_caller]
    pub fn end(self, found: &Found) {
        if let Some(directory) = table() {
            let row = format!(
                "| {} | {} | {} | {} | {} | {} | {:.1} s |\n",
                self.what,
                found.rounds,
                found.lost,
                found.torn,
                found.doubled,
                found.other,
                self.lasted().as_secs_f64()
            );
            fs::write(directory.join(format!("{}.row", self.name)), row).unwrap();
        }
        found.assert_nothing();
    }
}

/// The directory for rows, if this is a long campaign.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that tests are told how long"
)]
fn table() -> Option<PathBuf> {
    std::env::var_os("RECOVER_FAULTS")
        .filter(|directory: &OsString| !directory.is_empty())
        .map(PathBuf::from)
}

/// A directory for many small files that need not last: in memory, if the system has that.
///
/// # Panics
/// If there is none.
pub fn quick_dir() -> TempDir {
    let memory = Path::new("/dev/shm");
    match tempfile::tempdir_in(memory) {
        Ok(dir) => dir,
        Err(_) => tempfile::tempdir().unwrap(),
    }
}
