//! Recipes: which command mends which failure. One check, cases as data.

use std::collections::BTreeSet;

use auto_recovery::recipe::{Recipe, RecipeBook, Remedy, Situation, Tier};
use auto_recovery::{Category, ErrorKind, Failure};

fn words(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

/// What the built-in recipes would run, as `name: command`.
fn candidates(command: &str, failure: &Failure, category: Category, output: &str) -> Vec<String> {
    let book = RecipeBook::built_in();
    let argv = words(command);
    let situation = Situation {
        argv: &argv,
        failure: Some(failure),
        category,
        output,
    };
    [Remedy::Fix, Remedy::Alternative]
        .into_iter()
        .flat_map(|remedy| book.candidates(remedy, &situation))
        .map(|found| format!("{}: {}", found.recipe.name, found.argv.join(" ")))
        .collect()
}

fn check(command: &str, expected: &[&str]) {
    let failure = Failure::new("formatting", "would reformat", "");
    let found = candidates(command, &failure, Category::CodeQuality, "");
    assert_eq!(found, expected, "{command}");
}

#[test]
fn a_check_becomes_the_command_that_mends_what_it_found() {
    check("cargo fmt --check", &["rustfmt: cargo fmt"]);
    check(
        "cargo fmt --all -- --check",
        &["rustfmt: cargo fmt --all --"],
    );
    check(
        "cargo +nightly fmt --check",
        &["rustfmt: cargo +nightly fmt"],
    );
    check(
        "black --check --diff src tests",
        &["black: black src tests"],
    );
    check("python3 -m black --check .", &["black: python3 -m black ."]);
    check("isort --check-only .", &["isort: isort ."]);
    check("ruff check src", &["ruff-check: ruff check --fix src"]);
    check("ruff format --check", &["ruff-format: ruff format"]);
    check(
        "npx --no-install prettier --check .",
        &["prettier: npx --no-install prettier --write ."],
    );
    check(
        "eslint --max-warnings=0 src",
        &["eslint: eslint --fix --max-warnings=0 src"],
    );
    check("gofmt -l .", &["gofmt: gofmt -w ."]);
    check(
        "clang-format --dry-run -Werror a.c",
        &["clang-format: clang-format -i a.c"],
    );
    check("shfmt -d .", &["shfmt: shfmt -w ."]);
    check(
        "bundle exec rubocop",
        &["rubocop: bundle exec rubocop --autocorrect"],
    );
    check(
        "terraform fmt -check -recursive",
        &["terraform-fmt: terraform fmt -recursive"],
    );
    check("biome ci src", &["biome-ci: biome check --write src"]);
    check(
        "cargo check -p price --offline --features tax",
        &[
            "cargo-fix: cargo fix --allow-dirty --allow-staged --allow-no-vcs --offline -p price --features tax",
        ],
    );
    check(
        "cargo test --locked ten_pieces",
        &["cargo-fix-tests: cargo fix --allow-dirty --allow-staged --allow-no-vcs --offline"],
    );
    check(
        "dart format --set-exit-if-changed .",
        &["dart-format: dart format ."],
    );
}

#[test]
fn a_command_that_mends_already_or_is_nobodys_has_no_recipe() {
    for command in [
        "eslint --fix src",
        "black src",
        "./build.sh",
        "echo cargo fmt --check",
    ] {
        check(command, &[]);
    }
}

#[test]
fn a_failure_of_another_category_is_not_formatted_away() {
    let failure = Failure::new("AssertionError", "1 != 2", "pytest");
    assert!(candidates("cargo fmt --check", &failure, Category::TestFailure, "").is_empty());
}

#[test]
fn a_tool_that_a_task_runner_ran_is_mended_as_it_was_announced_or_on_its_file() {
    let mut failure = Failure::new("formatting", "would reformat a.py", "black");
    let output = "lint: commands\nblack --check src\nwould reformat src/a.py\n";
    let found = candidates("make lint", &failure, Category::CodeQuality, output);
    assert_eq!(found, ["black: black src"]);
    let found = candidates(
        "npm run lint",
        &failure,
        Category::CodeQuality,
        "> black --check .\n",
    );
    assert_eq!(found, ["black: black ."]);
    failure.file_path = Some("src/a.py".to_owned());
    assert_eq!(
        candidates("make lint", &failure, Category::CodeQuality, ""),
        ["black: black src/a.py"]
    );
    let output = "would reformat src/a.py\nwould reformat b.py\nwould reformat -v\n";
    assert_eq!(
        candidates("make lint", &failure, Category::CodeQuality, output),
        ["black: black src/a.py b.py"]
    );
    failure.file_path = Some("--config=evil".to_owned());
    assert!(candidates("make lint", &failure, Category::CodeQuality, "").is_empty());
}

#[test]
fn a_check_that_mended_by_itself_is_run_again_whatever_ran_it() {
    let failure = Failure::new(
        "files-modified",
        "files were modified by this hook",
        "pre-commit",
    );
    let output = "black...Failed\n- hook id: black\n- files were modified by this hook\n";
    for command in [
        "pre-commit run --all-files",
        "pre-commit run",
        "make lint",
        "npm run -s lint",
    ] {
        let found = candidates(command, &failure, Category::CodeQuality, output);
        assert_eq!(found, [format!("pre-commit: {command}")]);
        assert!(candidates(command, &failure, Category::CodeQuality, "").is_empty());
        assert!(candidates(command, &failure, Category::TestFailure, output).is_empty());
    }
    // Before any failure it is planned for what mends, and for nothing else.
    for (command, planned) in [("pre-commit run --all-files", true), ("make lint", false)] {
        let argv = words(command);
        let situation = Situation {
            argv: &argv,
            failure: None,
            category: Category::CodeQuality,
            output: "",
        };
        let found = RecipeBook::built_in()
            .candidates(Remedy::Fix, &situation)
            .len();
        assert_eq!(found, usize::from(planned), "{command}");
    }
}

#[test]
fn a_script_of_a_package_runs_the_programs_of_the_package() {
    let failure = Failure::new("formatting", "code style issues found", "prettier");
    let check = |output: &str, expected: &str| {
        let found = candidates("npm run lint", &failure, Category::CodeQuality, output);
        assert_eq!(found, [format!("prettier: {expected}")], "{output}");
    };
    check(
        "> prettier --check src\n",
        "npx --no-install prettier --write src",
    );
    check(
        "> tsc && prettier --check 'src/**/*.js' && jest\n",
        "npx --no-install prettier --write src/**/*.js",
    );
    check(
        "> npx prettier -c .\n",
        "npx --no-install prettier --write .",
    );
    check("prettier --check src\n", "prettier --write src");
}

#[test]
fn locks_are_mended_offline_before_anything_may_download() {
    let failure = Failure::new(
        "LockOutOfDate",
        "the lock file needs to be updated",
        "cargo",
    );
    let book = RecipeBook::built_in();
    let argv = words("cargo build --locked");
    let situation = Situation {
        argv: &argv,
        failure: Some(&failure),
        category: Category::Dependency,
        output: "",
    };
    let found = book.candidates(Remedy::Fix, &situation);
    let tiers: Vec<_> = found.iter().map(|found| found.recipe.tier).collect();
    assert_eq!(tiers, [Tier::Moderate, Tier::Network]);
    assert_eq!(found[0].argv, words("cargo update --workspace --offline"));
}

#[test]
fn the_book_covers_many_tools_and_every_recipe_is_sound() {
    let book = RecipeBook::built_in();
    let names: BTreeSet<_> = book.recipes().iter().map(|recipe| &recipe.name).collect();
    assert_eq!(
        names.len(),
        book.recipes().len(),
        "a name stands for one recipe"
    );
    let menders = book
        .recipes()
        .iter()
        .filter(|recipe| recipe.tier == Tier::Safe)
        .count();
    assert!(menders >= 25, "{menders} tools mend their own findings");
    RecipeBook::with_user(book.recipes().to_vec()).expect("each would be accepted from a user");
}

#[test]
fn the_users_recipes_come_first_replace_and_switch_off() {
    let own = |name: &str, run: &str, off| Recipe {
        name: name.to_owned(),
        commands: vec!["cargo fmt".to_owned()],
        run: words(run),
        off,
        ..Recipe::default()
    };
    let failure = Failure::new("formatting", "", "");
    let argv = words("cargo fmt --check");
    let situation = Situation {
        argv: &argv,
        failure: Some(&failure),
        category: Category::CodeQuality,
        output: "",
    };
    let runs = |user| {
        let book = RecipeBook::with_user(user).unwrap();
        let found = book.candidates(Remedy::Fix, &situation);
        found
            .iter()
            .map(|found| found.argv.join(" "))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        runs(vec![own("mine", "./fmt", false)]),
        ["./fmt", "cargo fmt"]
    );
    assert_eq!(runs(vec![own("rustfmt", "./fmt", false)]), ["./fmt"]);
    assert!(runs(vec![own("rustfmt", "", true)]).is_empty());
}

#[test]
fn a_users_recipe_that_cannot_work_is_refused_by_name() {
    let nothing_to_run = Recipe {
        name: "half".into(),
        commands: vec!["x".into()],
        ..Recipe::default()
    };
    let nothing_to_match = Recipe {
        name: "blind".into(),
        run: words("x"),
        ..Recipe::default()
    };
    for (recipe, name) in [(nothing_to_run, "half"), (nothing_to_match, "blind")] {
        let error = RecipeBook::with_user(vec![recipe]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(name), "{error}");
    }
}

/// What recipes would run against a dependency's failure.
fn check_missing(command: &str, failure: (&str, &str), output: &str, expected: &[&str]) {
    let failure = Failure::new(failure.0, "No module named 'toml'", failure.1);
    let found = candidates(command, &failure, Category::Dependency, output);
    assert_eq!(found, expected, "{command}");
}

#[test]
fn packages_go_into_the_python_that_missed_them() {
    let missing = ("ModuleNotFoundError", "python");
    let of =
        |python: &str| format!("pip-requirements: {python} -m pip install -r requirements.txt");
    let check = |command: &str, python: &str| {
        check_missing(command, missing, "", &[&of(python)]);
    };
    check(".venv/bin/python -c import", ".venv/bin/python");
    check("python3.11 app.py", "python3.11");
    check(".venv/bin/pytest -q", ".venv/bin/python3");
    check("python -m pytest", "python");
    check("pytest", "python3");
    check("poetry run pytest", "poetry run python3");
    check("poetry run python -m pytest", "poetry run python");
    check_missing(
        "make",
        missing,
        ".venv/bin/python app.py\nerror\n",
        &[&of(".venv/bin/python")],
    );
}

#[test]
fn a_command_that_failed_is_no_remedy_for_itself() {
    let missing = ("MODULE_NOT_FOUND", "npm");
    let install = "npm-install: npm install --no-audit --no-fund";
    for command in ["npm install", "npm i", "npm install -q", "npx npm install"] {
        check_missing(command, missing, "", &[]);
    }
    check_missing("make", missing, "npm install\nnpm error code X\n", &[]);
    check_missing("npm test", missing, "", &[install]);
    check_missing("composer install", ("PackageNotFound", "composer"), "", &[]);
    // What another version of Node would mend is no matter of installing.
    check_missing("npm test", ("EBADENGINE", "npm"), "", &[]);
}
