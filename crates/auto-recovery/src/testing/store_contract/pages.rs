//! The list of sessions by the page, beside the whole list.

use std::collections::BTreeSet;

use super::{DEAD_PID, Place, entry, lines, started};
use crate::audit::{
    AuditStore, JournalEvent, JournalRecord, NewEntry, SessionFinished, SessionKey, SessionOutcome,
    SessionQuery, SessionStarted, SessionSummary, sort_newest_first,
};
use crate::statistics::instant;

/// When sessions begin: some at the same time, some at none.
const TIMES: [&str; 7] = [
    "2026-01-03T00:00:00.000Z",
    "2026-01-05T00:00:00.000Z",
    "no time",
    "2026-01-03T01:00:00+01:00",
    "2026-01-01T00:00:00.123456Z",
    "",
    "2026-01-04T12:00:00",
];

fn at(session_id: &str, number: u64, time: &str) -> NewEntry {
    let mut new = entry(session_id, number);
    new.entry.timestamp = time.to_owned();
    new
}

fn start(session_id: &str, at: &str, number: usize) -> JournalRecord {
    let lives = number == 3;
    let pid = if lives { std::process::id() } else { DEAD_PID };
    let event = JournalEvent::SessionStarted(SessionStarted {
        project: Some(["red", "blue", "\0"][number % 3].to_owned()),
        host: number.is_multiple_of(2).then(|| "alpha".to_owned()),
        ..started(&["make"], pid)
    });
    record(session_id, at, event)
}

/// Some sessions end: those of four numbers, each another way.
fn end(session_id: &str, number: usize) -> Option<JournalRecord> {
    let outcome = match number {
        0 => SessionOutcome::Escalated,
        4 => SessionOutcome::Recovered,
        5 => SessionOutcome::Interrupted,
        6 => SessionOutcome::Unknown,
        _ => return None,
    };
    let event = JournalEvent::SessionFinished(SessionFinished {
        outcome,
        ..SessionFinished::default()
    });
    Some(record(session_id, TIMES[1], event))
}

fn record(session_id: &str, at: &str, event: JournalEvent) -> JournalRecord {
    JournalRecord {
        v: JournalRecord::VERSION,
        at: at.to_owned(),
        session_id: Some(session_id.to_owned()),
        event,
    }
}

/// Sessions that begin with an entry, with a record, or with either.
fn fill(store: &dyn AuditStore) {
    let mut records = Vec::new();
    let mut entries = Vec::new();
    for (number, time) in TIMES.iter().enumerate() {
        for kind in ["entry", "record", "both", "later"] {
            let id = format!("{kind} {number}\u{10fffe}");
            let is_written = |time: &&str| !time.is_empty();
            let is_journaled = kind != "entry";
            match kind {
                "entry" => entries.extend(is_written(time).then(|| at(&id, 1, time))),
                "record" => records.push(start(&id, time, number)),
                "both" => {
                    records.push(start(&id, TIMES[1], number));
                    entries.extend(is_written(time).then(|| at(&id, 1, time)));
                    // A success, which says how a session ended that nobody says it of.
                    entries.push(at(&id, 3, TIMES[4]));
                }
                _ => {
                    records.push(start(&id, TIMES[4], number));
                    entries.push(at(&id, 1, TIMES[1]));
                }
            }
            records.extend(end(&id, number).filter(|_| is_journaled));
        }
    }
    assert_eq!(
        store.importer().unwrap().records(&lines(&records)).unwrap(),
        records.len() as u64
    );
    store.append(entries).unwrap();
}

/// Every page of `limit` sessions, one after the other.
fn pages(store: &dyn AuditStore, query: &SessionQuery, limit: usize) -> Vec<Vec<SessionSummary>> {
    let mut pages = Vec::new();
    let mut after: Option<SessionKey> = None;
    loop {
        let page = store.read_session_page(query, after.as_ref(), limit);
        let page = page.unwrap();
        assert_eq!(page.damage, []);
        assert!(page.sessions.len() <= limit.max(1));
        let last = page.sessions.last().map(SessionKey::of);
        pages.push(page.sessions);
        match page.next {
            None => return pages,
            next => {
                assert_eq!(next, last, "the next page begins behind the last of this");
                after = next;
            }
        }
    }
}

