//! Detection: the built-in rules one by one, and what they say of real outputs of real tools.

use std::collections::{BTreeMap, BTreeSet};

use auto_recovery::Category;
use auto_recovery::detect::{BatchInput, BatchOutput, Rules};
use serde::Deserialize;

/// A case for each rule, in the format that the file describes.
const RULES: &str = include_str!("../data/rules.txt");

/// Outputs of tools that were really run on projects that were really broken, with labels that say
/// what was done to them.
const OUTPUTS: &str = include_str!("../data/outputs.jsonl");

/// One labelled output.
#[derive(Deserialize)]
struct Labelled {
    #[serde(flatten)]
    input: BatchInput,
    category: Category,
    error_type: Option<String>,
    file_path: Option<String>,
    line_number: Option<u64>,
}

#[test]
fn builtin_rules_are_sound() {
    let all = Rules::builtin().iter().cloned().collect();
    if let Err(error) = Rules::with_user(all) {
        panic!("{}", error.chain());
    }
    let mut ids = BTreeSet::new();
    let mut unguided = 0;
    for rule in Rules::builtin().iter() {
        assert!(ids.insert(&rule.id), "two rules are called {}", rule.id);
        // Without literals a rule is tried on every line near the ends: few may cost that.
        if rule.line.is_some() && rule.find.is_empty() {
            unguided += 1;
        }
    }
    assert!(
        unguided <= 12,
        "{unguided} rules have no literals: give them find"
    );
}

