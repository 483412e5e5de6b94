//! `http_model.py`: what it asks, what it writes, and what it refuses to write.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use super::endpoint::{Answer, Endpoint};
use super::{Machine, PRICE_MENDED, Run, assert_untouched, fixer, kept, project, recover};

/// Nobody's key; it must be sent and never kept.
const KEY: &str = "key-of-the-test";

fn ask(machine: &Machine, endpoint: &Endpoint, options: &[&str]) -> Run {
    let fix = format!("{} price.py", fixer("http_model.py"));
    let variables = [
        ("MODEL_URL", endpoint.url.as_str()),
        ("MODEL_NAME", "stand-in"),
        ("MODEL_KEY", KEY),
    ];
    recover(
        machine,
        &[&["--fix", &fix][..], options].concat(),
        &variables,
    )
}

/// A model's message that replaces `path`.
fn replacing(path: &str, content: &str) -> Answer {
    Answer::Says(format!(
        "I looked into it.\n\nFILE {path}\n````python\n{content}````\n\nThat should do."
    ))
}

#[test]
fn nonsense_is_a_failed_attempt_and_the_right_file_a_cure() {
    let machine = project();
    let nonsense = Answer::Says("Have you tried \u{1b}]0;turning it off\u{7} again?".to_owned());
    let endpoint = Endpoint::answering(vec![nonsense, replacing("price.py", PRICE_MENDED)]);
    let run = ask(&machine, &endpoint, &[]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.stderr.contains("recovered by fix, 2 attempts"),
        "{run:?}"
    );
    let price = fs::read_to_string(machine.work().join("price.py")).unwrap();
    assert_eq!(price, PRICE_MENDED);

    let first = kept(&machine, 1);
    assert!(
        first.contains("Have you tried ?]0;turning it off? again?"),
        "{first}"
    );
    assert!(first.contains("the answer holds no file"), "{first}");
    let second = kept(&machine, 2);
    assert!(second.contains("I looked into it."), "{second}");
    let shown = machine.recover(&["show", "s", "2"]).stdout;
    assert!(shown.contains("1 if pieces >= 10 else 0"), "{shown}");
}

#[test]
fn the_failure_is_asked_about_as_data() {
    let machine = project();
    let endpoint = Endpoint::answering(vec![replacing("price.py", PRICE_MENDED)]);
    assert_eq!(ask(&machine, &endpoint, &[]).code, 0);

    let [question] = &endpoint.asked()[..] else {
        panic!("one attempt asks once");
    };
    assert_eq!(question.line, "POST /v1/chat/completions HTTP/1.1");
    assert_eq!(
        question.header("authorization"),
        Some(&*format!("Bearer {KEY}"))
    );
    assert_eq!(question.header("content-type"), Some("application/json"));
    assert_eq!(question.body["model"], "stand-in");
    let messages = question.body["messages"].as_array().unwrap();
    let role = |at: usize| messages[at]["role"].as_str().unwrap();
    assert_eq!((messages.len(), role(0), role(1)), (2, "system", "user"));
    let data: Value = serde_json::from_str(messages[1]["content"].as_str().unwrap()).unwrap();
    assert_eq!(data["failure"]["error_type"], "AssertionError");
    assert!(data["output"].as_str().unwrap().contains("30 != 29"));
    assert_eq!(data["files"]["price.py"], super::PRICE);
    assert_eq!(data["files"]["test_price.py"], super::TEST_PRICE);

    let state = machine.recover(&["export", "s", "--format", "json", "-o", "-"]);
    assert!(!state.stdout.contains(KEY) && !kept(&machine, 1).contains(KEY));
}

