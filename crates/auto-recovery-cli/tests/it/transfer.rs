//! What comes with `import` and `copy` when files are broken, somebody else imports too, or there
//! is nothing to come.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::harness::{Machine, Run};

const SESSIONS: u64 = 40;
const ENTRIES: u64 = 25;

/// An entry as a trail has it.
fn entry(session: u64, number: u64, message: &str) -> String {
    format!(
        "{{\"entry_id\":\"e{session}-{number}\",\"timestamp\":\"2020-01-01T00:00:00Z\",\
         \"session_id\":\"s{session}\",\"error_type\":\"E\",\"strategy\":\"fix\",\
         \"attempt_number\":{number},\"success\":false,\"changes_made\":[],\"files_modified\":[],\
         \"rollback_performed\":false,\"next_action\":\"retry\",\"duration_seconds\":1.0,\
         \"error_message\":\"{message}\",\"recovery_message\":\"\"}}"
    )
}

fn lines() -> String {
    let pairs = (0..SESSIONS).flat_map(|s| (1..=ENTRIES).map(move |n| (s, n)));
    pairs
        .map(|(s, n)| entry(s, n, "it failed") + "\n")
        .collect()
}

fn import(machine: &Machine, store: &str, files: &[&Path]) -> Run {
    let files = files.iter().map(|file| file.to_str().expect("a path"));
    let args: Vec<&str> = ["--store", store, "import"]
        .into_iter()
        .chain(files)
        .collect();
    machine.recover(&args)
}

fn total(machine: &Machine, store: &str) -> u64 {
    let stats = machine.recover(&["--store", store, "stats", "--all", "--json"]);
    let stats = stats.json();
    let total = stats["overall"]["total_attempts"].as_u64();
    total
        .or(stats["total_attempts"].as_u64())
        .unwrap_or_else(|| panic!("{stats}"))
}

#[test]
fn two_who_import_the_same_at_once_add_it_once() {
    let machine = Machine::new();
    let file = machine.write("all.jsonl", &lines());
    for store in ["jsonl:trails", "sqlite:trails.db"] {
        let args = [
            "--store",
            store,
            "import",
            "-q",
            file.to_str().expect("a path"),
        ];
        let mut both: Vec<_> = (0..2)
            .map(|_| machine.command(&args).spawn().expect("start recover"))
            .collect();
        for one in &mut both {
            assert!(one.wait().expect("it ends").success());
        }
        assert_eq!(total(&machine, store), SESSIONS * ENTRIES, "{store}");
    }
}

#[test]
fn a_file_that_is_broken_keeps_nothing_else_out() {
    let machine = Machine::new();
    let text = lines();
    let good = machine.write("good.jsonl", &format!("{}\n", entry(900, 1, "good")));
    let packed = zstd::encode_all(text.as_bytes(), 3).expect("compressed");
    let cut = machine.root().join("cut.jsonl.zst");
    fs::write(&cut, &packed[..packed.len() - 20]).expect("written");
    let bad = machine.root().join("bad.zst");
    fs::write(&bad, &packed[..8]).expect("written");
    let missing = machine.root().join("missing.jsonl");
    let run = import(&machine, "jsonl:trails", &[&missing, &bad, &cut, &good]);
    assert_eq!(run.code, 1, "{run:?}");
    for told in [
        "there is no file ",
        "bad.zst cannot be read: ",
        "cut.jsonl.zst: the rest cannot be read: ",
    ] {
        assert!(run.stderr.contains(told), "{told}: {run:?}");
    }
    assert_eq!(
        machine
            .recover(&["--store", "jsonl:trails", "history", "s900", "-q"])
            .code,
        0
    );
}

#[test]
fn what_is_too_long_or_no_entry_is_named_and_all_else_taken_over_by_every_store() {
    let machine = Machine::new();
    let long = entry(2, 1, &"x".repeat(17 << 20));
    let text = [&*entry(1, 1, "a"), &*long, &*entry(3, 1, "b")].join("\n");
    let mixed = machine.write("mixed.jsonl", &text);
    let list = format!(
        "{{\"session_id\":\"s\",\"entries\":[{},{{\"no\":1}},{}]}}",
        entry(4, 1, "c"),
        entry(5, 1, "d")
    );
    let list = machine.write("export.json", &list);
    for store in ["jsonl:trails", "sqlite:trails.db"] {
        let run = import(&machine, store, &[&mixed, &list]);
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.stderr.contains("mixed.jsonl line 2"), "{}", run.stderr);
        assert!(
            run.stderr.contains("export.json: entry 2: missing field"),
            "{}",
            run.stderr
        );
        assert_eq!(total(&machine, store), 4, "{store}");
    }
}

#[test]
fn an_entry_is_one_in_whichever_order_its_fields_come() {
    let machine = Machine::new();
    let one = entry(1, 1, "a");
    let rest = one.strip_prefix("{\"entry_id\":\"e1-1\",").expect("its id");
    let rest = rest.replace("\"session_id\":\"s1\",", "");
    let turned = format!("{{\"session_id\":\"s1\",\"entry_id\":\"e1-1\",{rest}\n");
    let file = machine.write("turned.jsonl", &turned);
    assert_eq!(import(&machine, "jsonl:trails", &[&file]).code, 0);
    assert_eq!(total(&machine, "jsonl:trails"), 1);
    let none = machine.write("none.json", "{\"session_id\":\"s\",\"total_attempts\":3}");
    let run = import(&machine, "jsonl:trails", &[&none]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("is no export with entries"), "{run:?}");
}

#[test]
fn of_a_store_that_is_not_there_nothing_is_said_to_be_copied() {
    let machine = Machine::new();
    for (from, name) in [("jsonl:gone", "gone"), ("sqlite:gone.db", "gone.db")] {
        let run = machine.recover(&["copy", from, "jsonl:copy"]);
        run.fails(1, &format!("there is no store at [ROOT]/project/{name}"));
    }
}

#[test]
fn a_session_that_there_cannot_be_is_not_taken_over() {
    let machine = Machine::new();
    let record = |id: &str| {
        let at = "2020-01-01T00:00:00Z";
        json!({"v": 1, "at": at, "session_id": id, "event": "session_started"}).to_string()
    };
    let ids_given = ["", "a\nb", &"é".repeat(150), "fine"];
    let lines: Vec<_> = ids_given.into_iter().map(record).collect();
    let file = machine.write("journal.jsonl", &lines.join("\n"));
    for store in ["jsonl:trails", "sqlite:trails.db"] {
        let run = machine.recover(&["--store", store, "import", file.to_str().expect("a path")]);
        assert_eq!(run.code, 1, "{run:?}");
        assert!(
            run.stderr.contains("journal.jsonl line 2: "),
            "{}",
            run.stderr
        );
        let sessions = machine.recover(&["--store", store, "sessions", "--json"]);
        let ids: Vec<_> = sessions.json().as_array().expect("a list").clone();
        assert_eq!(ids.len(), 1, "{ids:?}");
        assert_eq!(ids[0]["session_id"], "fine");
    }
}
