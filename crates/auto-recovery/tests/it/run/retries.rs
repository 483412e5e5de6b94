//! Plain retries: how many, when, and when no more.

use std::time::Duration;

use auto_recovery::Category;
use auto_recovery::run::{Policy, RunExit, RunRequest, Words};

use super::Project;
use super::support::{Seen, fixing};

/// Counts its runs in `../runs`, and refuses as a server that is away does.
const AWAY: &str = "echo x >> ../runs; \
                    echo 'curl: (7) Failed to connect to db.internal port 80: Connection refused' >&2; \
                    exit 7";

/// The same for a test that fails.
const RED: &str = "echo x >> ../runs; echo 'FAILED tests/test_a.py::test_sum - assert 1 == 2'; \
                   echo '1 failed in 0.12s'; exit 1";

/// Advice as the data that it is.
const AS_IT_IS: Words = Words {
    advice: |says, advice| format!("{says}; {advice:?}"),
    ..Words::NONE
};

fn runs(project: &Project) -> usize {
    project.read("../runs").lines().count()
}

/// What `recover` does with `script` under `policy`.
fn run(project: &Project, script: &str, policy: Policy) -> (RunExit, Seen) {
    let request = RunRequest {
        words: AS_IT_IS,
        ..project.request(&["sh", "-c", script], policy)
    };
    let (outcome, seen) = project.run(request);
    (outcome.unwrap().exit, seen)
}

fn has_event(seen: &Seen, start: &str, part: &str) -> bool {
    let mut events = seen.events.iter();
    events.any(|event| event.starts_with(start) && event.contains(part))
}

#[test]
fn what_is_transient_is_tried_seven_times_more() {
    let project = Project::new(&[]);
    run(&project, AWAY, Policy::default());
    assert_eq!(runs(&project), 8);
}

#[test]
fn a_number_beats_a_time_and_a_time_beats_what_is_usual() {
    let second = Duration::from_millis(600);
    let base_delay = Duration::from_millis(100);
    for (retry, retry_for, least, most) in
        [(Some(2), Some(second), 3, 3), (None, Some(second), 3, 5)]
    {
        let project = Project::new(&[]);
        let policy = Policy {
            retry,
            retry_for,
            base_delay,
            jitter: false,
            ..Policy::default()
        };
        // The delays of 100, 200, 400 and 800 ms take no time here, and count all the same.
        let (_, seen) = run(&project, AWAY, policy);
        let runs = runs(&project);
        assert!((least..=most).contains(&runs), "{runs}: {:?}", seen.events);
    }
}

#[test]
fn what_the_server_says_is_waited_for_once() {
    let project = Project::new(&[]);
    let script = "test -e ../once && exit 0; touch ../once; \
                  echo 'HTTP/1.1 429 Too Many Requests' >&2; echo 'Retry-After: 3' >&2; exit 22";
    let (exit, seen) = run(&project, script, Policy::default());
    assert_eq!(exit, RunExit::Code(0), "{:?}", seen.events);
    let waits = seen.events.iter().filter(|event| event.contains("Waiting"));
    let waits: Vec<_> = waits.collect();
    assert_eq!(waits.len(), 1, "{waits:?}");
    assert!(waits[0].contains("delay: 3s"), "{waits:?}");
}

#[test]
fn a_wait_that_nobody_asked_for_is_not_begun_when_it_is_long() {
    let script = "echo x >> ../runs; echo 'HTTP/1.1 429 Too Many Requests' >&2; \
                  echo 'Retry-After: 3600' >&2; exit 22";
    let project = Project::new(&[]);
    let (_, seen) = run(&project, script, Policy::default());
    assert_eq!(runs(&project), 1);
    assert!(
        has_event(&seen, "NotTried", "wait 1 h, and more than 60 s"),
        "{:?}",
        seen.events
    );
    let project = Project::new(&[]);
    let policy = Policy {
        retry: Some(1),
        ..Policy::default()
    };
    run(&project, script, policy);
    assert_eq!(runs(&project), 2, "who asks for it gets it");
}

/// The time that `said` advises, in whole seconds.
fn advised(said: &str) -> Duration {
    let (_, time) = said.split_once("RetryFor(").expect("advice");
    let (seconds, _) = time.split_once("s)").expect("seconds");
    Duration::from_secs(seconds.parse().expect("a number"))
}

#[test]
fn the_time_that_is_advised_is_enough() {
    for (told, words) in [(3, "3 s"), (61, "61 s"), (31_175, "8 h 40 min")] {
        let script = format!(
            "test -e ../once && exit 0; touch ../once; \
             echo 'HTTP/1.1 429 Too Many Requests' >&2; echo 'Retry-After: {told}' >&2; exit 22"
        );
        let within = |time| Policy {
            retry_for: Some(time),
            ..Policy::default()
        };
        let project = Project::new(&[]);
        let (exit, seen) = run(&project, &script, within(Duration::from_secs(told)));
        assert_eq!(exit, RunExit::Code(22), "{:?}", seen.events);
        let why = format!("it says to wait {words}, and no retry begins later than {words} after");
        let mut events = seen.events.iter();
        let said = events.find(|event| event.starts_with("NotTried") && event.contains(&why));
        let said = said.unwrap_or_else(|| panic!("{:?}", seen.events));
        let project = Project::new(&[]);
        let (exit, seen) = run(&project, &script, within(advised(said)));
        assert_eq!(exit, RunExit::Code(0), "{said}: {:?}", seen.events);
    }
}

