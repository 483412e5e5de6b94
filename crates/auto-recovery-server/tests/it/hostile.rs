//! Sessions with the worst text in every field that text can be in.

use std::ops::ControlFlow;
use std::sync::OnceLock;

use auto_recovery::Result;
use auto_recovery::audit::{
    AdviceRecord, AdviceUnit, AttemptFinished, AttemptStarted, AuditStore, FailureDetected,
    JournalEvent, LeftBehind, NewEntry, Removed, SessionFinished, SessionHeld, SessionOutcome,
    SessionStarted,
};
use auto_recovery::failure::{Category, Failure};
use auto_recovery::report::{Kept, Visit};
use auto_recovery_server::Leftovers;

use crate::machine::entry;

pub(crate) const HOSTILE: [&str; 8] = [
    "</script><img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>",
    "\u{1b}[31mred\u{1b}]0;title\u{7}",
    "\u{202e}gnp.exe\u{2066}",
    "nul\0nul\r\nSet-Cookie: x=1",
    "&lt;b&gt; {{7*7}} ${7*7}",
    "javascript:alert(1)",
    "anUnbrokenWordThatIsLongerThanAnyScreenIsWideAndThatGoesOnAndOnAndOnUntilNobodyCanSeeItsEnd",
];

/// Bytes of the longest text: one line.
const LONG: usize = 10 * 1024 * 1024;

/// Records a session for each hostile text. Returns their ids, and how many events that makes.
pub(crate) fn fill(store: &dyn AuditStore) -> (Vec<String>, usize) {
    let texts = HOSTILE.iter().map(|text| (*text, *text));
    let ids = texts.enumerate().map(|(number, texts)| {
        let id: String = texts
            .0
            .chars()
            .filter(|c| !c.is_control())
            .take(60)
            .collect();
        let events = fill_one(store, &id, number as u64 + 1, texts);
        (id, events)
    });
    let (sessions, events): (Vec<String>, Vec<usize>) = ids.unzip();
    (sessions, events.iter().sum())
}

/// Records the session `long`, whose failure has a message that is one line of ten megabytes, and
/// returns how many events that makes. Masking it takes seconds where nothing is optimised.
pub(crate) fn fill_long(store: &dyn AuditStore) -> usize {
    let message = "<b>x</b>".repeat(LONG / 8);
    fill_one(store, "long", 1, ("long", &message))
}

/// Records the session `id` with `text` in every field but the first failure's message, which is
/// `message`.
fn fill_one(store: &dyn AuditStore, id: &str, number: u64, (text, message): (&str, &str)) -> usize {
    let record = |event| store.record(Some(id), event).unwrap();
    let owned = || text.to_owned();
    let all = || vec![owned(), owned()];
    record(JournalEvent::SessionStarted(SessionStarted {
        command: Some(all()),
        cwd: Some(owned()),
        workspace: Some(owned()),
        project: Some(owned()),
        host: Some(owned()),
        user: Some(owned()),
        pid: 1,
        version: owned(),
    }));
    let mut failure = Failure {
        stack_trace: Some(owned()),
        file_path: Some(owned()),
        line_number: Some(1),
        ..Failure::new(text, message, text)
    };
    record(JournalEvent::FailureDetected(Box::new(FailureDetected {
        rule: owned(),
        exit_code: Some(1),
        output_file: Some(owned()),
        plan: all(),
        skipped: all(),
        advice: Some(Box::new(AdviceRecord {
            plan: vec![AdviceUnit {
                name: owned(),
                first: 1,
                tries: 2,
                strategy: owned(),
                ..AdviceUnit::default()
            }],
            ..AdviceRecord::default()
        })),
        ..FailureDetected::new(failure.clone(), Category::Unknown)
    })));
    text.clone_into(&mut failure.message);
    record(JournalEvent::AttemptStarted(begun(text, number)));
    let stored = store.append(vec![bad_entry(id, number, text)]).unwrap();
    record(JournalEvent::AttemptFinished(Box::new(finished(
        text,
        (number, &stored[0].entry_id, failure),
    ))));
    record(JournalEvent::SessionHeld(SessionHeld {
        reason: Some(owned()),
        user: Some(owned()),
        host: Some(owned()),
    }));
    let outcome = match number % 3 {
        0 => SessionOutcome::Recovered,
        1 => SessionOutcome::Escalated,
        _ => return 6,
    };
    record(JournalEvent::SessionFinished(SessionFinished {
        outcome,
        strategy: Some(owned()),
        attempts: 1,
        reason: owned(),
        ..SessionFinished::default()
    }));
    7
}

