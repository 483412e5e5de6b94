//! Endings without a cure: the command's own code, the tree as it was, the reason on record.

use std::time::Duration;

use auto_recovery::audit::{JournalEvent, SessionOutcome};
use auto_recovery::run::{Mode, Policy, RunEnd, RunExit, StrategyCommand};
use auto_recovery::{Category, RecoveryStrategyType};
use rustix::process::{Pid, Signal, kill_process};

use super::Project;
use super::support::{fixing, listing};

#[test]
fn when_nothing_helps_the_tree_is_as_it_was_and_the_code_is_the_commands() {
    let project = Project::new(&[("a", "1"), ("dir/b", "2")]);
    let before = listing(&project.root());
    let fix = "rm -r dir; echo 3 > a; mkdir -p deep/er; ln -s a link";
    let (outcome, seen) = project.shell("exit 7", &[fix]);
    assert_eq!(outcome.exit, RunExit::Code(7));
    assert_eq!(listing(&project.root()), before);
    assert_eq!(outcome.result.strategy_used, RecoveryStrategyType::Escalate);
    assert!(outcome.result.escalated_to_human);
    let trail = project.trail();
    assert_eq!(trail.len(), 3);
    assert_eq!(trail[2].next_action, "escalate");
    assert!(
        seen.events
            .iter()
            .any(|event| event.starts_with("NotRecovered"))
    );
}

#[test]
fn with_nothing_to_try_there_are_no_entries_and_the_journal_says_why() {
    let project = Project::new(&[]);
    let (outcome, _) = project.shell("exit 5", &[]);
    assert_eq!(outcome.exit, RunExit::Code(5));
    assert!(project.trail().is_empty());
    let journal = project.journal();
    let said = journal.iter().any(|event| match event {
        JournalEvent::FailureDetected(failure) => !failure.skipped.is_empty(),
        _ => false,
    });
    assert!(said, "{journal:?}");
    assert!(journal.iter().any(|event| matches!(
        event,
        JournalEvent::SessionFinished(end) if end.outcome == SessionOutcome::Escalated
    )));
}

#[test]
fn a_signal_is_passed_on() {
    let project = Project::new(&[]);
    let (outcome, _) = project.shell("kill -USR1 $$", &[]);
    assert_eq!(outcome.exit, RunExit::Signal(10));
}

#[test]
fn a_command_that_does_not_exist_is_127_unless_something_stands_in() {
    let project = Project::new(&[]);
    let argv = ["no-such-program-anywhere"];
    let outcome = project
        .run(project.request(&argv, Policy::default()))
        .0
        .unwrap();
    assert_eq!(outcome.exit, RunExit::Code(127));
    let policy = Policy {
        alternatives: vec![StrategyCommand::shell("true")],
        ..Policy::default()
    };
    let mut request = project.request(&argv, policy);
    request.record.session_id = Some("again".to_owned());
    assert_eq!(project.run(request).0.unwrap().exit, RunExit::Code(0));
}

#[test]
fn a_command_that_cannot_be_started_is_126() {
    let project = Project::new(&[("data", "no program")]);
    let outcome = project
        .run(project.request(&["./data"], Policy::default()))
        .0
        .unwrap();
    assert_eq!(outcome.exit, RunExit::Code(126));
}

#[test]
fn the_deadline_ends_the_run_with_124_and_the_tree_as_it_was() {
    let project = Project::new(&[("a", "1")]);
    let before = listing(&project.root());
    let mut request = project.request(
        &["sh", "-c", "exit 1"],
        fixing(&["echo 2 > a; exec sleep 60"]),
    );
    request.limits.deadline = Some(Duration::from_millis(700));
    let outcome = project.run(request).0.unwrap();
    assert_eq!(outcome.exit, RunExit::Code(124));
    assert_eq!(listing(&project.root()), before);
    assert_eq!(
        project.trail().len(),
        1,
        "the attempt that was cut short is on record"
    );
}

