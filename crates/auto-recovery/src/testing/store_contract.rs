//! The contract of every store, as tests that any store can be put through.
//!
//! They panic where a store breaks the contract, as tests do.
#![expect(clippy::unwrap_used, reason = "these are tests")]

mod follow;
mod import;
mod pages;
mod removal;
mod seals;
mod sums;
mod witnessed;

pub use import::lines;
pub use seals::assert_proved;
pub use sums::recount;

use std::sync::Arc;
use std::thread;

use crate::audit::{
    AttemptStarted, AuditStore, JournalEvent, NewEntry, SessionFinished, SessionOutcome,
    SessionStarted, StoredEntry,
};
use crate::entry::RecoveryAuditEntry;
use crate::error::ErrorKind;
use crate::failure::Category;
use crate::statistics::{Accumulator, EntrySink};

/// A place that has a store of its own, empty at first.
pub trait Place {
    /// Opens the store, as a process that starts does. Several may be open at once.
    fn open(&self) -> Arc<dyn AuditStore>;
}

/// One part of the contract, tried on an empty store.
type Case = fn(&dyn Place);

/// Puts the stores of `new_place` through the contract.
///
/// # Panics
/// If a store breaks it.
pub fn run<P: Place>(new_place: impl Fn() -> P) {
    run_except(&[], new_place);
}

/// The same without the parts that are named, for stores that refuse what they need.
///
/// # Panics
/// If a store breaks it, or there is no such part.
pub fn run_except<P: Place>(left_out: &[&str], new_place: impl Fn() -> P) {
    let cases: [(&str, Case); 30] = [
        ("an empty store has nothing", empty),
        ("what is appended is read back in order", round_trip),
        ("ids and times are filled in", filled_in),
        ("numbers are given", numbered),
        ("sessions are kept apart", apart),
        ("hostile text is data", hostile_text),
        ("ids that cannot be are refused", refused),
        ("the journal keeps every event", journal),
        ("sessions are listed with what is known", listed),
        ("all sessions are summed up", sums::of_all),
        ("sums are grouped", sums::grouped),
        ("recipes are counted", sums::by_recipe),
        ("sessions are listed by the page", pages::like_the_list),
        ("pages are stable under writers", pages::under_writers),
        ("cleared is cleared", cleared),
        ("pruned is pruned, and only what was meant", removal::pruned),
        ("held is held", removal::held),
        ("entries are taken over once, as they are", import::entries),
        ("records are taken over once, as they are", import::records),
        (
            "records that no release knows yet are kept",
            import::unknown_records,
        ),
        ("what anybody writes is named", follow::named),
        ("reading on misses nothing", follow::read_on),
        ("many who write are followed", follow::many),
        ("many write at once", at_once),
        ("what is sealed is proved", seals::proved),
        ("what is recorded is sealed as it goes on", seals::recorded),
        ("what witnesses sign is kept", witnessed::witnessed),
        ("what is removed stays proved", seals::removed),
        ("what is taken over is no finding", seals::taken_over),
        ("nothing is found while many write and seal", seals::crowd),
    ];
    for name in left_out {
        assert!(cases.iter().any(|(one, _)| one == name), "no part: {name}");
    }
    for (name, case) in cases
        .into_iter()
        .filter(|(name, _)| !left_out.contains(name))
    {
        let place = new_place();
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| case(&place)));
        assert!(result.is_ok(), "the store breaks the contract: {name}");
    }
}

/// An entry of `session_id`, different for each `number`.
pub fn entry(session_id: &str, number: u64) -> NewEntry {
    NewEntry {
        entry: RecoveryAuditEntry {
            entry_id: format!("entry_{number:032x}"),
            timestamp: format!(
                "2026-01-02T03:{:02}:{:02}.000Z",
                number / 60 % 60,
                number % 60
            ),
            session_id: session_id.to_owned(),
            error_type: format!("Error{}", number % 3),
            strategy: ["fix", "retry"][usize::from(number.is_multiple_of(2))].to_owned(),
            attempt_number: number,
            success: number.is_multiple_of(3),
            changes_made: vec![format!("change {number}")],
            files_modified: vec![format!("src/{}.rs", number % 5), "same.rs".to_owned()],
            rollback_performed: number.is_multiple_of(5),
            next_action: "continue".to_owned(),
            duration_seconds: 0.125,
            error_message: "it failed".to_owned(),
            recovery_message: "tried".to_owned(),
        },
        number_by_store: false,
    }
}

