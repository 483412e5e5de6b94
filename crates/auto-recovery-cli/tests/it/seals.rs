//! `recover seal`, `verify`, `proof` and `key`: what they say, and what programs that run as the
//! same user cannot do.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use auto_recovery::host::{Host as _, SystemHost};
use serde_json::Value;

use crate::harness::{Machine, Run};

/// A machine whose record is sealed, and its newest seal in its short form.
fn sealed() -> (Machine, String) {
    let machine = Machine::with_unsealed_trail();
    let run = machine.recover(&["seal"]);
    assert_eq!(run.code, 0, "{run:?}");
    let seal = run.stderr.trim().trim_start_matches("recover: seal ");
    let seal = seal.to_owned();
    (machine, seal)
}

fn line(machine: &Machine, number: u64) -> Run {
    let line = format!(
        "{{\"session_id\":\"other-{number}\",\"strategy\":\"fix\",\"success\":true,\"error_type\":\"E\"}}\n"
    );
    machine.log_unsealed(&line)
}

fn kinds(run: &Run) -> Vec<String> {
    let answer: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let findings = answer["findings"].as_array().expect("a list").iter();
    findings
        .map(|one| one["kind"].as_str().expect("a kind").to_owned())
        .collect()
}

#[test]
fn what_is_sealed_is_proved_and_told() {
    let machine = Machine::with_unsealed_trail();
    let run = machine.recover(&["verify"]);
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.stderr.contains("`recover seal` seals"), "{run:?}");
    let run = machine.recover(&["seal", "--json"]);
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    let seal = answer["seal"].as_str().unwrap().to_owned();
    let run = machine.recover(&["verify"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run:?}");
    let lines: Vec<_> = run.stderr.lines().collect();
    assert!(
        lines[0].starts_with("recover: 1 trail (3 entries) and ")
            && lines[0].ends_with(" journal records are as they were sealed"),
        "{run:?}"
    );
    assert!(
        lines[1].contains(&seal) && lines[1].contains("of this machine"),
        "{run:?}"
    );
    assert!(lines[2].contains(&format!("--against {seal}")), "{run:?}");
    let outside = machine.recover(&["verify", "--against", &seal, "--require", "outside,sealed"]);
    assert_eq!(outside.code, 0, "{outside:?}");
    let again = machine.recover(&["seal"]);
    assert_eq!(
        again.stderr,
        format!("recover: everything is under seal {seal}\n")
    );
    assert_eq!(line(&machine, 1).code, 0);
    let strict = machine.recover(&["verify", "--require", "sealed", "--json"]);
    assert_eq!(
        (strict.code, kinds(&strict)),
        (3, vec!["unsealed".to_owned()])
    );
    let named = machine.recover(&["verify", "build-7"]);
    assert_eq!(named.code, 0, "{named:?}");
    assert!(named.stderr.contains("1 trail (3 entries)"), "{named:?}");
}

#[test]
fn what_changed_is_named_with_its_place_and_what_comes_next() {
    let (machine, seal) = sealed();
    let path = machine.state().join("build-7_audit.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("mismatched", "mismatches", 1)).unwrap();
    let run = machine.recover(&["verify"]);
    assert_eq!(run.code, 1, "{run:?}");
    let first = run.stderr.lines().next().unwrap();
    assert!(
        first.starts_with("recover: warning: session build-7: entries 1-3 are not what was sealed")
            && first.contains("`recover history build-7`"),
        "{run:?}"
    );
    let run = machine.recover(&["verify", "--json"]);
    assert_eq!(
        (run.code, kinds(&run)),
        (1, vec!["changed_entries".to_owned()])
    );
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    let keys: Vec<_> = answer.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "verdict",
            "sealed",
            "records",
            "trails",
            "chains",
            "witnessed",
            "findings"
        ]
    );
    let keys: Vec<_> = answer["findings"][0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["kind", "place", "session_id", "from", "to", "seal"]);
    fs::write(&path, text).unwrap();
    assert_eq!(machine.recover(&["verify"]).code, 0);
    // A seal of another store, or one that says something else.
    let other = format!(
        "{}{}",
        &seal[..seal.len() - 1],
        if seal.ends_with('0') { '1' } else { '0' }
    );
    let run = machine.recover(&["verify", "--against", &other, "--json"]);
    assert_eq!(
        (run.code, kinds(&run)),
        (1, vec!["changed_records".to_owned()])
    );
    let later = seal.replacen(seal.split(':').next().unwrap(), "99999", 1);
    let run = machine.recover(&["verify", "--against", &later, "--json"]);
    assert_eq!(
        (run.code, kinds(&run)),
        (1, vec!["missing_records".to_owned()])
    );
}