/// What lists are asked for, outcomes aside.
fn questions() -> Vec<SessionQuery> {
    let day = |text: &str| instant(text);
    vec![
        SessionQuery::default(),
        SessionQuery {
            outcome: Some(SessionOutcome::Escalated),
            project: Some("red".to_owned()),
            since_us: day("2026-01-01T12:00:00Z"),
            ..SessionQuery::default()
        },
        SessionQuery {
            project: Some("red".to_owned()),
            ..SessionQuery::default()
        },
        SessionQuery {
            project: Some("\0".to_owned()),
            host: Some("alpha".to_owned()),
            ..SessionQuery::default()
        },
        SessionQuery {
            since_us: day("2026-01-03T00:00:00Z"),
            ..SessionQuery::default()
        },
        SessionQuery {
            since_us: day("2026-01-01T00:00:00Z"),
            until_us: day("2026-01-04T12:00:00Z"),
            host: Some("alpha".to_owned()),
            ..SessionQuery::default()
        },
        SessionQuery {
            project: Some("nobody's".to_owned()),
            ..SessionQuery::default()
        },
        SessionQuery {
            id_piece: Some("both 3".to_owned()),
            ..SessionQuery::default()
        },
        SessionQuery {
            id_piece: Some("\u{10fffe}".to_owned()),
            host: Some("alpha".to_owned()),
            ..SessionQuery::default()
        },
        SessionQuery {
            id_piece: Some("o%".to_owned()),
            ..SessionQuery::default()
        },
    ]
}

pub(super) fn like_the_list(place: &dyn Place) {
    let store = place.open();
    assert_eq!(pages(&*store, &SessionQuery::default(), 10), [Vec::new()]);
    fill(&*store);
    let other = place.open();
    let whole = other.sessions().unwrap();
    assert_eq!(whole.len(), 27, "{whole:#?}");
    let mut visited = Vec::new();
    let damage = other.visit_sessions(&mut |session| {
        visited.push(session);
        Ok(())
    });
    assert_eq!(damage.unwrap(), []);
    sort_newest_first(&mut visited);
    assert_eq!(visited, whole);
    let ends = SessionOutcome::ALL.map(|outcome| SessionQuery {
        outcome: Some(outcome),
        ..SessionQuery::default()
    });
    for SessionQuery { outcome, .. } in &ends {
        assert!(
            whole.iter().any(|one| Some(one.outcome) == *outcome),
            "{outcome:?}"
        );
    }
    for query in questions().iter().chain(&ends) {
        let mut expected = whole.clone();
        expected.retain(|one| {
            query.includes_start(SessionKey::of(one).start_us)
                && query.includes_id(&one.session_id)
                && query.includes_traits(one.project.as_deref(), one.host.as_deref())
                && query.includes_outcome(one.outcome)
        });
        for limit in [0, 1, 2, 7, 27, 1000] {
            let pages = pages(&*store, query, limit);
            let full = expected.len().div_ceil(limit.max(1)).max(1);
            assert_eq!(pages.len(), full, "{query:?} by {limit}");
            assert_eq!(pages.concat(), expected, "{query:?} by {limit}");
        }
    }
}

pub(super) fn under_writers(place: &dyn Place) {
    let store = place.open();
    fill(&*store);
    let other = place.open();
    let query = SessionQuery::default();
    let before = store.sessions().unwrap();
    let mut stays: BTreeSet<&String> = before.iter().map(|one| &one.session_id).collect();
    let mut met: Vec<String> = Vec::new();
    let mut after = None;
    let mut grows = before.iter();
    loop {
        let page = store.read_session_page(&query, after.as_ref(), 4).unwrap();
        met.extend(page.sessions.iter().map(|one| one.session_id.clone()));
        let Some(next) = page.next else {
            break;
        };
        // New ones at either end, more of those that are there, and the page's last goes.
        let round = met.len();
        let newest = at(&format!("new {round}"), 1, "2026-02-01T00:00:00.000Z");
        let oldest = at(&format!("old {round}"), 1, "no time");
        let grown = &grows.next().unwrap().session_id;
        let more = at(grown, 90, "2026-03-01T00:00:00.000Z");
        other.append(vec![newest, oldest, more]).unwrap();
        other.clear(&next.session_id).unwrap();
        stays.remove(&next.session_id);
        after = Some(next);
    }
    let once: BTreeSet<&String> = met.iter().collect();
    assert_eq!(once.len(), met.len(), "each is met once: {met:?}");
    assert!(stays.is_subset(&once), "each that stays is met");
    assert!(met.iter().all(|id| !id.starts_with("new ")), "{met:?}");
}