#[test]
fn a_deadline_that_cuts_the_first_run_off_is_on_record_and_calls_the_person() {
    let project = Project::new(&[]);
    let script = "echo halfway; exec sleep 60";
    let mut request = project.request(&["sh", "-c", script], fixing(&["touch tried"]));
    request.limits.deadline = Some(Duration::from_millis(300));
    let call = "cp $RECOVER_OUTPUT ../called; sleep 0.1; echo $RECOVER_SESSION_ID >> ../called";
    request.people.on_escalate = Some(StrategyCommand::shell(call));
    let (outcome, seen) = project.run(request);
    let outcome = outcome.unwrap();
    assert_eq!(outcome.exit, RunExit::Code(124));
    assert_eq!(outcome.end, RunEnd::Deadline);
    assert_eq!(outcome.session_id.as_deref(), Some("s"));
    assert_eq!(project.read("../called"), "halfway\ns\n");
    assert!(!project.has("tried") && project.trail().is_empty());
    // How long it took begins with the first run, as the last line counts it.
    assert!(project.journal().iter().any(|event| matches!(
        event,
        JournalEvent::SessionFinished(end)
            if end.outcome == SessionOutcome::Escalated && end.duration_seconds >= 0.3
    )));
    let mut said = seen.events.iter();
    let last = said.find(|event| event.starts_with("NotRecovered"));
    let last = last.expect("the last line");
    assert!(
        last.contains("stopped at the deadline (exit 124)"),
        "{last}"
    );
}

#[test]
fn whoever_is_called_at_the_deadline_has_the_grace_and_no_more() {
    let project = Project::new(&[]);
    let mut request = project.request(&["sh", "-c", "exit 1"], fixing(&["exec sleep 60"]));
    request.limits.deadline = Some(Duration::from_millis(500));
    let call = "echo called > ../called; sleep 60; echo late > ../called";
    request.people.on_escalate = Some(StrategyCommand::shell(call));
    assert_eq!(project.run(request).0.unwrap().exit, RunExit::Code(124));
    assert_eq!(project.read("../called"), "called\n");
}

#[test]
fn a_deadline_in_a_dry_run_leaves_nothing() {
    let project = Project::new(&[]);
    let mut request = project.request(&["sleep", "60"], fixing(&[]));
    request.limits.deadline = Some(Duration::from_millis(300));
    request.mode = Mode::DryRun;
    let outcome = project.run(request).0.unwrap();
    assert_eq!(
        (outcome.exit, outcome.session_id),
        (RunExit::Code(124), None)
    );
    assert!(project.journal().is_empty());
}

#[test]
fn a_process_that_takes_too_long_is_ended() {
    let project = Project::new(&[]);
    let policy = Policy {
        retry: Some(0),
        attempt_timeout: Some(Duration::from_millis(300)),
        ..Policy::default()
    };
    let mut request = project.request(&["sleep", "60"], policy);
    request.limits.attempt_timeout = Some(Duration::from_millis(300));
    let outcome = project.run(request).0.unwrap();
    assert_eq!(outcome.exit, RunExit::Code(124));
}

#[test]
fn the_person_is_called_with_the_failure_as_data() {
    let project = Project::new(&[]);
    let mut request = project.request(&["sh", "-c", "exit 3"], fixing(&["true"]));
    request.people.on_escalate = Some(StrategyCommand::shell("echo $RECOVER_STRATEGY > ../called"));
    assert_eq!(project.run(request).0.unwrap().exit, RunExit::Code(3));
    assert_eq!(project.read("../called"), "escalate\n");
}

#[test]
fn a_dry_run_runs_once_plans_and_touches_nothing() {
    let project = Project::new(&[("value", "broken")]);
    let mut request = project.request(
        &["sh", "-c", "echo run >> ../runs; grep -q mended value"],
        fixing(&["echo mended > value"]),
    );
    request.mode = Mode::DryRun;
    let (outcome, seen) = project.run(request);
    assert_eq!(outcome.unwrap().exit, RunExit::Code(1));
    assert_eq!(project.read("../runs"), "run\n");
    assert_eq!(project.read("value"), "broken");
    assert!(
        seen.events
            .iter()
            .any(|event| event.contains("echo mended > value"))
    );
    assert!(!project.state().exists());
}