#[test]
fn what_was_typed_wrong_is_told() {
    let (machine, _) = sealed();
    for (args, code, says) in [
        (&["verify", "--against", "nowhere"][..], 2, "no such file"),
        (&["verify", "--against", "5:zz"], 2, "16 hex digits"),
        (
            &["verify", "--against", "0:e3b0c44298fc1c14"],
            2,
            "seals nothing",
        ),
        (
            &["verify", "--against", "recover.toml"],
            2,
            "neither a seal",
        ),
        (&["verify", "--pin", "3f2a"], 2, "16 hex digits"),
        (&["verify", "--require", "much"], 2, "sealed"),
        (&["verify", "nobody"], 1, "no session nobody"),
        (&["seal", "--new-chain"], 2, "--reason"),
        (&["seal", "--new-chain", "--reason", " "], 2, "say why"),
        (&["proof", "build-7"], 2, "N"),
        (&["proof", "build-7", "9"], 1, "no attempt 9"),
        (&["proof", "--check", "recover.toml"], 1, "proves nothing"),
    ] {
        machine.write("project/recover.toml", "# nothing\n");
        let run = machine.recover(args);
        assert_eq!(run.code, code, "{args:?} {run:?}");
        assert!(run.stderr.contains(says), "{args:?} {run:?}");
    }
}

#[test]
fn a_seal_is_printed_whole_and_taken_from_files() {
    let (machine, _) = sealed();
    let print = |machine: &Machine| machine.recover(&["seal", "--print"]).quiet().to_owned();
    let mut kept = print(&machine);
    assert_eq!(kept.lines().count(), 8, "{kept}");
    line(&machine, 1);
    kept += &print(&machine);
    machine.write("project/kept", &kept);
    let copy = machine.work().join("seals.jsonl");
    fs::copy(machine.state().join("seals.jsonl"), copy).unwrap();
    for file in ["kept", "seals.jsonl"] {
        let run = machine.recover(&["verify", "--against", file, "--require", "outside"]);
        assert_eq!(run.code, 0, "{run:?}");
    }
    machine.write("project/kept", &kept.replacen("seal 0", "seal 1", 1));
    let run = machine.recover(&["verify", "--against", "kept"]);
    assert_eq!(run.code, 2, "{run:?}");
}

#[test]
fn a_pinned_chain_vouches_for_no_more_than_it_sealed() {
    let (machine, _) = sealed();
    let chain = machine.recover(&["key", "show"]).stdout.trim().to_owned();
    let pinned = ["verify", "--pin", &chain, "--require", "sealed,pinned"];
    assert_eq!(machine.recover(&pinned).code, 0);
    let anew = machine.recover(&["seal", "--new-chain", "--reason", "a test"]);
    assert_eq!(anew.code, 0, "{anew:?}");
    line(&machine, 1);
    assert_eq!(machine.recover(&["seal"]).code, 0);
    let run = machine.recover(&pinned);
    assert_eq!(run.code, 3, "{run:?}");
    assert!(
        run.stderr.contains("of a chain that was not pinned"),
        "{run:?}"
    );
}

