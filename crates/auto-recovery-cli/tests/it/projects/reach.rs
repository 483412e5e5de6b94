//! Recipes whose tool is here, behind each wrapper that is here: cured, or a reason why not.

use std::collections::BTreeMap;

use auto_recovery::testing::Rounds;

use super::description::Project;
use super::projects_folder;
use super::stage::Stage;

/// A recipe, the project that its tool finds something in, the tool's command, and what is to
/// change.
const RECIPES: [(&str, &str, &str, &str); 16] = [
    (
        "ruff-check",
        "ruff_check",
        "ruff check --isolated app.py",
        "app.py",
    ),
    (
        "ruff-format",
        "ruff_format",
        "ruff format --check app.py",
        "app.py",
    ),
    ("black", "black_module", "black --check app.py", "app.py"),
    (
        "isort",
        "isort_check",
        "isort --check-only app.py",
        "app.py",
    ),
    (
        "autopep8",
        "black_module",
        "autopep8 --diff --exit-code app.py",
        "app.py",
    ),
    ("yapf", "black_module", "yapf --diff app.py", "app.py"),
    (
        "pyupgrade-autoflake",
        "ruff_check",
        "autoflake --check-diff app.py",
        "app.py",
    ),
    (
        "docformatter",
        "isort_check",
        "docformatter --check app.py",
        "app.py",
    ),
    ("shfmt", "shfmt_diff", "shfmt -d -i 4 build.sh", "build.sh"),
    (
        "clang-format",
        "clang_format_error",
        "clang-format --dry-run --Werror price.c",
        "price.c",
    ),
    (
        "rustfmt",
        "rustfmt_check",
        "cargo fmt --check",
        "src/main.rs",
    ),
    (
        "clippy",
        "clippy_finding",
        "cargo clippy --offline -- -D warnings",
        "src/main.rs",
    ),
    (
        "cargo-fix",
        "cargo_unused_import",
        "cargo check --offline",
        "src/main.rs",
    ),
    ("typos", "typos_finding", "typos README", "README"),
    ("eslint", "eslint_finding", "eslint src", "src/price.js"),
    (
        "prettier",
        "prettier_check",
        "prettier --check src",
        "src/price.js",
    ),
];

/// A wrapper, the files that it takes, the command, and the folder that the project is in. `CMD`
/// is the tool's command.
type Wrapper = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static str,
);

const MAKE: Wrapper = ("make", &[("Makefile", "lint:\n\tCMD\n")], "make lint", "");
const MAKE_BELOW: Wrapper = (
    "make",
    &[
        ("Makefile", "lint:\n\t$(MAKE) -C web lint\n"),
        ("web/Makefile", "lint:\n\tCMD\n"),
    ],
    "make lint",
    "web",
);
const JUST: Wrapper = ("just", &[("justfile", "lint:\n    CMD\n")], "just lint", "");
const SHELL: Wrapper = ("sh", &[("note", "")], "cd web && CMD", "web");
const NPM: Wrapper = (
    "npm",
    &[(
        "package.json",
        r#"{"name":"x","version":"1.0.0","scripts":{"lint":"CMD"}}"#,
    )],
    "npm run lint",
    "",
);
const YARN: Wrapper = ("node", NPM.1, "node_modules/.bin/yarn lint", "");
const LEFTHOOK: Wrapper = (
    "lefthook",
    &[(
        "lefthook.yml",
        "pre-commit:\n  commands:\n    lint:\n      run: CMD\n",
    )],
    "lefthook run pre-commit --force",
    "",
);
const PRE_COMMIT: Wrapper = (
    "pre-commit",
    &[(
        ".pre-commit-config.yaml",
        "repos:\n- repo: local\n  hooks:\n  - {id: lint, name: lint, language: system, \
         pass_filenames: false, entry: CMD}\n",
    )],
    "pre-commit run --all-files",
    "",
);
const NPX: Wrapper = ("npx", &[("note", "")], "npx --no-install CMD", "");

/// Tools that only a package's own scripts find.
const OF_PACKAGES: [&str; 2] = ["eslint", "prettier"];

/// Runners of hooks print what a tool wrote, and not how it was called: words that its tool alone
/// writes lead to a recipe there, and to the file that they name.
const UNNAMED: &str = "its output does not say whose it is";

/// The same holds for how it was called.
const OPTIONS: &str = "its options stand in the configuration of the hook alone";

/// Where a recipe is rightly not found, and why: nothing may change then.
const REASONS: &[(&str, &str, &str)] = &[
    ("lefthook", "shfmt", OPTIONS),
    ("pre-commit", "shfmt", OPTIONS),
    ("lefthook", "autopep8", UNNAMED),
    ("lefthook", "yapf", UNNAMED),
    ("lefthook", "pyupgrade-autoflake", UNNAMED),
    ("lefthook", "docformatter", UNNAMED),
    (
        "lefthook",
        "cargo-fix",
        "the file that it names is no command to mend",
    ),
    ("pre-commit", "autopep8", UNNAMED),
    ("pre-commit", "yapf", UNNAMED),
    ("pre-commit", "pyupgrade-autoflake", UNNAMED),
    ("pre-commit", "docformatter", UNNAMED),
    (
        "pre-commit",
        "cargo-fix",
        "the file that it names is no command to mend",
    ),
];

