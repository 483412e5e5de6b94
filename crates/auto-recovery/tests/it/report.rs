//! Reports: the specified JSON, and Markdown that stays Markdown whatever is in it.

use std::fs;
use std::time::{Duration, SystemTime};

use auto_recovery::audit::AuditStore;
use auto_recovery::report::{NothingKept, Source, write_json, write_markdown};
use serde_json::Value;

use crate::audit_support::{entry, given, store};

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045)
}

fn markdown(store: &dyn AuditStore, session_id: &str) -> String {
    let mut out = Vec::new();
    let source = Source {
        store,
        session_id,
        kept: &NothingKept,
        now: now(),
    };
    write_markdown(&source, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn json_has_metadata_summary_statistics_and_entries() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let entries = (1..=10).map(|number| {
        let mut one = entry("s", number);
        one.success = number <= 7;
        given(one)
    });
    store.append(entries.collect()).unwrap();
    let mut out = Vec::new();
    let damage = write_json(&store, "s", now(), &mut out).unwrap();
    assert!(damage.is_empty());
    let report: Value = serde_json::from_slice(&out).unwrap();
    let metadata = &report["report_metadata"];
    assert_eq!(metadata["session_id"], "s");
    assert_eq!(metadata["generated_at"], "2026-01-02T03:04:05.000Z");
    assert_eq!(metadata["session_start"], "2026-01-02T03:00:01.000Z");
    let summary = &report["summary"];
    assert_eq!(summary["total_attempts"], 10);
    assert_eq!(summary["success_rate"], "70.0%");
    assert_eq!(summary["total_duration_seconds"], 2.5);
    assert_eq!(summary["files_modified"], 7);
    assert_eq!(report["statistics"].as_object().unwrap().len(), 15);
    assert_eq!(report["detailed_entries"].as_array().unwrap().len(), 10);
}

#[test]
fn markdown_says_first_what_came_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    assert!(markdown(&store, "s").contains("Nothing was tried."));
    store.append(vec![given(entry("s", 1))]).unwrap();
    let text = markdown(&store, "s");
    assert!(
        text.contains("**Unknown** how it ended: 1 attempt, none helped."),
        "{text}"
    );
    store.append(vec![given(entry("s", 2))]).unwrap();
    let text = markdown(&store, "s");
    assert!(
        text.starts_with("# Recovery report: s\n\n**Recovered** by attempt 2, fix."),
        "{text}"
    );
    let verdict = text.find("Recovered").unwrap();
    let table = text.find("## What was tried").unwrap();
    let details = text.find("## Each attempt").unwrap();
    assert!(verdict < table && table < details);
    assert!(text.contains("✘ failed, undone") && text.contains("✔ cured"));
    assert!(text.contains("- `src/file1.rs`\n"), "{text}");
}

#[test]
fn hostile_text_stays_text() {
    let hostile = "<script>alert(1)</script> | [x](javascript:y) `code` **b** \u{1b}[31m \u{202e}";
    let block = "```\n# not a heading\n````\n<img src=x>";
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let mut one = entry("s", 1);
    one.error_type = hostile.to_owned();
    one.strategy = hostile.to_owned();
    one.error_message = block.to_owned();
    one.changes_made = vec![hostile.to_owned()];
    one.files_modified = vec!["a`|b".to_owned(), hostile.to_owned()];
    one.next_action = "a\nb".to_owned();
    store.append(vec![given(one)]).unwrap();
    let text = markdown(&store, "s");
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    assert!(text.contains("\\u{1b}") && text.contains("\\u{202e}"));
    // Outside of code there is no tag and no link.
    for line in text.lines() {
        let is_code = line.contains('`') || line.starts_with("<img") || line.starts_with("# not");
        assert!(is_code || !line.contains("<script"), "{line}");
        assert!(is_code || !line.contains("[x](java"), "{line}");
    }
    // The block is fenced by more backticks than it has.
    assert!(
        text.contains("`````text\n```\n# not a heading\n````\n<img src=x>\n`````"),
        "{text}"
    );
    // Every row of the table has its seven cells.
    let rows = text
        .split("## What was tried")
        .nth(1)
        .unwrap()
        .split("## Each")
        .next()
        .unwrap();
    for row in rows.lines().filter(|line| line.starts_with('|')) {
        let bars = row.replace("\\|", "").matches('|').count();
        assert_eq!(bars, 8, "{row}");
    }
}

#[test]
fn damage_is_part_of_the_report() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("x\n{}\n", entry("s", 1).to_json());
    fs::write(dir.path().join("s_audit.jsonl"), text).unwrap();
    let store = store(dir.path());
    let text = markdown(&store, "s");
    assert!(
        text.contains("## Damage") && text.contains("line 1"),
        "{text}"
    );
    let mut out = Vec::new();
    assert_eq!(write_json(&store, "s", now(), &mut out).unwrap().len(), 1);
}
