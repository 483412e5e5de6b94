//! The same commands over other stores than the directory of files.

#[path = "../../../auto-recovery-sql/tests/it/postgres_server.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "it is of the store's own tests, which need more of a server"
)]
mod postgres_server;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use self::postgres_server::Server;
use crate::encrypted::{CONFIG, PLANTED, configure, identity, planted, recovered};
use crate::harness::{Machine, TRAIL};

const SQLITE: &str = "sqlite:trails.db";

/// What commands print that read whole trails.
const READERS: [&[&str]; 8] = [
    &["sessions", "--json"],
    &["history", "build-7", "--json"],
    &["history", "build-7", "--last", "2", "--json"],
    &["stats", "build-7", "--json"],
    &["stats", "--all", "--by", "day,strategy", "--json"],
    &["export", "--all", "--format", "csv"],
    &["export", "--all", "--format", "jsonl"],
    &["show", "build-7", "2", "--json"],
];

/// Copies a trail to the store of this URL, asks both, and copies it back.
fn assert_same_in(url: &str) {
    let machine = Machine::with_unsealed_trail();
    let from = format!("jsonl:{}", machine.state().display());
    let copied = machine.recover(&["copy", &from, url, "--json"]).json();
    assert_eq!(
        (&copied["entries"], &copied["added"]),
        (&json!(3), &json!(3))
    );
    for args in READERS {
        let there = machine.recover(&[args, &["--store", url, "-q"]].concat());
        let here = machine.recover(&[args, &["-q"]].concat());
        assert_eq!(there.quiet(), here.quiet(), "{args:?}");
    }
    let back = format!("jsonl:{}", machine.root().join("back").display());
    assert_eq!(machine.recover(&["copy", url, &back]).code, 0);
    let trail = |dir: &Path| fs::read(dir.join("build-7_audit.jsonl")).expect("the trail");
    assert_eq!(trail(&machine.root().join("back")), trail(&machine.state()));
}

#[test]
fn every_reader_says_the_same_of_a_database() {
    assert_same_in(SQLITE);
}

#[test]
fn every_reader_says_the_same_of_a_server() {
    assert_same_in(&postgres_server::shared().database().url);
}

#[test]
fn an_exact_copy_has_the_seals_and_goes_on_beside_the_store_it_is_of() {
    let machine = Machine::with_trail();
    let seal = machine.recover(&["seal", "--json"]).json();
    let seal = seal["seal"].as_str().expect("text");
    let from = format!("jsonl:{}", machine.state().display());
    let made = machine.recover(&["copy", "--exact", &from, SQLITE]);
    assert_eq!(made.code, 0, "{made:?}");
    let says = "recover: 1 session, 3 entries, 3 journal records, 1 seal; everything is there as it was \
                sealed · a chain of its own begins with seal 4:";
    assert!(made.stderr.starts_with(says), "{made:?}");
    // Both go on, and a seal that was kept of the one is found in the other.
    for store in [SQLITE, &from, SQLITE] {
        let log = machine.recover_with(&["log", "--store", store], TRAIL);
        assert_eq!(log.code, 0, "{log:?}");
        for store in [SQLITE, &from] {
            let strict = ["verify", "--require", "sealed,outside", "--against", seal];
            let run = machine.recover(&[&strict[..], &["--store", store]].concat());
            assert_eq!(run.code, 0, "{run:?}");
        }
    }
    let run = machine.recover(&["verify", "--store", SQLITE]);
    assert!(run.stderr.contains("an exact copy of jsonl:"), "{run:?}");
    let again = machine.recover(&["copy", "--exact", &from, SQLITE]);
    assert_eq!(again.code, 125, "{again:?}");
    assert!(again.stderr.contains("is not empty"), "{again:?}");
}

