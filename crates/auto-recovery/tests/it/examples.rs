//! The specification's three usage examples run, and say what the specification says.

use std::path::PathBuf;
use std::process::Command;

/// The built example; cargo builds the examples with the tests.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples").join(name)
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests start the program they test"
)]
fn run(name: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(example(name));
    let output = command
        .arg(dir.path().join("audit"))
        .env_clear()
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    assert!(output.status.success(), "{name}: {}", text(output.stderr));
    text(output.stdout)
}

#[test]
fn basic_usage() {
    assert_eq!(
        run("basic"),
        "Recovered using fix strategy\nSuccess rate: 100%\n"
    );
}

#[test]
fn advanced_usage() {
    let text = run("advanced");
    let lines: Vec<_> = text.lines().collect();
    assert!(
        lines[0].starts_with("Report saved to: ") && lines[0].ends_with(".json"),
        "{text}"
    );
    assert!(
        lines[1].ends_with(".json") && lines[2].ends_with(".csv"),
        "{text}"
    );
    assert!(lines[3].ends_with("\"retry\" - false") && lines[4].ends_with("\"retry\" - true"));
    assert!(lines[5].ends_with("\"alternative\" - false"), "{text}");
}

#[test]
fn direct_logger_usage() {
    let text = run("logger");
    assert!(text.starts_with("Logged entry_"), "{text}");
    assert!(
        text.ends_with("Total attempts: 1\nSuccess rate: 100%\n"),
        "{text}"
    );
}
