//! What the fast way says, the decoder says too.

use proptest::prelude::*;

use super::*;
use crate::entry::RecoveryAuditEntry;

fn check(json: &str) {
    let slow = RecoveryAuditEntry::from_json(json);
    let Some(fast) = EntryLine::parse(json.as_bytes()) else {
        return;
    };
    let slow = slow.expect("what the fast way takes, the decoder takes");
    assert_eq!(fast.to_entry(), slow, "{json}");
    assert_eq!(slow.to_json(), json, "it is written as we write it");
    let ms = (slow.duration_seconds * 1000.0).round();
    assert_eq!(fast.duration_ms as f64, ms, "{json}");
}

fn entries() -> impl Strategy<Value = RecoveryAuditEntry> {
    let text = || prop_oneof![".{0,12}", "[a-z\"\\\\\n\t/\u{8}é😀]{0,8}"];
    let list = || prop::collection::vec(text(), 0..4);
    let ms = prop_oneof![0..5000_u64, 0..=999_999_999_999_999_u64];
    let texts = prop::array::uniform8(text());
    let rest = (
        any::<u64>(),
        any::<bool>(),
        list(),
        list(),
        any::<bool>(),
        ms,
    );
    (texts, rest).prop_map(
        |(texts, (attempt_number, success, changes_made, files_modified, back, ms))| {
            let [
                entry_id,
                timestamp,
                session_id,
                error_type,
                strategy,
                next,
                error,
                message,
            ] = texts;
            RecoveryAuditEntry {
                entry_id,
                timestamp,
                session_id,
                error_type,
                strategy,
                attempt_number,
                success,
                changes_made,
                files_modified,
                rollback_performed: back,
                next_action: next,
                duration_seconds: ms as f64 / 1000.0,
                error_message: error,
                recovery_message: message,
            }
        },
    )
}

proptest! {
    #[test]
    fn what_we_write_is_read_the_fast_way(entry in entries()) {
        let json = entry.to_json();
        check(&json);
        // Digits and control characters beyond what it promises are the decoder's.
        // A backslash that is itself escaped escapes nothing.
        let rare = json.replace("\\\\", "").contains("\\u") || entry.attempt_number >= 10_u64.pow(19);
        prop_assert_eq!(EntryLine::parse(json.as_bytes()).is_none(), rare, "{}", json);
    }

    #[test]
    fn what_differs_in_a_byte_is_refused_or_means_the_same(
        entry in entries(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut json = entry.to_json().into_bytes();
        let place = place.index(json.len());
        json[place] = byte;
        if let Ok(json) = std::str::from_utf8(&json) {
            check(json);
        } else {
            prop_assert!(EntryLine::parse(&json).is_none());
        }
    }
}

#[test]
fn what_others_write_is_the_decoders() {
    let ours = RecoveryAuditEntry {
        duration_seconds: 90.0,
        error_message: "a/b é".to_owned(),
        ..RecoveryAuditEntry::default()
    }
    .to_json();
    assert!(EntryLine::parse(ours.as_bytes()).is_some());
    for (from, to) in [
        ("90.0", "90"),
        ("90.0", "90.00"),
        ("90.0", "9e1"),
        ("90.0", "-1.5"),
        ("90.0", "090.0"),
        ("90.0", "90.1234"),
        ("a/b", "a\\/b"),
        ("é", "\\u00e9"),
        ("\"success\":", "\"success\": "),
        ("}", "} "),
        ("}", ",\"more\":1}"),
        ("[]", "[ ]"),
        ("[]", "[\"a\",]"),
        ("\"attempt_number\":0", "\"attempt_number\":00"),
    ] {
        let theirs = ours.replacen(from, to, 1);
        assert_ne!(theirs, ours);
        assert!(EntryLine::parse(theirs.as_bytes()).is_none(), "{theirs}");
    }
}