#[test]
fn a_chain_that_is_begun_during_a_run_is_gone_on_with() {
    let (machine, _) = sealed();
    let fix = format!(
        "{} seal --new-chain --reason meanwhile; touch cured",
        env!("CARGO_BIN_EXE_recover")
    );
    let run = machine.recover(&["run", "--fix", &fix, "--", "test", "-e", "cured"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!run.stderr.contains("is not there any more"), "{run:?}");
    assert!(run.stderr.contains(" · seal "), "{run:?}");
    let verified = machine.recover(&["verify", "--require", "sealed"]);
    assert_eq!(verified.code, 0, "{verified:?}");
}

#[test]
fn a_run_whose_seals_are_taken_away_says_so() {
    let (machine, seal) = sealed();
    let state = machine.state();
    let fix = format!(
        "rm {0}/seals.jsonl; rm -r {0}/seal-keys; touch cured",
        state.display()
    );
    let run = machine.recover(&["run", "--fix", &fix, "--", "test", "-e", "cured"]);
    assert_eq!(run.code, 0, "{run:?}");
    let says = "what is on record is not sealed";
    assert!(run.stderr.contains(says), "{run:?}");
    // What is there agrees with what was kept outside, and the rest cannot be proved any more.
    let verified = machine.recover(&["verify", "--against", &seal]);
    assert_eq!(verified.code, 3, "{verified:?}");
}

#[test]
fn a_receipt_is_checked_anywhere() {
    let (machine, _) = sealed();
    let run = machine.recover(&["proof", "build-7", "2", "-o", "two.tlog-proof"]);
    run.quiet();
    let run = machine.recover(&["proof", "--check", "two.tlog-proof"]);
    assert_eq!(run.code, 0, "{run:?}");
    let entry: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(entry["attempt_number"], 2);
    let text = fs::read_to_string(machine.work().join("two.tlog-proof")).unwrap();
    assert!(text.len() < 4096, "{}", text.len());
    let chain = machine.recover(&["key", "show"]).stdout.trim().to_owned();
    // On a machine that knows nothing.
    let other = Machine::new();
    other.write("project/two", &text);
    assert_eq!(other.recover(&["proof", "--check", "two"]).code, 3);
    assert_eq!(
        other
            .recover(&["proof", "--check", "two", "--pin", &chain])
            .code,
        0
    );
    let wrong = other.recover(&["proof", "--check", "two", "--pin", "0123456789abcdef"]);
    assert_eq!(wrong.code, 3);
    let changed = text.replacen("\nindex 2\n", "\nindex 0\n", 1);
    assert_ne!(changed, text);
    other.write("project/two", &changed);
    assert_eq!(other.recover(&["proof", "--check", "two"]).code, 1);
}

#[test]
fn the_chains_of_this_machine_are_listed() {
    let machine = Machine::new();
    let run = machine.recover(&["key", "list"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run:?}");
    assert_eq!(machine.recover(&["key", "show"]).code, 1);
    let (machine, _) = sealed();
    let chain = machine.recover(&["key", "show"]).stdout.trim().to_owned();
    assert_eq!(chain.len(), 16);
    let run = machine.recover(&["key", "list", "--json"]);
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(answer[0]["chain"], chain.as_str());
    let pinned = machine.recover(&["verify", "--pin", &chain, "--require", "pinned"]);
    assert_eq!(pinned.code, 0, "{pinned:?}");
}

#[test]
fn a_database_is_sealed_and_proved_as_files_are() {
    let machine = Machine::new();
    let recover = |args: &[&str]| {
        let store = ["--store", "sqlite:trail.db"];
        machine.recover(&[args, &store].concat())
    };
    let store = ["log", "--store", "sqlite:trail.db"];
    let log = machine.recover_with(&store, crate::harness::TRAIL);
    assert_eq!(log.code, 0, "{log:?}");
    let run = recover(&["seal"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("everything is under seal"), "{run:?}");
    let run = recover(&["verify", "--require", "sealed"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("are as they were sealed"), "{run:?}");
    let chain = recover(&["key", "show"]).stdout.trim().to_owned();
    assert_eq!(chain.len(), 16);
    let run = recover(&["verify", "--pin", &chain, "--require", "pinned"]);
    assert_eq!(run.code, 0, "{run:?}");
    let run = recover(&["proof", "build-7", "2", "-o", "proof"]);
    assert_eq!(run.code, 0, "{run:?}");
    let run = machine.recover(&["proof", "--check", "proof"]);
    assert_eq!(run.code, 0, "{run:?}");
    // A run seals in it too.
    let run = machine.recover(&[
        "run",
        "--store",
        "sqlite:trail.db",
        "--fix",
        "touch cured",
        "--",
        "test",
        "-e",
        "cured",
    ]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains(" · seal "), "{run:?}");
    let run = recover(&["verify", "--require", "sealed"]);
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn what_is_cleared_or_pruned_is_under_a_seal_before_and_after() {
    let (machine, _) = sealed();
    let more = crate::harness::TRAIL.replace("build-7", "build-8");
    assert_eq!(machine.log_unsealed(&more).code, 0);
    for removal in [
        &["clear", "build-8", "--yes"][..],
        &["prune", "--keep-last", "0", "--yes"],
    ] {
        let run = machine.recover(removal);
        assert_eq!(run.code, 0, "{run:?}");
        let run = machine.recover(&["verify", "--require", "sealed"]);
        assert_eq!(run.code, 0, "{run:?}");
    }
    let run = machine.recover(&["verify"]);
    assert!(run.stderr.contains("2 removals of trails"), "{run:?}");
    let journal = std::fs::read_to_string(machine.state().join("journal.jsonl")).unwrap();
    let events: Vec<_> = journal
        .lines()
        .filter(|line| line.contains("build-8"))
        .map(|line| line.contains("trail_sealed"))
        .collect();
    assert_eq!(events[..3], [false, true, false], "{journal}");
}

#[test]
fn who_can_read_and_write_what_is_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let (machine, _) = sealed();
    let run = machine.recover(&["access"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stdout.contains("0700  its owner"), "{run:?}");
    let opened = fs::Permissions::from_mode(0o755);
    fs::set_permissions(machine.state().join("seal-keys"), opened.clone()).unwrap();
    // Nobody comes to it: the directory above is closed.
    let run = machine.recover(&["access", "--json"]);
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(run.code, 0, "{answer}");
    let keys = answer.as_array().unwrap().iter();
    let keys = keys.clone().find(|one| one["what"] == "keys").unwrap();
    assert_eq!(
        (&keys["mode"], &keys["readers"]),
        (&"0755".into(), &"owner".into())
    );
    let run = machine.recover(&["access", "--sql"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stdout.contains("recover_writer"), "{run:?}");
}

/// What is at `path` once `is_there` says so of it.
fn soon(path: &Path, is_there: impl Fn(&str) -> bool) -> String {
    for _ in 0..1000 {
        let text = fs::read_to_string(path).unwrap_or_default();
        if is_there(&text) {
            return text;
        }
        let _ = SystemHost::new().sleep(Duration::from_millis(20));
    }
    panic!("{} is not as it should be", path.display());
}

#[test]
fn a_seal_is_published_and_nobody_waits_for_that() {
    let (machine, _) = sealed();
    let published = machine.work().join("published");
    let config = |command: &str| {
        let text = format!("[seal]\npublish = [\"sh\", \"-c\", \"{command}\"]\n");
        machine.write("user/.config/recover/config.toml", &text);
    };
    config(&format!("cat >> {}", published.display()));
    line(&machine, 1);
    let run = machine.recover(&["seal", "--print"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(fs::read_to_string(&published).unwrap(), run.stdout);
    // A run ends long before what publishes its seal does.
    fs::remove_file(&published).unwrap();
    config(&format!(
        "cat > {0}.part; sleep 2; mv {0}.part {0}",
        published.display()
    ));
    let run = machine.recover(&["run", "--fix", "touch cured", "--", "test", "-e", "cured"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!published.exists(), "it was waited for");
    let note = soon(&published, |text| text.ends_with('\n'));
    let newest = machine.recover(&["seal", "--print"]).stdout;
    assert_eq!(note, newest);
    // What goes wrong is told, and on record.
    config("exit 7");
    line(&machine, 2);
    let run = machine.recover(&["seal"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("is not published"), "{run:?}");
    let journal = fs::read_to_string(machine.state().join("journal.jsonl")).unwrap();
    assert!(journal.contains("seal_not_published"), "{journal}");
    assert_eq!(machine.recover(&["verify"]).code, 0);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test needs a key of somebody's own"
)]
fn people_sign_a_seal_with_a_key_of_their_own() {
    let (machine, _) = sealed();
    let key = machine.work().join("key");
    let run = |program: &mut Command| {
        let output = program.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let words = ["-q", "-t", "ed25519", "-N", "", "-f"];
    run(Command::new("ssh-keygen").args(words).arg(&key));
    let public = key.with_extension("pub");
    let public = public.to_str().unwrap();
    let signed = machine.recover(&["seal", "--print", "--sign", public]);
    assert_eq!(signed.code, 0, "{signed:?}");
    let journal = fs::read_to_string(machine.state().join("journal.jsonl")).unwrap();
    let record = journal.lines().last().unwrap();
    let record: Value = serde_json::from_str(record).unwrap();
    assert_eq!(record["event"], "seal_signed");
    let [note, signature] = ["note", "note.sig"].map(|name| machine.work().join(name));
    fs::write(&note, &signed.stdout).unwrap();
    fs::write(&signature, record["signature"].as_str().unwrap()).unwrap();
    let check = ["-Y", "check-novalidate", "-n", "auto-recovery-seal", "-s"];
    let mut check_note = Command::new("ssh-keygen");
    check_note.args(check).arg(&signature);
    run(check_note.stdin(fs::File::open(&note).unwrap()));
    let missing = machine.recover(&["seal", "--sign", "nobody.pub"]);
    assert_eq!(missing.code, 125, "{missing:?}");
    assert!(
        !missing.stderr.contains("seal "),
        "nothing is sealed: {missing:?}"
    );
}

#[test]
fn a_closed_chain_is_proved_and_a_new_one_goes_on() {
    let (machine, _) = sealed();
    let closed = machine.recover(&["seal", "--close", "--print"]);
    assert_eq!(closed.code, 0, "{closed:?}");
    assert!(closed.stdout.contains("\nnext none\n"), "{closed:?}");
    let run = machine.recover(&["verify", "--require", "sealed"]);
    assert_eq!(run.code, 0, "{run:?}");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/verify/verify.py");
    let chain = machine.recover(&["key", "show"]).stdout.trim().to_owned();
    #[expect(clippy::disallowed_methods, reason = "the other verifier is a program")]
    let python = Command::new("python3")
        .arg(script)
        .arg(machine.state())
        .arg(&chain)
        .status();
    assert!(python.unwrap().success());
    line(&machine, 1);
    let run = machine.recover(&["seal"]);
    assert_eq!(run.code, 125, "{run:?}");
    assert!(run.stderr.contains("is closed"), "{run:?}");
    let run = machine.recover(&["seal", "--new-chain", "--reason", "a new year"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(machine.recover(&["verify"]).code, 0);
}

/// Programs of somebody who knows our source and runs as the same user: `$S` is the state, which
/// has the store, the seals and the key, and `$R` is `recover`. What each is found by.
const HOSTILE: &[(&str, &str)] = &[
    (
        "sed -i 's/mismatched/mishandled/' $S/build-7_audit.jsonl",
        "changed_entries",
    ),
    ("sed -i 2d $S/build-7_audit.jsonl", "missing_entries"),
    ("rm $S/build-7_audit.jsonl", "missing_trail"),
    (
        "rm $S/build-7_audit.jsonl && mkdir $S/build-7_audit.jsonl",
        "unreadable",
    ),
    ("sed -i '$d' $S/journal.jsonl", "missing_records"),
    (
        "sed -i '1s/session_started/session_stopped/' $S/journal.jsonl",
        "changed_records",
    ),
    (": > $S/journal.jsonl", "missing_records"),
    // Changed, and sealed on with the key that is at hand.
    (
        "sed -i 's/mismatched/mishandled/' $S/build-7_audit.jsonl; $R seal",
        "changed_entries",
    ),
    (
        "sed -i '1s/session_started/session_stopped/' $S/journal.jsonl; rm $S/seal-keys/*.tree; $R seal",
        "changed_records",
    ),
    // The head is left out, the newest seal too, and all is sealed anew.
    (
        "sed -i '$d' $S/seals.jsonl; sed -i /trail_sealed/d $S/journal.jsonl; $R seal",
        "rolled_back",
    ),
    ("rm $S/seals.jsonl; $R seal", "rolled_back"),
    (
        "rm $S/seals.jsonl $(find $S/seal-keys -type f ! -name '*.*'); $R seal",
        "missing_key",
    ),
    (
        "rm $S/seals.jsonl; $R seal --new-chain --reason none",
        "rolled_back",
    ),
    (
        "sed -i 's/mismatched/mishandled/' $S/build-7_audit.jsonl; $R seal --new-chain --reason none",
        "changed_entries",
    ),
    // A trail that was cleared, put back.
    (
        "cp $S/build-7_audit.jsonl t; $R clear build-7 --yes; $R seal; cp t $S/build-7_audit.jsonl",
        "returned_trail",
    ),
    (
        "cp $S/seals.jsonl s; $R seal; cp s $S/seals.jsonl; sed -i 's/mismatched/mishandled/' $S/build-7_audit.jsonl",
        "changed_entries",
    ),
    // A key of one's own.
    (
        "K=$(find $S/seal-keys -type f ! -name '*.*'); echo {} > $K",
        "missing_key",
    ),
];

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "tests start programs that attack the record"
)]
fn what_was_sealed_before_a_hostile_program_began_is_not_changed_without_a_finding() {
    for (program, expected) in HOSTILE {
        let (machine, _) = sealed();
        line(&machine, 1);
        let run = machine.recover(&["seal"]);
        let seal = run
            .stderr
            .trim()
            .trim_start_matches("recover: seal ")
            .to_owned();
        let recover = format!(
            "env HOME={} {}",
            machine.home().display(),
            Path::new(env!("CARGO_BIN_EXE_recover")).display()
        );
        let status = Command::new("sh")
            .args(["-c", program])
            .current_dir(machine.work())
            .env("S", machine.state())
            .env("R", recover)
            .env_remove("XDG_STATE_HOME")
            .output()
            .unwrap();
        let found = machine.recover(&["verify", "--json"]);
        assert_eq!(found.code, 1, "{program}: {status:?} {found:?}");
        let kinds = kinds(&found);
        assert!(
            kinds.iter().any(|kind| kind == expected),
            "{program}: {kinds:?}"
        );
        let outside = machine.recover(&["verify", "--against", &seal]);
        assert_eq!(outside.code, 1, "{program}: {outside:?}");
    }
}

#[test]
fn who_removes_everything_is_found_by_a_seal_that_was_kept_elsewhere() {
    let (machine, seal) = sealed();
    fs::remove_dir_all(machine.state()).unwrap();
    let run = machine.recover(&["verify"]);
    assert_eq!(run.code, 3, "{run:?}");
    let (again, _) = sealed();
    // A record that was made anew: its own seals hold.
    assert_eq!(again.recover(&["verify"]).code, 0);
    assert_eq!(again.recover(&["verify", "--against", &seal]).code, 1);
}
