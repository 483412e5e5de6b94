//! `recover key witness`, `recover seal --add-checkpoint` and `--cosignatures`, with a witness that
//! is a program of its own.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::harness::{Machine, Run, TRAIL};

/// The witness, which keeps its key and what it signed last in `witness` of the machine's project.
#[expect(clippy::disallowed_methods, reason = "the witness is a program")]
fn witness(machine: &Machine, words: [&str; 2]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/witness.py");
    Command::new("python3")
        .env("PYTHONIOENCODING", "utf-8")
        .arg(script)
        .arg(machine.work().join("witness"))
        .args(words)
        .output()
        .expect("python3")
}

/// Its answer to the request in the file `body` about the store with the key `log`, written to the
/// file `answer`, and its status.
fn ask(machine: &Machine, log: &str, body: &str) -> (String, String) {
    machine.write("project/body", body);
    let body = machine.work().join("body");
    let output = witness(machine, [log, body.to_str().expect("a text")]);
    fs::write(machine.work().join("answer"), &output.stdout).expect("written");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("a text").trim().to_owned();
    (text(output.stdout), text(output.stderr))
}

/// A machine whose store a witness knows: the machine, and the key of the store.
fn known(store: &[&str]) -> (Machine, String) {
    let machine = Machine::new();
    let log = machine.recover_with(&[&["log"], store].concat(), TRAIL);
    assert_eq!(log.code, 0, "{log:?}");
    let own = witness(&machine, ["", ""]).stdout;
    let own = String::from_utf8(own).expect("a text");
    let config = format!("[seal]\nwitnesses = [\"{}\"]\n", own.trim());
    machine.write("user/.config/recover/config.toml", &config);
    let run = machine.recover(&[&["key", "witness"], store].concat());
    assert_eq!(run.code, 0, "{run:?}");
    let again = machine.recover(&[&["key", "witness"], store].concat());
    assert_eq!(run.stdout, again.stdout);
    let key = run.stdout.trim().to_owned();
    (machine, key)
}

fn refused(run: &Run, code: i32, says: &str) {
    assert_eq!((run.code, run.stdout.as_str()), (code, ""), "{run:?}");
    assert!(run.stderr.contains(says), "{says}: {run:?}");
}

#[test]
fn a_witness_is_asked_answers_and_is_told_of() {
    for store in [&[][..], &["--store", "sqlite:trail.db"]] {
        let (machine, key) = known(store);
        let recover = |words: &[&str]| machine.recover(&[words, store].concat());
        let verify = ["verify", "--require", "outside"];
        assert_eq!(recover(&verify).code, 3);
        let run = recover(&["seal", "--add-checkpoint", "0"]);
        assert_eq!(run.code, 0, "{run:?}");
        let (answer, status) = ask(&machine, &key, &run.stdout);
        assert_eq!(status, "", "{answer}");
        let kept = recover(&["seal", "--cosignatures", "answer"]);
        let says = "is witnessed by witness.example/py at 2023-11-14T22:13:20.000Z";
        refused(&kept, 0, says);
        let run = recover(&verify);
        refused(&run, 0, says);
        assert!(!run.stderr.contains("nobody outside"), "{run:?}");
        let run = recover(&["verify", "--json"]);
        let witnessed = &run.json()["witnessed"];
        assert_eq!(witnessed["witnesses"][0]["name"], "witness.example/py");
        // The record grew by that; the witness says from where it wants the proof.
        let run = recover(&["seal", "--add-checkpoint", "0", "--json"]);
        let body = run.json()["add_checkpoint"].as_str().unwrap().to_owned();
        let (size, status) = ask(&machine, &key, &body);
        assert_eq!(status, "409");
        let run = recover(&["seal", "--cosignatures", "answer"]);
        refused(&run, 125, &format!("--add-checkpoint {size}"));
        let run = recover(&["seal", "--add-checkpoint", &size]);
        assert_eq!(ask(&machine, &key, &run.stdout).1, "");
        let run = machine.recover_with(
            &[&["seal", "--cosignatures", "-"], store].concat(),
            fs::read_to_string(machine.work().join("answer")).unwrap(),
        );
        refused(&run, 0, "on record now");
        refused(&recover(&verify), 0, says);
        // An exact copy has it too.
        let from = match store {
            [_, url] => format!("sqlite:{}", machine.work().join(&url[7..]).display()),
            _ => format!("jsonl:{}", machine.state().display()),
        };
        let to = format!("jsonl:{}", machine.work().join("copy").display());
        let run = machine.recover(&["copy", "--exact", &from, &to]);
        assert_eq!(run.code, 0, "{run:?}");
        let run = machine.recover(&["verify", "--require", "outside", "--store", &to]);
        refused(&run, 0, says);
    }
}

