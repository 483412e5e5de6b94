//! `recover recipes` and `recover explain`.

use crate::harness::Machine;

/// Lines as `make` prints them before Black's.
const OUTPUT: &str = "black --check .\nwould reformat app.py\nmake: *** [lint] Error 1\n";

/// A machine with a workspace in which Black is not there.
fn machine() -> Machine {
    let machine = Machine::new();
    machine.write("project/build.log", OUTPUT);
    machine
}

/// What is said of the recipe `name`.
fn of(explained: &serde_json::Value, name: &str) -> serde_json::Value {
    let recipes = explained["recipes"].as_array().expect("an array");
    let found = recipes.iter().find(|one| one["name"] == name);
    found.unwrap_or_else(|| panic!("no {name}")).clone()
}

#[test]
fn recipes_are_listed_with_tier_tools_and_what_each_runs() {
    let machine = machine();
    let all = machine.recover(&["recipes", "--json"]).json();
    let all = all.as_array().expect("an array");
    assert!(all.len() >= 60, "{}", all.len());
    for one in all {
        assert!(
            one["runs"].as_str().is_some_and(|runs| !runs.is_empty()),
            "{one}"
        );
        assert_ne!(one["tools"].as_array().map(Vec::len), Some(0), "{one}");
    }
    let black = machine.recover(&["recipes", "black", "--json"]).json();
    assert_eq!(black["tier"], "safe");
    assert_eq!(black["runs"], "black {args} without --check, --diff");
    let listed = machine.recover(&["recipes"]);
    assert!(listed.quiet().contains("cargo-lock-offline"), "{listed:?}");
    let told = machine.recover(&["recipes", "clippy"]);
    assert!(told.quiet().contains("cargo-clippy"), "{told:?}");
    machine
        .recover(&["recipes", "blakc"])
        .fails(1, "no recipe blakc; did you mean `black`?");
}

#[test]
fn a_recipe_that_is_off_or_ones_own_is_told_as_that() {
    let machine = machine();
    machine.write(
        "user/.config/recover/config.toml",
        "[recipe.black]\noff = true\n[recipe.mine]\ntools = [\"black\"]\nfix = \"true\"\n\
         requires = [\"sh\", \"not-there\"]\n",
    );
    let all = machine.recover(&["recipes", "--json"]).json();
    assert_eq!(all[0]["name"], "mine");
    assert_eq!(all[0]["origin"], "configuration");
    let black = machine.recover(&["recipes", "black", "--json"]).json();
    assert_eq!(black["origin"], "off");
    let explained = machine.recover(&["explain", "build.log", "--command", "make lint", "--json"]);
    let explained = explained.json();
    assert_eq!(
        of(&explained, "black")["why_not"][0],
        "switched off in the configuration"
    );
    // Each program that is required must be there, not only the first.
    assert_eq!(
        of(&explained, "mine")["why_not"][0],
        "not-there is not installed"
    );
}

