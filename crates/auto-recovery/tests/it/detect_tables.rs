//! Detection by codes and sentences that need no tool's name: the tables of codes, package
//! managers, checks, and trouble that passes.

use auto_recovery::detect::{BatchInput, Rules};

/// The cases, in the format that the file describes.
const CASES: &str = include_str!("../data/tables.txt");

#[test]
fn sentences_and_codes_tell_whatever_ran_the_tool() {
    let cases = CASES.split("\n= ").skip(1).map(without_remarks);
    let wrong: Vec<String> = cases.filter_map(|case| check(&case).err()).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The case without the headings that stand before the next one.
fn without_remarks(case: &str) -> String {
    let lines = case.lines().filter(|line| !line.starts_with("# --- "));
    lines.collect::<Vec<_>>().join("\n")
}

fn check(case: &str) -> Result<(), String> {
    let (head, output) = case.split_once('\n').unwrap_or((case, ""));
    let [category, command, exit, place] = head.split(" | ").collect::<Vec<_>>()[..] else {
        return Err(format!("{head}: not four columns"));
    };
    let input = BatchInput {
        argv: command.split(' ').map(str::to_owned).collect(),
        exit_code: exit.parse().ok(),
        stdout: output.to_owned(),
        ..BatchInput::default()
    };
    let got = input.classify(Rules::builtin());
    let at = match (&got.file_path, got.line_number) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.clone(),
        (None, _) => "-".to_owned(),
    };
    if got.category.as_str() == category && (place == "-" || at == place) {
        Ok(())
    } else {
        let first = output.lines().next().unwrap_or_default();
        Err(format!(
            "{first}\n   {} by {} at {at}, not {category} at {place}",
            got.category, got.rule
        ))
    }
}
