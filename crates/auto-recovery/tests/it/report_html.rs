//! The report as a page: well formed, bounded, without script or address, whatever a record holds.

use std::ops::ControlFlow;
use std::time::{Duration, SystemTime};

use auto_recovery::audit::{
    AttemptFinished, AttemptStarted, AuditStore, FailureDetected, JournalEvent, SessionFinished,
    SessionOutcome, SessionStarted,
};
use auto_recovery::report::{Kept, NothingKept, PAGE_BYTES_MAX, Rest, Source, Visit, write_html};
use auto_recovery::{Category, Failure, Result};

use crate::audit_support::{entry, given, store};
use crate::page_checker::check_page;

const HOSTILE: &str = "</style></title><script>alert(1)</script> <img src=http://x/y onerror=z> \
                       \"' & &lt; \u{202e}txt\u{0}\u{1b}[31m \u{200b}\u{ffff}]]>--><!--";

/// What a session left: one change and one output, the same for each attempt.
struct Left {
    change: Vec<u8>,
    output: Vec<u8>,
}

impl Kept for Left {
    fn changes(&self, _number: Option<u64>, visit: Visit<'_>) -> Result<bool> {
        for piece in self.change.chunks(1000) {
            if let ControlFlow::Break(()) = visit(piece) {
                break;
            }
        }
        Ok(true)
    }

    fn output_end(&self, _file: &str, bytes_max: u64) -> Result<Option<Vec<u8>>> {
        let room = usize::try_from(bytes_max).expect("a small number");
        let from = self.output.len().saturating_sub(room);
        Ok(Some(self.output[from..].to_vec()))
    }

    fn command(&self, rest: Rest) -> Option<String> {
        Some(format!("show <{rest:?}>"))
    }
}

fn page_with(store: &dyn AuditStore, session_id: &str, kept: &dyn Kept) -> String {
    let source = Source {
        store,
        session_id,
        kept,
        now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045),
    };
    let mut out = Vec::new();
    write_html(&source, &mut out).unwrap();
    let page = String::from_utf8(out).unwrap();
    assert!(page.len() <= PAGE_BYTES_MAX, "{} bytes", page.len());
    check_page(&page);
    page
}

fn page(store: &dyn AuditStore, session_id: &str) -> String {
    page_with(store, session_id, &NothingKept)
}

fn detected(failure: Failure) -> JournalEvent {
    JournalEvent::FailureDetected(Box::new(FailureDetected {
        rule: "error-at-place".to_owned(),
        exit_code: Some(3),
        output_file: Some("000.log".to_owned()),
        plan: vec![
            "fix: make fix, up to 3 times".to_owned(),
            "alternative: ./other.sh".to_owned(),
        ],
        skipped: vec!["recipe npm-install: needs --allow network".to_owned()],
        ..FailureDetected::new(failure, Category::CodeQuality)
    }))
}

fn started(number: u64) -> JournalEvent {
    JournalEvent::AttemptStarted(AttemptStarted {
        attempt_number: number,
        attempt_id: format!("attempt_{number}"),
        strategy: "fix".to_owned(),
        strategy_attempt: 1,
        category: Category::CodeQuality,
        action: "make fix".to_owned(),
        recipe: None,
        tier: None,
        checkpoint: None,
        propensity: None,
    })
}

/// A session on record with its journal: attempt 1 failed, attempt 2 cured it.
fn told(store: &dyn AuditStore) {
    let record = |event| store.record(Some("s"), event).unwrap();
    record(JournalEvent::SessionStarted(SessionStarted {
        command: Some(vec!["./check.sh".to_owned(), "a b".to_owned()]),
        cwd: Some("/w".to_owned()),
        workspace: Some("/w".to_owned()),
        host: Some("builder-7".to_owned()),
        user: Some("ada".to_owned()),
        version: "0.1.0".to_owned(),
        ..SessionStarted::default()
    }));
    record(detected(Failure {
        file_path: Some("src/main.rs".to_owned()),
        line_number: Some(12),
        ..Failure::new("CompileError", "cannot find value", "rustc")
    }));
    for number in [1, 2] {
        record(started(number));
        store.append(vec![given(entry("s", number))]).unwrap();
        record(JournalEvent::AttemptFinished(Box::new(AttemptFinished {
            attempt_number: number,
            exit_code: Some(if number == 2 { 0 } else { 3 }),
            output_file: Some(format!("00{number}.log")),
            ..AttemptFinished::default()
        })));
    }
}

