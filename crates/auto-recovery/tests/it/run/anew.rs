//! Planning anew: one failure behind another, each mended by its own fix.

use std::os::unix::fs::{PermissionsExt, symlink};

use auto_recovery::audit::JournalEvent;
use auto_recovery::recipe::{Recipe, Tier};
use auto_recovery::run::{Policy, RunEnd, RunExit, RunRequest, StrategyCommand};

use super::Project;
use super::support::fixing;

/// Fails for the first of `a`, `b`, … that is not in the file `value`.
fn chain(links: &str) -> String {
    let link = |one: char| {
        format!("grep -q {one} value || {{ echo 'x.py:1: error: no {one}' >&2; exit 1; }}; ")
    };
    links.chars().map(link).collect()
}

/// A recipe that runs `script` when the failure says `message`.
fn recipe(name: &str, message: &str, script: &str) -> Recipe {
    Recipe {
        name: name.to_owned(),
        commands: vec!["*".to_owned()],
        messages: vec![message.to_owned()],
        run: ["sh", "-c", script].map(str::to_owned).to_vec(),
        ..Recipe::default()
    }
}

/// A recipe for each link that adds it to the file.
fn mending(links: &str) -> Vec<Recipe> {
    let one = |link: char| {
        let script = format!("echo {link} >> value");
        recipe(&format!("mend-{link}"), &format!("no {link}"), &script)
    };
    links.chars().map(one).collect()
}

fn request(project: &Project, links: &str, recipes: Vec<Recipe>) -> RunRequest {
    let mut request = project.request(&["sh", "-c", &chain(links)], Policy::default());
    request.tries.recipes = recipes;
    request
}

#[test]
fn two_tools_in_a_row_are_cured_in_one_session() {
    let project = Project::new(&[("value", "")]);
    let (outcome, seen) = project.run(request(&project, "ab", mending("ab")));
    assert_eq!(outcome.unwrap().exit, RunExit::Code(0), "{:?}", seen.events);
    assert_eq!(project.read("value"), "a\nb\n");
    let trail = project.trail();
    assert_eq!(trail.len(), 2);
    assert_eq!((trail[0].success, trail[1].success), (false, true));
    assert_eq!(
        (&*trail[0].next_action, &*trail[1].next_action),
        ("continue", "complete")
    );
    assert_eq!(trail[1].error_message, "no b");
    assert!(!trail[0].rollback_performed, "it is the ground of the cure");
    let turned: Vec<String> = project
        .journal()
        .into_iter()
        .filter_map(|event| match event {
            JournalEvent::FailureChanged(changed) => Some(changed.failure.message),
            _ => None,
        })
        .collect();
    assert_eq!(turned, ["no b"]);
}

/// A linter of the folder in which it runs, which calls its file what it is called there.
const LINT: &str = "#!/bin/sh\n[ \"$1\" = --fix ] && exec sed -i s/os/ok/ m.py\n\
    grep -q os m.py || exit 0\necho 'm.py:1:8: F401 `os` imported but unused'\nexit 1\n";

fn with_lint(files: &[(&str, &str)]) -> Project {
    let project = Project::new(files);
    let lint = project.root().join("lint");
    std::fs::write(&lint, LINT).unwrap();
    std::fs::set_permissions(&lint, PermissionsExt::from_mode(0o755)).unwrap();
    project
}

#[test]
fn two_packages_with_files_of_the_same_name_are_cured_one_after_the_other() {
    let bad = "import os\n";
    let project = with_lint(&[("m.py", bad), ("a/m.py", bad), ("b/m.py", bad)]);
    let text = "(cd a && ../lint) && (cd b && ../lint)";
    let mut request = project.request(&["sh", "-c", text], Policy::default());
    request.tries.recipes = vec![Recipe {
        name: "lint".to_owned(),
        commands: vec!["lint".to_owned()],
        tools: vec!["lint".to_owned()],
        add: vec!["--fix".to_owned()],
        ..Recipe::default()
    }];
    let (outcome, seen) = project.run(request);
    assert_eq!(outcome.unwrap().exit, RunExit::Code(0), "{:?}", seen.events);
    let read = ["m.py", "a/m.py", "b/m.py"].map(|file| project.read(file));
    assert_eq!(read, [bad, "import ok\n", "import ok\n"]);
}

