//! Detection: the rules as they are, and what they say of real outputs.

use auto_recovery::detect::{BatchInput, Rules};

#[test]
fn score_dev() {
    let Ok(path) = std::env::var("CORPUS") else {
        return;
    };
    let text = std::fs::read_to_string(path).unwrap();
    for line in text.lines() {
        let input: BatchInput = serde_json::from_str(line).unwrap();
        let output = input.classify(Rules::builtin());
        println!("@@{}", serde_json::to_string(&output).unwrap());
    }
}

#[test]
fn builtin_rules_are_sound() {
    let all = Rules::builtin().iter().cloned().collect();
    if let Err(error) = Rules::with_user(all) {
        panic!("{}", error.chain());
    }
    for rule in Rules::builtin().iter() {
        assert!(
            rule.line.is_none() || !rule.find.is_empty(),
            "rule {} reads every line of every output: give it find",
            rule.id
        );
    }
}
