//! Sums over many sessions, compared with a recount of the entries that the store itself returns.

use std::collections::BTreeMap;

use super::{DEAD_PID, Place, entry, intent, read, started};
use crate::audit::{
    AttemptRecipes, AttemptStarted, AuditStore, FailureDetected, JournalEvent, JournalSummary,
    NewEntry, SessionFinished, SessionOutcome, SessionStarted, sort_newest_first,
};
use crate::failure::{Category, Failure};
use crate::statistics::{
    Accumulator, Aggregate, AggregateQuery, AggregateStatistics, Aggregates, Dimension, EntrySink,
    Grouping, SessionEnd, SessionGroups, SessionTraits, instant,
};

fn total(store: &dyn AuditStore) -> AggregateStatistics {
    let aggregates = store.aggregate(&AggregateQuery::default()).unwrap();
    assert_eq!(aggregates.groups, []);
    aggregates.total
}

pub(super) fn of_all(place: &dyn Place) {
    let store = place.open();
    assert_eq!(total(&*store), Aggregate::default().statistics());
    let finished = |outcome, duration_seconds, flaky| {
        JournalEvent::SessionFinished(SessionFinished {
            outcome,
            duration_seconds,
            flaky,
            ..SessionFinished::default()
        })
    };
    let batch: Vec<NewEntry> = (1..=30)
        .map(|number| entry(["a", "b", "c"][number as usize % 3], number))
        .collect();
    store.append(batch).unwrap();
    let recovered = finished(SessionOutcome::Recovered, 2.5, true);
    store.record(Some("a"), recovered).unwrap();
    let escalated = finished(SessionOutcome::Escalated, 1.0, false);
    store.record(Some("b"), escalated).unwrap();
    let started = JournalEvent::SessionStarted(SessionStarted::default());
    store.record(Some("nothing tried"), started).unwrap();
    let mut expected = Aggregate::default();
    for (session_id, end, flaky) in [
        ("a", SessionEnd::Recovered(Some(2500)), 1),
        ("b", SessionEnd::Escalated, 0),
        ("c", SessionEnd::Other, 0),
        ("nothing tried", SessionEnd::Other, 0),
    ] {
        let mut sums = Accumulator::default();
        read(&*store, session_id)
            .iter()
            .for_each(|entry| sums.add_entry(entry));
        expected.add_session(sums, end, flaky);
    }
    let statistics = total(&*store);
    assert_eq!(statistics.sessions, 4);
    // Whose recorder says nothing ended as its last entry did.
    let last = read(&*store, "c").pop().unwrap();
    assert!(
        !last.success,
        "this entry must not say more than its recorder"
    );
    assert_eq!(statistics, expected.statistics());
    assert_eq!(total(&*place.open()), statistics);
    store.clear("a").unwrap();
    assert_eq!(total(&*store).sessions, 3);
}

/// Counts what `query` asks for, reading every entry and record.
///
/// # Panics
/// If the store cannot be read.
pub fn recount(store: &dyn AuditStore, query: &AggregateQuery) -> Aggregates {
    let mut facts: BTreeMap<String, JournalSummary> = BTreeMap::new();
    let mut recipes: BTreeMap<String, AttemptRecipes> = BTreeMap::new();
    let journal = store.read_journal(None, &mut |record| {
        if let Some(session_id) = record.session_id {
            let of_session = recipes.entry(session_id.clone()).or_default();
            of_session.apply(&record.event);
            let facts = facts.entry(session_id).or_default();
            facts.apply(&record.at, &record.event);
        }
        Ok(())
    });
    assert_eq!(journal.unwrap(), []);
    let mut sessions = store.sessions().unwrap();
    sort_newest_first(&mut sessions);
    let mut grouping = Grouping::default();
    for session in sessions {
        let facts = facts.remove(&session.session_id).unwrap_or_default();
        let traits = SessionTraits {
            recipes: recipes
                .get(&session.session_id)
                .map(AttemptRecipes::by_number),
            ..facts.traits()
        };
        if !query.includes_session(traits.project, traits.host) {
            continue;
        }
        let mut groups = SessionGroups::default();
        for entry in read(store, &session.session_id) {
            groups.observer(query, &traits).add_entry(&entry);
        }
        let end = facts.end(groups.all());
        let start = session.session_start.as_deref();
        grouping.add_session(query, &traits, groups, start, (end, facts.flaky));
    }
    grouping.aggregates()
}

/// Adds sessions that differ in every dimension that entries can be grouped by.
fn fill(store: &dyn AuditStore) {
    let sessions = [
        (
            "one",
            Some("red"),
            "alpha",
            Some(Category::TestFailure),
            Some(SessionOutcome::Recovered),
        ),
        (
            "two",
            Some("red"),
            "beta",
            Some(Category::CodeQuality),
            Some(SessionOutcome::Escalated),
        ),
        ("three", Some("blue"), "alpha", None, None),
        (
            "four",
            None,
            "beta",
            Some(Category::TestFailure),
            Some(SessionOutcome::Recovered),
        ),
        (
            "nothing tried",
            Some("blue"),
            "beta",
            Some(Category::Unknown),
            Some(SessionOutcome::Escalated),
        ),
    ];
    for (number, (id, project, host, category, outcome)) in (0_u64..).zip(sessions) {
        let start = SessionStarted {
            project: project.map(str::to_owned),
            host: Some(host.to_owned()),
            ..started(&["make"], DEAD_PID)
        };
        store
            .record(Some(id), JournalEvent::SessionStarted(start))
            .unwrap();
        if let Some(category) = category {
            store.record(Some(id), detected(category)).unwrap();
        }
        if id != "nothing tried" {
            let batch: Vec<NewEntry> = (1..=40).map(|n| varied(id, number * 1000 + n)).collect();
            for new in &batch[..20] {
                let begins = begun(new.entry.attempt_number);
                store.record(Some(id), begins).unwrap();
            }
            store.append(batch).unwrap();
        }
        if let Some(outcome) = outcome {
            let finished = SessionFinished {
                outcome,
                flaky: id == "four",
                duration_seconds: 12.345 * (number + 1) as f64,
                ..SessionFinished::default()
            };
            store
                .record(Some(id), JournalEvent::SessionFinished(finished))
                .unwrap();
        }
    }
    store
        .append((1..=9).map(|n| varied("unjournaled", n)).collect())
        .unwrap();
}

