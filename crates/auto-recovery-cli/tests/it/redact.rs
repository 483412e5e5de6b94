//! `recover redact`: a filter, a check and a list. Tokens are made here, no file holds one.

use std::io::{Read, Write};
use std::process::Stdio;

use crate::harness::Machine;

fn token() -> String {
    format!("ghp_{}", "k3X9mQ2v5".repeat(4))
}

fn text() -> String {
    format!("one\nusing {}\nhttps://me:hunter2@h/x\n", token())
}

#[test]
fn a_text_comes_out_without_its_secrets() {
    let machine = Machine::new();
    machine.write("project/build.log", &text());
    let of_file = machine.recover(&["redact", "build.log"]);
    for run in [
        machine.recover_with(&["redact"], text()),
        machine.recover_with(&["redact", "-"], text()),
        of_file,
    ] {
        assert_eq!(run.code, 0, "{run:?}");
        let lines: Vec<_> = run.stdout.lines().collect();
        assert_eq!(lines[0], "one");
        assert!(
            lines[1].starts_with("using [redacted github-token "),
            "{run:?}"
        );
        assert!(
            lines[2].starts_with("https://me:[redacted url-password "),
            "{run:?}"
        );
        assert!(lines[2].ends_with("]@h/x"), "{run:?}");
        assert_eq!(
            run.stderr,
            "recover: masked 1 github-token, 1 url-password\n"
        );
        let again = machine.recover_with(&["redact"], &run.stdout);
        assert_eq!(again.quiet(), run.stdout);
    }
    let clean = machine.recover_with(
        &["redact"],
        "commit 3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
    );
    assert_eq!(
        clean.quiet(),
        "commit 3b18e512dba79e4c8300dd08aeb37f8e728b8dad"
    );
    assert_eq!(machine.recover_with(&["redact"], "").quiet(), "");
}

#[test]
fn every_byte_that_is_not_secret_passes_as_it_is() {
    let machine = Machine::new();
    let mut command = machine.command(&["redact", "-q"]);
    let mut child = command
        .stdin(Stdio::piped())
        .spawn()
        .expect("start recover");
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let mut input = child.stdin.take().expect("its input");
    let sent = bytes.clone();
    let writer = std::thread::spawn(move || input.write_all(&sent));
    let output = child.wait_with_output().expect("wait for recover");
    writer.join().expect("the writer").expect("all is read");
    assert_eq!(output.stdout, bytes);
}

#[test]
fn a_line_comes_out_before_the_next_one_goes_in() {
    let machine = Machine::new();
    let mut command = machine.command(&["redact", "-q"]);
    let mut child = command
        .stdin(Stdio::piped())
        .spawn()
        .expect("start recover");
    let mut input = child.stdin.take().expect("its input");
    let mut output = child.stdout.take().expect("its output");
    for line in ["first line\n", "second line\n"] {
        input.write_all(line.as_bytes()).expect("write a line");
        let mut seen = vec![0; line.len()];
        output.read_exact(&mut seen).expect("read a line");
        assert_eq!(seen, line.as_bytes());
    }
    drop(input);
    assert!(child.wait().expect("wait for recover").success());
}

#[test]
fn a_check_names_places_and_no_value() {
    let machine = Machine::new();
    machine.write("project/build.log", &text());
    let run = machine.recover(&["redact", "--check", "build.log"]);
    assert_eq!(run.code, 1);
    assert_eq!(
        run.stdout,
        "build.log:2: github-token\nbuild.log:3: url-password\n"
    );
    assert_eq!(run.stderr, "");
    let json = machine.recover_with(&["redact", "--check", "--json"], text());
    assert_eq!(json.code, 1);
    let found: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(
        found[0],
        serde_json::json!({"file": "-", "line": 2, "kind": "github-token", "proved": false})
    );
    assert_eq!(
        machine
            .recover_with(&["redact", "--check"], "clean\n")
            .quiet(),
        ""
    );
    let none = machine.recover_with(&["redact", "--check", "--json"], "clean\n");
    assert_eq!(none.json(), serde_json::json!([]));
}

#[test]
fn values_of_secret_variables_are_masked_by_name() {
    let machine = Machine::new();
    machine.write(
        "project/x.log",
        "tr0ub4dor said {\"x\":\"tr0ub\\u00e9\"} dHIwdWI0ZG9y abc\n",
    );
    let mut command = machine.command(&["redact", "x.log"]);
    command
        .env("DEPLOY_PASSWORD", "tr0ub4dor")
        .env("HARMLESS", "said");
    command
        .env("SHORT_TOKEN", "abc")
        .env("KEY_FILE", "/etc/key");
    let run = machine.run(&mut command);
    assert_eq!(run.code, 0);
    assert!(!run.stdout.contains("tr0ub4dor"), "{run:?}");
    assert!(!run.stdout.contains("dHIwdWI0ZG9y"), "{run:?}");
    assert_eq!(
        run.stdout.matches("[redacted DEPLOY_PASSWORD ").count(),
        2,
        "{run:?}"
    );
    assert!(run.stdout.ends_with(" abc\n"), "{run:?}");
    let said = "recover: the value of SHORT_TOKEN is not masked: it has fewer than 8 bytes\n";
    assert!(run.stderr.starts_with(said), "{run:?}");
}

#[test]
fn kinds_are_listed() {
    let machine = Machine::new();
    let table = machine.recover(&["redact", "--list"]);
    assert!(table.quiet().lines().count() > 95);
    assert!(table.stdout.contains("\ngithub-token "), "{table:?}");
    let kinds = machine.recover(&["redact", "--list", "--json"]).json();
    assert_eq!(kinds[0]["kind"], "github-token");
    assert_eq!(kinds[0]["context"], false);
}

#[test]
fn a_text_in_utf_16_is_refused_with_the_way_out() {
    let machine = Machine::new();
    let text: Vec<u8> = "token ghp_x\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for args in [&["redact"][..], &["redact", "--check"]] {
        let refused = machine.recover_with(args, &text);
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (2, ""),
            "{refused:?}"
        );
        assert!(
            refused.stderr.contains("`iconv -f UTF-16LE -t UTF-8`"),
            "{refused:?}"
        );
    }
}
