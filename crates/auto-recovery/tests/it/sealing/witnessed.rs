//! What a witness is sent, what it signs and refuses, and what its signature proves here.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use auto_recovery::audit::sealing::{
    Keys, Requirements, VerifyRequest, Voucher, WhatToSeal, add_checkpoint, keep_cosignatures,
    newest_seal,
};
use auto_recovery::audit::{AuditStore, JournalEvent, SealWitnessed};
use auto_recovery::integrity::{FindingKind, Hash, Range, Seal, Verdict};
use auto_recovery::{ErrorKind, Hint, Result};

use super::witness::{NAME, Witness};
use super::world::{World, made};

/// A world whose store is sealed and known to a witness.
fn known() -> (World, Witness) {
    let world = World::new();
    world.entries("a", 1, 5);
    world.seal();
    let key = log_key(&world);
    let witness = Witness::of(&key);
    (world, witness)
}

fn log_key(world: &World) -> String {
    loop {
        // A program that another test is just starting holds every lock of this process.
        match world.sealer().log_key().unwrap() {
            Some(key) => return key.to_string(),
            None => std::thread::yield_now(),
        }
    }
}

/// The body of the request from `old` records to the newest seal, which is made first.
fn request(world: &World, old: u64) -> Result<String> {
    let (seal, store) = (world.seal(), world.store());
    let seals = store.seals().unwrap().unwrap();
    add_checkpoint(seals, &Keys::in_state(&world.state()), &seal, old)
}

fn keep(world: &World, witness: &Witness, answer: &str) -> Result<Seal> {
    let witnesses = [witness.verifier_key().parse().unwrap()];
    keep_cosignatures(&*world.store(), &witnesses, answer).map(|kept| kept.seal)
}

/// What is asked of a verification by who knows `witness`.
fn by(witness: &Witness) -> VerifyRequest {
    VerifyRequest {
        witnesses: vec![witness.verifier_key().parse().unwrap()],
        require: Requirements {
            outside: true,
            ..Requirements::default()
        },
        ..VerifyRequest::default()
    }
}

fn kinds(world: &World, request: &VerifyRequest) -> Vec<FindingKind> {
    let found = world.verify_with(request.clone());
    found.findings.iter().map(|one| one.kind).collect()
}

#[test]
fn a_witness_signs_a_store_as_it_grows_and_the_signature_is_proof_outside() {
    let (world, mut witness) = known();
    assert_eq!(kinds(&world, &by(&witness)), [FindingKind::UnknownChain]);
    for round in 0..12 {
        let body = request(&world, witness.head.0).unwrap();
        let answer = witness.add_checkpoint(&body).unwrap_or_else(|refused| {
            panic!("round {round}: {refused:?} to {body}");
        });
        let seal = keep(&world, &witness, &answer).unwrap();
        assert_eq!((seal.size, seal.root), witness.head);
        let found = world.verify_with(by(&witness));
        assert_eq!((found.verdict, found.has_outside), (Verdict::Proved, true));
        let witnessed = found.witnessed.unwrap();
        assert_eq!(witnessed.seal, seal.short().to_string());
        assert_eq!(witnessed.witnesses.len(), 1);
        assert_eq!(witnessed.witnesses[0].name, NAME);
        let at = format!("2023-11-14T22:13:{:02}.000Z", 20 + round);
        assert_eq!(witnessed.witnesses[0].at, at);
        // Who knows no witness is told of none.
        let found = world.verify();
        assert_eq!((found.verdict, found.witnessed), (Verdict::Proved, None));
        world.entries("a", 6 + round * 3, 3);
        witness.now += 1;
    }
}

#[test]
fn a_witnessed_chain_needs_nobody_else_to_vouch_for_it() {
    let (world, mut witness) = known();
    let answer = witness
        .add_checkpoint(&request(&world, 0).unwrap())
        .unwrap();
    keep(&world, &witness, &answer).unwrap();
    // As on another machine, which never sealed here.
    fs::remove_dir_all(world.state()).unwrap();
    assert_eq!(world.verify().verdict, Verdict::Unproved);
    let found = world.verify_with(by(&witness));
    assert_eq!(found.verdict, Verdict::Proved);
    assert_eq!(found.chains[0].vouched_by, Some(Voucher::Outside));
}