fn finished(outcome: SessionOutcome, reason: &str) -> JournalEvent {
    JournalEvent::SessionFinished(SessionFinished {
        outcome,
        reason: reason.to_owned(),
        exit_code: Some(0),
        duration_seconds: 2.5,
        ..SessionFinished::default()
    })
}

#[test]
fn a_page_says_what_failed_where_what_was_tried_and_why_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    told(&store);
    let end = finished(SessionOutcome::Recovered, "Recovered using fix strategy");
    store.record(Some("s"), end).unwrap();
    let left = Left {
        change: b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old <b>\n+new\n".into(),
        output: b"\x1b[31merror\x1b(B: 1 & 2\n".into(),
    };
    let page = page_with(&store, "s", &left);
    for said in [
        "<title>Recovered: ./check.sh &#39;a b&#39;</title>",
        "<strong>Recovered</strong> by attempt 2, fix.",
        "builder-7, by ada",
        "src/main.rs:12",
        "code_quality (rule error-at-place)",
        "cannot find value",
        "with exit code 3",
        "recipe npm-install: needs --allow network",
        "alternative: ./other.sh: planned, not needed any more",
        "<span class=\"cut\">-old &lt;b&gt;</span>",
        "<span class=\"add\">+new</span>",
        "error: 1 &amp; 2",
        "the command failed, exit code 3",
        "the command passed",
        "<a href=\"#attempt-2\">2</a>",
        "<title>2. fix: cured, 0.3 s</title>",
        "id=\"time-line-title\"",
        "Its output: the same as above.",
    ] {
        assert!(page.contains(said), "{said} is missing in\n{page}");
    }
    assert!(
        !page.contains("fix: make fix, up to 3 times: planned"),
        "{page}"
    );
}

#[test]
fn the_end_is_told_in_words_and_nobody_was_called() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    assert!(page(&store, "s").contains("<strong>Nothing was tried.</strong>"));
    told(&store);
    let check = |outcome, reason: &str, expected: &str| {
        store.record(Some("s"), finished(outcome, reason)).unwrap();
        let page = page(&store, "s");
        assert!(page.contains(expected), "{expected} is missing in\n{page}");
        assert!(!page.to_lowercase().contains("escalat"), "{page}");
        assert!(!page.contains("Human intervention"), "{page}");
    };
    let reason = "the deadline has passed. Human intervention required.";
    check(
        SessionOutcome::Interrupted,
        reason,
        "<strong>Interrupted</strong> after 2 attempts: the deadline has passed.</p>",
    );
    check(
        SessionOutcome::Escalated,
        reason,
        "<strong>Not recovered</strong> in the end: 1 of 2 attempts succeeded, the last did not: \
         the deadline has passed.</p>",
    );
    check(
        SessionOutcome::Escalated,
        "All recovery strategies failed. Human intervention required.",
        "the last did not.</p>",
    );
}