#[test]
fn each_rule_decides_its_case() {
    let mut wrong = Vec::new();
    for case in RULES.split("\n= ").skip(1) {
        if let Err(difference) = check_rule(case) {
            wrong.push(difference);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_rule_is_without_a_case() {
    let decided: BTreeSet<String> = labelled()
        .map(|case| case.input.classify(Rules::builtin()).rule)
        .chain(
            RULES
                .split("\n= ")
                .skip(1)
                .map(|case| case.split(" | ").next().unwrap_or_default().to_owned()),
        )
        .collect();
    let without: Vec<&str> = Rules::builtin()
        .iter()
        .map(|rule| &*rule.id)
        .filter(|id| !decided.contains(*id))
        .collect();
    assert!(without.is_empty(), "no case for {}", without.join(", "));
}

/// The floors are the product's aims: a person who trusts the category must rarely be led astray,
/// and hardly ever into trying again what cannot pass.
#[test]
fn real_outputs_are_classified() {
    let mut table: BTreeMap<(Category, Category), u32> = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in labelled() {
        let output = case.input.classify(Rules::builtin());
        *table.entry((case.category, output.category)).or_default() += 1;
        if output.category != case.category {
            wrong.push(format!(
                "{}: {} by {}",
                output.id, output.category, output.rule
            ));
        }
    }
    let count = |wanted: &dyn Fn(Category, Category) -> bool| -> f64 {
        table
            .iter()
            .filter(|((label, got), _)| wanted(*label, *got))
            .map(|(_, count)| f64::from(*count))
            .sum()
    };
    print_table(&table);
    let all = count(&|_, _| true);
    assert!(
        count(&|label, got| label == got) >= 0.97 * all,
        "{}",
        wrong.join("\n")
    );
    for category in Category::ALL {
        let labels = count(&|label, _| label == category);
        let found = count(&|label, got| label == category && got == category);
        assert!(found >= 0.92 * labels, "{category}: {found} of {labels}");
    }
    let lasting = count(&|label, _| label != Category::Transient);
    let retried = count(&|label, got| label != got && got == Category::Transient);
    assert!(
        retried <= 0.01 * lasting,
        "{retried} lasting failures would be retried"
    );
}

#[test]
fn what_agents_say_in_somebodys_tests_is_a_tests_failure() {
    let said = [
        "rate_limit_error",
        "overloaded_error",
        "You've hit your limit · resets 5pm (Europe/Berlin)",
        "RESOURCE_EXHAUSTED",
        "Invalid API key",
        "Prompt is too long",
    ];
    for said in said {
        let output = format!(
            "E       AssertionError: assert '{said}' == 'ok'\n\ntests/test_api.py:5: AssertionError\n\
             FAILED tests/test_api.py::test_api - AssertionError: assert '{said}' == 'ok'\n\
             ========= 1 failed, 3 passed in 0.12s =========\n"
        );
        let input = BatchInput {
            argv: vec!["pytest".to_owned()],
            exit_code: Some(1),
            stdout: output,
            ..BatchInput::default()
        };
        let got = input.classify(Rules::builtin());
        assert_eq!(got.category, Category::TestFailure, "{said}: {}", got.rule);
    }
}

#[test]
fn messages_say_what_tells_most() {
    let check = |argv: &str, stderr: &str, expected: &str| {
        let input = BatchInput {
            argv: argv.split(' ').map(str::to_owned).collect(),
            exit_code: Some(127),
            stderr: stderr.to_owned(),
            ..BatchInput::default()
        };
        assert_eq!(input.classify(Rules::builtin()).message, expected);
    };
    check(
        "./run",
        "/usr/bin/env: ‘nodejs18’: No such file or directory\n",
        "nodejs18: No such file or directory",
    );
    check(
        "timeout 9 frob",
        "timeout: failed to run command 'frob': No such file or directory\n",
        "frob: No such file or directory",
    );
    check(
        "npm install",
        "npm error code ERESOLVE\nnpm error ERESOLVE unable to resolve dependency tree\nnpm error\n\
         npm error Could not resolve dependency:\n\
         npm error peer react@\"^18.2.0\" from react-dom@18.2.0\n",
        "peer react@\"^18.2.0\" from react-dom@18.2.0",
    );
    check(
        "cargo build",
        "error: not this way\n --> src/main.rs:2:5\n  |\n\nerror: could not compile `p` (bin \"p\")\n",
        "not this way",
    );
}

#[test]
fn real_outputs_name_type_and_place() {
    let (mut types, mut typed, mut files, mut filed, mut lines, mut lined) = (0, 0, 0, 0, 0, 0);
    for case in labelled() {
        let output = case.input.classify(Rules::builtin());
        if let Some(wanted) = &case.error_type {
            typed += 1;
            types += u32::from(output.error_type.rsplit('.').next() == Some(wanted));
        }
        if let Some(wanted) = &case.file_path {
            filed += 1;
            let same = output.file_path.is_some_and(|file| file.ends_with(wanted));
            files += u32::from(same);
            if case.line_number.is_some() {
                lined += 1;
                lines += u32::from(same && output.line_number == case.line_number);
            }
        }
    }
    let score = format!("types {types}/{typed}, files {files}/{filed}, lines {lines}/{lined}");
    assert!(f64::from(types) >= 0.95 * f64::from(typed), "{score}");
    assert!(f64::from(files) >= 0.90 * f64::from(filed), "{score}");
    assert!(f64::from(lines) >= 0.85 * f64::from(lined), "{score}");
}

fn labelled() -> impl Iterator<Item = Labelled> {
    OUTPUTS
        .lines()
        .map(|line| serde_json::from_str(line).expect("the data file holds one case a line"))
}

/// Whether the case, in the format of `rules.txt`, is decided by its rule with its type and place.
fn check_rule(case: &str) -> Result<(), String> {
    let (head, output) = case.split_once('\n').unwrap_or((case, ""));
    let [rule, command, end, error_type, place] = head.split(" | ").collect::<Vec<_>>()[..] else {
        return Err(format!("{head}: not five columns"));
    };
    let input = BatchInput {
        argv: command.split(' ').map(str::to_owned).collect(),
        exit_code: end.parse().ok(),
        signal: end
            .strip_prefix("signal ")
            .and_then(|signal| signal.parse().ok()),
        timed_out: end == "time limit",
        stderr: output.to_owned(),
        ..BatchInput::default()
    };
    let got = input.classify(Rules::builtin());
    let said = format!("{} | {} | {}", got.rule, got.error_type, place_of(&got));
    let wanted = format!("{rule} | {error_type} | {place}");
    if said == wanted {
        Ok(())
    } else {
        Err(format!("{command}: {said}, not {wanted}"))
    }
}

fn place_of(output: &BatchOutput) -> String {
    match (&output.file_path, output.line_number) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.clone(),
        (None, _) => "-".to_owned(),
    }
}

/// Labels down, answers across, in the order of [`Category::ALL`].
#[expect(clippy::print_stdout, reason = "what a person reads of this test")]
fn print_table(table: &BTreeMap<(Category, Category), u32>) {
    for label in Category::ALL {
        let row = Category::ALL.map(|got| table.get(&(label, got)).copied().unwrap_or_default());
        println!("{label:13} {row:3?}");
    }
}