#[test]
fn a_file_that_a_script_names_from_an_unknown_folder_is_not_taken_for_one_of_the_same_name() {
    let bad = "import os\n";
    let text = "#!/bin/sh\nfor d in a b; do (cd $d && ../lint >&2) || exit 1; done\n";
    let project = with_lint(&[("m.py", bad), ("a/m.py", bad), ("loop", text)]);
    let mut request = project.request(&["sh", "loop"], Policy::default());
    request.tries.recipes = vec![Recipe {
        name: "mend".to_owned(),
        tools: vec!["sh".to_owned(), "loop".to_owned()],
        on_file: ["sed", "-i", "s/os/ok/", "{file}"]
            .map(str::to_owned)
            .to_vec(),
        ..Recipe::default()
    }];
    let (outcome, seen) = project.run(request);
    assert_ne!(outcome.unwrap().exit, RunExit::Code(0), "{:?}", seen.events);
    assert_eq!(project.read("m.py"), bad);
    assert!(project.trail().is_empty(), "{:?}", seen.events);
}

#[test]
fn what_nothing_mends_at_the_end_takes_everything_back_and_the_last_entry_says_so() {
    let project = Project::new(&[("value", "")]);
    let mut recipes = mending("a");
    recipes.push(recipe("worse", "no b", "echo x >> value"));
    let (outcome, _) = project.run(request(&project, "ab", recipes));
    assert_eq!(outcome.unwrap().exit, RunExit::Code(1));
    assert_eq!(project.read("value"), "");
    let undone: Vec<bool> = project
        .trail()
        .iter()
        .map(|entry| entry.rollback_performed)
        .collect();
    assert_eq!(undone, [false, true]);
}

#[test]
fn a_failure_that_nothing_suits_is_no_ground() {
    let project = Project::new(&[("value", "")]);
    let (outcome, _) = project.run(request(&project, "ab", mending("a")));
    assert_eq!(outcome.unwrap().exit, RunExit::Code(1));
    assert_eq!(project.read("value"), "");
    let trail = project.trail();
    assert_eq!(trail.len(), 1);
    assert!(trail[0].rollback_performed);
}

#[test]
fn grounds_are_eight_at_most() {
    let project = Project::new(&[("value", "")]);
    let links = "abcdefghij";
    let (outcome, seen) = project.run(request(&project, links, mending(links)));
    assert_eq!(outcome.unwrap().exit, RunExit::Code(1));
    let trail = project.trail();
    assert_eq!(trail.len(), 8);
    assert_eq!(project.read("value"), "");
    // The screen, the entry and the session all say why it stopped there.
    let why = "8 grounds kept, no more is planned: type-error in x.py:1 is next";
    let last = &trail[7].recovery_message;
    assert!(last.contains(why), "{last}");
    let is_told = |event: &String| event.starts_with("NotTried") && event.contains(why);
    assert!(seen.events.iter().any(is_told), "{:?}", seen.events);
}

/// A checker that shows the first file with a finding and no other, and the recipe for that file.
fn one_at_a_time(names: &[&str]) -> (Project, RunRequest) {
    let files: Vec<_> = names.iter().map(|name| (*name, "bad\n")).collect();
    let project = Project::new(&files);
    let script =
        "for f in *.py; do ! grep -q bad $f || { echo \"$f:1: error: bad\" >&2; exit 1; }; done";
    let mut request = project.request(&["sh", "-c", script], Policy::default());
    request.tries.recipes = vec![Recipe {
        name: "one-file".to_owned(),
        commands: vec!["*".to_owned()],
        messages: vec!["bad".to_owned()],
        run: ["sed", "-i", "s/bad/good/", "{file}"]
            .map(str::to_owned)
            .to_vec(),
        ..Recipe::default()
    }];
    (project, request)
}

#[test]
fn the_same_failure_in_the_next_file_is_progress() {
    let names = ["a.py", "b.py", "c.py"];
    let (project, request) = one_at_a_time(&names);
    let (outcome, seen) = project.run(request);
    assert_eq!(outcome.unwrap().exit, RunExit::Code(0), "{:?}", seen.events);
    for name in names {
        assert_eq!(project.read(name), "good\n");
    }
    let trail = project.trail();
    assert_eq!(trail.len(), 3, "the same recipe on another tree each time");
    let first = &trail[0].recovery_message;
    assert!(
        first.contains("still fails (exit 1), now in b.py"),
        "{first}"
    );
}

