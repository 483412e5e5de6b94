//! Cures: what works is proved by running the command again, kept, and recorded.

use auto_recovery::run::{Policy, RunExit, StrategyCommand};
use auto_recovery::{RecoveryStrategyType, audit::JournalEvent};

use super::Project;
use super::support::fixing;

#[test]
fn a_command_that_passes_is_passed_through_and_nothing_is_written() {
    let project = Project::new(&[]);
    let (outcome, seen) = project.shell("echo out; echo err >&2", &["false"]);
    assert_eq!(outcome.exit, RunExit::Code(0));
    assert_eq!(outcome.session_id, None);
    assert_eq!(
        (seen.stdout, seen.stderr),
        (b"out\n".to_vec(), b"err\n".to_vec())
    );
    assert!(!project.state().exists(), "a pass leaves nothing behind");
}

#[test]
fn a_fix_that_works_is_proved_kept_and_recorded() {
    let project = Project::new(&[("value", "broken")]);
    let (outcome, seen) = project.shell("grep -q mended value", &["echo mended > value"]);
    assert_eq!(outcome.exit, RunExit::Code(0));
    assert_eq!(outcome.result.strategy_used, RecoveryStrategyType::Fix);
    assert_eq!(project.read("value"), "mended\n");
    let trail = project.trail();
    assert_eq!(trail.len(), 1);
    assert_eq!(trail[0].files_modified, ["value"]);
    assert!(trail[0].success && !trail[0].rollback_performed);
    assert_eq!(trail[0].next_action, "complete");
    assert!(
        seen.events
            .iter()
            .any(|event| event.starts_with("Recovered")),
        "{:?}",
        seen.events
    );
}

#[test]
fn the_fixs_own_exit_code_decides_nothing() {
    let project = Project::new(&[("value", "broken")]);
    let fixes = ["true", "echo mended > value; exit 9"];
    let (outcome, _) = project.shell("grep -q mended value", &fixes);
    assert_eq!(outcome.exit, RunExit::Code(0));
    assert_eq!(
        project.trail().len(),
        4,
        "three tries of the first, one of the second"
    );
}

#[test]
fn what_failed_attempts_changed_is_undone_before_the_next() {
    let project = Project::new(&[("value", "broken"), ("keep/me", "as I am")]);
    let fixes = [
        "echo no > value; rm -r keep; mkdir new; echo x > new/file; chmod 700 .",
        "test ! -e new && test -e keep/me && echo mended > value",
    ];
    let (outcome, _) = project.shell("grep -q mended value", &fixes);
    assert_eq!(outcome.exit, RunExit::Code(0));
    assert_eq!(project.read("keep/me"), "as I am");
    let trail = project.trail();
    assert!(trail[0].rollback_performed);
    assert_eq!(trail[0].files_modified, ["keep/me", "new/file", "value"]);
}

#[test]
fn an_alternative_stands_in_and_the_record_says_so() {
    let project = Project::new(&[]);
    let policy = Policy {
        alternatives: vec![StrategyCommand::shell("echo from the mirror")],
        ..Policy::default()
    };
    let request = project.request(&["sh", "-c", "echo no module >&2; exit 4"], policy);
    let (outcome, seen) = project.run(request);
    assert_eq!(outcome.unwrap().exit, RunExit::Code(0));
    assert_eq!(seen.stdout, b"from the mirror\n");
    assert!(project.trail()[0].recovery_message.contains("stood in for"));
}

#[test]
fn a_pass_by_plain_retry_is_flaky() {
    let project = Project::new(&[]);
    let script = "test -e ../once && exit 0; touch ../once; exit 3";
    let policy = Policy {
        retry: Some(2),
        ..Policy::default()
    };
    let request = project.request(&["sh", "-c", script], policy);
    let (outcome, _) = project.run(request);
    let outcome = outcome.unwrap();
    assert!(outcome.flaky);
    assert_eq!(outcome.exit, RunExit::Code(0));
}

#[test]
fn what_the_command_leaves_in_a_retry_is_there_for_the_next_and_goes_when_none_helps() {
    for (needed, code, runs_left, undone) in [
        (4, 0, 4, [false, false, false]),
        (9, 1, 1, [false, false, true]),
    ] {
        let project = Project::new(&[]);
        let script = format!("echo x >> runs; test $(wc -l < runs) -ge {needed}");
        let policy = Policy {
            retry: Some(3),
            ..Policy::default()
        };
        let (outcome, _) = project.run(project.request(&["sh", "-c", &script], policy));
        assert_eq!(outcome.unwrap().exit, RunExit::Code(code));
        assert_eq!(project.read("runs").lines().count(), runs_left);
        let told: Vec<bool> = project
            .trail()
            .iter()
            .map(|one| one.rollback_performed)
            .collect();
        assert_eq!(told, undone);
    }
}