#[test]
fn hostile_text_stays_text_on_a_page() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let hostile = || HOSTILE.to_owned();
    let mut one = entry("s", 1);
    one.error_type = hostile();
    one.error_message = format!("{HOSTILE}\n{}", "&".repeat(300_000));
    one.strategy = hostile();
    one.changes_made = vec![hostile()];
    one.files_modified = vec![hostile(); 100];
    one.next_action = hostile();
    one.recovery_message = hostile();
    one.timestamp = hostile();
    store
        .record(
            Some("s"),
            JournalEvent::SessionStarted(SessionStarted {
                command: Some(vec![hostile()]),
                cwd: Some(hostile()),
                host: Some(hostile()),
                user: Some(hostile()),
                ..SessionStarted::default()
            }),
        )
        .unwrap();
    let failure = Failure {
        file_path: Some(hostile()),
        ..Failure::new(HOSTILE, HOSTILE, HOSTILE)
    };
    store.record(Some("s"), detected(failure)).unwrap();
    store.append(vec![given(one)]).unwrap();
    let left = Left {
        change: format!("+{HOSTILE}\n+{}\n", "<".repeat(100_000)).into(),
        output: [HOSTILE.as_bytes(), b"\xff\xfe\0\n"].concat(),
    };
    let page = page_with(&store, "s", &left);
    for hidden in ['\u{202e}', '\u{0}', '\u{1b}', '\u{200b}', '\u{ffff}'] {
        assert!(!page.contains(hidden), "{hidden:?}");
    }
    assert!(
        page.contains("\\u{202e}") && page.contains("&lt;script&gt;"),
        "{page}"
    );
    assert!(page.len() < 100_000, "{} bytes", page.len());
}

#[test]
fn a_thousand_attempts_have_room() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let entries = (1..=1_200).map(|number| {
        let mut one = entry("s", number);
        one.error_message = format!("{number} {HOSTILE}").repeat(20);
        one.strategy = HOSTILE.to_owned();
        one.changes_made = vec![HOSTILE.repeat(3)];
        one.success = number == 500;
        given(one)
    });
    store.append(entries.collect()).unwrap();
    let left = Left {
        change: "+<changed & changed>\n".repeat(10_000).into(),
        output: "<&>".repeat(100_000).into(),
    };
    let page = page_with(&store, "s", &left);
    assert!(
        page.contains("200 attempts before these: <code>show &lt;Attempts&gt;</code> lists all.")
    );
    assert_eq!(page.matches("<tr><th scope=\"row\"").count(), 1_000);
    assert!(
        page.contains("<code>show &lt;AnyAttempt&gt;</code> shows attempt N."),
        "no way on is told"
    );
    // The cure and the last attempt are told in full, and their changes where they are kept.
    for number in [500, 1_200] {
        assert!(page.contains(&format!("\">{number}</a>")), "{number}");
    }
    assert!(page.contains("(its beginning; <code>show &lt;Changes(None)&gt;</code> has all)"));
}

#[test]
fn damage_is_part_of_the_page() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("x\n{}\n", entry("s", 1).to_json());
    std::fs::write(dir.path().join("s_audit.jsonl"), text).unwrap();
    let page = page(&store(dir.path()), "s");
    assert!(
        page.contains("<h2 id=\"damage\">Damage</h2>") && page.contains("line 1"),
        "{page}"
    );
}

#[test]
fn a_recovery_that_was_undone_says_that_nothing_is_left_and_looks_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let page = |put_back| {
        let id = format!("{put_back:?}");
        let record = |event| store.record(Some(&id), event).unwrap();
        record(JournalEvent::SessionStarted(SessionStarted::default()));
        for number in [1, 2] {
            record(started(number));
            let mut one = entry(&id, number);
            (one.success, one.rollback_performed) = (false, number == 1);
            store.append(vec![given(one)]).unwrap();
            record(JournalEvent::AttemptFinished(Box::new(AttemptFinished {
                attempt_number: number,
                ..AttemptFinished::default()
            })));
        }
        record(JournalEvent::SessionFinished(SessionFinished {
            outcome: SessionOutcome::Escalated,
            put_back,
            ..SessionFinished::default()
        }));
        page_with(&store, &id, &NothingKept)
    };
    let says = "Nothing is left changed: the tree is as it was";
    let told = page(Some(true));
    assert!(told.contains(says), "{told}");
    assert!(told.contains("<rect class=\"undone\""), "{told}");
    assert!(told.contains("<rect class=\"bad\""), "{told}");
    for silent in [Some(false), None] {
        assert!(!page(silent).contains(says), "{silent:?}");
    }
}