/// Every entry of a trail that has no damage.
///
/// # Panics
/// If it has, or cannot be read.
pub fn read(store: &dyn AuditStore, session_id: &str) -> Vec<RecoveryAuditEntry> {
    let mut entries = Vec::new();
    let damage = store
        .read_trail(session_id, &mut |stored| {
            let raw = RecoveryAuditEntry::from_json(std::str::from_utf8(stored.raw()).unwrap());
            assert_eq!(raw.unwrap(), *stored.entry(), "the raw text says the same");
            entries.push(stored.into_entry());
            Ok(())
        })
        .unwrap();
    assert_eq!(damage, []);
    entries
}

/// Asserts that the statistics of `session_id` are those of a recount.
///
/// # Panics
/// If they are not.
pub fn assert_exact(store: &dyn AuditStore, session_id: &str) {
    let mut sums = Accumulator::default();
    for entry in read(store, session_id) {
        sums.add_entry(&entry);
    }
    let statistics = store.statistics(session_id).unwrap();
    let start = statistics.session_start.clone();
    assert_eq!(statistics, sums.statistics(session_id, start));
}

fn empty(place: &dyn Place) {
    let store = place.open();
    assert_eq!(store.append(Vec::new()).unwrap(), []);
    assert!(store.sessions().unwrap().is_empty());
    assert!(read(&*store, "nobody").is_empty());
    let statistics = store.statistics("nobody").unwrap();
    assert_eq!(statistics.session_id, "nobody");
    assert_eq!(statistics.total_attempts, 0);
    assert_eq!(statistics.session_start, None);
    assert_eq!(store.clear("nobody").unwrap(), None);
    assert!(!store.is_known("nobody").unwrap());
    assert!(store.sessions().unwrap().is_empty());
}

fn round_trip(place: &dyn Place) {
    let store = place.open();
    let batch: Vec<NewEntry> = (1..=50).map(|number| entry("s", number)).collect();
    let expected: Vec<RecoveryAuditEntry> = batch.iter().map(|new| new.entry.clone()).collect();
    let appended = store.append(batch).unwrap();
    for (one, entry) in appended.iter().zip(&expected) {
        assert_eq!(one.entry_id, entry.entry_id);
        assert_eq!(one.session_id, "s");
        assert_eq!(one.attempt_number, entry.attempt_number);
    }
    assert_eq!(appended.len(), 50);
    assert_eq!(read(&*store, "s"), expected);
    assert_exact(&*store, "s");
    store.append(vec![entry("s", 51)]).unwrap();
    assert_exact(&*store, "s");
    for count in [0, 1, 20, 51, 60] {
        let mut last = Vec::new();
        let mut visit = |stored: StoredEntry<'_>| {
            last.push(stored.attempt_number());
            Ok(())
        };
        assert_eq!(store.read_last("s", count, &mut visit).unwrap(), []);
        let first = 52 - count.min(51) as u64;
        assert!(last.into_iter().eq(first..=51), "the last {count}");
    }
    let reopened = place.open();
    assert_eq!(read(&*reopened, "s").len(), 51);
    assert_exact(&*reopened, "s");
}

fn filled_in(place: &dyn Place) {
    let store = place.open();
    let bare = || {
        let mut new = entry("s", 1);
        new.entry.entry_id.clear();
        new.entry.timestamp.clear();
        new
    };
    let appended = store.append(vec![bare(), bare()]).unwrap();
    assert_ne!(appended[0].entry_id, appended[1].entry_id);
    let entries = read(&*store, "s");
    for (one, entry) in appended.iter().zip(&entries) {
        assert_eq!(one.entry_id, entry.entry_id);
        assert!(entry.entry_id.starts_with("entry_"));
        assert!(entry.timestamp.ends_with('Z'), "{}", entry.timestamp);
    }
}

