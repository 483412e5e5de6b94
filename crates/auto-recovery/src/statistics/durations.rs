//! How durations are distributed, in bounded memory: counts in buckets that are exact up to a
//! quarter of a second and less than 1 % wide beyond.
//!
//! The buckets are made of whole numbers by shifts alone, so that any database can make the same.

use serde::{Deserialize, Serialize};

/// Durations below this, in milliseconds, have a bucket each.
const EXACT_MS: u64 = 256;

/// Buckets of each doubling beyond: the widest is 1/128 of its smallest duration, so its middle is
/// less than 0.4 % off.
const BUCKETS_A_DOUBLING: u64 = EXACT_MS / 2;

/// Counts of durations. Those of parts merge into that of the whole without losing anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durations {
    /// How many fell into each bucket, up to the last that has any: at most 7,424 numbers.
    counts: Vec<u64>,
    total: u64,
}

impl Durations {
    /// Counts one more.
    pub fn add(&mut self, ms: u64) {
        self.add_to_bucket(bucket_of(ms), 1);
    }

    /// Counts `times` more that fall into the bucket of this number.
    pub fn add_to_bucket(&mut self, bucket: u32, times: u64) {
        let bucket = bucket as usize;
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += times;
        self.total += times;
    }

    /// Adds the counts of others.
    pub fn merge(&mut self, others: &Self) {
        if self.counts.len() < others.counts.len() {
            self.counts.resize(others.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&others.counts) {
            *count += more;
        }
        self.total += others.total;
    }

    /// The duration in milliseconds that `percent` of all do not exceed, by nearest rank and within
    /// 0.4 %; `None` of nothing.
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let rank = (self.total * percent).div_ceil(100).max(1);
        let mut reached = 0;
        let bucket = self.counts.iter().position(|count| {
            reached += count;
            reached >= rank
        })?;
        Some(middle_of(bucket as u64))
    }
}

/// The number of the bucket that a duration falls into: itself below 256 ms; beyond, of the 8 bits
/// that it begins with, 128 for each bit that follows them.
pub fn bucket_of(ms: u64) -> u32 {
    let shift = (u64::BITS - ms.leading_zeros()).saturating_sub(EXACT_MS.ilog2());
    let bucket = BUCKETS_A_DOUBLING * u64::from(shift) + (ms >> shift);
    u32::try_from(bucket).expect("at most 57 doublings of 128 buckets")
}

/// The middle of a bucket, in milliseconds.
fn middle_of(bucket: u64) -> u64 {
    let shift = (bucket / BUCKETS_A_DOUBLING).saturating_sub(1);
    let smallest = (bucket - BUCKETS_A_DOUBLING * shift) << shift;
    smallest + (1 << shift) / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_bucket_stands_for_its_durations(ms in prop_oneof![0..2000_u64, any::<u64>()]) {
            let middle = middle_of(u64::from(bucket_of(ms)));
            let off = middle.abs_diff(ms) as f64;
            prop_assert!(off <= 0.004 * ms as f64, "{ms} became {middle}");
            prop_assert!(ms >= EXACT_MS || u64::from(bucket_of(ms)) == ms);
            prop_assert!(bucket_of(ms) <= bucket_of(ms.saturating_add(1)));
        }

        #[test]
        fn percentiles_are_by_nearest_rank(
            mut all in prop::collection::vec(0..EXACT_MS, 1..60),
            percent in 0..=100_u64,
        ) {
            let (mut one, mut other) = (Durations::default(), Durations::default());
            for (index, ms) in all.iter().enumerate() {
                if index % 3 == 0 { one.add(*ms) } else { other.add(*ms) }
            }
            one.merge(&other);
            all.sort_unstable();
            let rank = (percent as usize * all.len()).div_ceil(100).max(1);
            prop_assert_eq!(one.percentile(percent), Some(all[rank - 1]));
        }
    }

    #[test]
    fn of_nothing_there_is_no_percentile() {
        assert_eq!(Durations::default().percentile(50), None);
    }
}