#[test]
fn a_record_that_cannot_be_written_stops_before_anything_is_tried() {
    let project = Project::new(&[("value", "broken")]);
    let request = project.request(
        &["sh", "-c", "grep -q mended value"],
        fixing(&["echo mended > value"]),
    );
    let store = std::sync::Arc::clone(&request.state.store);
    std::fs::write(project.state(), "in the way").unwrap();
    // Without state nothing can be tried, and the command's own code stands.
    let (outcome, seen) = project.run(request.clone());
    assert_eq!(outcome.unwrap().exit, RunExit::Code(1));
    let told = seen.events.iter().any(|event| event.starts_with("NoState"));
    assert!(told, "{:?}", seen.events);
    assert_eq!(project.read("value"), "broken");
    // Another code that is wanted instead is told.
    let mut exchanging = request.clone();
    exchanging.exits.exit_map.insert(Category::Unknown, 75);
    let (outcome, seen) = project.run(exchanging);
    assert_eq!(outcome.unwrap().exit, RunExit::Code(75));
    let mut notes = seen.events.iter().filter(|event| event.starts_with("Note"));
    let told = notes.any(|event| event.contains("exits 75 instead of 1"));
    assert!(told, "{:?}", seen.events);
    // With it, a store that is none is a fault.
    let mut request = request;
    request.state.dir = project.root().join("../elsewhere");
    request.state.store = store;
    let error = project.run(request).0.unwrap_err();
    assert!(
        error.chain().contains("nothing was tried"),
        "{}",
        error.chain()
    );
    assert_eq!(project.read("value"), "broken");
}

#[test]
fn a_fix_that_cannot_be_run_is_said_to_have_failed_and_not_tried_again() {
    let project = Project::new(&[("value", "broken")]);
    let (outcome, seen) = project.shell("grep -q mended value", &["no-such-agent --now"]);
    assert_eq!(outcome.exit, RunExit::Code(1));
    assert_eq!(project.trail().len(), 1);
    let said = |event: &String| event.contains("it exited 127 and changed nothing");
    assert!(seen.events.iter().any(said), "{:?}", seen.events);
    // One that changed something may have come further than its end tells.
    let project = Project::new(&[("value", "broken")]);
    project.shell("grep -q mended value", &["date +%N > value; no-such-agent"]);
    assert_eq!(project.trail().len(), 3);
}

#[test]
fn the_last_line_has_the_code_and_the_kind_of_one_failure() {
    let project = Project::new(&[]);
    let script = "if [ -e again ]; then echo 'error[E0308]: mismatched types' >&2; exit 1; fi; \
                  touch again; echo 'curl: (7) Failed to connect to h port 80: Connection refused' \
                  >&2; exit 7";
    let policy = Policy {
        retry: Some(1),
        base_delay: Duration::from_millis(1),
        ..Policy::default()
    };
    let (outcome, seen) = project.run(project.request(&["sh", "-c", script], policy));
    assert_eq!(outcome.unwrap().exit, RunExit::Code(1));
    let last = seen
        .events
        .iter()
        .rfind(|event| event.starts_with("NotRecovered"));
    let last = last.expect("a last line");
    assert!(last.contains("(exit 1, E0308)"), "{last}");
}

#[test]
fn what_the_first_run_left_running_is_named_and_stays() {
    let project = Project::new(&[]);
    let script = "sleep 30 >/dev/null 2>&1 & echo $! > pid; exit 3";
    let (outcome, seen) = project.shell(script, &[]);
    assert_eq!(outcome.exit, RunExit::Code(3));
    let pid = project.read("pid").trim().to_owned();
    let named = format!("still running, as the command left it: {pid} sleep 30");
    assert!(
        seen.events.iter().any(|event| event.contains(&named)),
        "{:?}",
        seen.events
    );
    let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
    kill_process(pid, Signal::KILL).expect("it is the command's, and runs on");
}
