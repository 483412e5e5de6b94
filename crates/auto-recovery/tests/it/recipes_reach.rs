//! Each recipe is found behind whatever runs its tool: shapes of the commands, for all recipes and
//! all wrappers, whether they can be had here or not.

use std::path::{Path, PathBuf};

use auto_recovery::recipe::{Candidate, Recipe, RecipeBook, Situation};
use auto_recovery::{Category, Failure};

/// What people put before a command.
const BEFORE: [&str; 16] = [
    "npx --no-install",
    "npm exec --",
    "pnpm exec",
    "yarn run",
    "poetry run",
    "uv run",
    "pipenv run",
    "bundle exec",
    "composer exec --",
    "docker compose exec -T app",
    "docker-compose exec -T app",
    "docker exec box",
    "env CI=1",
    "timeout 60",
    "uv run --with x env CI=1",
    "mise exec --",
];

/// Runners, and how each announces a command.
const RUNNERS: [(&str, &str); 9] = [
    ("make lint", "{}\n"),
    ("just lint", "{}\n"),
    ("tox -e lint", "lint: commands[0]> {}\n"),
    ("nox -s lint", "nox > {}\n"),
    ("task lint", "task: [lint] {}\n"),
    ("sh -x lint.sh", "+ {}\n"),
    ("npm run lint", "\n> web@1.0.0 lint\n> {}\n"),
    ("yarn lint", "$ {}\n"),
    ("composer lint", "> {}\n"),
];

