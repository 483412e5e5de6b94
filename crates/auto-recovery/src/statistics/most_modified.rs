//! The files that entries name most often, found in one pass.

use std::cmp::Reverse;

/// Number of files that are named as the most modified.
pub const MOST_MODIFIED_MAX: usize = 10;

/// The [`MOST_MODIFIED_MAX`] most often named files among those that were added.
#[derive(Clone, Debug, Default)]
pub struct MostModified {
    /// The most first, then by name.
    most: Vec<(String, u64)>,
}

impl MostModified {
    /// Adds a file that was not added before, and is named this many times.
    pub fn add(&mut self, file: &str, times: u64) {
        let place = self.most.partition_point(|(other, others_times)| {
            (Reverse(*others_times), other.as_str()) < (Reverse(times), file)
        });
        if place < MOST_MODIFIED_MAX {
            self.most.truncate(MOST_MODIFIED_MAX - 1);
            self.most.insert(place, (file.to_owned(), times));
        }
    }

    /// The files with their counts: the most first, then by name.
    pub fn finish(self) -> Vec<(String, u64)> {
        self.most
    }
}
