//! Entries that are too large are cut, and say what is missing.

use auto_recovery::RecoveryAuditEntry;
use auto_recovery::audit::{AuditStore, ENTRY_BYTES_MAX, NewEntry};
use proptest::prelude::*;

use crate::audit_support::{entry, read, store};

/// `entry` as it is stored, and its size.
fn stored(entry: RecoveryAuditEntry, number_by_store: bool) -> (RecoveryAuditEntry, usize) {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    store
        .append(vec![NewEntry {
            entry,
            number_by_store,
        }])
        .unwrap();
    let (entries, damage) = read(&store, "s");
    assert!(damage.is_empty());
    let text = std::fs::read(dir.path().join("s_audit.jsonl")).unwrap();
    (entries[0].clone(), text.len() - 1)
}

#[test]
fn an_entry_of_exactly_the_limit_stays_as_it_is() {
    let mut one = entry("s", 1);
    one.error_message.clear();
    let rest = one.to_json().len();
    one.error_message = "x".repeat(ENTRY_BYTES_MAX - rest);
    let (kept, size) = stored(one.clone(), false);
    assert_eq!(size, ENTRY_BYTES_MAX);
    assert_eq!(kept, one);
    one.error_message.push('x');
    let (cut, size) = stored(one, false);
    assert!(size <= ENTRY_BYTES_MAX);
    assert!(cut.error_message.ends_with("bytes cut"));
}

#[test]
fn a_cut_message_says_how_much_is_gone() {
    let mut one = entry("s", 1);
    one.error_message = "ä€🦀\n".repeat(100_000);
    let whole = one.error_message.len();
    let (cut, size) = stored(one, true);
    assert!(
        size > ENTRY_BYTES_MAX - 100,
        "as much as fits is kept: {size}"
    );
    let (kept, marker) = cut.error_message.rsplit_once('…').unwrap();
    assert!("ä€🦀\n".repeat(100_000).starts_with(kept));
    assert_eq!(marker, format!(" {} bytes cut", whole - kept.len()));
}

#[test]
fn a_cut_list_keeps_whole_items_and_counts_the_rest() {
    let mut one = entry("s", 1);
    one.files_modified = (0..10_000).map(|n| format!("src/file{n}.rs")).collect();
    let (cut, size) = stored(one.clone(), false);
    assert!(size <= ENTRY_BYTES_MAX);
    let (last, kept) = cut.files_modified.split_last().unwrap();
    assert_eq!(kept, &one.files_modified[..kept.len()]);
    assert!(kept.len() > 3000);
    assert_eq!(last, &format!("… {} more", 10_000 - kept.len()));
    assert_eq!(cut.error_message, one.error_message, "what is small stays");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_large_the_entry_fits_and_is_read_back(
        sizes in proptest::array::uniform7(prop_oneof![Just(0_usize), 0..2_000_usize, 0..100_000_usize]),
        unit in prop_oneof!["[a-z]", Just("\u{1}".to_owned()), Just("\"".to_owned()), Just("🦀".to_owned())],
    ) {
        let text = |index: usize| unit.repeat(sizes[index] / unit.len());
        let mut one = entry("s", 1);
        one.error_type = text(0);
        one.strategy = text(1);
        one.next_action = text(2);
        one.error_message = text(3);
        one.recovery_message = text(4);
        one.changes_made = vec![unit.repeat(10); sizes[5] / 10];
        one.files_modified = vec![text(6); 3];
        let fits = one.to_json().len() <= ENTRY_BYTES_MAX;
        let (kept, size) = stored(one.clone(), false);
        prop_assert!(size <= ENTRY_BYTES_MAX);
        prop_assert_eq!(kept == one, fits);
    }
}

#[test]
fn the_longest_duration_is_kept_as_it_is() {
    for seconds in [1e17, 1e306, f64::MAX] {
        let mut given = entry("s", 1);
        given.duration_seconds = seconds;
        let (kept, _) = stored(given, false);
        assert_eq!(kept.duration_seconds, seconds);
    }
}
