//! Rules, states, the clock and the outbox, without a network: time is scripted.

mod outbox;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use auto_recovery::Failure;
use auto_recovery::audit::{
    AuditStore, FailureDetected, JournalEvent, Recorder, SessionFinished, SessionOutcome,
    SessionStarted,
};
use auto_recovery::host::{Host, Wait};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::mutex::lock;
use tempfile::TempDir;

use super::clock::Clock;
use super::config::{Check, Label, Rule, Severity};
use super::decide::{Change, Series, State, decide};
use super::facts::{Ended, Facts, Session};
use super::observe::{Labels, Observed, observe};
use super::{Fired, replay};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// A host whose two clocks are set apart from each other.
#[derive(Default)]
pub(super) struct Clocks(std::sync::Mutex<(Duration, Duration)>);

impl Clocks {
    fn pass(&self, by: Duration) {
        let mut clocks = lock(&self.0);
        clocks.0 += by;
        clocks.1 += by;
    }

    fn set_wall(&self, seconds: u64) {
        lock(&self.0).1 = Duration::from_secs(seconds);
    }
}

impl Host for Clocks {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + lock(&self.0).1
    }

    fn monotonic(&self) -> Duration {
        lock(&self.0).0
    }

    fn sleep(&self, duration: Duration) -> Wait {
        self.pass(duration);
        Wait::Elapsed
    }

    fn is_interrupted(&self) -> bool {
        false
    }

    fn random(&self) -> u64 {
        7
    }
}

pub(super) fn rule(check: Check) -> Rule {
    Rule {
        name: "r".to_owned(),
        check,
        hold: Duration::ZERO,
        keep_firing: Duration::ZERO,
        group_by: Vec::new(),
        severity: Severity::Warning,
        to: vec!["ops".to_owned()],
        repeat: None,
    }
}

fn session(at_ms: i64, is_recovered: bool) -> Session {
    Session {
        at_ms,
        project: "shop".to_owned(),
        host: format!("h{at_ms}"),
        kind: "1-aa".to_owned(),
        error_type: "E1".to_owned(),
        failed_ms: Some(at_ms),
        ended: Some(Ended {
            at_ms,
            is_recovered,
            is_escalated: !is_recovered,
            is_flaky: is_recovered,
            duration_ms: 90_000,
        }),
        ..Session::default()
    }
}

fn facts(sessions: impl IntoIterator<Item = Session>) -> Facts {
    let mut facts = Facts::default();
    facts.ourselves.is_current = true;
    let sessions = sessions.into_iter().enumerate();
    facts.sessions = sessions
        .map(|(number, one)| (format!("s{number:04}"), one))
        .collect();
    facts
}

fn holds(check: &Check, facts: &Facts, now: i64) -> usize {
    observe(&rule(check.clone()), facts, now).unwrap().len()
}

#[test]
fn what_somebody_acknowledged_is_over_until_there_is_more_of_it() {
    let rule = rule(Check::Escalated);
    let (mut all, mut next) = (BTreeMap::new(), 1);
    let mut step = |all: &mut BTreeMap<Labels, Series>, facts: &Facts, now: i64| {
        let holding = observe(&rule, facts, now).unwrap();
        let told = decide(&rule, all, holding, now, &mut next);
        told.into_iter().map(|one| one.change).collect::<Vec<_>>()
    };
    let one = facts([session(HOUR, false)]);
    let fires = [Change::Pending, Change::Firing];
    assert_eq!(step(&mut all, &one, HOUR + 1), fires);
    for series in all.values_mut() {
        let newest = series.observed.newest_ms;
        let State::Firing { known_ms, .. } = &mut series.state else {
            panic!("{series:?}");
        };
        *known_ms = Some(newest);
    }
    assert_eq!(step(&mut all, &one, HOUR + 2), [Change::Resolved]);
    for later in 3..6 {
        assert_eq!(step(&mut all, &one, HOUR + later), [], "told again");
    }
    let more = facts([session(HOUR, false), session(HOUR + MINUTE, false)]);
    assert_eq!(step(&mut all, &more, HOUR + 2 * MINUTE), fires);
}

#[test]
fn each_rule_fires_for_what_it_says_and_for_nothing_less() {
    let within = Duration::from_secs(3600);
    let many = |number: i64, cured: i64| {
        facts((0..number).map(|index| session(HOUR + index, index < cured)))
    };
    let now = HOUR + MINUTE;
    let repeated = Check::Repeated { times: 5, within };
    assert_eq!(holds(&repeated, &many(4, 0), now), 0);
    assert_eq!(holds(&repeated, &many(5, 0), now), 1);
    assert_eq!(
        holds(&repeated, &many(5, 0), now + HOUR),
        0,
        "they are too old"
    );
    let rate = Check::SuccessRate {
        below: 80.0,
        at_least: 10,
        within,
    };
    assert_eq!(holds(&rate, &many(1, 0), now), 0, "0 of 1 wakes nobody");
    assert_eq!(holds(&rate, &many(10, 6), now), 0, "6 of 10 may be 83 %");
    assert_eq!(holds(&rate, &many(10, 3), now), 1);
    let flaky = Check::Flaky {
        times: 3,
        share: Some(50.0),
        within,
    };
    assert_eq!(holds(&flaky, &many(10, 2), now), 0);
    assert_eq!(holds(&flaky, &many(10, 3), now), 1);
    let slow = |seconds| Check::Slow {
        longer_than: Duration::from_secs(seconds),
        at_least: 5,
        within,
    };
    assert_eq!(holds(&slow(89), &many(4, 4), now), 0);
    assert_eq!(holds(&slow(89), &many(5, 5), now), 1);
    assert_eq!(holds(&slow(90), &many(5, 5), now), 0);
}