fn numbered(place: &dyn Place) {
    let store = place.open();
    let by_store = || NewEntry {
        number_by_store: true,
        ..entry("s", 99)
    };
    let numbers = |appended: Vec<crate::audit::Appended>| {
        appended
            .iter()
            .map(|one| one.attempt_number)
            .collect::<Vec<_>>()
    };
    let first = store
        .append(vec![by_store(), by_store(), entry("s", 7), by_store()])
        .unwrap();
    assert_eq!(numbers(first), [1, 2, 7, 8]);
    store.append(vec![entry("s", 3)]).unwrap();
    assert_eq!(numbers(store.append(vec![by_store()]).unwrap()), [9]);
    // Another process continues where this one stopped, and the other way round.
    let other = place.open();
    assert_eq!(numbers(other.append(vec![by_store()]).unwrap()), [10]);
    assert_eq!(numbers(store.append(vec![by_store()]).unwrap()), [11]);
    let stored: Vec<u64> = read(&*store, "s")
        .iter()
        .map(|entry| entry.attempt_number)
        .collect();
    assert_eq!(stored, [1, 2, 7, 8, 3, 9, 10, 11]);
    assert_eq!(other.highest_attempt_number("s").unwrap(), 11);
    assert_eq!(other.highest_attempt_number("nobody").unwrap(), 0);
    store.clear("s").unwrap();
    assert_eq!(other.highest_attempt_number("s").unwrap(), 0);
    assert_eq!(numbers(store.append(vec![by_store()]).unwrap()), [1]);
}

fn apart(place: &dyn Place) {
    let store = place.open();
    let ids = ["a", "b", "A b", "a/b", "..", "ä", "a%2Fb"];
    let batch: Vec<NewEntry> = (0..70)
        .map(|number| entry(ids[number as usize % ids.len()], number))
        .collect();
    let appended = store.append(batch.clone()).unwrap();
    assert_eq!(appended.len(), batch.len());
    for (one, new) in appended.iter().zip(&batch) {
        assert_eq!(one.entry_id, new.entry.entry_id, "the order of the call");
    }
    for id in ids {
        let entries = read(&*store, id);
        assert_eq!(entries.len(), 10);
        assert!(entries.iter().all(|entry| entry.session_id == id));
        assert_exact(&*store, id);
    }
    assert_eq!(store.sessions().unwrap().len(), ids.len());
}

fn hostile_text(place: &dyn Place) {
    let store = place.open();
    let texts = [
        "",
        "\0",
        "line\nline\r\n",
        "\u{1b}[31mred",
        "=1+1",
        "<script>",
        "\",\"attempt_number\":7,\"",
        "\u{202e}\u{feff}🦀",
        "'; DROP TABLE entries; --",
        "\u{fffd}\u{10ffff}",
    ];
    let batch: Vec<NewEntry> = texts
        .iter()
        .map(|text| {
            let mut new = entry("s", 1);
            new.number_by_store = true;
            new.entry.error_type = (*text).to_owned();
            new.entry.error_message = (*text).to_owned();
            new.entry.recovery_message = (*text).to_owned();
            new.entry.strategy = (*text).to_owned();
            new.entry.files_modified = vec![(*text).to_owned(); 2];
            new.entry.changes_made = vec![(*text).to_owned()];
            new
        })
        .collect();
    store.append(batch).unwrap();
    let entries = read(&*store, "s");
    for (number, (entry, text)) in entries.iter().zip(texts).enumerate() {
        assert_eq!(entry.error_message, text);
        assert_eq!(entry.strategy, text);
        assert_eq!(entry.files_modified, [text, text]);
        assert_eq!(entry.attempt_number, number as u64 + 1);
    }
    assert_eq!(entries.len(), texts.len());
    assert_exact(&*store, "s");
}