#[test]
fn the_key_that_witnesses_know_stays_and_signs_every_seal() {
    let (world, _) = known();
    let path = fs::read_dir(world.state().join("seal-keys")).unwrap();
    let mut paths = path.map(|found| found.unwrap().path());
    let path = paths
        .find(|path| path.extension().is_some_and(|end| end == "identity"))
        .unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let key = log_key(&world);
    let name = key.split('+').next().unwrap().to_owned();
    let signed = |world: &World| {
        world.seal();
        let (seal, note) = newest_seal(&*world.store()).unwrap().unwrap();
        assert_eq!(name, format!("auto-recovery/store/{}", seal.origin));
        note.contains(&format!("\n\u{2014} {name} "))
    };
    assert!(!signed(&world), "it was sealed before");
    for round in 0..3 {
        world.entries("a", 6 + round, 1);
        assert!(signed(&world));
        assert_eq!(log_key(&world), key);
    }
    assert_eq!(world.verify().verdict, Verdict::Proved);
    // Without it, or with one that cannot be read, there is a seal all the same, and a warning.
    for damage in [&b"{\"v\":1}"[..], b"", b"{\"v\":2,\"seed\":\"\"}"] {
        fs::write(&path, damage).unwrap();
        world.entries("b", 1, 1);
        let sealer = world.sealer();
        made(|| sealer.seal(WhatToSeal::All));
        let why = sealer.unknown_to_witnesses().unwrap();
        assert!(why.to_string().contains("identity"), "{why}");
        assert!(world.sealer().log_key().is_err());
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(
        request(&world, 0).unwrap_err().hint(),
        Some(&Hint::WitnessKey)
    );
    let new_key = log_key(&world);
    assert_ne!(new_key, key);
    // The newest seal is older than that key, which signs it for the witness all the same.
    let mut witness = Witness::of(&new_key);
    witness
        .add_checkpoint(&request(&world, 0).unwrap())
        .unwrap();
    world.entries("a", 9, 1);
    assert!(signed(&world));
    fs::remove_file(&path).unwrap();
    world.entries("a", 10, 1);
    let sealer = world.sealer();
    made(|| sealer.seal(WhatToSeal::All));
    let why = sealer.unknown_to_witnesses().unwrap();
    assert!(why.to_string().contains("is not there any more"), "{why}");
    assert_eq!(world.verify().verdict, Verdict::Proved);
}

#[test]
fn a_request_is_as_the_specification_has_it_for_every_old_size() {
    let (world, _) = known();
    let size = world.seal().size;
    for number in 0..9 {
        world.entries(&format!("s{number}"), 1, 1);
    }
    let newest = world.seal().size;
    assert!(newest > 2 * size);
    for old in 0..=newest {
        let body = request(&world, old).unwrap();
        let (head, _) = body.split_once("\n\n").unwrap();
        let lines: Vec<_> = head.split('\n').collect();
        assert_eq!(lines[0], format!("old {old}"));
        let is_empty = old == 0 || old == newest;
        assert_eq!(lines.len() == 1, is_empty, "{body}");
        // Others know by hash what was there at each size: a log of as many leaves.
        let mut asked = Witness::of(&log_key(&world));
        asked.head = (old, root_at(&world, old));
        asked.add_checkpoint(&body).unwrap();
        assert_eq!(asked.head.0, newest);
    }
    let error = request(&world, newest + 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
}

/// The root of the first `size` records.
fn root_at(world: &World, size: u64) -> Hash {
    let journal = fs::read_to_string(world.dir().join("journal.jsonl")).unwrap();
    let mut range = Range::default();
    let leaves = journal.lines().take(usize::try_from(size).unwrap());
    leaves.for_each(|leaf| range.push(leaf.as_bytes()));
    range.root()
}

#[test]
fn a_store_that_is_not_known_or_changed_asks_no_witness() {
    let world = World::new();
    world.entries("a", 1, 5);
    let error = request(&world, 0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(error.hint(), Some(&Hint::WitnessKey));
    log_key(&world);
    let seal = world.seal();
    let path = world.dir().join("journal.jsonl");
    let journal = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        journal.replacen("session_started", "session_startled", 1),
    )
    .unwrap();
    let store = world.store();
    let seals = store.seals().unwrap().unwrap();
    let error = add_checkpoint(seals, &Keys::in_state(&world.state()), &seal, 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
}

#[test]
fn a_witness_refuses_a_fork_an_older_state_and_another_log() {
    let (world, mut witness) = known();
    world.seal();
    let before = world.files();
    let first = request(&world, 0).unwrap();
    witness.add_checkpoint(&first).unwrap();
    let known = witness.head.0;
    world.entries("a", 6, 2);
    let second = request(&world, known).unwrap();
    witness.add_checkpoint(&second).unwrap();
    // Asked again from the old size, it says the one that it knows.
    let again = witness.add_checkpoint(&second).unwrap_err();
    assert_eq!(again, (409, format!("{}\n", witness.head.0)));
    // Somebody puts all back, key and all, and tells it another way.
    world.set_files(&before);
    world.entries("forged", 1, 3);
    let size = world.seal().size;
    for old in [0, known] {
        let body = request(&world, old).unwrap();
        assert_eq!(witness.add_checkpoint(&body).unwrap_err().0, 409);
    }
    assert!(size <= witness.head.0, "{size}");
    for number in 0..4 {
        world.entries(&format!("more{number}"), 1, 1);
    }
    let body = request(&world, witness.head.0).unwrap();
    assert_eq!(witness.add_checkpoint(&body).unwrap_err().0, 422);
    let (other, mut others) = self::known();
    let body = request(&other, 0).unwrap();
    assert_eq!(witness.add_checkpoint(&body).unwrap_err().0, 404);
    others.add_checkpoint(&body).unwrap();
}

#[test]
fn an_answer_that_proves_nothing_is_not_kept() {
    let (world, mut witness) = known();
    let body = request(&world, 0).unwrap();
    let answer = witness.add_checkpoint(&body).unwrap();
    let (_, note) = body.split_once("\n\n").unwrap();
    let text = &note[..=note.find("\n\n").unwrap()];
    let stranger = answer.replace(NAME, "stranger.example");
    let before = world.files();
    for (wrong, says) in [
        (String::new(), "not what a witness answers"),
        (answer.trim_end().to_owned(), "not what a witness answers"),
        (answer.replace('\n', "\r\n"), "not what a witness answers"),
        (format!("{answer}\n"), "not what a witness answers"),
        ("not found".to_owned(), "not what a witness answers"),
        ("17\n".to_owned(), "it knows 17 records"),
        (stranger.clone(), "stranger.example"),
        (
            witness.cosign(&text.replacen("\nseal", "\nSeal", 1)),
            "holds for no seal",
        ),
        (
            format!("{}\n{answer}", text.replacen('\n', "x\n", 1)),
            "holds for no seal",
        ),
        (
            answer.clone() + &witness.cosign("else\n"),
            "holds for no seal",
        ),
        (answer.repeat(16), "too many"),
    ] {
        let error = keep(&world, &witness, &wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{wrong}");
        assert!(error.to_string().contains(says), "{wrong}: {error}");
    }
    let (other, _) = known();
    let error = keep(&other, &witness, &answer).unwrap_err();
    assert!(error.to_string().contains("for another store"), "{error}");
    assert_eq!(world.files(), before, "nothing was kept");
    // Below the seal, beside those of strangers, after newer seals: kept once.
    world.entries("a", 6, 1);
    world.seal();
    let seal = keep(&world, &witness, &format!("{note}{answer}{stranger}")).unwrap();
    assert_eq!((seal.size, seal.root), witness.head);
    let kept = world.files();
    keep(&world, &witness, &answer).unwrap();
    assert_eq!(world.files(), kept);
    assert_eq!(world.verify_with(by(&witness)).verdict, Verdict::Proved);
}

#[test]
fn what_is_kept_of_a_witness_and_does_not_hold_is_found() {
    let (world, mut witness) = known();
    let body = request(&world, 0).unwrap();
    let (_, note) = body.split_once("\n\n").unwrap();
    let answer = witness.add_checkpoint(&body).unwrap();
    keep(&world, &witness, &answer).unwrap();
    let record = |note: String| {
        let seal = String::new();
        let event = JournalEvent::SealWitnessed(SealWitnessed { seal, note });
        world.store().record(None, event).unwrap();
    };
    let clean = world.files();
    // Nobody here can say anything about what strangers sign, nor about what is no note.
    record(format!(
        "{note}{}",
        answer.replace(NAME, "stranger.example")
    ));
    record("no note".to_owned());
    assert_eq!(kinds(&world, &by(&witness)), []);
    for wrong in [
        witness.cosign("else\n"),
        witness.cosign(&note[..=note.find("\n\n").unwrap()].replace("seal 0", "seal 9")),
    ] {
        world.set_files(&clean);
        record(format!("{note}{wrong}"));
        assert_eq!(kinds(&world, &by(&witness)), [FindingKind::BadSignature]);
        // Who does not know the witness is told nothing.
        assert_eq!(kinds(&world, &VerifyRequest::default()), []);
    }
    // The seals are cut behind what the witness signed, and what this machine remembers with them.
    world.set_files(&clean);
    world.entries("a", 6, 1);
    let body = request(&world, witness.head.0).unwrap();
    let answer = witness.add_checkpoint(&body).unwrap();
    keep(&world, &witness, &answer).unwrap();
    let seals = world.dir().join("seals.jsonl");
    let text = fs::read_to_string(&seals).unwrap();
    let first = text.split_inclusive('\n').next().unwrap();
    fs::write(&seals, first).unwrap();
    fs::remove_dir_all(world.state()).unwrap();
    let found = kinds(&world, &by(&witness));
    assert_eq!(found, [FindingKind::RolledBack]);
}
