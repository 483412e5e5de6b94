//! The briefing of strategy commands: the failure and all around it, and the earlier tries.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use auto_recovery::checkpoint::ProtectGlob;
use auto_recovery::run::{Policy, RunExit, StrategyCommand};
use serde_json::Value;

use super::Project;
use super::support::fixing;

/// A fix that copies its briefing to `../NAME`, and then does `more`.
fn copying(name: &str, more: &str) -> String {
    format!(
        "cp \"$RECOVER_CONTEXT_JSON\" ../{name}.json; cp \"$RECOVER_PROMPT\" ../{name}.md; \
         cp \"$RECOVER_DIFF\" ../{name}.patch 2>/dev/null; env > ../{name}.env; {more}"
    )
}

fn beside(project: &Project, name: &str) -> PathBuf {
    project.root().with_file_name(name)
}

fn read(project: &Project, name: &str) -> String {
    fs::read_to_string(beside(project, name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn context(project: &Project, name: &str) -> Value {
    serde_json::from_str(&read(project, &format!("{name}.json"))).expect("it is JSON")
}

fn variable(project: &Project, name: &str, variable: &str) -> Option<String> {
    let environment = read(project, &format!("{name}.env"));
    let mut found = environment.lines().filter_map(|line| line.split_once('='));
    found.find_map(|(own, value)| (own == variable).then(|| value.to_owned()))
}

#[test]
fn a_fix_is_told_the_command_and_all_that_is_known() {
    let project = Project::new(&[("a.py", "x = 1\n"), ("tests/t.py", "")]);
    let script = "echo 'a.py:3: E: it is broken' >&2; exit 7";
    let policy = Policy {
        max_attempts: 2,
        ..fixing(&[&copying("told", "true")])
    };
    let mut request = project.request(&["sh", "-c", script], policy);
    request.tree.protect = vec![ProtectGlob {
        glob: "tests/**".to_owned(),
        base: project.root(),
    }];
    let (outcome, _) = project.run(request);
    assert_eq!(outcome.unwrap().exit, RunExit::Code(7));
    let told = context(&project, "told");
    let root = project.root().display().to_string();
    assert_eq!(told["version"], 1);
    assert_eq!(told["argv"], serde_json::json!(["sh", "-c", script]));
    assert_eq!(
        (&told["cwd"], &told["workspace"]),
        (&root.as_str().into(), &root.as_str().into())
    );
    assert_eq!((&told["attempt"], &told["of"]), (&2.into(), &2.into()));
    assert_eq!(
        (&told["exit_code"], &told["allow"]),
        (&7.into(), &"safe".into())
    );
    assert_eq!(told["protected"], serde_json::json!(["tests/**"]));
    assert_eq!(told["time_left_seconds"], Value::Null);
    assert_eq!(told["output"]["excerpt"], "a.py:3: E: it is broken\n");
    assert_eq!(
        told["output"]["path"],
        variable(&project, "told", "RECOVER_OUTPUT").unwrap()
    );
    assert!(
        told["rule"].is_string() && told["failure"]["message"].is_string(),
        "{told}"
    );
    let command = variable(&project, "told", "RECOVER_COMMAND").unwrap();
    assert_eq!(
        command,
        r"sh -c 'echo '\''a.py:3: E: it is broken'\'' >&2; exit 7'"
    );
    assert_eq!(
        variable(&project, "told", "RECOVER_EXIT_CODE").unwrap(),
        "7"
    );
    assert_eq!(
        variable(&project, "told", "RECOVER_WORKSPACE").unwrap(),
        root
    );
    assert_eq!(
        variable(&project, "told", "RECOVER_DIFF").unwrap(),
        "",
        "no tree was good"
    );
    let prompt = read(&project, "told.md");
    for said in [
        "This is try 2 of 2",
        "`tests/**`",
        "exit 7",
        "a.py:3: E: it is broken",
    ] {
        assert!(prompt.contains(said), "{said}: {prompt}");
    }
}

#[test]
fn a_second_try_is_told_what_the_first_did_and_what_failed_then() {
    let project = Project::new(&[("value", "broken\n")]);
    let first = "test -e ../first || { touch ../first; echo half > value; exit 3; }";
    let fix = copying("told", &format!("{first}; echo mended > value"));
    let script = "grep -q mended value || { echo \"ValueError: $(cat value) is wrong\"; exit 1; }";
    let (outcome, _) = project.shell(script, &[&fix]);
    assert_eq!(outcome.exit, RunExit::Code(0));
    let told = context(&project, "told");
    let tries = told["attempts"].as_array().expect("a list");
    assert_eq!(tries.len(), 1, "{told}");
    let one = &tries[0];
    assert_eq!(
        (&one["attempt_number"], &one["strategy"]),
        (&1.into(), &"fix".into())
    );
    assert_eq!(one["action"], fix.as_str());
    assert_eq!(one["files_modified"], serde_json::json!(["value"]));
    assert_eq!(
        (&one["undone"], &one["kept"]),
        (&true.into(), &false.into())
    );
    assert!(
        one["verdict"].as_str().unwrap().contains("it exited 3"),
        "{one}"
    );
    let failed = one["failed_with"]["message"].as_str().unwrap();
    assert!(failed.contains("half is wrong"), "{one}");
    let log = fs::read_to_string(one["output"].as_str().unwrap()).unwrap();
    assert!(log.contains("ValueError: half is wrong"), "{log}");
    let patch = Path::new(one["patch"]["path"].as_str().unwrap());
    let patch = fs::read_to_string(patch).unwrap();
    assert!(patch.contains("-broken\n+half\n"), "{patch}");
    let prompt = read(&project, "told.md");
    for said in [
        "was undone: the tree is as before it",
        "-broken\n+half\n",
        "half is wrong",
    ] {
        assert!(prompt.contains(said), "{said}: {prompt}");
    }
}

#[test]
fn what_is_told_is_the_users_alone_and_another_run_has_its_own() {
    let project = Project::new(&[("value", "broken")]);
    let names = "echo $RECOVER_CONTEXT_JSON $RECOVER_PROMPT >> ../names";
    for _ in 0..2 {
        let policy = Policy {
            max_attempts: 1,
            ..fixing(&[names])
        };
        let (outcome, _) = project.run(project.request(&["false"], policy));
        outcome.unwrap();
    }
    let names = read(&project, "names");
    let names: Vec<_> = names.split_whitespace().collect();
    assert_eq!(names.len(), 4);
    assert_ne!((names[0], names[1]), (names[2], names[3]));
    for name in names {
        assert!(Path::new(name).starts_with(project.state()), "{name}");
        let mode = fs::metadata(name).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn what_changed_since_the_tree_was_good_is_told() {
    let project = Project::new(&[("value", "mended\n")]);
    let script = "grep -q mended value";
    project.write("value", "broken once\n");
    project.shell(script, &["echo mended > value"]);
    project.write("value", "broken again\n");
    let (outcome, _) = project.shell(script, &[&copying("told", "echo mended > value")]);
    assert_eq!(outcome.exit, RunExit::Code(0));
    let since = &context(&project, "told")["changed_since_good"];
    assert!(
        since["at"].is_string() && since["checkpoint"].is_string(),
        "{since}"
    );
    assert_eq!(
        since["patch"]["path"],
        variable(&project, "told", "RECOVER_DIFF").unwrap()
    );
    let patch = read(&project, "told.patch");
    assert!(patch.contains("-mended\n+broken again\n"), "{patch}");
    assert!(read(&project, "told.md").contains("-mended\n+broken again\n"));
}

#[test]
fn whoever_is_called_to_help_is_told_all_that_was_tried() {
    let project = Project::new(&[("value", "broken\n")]);
    let policy = Policy {
        max_attempts: 2,
        ..fixing(&["echo half > value"])
    };
    let mut request = project.request(&["grep", "-q", "mended", "value"], policy);
    request.people.on_escalate = Some(StrategyCommand::shell(&copying("told", "true")));
    let (outcome, _) = project.run(request);
    outcome.unwrap();
    let told = context(&project, "told");
    assert_eq!(told["strategy"], "escalate");
    assert_eq!(told["attempts"].as_array().map(Vec::len), Some(2), "{told}");
    assert!(read(&project, "told.md").contains("-broken\n+half\n"));
}

#[test]
fn whoever_approves_is_told_the_change_and_no_prompt() {
    let project = Project::new(&[("value", "broken\n")]);
    let mut request = project.request(
        &["grep", "-q", "mended", "value"],
        fixing(&["echo mended > value"]),
    );
    let judge = copying("told", "true");
    request.people.approve = Some(StrategyCommand::shell(&judge));
    let (outcome, _) = project.run(request);
    assert_eq!(outcome.unwrap().exit, RunExit::Code(0));
    assert_eq!(context(&project, "told")["version"], 1);
    assert!(read(&project, "told.patch").contains("-broken\n+mended\n"));
    assert_eq!(variable(&project, "told", "RECOVER_PROMPT"), None);
}

#[test]
fn a_command_that_could_not_start_is_told_of_as_well() {
    let project = Project::new(&[]);
    let fix = copying(
        "told",
        "cat \"$RECOVER_OUTPUT\" \"$RECOVER_FAILURE_JSON\" > ../files",
    );
    let (outcome, _) = project.run(project.request(&["no-such-program-here"], fixing(&[&fix])));
    outcome.unwrap();
    let told = context(&project, "told");
    assert_eq!(told["failure"]["error_type"], "CommandNotFound");
    assert_eq!(told["exit_code"], 127);
    let files: Value = serde_json::from_str(&read(&project, "files")).unwrap();
    assert_eq!(files["error_type"], "CommandNotFound");
}

/// The patch of a try is made once and bounded, however much the try changed.
#[test]
fn a_try_that_changed_much_costs_little_to_tell_of() {
    let project = Project::new(&[("value", "broken\n")]);
    let fix = copying(
        "told",
        "head -c 3000000 /dev/zero | tr '\\0' 'x' | fold -w 80 > value",
    );
    let (outcome, _) = project.shell("grep -q mended value", &[&fix]);
    assert_eq!(outcome.exit, RunExit::Code(1));
    let told = context(&project, "told");
    let patch = &told["attempts"][0]["patch"];
    assert_eq!(
        (&patch["cut"], &patch["bytes"]),
        (&true.into(), &(1 << 20).into())
    );
    let path = patch["path"].as_str().unwrap();
    assert_eq!(fs::metadata(path).unwrap().len(), 1 << 20);
    assert!(read(&project, "told.md").len() <= 64 * 1024);
}