#[test]
fn a_recipe_on_a_file_is_given_all_that_the_output_names_in_the_workspace() {
    let names = ["a.py", "b.py", "c d.py", "e.py", "f.py", "g.py"];
    let mut files: Vec<_> = names.iter().map(|name| (*name, "bad\n")).collect();
    files.push(("../out.py", "bad\n"));
    files.push(("bin/black", "#!/bin/sh\nsed -i s/bad/good/ \"$@\"\n"));
    let project = Project::new(&files);
    let black = project.root().join("bin/black");
    std::fs::set_permissions(&black, PermissionsExt::from_mode(0o755)).unwrap();
    symlink("../out.py", project.root().join("link.py")).unwrap();
    // Like `make` with a silent recipe: the command is not printed, only the tool's output.
    let script = "grep -l bad *.py ../out.py | sed 's/^/would reformat /' >&2; ! grep -q bad *d.py";
    let mut request = project.request(&["sh", "-c", script], Policy::default());
    request.tries.recipes = vec![Recipe {
        name: "black".to_owned(),
        tools: vec!["black".to_owned()],
        on_file: ["./bin/black", "{file}"].map(str::to_owned).to_vec(),
        ..Recipe::default()
    }];
    let (outcome, seen) = project.run(request);
    assert_eq!(outcome.unwrap().exit, RunExit::Code(0), "{:?}", seen.events);
    for name in names {
        assert_eq!(project.read(name), "good\n", "{name}");
    }
    assert_eq!(
        project.read("../out.py"),
        "bad\n",
        "nothing would put that back"
    );
    let trail = project.trail();
    assert_eq!(trail.len(), 1);
    let change = &trail[0].changes_made[0];
    assert!(
        change.contains("./bin/black a.py b.py 'c d.py' e.py … and 2 more files"),
        "{change}"
    );
}

#[test]
fn a_file_outside_of_the_workspace_is_not_mended_though_a_tool_names_it() {
    let project = Project::new(&[("../out.py", "bad\n")]);
    let script = "echo 'would reformat ../out.py' >&2; exit 1";
    let mut request = project.request(&["sh", "-c", script], Policy::default());
    request.tries.recipes = vec![Recipe {
        name: "black".to_owned(),
        tools: vec!["black".to_owned()],
        on_file: ["touch", "{file}", "ran"].map(str::to_owned).to_vec(),
        ..Recipe::default()
    }];
    let (outcome, seen) = project.run(request);
    assert_eq!(outcome.unwrap().exit, RunExit::Code(1));
    assert!(project.trail().is_empty() && !project.has("ran"));
    let why = "recipe black (`touch ../out.py ran`): its file is not in this workspace";
    assert!(
        seen.events.iter().any(|event| event.contains(why)),
        "{:?}",
        seen.events
    );
}

#[test]
fn what_stays_in_the_same_file_is_no_progress() {
    let (project, mut request) = one_at_a_time(&["a.py"]);
    request.tries.recipes[0].run = ["sed", "-i", "$abad", "{file}"].map(str::to_owned).to_vec();
    let (outcome, _) = project.run(request);
    assert_eq!(outcome.unwrap().exit, RunExit::Code(1));
    assert_eq!(project.trail().len(), 1);
    assert_eq!(project.read("a.py"), "bad\n");
}

#[test]
fn a_recipe_is_not_tried_twice_on_the_same_tree() {
    // Each recipe turns the file into one that the other mends.
    let project = Project::new(&[("value", "one")]);
    let script = "echo \"x.py:1: error: it is $(cat value)\" >&2; exit 1";
    let mut request = project.request(&["sh", "-c", script], Policy::default());
    request.tries.recipes = vec![
        recipe("to-two", "it is one", "printf two > value"),
        recipe("to-one", "it is two", "printf one > value"),
    ];
    let (outcome, _) = project.run(request);
    assert_eq!(outcome.unwrap().exit, RunExit::Code(1));
    assert_eq!(project.trail().len(), 2);
    assert_eq!(project.read("value"), "one");
}

#[test]
fn only_what_is_safe_makes_a_new_ground_unless_progress_is_asked_for() {
    for (keep_progress, code) in [(false, 1), (true, 0)] {
        let project = Project::new(&[("value", "")]);
        let mut recipes = mending("ab");
        recipes[0].tier = Tier::Moderate;
        let mut request = request(&project, "ab", recipes);
        request.tries.allow = Tier::Moderate;
        request.tree.keep_progress = keep_progress;
        let (outcome, _) = project.run(request);
        assert_eq!(outcome.unwrap().exit, RunExit::Code(code));
    }
}

#[test]
fn what_somebody_gave_has_its_tries_in_the_whole_run() {
    let project = Project::new(&[("value", "")]);
    let policy = Policy {
        max_attempts: 2,
        alternatives: vec![StrategyCommand::shell("exit 3")],
        ..fixing(&["echo tried >> ../tries"])
    };
    let mut request = project.request(&["sh", "-c", &chain("ab")], policy);
    request.tries.recipes = mending("a");
    let (outcome, _) = project.run(request);
    assert_eq!(outcome.unwrap().exit, RunExit::Code(1));
    let tries = std::fs::read_to_string(project.root().join("../tries")).unwrap();
    assert_eq!(tries.lines().count(), 2, "not again on the new ground");
}

