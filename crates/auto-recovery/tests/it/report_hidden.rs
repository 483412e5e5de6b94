//! Reports in every form: no character reorders what is read, hides in it or steers a terminal.

use std::time::SystemTime;

use auto_recovery::audit::{
    AttemptFinished, AttemptStarted, AuditStore, FailureDetected, JournalEvent, SessionStarted,
};
use auto_recovery::report::{
    CiReport, NothingKept, SUMMARY_BYTES_MAX, Source, github_log, github_summary, gitlab, junit,
    sarif, write_html, write_json, write_markdown,
};
use auto_recovery::{Category, Failure};

use crate::audit_support::{entry, given, store};

/// What hides or reorders, a character of each kind, within a word each.
const HIDDEN: &str = "a\u{202e}b\u{2066}c\u{200f}d\u{61c}e\u{200b}f\u{2060}g\u{feff}h\u{ad}i\u{2028}j\
                      \u{fff9}k\u{e0041}l\u{180e}m\u{206a}n\u{1b}[31mo\u{9b}p\u{7f}q";

fn is_hidden(c: char) -> bool {
    !matches!(c, '\n' | '\t')
        && !c.is_ascii_lowercase()
        && HIDDEN.contains(c)
        && !matches!(c, '[' | '3' | '1')
}

/// A session whose every text is hostile.
fn record(store: &dyn AuditStore) {
    let started = SessionStarted {
        command: Some(vec![HIDDEN.to_owned()]),
        cwd: Some("/w".to_owned()),
        workspace: Some("/w".to_owned()),
        host: Some(HIDDEN.to_owned()),
        user: Some(HIDDEN.to_owned()),
        project: Some(HIDDEN.to_owned()),
        ..SessionStarted::default()
    };
    let failure = Failure {
        file_path: Some(HIDDEN.replace('\u{2028}', "")),
        line_number: Some(1),
        stack_trace: Some(HIDDEN.to_owned()),
        ..Failure::new(HIDDEN, HIDDEN, HIDDEN)
    };
    let mut one = entry("s", 1);
    for text in [
        &mut one.strategy,
        &mut one.error_type,
        &mut one.error_message,
        &mut one.recovery_message,
        &mut one.next_action,
    ] {
        HIDDEN.clone_into(text);
    }
    one.success = false;
    one.files_modified = vec![HIDDEN.to_owned()];
    one.changes_made = vec![HIDDEN.to_owned()];
    let finished = AttemptFinished {
        attempt_number: 1,
        entry_id: one.entry_id.clone(),
        protected: vec![HIDDEN.to_owned()],
        failure: Some(failure.clone()),
        ..AttemptFinished::default()
    };
    let begun = AttemptStarted {
        attempt_number: 1,
        strategy: HIDDEN.to_owned(),
        action: HIDDEN.to_owned(),
        attempt_id: "attempt_1".to_owned(),
        strategy_attempt: 1,
        category: Category::Unknown,
        recipe: Some(HIDDEN.to_owned()),
        tier: None,
        checkpoint: None,
        propensity: None,
    };
    let detected = FailureDetected {
        rule: HIDDEN.to_owned(),
        skipped: vec![HIDDEN.to_owned()],
        exit_code: Some(3),
        plan: vec![HIDDEN.to_owned()],
        ..FailureDetected::new(failure, Category::Unknown)
    };
    let record = |event| store.record(Some("s"), event).unwrap();
    record(JournalEvent::SessionStarted(started));
    record(JournalEvent::FailureDetected(Box::new(detected)));
    record(JournalEvent::AttemptStarted(begun));
    store.append(vec![given(one)]).unwrap();
    record(JournalEvent::AttemptFinished(Box::new(finished)));
}

#[test]
fn nothing_hides_or_reorders_in_any_form() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    record(&store);
    let now = SystemTime::UNIX_EPOCH;
    let source = Source {
        store: &store,
        session_id: "s",
        kept: &NothingKept,
        now,
    };
    let (mut markdown, mut html, mut json) = (Vec::new(), Vec::new(), Vec::new());
    write_markdown(&source, &mut markdown).unwrap();
    write_html(&source, &mut html).unwrap();
    write_json(&store, "s", now, &mut json).unwrap();
    let (ci, _) = CiReport::of_session(&store, "s").unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    for (form, written) in [
        ("markdown", text(markdown)),
        ("html", text(html)),
        ("json", text(json)),
        ("github log", github_log(&ci, "mark")),
        ("github summary", github_summary(&ci, SUMMARY_BYTES_MAX)),
        ("gitlab", gitlab(&ci)),
        ("junit", junit(&ci)),
        ("sarif", sarif(&ci)),
    ] {
        let mut raw = written.chars().filter(|c| is_hidden(*c));
        assert_eq!(raw.next(), None, "{form}: {written}");
        let number = written.to_lowercase();
        assert!(
            number.contains("202e"),
            "{form} shows what stood there: {written}"
        );
    }
}