#[test]
fn a_database_is_made_by_the_first_write_for_its_owner_alone() {
    let machine = Machine::new();
    let file = machine.work().join("trails.db");
    assert_eq!(
        machine
            .recover(&["sessions", "--store", SQLITE, "--json"])
            .json(),
        json!([])
    );
    assert!(!file.exists(), "reading makes nothing");
    machine
        .recover_with(&["log", "--store", SQLITE], TRAIL)
        .quiet();
    let mode = fs::metadata(&file)
        .expect("the database")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_recovery_is_recorded_in_a_database_inside_the_tree_it_watches() {
    let machine = Machine::new();
    machine.write("project/value", "broken\n");
    machine.write(
        "user/.config/recover/config.toml",
        &format!(
            "store = \"sqlite:{}\"\n",
            machine.work().join("trails.db").display()
        ),
    );
    let run = machine.recover(&[
        "run",
        "--fix",
        "false",
        "--fix",
        "echo mended > value",
        "--",
        "grep",
        "-q",
        "mended",
        "value",
    ]);
    assert_eq!(run.code, 0, "{run:?}");
    let entries = machine.recover(&["history", "--json", "-q"]).json();
    let modified = |index: usize| entries[index]["files_modified"].clone();
    assert_eq!(
        modified(3),
        json!(["value"]),
        "the database is no part of the tree: {entries}"
    );
    assert_eq!(modified(0), json!([]));
    assert_eq!(machine.recover(&["restore", "--last"]).code, 0);
    let value = fs::read_to_string(machine.work().join("value")).expect("the file");
    assert_eq!(value, "broken\n");
    assert_eq!(
        machine.recover(&["sessions", "--json"]).json()[0]["outcome"],
        "recovered"
    );
}

#[test]
fn what_is_no_database_is_refused_by_name() {
    let machine = Machine::new();
    machine.write(
        "project/trails.db",
        "not a database, but long enough to look at",
    );
    let run = machine.recover(&["sessions", "--store", SQLITE]);
    assert_ne!(run.code, 0);
    assert!(run.stderr.contains("trails.db"), "{}", run.stderr);
    let run = machine.recover_with(&["log", "--store", "sqlite:/proc/nowhere/x.db"], TRAIL);
    assert_eq!(run.code, 125, "{run:?}");
    assert!(run.stderr.contains("/proc/nowhere"), "{}", run.stderr);
}

#[test]
fn work_goes_on_while_the_server_is_away_and_the_record_arrives_when_it_is_back() {
    let server = Server::start(true, &[]);
    let database = server.own_database();
    let machine = Machine::new();
    machine.write(
        "user/.config/recover/config.toml",
        &format!("store = \"{}\"\n", database.url),
    );
    machine.write("project/value", "broken\n");
    machine.recover_with(&["log", "-q"], TRAIL).quiet();
    server.kill();
    let run = machine.recover(&[
        "run",
        "--session",
        "away",
        "--fix",
        "false",
        "--fix",
        "echo mended > value",
        "--",
        "grep",
        "-q",
        "mended",
        "value",
    ]);
    assert_eq!(
        run.code, 0,
        "the record is kept, so the recovery goes on: {run:?}"
    );
    let told = run.stderr.matches("cannot be reached").count();
    assert_eq!(told, 1, "and it is told once: {}", run.stderr);
    assert!(
        !run.stderr.contains(postgres_server::PASSWORD),
        "{}",
        run.stderr
    );
    let line = r#"{"session_id":"build-7","strategy":"fix","success":true,"error_type":"E"}"#;
    let logged = machine.recover_with(&["log"], line);
    assert_eq!(
        (logged.code, logged.stdout.lines().count()),
        (0, 1),
        "{logged:?}"
    );
    let sessions = machine.recover(&["sessions"]);
    assert_eq!(sessions.code, 125);
    assert!(
        sessions.stderr.contains("5 entries wait in"),
        "{}",
        sessions.stderr
    );
    server.run();
    assert_readers_say_what_waits(&machine);
    let run = machine.recover(&["run", "--retry", "0", "--", "false"]);
    assert!(run.stderr.contains("delivered 5 entries"), "{}", run.stderr);
    assert_arrived(&machine);
    let again = machine.recover(&["run", "--retry", "0", "--", "false"]);
    assert!(
        !again.stderr.contains("delivered"),
        "once: {}",
        again.stderr
    );
}

/// Asserts that whoever reads says that what was recorded meanwhile is not there yet.
fn assert_readers_say_what_waits(machine: &Machine) {
    for args in [
        &["sessions", "--json"][..],
        &["history", "build-7"],
        &["stats", "build-7"],
        &["stats", "--all"],
        &["export", "build-7"],
        &["export", "--all"],
        &["report", "build-7"],
        &["show", "build-7"],
    ] {
        let reads = machine.recover(args);
        let told = "warning: 5 entries wait in [ROOT]/user/.local/state/auto-recovery/spool/";
        assert_eq!(
            (reads.code, reads.stderr.matches(told).count()),
            (0, 1),
            "{args:?}: {reads:?}"
        );
    }
}

/// Asserts that the store has what was recorded while it was away, in order.
fn assert_arrived(machine: &Machine) {
    let entries = machine.recover(&["history", "away", "--json"]).json();
    let numbers: Vec<_> = entries.as_array().expect("a list").iter().collect();
    let numbers: Vec<_> = numbers
        .iter()
        .map(|entry| &entry["attempt_number"])
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert_eq!(
        machine
            .recover(&["history", "build-7", "--json"])
            .json()
            .as_array()
            .map(Vec::len),
        Some(4)
    );
}

/// Configures `machine` to encrypt into the store `url`, to the identity `recipient`.
fn encrypt_into(machine: &Machine, url: &str, (recipient, opens): (u8, Option<u8>)) {
    configure(machine, recipient, opens);
    let file = machine.root().join(CONFIG);
    let encryption = fs::read_to_string(&file).expect("the configuration");
    machine.write(CONFIG, &format!("store = \"{url}\"\n{encryption}"));
}

#[test]
fn what_is_encrypted_into_a_server_is_so_while_it_waits_and_goes_with_its_keys() {
    let server = Server::start(true, &[]);
    let database = server.own_database();
    let machine = Machine::new();
    let encrypting = |keys| encrypt_into(&machine, &database.url, keys);
    encrypting((1, None));
    recovered(&machine);
    server.kill();
    fs::remove_file(machine.work().join("ok")).expect("what the fix made");
    recovered(&machine);
    assert_eq!(planted(&machine.home()), Vec::<PathBuf>::new());
    server.run();
    let rows = "SELECT count(*) FROM auto_recovery.stored_entry WHERE error_message LIKE 'enc:1:%'";
    let before = server.ask(&database.name, rows);
    // Whoever has the identity reads it once it is delivered, here by a command that fails.
    encrypting((1, Some(1)));
    let run = machine.recover(&["run", "--retry", "0", "--session", "third", "--", "false"]);
    assert!(run.stderr.contains("delivered"), "{run:?}");
    assert_ne!(server.ask(&database.name, rows), before);
    let sessions = machine.recover(&["sessions", "--json"]).json();
    let ids = sessions.as_array().expect("a list").iter();
    let ids = ids.filter_map(|one| one["session_id"].as_str());
    let ids: Vec<_> = ids.filter(|id| *id != "third").collect();
    assert_eq!(ids.len(), 2, "{sessions}");
    for id in &ids {
        let history = machine.recover(&["history", id, "--json"]);
        assert!(history.stdout.contains(PLANTED), "{history:?}");
    }
    assert_eq!(machine.recover(&["verify"]).code, 0);
    // What lives on is wrapped for another, and what is erased took its key along.
    let cleared = machine.recover(&["clear", "third", "--yes"]);
    assert_eq!(cleared.code, 0, "{cleared:?}");
    let to = identity(2).recipient().to_string();
    let rotated = machine.recover(&["key", "rotate", "--to", &to]);
    assert!(rotated.stderr.contains("of 2 sessions"), "{rotated:?}");
    let refused = machine.recover(&["history", ids[0], "--json"]);
    assert_eq!(refused.code, 125, "{refused:?}");
    encrypting((2, Some(2)));
    let shown = machine.recover(&["show"]);
    assert!(shown.stdout.contains(PLANTED), "{shown:?}");
    assert_eq!(machine.recover(&["verify"]).code, 0);
}

/// How often each recipe was tried and cured, also where a copy of the store is asked.
#[test]
fn recipes_are_counted_by_what_the_journal_says() {
    let machine = Machine::new();
    let line = |number: u64, recipe: &str| {
        let begun = json!({
            "v": 1, "at": "2020-01-02T09:59:59.000Z", "session_id": "s", "event": "attempt_started",
            "attempt_number": number, "strategy": "fix", "strategy_attempt": 1,
            "category": "code_quality", "recipe": recipe,
        });
        let entry = json!({
            "entry_id": format!("entry_{number}"), "timestamp": "2020-01-02T10:00:00.000Z",
            "session_id": "s", "error_type": "E", "strategy": "fix", "attempt_number": number,
            "success": number == 3, "changes_made": [], "files_modified": [],
            "rollback_performed": false, "next_action": "", "duration_seconds": 1.5,
            "error_message": "", "recovery_message": "",
        });
        format!("{begun}\n{entry}\n")
    };
    let lines = [(1, "ruff-fix"), (2, "black"), (3, "ruff-fix")].map(|(n, name)| line(n, name));
    let file = machine.write("trail.jsonl", &lines.concat());
    let file = file.to_str().unwrap();
    assert_eq!(machine.recover(&["import", file]).code, 0);
    let from = format!("jsonl:{}", machine.state().display());
    assert_eq!(
        machine.recover(&["copy", &from, "sqlite:trails.db"]).code,
        0
    );
    for store in [from.as_str(), "sqlite:trails.db"] {
        let ask = ["--store", store, "stats", "--all", "--by", "recipe"];
        let answer = machine.recover(&[&ask[..], &["--json"]].concat()).json();
        assert_eq!(answer["group_by"], json!(["recipe"]));
        let groups = answer["groups"].as_array().unwrap().iter();
        let told = groups.map(|one| {
            json!([
                one["recipe"],
                one["total_attempts"],
                one["successful_attempts"]
            ])
        });
        let expected = [json!(["ruff-fix", 2, 1]), json!(["black", 1, 0])];
        assert_eq!(told.collect::<Vec<_>>(), expected, "{store}");
        let table = machine.recover(&ask);
        assert!(table.stdout.starts_with("RECIPE  "), "{}", table.stdout);
    }
}
