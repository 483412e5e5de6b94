//! Any bytes as a configuration: taken, or refused in one line that names the file; the same each
//! time.

use std::fs;
use std::path::Path;

use auto_recovery::testing::fuzz::changed;
use auto_recovery::testing::{Campaign, Found, Random, Rounds, Wrong};

use crate::harness::Machine;

fn check(machine: &Machine, bytes: &[u8], found: &mut Found) {
    let file = machine.root().join("config.toml");
    fs::write(&file, bytes).expect("write the configuration");
    let args = ["config", "--config", "../config.toml", "--json"];
    let run = machine.recover(&args);
    let again = machine.recover(&args);
    let is_same =
        (run.code, &run.stdout, &run.stderr) == (again.code, &again.stdout, &again.stderr);
    let is_refused = run.code == 2
        && run.stdout.is_empty()
        && run.stderr.starts_with("recover: error: ")
        && run.stderr.contains("config.toml")
        && run.stderr.lines().count() == 1;
    let is_taken = run.code == 0 && serde_json::from_str::<serde_json::Value>(&run.stdout).is_ok();
    if !is_same || !(is_taken || is_refused) {
        let bytes = bytes.escape_ascii();
        found.wrong(Wrong::Other, || format!("{run:?} of {bytes}"));
    }
}

#[test]
fn a_configuration_is_taken_or_refused_with_its_name() {
    let campaign = Campaign::begin("63-fuzz-config", "changed configurations, read");
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/config");
    let files = fs::read_dir(directory).expect("the corpus");
    let mut paths: Vec<_> = files.map(|file| file.expect("the corpus").path()).collect();
    paths.sort();
    let corpus: Vec<Vec<u8>> = paths
        .iter()
        .map(|path| fs::read(path).expect("the corpus"))
        .collect();
    let machine = Machine::new();
    let mut found = Found::default();
    let mut random = Random::new(63);
    let rounds = Rounds {
        ordinary: 40,
        long: 3000,
    };
    for bytes in &corpus {
        check(&machine, bytes, &mut found);
    }
    for _ in 0..rounds.count() {
        let one = &corpus[random.index(corpus.len())];
        check(&machine, &changed(one, &mut random), &mut found);
        found.rounds += 1;
    }
    campaign.end(&found);
}