/// An entry whose fields depend on its number in ways of their own, some of them hostile.
fn varied(session_id: &str, number: u64) -> NewEntry {
    let mut new = entry(session_id, number);
    let of = &mut new.entry;
    of.strategy = ["fix", "retry", "it's \"\u{1f980}\"", "\0"][(number % 4) as usize].to_owned();
    of.error_type = ["E0308", "", "\u{1b}[31m"][(number % 3) as usize].to_owned();
    of.duration_seconds = ((number * number * 37) % 100_000) as f64 / 1000.0;
    of.timestamp = match number % 20 {
        0 => "no time".to_owned(),
        1 => format!("2026-01-0{}T23:30:00+02:00", 1 + number % 9),
        n => format!(
            "2026-01-0{}T{n:02}:59:59.{:03}Z",
            1 + number % 9,
            number % 1000
        ),
    };
    of.files_modified = (0..number % 4)
        .map(|n| format!("src/{}\n.rs", (number + n) % 7))
        .collect();
    new
}

/// The intent of an attempt, from a recipe or from none.
fn begun(number: u64) -> JournalEvent {
    JournalEvent::AttemptStarted(AttemptStarted {
        recipe: [None, Some("ruff-fix"), Some("it's \"\u{1f980}\"")][(number % 3) as usize]
            .map(str::to_owned),
        attempt_number: number,
        ..intent()
    })
}

fn detected(category: Category) -> JournalEvent {
    let failure = Failure::new("E", "it failed", format!("tool of {category}"));
    JournalEvent::FailureDetected(Box::new(FailureDetected {
        rule: "rule".to_owned(),
        exit_code: Some(1),
        ..FailureDetected::new(failure, category)
    }))
}

pub(super) fn by_recipe(place: &dyn Place) {
    let store = place.open();
    for (number, recipe) in (1_u64..).zip([Some("a"), None, Some("b"), Some("a"), Some("a")]) {
        let started = AttemptStarted {
            recipe: recipe.map(str::to_owned),
            attempt_number: number,
            ..intent()
        };
        let begins = JournalEvent::AttemptStarted(started);
        store.record(Some("s"), begins).unwrap();
        let mut new = entry("s", number);
        new.entry.success = number == 5;
        store.append(vec![new]).unwrap();
    }
    store.append(vec![entry("t", 1)]).unwrap();
    let query = AggregateQuery {
        by: vec![Dimension::Recipe],
        ..AggregateQuery::default()
    };
    let told = || {
        let groups = place.open().aggregate(&query).unwrap().groups.into_iter();
        let told = groups.map(|mut group| {
            let of = &group.statistics;
            let counts = (of.total_attempts, of.successful_attempts, of.sessions);
            (group.key.remove(0), counts)
        });
        told.collect::<Vec<_>>()
    };
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(
        told(),
        [
            (named("a"), (3, 1, 1)),
            (None, (2, 0, 2)),
            (named("b"), (1, 0, 1))
        ]
    );
    store.clear("s").unwrap();
    store.append(vec![entry("s", 1)]).unwrap();
    assert_eq!(told().len(), 1, "what was removed had the recipes");
}

pub(super) fn grouped(place: &dyn Place) {
    let store = place.open();
    fill(&*store);
    let of = |by: &[Dimension]| AggregateQuery {
        by: by.to_vec(),
        ..AggregateQuery::default()
    };
    let mut queries: Vec<AggregateQuery> = vec![AggregateQuery::default()];
    queries.extend(Dimension::ALL.iter().map(|by| of(&[*by])));
    queries.push(of(&[Dimension::Day, Dimension::Strategy]));
    queries.push(of(&[
        Dimension::Project,
        Dimension::Host,
        Dimension::Category,
    ]));
    queries.push(of(&Dimension::ALL));
    let window = (
        instant("2026-01-03T00:00:00Z"),
        instant("2026-01-06T12:00:00Z"),
    );
    for index in 0..queries.len() {
        let whole = queries[index].clone();
        queries.push(AggregateQuery {
            since_us: window.0,
            ..whole.clone()
        });
        queries.push(AggregateQuery {
            since_us: window.0,
            until_us: window.1,
            host: Some("alpha".to_owned()),
            ..whole.clone()
        });
        queries.push(AggregateQuery {
            project: Some("red".to_owned()),
            ..whole
        });
    }
    for query in &queries {
        assert_eq!(
            store.aggregate(query).unwrap(),
            recount(&*store, query),
            "{query:?}"
        );
    }
    let nobody = AggregateQuery {
        project: Some("nobody's".to_owned()),
        by: vec![Dimension::Day],
        ..AggregateQuery::default()
    };
    assert_eq!(store.aggregate(&nobody).unwrap(), recount(&*store, &nobody));
}