#[test]
fn a_wait_that_does_not_fit_before_the_deadline_is_named_and_not_begun() {
    let project = Project::new(&[]);
    let script = "echo 'HTTP/1.1 429 Too Many Requests' >&2; echo 'Retry-After: 3000' >&2; exit 22";
    let policy = Policy {
        retry: Some(1),
        ..Policy::default()
    };
    let mut request = project.request(&["sh", "-c", script], policy);
    request.limits.deadline = Some(Duration::from_secs(1000));
    let (outcome, seen) = project.run(request);
    let outcome = outcome.unwrap();
    assert_eq!(outcome.exit, RunExit::Code(124), "{:?}", seen.events);
    let why = "a wait of 50 min does not fit into the 16 min ";
    assert!(has_event(&seen, "NotTried", why), "{:?}", seen.events);
    assert!(
        outcome.result.message.contains(why),
        "{}",
        outcome.result.message
    );
    assert!(has_event(&seen, "NotRecovered", "exit 124: deadline"));
}

#[test]
fn a_red_test_runs_twice_in_all() {
    let project = Project::new(&[]);
    run(&project, RED, Policy::default());
    assert_eq!(runs(&project), 2);
    let trail = project.trail();
    assert!(
        trail[0].recovery_message.contains("same failure again"),
        "{trail:?}"
    );
    let project = Project::new(&[]);
    let policy = Policy {
        retry: Some(3),
        ..Policy::default()
    };
    run(&project, RED, policy);
    assert_eq!(
        runs(&project),
        4,
        "a number that was asked for is never shortened"
    );
}

#[test]
fn a_test_is_run_again_before_the_first_fix() {
    let project = Project::new(&[("value", "broken")]);
    let script = format!("grep -q mended value && exit 0; {RED}");
    let fix = "echo \"$RECOVER_STRATEGY_ATTEMPT\" > ../attempt; echo mended > value";
    let (exit, seen) = run(&project, &script, fixing(&[fix]));
    assert_eq!(exit, RunExit::Code(0), "{:?}", seen.events);
    let trail = project.trail();
    let strategies: Vec<_> = trail.iter().map(|entry| &*entry.strategy).collect();
    assert_eq!(strategies, ["retry", "fix"]);
    assert_eq!(project.read("../attempt"), "1\n");
    let project = Project::new(&[("value", "broken")]);
    let policy = Policy {
        retry: Some(0),
        ..fixing(&[fix])
    };
    run(&project, &script, policy);
    assert_eq!(project.trail().len(), 1, "none was wanted");
}

#[test]
fn a_flaky_test_is_not_billed_to_the_fix() {
    let project = Project::new(&[]);
    let script = format!("test -e ../once && exit 0; touch ../once; {RED}");
    let policy = fixing(&["touch ../fixed"]);
    let (outcome, _) = project.run(project.request(&["sh", "-c", &script], policy));
    let outcome = outcome.unwrap();
    assert!(outcome.flaky);
    assert!(!project.has("../fixed"));
}

#[test]
fn what_is_transient_is_never_given_up_for_having_come_before() {
    let project = Project::new(&[]);
    let policy = || Policy {
        transient_retries: 1,
        ..Policy::default()
    };
    for round in 1..=7 {
        run(&project, AWAY, policy());
        assert_eq!(runs(&project), 2 * round);
    }
}

#[test]
fn what_is_lasting_is_told_as_that_and_a_typo_gets_no_advice() {
    let project = Project::new(&[]);
    let script = "echo 'Invalid API key · Please run /login' >&2; exit 1";
    let (_, seen) = run(&project, script, Policy::default());
    let why =
        "InvalidApiKey lasts until its cause is gone, so running it again does not help; set a";
    assert!(has_event(&seen, "NotTried", why), "{:?}", seen.events);
    let (_, seen) = run(&project, "echo huh; exit 1", Policy::default());
    assert!(has_event(&seen, "NotTried", "no recipe knows this failure"));
    let (_, seen) = project.run(project.request(&["no-such-program"], Policy::default()));
    assert!(!has_event(&seen, "NotTried", ""), "{:?}", seen.events);
}

#[test]
fn a_code_that_is_exchanged_is_told() {
    let project = Project::new(&[]);
    for (script, told) in [("exit 3", true), ("exit 75", false), ("true", false)] {
        let mut request = project.request(&["sh", "-c", script], Policy::default());
        request.exits.exit_map.insert(Category::Unknown, 75);
        request.words = AS_IT_IS;
        let (_, seen) = project.run(request);
        let what = "exits 75 instead of 3; Because(ExitMap)";
        assert_eq!(
            has_event(&seen, "NotRecovered", what),
            told,
            "{:?}",
            seen.events
        );
    }
}
