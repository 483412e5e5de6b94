//! `recover log`: what goes in is on record once it is acknowledged.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::harness::{Machine, TRAIL, keys};

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[test]
fn each_line_is_acknowledged_in_order_and_on_record() {
    let machine = Machine::new();
    let run = machine.recover_with(&["log"], TRAIL);
    let acks = lines(run.quiet());
    let entries = machine.recover(&["history", "build-7", "--json"]).json();
    let entries = entries.as_array().expect("an array");
    assert_eq!((acks.len(), entries.len()), (3, 3));
    for (number, (ack, entry)) in acks.iter().zip(entries).enumerate() {
        assert_eq!(keys(ack), ["entry_id", "session_id"]);
        assert_eq!(ack["entry_id"], entry["entry_id"]);
        assert_eq!(entry["attempt_number"], json!(number + 1));
    }
    assert_eq!(
        entries[0]["timestamp"], "2020-01-02T03:04:05Z",
        "a given time stays"
    );
    let file = fs::read_to_string(machine.state().join("build-7_audit.jsonl")).expect("the trail");
    assert_eq!(lines(&file), *entries);
}

#[test]
fn an_entry_has_the_14_fields_and_what_was_left_out_is_filled_in() {
    let machine = Machine::new();
    let run = machine.recover_with(
        &["log"],
        "{\"strategy\":\"fix\",\"success\":true,\"error_type\":\"E1\"}\n\
         {\"strategy\":\"fix\",\"success\":false,\"error_type\":\"E1\"}",
    );
    let acks = lines(run.quiet());
    assert_eq!(
        acks[0]["session_id"], acks[1]["session_id"],
        "one new session for all"
    );
    let entries = machine.recover(&["history", "--json", "-q"]).json();
    assert_eq!(
        keys(&entries[0]),
        [
            "entry_id",
            "timestamp",
            "session_id",
            "error_type",
            "strategy",
            "attempt_number",
            "success",
            "changes_made",
            "files_modified",
            "rollback_performed",
            "next_action",
            "duration_seconds",
            "error_message",
            "recovery_message",
        ]
    );
    assert_eq!(entries[0]["next_action"], "complete");
    assert_eq!(entries[1]["next_action"], "continue");
    assert_eq!(entries[1]["attempt_number"], 2);
    assert!(
        entries[0]["timestamp"]
            .as_str()
            .expect("text")
            .ends_with('Z')
    );
}

/// Lines with a mistake, and what is said of each.
const BAD_LINES: [(&str, &str); 13] = [
    ("garbage", "a value is expected here"),
    (r#"{"strategy":"fix"}"#, "missing field `success`"),
    (
        r#"{"strategy":"fix","success":true,"error_type":"E","extra":1}"#,
        "unknown field `extra`",
    ),
    (
        r#"{"strategy":"fix","success":"yes","error_type":"E"}"#,
        "invalid type: string \"yes\"",
    ),
    (
        r#"{"strategy":"","success":true,"error_type":"E"}"#,
        "`strategy` is empty",
    ),
    (
        r#"{"strategy":"fix","success":true,"error_type":"E","attempt_number":0}"#,
        "counted from 1",
    ),
    (
        r#"{"strategy":"fix","success":true,"error_type":"E","duration_seconds":-1}"#,
        "cannot be negative",
    ),
    (
        r#"{"strategy":"fix","success":true,"error_type":"E","duration_seconds":1e999}"#,
        "number out of range",
    ),
    (
        r#"{"strategy":"fix","success":true,"error_type":"E","session_id":""}"#,
        "session id is empty",
    ),
    (
        r#"{"strategy":"fix","success":true,"error_type":"E","session_id":"a\nb"}"#,
        "control character",
    ),
    (
        r#"{"strategy":"fix","success":true,"error_type":"E""#,
        "EOF while parsing",
    ),
    (
        r#"["s","fix",true,"E","m",7,[],[],false,"complete",1.5,"2026-01-01T00:00:00Z","r"]"#,
        "it is an array: an attempt is an object",
    ),
    ("null", "expected an object with the keys of an attempt"),
];

#[test]
fn a_bad_line_is_named_and_all_others_land() {
    let machine = Machine::new();
    let good = r#"{"session_id":"s","strategy":"fix","success":true,"error_type":"E"}"#;
    let long = format!("{{\"strategy\":\"{}\"}}", "x".repeat(2 * 1024 * 1024));
    let bad: Vec<_> = BAD_LINES
        .into_iter()
        .chain([(&*long, "longer than 1048576 bytes")])
        .collect();
    let input: String = bad
        .iter()
        .map(|(line, _)| format!("{good}\n{line}\n\n"))
        .collect();
    let run = machine.recover_with(&["log"], input);
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(lines(&run.stdout).len(), bad.len());
    for (index, (line, says)) in bad.iter().enumerate() {
        let number = index * 3 + 2;
        let said = run
            .stderr
            .lines()
            .find(|said| said.starts_with(&format!("recover: warning: line {number}: ")))
            .unwrap_or_else(|| panic!("line {number} is not named in {}", run.stderr));
        assert!(said.contains(says), "{line:.80} says {said}");
    }
    assert!(
        run.stderr
            .ends_with("14 of 42 lines were not recorded; all others were\n")
    );
    let history = machine.recover(&["history", "s", "--json"]).json();
    assert_eq!(history.as_array().expect("an array").len(), bad.len());
}

#[test]
fn a_line_without_end_takes_bounded_memory() {
    let machine = Machine::new();
    let mut child = machine
        .command(&["log"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("start recover");
    let mut stdin = child.stdin.take().expect("its input");
    let chunk = vec![b'x'; 1024 * 1024];
    for _ in 0..100 {
        stdin.write_all(&chunk).expect("write to recover");
    }
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("its status");
    drop(stdin);
    let peak_kib: u64 = status
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmHWM:")?
                .trim()
                .strip_suffix(" kB")?
                .parse()
                .ok()
        })
        .expect("its peak memory");
    assert!(peak_kib < 32 * 1024, "{peak_kib} KiB");
    let output = child.wait_with_output().expect("wait for recover");
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("line 1: longer than 1048576 bytes"),
        "{stderr}"
    );
}