fn words(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

/// A command that `recipe` is for, and the failure that it mends.
fn broken(recipe: &Recipe) -> (String, Failure) {
    let mut command = words(recipe.commands[0].as_str())
        .iter()
        .map(|word| word.split('|').next().unwrap_or(word).to_owned())
        .collect::<Vec<_>>();
    let flag = recipe.with.first().or(recipe.drop.first());
    let flag = flag.filter(|flag| !command.contains(flag));
    command.extend(flag.cloned());
    command.push("src".to_owned());
    let message = recipe.messages.first().cloned().unwrap_or_default();
    let kind = recipe.types.first().cloned().unwrap_or_default();
    let failure = Failure {
        file_path: Some("src/a".to_owned()),
        ..Failure::new(kind, message, recipe.tools[0].clone())
    };
    (command.join(" "), failure)
}

/// What `recipe` alone would run against `argv` with `output`.
fn found(
    recipe: &Recipe,
    argv: &[String],
    failure: &Failure,
    output: &str,
) -> Vec<(String, PathBuf)> {
    let book = RecipeBook::built_in();
    let situation = Situation {
        argv,
        failure: Some(failure),
        category: Category::CodeQuality,
        output,
    };
    let candidates = book.candidates(recipe.remedy, &situation);
    let own = candidates
        .iter()
        .filter(|one| one.recipe.name == recipe.name);
    own.map(|one| (one.argv.join(" "), place(one))).collect()
}

fn place(candidate: &Candidate<'_>) -> PathBuf {
    candidate
        .place
        .find(Path::new("/w"), Path::new("/w"), &|_| false)
}

fn formatters() -> Vec<Recipe> {
    let book = RecipeBook::built_in();
    // What is only run again is told by the output, and by nothing else.
    let is_one =
        |recipe: &&Recipe| recipe.categories.contains(&Category::CodeQuality) && !recipe.again;
    book.recipes().iter().filter(is_one).cloned().collect()
}

#[test]
fn every_recipe_names_the_tools_that_it_mends_behind_another() {
    for recipe in RecipeBook::built_in().recipes() {
        assert!(!recipe.tools.is_empty(), "{}", recipe.name);
    }
}

#[test]
fn each_is_found_behind_what_starts_its_tool_and_keeps_that() {
    for recipe in formatters() {
        let (command, failure) = broken(&recipe);
        let direct = found(&recipe, &words(&command), &failure, "");
        assert_eq!(direct.len(), 1, "{}: {command}", recipe.name);
        for before in BEFORE {
            let argv = words(&format!("{before} {command}"));
            let expected = format!("{before} {}", direct[0].0);
            let got = found(&recipe, &argv, &failure, "");
            let got: Vec<_> = got.iter().map(|(argv, _)| argv.as_str()).collect();
            assert_eq!(got, [expected.as_str()], "{}: {argv:?}", recipe.name);
        }
    }
}

#[test]
fn each_is_found_in_the_folder_that_a_shell_goes_into() {
    for recipe in formatters() {
        let (command, failure) = broken(&recipe);
        let direct = found(&recipe, &words(&command), &failure, "");
        for text in [
            format!("cd web && {command}"),
            format!("set -e; cd web; {command}; echo done"),
            format!("(cd web && {command})"),
            format!("cd web && {command} 2>&1 | tee log"),
        ] {
            let argv = ["sh", "-c", &text].map(str::to_owned);
            let expected = vec![(direct[0].0.clone(), PathBuf::from("/w/web"))];
            assert_eq!(found(&recipe, &argv, &failure, ""), expected, "{text}");
        }
    }
}

#[test]
fn each_is_found_behind_what_announces_it() {
    for recipe in formatters() {
        let (command, failure) = broken(&recipe);
        let direct = found(&recipe, &words(&command), &failure, "");
        for (runner, announces) in RUNNERS {
            let output = format!("{}src/a: bad\n", announces.replace("{}", &command));
            let started = match (runner, recipe.brought_by.as_str()) {
                ("npm run lint" | "yarn lint", "node") => "npx --no-install ",
                ("composer lint", "composer") => "composer exec -- ",
                _ => "",
            };
            let expected = vec![(format!("{started}{}", direct[0].0), PathBuf::from("/w"))];
            let got = found(&recipe, &words(runner), &failure, &output);
            assert_eq!(got, expected, "{}: {runner}: {output}", recipe.name);
        }
    }
}

#[test]
fn where_nothing_proves_the_tool_what_was_announced_last_counts() {
    let failure = Failure::new("formatting", "not formatted", "make");
    let output = "black --check .\nstylua --check .\nsrc/a.lua: not formatted\n";
    let book = RecipeBook::built_in();
    let argv = words("make lint");
    let situation = Situation {
        argv: &argv,
        failure: Some(&failure),
        category: Category::CodeQuality,
        output,
    };
    let found = book.candidates(auto_recovery::recipe::Remedy::Fix, &situation);
    let found: Vec<_> = found.iter().map(|one| one.argv.join(" ")).collect();
    assert_eq!(found, ["stylua ."]);
}

#[test]
fn a_tool_works_on_a_file_where_it_named_it() {
    let recipes = formatters();
    let black = recipes.iter().find(|one| one.name == "black").unwrap();
    let mut failure = Failure::new("formatting", "would reformat a.py", "black");
    failure.file_path = Some("a.py".to_owned());
    let output = "make[1]: Entering directory '/w/lib'\nwould reformat a.py\n";
    let got = found(black, &words("make -s lint"), &failure, output);
    assert_eq!(got, [("black a.py".to_owned(), PathBuf::from("/w/lib"))]);
}

#[test]
fn a_flag_with_a_value_is_left_out_with_it() {
    let recipes = formatters();
    let check = |name: &str, command: &str, expected: &str| {
        let recipe = recipes.iter().find(|one| one.name == name).unwrap();
        let failure = Failure::new("", "", recipe.tools[0].clone());
        let got = found(recipe, &words(command), &failure, "");
        assert_eq!(got[0].0, expected, "{command}");
    };
    let clippy = "cargo clippy --fix --allow-dirty --allow-staged --allow-no-vcs --";
    // As errors they would keep it from mending them: they are asked for as warnings.
    for spelled in [
        "-D clippy::pedantic",
        "-Dclippy::pedantic",
        "-F clippy::pedantic",
    ] {
        check(
            "clippy",
            &format!("cargo clippy -- {spelled} -A x"),
            &format!("{clippy} -W clippy::pedantic -A x"),
        );
    }
    for spelled in ["--deny x", "--deny=x", "--forbid=x"] {
        check(
            "clippy",
            &format!("cargo clippy -- {spelled}"),
            &format!("{clippy} --warn x"),
        );
    }
    for spelled in ["-o none", "-onone", "--output none", "--output=none"] {
        let command = format!("dart format --set-exit-if-changed {spelled} lib");
        check("dart-format", &command, "dart format lib");
    }
}

/// Lints of the compiler come by `cargo clippy` too, beside other commands of the same program.
#[test]
fn a_failure_that_a_command_passes_on_is_mended_by_what_is_its_own() {
    let book = RecipeBook::built_in();
    let recipe = |name: &str| book.recipes().iter().find(|one| one.name == name).unwrap();
    let lint = Failure {
        file_path: Some("src/lib.rs".to_owned()),
        ..Failure::new("unused_imports", "unused import: `std::fmt`", "rustc")
    };
    let line = "cargo fmt --check && cargo clippy --offline -- -D warnings";
    let typed = ["sh", "-c", line].map(str::to_owned);
    let mended =
        "cargo clippy --fix --allow-dirty --allow-staged --allow-no-vcs --offline -- -W warnings";
    let by = |name: &str, argv: &[String], output: &str| {
        let found = found(recipe(name), argv, &lint, output);
        found.into_iter().map(|(argv, _)| argv).collect::<Vec<_>>()
    };
    assert_eq!(by("clippy", &typed, ""), [mended]);
    assert_eq!(by("rustfmt", &typed, ""), [""; 0]);
    let announced = "+ cargo fmt --check\n+ cargo clippy --offline -- -D warnings\n";
    assert_eq!(by("clippy", &words("sh -x lint.sh"), announced), [mended]);
    // Who only builds is not told what clippy would say.
    assert_eq!(
        by("clippy", &words("make build"), "+ cargo build\n"),
        [""; 0]
    );
}