fn refused(place: &dyn Place) {
    let store = place.open();
    let long = "x".repeat(201);
    let wide = "ä".repeat(50);
    for id in ["", "a\nb", "\0", "\u{7f}", "\u{85}", &long, &wide] {
        let kind = |result: crate::Result<()>| result.map_err(|error| error.kind());
        let invalid = Err(ErrorKind::InvalidInput);
        assert_eq!(kind(store.append(vec![entry(id, 1)]).map(drop)), invalid);
        let mixed = vec![entry("good", 1), entry(id, 1)];
        assert_eq!(kind(store.append(mixed).map(drop)), invalid);
        let event = JournalEvent::SessionStarted(SessionStarted::default());
        assert_eq!(kind(store.record(Some(id), event)), invalid);
        assert_eq!(kind(store.clear(id).map(drop)), invalid);
    }
    for seconds in [f64::NAN, f64::INFINITY, -1.0] {
        let mut new = entry("good", 1);
        new.entry.duration_seconds = seconds;
        let error = store.append(vec![new]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    assert!(read(&*store, "good").is_empty());
    store.append(vec![entry(&"x".repeat(200), 1)]).unwrap();
}

fn journal(place: &dyn Place) {
    let store = place.open();
    let events = [
        JournalEvent::SessionStarted(started(&["make"], std::process::id())),
        JournalEvent::AttemptStarted(intent()),
        JournalEvent::SessionFinished(finished(SessionOutcome::Escalated)),
    ];
    for event in &events {
        store.record(Some("s"), event.clone()).unwrap();
        store.record(Some("other"), event.clone()).unwrap();
    }
    let of = |session_id: Option<&str>| {
        let mut records = Vec::new();
        let damage = store
            .read_journal(session_id, &mut |record| {
                records.push(record);
                Ok(())
            })
            .unwrap();
        assert_eq!(damage, []);
        records
    };
    let mine: Vec<JournalEvent> = of(Some("s")).into_iter().map(|one| one.event).collect();
    assert_eq!(mine, events);
    assert!(of(Some("nobody")).is_empty());
    assert_eq!(of(None).len(), 6);
    let stop = crate::Error::new(ErrorKind::Interrupted, "stop");
    let mut stop = Some(stop);
    let error = store
        .read_journal(None, &mut |_| Err(stop.take().unwrap()))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}

fn listed(place: &dyn Place) {
    let store = place.open();
    let event = |event| JournalEvent::SessionStarted(event);
    store
        .record(Some("live"), event(started(&["make"], std::process::id())))
        .unwrap();
    store
        .record(Some("dead"), event(started(&["make"], DEAD_PID)))
        .unwrap();
    for (id, outcome) in [
        ("good", SessionOutcome::Recovered),
        ("bad", SessionOutcome::Escalated),
    ] {
        store
            .record(Some(id), event(started(&["make"], DEAD_PID)))
            .unwrap();
        store
            .record(Some(id), JournalEvent::SessionFinished(finished(outcome)))
            .unwrap();
    }
    store
        .append(vec![
            entry("unjournaled", 3),
            entry("good", 3),
            entry("good", 4),
        ])
        .unwrap();
    let sessions = store.sessions().unwrap();
    let find = |id: &str| {
        sessions
            .iter()
            .find(|session| session.session_id == id)
            .unwrap()
    };
    assert_eq!(sessions.len(), 5);
    assert_eq!(find("live").outcome, SessionOutcome::Running);
    assert_eq!(find("dead").outcome, SessionOutcome::Interrupted);
    assert_eq!(find("bad").outcome, SessionOutcome::Escalated);
    // What was only logged ended as its last entry, if that was a success.
    assert_eq!(find("unjournaled").outcome, SessionOutcome::Recovered);
    let good = find("good");
    assert_eq!(good.outcome, SessionOutcome::Recovered);
    assert_eq!((good.total_attempts, good.successful_attempts), (2, 1));
    assert_eq!(good.command, Some(vec!["make".to_owned()]));
    assert_eq!(good.project.as_deref(), Some("project"));
    assert_eq!(good.workspace.as_deref(), Some("/a/project"));
    assert_eq!(find("unjournaled").workspace, None);
    assert_eq!(
        good.last_attempt_timestamp.as_deref(),
        Some("2026-01-02T03:00:04.000Z")
    );
    let starts: Vec<_> = sessions
        .iter()
        .map(|session| {
            session
                .session_start
                .as_deref()
                .and_then(crate::statistics::instant)
        })
        .collect();
    assert!(
        starts.is_sorted_by(|a, b| a >= b),
        "newest first: {starts:?}"
    );
}

fn cleared(place: &dyn Place) {
    let store = place.open();
    let other = place.open();
    let start = JournalEvent::SessionStarted(started(&["make"], DEAD_PID));
    store.record(Some("s"), start.clone()).unwrap();
    store
        .append((1..=3).map(|n| entry("s", n)).collect())
        .unwrap();
    store.append(vec![entry("stays", 1)]).unwrap();
    assert_exact(&*other, "s");
    assert!(other.is_known("s").unwrap() && other.is_known("stays").unwrap());
    assert_eq!(store.clear("s").unwrap(), Some(3));
    for store in [&store, &other] {
        assert!(!store.is_known("s").unwrap());
        assert!(read(&**store, "s").is_empty());
        assert_exact(&**store, "s");
        assert_eq!(store.statistics("s").unwrap().session_start, None);
        assert_eq!(store.sessions().unwrap().len(), 1);
        assert_eq!(store.clear("s").unwrap(), None);
    }
    let mut last = None;
    store
        .read_journal(Some("s"), &mut |record| {
            last = Some(record.event);
            Ok(())
        })
        .unwrap();
    let Some(JournalEvent::SessionCleared(event)) = last else {
        panic!("the journal ends with {last:?}");
    };
    assert_eq!(event.entries, 3);
    assert_eq!(
        event.first_timestamp.as_deref(),
        Some("2026-01-02T03:00:01.000Z")
    );
    assert_eq!(
        event.last_timestamp.as_deref(),
        Some("2026-01-02T03:00:03.000Z")
    );
    // A session that only the journal knows can be cleared too.
    store.record(Some("journaled"), start).unwrap();
    assert!(other.is_known("journaled").unwrap());
    assert_eq!(store.clear("journaled").unwrap(), Some(0));
    assert_eq!(store.sessions().unwrap().len(), 1);
    // Both go on, and see only what is new.
    other.append(vec![entry("s", 8)]).unwrap();
    store.append(vec![entry("s", 9)]).unwrap();
    for store in [&store, &other] {
        assert_eq!(read(&**store, "s").len(), 2);
        assert_exact(&**store, "s");
        assert_eq!(store.sessions().unwrap().len(), 2);
    }
}

fn at_once(place: &dyn Place) {
    const THREADS: u64 = 8;
    const EACH: u64 = 40;
    let stores = [place.open(), place.open(), place.open()];
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &stores[thread as usize % stores.len()];
            scope.spawn(move || {
                for index in 0..EACH {
                    let mut mine = entry("shared", thread * EACH + index);
                    mine.number_by_store = true;
                    let own = entry(&format!("own{thread}"), index);
                    let appended = store.append(vec![mine, own]).unwrap();
                    // What was acknowledged is there, for every handle.
                    let seen = store.statistics("shared").unwrap().total_attempts;
                    assert!(seen >= appended[0].attempt_number);
                }
            });
        }
    });
    for store in &stores {
        let entries = read(&**store, "shared");
        let numbers: Vec<u64> = entries.iter().map(|entry| entry.attempt_number).collect();
        assert_eq!(numbers, (1..=THREADS * EACH).collect::<Vec<_>>());
        for thread in 0..THREADS {
            let of_thread: Vec<&String> = entries
                .iter()
                .filter(|entry| {
                    let number = u64::from_str_radix(&entry.entry_id[6..], 16).unwrap();
                    number / EACH == thread
                })
                .map(|entry| &entry.entry_id)
                .collect();
            assert!(of_thread.is_sorted(), "each caller's order is kept");
            assert_eq!(read(&**store, &format!("own{thread}")).len(), EACH as usize);
        }
        assert_exact(&**store, "shared");
    }
}

/// No process has it: numbers end at 2^22.
const DEAD_PID: u32 = i32::MAX as u32;

fn started(command: &[&str], pid: u32) -> SessionStarted {
    SessionStarted {
        command: Some(command.iter().map(|word| (*word).to_owned()).collect()),
        workspace: Some("/a/project".to_owned()),
        project: Some("project".to_owned()),
        pid,
        version: "0".to_owned(),
        ..SessionStarted::default()
    }
}

fn finished(outcome: SessionOutcome) -> SessionFinished {
    SessionFinished {
        outcome,
        ..SessionFinished::default()
    }
}

fn intent() -> AttemptStarted {
    AttemptStarted {
        attempt_id: String::new(),
        attempt_number: 1,
        strategy: "fix".to_owned(),
        strategy_attempt: 1,
        category: Category::CodeQuality,
        action: "cargo fmt".to_owned(),
        recipe: None,
        tier: None,
        checkpoint: None,
        propensity: None,
    }
}