#[test]
fn a_person_is_needed_until_that_kind_of_failure_is_cured_there() {
    let check = Check::Escalated;
    let all = [session(0, false), session(MINUTE, false)];
    assert_eq!(
        holds(&check, &facts(all.clone()), HOUR),
        1,
        "one incident a kind and project"
    );
    let cured = all.iter().cloned().chain([session(2 * MINUTE, true)]);
    assert_eq!(holds(&check, &facts(cured.clone()), HOUR), 0);
    let elsewhere = Session {
        project: "till".to_owned(),
        ..session(3 * MINUTE, false)
    };
    let both = cured.chain([elsewhere, session(4 * MINUTE, false)]);
    assert_eq!(holds(&check, &facts(both), HOUR), 2);
    assert_eq!(holds(&check, &facts(all), 25 * HOUR), 0, "a day is enough");
}

#[test]
fn what_cannot_be_known_is_not_decided() {
    let mut facts = facts((0..9).map(|_| session(0, false)));
    facts.ourselves.is_current = false;
    facts.ourselves.store_away = Some("refused".to_owned());
    facts.ourselves.current_ms = -10 * MINUTE;
    let rate = Check::Repeated {
        times: 2,
        within: Duration::from_secs(60),
    };
    assert_eq!(observe(&rule(rate), &facts, 1), None);
    assert_eq!(holds(&Check::StoreUnreachable, &facts, 1), 1);
    let lag = Check::FollowLag {
        longer_than: Duration::from_secs(60),
    };
    assert_eq!(holds(&lag, &facts, 1), 1);
    let spool = Check::SpoolWaiting {
        longer_than: Duration::from_secs(60),
    };
    assert_eq!(holds(&spool, &facts, HOUR), 0);
    facts.ourselves.spool_since_ms = Some(0);
    assert_eq!(holds(&spool, &facts, HOUR), 1);
    facts.ourselves.failing.insert("ops".to_owned(), 0);
    let failing = Check::DeliveryFailing {
        longer_than: Duration::from_secs(60),
    };
    assert_eq!(holds(&failing, &facts, HOUR), 1);
}

#[test]
fn groups_are_distinguished_by_their_labels() {
    let mut by_host = rule(Check::Repeated {
        times: 2,
        within: Duration::from_secs(60),
    });
    by_host.group_by = vec![Label::Host];
    let two = facts([session(0, false), session(1, false)]);
    assert_eq!(
        observe(&by_host, &two, 2).unwrap().len(),
        0,
        "each on a host of its own"
    );
}

/// The changes of one condition that holds as `holds` says, looked at each minute.
fn changes(rule: &Rule, holds: &[bool]) -> Vec<(i64, Change)> {
    let (mut all, mut next, mut changes) = (BTreeMap::new(), 1, Vec::new());
    for (minute, holds) in (0..).zip(holds) {
        let holding = match holds {
            true => BTreeMap::from([(Labels::new(), Observed::default())]),
            false => BTreeMap::new(),
        };
        let now = minute * MINUTE;
        let decided = decide(rule, &mut all, holding, now, &mut next);
        changes.extend(decided.iter().map(|one| (minute, one.change)));
    }
    changes
}

#[test]
fn states_hold_as_long_as_the_rule_says() {
    let mut slow = rule(Check::Escalated);
    slow.hold = Duration::from_secs(120);
    slow.keep_firing = Duration::from_secs(120);
    let (on, off) = (true, false);
    assert_eq!(
        changes(&slow, &[on, on, off, on, on, on, off, on, off, off, off]),
        [
            (0, Change::Pending),
            (2, Change::Inactive),
            (3, Change::Pending),
            (5, Change::Firing),
            (10, Change::Resolved),
        ],
        "flapping neither fires nor resolves"
    );
    let quick = rule(Check::Escalated);
    assert_eq!(
        changes(&quick, &[on, off]),
        [
            (0, Change::Pending),
            (0, Change::Firing),
            (1, Change::Resolved)
        ]
    );
}