#[test]
fn a_line_is_acknowledged_without_waiting_for_the_next() {
    let machine = Machine::new();
    let mut child = machine
        .command(&["log"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("start recover");
    let mut stdin = child.stdin.take().expect("its input");
    let mut acks = BufReader::new(child.stdout.take().expect("its output"));
    for number in 1..=3 {
        let line = format!(
            "{{\"session_id\":\"s\",\"strategy\":\"fix\",\"success\":true,\"error_type\":\"E{number}\"}}\n"
        );
        stdin.write_all(line.as_bytes()).expect("write to recover");
        let mut ack = String::new();
        acks.read_line(&mut ack).expect("an acknowledgement");
        let ack: Value = serde_json::from_str(&ack).expect("JSON");
        let trail = fs::read_to_string(machine.state().join("s_audit.jsonl")).expect("the trail");
        assert_eq!(
            lines(&trail).len(),
            number,
            "on record before it is acknowledged"
        );
        assert!(trail.contains(ack["entry_id"].as_str().expect("text")));
    }
    drop(stdin);
    assert!(child.wait().expect("wait for recover").success());
}

#[test]
fn many_processes_write_one_session_and_nothing_is_lost() {
    const PROCESSES: usize = 6;
    const LINES: usize = 150;

    let machine = Machine::new();
    let children: Vec<_> = (0..PROCESSES)
        .map(|process| {
            let mut child = machine
                .command(&["log"])
                .stdin(Stdio::piped())
                .spawn()
                .expect("start recover");
            let mut stdin = child.stdin.take().expect("its input");
            let writer = std::thread::spawn(move || {
                for line in 0..LINES {
                    writeln!(
                        stdin,
                        "{{\"session_id\":\"shared\",\"strategy\":\"fix\",\"success\":false,\
                         \"error_type\":\"{process}-{line}\"}}"
                    )
                    .expect("write to recover");
                }
            });
            (child, writer)
        })
        .collect();
    let mut acknowledged = HashSet::new();
    for (child, writer) in children {
        let output = child.wait_with_output().expect("wait for recover");
        writer.join().expect("the writer");
        assert!(output.status.success(), "{output:?}");
        for ack in lines(&String::from_utf8(output.stdout).expect("UTF-8")) {
            acknowledged.insert(ack["entry_id"].as_str().expect("text").to_owned());
        }
    }
    assert_eq!(acknowledged.len(), PROCESSES * LINES);
    let history = machine.recover(&["history", "shared", "--json"]).json();
    let history = history.as_array().expect("an array");
    let recorded: HashSet<_> = history
        .iter()
        .map(|entry| entry["entry_id"].as_str().expect("text").to_owned())
        .collect();
    assert_eq!(recorded, acknowledged);
    let numbers: Vec<_> = history
        .iter()
        .map(|entry| entry["attempt_number"].as_u64())
        .collect();
    let expected: Vec<_> = (1..=history.len() as u64).map(Some).collect();
    assert_eq!(
        numbers, expected,
        "numbered as they were written, none twice"
    );
    let journal = fs::read_to_string(machine.state().join("journal.jsonl")).expect("the journal");
    let starts = journal.matches("session_started").count();
    assert!(starts <= PROCESSES, "once a session, never once an entry");
}

#[test]
fn the_journal_hears_of_a_session_once() {
    let machine = Machine::with_trail();
    machine.recover_with(&["log"], TRAIL).quiet();
    let journal = fs::read_to_string(machine.state().join("journal.jsonl")).expect("the journal");
    let mut records = lines(&journal);
    records.retain(|record| record["event"] == "session_started");
    assert_eq!(records.len(), 1, "{journal}");
    assert_eq!(records[0]["user"], "tester");
    assert_eq!(records[0]["project"], "project");
}

#[test]
fn what_is_logged_is_sealed_when_the_input_ends() {
    let machine = Machine::with_trail();
    let strict = ["verify", "--require", "sealed"];
    let run = machine.recover(&strict);
    assert_eq!(run.code, 0, "{run:?}");
    // What goes on in the same session, and what was recorded before a line that is none.
    let more = format!("{}no entry\n", TRAIL);
    let log = machine.recover_with(&["log"], more);
    assert_eq!(log.code, 1, "{log:?}");
    let run = machine.recover(&strict);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("1 trail (6 entries)"), "{run:?}");
    assert_eq!(machine.log_unsealed(TRAIL).code, 0);
    let run = machine.recover(&strict);
    assert_eq!(run.code, 3, "{run:?}");
    // Nothing that cannot be sealed keeps anything from being recorded.
    let keys = machine.state().join("seal-keys");
    fs::rename(&keys, machine.root().join("kept")).unwrap();
    fs::write(&keys, "no directory").unwrap();
    let log = machine.recover_with(&["log"], TRAIL);
    assert_eq!(log.code, 0, "{log:?}");
    let says = "recover: warning: what is on record is not sealed: ";
    assert!(log.stderr.starts_with(says), "{log:?}");
    assert_eq!(log.stderr.lines().count(), 1, "{log:?}");
}

#[test]
fn recording_goes_on_when_nobody_reads_the_acknowledgements() {
    let machine = Machine::new();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let input = machine.write("lines", &TRAIL.repeat(500));
    let run = machine.run(
        machine
            .command(&["log"])
            .stdin(fs::File::open(input).expect("open the lines"))
            .stdout(writer),
    );
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let stats = machine.recover(&["stats", "build-7", "--json"]).json();
    assert_eq!(stats["total_attempts"], 1500);
}

#[test]
fn a_store_that_fails_is_named_and_exits_with_125() {
    let machine = Machine::new();
    fs::create_dir_all(machine.state().join("build-7_audit.jsonl"))
        .expect("a directory in the way");
    let run = machine.recover_with(&["log"], TRAIL);
    assert_eq!((run.code, run.stdout.as_str()), (125, ""), "{run:?}");
    assert!(run.stderr.contains("build-7_audit.jsonl"), "{run:?}");
    assert!(run.stderr.starts_with("recover: error: "), "{run:?}");
}

#[test]
fn nothing_in_nothing_out() {
    let machine = Machine::new();
    assert_eq!(machine.recover_with(&["log"], "\n \r\n").quiet(), "");
    assert!(!machine.state().exists(), "nothing is made for nothing");
}

/// `text` as UTF-16, the first byte of each unit that `first` says.
fn utf_16(text: &str, units: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(units).collect()
}

#[test]
fn a_byte_order_mark_is_passed_over_and_utf_16_is_named() {
    let line = r#"{"session_id":"s","strategy":"fix","success":true,"error_type":"E"}"#;
    let machine = Machine::new();
    let marked = format!("\u{feff}{line}\n{line}\n");
    assert_eq!(
        machine
            .recover_with(&["log"], &marked)
            .quiet()
            .lines()
            .count(),
        2
    );
    let only_mark = machine.recover_with(&["log"], "\u{feff}\n");
    assert_eq!(only_mark.quiet(), "");
    // A mark anywhere else is no beginning.
    let run = machine.recover_with(&["log"], format!("{line}\n\u{feff}{line}\n"));
    assert_eq!((run.code, run.stdout.lines().count()), (1, 1), "{run:?}");

    let text = format!("{line}\n").repeat(3);
    let cases = [
        (
            utf_16(&format!("\u{feff}{text}"), u16::to_le_bytes),
            "little-endian",
            "UTF-16",
        ),
        (
            utf_16(&format!("\u{feff}{text}"), u16::to_be_bytes),
            "big-endian",
            "UTF-16",
        ),
        (utf_16(&text, u16::to_le_bytes), "little-endian", "UTF-16LE"),
        (utf_16(&text, u16::to_be_bytes), "big-endian", "UTF-16BE"),
    ];
    for (bytes, order, from) in cases {
        let run = machine.recover_with(&["log"], &bytes);
        let reason = format!(
            "this is UTF-16 ({order}), and only UTF-8 is read: `iconv -f {from} -t UTF-8` converts \
             it"
        );
        let says = format!("recover: warning: line 1: {reason}\n");
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run:?}");
        assert!(run.stderr.starts_with(&says), "{run:?}");
        assert_eq!(run.stderr.lines().count(), 2, "said once: {run:?}");

        let path = machine.work().join("trail.jsonl");
        std::fs::write(&path, &bytes).expect("write");
        let run = machine.recover(&["import", "trail.jsonl"]);
        assert_eq!(run.code, 1, "{run:?}");
        assert!(
            run.stderr.contains(&format!("trail.jsonl: {reason}")),
            "{run:?}"
        );
    }
    let sessions = machine.recover(&["sessions", "--json"]).json();
    assert_eq!(sessions.as_array().map(Vec::len), Some(1), "{sessions}");
}
