//! The rules of STYLE.md that a machine can check, checked over the whole repository.
//!
//! Every rule lists all of its findings at once, each with its place, the reason and the way out.
//! Nothing is exempt silently: an exemption stands in a table here, or it does not exist. The rules
//! are pure functions of text with their own cases, so a rule that has gone blind fails as well.

mod architecture;
mod arrows;
mod circles;
mod edges;
mod ground;
mod house;
mod limits;
mod phrases;
mod platform;
mod reads;
mod recorder;
mod rust;
mod shape;
mod tree;

use tree::Tree;

/// Fails with every finding of one rule.
#[track_caller]
fn assert_clean(findings: Vec<String>) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn modules_import_along_the_arrows() {
    assert_clean(arrows::in_library(&Tree::read()));
}

#[test]
fn the_architecture_page_says_who_imports_whom() {
    assert_clean(architecture::page(&Tree::read()));
}

#[test]
fn what_embedders_build_on_is_public() {
    assert_clean(architecture::closed_boundaries(&Tree::read()));
}

#[test]
fn crates_depend_along_the_arrows() {
    assert_clean(arrows::between_crates(&Tree::read()));
}

#[test]
fn files_import_each_other_in_no_circle() {
    assert_clean(circles::among_files(&Tree::read()));
}

#[test]
fn files_of_others_are_opened_in_one_way() {
    assert_clean(reads::raw_reads(&Tree::read()));
}

#[test]
fn text_for_stores_is_made_in_one_place() {
    assert_clean(recorder::other_makers(&Tree::read()));
}

#[test]
fn files_are_made_and_replaced_in_one_way() {
    assert_clean(ground::calls_elsewhere(&Tree::read()));
}

#[test]
fn what_is_linuxs_own_stands_in_one_room() {
    assert_clean(platform::outside_the_room(&Tree::read()));
}

#[test]
fn the_library_speaks_no_command_line() {
    assert_clean(edges::command_lines(&Tree::read()));
}

#[test]
fn sentences_say_who_does_what() {
    assert_clean(phrases::unclear(&Tree::read()));
}

#[test]
fn every_workspace_dependency_is_used() {
    assert_clean(arrows::unused_dependencies(&Tree::read()));
}

#[test]
fn functions_are_short() {
    assert_clean(limits::function_lengths(&Tree::read()));
}

#[test]
fn files_are_short() {
    assert_clean(limits::file_lengths(&Tree::read()));
}

#[test]
fn comments_are_as_wide_as_code() {
    assert_clean(limits::wide_comments(&Tree::read()));
}

#[test]
fn every_file_is_declared_by_its_parent() {
    assert_clean(shape::undeclared_files(&Tree::read()));
}

#[test]
fn roots_only_declare_and_re_export() {
    assert_clean(shape::roots_with_code(&Tree::read()));
}

#[test]
fn every_module_says_what_it_is_for() {
    assert_clean(shape::files_without_a_head(&Tree::read()));
}

#[test]
fn nothing_forbidden_is_written() {
    assert_clean(limits::forbidden_words(&Tree::read()));
}

#[test]
fn nothing_names_a_path_of_one_machine() {
    assert_clean(house::machine_paths(&Tree::read()));
}

#[test]
fn the_changelog_knows_this_version() {
    assert_clean(house::changelog(&Tree::read(), env!("CARGO_PKG_VERSION")));
}

#[test]
fn links_between_pages_lead_somewhere() {
    assert_clean(house::dead_links(&Tree::read()));
}

#[test]
fn the_site_has_every_page() {
    assert_clean(house::pages_out_of_the_site(&Tree::read()));
}

#[test]
fn scripts_stop_at_the_first_failure() {
    assert_clean(house::careless_scripts(&Tree::read()));
}

#[test]
fn sessions_in_commands_are_words_of_a_shell() {
    assert_clean(house::unquoted_sessions(&Tree::read()));
}

#[test]
fn the_justfile_has_few_verbs() {
    assert_clean(house::justfile_verbs(&Tree::read()));
}
