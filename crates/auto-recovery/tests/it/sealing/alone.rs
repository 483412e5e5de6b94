//! One process after the other: what is sealed, what is proved, and what cannot be.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use auto_recovery::audit::sealing::{
    LeafLog, Log, NewChain, Outside, Requirements, Sealed, Sealer, VerifyRequest, WhatToSeal,
    receipt,
};
use auto_recovery::audit::{AuditStore, JournalEvent, Recorder, Removal};
use auto_recovery::host::SystemHost;
use auto_recovery::integrity::{FindingKind, Receipt, Verdict};
use auto_recovery::jsonl::{FileIo, JsonlOptions, JsonlStore, SystemIo};
use auto_recovery::testing::{Effect, Fault, FaultyIo, Operation};
use auto_recovery::{ErrorKind, Hint};

use super::world::{World, against, made, verify_copy};
use crate::audit_support::{entry, given};

#[test]
fn what_is_sealed_is_proved_and_what_came_after_is_counted() {
    let world = World::new();
    assert_eq!(
        world.sealer().seal(WhatToSeal::All).unwrap(),
        Sealed::Nothing
    );
    assert_eq!(world.verify().verdict, Verdict::Unproved);
    world.entries("a", 1, 5);
    assert_eq!(world.verify().findings[0].kind, FindingKind::Unsealed);
    let seal = world.seal();
    // A record says that the session began, one that the chain did, one has the head of its trail.
    assert_eq!((seal.number, seal.size), (0, 3));
    let found = world.verify();
    assert_eq!(
        (found.verdict, found.entries, found.entries_since),
        (Verdict::Proved, 5, 0)
    );
    world.entries("a", 6, 2);
    world.entries("b", 1, 1);
    let found = world.verify();
    assert_eq!(
        (found.verdict, found.trails, found.entries_since),
        (Verdict::Proved, 2, 3)
    );
    assert_eq!(found.records_since, 2);
    let strict = VerifyRequest {
        require: Requirements {
            sealed: true,
            ..Requirements::default()
        },
        ..VerifyRequest::default()
    };
    assert_eq!(world.verify_with(strict.clone()).verdict, Verdict::Unproved);
    assert_eq!(world.seal().number, 1);
    assert_eq!(world.verify_with(strict).verdict, Verdict::Proved);
    // Nothing new: no seal.
    let again = world.sealer().seal(WhatToSeal::All).unwrap();
    assert!(matches!(again, Sealed::Already(_)), "{again:?}");
}

#[test]
fn one_sealer_seals_what_it_is_told_to() {
    let world = World::new();
    let sealer = world.sealer();
    for round in 0..4 {
        world.entries("a", 1 + round, 1);
        world.entries("b", 1 + round, 1);
        let seal = made(|| sealer.seal(WhatToSeal::Sessions(&["a", "gone"])));
        assert_eq!(seal.number, round);
    }
    let found = world.verify();
    assert_eq!(
        (found.verdict, found.entries, found.entries_since),
        (Verdict::Proved, 8, 4)
    );
    world.seal();
    assert_eq!(world.verify().entries_since, 0);
}

