//! A fixer that learns from its first try: all that it knows of that stands in the context's file.

use std::fs;

use super::{Machine, recover};

/// Guesses once, and from then on mends what it was told was wrong with the guess: the number that
/// its patch wrote, by as much as the failure then said.
const LEARNER: &str = r#"#!/usr/bin/python3
import json, os, re
with open(os.environ["RECOVER_CONTEXT_JSON"]) as file:
    context = json.load(file)
assert context["version"] == 1
tries = context["attempts"]
guess = 10
if tries:
    last = tries[-1]
    assert last["undone"] and last["files_modified"] == ["value"], last
    with open(last["patch"]["path"]) as file:
        wrote = int(re.search(r"^\+(\d+)$", file.read(), re.M)[1])
    guess = wrote + int(re.search(r"too small by (\d+)", last["failed_with"]["message"])[1])
with open("value", "w") as file:
    file.write(f"{guess}\n")
"#;

const CHECK: &str = "\
text = open('value').read()
if not text.strip().isdigit():
    raise ValueError('no number')
if int(text) != 4711:
    raise ValueError(f'too small by {4711 - int(text)}')
";

#[test]
fn a_fixer_that_is_told_what_was_wrong_with_its_first_try_cures_at_the_second() {
    let machine = Machine::new();
    machine.write("project/value", "nothing yet\n");
    machine.write("project/check.py", CHECK);
    machine.write("learner.py", LEARNER);
    let fast = ["run", "--session", "s", "--max-delay", "1ms", "--fix"];
    let fix = "/usr/bin/python3 -B ../learner.py";
    let check = ["--", "/usr/bin/python3", "-B", "check.py"];
    let run = machine.recover(&[&fast[..], &[fix], &check].concat());
    assert_eq!(run.code, 0, "{run:?}");
    let value = fs::read_to_string(machine.work().join("value")).unwrap();
    assert_eq!(value, "4711\n");
    let history = machine.recover(&["history", "s", "--json"]).json();
    let entries = history.as_array().expect("a list");
    assert_eq!(entries.len(), 2, "{history}");
    assert_eq!(entries[0]["rollback_performed"], true, "{history}");
    assert_eq!(entries[1]["success"], true, "{history}");
}

#[test]
fn a_prompt_alone_is_enough_for_an_agent_that_reads_stdin() {
    let machine = super::project();
    let agent = "grep -q 'This is try 2 of 3' \"$RECOVER_PROMPT\" && \
                 grep -q -- '-    return pieces \\* 3' \"$RECOVER_PROMPT\" && \
                 printf '%s' \"$MENDED\" > price.py || echo 'def price(n): return 0' > price.py";
    let variables = [("MENDED", super::PRICE_MENDED)];
    let run = recover(&machine, &["--fix", agent], &variables);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("2 attempts"), "{run:?}");
}