fn begun(text: &str, number: u64) -> AttemptStarted {
    let owned = || text.to_owned();
    AttemptStarted {
        attempt_number: number,
        attempt_id: owned(),
        strategy: owned(),
        strategy_attempt: 1,
        category: Category::Unknown,
        action: owned(),
        recipe: Some(owned()),
        tier: None,
        checkpoint: None,
        propensity: None,
    }
}

fn bad_entry(id: &str, number: u64, text: &str) -> NewEntry {
    let owned = || text.to_owned();
    let mut bad = entry(id, number);
    bad.entry.error_type = owned();
    bad.entry.strategy = owned();
    bad.entry.error_message = owned();
    bad.entry.recovery_message = owned();
    bad.entry.next_action = owned();
    bad.entry.changes_made = vec![owned(), owned()];
    bad.entry.files_modified = vec![owned(), owned()];
    bad.entry.timestamp = owned();
    bad
}

fn finished(text: &str, (number, entry_id, failure): (u64, &str, Failure)) -> AttemptFinished {
    let all = || vec![text.to_owned()];
    AttemptFinished {
        attempt_number: number,
        attempt_id: text.to_owned(),
        entry_id: entry_id.to_owned(),
        failure: Some(failure),
        files_modified: all(),
        verification_modified: all(),
        foreign: all(),
        left_behind: vec![LeftBehind {
            path: text.to_owned(),
            attempt_number: number,
            reason: text.to_owned(),
        }],
        kept_foreign: all(),
        not_put_back: all(),
        holding_uncovered: all(),
        moved_aside: all(),
        not_covered: all(),
        protected: all(),
        left_running: all(),
        output_file: Some(text.to_owned()),
        ..AttemptFinished::default()
    }
}

/// Changes and outputs of every session: all of the texts.
pub(crate) struct HostileLeftovers;

impl Leftovers for HostileLeftovers {
    fn of(&self, _session: &str, take: &mut dyn FnMut(&dyn Kept) -> Result<()>) -> Result<()> {
        take(self)
    }

    fn clearing(
        &self,
        _session: &str,
        remove: &mut dyn FnMut() -> Result<Removed>,
    ) -> Result<Removed> {
        remove()
    }
}

impl Kept for HostileLeftovers {
    fn changes(&self, _number: Option<u64>, visit: Visit<'_>) -> Result<bool> {
        static LINE: OnceLock<String> = OnceLock::new();
        let long = LINE.get_or_init(|| "+<i>".repeat(LONG / 4));
        for text in HOSTILE.iter().copied().chain([&**long]) {
            let pieces = [
                b"diff --git a/".as_slice(),
                text.as_bytes(),
                b"\n+",
                text.as_bytes(),
                b"\n",
            ];
            if let ControlFlow::Break(()) = visit(&pieces.concat()) {
                break;
            }
        }
        Ok(true)
    }

    fn output_end(&self, _file: &str, bytes_max: u64) -> Result<Option<Vec<u8>>> {
        let bytes = usize::try_from(bytes_max).unwrap();
        let mut all = "<u>".repeat(bytes).into_bytes();
        all.extend(HOSTILE.join("\n").bytes());
        Ok(Some(all.split_off(all.len() - bytes)))
    }
}
