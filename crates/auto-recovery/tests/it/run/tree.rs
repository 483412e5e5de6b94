//! What runs do to the tree, and what they must not.

use auto_recovery::checkpoint::ProtectGlob;
use auto_recovery::run::{Checkpoints, RunExit, StrategyCommand};

use super::Project;
use super::support::{fixing, listing};

#[test]
fn a_fix_that_touches_a_protected_path_is_undone_though_it_works() {
    let project = Project::new(&[("tests/test.sh", "exit 1")]);
    let mut request = project.request(
        &["sh", "tests/test.sh"],
        fixing(&["echo exit 0 > tests/test.sh"]),
    );
    request.tree.protect = vec![ProtectGlob {
        glob: "tests/**".to_owned(),
        base: project.root(),
    }];
    let outcome = project.run(request).0.unwrap();
    assert_eq!(outcome.exit, RunExit::Code(1));
    assert_eq!(project.read("tests/test.sh"), "exit 1");
    assert!(project.trail()[0].recovery_message.contains("protected"));
}

/// A new one must be told to `run/state_rooms.rs`: whether it counts, and whether it may go.
#[test]
fn every_room_of_the_state_is_known() {
    let project = Project::new(&[("value", "broken")]);
    let mut request = project.request(
        &["sh", "-c", "grep -q mended value"],
        fixing(&["echo tried > value; exit 1", "echo mended > value"]),
    );
    request.people.approve = Some(StrategyCommand::shell("true"));
    assert_eq!(project.run(request).0.unwrap().exit, RunExit::Code(0));
    let rooms = [
        "beside",
        "breaker.json",
        "checkpoints",
        "locks",
        "onlookers",
        "outputs",
        "retention.json",
        "retry-budget.json",
        "running",
        "seal-keys",
        // The store's.
        "journal.jsonl",
        "rollups",
        "seals.jsonl",
    ];
    for entry in std::fs::read_dir(project.state()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_known = rooms.contains(&&*name) || name.ends_with("_audit.jsonl");
        assert!(is_known, "{name}");
    }
}

#[test]
fn without_approval_a_working_fix_is_undone() {
    let project = Project::new(&[("value", "broken")]);
    let run = |answer: &str, session: &str| {
        let argv = ["sh", "-c", "grep -q mended value"];
        let mut request = project.request(&argv, fixing(&["echo mended > value"]));
        request.people.approve = Some(StrategyCommand::shell(answer));
        request.record.session_id = Some(session.to_owned());
        project.run(request).0.unwrap().exit
    };
    assert_eq!(run("false", "no"), RunExit::Code(1));
    assert_eq!(project.read("value"), "broken");
    assert_eq!(
        run("grep -q '^+mended' \"$RECOVER_DIFF\"", "yes"),
        RunExit::Code(0)
    );
    assert_eq!(project.read("value"), "mended\n");
}

#[test]
fn ignore_files_that_are_too_large_keep_fixes_from_being_tried_and_are_named() {
    let project = Project::new(&[("value", "broken")]);
    project.write("deep/.gitignore", &"x".repeat(300_000));
    let (outcome, seen) = project.shell("grep -q mended value", &["echo mended > value"]);
    assert_eq!(outcome.exit, RunExit::Code(1));
    assert_eq!(project.read("value"), "broken");
    let told = seen.events.join("\n");
    assert!(
        told.contains("deep/.gitignore has more than 262144 bytes"),
        "{told}"
    );
}

#[test]
fn failed_changes_stay_when_asked_to() {
    let project = Project::new(&[("value", "broken")]);
    let mut request = project.request(&["false"], fixing(&["echo tried >> value"]));
    request.tree.keep_failed_changes = true;
    assert_eq!(project.run(request).0.unwrap().exit, RunExit::Code(1));
    assert_eq!(project.read("value"), "brokentried\ntried\ntried\n");
    assert!(
        project
            .trail()
            .iter()
            .all(|entry| !entry.rollback_performed)
    );
}

#[test]
fn what_somebody_else_changes_between_steps_stays_and_is_told() {
    // The escalation of a first failing approval would be a step of ours; a daemon started by the
    // fix is ended. So the edit is made by the sleep of the host: the retry's own command checks.
    let project = Project::new(&[("value", "broken"), ("theirs", "old")]);
    let script = "echo >> ../runs; test $(wc -l < ../runs) -lt 3 || echo new > theirs; exit 1";
    let (outcome, _) = project.shell(script, &["echo x > value"]);
    assert_eq!(outcome.exit, RunExit::Code(1));
    // Changes of the verification itself are the attempt's and are undone with it.
    assert_eq!(project.read("theirs"), "old");
    assert_eq!(project.read("value"), "broken");
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test uses git as its user would"
)]
fn the_users_git_is_never_written_to() {
    let project = Project::new(&[
        ("tracked", "1"),
        (".gitignore", "ignored\n"),
        ("ignored", "i"),
    ]);
    let git = |args: &[&str]| {
        let mut git = std::process::Command::new("git");
        git.args(args)
            .current_dir(project.root())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin");
        assert!(git.status().unwrap().success(), "git {args:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    project.write("tracked", "staged");
    git(&["add", "tracked"]);
    project.write("tracked", "unstaged");
    let before = listing(&project.root());
    let (outcome, _) = project.shell("exit 1", &["echo x > tracked; echo y > new"]);
    assert_eq!(outcome.exit, RunExit::Code(1));
    assert_eq!(listing(&project.root()), before);
}

#[test]
fn without_a_checkpoint_nothing_is_undone_and_the_record_says_so() {
    let project = Project::new(&[("value", "broken")]);
    let mut request = project.request(&["false"], fixing(&["echo tried > value"]));
    request.tree.checkpoints = Checkpoints::Off;
    assert_eq!(project.run(request).0.unwrap().exit, RunExit::Code(1));
    assert_eq!(project.read("value"), "tried\n");
    assert!(!project.trail()[0].rollback_performed);
}