#[test]
fn an_output_is_explained_by_rule_and_line_and_recipe() {
    let machine = machine();
    let args = [
        "explain",
        "build.log",
        "--command",
        "make lint",
        "--exit-code",
        "2",
    ];
    let explained = machine.recover(&[&args[..], &["--json"]].concat()).json();
    assert_eq!(explained["rule"], "black");
    assert_eq!(explained["line"]["number"], 2);
    assert_eq!(explained["line"]["text"], "would reformat app.py");
    assert_eq!(
        of(&explained, "black")["why_not"][0],
        "black is not installed"
    );
    let offline = of(&explained, "cargo-lock-offline");
    assert_eq!(offline["why_not"][0], "not for code_quality failures");
    let ruff = of(&explained, "ruff-check");
    assert_eq!(
        ruff["why_not"][0],
        "does not fit the command, nor one its output announces"
    );
    let mut piped = args;
    piped[1] = "-";
    let output = std::fs::read(machine.work().join("build.log")).unwrap();
    let piped = machine.recover_with(&[&piped[..], &["--json"]].concat(), output);
    let mut piped = piped.json();
    piped["output_file"] = explained["output_file"].clone();
    assert_eq!(piped, explained);
    let told = machine.recover(&args);
    let text = told.quiet();
    for words in [
        "2: would reformat app.py",
        "black (safe)",
        "not: black is not installed",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // Shown as it was typed, and nobody is told sixty names.
    assert!(text.contains("command   make lint\n"), "{text}");
    assert!(!text.contains("cargo-lock-offline"), "{text}");
    let longest = text.lines().map(str::len).max();
    assert!(longest < Some(200), "{text}");
    let all = machine.recover(&[&args[..], &["-v"]].concat());
    assert!(all.stdout.contains("cargo-lock-offline"), "{all:?}");
    machine.recover(&["explain", "nothing.log"]).fails(
        1,
        "no session and no file nothing.log; `recover sessions --all` lists the sessions",
    );
}

#[test]
fn the_newest_session_is_explained_where_none_is_named() {
    let machine = machine();
    let script = "echo 'black --check .'; echo 'would reformat app.py' >&2; exit 1";
    let run = machine.recover(&["run", "--retry", "0", "--", "sh", "-c", script]);
    assert_eq!(run.code, 1, "{run:?}");
    let explained = machine.recover(&["explain", "--json"]).json();
    assert_eq!(explained["rule"], "black");
    assert_eq!(explained["line"]["text"], "would reformat app.py");
    let session = explained["session_id"]
        .as_str()
        .expect("a session")
        .to_owned();
    let same = machine.recover(&["explain", &session, "--json"]).json();
    assert_eq!(explained, same);
    let file = explained["output_file"].as_str().expect("a file");
    let kept = std::fs::read_to_string(file).expect("the kept output");
    let number = explained["line"]["number"].as_u64().expect("a number");
    let line = kept
        .lines()
        .nth(usize::try_from(number).expect("small") - 1);
    assert_eq!(line, Some("would reformat app.py"));
}

#[test]
fn each_failure_of_a_session_is_explained_with_what_ran_against_it() {
    let machine = machine();
    let recipe = |name: &str, kind: &str, makes: &str| {
        format!(
            "[recipe.{name}]\ntypes = [\"{kind}\"]\nfix = \"touch {makes}\"\n\
             tier = \"safe\"\n"
        )
    };
    let recipes =
        recipe("mend-first", "ValueError", "one") + &recipe("mend-second", "KeyError", "two");
    machine.write("user/.config/recover/config.toml", &recipes);
    let fails = |kind: &str| {
        format!(
            "{{ printf 'Traceback (most recent call last):\\n  File \"a.py\", line 1, in <module>\\n\
             {kind}: the words\\n' >&2; exit 1; }}"
        )
    };
    let (first, second) = (fails("ValueError"), fails("KeyError"));
    let script = format!("test -e two && exit; test -e one && {second}; {first}");
    let args = [
        "run",
        "--keep-progress",
        "--session",
        "s",
        "--",
        "sh",
        "-c",
        &script,
    ];
    let run = machine.recover(&args);
    assert_eq!(run.code, 0, "{run:?}");
    let explained = machine.recover(&["explain", "s", "--json"]).json();
    assert_eq!(explained["failure"]["error_type"], "ValueError");
    assert_eq!(
        of(&explained, "mend-first")["ran"][0],
        "ran in attempt 1: no cure by itself"
    );
    let then = &explained["then"][0];
    assert_eq!(then["failure"]["error_type"], "KeyError");
    assert_eq!(
        of(then, "mend-second")["ran"][0],
        "ran in attempt 2: recovered"
    );
    let told = machine.recover(&["explain", "s"]);
    let text = told.quiet();
    assert!(text.contains("ran in attempt 2: recovered"), "{text}");
    assert!(
        text.contains("the failure after what was kept (2)"),
        "{text}"
    );
}

#[test]
fn what_the_breaker_refused_is_explained_as_that() {
    let machine = machine();
    machine.write(
        "user/.config/recover/config.toml",
        "[recipe.vain]\ntypes = [\"ValueError\"]\nfix = \"true\"\ntier = \"safe\"\n",
    );
    let script = "printf 'Traceback (most recent call last):\\n  File \"a.py\", line 1, in <module>\\n\
                  ValueError: in vain\\n' >&2; exit 3";
    let args = ["run", "--", "sh", "-c", script];
    for _ in 0..6 {
        assert_eq!(machine.recover(&args).code, 3);
    }
    let told = machine.recover(&["explain"]);
    for words in [
        "was not cured 5 times",
        "to have it forgotten, remove",
        "breaker.json",
    ] {
        let told = told.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(words), "{words}: {told}");
    }
}