#[test]
fn what_retries_leave_is_undone_before_another_strategy() {
    let project = Project::new(&[]);
    let script = "echo x >> runs; test -e mended && exit; echo 'curl: (7) Failed to connect to localhost port 9: Connection refused' >&2; exit 7";
    let policy = Policy {
        retry: Some(2),
        fixes: vec![StrategyCommand::shell(
            "test $(wc -l < runs) = 1 && touch mended",
        )],
        ..Policy::default()
    };
    let (outcome, _) = project.run(project.request(&["sh", "-c", script], policy));
    assert_eq!(outcome.unwrap().exit, RunExit::Code(0));
    let strategies: Vec<_> = project
        .trail()
        .into_iter()
        .map(|one| one.strategy)
        .collect();
    assert_eq!(strategies, ["retry", "retry", "fix"]);
}

#[test]
fn fail_on_flaky_exits_with_the_first_runs_code() {
    let project = Project::new(&[]);
    let script = "test -e ../once && exit 0; touch ../once; exit 3";
    let policy = Policy {
        retry: Some(2),
        ..Policy::default()
    };
    let mut request = project.request(&["sh", "-c", script], policy);
    request.exits.fail_on_flaky = true;
    let outcome = project.run(request).0.unwrap();
    assert!(outcome.result.success && outcome.flaky);
    assert_eq!(outcome.exit, RunExit::Code(3));
}

#[test]
fn a_fix_is_told_the_failure_as_data() {
    let project = Project::new(&[("value", "broken")]);
    let script =
        "grep -q mended value || { echo 'a.py:7: SyntaxError: $(touch pwned)' >&2; exit 1; }";
    let fix = "test -s \"$RECOVER_OUTPUT\" && test -s \"$RECOVER_FAILURE_JSON\" && \
               test \"$RECOVER_ATTEMPT/$RECOVER_STRATEGY_ATTEMPT/$RECOVER_MAX_ATTEMPTS\" = 1/1/3 && \
               test \"$RECOVER_STRATEGY\" = fix && test \"$RECOVER_SESSION_ID\" = s && \
               echo mended > value";
    let (outcome, _) = project.shell(script, &[fix]);
    assert_eq!(outcome.exit, RunExit::Code(0));
    assert!(!project.has("pwned"));
}

#[test]
fn every_attempt_has_its_intent_its_outcome_and_its_output() {
    let project = Project::new(&[("value", "broken")]);
    let fix = "echo I try; echo mended > value";
    project.shell("echo I check; grep -q mended value", &[fix]);
    let journal = project.journal();
    let kinds: Vec<_> = journal
        .iter()
        .map(|event| match event {
            JournalEvent::SessionStarted(started) => {
                assert_eq!(started.command.as_ref().unwrap()[0], "sh");
                "started"
            }
            JournalEvent::FailureDetected(failure) => {
                assert_eq!(failure.exit_code, Some(1));
                assert!(failure.checkpoint.is_some());
                "failure"
            }
            JournalEvent::AttemptStarted(intent) => {
                assert!(intent.checkpoint.is_some());
                "intent"
            }
            JournalEvent::AttemptFinished(finished) => {
                let log = std::fs::read_to_string(finished.output_file.as_ref().unwrap()).unwrap();
                assert!(log.contains("I try") && log.contains("I check"), "{log}");
                "outcome"
            }
            JournalEvent::SessionFinished(finished) => {
                assert_eq!(finished.exit_code, Some(0));
                "finished"
            }
            JournalEvent::TrailSealed(head) => {
                assert_eq!(head.size, 1);
                "sealed"
            }
            _ => "other",
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "started", "failure", "intent", "outcome", "finished", "sealed"
        ]
    );
}

#[test]
fn progress_is_kept_when_asked_for() {
    let script = "grep -q a value || { echo 'x.py:1: error: no a' >&2; exit 1; }; \
                  grep -q b value || { echo 'x.py:2: error: no b' >&2; exit 1; }";
    let fix = "if grep -q a value; then echo b >> value; else echo a > value; fi";
    let project = Project::new(&[("value", "")]);
    let mut request = project.request(&["sh", "-c", script], fixing(&[fix]));
    request.tree.keep_progress = true;
    assert_eq!(project.run(request).0.unwrap().exit, RunExit::Code(0));
    assert_eq!(project.read("value"), "a\nb\n");
    let without = Project::new(&[("value", "")]);
    let (outcome, _) = without.shell(script, &[fix]);
    assert_eq!(
        outcome.exit,
        RunExit::Code(1),
        "each try starts from the same ground"
    );
    assert_eq!(without.read("value"), "");
}
