//! The fuzz targets' bodies, on what is kept in `fuzz/corpus` and on seeded changes of it.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use auto_recovery::testing::fuzz::{changed, detection, original, trail};
use auto_recovery::testing::{Campaign, Found, Random, Rounds, Wrong};

/// What is kept for `target`, sorted by name.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let files = fs::read_dir(directory.join(target)).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Keeps what was found out, to be put into the corpus with the mend. Returns where.
fn keep(target: &str, bytes: &[u8]) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/artifacts");
    fs::create_dir_all(&directory).unwrap();
    let name = format!("{target}-{}-{}", bytes.len(), std::process::id());
    fs::write(directory.join(&name), bytes).unwrap();
    format!("fuzz/artifacts/{name}")
}

fn replay(target: &str, body: fn(&[u8]), campaign: Campaign) {
    let corpus = corpus(target);
    let rounds = Rounds {
        ordinary: 400,
        long: 100_000,
    };
    let mut random = Random::new(60);
    let mut found = Found::default();
    let changes = (0..rounds.count()).map(|_| {
        let one = &corpus[random.index(corpus.len())];
        changed(one, &mut random)
    });
    for bytes in corpus.iter().cloned().chain(changes.collect::<Vec<_>>()) {
        found.rounds += 1;
        if catch_unwind(|| body(&bytes)).is_err() {
            found.wrong(Wrong::Other, || keep(target, &bytes));
        }
    }
    campaign.end(&found);
}

#[test]
fn trails() {
    let campaign = Campaign::begin("60-fuzz-trail", "changed trails, read and appended to");
    replay("trail", trail, campaign);
}

#[test]
fn originals() {
    let campaign = Campaign::begin("61-fuzz-original", "changed records of the original");
    replay("original", original, campaign);
}

#[test]
fn detections() {
    let campaign = Campaign::begin("62-fuzz-detection", "changed outputs, classified");
    replay("detection", detection, campaign);
}
