//! Small real projects, each broken in one known way, from end to end.
//!
//! `tests/projects/` holds a folder for each, with what must become of it in its `project.toml`,
//! and each is a test of its own here. Whatever the project: what is said to be cured passes
//! without `recover`, what is not leaves every byte and mode as they were, `.git` is never touched,
//! no process stays, and the record says the same.

#![expect(
    clippy::print_stdout,
    reason = "a project that fails shows what it printed"
)]

mod description;
mod processes;
mod reach;
mod stage;
pub(crate) mod tools;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use description::{Expected, Project};
use stage::{Ended, Stage};

/// Declares the tests, one a folder.
macro_rules! projects {
    ($($name:ident)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                check(stringify!($name));
            }
        )*
    };
}

projects! {
    alternative_stands_in
    black_behind_just
    black_behind_make
    black_behind_npm
    black_behind_pre_commit
    black_behind_sh_x
    black_behind_shell_in_folder
    black_behind_silent_make
    black_module
    cargo_lock_behind
    cargo_unused_import
    clang_format_behind_make
    clang_format_behind_make_cd
    clang_format_error
    clippy_as_errors_behind_shell
    clippy_behind_make
    clippy_finding
    clippy_finding_and_another
    command_not_found
    crlf_lines
    crlf_lines_undone
    disk_full
    endless_loop
    eslint_behind_make
    eslint_behind_npm
    eslint_behind_npm_exec
    eslint_behind_npm_prefix
    eslint_behind_npx
    eslint_finding
    eslint_finding_and_another
    eslint_in_npm_workspace
    eslint_then_prettier
    fix_in_two_steps
    fix_leaves_a_process
    fix_makes_it_worse
    flaky_counter
    flaky_test
    folder_outside_behind_make
    header_missing
    isort_and_black_in_one_shell
    isort_behind_just_below
    isort_behind_lefthook
    isort_behind_make
    isort_behind_make_in_folder
    isort_check
    json_not_json
    killed
    lasting_behind_make
    merge_conflict
    monorepo_folder
    name_not_found
    node_module_missing
    node_test_fails
    npm_lock_behind
    odd_names
    port_in_use
    pre_commit_mends
    prettier_behind_npm
    prettier_behind_npm_below
    prettier_behind_shell_in_folder
    prettier_check
    prettier_in_npm_workspace
    prettier_syntax_error
    protected_tests
    pytest_fails
    python_module_missing
    repository_inside
    repository_inside_undone
    ruff_behind_just
    ruff_behind_lefthook
    ruff_behind_make
    ruff_behind_make_in_folder
    ruff_behind_npm
    ruff_behind_pre_commit
    ruff_behind_shell_in_folder
    ruff_behind_silent_make
    ruff_black_and_lasting
    ruff_check
    ruff_check_and_another
    ruff_format
    ruff_format_behind_make
    ruff_then_black
    rust_test_fails
    rust_type_error
    rust_unknown_crate
    rustfmt_behind_just
    rustfmt_behind_make
    rustfmt_behind_shell_in_folder
    rustfmt_behind_silent_make
    rustfmt_check
    script_not_executable
    segmentation_fault
    server_not_up_yet
    shell_syntax_error
    shfmt_behind_env_and_timeout
    shfmt_behind_just
    shfmt_behind_make
    shfmt_diff
    staged_changes
    symbol_missing
    test_behind_npm
    typos_behind_make
    typos_behind_pre_commit
    typos_finding
    unittest_fails
    unknown_failure
    without_git
    without_git_undone
    words_of_a_formatter
}

#[test]
fn every_folder_is_a_test() {
    let mut folders: Vec<_> = fs::read_dir(projects_folder())
        .expect("list the projects")
        .map(|entry| entry.expect("list the projects").path())
        .filter(|path| path.join(description::FILE).exists())
        .map(|path| path.file_name().expect("a name").to_owned())
        .collect();
    folders.sort();
    assert_eq!(folders, NAMES);
}

/// Most people run a tool behind another: so do most of these.
#[test]
fn many_projects_are_behind_wrappers() {
    let read = |name: &&&str| Project::read(&projects_folder().join(name));
    let behind = NAMES.iter().filter(|name| !read(name).behind.is_empty());
    assert!(behind.count() >= 40 && NAMES.len() >= 100);
}