#[test]
fn what_was_removed_stays_proved_and_may_come_back_by_import_alone() {
    let world = World::new();
    world.entries("a", 1, 5);
    world.entries("b", 1, 5);
    world.seal();
    let trail = world.dir().join("a_audit.jsonl");
    let bytes = fs::read(&trail).unwrap();
    let store = world.store();
    store.remove("a", &Removal::Cleared).unwrap();
    let mut told = None;
    store
        .read_journal(Some("a"), &mut |record| {
            if let JournalEvent::SessionCleared(cleared) = record.event {
                told = cleared.size.zip(cleared.root);
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(told.unwrap().0, 5);
    let found = world.verify();
    assert_eq!((found.verdict, found.removed), (Verdict::Proved, 1));
    world.seal();
    fs::write(&trail, &bytes).unwrap();
    let found = world.verify();
    assert_eq!(found.findings[0].kind, FindingKind::ReturnedTrail);
    fs::remove_file(&trail).unwrap();
    // The same entries, taken over: that is on record.
    let lines = bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let lines: Vec<_> = lines.map(<[u8]>::to_vec).collect();
    assert_eq!(store.importer().unwrap().entries("a", &lines).unwrap(), 5);
    assert_eq!(world.verify().findings, []);
    world.seal();
    assert_eq!(world.verify().findings, []);
}

#[test]
fn a_copy_is_proved_by_whoever_wrote_its_chain_down() {
    let world = World::new();
    world.entries("a", 1, 5);
    let seal = world.seal();
    let copy = World::new();
    let mut files = world.files();
    files.retain(|name, _| name.starts_with("store"));
    copy.set_files(&files);
    let kinds = |found: auto_recovery::audit::sealing::Verification| {
        let kinds: Vec<_> = found.findings.iter().map(|one| one.kind).collect();
        (found.verdict, kinds)
    };
    let unknown = (Verdict::Unproved, vec![FindingKind::UnknownChain]);
    assert_eq!(kinds(copy.verify()), unknown);
    let pinned = verify_copy(&copy.dir(), std::slice::from_ref(&seal.chain)).unwrap();
    assert_eq!(kinds(pinned), (Verdict::Proved, vec![]));
    let other = verify_copy(&copy.dir(), &["0123456789abcdef".to_owned()]).unwrap();
    assert_eq!(other.verdict, Verdict::Changed);
    let outside = copy.verify_with(against(Outside::Whole(seal.clone())));
    assert_eq!(kinds(outside), (Verdict::Proved, vec![]));
    // A copy is not gone on with by a machine that has no key for it.
    copy.entries("a", 6, 1);
    let error = copy.sealer().seal(WhatToSeal::All).unwrap_err();
    assert_eq!(
        (error.kind(), error.hint()),
        (ErrorKind::Damaged, Some(&Hint::NewChain))
    );
    let new = NewChain { reason: "moved" };
    let seal = made(|| copy.sealer().seal_in_new_chain(WhatToSeal::All, new));
    assert_eq!(seal.number, 0);
    let found = copy.verify();
    assert_eq!(found.verdict, Verdict::Proved, "{found:?}");
    assert_eq!(found.chains.len(), 2);
    assert_eq!(found.new_chains[0].1, "moved");
}

#[test]
fn a_seal_that_was_kept_outside_finds_a_record_that_was_made_anew() {
    let world = World::new();
    world.entries("a", 1, 5);
    let before = world.seal();
    let short = before.short().to_string();
    let agreed = world.verify_with(against(Outside::Short(short.parse().unwrap())));
    assert_eq!(
        (agreed.verdict, agreed.has_outside),
        (Verdict::Proved, true)
    );
    let other = World::new();
    other.entries("a", 3, 5);
    // A file may have seals of several stores; one of this store alone is its own.
    let (of_other, of_this) = (Outside::Whole(other.seal()), Outside::Whole(before.clone()));
    let mut request = against(of_other);
    assert_eq!(world.verify_with(request.clone()).verdict, Verdict::Changed);
    request.against.push(of_this);
    assert_eq!(world.verify_with(request).verdict, Verdict::Proved);
    // All seals go, and what this machine remembers of them. The journal names their chain.
    let mut files = world.files();
    files.retain(|name, _| !name.starts_with("state") && !name.ends_with("seals.jsonl"));
    let kept = world.files();
    world.set_files(&files);
    world.seal();
    let found = world.verify();
    assert_eq!(found.verdict, Verdict::Unproved);
    assert_eq!(found.findings[0].kind, FindingKind::UnknownChain);
    world.set_files(&kept);
    assert_eq!(world.verify().verdict, Verdict::Proved);
    // Everything goes, what this machine remembers too, and comes again a little different.
    world.set_files(&super::world::Files::new());
    world.entries("a", 2, 5);
    world.seal();
    assert_eq!(world.verify().verdict, Verdict::Proved);
    let found = world.verify_with(against(Outside::Short(short.parse().unwrap())));
    assert_eq!(found.findings[0].kind, FindingKind::ChangedRecords);
    let found = world.verify_with(against(Outside::Whole(before)));
    assert_eq!(found.verdict, Verdict::Changed);
}

#[test]
fn a_receipt_proves_an_entry_without_the_store() {
    let world = World::new();
    world.entries("a", 1, 9);
    world.entries("b", 1, 1);
    let store = world.store();
    assert_eq!(
        receipt(&*store, "a", 3).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    let seal = world.seal();
    world.entries("a", 10, 1);
    for number in 1..=9 {
        let text = receipt(&*store, "a", number).unwrap().text();
        let read = Receipt::read(&text).unwrap();
        assert_eq!(read.check().unwrap(), seal);
        assert!(
            read.entry
                .entry
                .contains(&format!("\"attempt_number\":{number},"))
        );
    }
    for missing in [10, 11] {
        let error = receipt(&*store, "a", missing).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}

#[test]
fn what_the_original_wrote_is_sealed_as_it_is() {
    let world = World::new();
    world.entries("a", 1, 1);
    let mut text = String::new();
    for number in 1..4 {
        let value: serde_json::Value =
            serde_json::from_str(&entry("old", number).to_json()).unwrap();
        text.push_str(&serde_json::to_string_pretty(&value).unwrap());
        text.push('\n');
    }
    let path = world.dir().join("old_audit.jsonl");
    fs::write(&path, &text).unwrap();
    world.seal();
    let found = world.verify();
    assert_eq!((found.verdict, found.entries), (Verdict::Proved, 4));
    // A line of ours after them, and one that holds no entry.
    world.store().append(vec![given(entry("old", 4))]).unwrap();
    text = fs::read_to_string(&path).unwrap() + "no entry\n";
    fs::write(&path, &text).unwrap();
    world.seal();
    assert_eq!(world.verify().verdict, Verdict::Proved);
    fs::write(&path, text.replacen("  \"strategy\"", "  \"stratagem\"", 1)).unwrap();
    let found = world.verify();
    assert_eq!(found.findings[0].kind, FindingKind::ChangedEntries);
    assert_eq!(
        (found.findings[0].from, found.findings[0].to),
        (Some(1), Some(3))
    );
}

#[test]
fn sums_that_are_kept_beside_a_trail_are_counted_again() {
    let world = World::new();
    world.entries("a", 1, 20);
    world.seal();
    let kept = world.store().statistics("a").unwrap();
    assert_eq!(world.verify().verdict, Verdict::Proved);
    let path = world.dir().join("rollups/a_audit.json");
    let text = fs::read_to_string(&path).unwrap();
    let (_, body) = text.split_once('\n').unwrap();
    let body = body.replace("\"successful\":10", "\"successful\":20");
    // The checksum is one against accidents.
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = body.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    fs::write(&path, format!("{{\"v\":3,\"hash\":{hash}}}\n{body}")).unwrap();
    assert_ne!(world.store().statistics("a").unwrap(), kept);
    let found = world.verify();
    assert_eq!(found.findings[0].kind, FindingKind::DerivedDiffers);
    fs::remove_file(&path).unwrap();
    assert_eq!(world.verify().verdict, Verdict::Proved);
}

/// The head of the trail that was would be taken for one of the trail that comes.
#[test]
fn a_sealer_lets_go_of_a_trail_whose_remover_died() {
    let world = World::new();
    world.entries("a", 1, 5);
    let store = world.store();
    let seals = store.seals().unwrap().expect("files are sealed");
    let open = || -> Box<dyn LeafLog> {
        let opened = seals.open_log(Log::Trail("a")).unwrap();
        opened.expect("the trail")
    };
    let before = open();
    assert!(before.hold().unwrap());
    before.let_go();
    let io = Arc::new(FaultyIo::new());
    io.fail(Fault {
        operation: Operation::Remove,
        nth: 0,
        and_all_after: true,
        errno: libc::EIO,
        effect: Effect::None,
    });
    let recorder = Recorder::new(Arc::new(SystemHost::new()));
    let options = JsonlOptions::default();
    let dying = JsonlStore::open_with_io(&world.dir(), options, recorder, io).unwrap();
    dying.remove("a", &Removal::Cleared).unwrap_err();
    drop(dying);
    assert!(!before.hold().unwrap(), "it is another trail now");
    let after = open();
    assert!(after.start() > 0 && after.hold().unwrap());
    after.let_go();
    world.goes_on(1, "after the death");
}

/// A machine on which somebody else seals as soon as there is a seal to see.
struct Beside {
    store: PathBuf,
    state: PathBuf,
    is_written: Mutex<bool>,
    made: Mutex<Vec<Sealed>>,
}

impl FileIo for Beside {
    fn write(&self, file: &File, bytes: &[u8]) -> io::Result<usize> {
        let is_seal = bytes.windows(8).any(|part| part == b"\"note\":\"");
        *self.is_written.lock().unwrap() |= is_seal;
        SystemIo.write(file, bytes)
    }

    fn unlock(&self, file: &File) -> io::Result<()> {
        SystemIo.unlock(file)?;
        if std::mem::take(&mut *self.is_written.lock().unwrap()) {
            let host = Arc::new(SystemHost::new());
            let options = JsonlOptions::default();
            let store = JsonlStore::open(&self.store, options, Recorder::new(host.clone()));
            let sealer = Sealer::new(Arc::new(store.unwrap()), &self.state, host);
            let made = sealer.seal(WhatToSeal::All).unwrap();
            self.made.lock().unwrap().push(made);
        }
        Ok(())
    }
}

#[test]
fn nobody_else_seals_before_the_key_after_the_first_seal_is_in_place() {
    let world = World::new();
    world.entries("a", 1, 2);
    let io = Arc::new(Beside {
        store: world.dir(),
        state: world.state(),
        is_written: Mutex::default(),
        made: Mutex::default(),
    });
    let host = Arc::new(SystemHost::new());
    let options = JsonlOptions::default();
    let recorder = Recorder::new(host.clone());
    let store = JsonlStore::open_with_io(&world.dir(), options, recorder, io.clone()).unwrap();
    let sealer = Sealer::new(Arc::new(store), &world.state(), host);
    let first = sealer.seal(WhatToSeal::All).unwrap();
    assert!(matches!(first, Sealed::Made(_)), "{first:?}");
    assert_eq!(*io.made.lock().unwrap(), [Sealed::Busy]);
    world.goes_on(3, "after two began at once");
}