#[test]
fn a_forked_record_is_refused_by_the_witness() {
    let (machine, key) = known(&[]);
    let body = machine.recover(&["seal", "--add-checkpoint", "0"]).stdout;
    let (answer, status) = ask(&machine, &key, &body);
    assert_eq!(status, "", "{answer}");
    let kept = machine.recover(&["seal", "--cosignatures", "answer"]);
    assert_eq!(kept.code, 0, "{kept:?}");
    let verified = machine.recover(&["verify", "--json"]).json();
    let seal = verified["witnessed"]["seal"].as_str().unwrap();
    let size = seal.split(':').next().unwrap();
    // Who has every key here tells what was recorded another way, and seals that.
    let path = machine.state().join("journal.jsonl");
    let journal = fs::read_to_string(&path).unwrap();
    let forged = journal.replacen("\"event\":\"", "\"forged\":1,\"event\":\"", 1);
    assert_ne!(forged, journal);
    fs::write(&path, forged).unwrap();
    let run = machine.recover(&["seal", "--new-chain", "--reason", "forged"]);
    assert_eq!(run.code, 0, "{run:?}");
    for (old, status) in [(size, "422"), ("0", "409")] {
        let run = machine.recover(&["seal", "--add-checkpoint", old]);
        assert_eq!(run.code, 0, "{run:?}");
        let (answer, says) = ask(&machine, &key, &run.stdout);
        assert_eq!(says, status, "{answer}");
    }
    refused(&machine.recover(&["verify"]), 1, "not what was sealed");
}

#[test]
fn what_asks_no_witness_is_refused_with_the_way_out() {
    let machine = Machine::new();
    refused(&machine.recover(&["key", "witness"]), 1, "`recover seal`");
    let run = machine.recover(&["seal", "--add-checkpoint", "0"]);
    refused(&run, 125, "nothing is recorded");
    assert_eq!(machine.recover_with(&["log"], TRAIL).code, 0);
    let run = machine.recover(&["seal", "--add-checkpoint", "0"]);
    refused(&run, 125, "`recover key witness` makes it");
    machine.write(
        "project/answer",
        "\u{2014} stranger.example/w AAAAAAAAAAAA\n",
    );
    machine.write("project/page", "<html>\n");
    assert_eq!(machine.recover(&["key", "witness"]).code, 0);
    for (words, code, says) in [
        (
            &["seal", "--add-checkpoint", "99"][..],
            125,
            "the witness says 99",
        ),
        (
            &["seal", "--add-checkpoint", "-1"],
            2,
            "0 if it signed none",
        ),
        (
            &["seal", "--add-checkpoint", "all"],
            2,
            "0 if it signed none",
        ),
        (
            &["seal", "--add-checkpoint", "1.5"],
            2,
            "0 if it signed none",
        ),
        (&["seal", "--add-checkpoint", "0", "--print"], 2, "--print"),
        (&["seal", "--cosignatures", "none"], 1, "no file none"),
        (
            &["seal", "--cosignatures", "answer"],
            125,
            "stranger.example/w",
        ),
        (
            &["seal", "--cosignatures", "page"],
            125,
            "not what a witness answers",
        ),
    ] {
        refused(&machine.recover(words), code, says);
    }
    machine.write(
        "user/.config/recover/config.toml",
        "[seal]\nwitnesses = [\"witness.example+00000000+BAAA\"]\n",
    );
    refused(&machine.recover(&["verify"]), 0, "2 bytes, not 32");
    machine.write("user/.config/recover/config.toml", "");
    machine.write("project/recover.toml", "[seal]\nwitnesses = []\n");
    let run = machine.recover(&["verify"]);
    assert!(run.stderr.contains("seal"), "{run:?}");
}