#[test]
fn a_jump_of_the_wall_clock_is_no_time_that_passed() {
    let day = 24 * 3600;
    let host = Clocks::default();
    host.set_wall(1000 * day);
    let mut clock = Clock::new(None, &host);
    let begin = clock.now(&host);
    let wall = |host: &Clocks| super::clock::millis(host.now());
    let before = wall(&host);
    host.pass(Duration::from_secs(1));
    for jump in [1001 * day, 900 * day, 1000 * day + 7200] {
        host.set_wall(jump);
        let now = clock.now(&host);
        assert!(now - begin <= 1000, "{}", now - begin);
        assert!(clock.at(wall(&host), now) == now, "what is new is now");
    }
    // An event of just before the last jump but one is not a day old because of it.
    host.set_wall(1000 * day);
    let now = clock.now(&host);
    host.set_wall(1001 * day);
    let now_after = clock.now(&host);
    assert!(now_after - clock.at(before, now_after) <= 1000 + now_after - now);
    // After a restart, time that passed counts, and a clock that was set back does not.
    let kept = Some((begin, wall(&host)));
    host.set_wall(1001 * day + 60);
    assert_eq!(Clock::new(kept, &host).now(&host), begin + 60_000);
    host.set_wall(5 * day);
    assert_eq!(Clock::new(kept, &host).now(&host), begin);
}

/// A store with a history, by times of a host that is set.
pub(super) struct History {
    _dir: TempDir,
    pub(super) host: Arc<Clocks>,
    pub(super) store: Arc<JsonlStore>,
    number: u32,
}

impl History {
    pub(super) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let host = Arc::new(Clocks::default());
        host.set_wall(1_800_000_000);
        let recorder = Recorder::new(Arc::clone(&host) as Arc<dyn Host>);
        let store = JsonlStore::open(dir.path(), JsonlOptions::default(), recorder).unwrap();
        Self {
            _dir: dir,
            host,
            store: Arc::new(store),
            number: 0,
        }
    }

    pub(super) fn pass(&self, by: Duration) {
        self.host.pass(by);
    }

    pub(super) fn session(
        &mut self,
        (project, host): (&str, &str),
        message: &str,
        (outcome, flaky): (SessionOutcome, bool),
    ) {
        self.number += 1;
        let id = format!("s{}", self.number);
        let failure = Failure::new("ECONNREFUSED", message, "curl");
        let detected = serde_json::json!({
            "failure": failure, "category": "transient", "rule": "a test",
        });
        let detected: FailureDetected = serde_json::from_value(detected).unwrap();
        let started = SessionStarted {
            project: Some(project.to_owned()),
            host: Some(host.to_owned()),
            ..SessionStarted::default()
        };
        let finished = SessionFinished {
            outcome,
            flaky,
            ..SessionFinished::default()
        };
        for event in [
            JournalEvent::SessionStarted(started),
            JournalEvent::FailureDetected(Box::new(detected)),
            JournalEvent::SessionFinished(finished),
        ] {
            self.store.record(Some(&id), event).unwrap();
        }
    }

    fn fired(&self, check: Check) -> Vec<Fired> {
        let now = self.host.now();
        let since = now - Duration::from_secs(40 * 24 * 3600);
        replay(&*self.store, &rule(check), since, now).unwrap()
    }
}

const CURED: (SessionOutcome, bool) = (SessionOutcome::Recovered, false);

/// The rules that somebody may have who is to be woken for outages alone.
fn of_a_pager() -> [Check; 3] {
    let hour = Duration::from_secs(3600);
    [
        Check::Repeated {
            times: 10,
            within: hour,
        },
        Check::SuccessRate {
            below: 50.0,
            at_least: 50,
            within: hour,
        },
        Check::Flaky {
            times: 20,
            share: None,
            within: 24 * hour,
        },
    ]
}

fn woken(history: &History) -> usize {
    of_a_pager()
        .into_iter()
        .map(|check| history.fired(check).len())
        .sum()
}

#[test]
fn a_quiet_month_wakes_nobody() {
    let mut history = History::new();
    for day in 0..30 {
        for run in 0..4 {
            let message = format!("host mirror-{day}-{run} refused");
            let outcome = match run {
                0 => (SessionOutcome::Escalated, false),
                _ => CURED,
            };
            history.session(("shop", "h1"), &message, outcome);
            history.pass(Duration::from_secs(6 * 3600));
        }
    }
    assert_eq!(woken(&history), 0);
}

#[test]
fn an_outage_over_forty_hosts_wakes_once() {
    let mut history = History::new();
    for host in 0..40 {
        let message = format!("connection to registry.example:443 refused after {host} ms");
        let outcome = match host % 4 {
            0 => (SessionOutcome::Escalated, false),
            _ => CURED,
        };
        history.session(
            (&format!("p{}", host % 7), &format!("h{host}")),
            &message,
            outcome,
        );
        history.pass(Duration::from_secs(30));
    }
    history.pass(Duration::from_secs(3 * 3600));
    assert_eq!(woken(&history), 1);
    let fired = history.fired(Check::Repeated {
        times: 10,
        within: Duration::from_secs(3600),
    });
    assert!(fired[0].until.is_some(), "it ends with the outage");
}

#[test]
fn one_flaky_test_wakes_nobody() {
    let mut history = History::new();
    for _ in 0..30 {
        history.session(
            ("shop", "h1"),
            "assert 3 == 4",
            (SessionOutcome::Recovered, true),
        );
        history.pass(Duration::from_secs(8 * 3600));
    }
    assert_eq!(woken(&history), 0);
}
