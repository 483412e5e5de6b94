//! Changes of many kinds to a sealed store, each verified three times: as a copy that nobody knows,
//! as a copy whose chain was written down, and on the machine that sealed it. The verifier of a
//! hundred lines of Python must say of each copy what ours says.

use std::path::Path;
use std::process::Command;

use auto_recovery::audit::sealing::{NewChain, Sealer, WhatToSeal};
use auto_recovery::audit::{AuditStore, Pruning, Removal};
use auto_recovery::host::SystemHost;
use auto_recovery::integrity::Verdict::{self, Changed, Proved, Unproved};
use auto_recovery::testing::{Campaign, Found, Random, Rounds, Wrong};
use auto_recovery::{ErrorKind, Result};
use std::sync::Arc;

use super::world::{Files, World, store_in, verify_copy};

const ROUNDS: Rounds = Rounds {
    ordinary: 3,
    long: 1000,
};

/// Of these rounds of a kind, the first are shown to the verifier in Python too: it takes a hundred
/// times as long.
const IN_PYTHON: u64 = 100;

/// Records under the first seal: three sessions began, the chain did, and three trails have a head.
const FIRST_RECORDS: usize = 7;

const JOURNAL: &str = "store/journal.jsonl";
const SEALS: &str = "store/seals.jsonl";

/// A store with a history, and how it looked meanwhile.
struct Sealed {
    chain: String,
    /// Now.
    files: Files,
    /// When it had three of its seals.
    earlier: Files,
    /// The trail that was pruned, before it was.
    pruned: Vec<u8>,
    /// Lines of a trail that are sealed, and lines of the journal.
    entries: usize,
    records: usize,
}

fn sealed() -> Sealed {
    let world = World::new();
    let mut earlier = Files::new();
    let mut pruned = Vec::new();
    for round in 0..6 {
        for session in ["a", ".b/~ü", "c"] {
            world.entries(session, 1 + 4 * round, 4);
        }
        match round {
            1 => world.entries("gone", 1, 6),
            3 => {
                let store = world.store();
                pruned = world.files()[Path::new("store/gone_audit.jsonl")].clone();
                let digest = store.digest("gone").unwrap().0;
                let pruning = Pruning {
                    digest,
                    ..Pruning::default()
                };
                store.remove("gone", &Removal::Pruned(pruning)).unwrap();
            }
            _ => {}
        }
        let seal = world.seal();
        if round == 2 {
            earlier = world.files();
        }
        if round == 5 {
            let files = world.files();
            let lines =
                |name: &str| files[Path::new(name)].split(|byte| *byte == b'\n').count() - 1;
            let (entries, records) = (lines("store/a_audit.jsonl"), lines(JOURNAL));
            assert_eq!(seal.size, records as u64);
            // What is not sealed.
            world.entries("a", 100, 3);
            return Sealed {
                chain: seal.chain,
                files: world.files(),
                earlier,
                pruned,
                entries,
                records,
            };
        }
    }
    unreachable!("the last round returns")
}

/// What must come of verifying: a copy that nobody knows, a copy whose chain was written down, and
/// on the machine. `None` for a format that is refused.
type Expected = Option<[Verdict; 3]>;

const FOUND: Expected = Some([Changed, Changed, Changed]);
const NOT_SEALED: Expected = Some([Unproved, Proved, Proved]);
const ON_MACHINE: Expected = Some([Unproved, Proved, Changed]);
const BY_PIN: Expected = Some([Unproved, Changed, Changed]);

