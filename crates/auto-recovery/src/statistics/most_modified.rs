//! The files that entries name most often, found while all go by.

use std::cmp::Reverse;

/// How many files are named as those that were modified most.
pub const MOST_MODIFIED_MAX: usize = 10;

/// The [`MOST_MODIFIED_MAX`] files that are named most often, of those that were added.
#[derive(Clone, Debug, Default)]
pub struct MostModified {
    /// The most first, then by name.
    most: Vec<(String, u64)>,
}

impl MostModified {
    /// Adds a file that was not added before, and is named so many times.
    pub fn add(&mut self, file: &str, times: u64) {
        let place = self.most.partition_point(|(other, others_times)| {
            (Reverse(*others_times), other.as_str()) < (Reverse(times), file)
        });
        if place < MOST_MODIFIED_MAX {
            self.most.truncate(MOST_MODIFIED_MAX - 1);
            self.most.insert(place, (file.to_owned(), times));
        }
    }

    /// The files and how often they are named: the most first, then by name.
    pub fn finish(self) -> Vec<(String, u64)> {
        self.most
    }
}