#[test]
fn what_is_approved_is_all_that_would_stay() {
    let check = |answer: &str, code: i32, keep_progress: bool| {
        let project = Project::new(&[("value", ""), ("first", "old")]);
        let mut request = match keep_progress {
            true => {
                let steps = ["echo a > value; echo new > first", "echo b >> value"];
                let mut request = project.request(&["sh", "-c", &chain("ab")], fixing(&steps));
                request.tree.keep_progress = true;
                request
            }
            false => {
                let mut recipes = mending("ab");
                recipes[0].run[2].push_str("; echo new > first");
                request(&project, "ab", recipes)
            }
        };
        request.people.approve = Some(StrategyCommand::shell(answer));
        let (outcome, seen) = project.run(request);
        assert_eq!(
            outcome.unwrap().exit,
            RunExit::Code(code),
            "{answer} {:?}",
            seen.events
        );
        let left = (project.read("value"), project.read("first"));
        let wanted = match code {
            0 => ("a\nb\n", "new\n"),
            _ => ("", "old"),
        };
        assert_eq!((&*left.0, &*left.1), wanted);
    };
    for keep_progress in [false, true] {
        check("! grep -q '^+new' \"$RECOVER_DIFF\"", 1, keep_progress);
        check(
            "grep -q '^+new' \"$RECOVER_DIFF\" && grep -q '^+a' \"$RECOVER_DIFF\" && \
             grep -q '^+b' \"$RECOVER_DIFF\"",
            0,
            keep_progress,
        );
    }
}

#[test]
fn a_pass_by_chance_on_a_ground_is_approved_too() {
    let project = Project::new(&[("value", "")]);
    // The last one changes nothing: the changes it was built upon would stay.
    let script = format!(
        "{}test -e ../once || {{ touch ../once; exit 3; }}",
        chain("a")
    );
    let mut request = project.request(&["sh", "-c", &script], fixing(&["echo a > value", "true"]));
    request.tree.keep_progress = true;
    request.people.approve = Some(StrategyCommand::shell("false"));
    let (outcome, seen) = project.run(request);
    assert_ne!(outcome.unwrap().exit, RunExit::Code(0), "{:?}", seen.events);
    assert_eq!(project.read("value"), "");
}

/// A check that mends its own findings, as hooks do, and then fails; and `more` behind it.
fn mending_check(project: &Project, more: &str) -> RunRequest {
    let said = "- hook id: fixer\\n- files were modified by this hook\\n";
    let mend = format!("sed -i s/bad/good/ value; printf -- '{said}'; exit 1");
    let script = format!("echo >> ../runs; grep -q bad value && {{ {mend}; }}; {more}");
    project.request(&["sh", "-c", &script], Policy::default())
}

#[test]
fn a_check_that_mended_by_itself_is_run_again_once_and_that_is_not_flaky() {
    let project = Project::new(&[("value", "bad\n"), ("../runs", "")]);
    let (outcome, seen) = project.run(mending_check(&project, "exit 0"));
    let outcome = outcome.unwrap();
    assert_eq!(outcome.exit, RunExit::Code(0), "{:?}", seen.events);
    assert_eq!(project.read("../runs").lines().count(), 2);
    assert_eq!(
        outcome.end,
        RunEnd::Recovered,
        "it mended, and was not flaky"
    );
    assert!(
        outcome.files_modified.is_empty(),
        "that was the command's own doing"
    );
    let trail = project.trail();
    assert_eq!(trail.len(), 1);
    let message = &trail[0].recovery_message;
    assert!(
        message.contains("changed files itself before it failed"),
        "{message}"
    );
}

#[test]
fn a_check_that_mends_and_fails_for_good_is_run_again_once() {
    let project = Project::new(&[("value", "bad\n"), ("../runs", "")]);
    let mut request = mending_check(&project, "exit 0");
    let script = "echo >> ../runs; echo '- files were modified by this hook'; exit 1";
    request.command.argv = ["sh", "-c", script].map(Into::into).to_vec();
    let (outcome, _) = project.run(request);
    assert_eq!(outcome.unwrap().exit, RunExit::Code(1));
    assert_eq!(project.read("../runs").lines().count(), 2);
}

#[test]
fn what_fails_behind_a_check_that_mended_is_planned_for() {
    let project = Project::new(&[("value", "bad\n"), ("../runs", "")]);
    let next = "grep -q a value || { echo 'x.py:1: error: no a' >&2; exit 1; }";
    let mut request = mending_check(&project, next);
    request.tries.recipes = mending("a");
    let (outcome, seen) = project.run(request);
    assert_eq!(outcome.unwrap().exit, RunExit::Code(0), "{:?}", seen.events);
    assert_eq!(project.read("value"), "good\na\n");
    assert_eq!(project.trail().len(), 2);
}