fn projects_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/projects")
}

/// Runs the project's command with `recover` as often as its description says.
fn check(name: &str) {
    let folder = projects_folder().join(name);
    let project = Project::read(&folder);
    let mut stage = Stage::set(&folder, &project);
    if !project.hangs {
        let broken = stage.bare(&project);
        assert_ne!(broken.code, 0, "{name} passes without recover: {broken:#?}");
        if project.run.iter().any(|run| run.by_itself) {
            // It is mended now.
            stage = Stage::set(&folder, &project);
        }
    }
    for expected in &project.run {
        check_run(&stage, &project, expected);
    }
}

fn check_run(stage: &Stage, project: &Project, expected: &Expected) {
    let before = stage.tree();
    let mut args = vec!["run"];
    args.extend(expected.flags.iter().map(String::as_str));
    args.push("--");
    args.extend(project.command.iter().map(String::as_str));
    let ended = stage.recover(&args, &project.cwd);
    let changes = stage.changes_since(&before, project);
    println!("{}{}", ended.stdout, ended.stderr);

    assert_eq!(ended.code, expected.exit, "the exit code");
    assert_eq!(changes, expected.changes, "what changed");
    assert!(expected.is_cure() || changes.is_empty(), "{changes:?}");
    assert_eq!(stage.left_running(), [""; 0], "what still runs");
    for words in &expected.says {
        assert!(
            ended.stderr.contains(words),
            "stderr does not say {words:?}"
        );
    }
    check_record(stage, expected, &changes);
    if expected.is_cure() && !expected.stands_in {
        let again = stage.bare(project);
        assert_eq!(again.code, 0, "said to be cured, and is not: {again:#?}");
    }
}

/// The record tells of the run what the run did.
fn check_record(stage: &Stage, expected: &Expected, changes: &[String]) {
    let json = |args: &[&str]| parse(&stage.recover(args, ""));
    let sessions = json(&["sessions", "--json"]);
    if !expected.recorded {
        assert_eq!(sessions, serde_json::json!([]), "nothing is on record");
        return;
    }
    let session = &sessions[0];
    let id = session["session_id"].as_str().expect("a session id");
    let outcome = if expected.is_cure() {
        "recovered"
    } else {
        "escalated"
    };
    assert_eq!(session["outcome"], outcome, "the recorded outcome");

    let journal = stage.journal(id);
    let failure = journal
        .iter()
        .find(|event| event["event"] == "failure_detected")
        .expect("a failure on record");
    assert_eq!(
        failure["category"],
        expected.category.as_str(),
        "{failure:#}"
    );
    if !expected.error_type.is_empty() {
        let found = &failure["failure"]["error_type"];
        assert_eq!(found, expected.error_type.as_str(), "{failure:#}");
    }

    let entries = json(&["history", id, "--json"]);
    let entries = entries.as_array().expect("an array");
    assert_eq!(entries.len(), expected.attempts, "attempts: {entries:#?}");
    let cures: Vec<_> = entries
        .iter()
        .filter(|entry| entry["success"] == true)
        .collect();
    let undone = entries
        .iter()
        .filter(|entry| entry["rollback_performed"] == true)
        .count();
    assert_eq!(undone, expected.undone, "attempts undone: {entries:#?}");
    assert_eq!(cures.len(), usize::from(expected.is_cure()), "{entries:#?}");
    for cure in cures {
        assert_eq!(cure["strategy"], expected.cured_by.as_str());
        assert_eq!(cure["next_action"], "complete");
        // What changes in a retry, the command changed, not the strategy.
        let changes = if cure["strategy"] == "retry" || expected.by_itself {
            &[][..]
        } else {
            changes
        };
        assert_eq!(modified(entries), changes, "files modified: {entries:#?}");
    }
}

/// The files that the attempts that were kept changed.
fn modified(entries: &[Value]) -> Vec<String> {
    let mut files: Vec<_> = entries
        .iter()
        .filter(|entry| entry["rollback_performed"] == false)
        .flat_map(|entry| entry["files_modified"].as_array().expect("an array"))
        .map(|file| file.as_str().expect("a path").to_owned())
        .collect();
    files.sort();
    files.dedup();
    files
}

fn parse(ended: &Ended) -> Value {
    assert_eq!(ended.code, 0, "{ended:#?}");
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:#?}"))
}