#[test]
fn nothing_is_written_outside_of_the_workspace() {
    let machine = project();
    symlink(machine.root(), machine.work().join("out")).unwrap();
    symlink("../escaped", machine.work().join("dangling")).unwrap();
    fs::create_dir_all(machine.work().join(".git/hooks")).unwrap();
    let absolute = machine.root().join("escaped");
    let names = [
        "../escaped",
        "sub/../../escaped",
        absolute.to_str().unwrap(),
        "out/escaped",
        "dangling",
        ".git/hooks/pre-commit",
        ".GIT/config",
        ".",
        "price.py/../../escaped",
    ];
    let answers = names.map(|name| {
        // The good half of an answer does not carry the bad half along.
        let Answer::Says(good) = replacing("price.py", PRICE_MENDED) else {
            unreachable!()
        };
        Answer::Says(format!("{good}\nFILE {name}\n```\nowned\n```\n"))
    });
    let endpoint = Endpoint::answering(answers.into());
    let attempts = names.len().to_string();
    let run = ask(&machine, &endpoint, &["--max-attempts", &attempts]);
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(endpoint.asked().len(), names.len());
    assert_untouched(&machine);
    for (number, name) in (1..).zip(names) {
        let kept = kept(&machine, number);
        let refused = format!("'{name}' is not a file to be written here");
        assert!(kept.contains(&refused), "{name}: {kept}");
    }
    let hooks = fs::read_dir(machine.work().join(".git/hooks")).unwrap();
    assert_eq!(hooks.count(), 0);
    assert!(!machine.work().join(".GIT").exists());
}

#[test]
fn a_weakened_test_is_undone_and_the_next_answer_has_its_chance() {
    let machine = project();
    let endpoint = Endpoint::answering(vec![
        replacing(
            "test_price.py",
            "import unittest\n\n\nclass T(unittest.TestCase):\n    def test(self):\n        pass\n",
        ),
        replacing("price.py", PRICE_MENDED),
    ]);
    let run = ask(&machine, &endpoint, &["--protect", "test_*"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("test_price.py is protected"), "{run:?}");
    let test = fs::read_to_string(machine.work().join("test_price.py")).unwrap();
    assert_eq!(test, super::TEST_PRICE);
    let history = machine.recover(&["history", "s", "--json"]).json();
    assert_eq!(
        (&history[0]["success"], &history[0]["rollback_performed"]),
        (&false.into(), &true.into())
    );
    assert_eq!(
        (&history[1]["success"], &history[1]["files_modified"]),
        (&true.into(), &serde_json::json!(["price.py"]))
    );
}

#[test]
fn an_endpoint_that_fails_changes_nothing_and_says_why() {
    let machine = project();
    let answers = [
        (
            "500 Internal Server Error",
            "out of memory",
            "HTTP Error 500",
        ),
        ("200 OK", "<html>", "JSONDecodeError"),
        ("200 OK", "{\"choices\": []}", "IndexError"),
        ("200 OK", "{\"error\": {}}", "KeyError"),
        (
            "200 OK",
            "{\"choices\": [{\"message\": {\"content\": null}}]}",
            "TypeError",
        ),
        ("999", "", "HTTP Error 999"),
    ];
    let http = answers.map(|(status, body, _)| Answer::Http(status, body));
    let endpoint = Endpoint::answering(http.into());
    let attempts = answers.len().to_string();
    let run = ask(&machine, &endpoint, &["--max-attempts", &attempts]);
    assert_eq!(run.code, 1, "{run:?}");
    assert_untouched(&machine);
    for (number, (_, _, said)) in (1..).zip(answers) {
        let kept = kept(&machine, number);
        assert!(kept.contains(said), "{said}: {kept}");
        let (fixer, _) = kept.split_once("-m unittest").expect("both were kept");
        assert!(!fixer.contains("Traceback"), "{fixer}");
    }
}

#[test]
fn without_an_endpoint_the_tree_stays_and_the_record_says_why() {
    let machine = project();
    let fix = fixer("http_model.py");
    let options = ["--max-attempts", "1", "--fix", &fix];
    assert_eq!(recover(&machine, &options, &[]).code, 1);
    assert!(kept(&machine, 1).contains("MODEL_NAME"));
    assert_untouched(&machine);
}