type Kind = (&'static str, Expected, fn(&Sealed, &mut Files, &mut Random));

/// The kinds of changes.
#[rustfmt::skip]
const KINDS: &[Kind] = &[
    ("a bit of a sealed entry", FOUND, |of, files, random| flip(files, "store/a_audit.jsonl", of.entries, random)),
    ("a bit of a sealed record", FOUND, |of, files, random| flip(files, JOURNAL, of.records, random)),
    ("a bit of a signed note", FOUND, flip_note),
    ("a sealed entry deleted", FOUND, |of, files, random| delete(files, "store/a_audit.jsonl", of.entries, random)),
    ("two sealed entries swapped", FOUND, |of, files, random| swap(files, "store/a_audit.jsonl", of.entries, random)),
    ("a sealed entry doubled", FOUND, |of, files, random| double(files, "store/a_audit.jsonl", of.entries - 1, random)),
    ("a trail cut at a line", FOUND, |of, files, random| cut_lines(files, "store/a_audit.jsonl", of.entries, random)),
    ("a trail cut at a byte", FOUND, |of, files, random| cut_bytes(files, "store/a_audit.jsonl", of.entries, random)),
    ("a trail dropped", FOUND, |_, files, random| {
        let names = ["store/a_audit.jsonl", "store/c_audit.jsonl", "store/%2Eb%2F~%C3%BC_audit.jsonl"];
        let name = names.map(|name| name.replace('~', "%7E"))[random.index(3)].clone();
        files.remove(Path::new(&name)).unwrap();
    }),
    ("the files of two sessions swapped", FOUND, |_, files, _| {
        let [a, c] = ["store/a_audit.jsonl", "store/c_audit.jsonl"].map(|name| files[Path::new(name)].clone());
        files.insert("store/a_audit.jsonl".into(), c);
        files.insert("store/c_audit.jsonl".into(), a);
    }),
    ("a removed trail put back", FOUND, |of, files, _| {
        files.insert("store/gone_audit.jsonl".into(), of.pruned.clone());
    }),
    ("a record deleted", FOUND, |of, files, random| delete(files, JOURNAL, of.records, random)),
    ("two records swapped", FOUND, |of, files, random| swap(files, JOURNAL, of.records, random)),
    ("a record doubled", FOUND, |of, files, random| double(files, JOURNAL, of.records - 1, random)),
    ("the journal cut at a line", FOUND, |of, files, random| cut_lines(files, JOURNAL, of.records, random)),
    ("the record of the removal dropped", FOUND, |of, files, _| {
        let bytes = files.get_mut(Path::new(JOURNAL)).unwrap();
        let mut lines = lines(bytes);
        lines.retain(|line| !line.windows(14).any(|word| word == b"session_pruned"));
        assert!(lines.len() <= of.records);
        *bytes = lines.concat();
    }),
    ("a seal deleted in the middle", FOUND, |_, files, random| delete(files, SEALS, 5, random)),
    ("a seal doubled", FOUND, |_, files, random| double(files, SEALS, 6, random)),
    ("two seals swapped", FOUND, |_, files, random| swap(files, SEALS, 6, random)),
    ("changed, and sealed on with the key at hand", FOUND, |of, files, random| sealed_on(of, files, random, false)),
    ("the same, the newest seals dropped", FOUND, |of, files, random| sealed_on(of, files, random, true)),
    ("changed, and sealed by a new chain", FOUND, new_chain),
    ("changed, all seals dropped", BY_PIN, |of, files, random| {
        flip(files, "store/a_audit.jsonl", of.entries, random);
        files.remove(Path::new(SEALS));
        anew(files, random);
    }),
    ("the newest seals dropped", ON_MACHINE, |_, files, random| cut_lines(files, SEALS, 6, random)),
    ("back as a whole", ON_MACHINE, |of, files, _| {
        files.retain(|name, _| name.starts_with("state"));
        files.extend(of.earlier.iter().filter(|(name, _)| name.starts_with("store")).map(|(name, bytes)| (name.clone(), bytes.clone())));
    }),
    ("the whole store dropped", BY_PIN, |_, files, _| files.retain(|name, _| name.starts_with("state"))),
    ("an entry added behind", NOT_SEALED, |_, files, _| {
        let bytes = files.get_mut(Path::new("store/a_audit.jsonl")).unwrap();
        let line = lines(bytes).pop().unwrap();
        bytes.extend(line);
    }),
    ("an entry that is not sealed changed", NOT_SEALED, |of, files, random| {
        let bytes = files.get_mut(Path::new("store/a_audit.jsonl")).unwrap();
        let mut lines = lines(bytes);
        let at = of.entries + random.index(lines.len() - of.entries);
        lines[at].pop();
        lines[at].extend(b" \n");
        *bytes = lines.concat();
    }),
    ("a newer format", None, |_, files, random| {
        let bytes = files.get_mut(Path::new(SEALS)).unwrap();
        let mut lines = lines(bytes);
        let at = random.index(lines.len());
        let text = String::from_utf8(lines[at].clone()).unwrap();
        lines[at] = text.replacen("\"v\":1", "\"v\":2", 1).into_bytes();
        *bytes = lines.concat();
    }),
];

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

fn change(files: &mut Files, name: &str, act: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let bytes = files.get_mut(Path::new(name)).unwrap();
    let mut all = lines(bytes);
    act(&mut all);
    *bytes = all.concat();
}

fn flip(files: &mut Files, name: &str, count: usize, random: &mut Random) {
    let bytes = files.get_mut(Path::new(name)).unwrap();
    let sealed: usize = lines(bytes)[..count].iter().map(Vec::len).sum();
    let at = random.index(sealed);
    bytes[at] ^= 1 << random.below(8);
}

/// Flips a bit of the note in a line of the seals; the time beside it is nobody's evidence.
fn flip_note(_: &Sealed, files: &mut Files, random: &mut Random) {
    change(files, SEALS, |lines| {
        let line = &mut lines[random.index(6)];
        let note = line
            .windows(8)
            .position(|word| word == b"\"note\":\"")
            .unwrap()
            + 8;
        let at = note + random.index(line.len() - note);
        line[at] ^= 1 << random.below(8);
    });
}

fn delete(files: &mut Files, name: &str, count: usize, random: &mut Random) {
    change(files, name, |lines| drop(lines.remove(random.index(count))));
}

fn swap(files: &mut Files, name: &str, count: usize, random: &mut Random) {
    change(files, name, |lines| {
        let (one, by) = (random.index(count), 1 + random.index(count - 1));
        lines.swap(one, (one + by) % count);
    });
}

fn double(files: &mut Files, name: &str, count: usize, random: &mut Random) {
    change(files, name, |lines| {
        let at = random.index(count);
        lines.insert(at, lines[at].clone());
    });
}

fn cut_lines(files: &mut Files, name: &str, count: usize, random: &mut Random) {
    // One of the seals stays: without any, nobody would vouch for any chain.
    change(files, name, |lines| {
        lines.truncate(1 + random.index(count - 1))
    });
}

fn cut_bytes(files: &mut Files, name: &str, count: usize, random: &mut Random) {
    let bytes = files.get_mut(Path::new(name)).unwrap();
    let sealed: usize = lines(bytes)[..count].iter().map(Vec::len).sum();
    bytes.truncate(random.index(sealed));
}

/// Changes an entry, and seals on as somebody would who took the key.
fn sealed_on(of: &Sealed, files: &mut Files, random: &mut Random, drops: bool) {
    let world = World::new();
    world.set_files(files);
    world.entries("new", 1, 1);
    let mut taken = world.files();
    // What the first seal covers, which stays.
    let records = if drops { FIRST_RECORDS } else { of.records };
    flip(&mut taken, JOURNAL, records, random);
    if drops {
        // The key is at hand, and what it should follow is not.
        cut_lines(&mut taken, SEALS, 6, random);
    }
    // Our sealer refuses to sign over what changed, so the derived hashes say otherwise.
    world.set_files(&taken);
    let refused = world.sealer().seal(WhatToSeal::All);
    assert_eq!(refused.is_err(), drops, "{refused:?}");
    *files = world.files();
}

/// Changes an entry, and begins a new chain over it with a key of one's own.
fn new_chain(of: &Sealed, files: &mut Files, random: &mut Random) {
    flip(files, "store/a_audit.jsonl", of.entries, random);
    let (world, elsewhere) = (World::new(), World::new());
    world.set_files(files);
    let sealer = Sealer::new(
        world.store(),
        &elsewhere.state(),
        Arc::new(SystemHost::new()),
    );
    let new = NewChain { reason: "none" };
    sealer.seal_in_new_chain(WhatToSeal::All, new).unwrap();
    *files = world.files();
}

/// Leaves out the heads that contradict what is there, and half of the time seals the store, which
/// has no seals, with keys of one's own.
fn anew(files: &mut Files, random: &mut Random) {
    change(files, JOURNAL, |lines| {
        lines.retain(|line| !line.windows(12).any(|word| word == b"trail_sealed"));
    });
    if random.chance(50) {
        return;
    }
    let (world, elsewhere) = (World::new(), World::new());
    world.set_files(files);
    let host = Arc::new(SystemHost::new());
    let sealer = Sealer::new(world.store(), &elsewhere.state(), host);
    sealer.seal(WhatToSeal::All).unwrap();
    *files = world.files();
}

/// The verdict, or `None` for a newer format.
fn verdict(found: Result<auto_recovery::audit::sealing::Verification>) -> Option<Verdict> {
    match found {
        Ok(found) => Some(found.verdict),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::NewerFormat, "{error}");
            None
        }
    }
}

