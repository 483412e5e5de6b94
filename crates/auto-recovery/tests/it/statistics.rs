//! Statistics: the specification's four, and that parts merge into the whole.

use auto_recovery::audit::AuditStore;
use auto_recovery::statistics::{Accumulator, EntrySink};
use auto_recovery::{RecoveryAuditEntry, RecoveryStatistics};
use proptest::prelude::*;

use crate::audit_support::{entry, given, store};

fn stored(entries: Vec<RecoveryAuditEntry>) -> RecoveryStatistics {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    store
        .append(entries.into_iter().map(given).collect())
        .unwrap();
    store.statistics("s").unwrap()
}

fn entries(
    change: impl Fn(usize, &mut RecoveryAuditEntry),
    count: usize,
) -> Vec<RecoveryAuditEntry> {
    (0..count)
        .map(|index| {
            let mut entry = entry("s", index as u64 + 1);
            change(index, &mut entry);
            entry
        })
        .collect()
}

#[test]
fn success_rate_is_a_percentage_with_two_decimals() {
    for (successes, total, rate) in [(7, 10, 70.0), (1, 3, 33.33), (2, 3, 66.67), (0, 4, 0.0)] {
        let statistics = stored(entries(
            |index, entry| entry.success = index < successes,
            total,
        ));
        assert_eq!(statistics.success_rate, rate);
        assert_eq!(statistics.successful_attempts, successes as u64);
        assert_eq!(statistics.failed_attempts, (total - successes) as u64);
    }
}

#[test]
fn durations_are_summed_without_rounding_errors() {
    // As floating point numbers, ten times 0.1 is not 1.
    let statistics = stored(entries(|_, entry| entry.duration_seconds = 0.1, 10));
    assert_eq!(statistics.total_duration_seconds, 1.0);
    assert_eq!(statistics.average_duration_seconds, 0.1);
    let statistics = stored(entries(
        |index, entry| entry.duration_seconds = index as f64,
        3,
    ));
    assert_eq!(statistics.total_duration_seconds, 3.0);
    assert_eq!(statistics.average_duration_seconds, 1.0);
}

#[test]
fn error_types_and_strategies_are_counted() {
    let kinds = ["SyntaxError", "ImportError", "SyntaxError", "TypeError"];
    let statistics = stored(entries(
        |index, entry| {
            entry.error_type = kinds[index].to_owned();
            entry.strategy = if index == 0 { "fix" } else { "retry" }.to_owned();
        },
        4,
    ));
    assert_eq!(statistics.error_type_distribution["SyntaxError"], 2);
    assert_eq!(statistics.error_type_distribution.len(), 3);
    assert_eq!(statistics.strategies_used["retry"], 3);
}

#[test]
fn each_file_is_counted_once_and_listed_in_order() {
    let files = [vec!["b.py", "a.py"], vec!["a.py"], vec![], vec!["c.py"]];
    let statistics = stored(entries(
        |index, entry| entry.files_modified = files[index].iter().map(|f| f.to_string()).collect(),
        4,
    ));
    assert_eq!(statistics.files_modified, ["a.py", "b.py", "c.py"]);
    assert_eq!(statistics.files_modified_count, 3);
}

#[test]
fn the_fifteen_keys_stand_in_the_specified_order() {
    let json = serde_json::to_value(stored(entries(|_, _| {}, 2))).unwrap();
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "session_id",
            "session_start",
            "total_attempts",
            "successful_attempts",
            "failed_attempts",
            "success_rate",
            "strategies_used",
            "error_type_distribution",
            "total_duration_seconds",
            "average_duration_seconds",
            "files_modified_count",
            "files_modified",
            "rollback_count",
            "first_attempt_timestamp",
            "last_attempt_timestamp",
        ]
    );
}

fn accumulate(entries: &[RecoveryAuditEntry]) -> Accumulator {
    let mut sums = Accumulator::default();
    for entry in entries {
        sums.add_entry(entry);
    }
    sums
}

proptest! {
    #[test]
    fn the_sums_of_parts_are_those_of_the_whole(
        numbers in proptest::collection::vec((1_u64..1000, 0.0..1e6_f64), 0..40),
        cut in 0_usize..40,
    ) {
        let entries: Vec<_> = numbers
            .into_iter()
            .map(|(number, duration_seconds)| RecoveryAuditEntry {
                duration_seconds,
                ..entry("s", number)
            })
            .collect();
        let (first, rest) = entries.split_at(cut.min(entries.len()));
        let mut merged = accumulate(first);
        merged.merge(accumulate(rest));
        prop_assert_eq!(merged, accumulate(&entries));
    }
}