fn reason(wrapper: &str, recipe: &str) -> Option<&'static str> {
    let known = REASONS
        .iter()
        .find(|known| known.0 == wrapper && known.1 == recipe);
    known.map(|known| known.2)
}

/// Tries the `recipes` behind `wrapper`: every second one, which are others behind the next
/// wrapper; in a long campaign, all. Tools take their time.
fn check((wrapper, turn): (Wrapper, usize), recipes: impl Fn(&str) -> bool) {
    let every = Rounds {
        ordinary: 2,
        long: 1,
    }
    .count() as usize;
    let mut wrong = Vec::new();
    let tried = RECIPES.iter().filter(|recipe| recipes(recipe.0));
    for recipe in tried.skip(turn % every).step_by(every) {
        let tried = try_one(wrapper, *recipe);
        let said = match (tried, reason(wrapper.0, recipe.0)) {
            (Tried::Cured, None) | (Tried::Untouched(_), Some(_)) => continue,
            (Tried::Cured, Some(reason)) => format!("cured, and yet {reason}"),
            (Tried::Untouched(said) | Tried::Wrong(said), _) => said,
        };
        wrong.push(format!("{} behind {}: {said}", recipe.0, wrapper.2));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What became of one recipe behind one wrapper.
enum Tried {
    Cured,
    /// Not cured, and nothing changed.
    Untouched(String),
    Wrong(String),
}

fn try_one(
    (wrapper, files, command, into): Wrapper,
    (name, like, tool, changed): (&str, &str, &str, &str),
) -> Tried {
    let is_of_package = OF_PACKAGES.contains(&name);
    let tool = match is_of_package && !command.contains("CMD") && files[0].0 != "package.json" {
        true => format!("node_modules/.bin/{tool}"),
        false => tool.to_owned(),
    };
    let fill = |text: &str| text.replace("CMD", &tool);
    let mut files: BTreeMap<String, String> = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), fill(text)))
        .collect();
    let folder = projects_folder().join(like);
    if name == "docformatter" {
        files.insert(
            format!("./{into}/app.py"),
            "\"\"\"   Says nothing.\n\n\n\"\"\"\n".to_owned(),
        );
    }
    let command = fill(command);
    let words: Vec<String> = match command.contains("&&") {
        true => ["sh", "-c", &command].map(str::to_owned).to_vec(),
        false => command.split(' ').map(str::to_owned).collect(),
    };
    let project = Project::made(wrapper, like, into, words.clone(), files);
    let stage = Stage::set(&folder.with_file_name("versions"), &project);
    if stage.bare(&project).code == 0 {
        return Tried::Wrong("it passes without recover".to_owned());
    }
    let before = stage.tree();
    let mut args = vec!["run", "--"];
    args.extend(words.iter().map(String::as_str));
    let ended = stage.recover(&args, "");
    let changes = stage.changes_since(&before, &project);
    let expected = match into.is_empty() {
        true => changed.to_owned(),
        false => format!("{into}/{changed}"),
    };
    let by = format!("recipe {name}, ");
    let said = format!(
        "{}, {changes:?}: {}{}",
        ended.code, ended.stdout, ended.stderr
    );
    match ended.code {
        0 if changes != [expected] || !ended.stderr.contains(&by) => Tried::Wrong(said),
        0 if stage.bare(&project).code != 0 => Tried::Wrong(said),
        0 => Tried::Cured,
        _ if changes.is_empty() => Tried::Untouched(said),
        _ => Tried::Wrong(said),
    }
}

/// Those of no package: a task runner does not find the programs of one.
fn is_on_path(recipe: &str) -> bool {
    !OF_PACKAGES.contains(&recipe)
}

fn is_of_package(recipe: &str) -> bool {
    OF_PACKAGES.contains(&recipe)
}

#[test]
fn behind_make() {
    check((MAKE, 0), |_| true);
}

#[test]
fn behind_make_in_a_folder() {
    check((MAKE_BELOW, 1), |_| true);
}

#[test]
fn behind_just() {
    check((JUST, 0), |_| true);
}

#[test]
fn behind_a_shell_in_a_folder() {
    check((SHELL, 1), is_on_path);
}

#[test]
fn behind_npm() {
    check((NPM, 0), |_| true);
}

#[test]
fn behind_yarn() {
    check((YARN, 1), is_of_package);
}

#[test]
fn behind_npx() {
    check((NPX, 0), is_of_package);
}

#[test]
fn behind_lefthook() {
    check((LEFTHOOK, 0), is_on_path);
}

#[test]
fn behind_pre_commit() {
    check((PRE_COMMIT, 1), is_on_path);
}
