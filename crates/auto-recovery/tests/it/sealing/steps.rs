//! A sealer dies between any two of its steps, and the disk fails under it.

use auto_recovery::audit::Recorder;
use auto_recovery::audit::sealing::{Sealed, Sealer, WhatToSeal};
use auto_recovery::host::SystemHost;
use auto_recovery::integrity::Verdict;
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::testing::{Effect, Fault, FaultyIo, Operation};
use auto_recovery::{ErrorKind, Hint};
use std::sync::Arc;

use super::world::{Files, World, made};

/// The error of a disk.
const EIO: i32 = 5;

/// Whether `name` is where the key of a store is.
fn is_key(name: &std::path::Path) -> bool {
    name.starts_with("state/seal-keys") && name.extension().is_none()
}

/// The states in which a process that makes a seal may die, between `before` and `after`: each of
/// the files that change is as it was or as it will be, in the order in which they are written.
fn deaths(before: &Files, after: &Files) -> Vec<Files> {
    let order: [fn(&std::path::Path) -> bool; 4] = [
        |name| name.ends_with("store/a_audit.jsonl") || name.ends_with("store/journal.jsonl"),
        |name| name.ends_with("store/seals.jsonl"),
        is_key,
        |_| true,
    ];
    let mut states = vec![before.clone()];
    let mut now = before.clone();
    for takes in order {
        for (name, bytes) in after.iter().filter(|(name, _)| takes(name)) {
            if now.get(name) == Some(bytes) {
                continue;
            }
            // A seal may be cut anywhere, a sector nowhere.
            let old = now.get(name).map_or(0, Vec::len);
            if name.ends_with("store/seals.jsonl") {
                let cuts = [old + 1, old + 100, bytes.len() - 2, bytes.len() - 1];
                states.extend(cuts.map(|cut| {
                    let mut torn = now.clone();
                    torn.insert(name.clone(), bytes[..cut].to_vec());
                    torn
                }));
            }
            now.insert(name.clone(), bytes.clone());
            states.push(now.clone());
        }
    }
    states
}

#[test]
fn a_death_between_any_two_steps_is_no_finding_and_the_next_seal_goes_on() {
    let world = World::new();
    world.entries("a", 1, 3);
    world.seal();
    world.entries("a", 4, 1);
    for round in 0..3 {
        let before = world.files();
        world.seal();
        let after = world.files();
        for (number, state) in deaths(&before, &after).iter().enumerate() {
            world.set_files(state);
            let found = world.verify();
            assert_ne!(
                found.verdict,
                Verdict::Changed,
                "{round} {number}: {found:?}"
            );
            // Twice: what mended it must not need mending.
            for more in 0..2 {
                world.entries("a", 100 + more, 1);
                world.seal();
                let found = world.verify();
                assert_eq!(
                    found.verdict,
                    Verdict::Proved,
                    "{round} {number}: {found:?}"
                );
            }
        }
        world.set_files(&after);
        world.entries("a", 10 + round, 2);
    }
}

#[test]
fn every_operation_that_fails_leaves_what_the_next_seal_goes_on_from() {
    for operation in Operation::ALL {
        for nth in 0..24 {
            for (and_all_after, effect) in [
                (false, Effect::None),
                (false, Effect::Half),
                (false, Effect::All),
                (true, Effect::None),
                (true, Effect::All),
            ] {
                let world = World::new();
                world.entries("a", 1, 2);
                // The first seal of a store, too.
                if nth % 2 == 0 {
                    world.seal();
                }
                world.entries("a", 3, 2);
                let io = Arc::new(FaultyIo::new());
                let host = Arc::new(SystemHost::new());
                let recorder = Recorder::new(host.clone());
                let options = JsonlOptions::default();
                let dir = world.dir();
                let store = JsonlStore::open_with_io(&dir, options, recorder, io.clone()).unwrap();
                let sealer = Sealer::new(Arc::new(store), &world.state(), host);
                io.fail(Fault {
                    operation,
                    nth: nth / 2,
                    and_all_after,
                    errno: EIO,
                    effect,
                });
                let sealed = sealer.seal(WhatToSeal::All);
                let what = format!("{operation:?} {nth} {effect:?} {sealed:?}");
                world.goes_on(5, &what);
            }
        }
    }
}

#[test]
fn a_key_that_is_missing_or_old_is_never_replaced_silently() {
    let world = World::new();
    world.entries("a", 1, 2);
    world.seal();
    let old = world.files();
    // The key before the last is what a death leaves.
    for number in [3, 4] {
        world.entries("a", number, 1);
        world.seal();
    }
    world.entries("a", 5, 2);
    let now = world.files();
    // (what is put back, what is missing)
    let key = old.keys().find(|name| is_key(name)).unwrap().clone();
    let without = |name: &std::path::Path| {
        let mut files = now.clone();
        files.remove(name);
        files
    };
    let mut old_key = now.clone();
    old_key.insert(key.clone(), old[&key].clone());
    let mut broken_key = now.clone();
    broken_key.insert(key.clone(), b"{}".to_vec());
    let mut old_seals = now.clone();
    let seals = "store/seals.jsonl";
    old_seals.insert(seals.into(), old[std::path::Path::new(seals)].clone());
    let no_seals = without(seals.as_ref());
    for (files, hint) in [
        (without(&key), Some(Hint::NewChain)),
        (old_key, Some(Hint::NewChain)),
        (broken_key, None),
        (old_seals, Some(Hint::Verify)),
        (no_seals, Some(Hint::NewChain)),
    ] {
        world.set_files(&files);
        assert_eq!(world.verify().verdict, Verdict::Changed);
        let error = world.sealer().seal(WhatToSeal::All).unwrap_err();
        assert_eq!(
            (error.kind(), error.hint()),
            (ErrorKind::Damaged, hint.as_ref())
        );
        assert_eq!(world.verify().verdict, Verdict::Changed);
    }
}

#[test]
fn a_running_sealer_knows_that_everything_was_taken_from_it() {
    let world = World::new();
    world.entries("a", 1, 2);
    let sealer = world.sealer();
    made(|| sealer.seal(WhatToSeal::All));
    let mut files = world.files();
    files.retain(|name, _| !name.ends_with("seals.jsonl") && !name.starts_with("state"));
    world.set_files(&files);
    let error = sealer.seal(WhatToSeal::All).unwrap_err();
    assert_eq!(error.hint(), Some(&Hint::NewChain));
}

#[test]
fn who_cannot_get_the_lock_leaves_it_to_the_other() {
    let world = World::new();
    for number in [1, 2] {
        world.entries("a", number, 1);
        world.seal();
    }
    world.entries("a", 3, 2);
    let lock = world.files().into_keys().find(|name| {
        let name = name.to_string_lossy();
        name.ends_with(".lock") && !name.contains("first")
    });
    let path = world.dir().parent().unwrap().join(lock.unwrap());
    let held = std::fs::File::options().write(true).open(path).unwrap();
    held.lock().unwrap();
    assert_eq!(world.sealer().seal(WhatToSeal::All).unwrap(), Sealed::Busy);
    held.unlock().unwrap();
    world.seal();
    assert_eq!(world.verify().entries_since, 0);
}
