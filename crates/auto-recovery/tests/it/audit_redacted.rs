//! A store that is read without its secrets: nothing in the store changes, clean texts come byte
//! for byte, and what this release does not know is looked through, too.

use std::sync::Arc;

use auto_recovery::audit::*;
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::redaction::Redactor;
use auto_recovery::testing::{Random, ScriptedHost, sample};

fn entry(id: &str, message: &str) -> String {
    format!(
        "{{\"entry_id\":\"{id}\",\"timestamp\":\"2026-01-01T00:00:01Z\",\"session_id\":\"s\",\
         \"error_type\":\"E\",\"strategy\":\"fix\",\"attempt_number\":1,\"success\":false,\
         \"changes_made\":[],\"files_modified\":[],\"rollback_performed\":false,\
         \"next_action\":\"retry\",\"duration_seconds\":1.0,\"error_message\":\"{message}\",\
         \"recovery_message\":\"\"}}"
    )
}

fn trail(store: &dyn AuditStore) -> Vec<String> {
    let mut all = Vec::new();
    let damage = store.read_trail("s", &mut |stored| {
        all.push(String::from_utf8(stored.raw().to_vec()).expect("text"));
        Ok(())
    });
    assert!(damage.expect("read").is_empty());
    all
}

fn records(store: &dyn AuditStore) -> Vec<String> {
    let mut all = Vec::new();
    let damage = store.read_records_raw(None, &mut |raw| {
        all.push(String::from_utf8(raw.to_vec()).expect("text"));
        Ok(())
    });
    assert!(damage.expect("read").is_empty());
    all
}

#[test]
fn a_redacted_store_gives_every_text_masked_and_what_is_clean_as_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let host = Arc::new(ScriptedHost::new());
    let store = JsonlStore::open(dir.path(), JsonlOptions::default(), Recorder::new(host));
    let store = store.expect("a store");
    let secret = sample("ghp_<n36>", &mut Random::new(7)).secret;
    let clean = [
        entry("e1", "all is  well"),
        r#"{"v":1,"at":"2026-01-01T00:00:00Z","session_id":"s","event":"later","n":1.50}"#.into(),
    ];
    let planted = [
        entry("e2", &format!("{secret} refused")),
        format!(
            "{{\"v\":1,\"at\":\"2026-01-01T00:00:02Z\",\"session_id\":\"s\",\"event\":\"later\",\
             \"deep\":[{{\"text\":\"{secret}\"}}]}}"
        ),
        format!(
            "{{\"v\":1,\"at\":\"2026-01-01T00:00:03Z\",\"session_id\":\"s\",\"event\":\
             \"session_held\",\"user\":\"u\",\"reason\":\"{secret}\",\"later\":\"{secret}\"}}"
        ),
    ];
    let mut importer = store.importer().expect("an importer");
    let taken = |text: &String| JournalLine::taken_over(text.as_bytes()).expect("a record");
    let lines: Vec<_> = [&clean[1], &planted[1], &planted[2]].map(taken).into();
    importer.records(&lines).expect("taken over");
    let entries = [&clean[0], &planted[0]].map(|text| text.clone().into_bytes());
    importer.entries("s", &entries).expect("taken over");

    let redactor = Arc::new(Redactor::new([7; 16]));
    let masked = RedactedStore::new(&store, redactor);
    let (entries, kept) = (trail(&masked), records(&masked));
    assert_eq!((&entries[0], &kept[0]), (&clean[0], &clean[1]), "as it is");
    let mask = "[redacted github-token ";
    for text in [&entries[1], &kept[1], &kept[2]] {
        assert!(!text.contains(&secret) && text.contains(mask), "{text}");
    }
    assert_eq!(kept[2].matches(mask).count(), 2, "{}", kept[2]);
    let mut last = String::new();
    masked
        .read_last("s", 1, &mut |stored| {
            last = stored.entry().error_message.clone();
            Ok(())
        })
        .expect("read");
    assert!(last.starts_with(mask), "{last}");
    let held = masked.held("s").expect("read").expect("held");
    assert!(held.reason.expect("a reason").starts_with(mask));

    assert_eq!(trail(&store)[1], planted[0], "nothing in the store changed");
    assert_eq!(records(&store)[1..], planted[1..]);
    let off = RedactedStore::new(&store, Arc::new(Redactor::off()));
    assert_eq!(trail(&off), trail(&store), "one that masks nothing");
}