/// What the verifier in Python says.
#[expect(
    clippy::disallowed_methods,
    reason = "tests start the program they test"
)]
fn in_python(dir: &Path, pin: Option<&str>) -> Option<Verdict> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/verify/verify.py");
    let output = Command::new("python3")
        .arg(script)
        .arg(dir)
        .args(pin)
        .output()
        .unwrap();
    match output.status.code() {
        Some(0) => Some(Proved),
        Some(1) => Some(Changed),
        Some(3) => Some(Unproved),
        Some(125) => None,
        other => panic!("{other:?}: {output:?}"),
    }
}

#[test]
fn every_change_of_what_is_sealed_is_found_by_both_verifiers() {
    let campaign = Campaign::begin("seals-mutants", "changes to a sealed store, two verifiers");
    let of = sealed();
    let mut found = Found::nothing_in(0);
    let world = World::new();
    let pins = [of.chain.clone()];
    for (name, expected, mutate) in KINDS {
        for round in 0..ROUNDS.count() {
            found.rounds += 1;
            found.round = format!("{name}, {round}");
            let mut files = of.files.clone();
            mutate(&of, &mut files, &mut Random::new(round));
            assert_ne!(files, of.files, "{name}");
            world.set_files(&files);
            let python: Option<[_; 2]> = (round < IN_PYTHON.min(ROUNDS.count() / 3)).then(|| {
                let pin = Some(of.chain.as_str());
                [in_python(&world.dir(), None), in_python(&world.dir(), pin)]
            });
            let ours = [
                verdict(verify_copy(&world.dir(), &[])),
                verdict(verify_copy(&world.dir(), &pins)),
                verdict(verify_here(&world)),
            ];
            let expected = expected.map_or([None; 3], |expected| expected.map(Some));
            if ours != expected {
                found.wrong(Wrong::Other, || format!("{ours:?}, not {expected:?}"));
            }
            if let Some(python) = python
                && python != ours[..2]
            {
                found.wrong(Wrong::Torn, || {
                    format!("in Python {python:?}, ours {ours:?}")
                });
            }
        }
    }
    campaign.end(&found);
}

/// On the machine itself, where the store stands in another place than it was sealed in.
fn verify_here(world: &World) -> Result<auto_recovery::audit::sealing::Verification> {
    use auto_recovery::audit::sealing::{Keys, VerifyRequest, verify};
    let path = world.state().join("seal-keys/seen.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut moved = String::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let mut seen: serde_json::Value = serde_json::from_str(line).unwrap();
        seen["store"] = format!("jsonl:{}", world.dir().display()).into();
        moved.push_str(&format!("{seen}\n"));
    }
    std::fs::write(&path, moved).unwrap();
    let keys = Some(Keys::in_state(&world.state()));
    let request = VerifyRequest {
        keys,
        ..VerifyRequest::default()
    };
    verify(&*store_in(&world.dir()), &request)
}
