//! A store that is sealed, its keys, and both as they are on the disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use auto_recovery::audit::Recorder;
use auto_recovery::audit::sealing::{
    Keys, Outside, Requirements, Sealed, Sealer, Verification, VerifyRequest, WhatToSeal, verify,
};
use auto_recovery::audit::{AuditStore, JournalEvent, SessionStarted};
use auto_recovery::host::SystemHost;
use auto_recovery::integrity::{Seal, Verdict};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
use auto_recovery::testing::{FaultyIo, ScriptedHost, quick_dir};
use tempfile::TempDir;

use crate::audit_support::{entry, given};

/// The files below a directory, by their names.
pub(super) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// A machine with a store.
pub(super) struct World {
    root: TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        Self { root: quick_dir() }
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.root.path().join("store")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.root.path().join("state")
    }

    pub(super) fn store(&self) -> Arc<JsonlStore> {
        store_in(&self.dir())
    }

    /// A sealer that remembers nothing.
    pub(super) fn sealer(&self) -> Sealer {
        Sealer::new(self.store(), &self.state(), Arc::new(SystemHost::new()))
    }

    /// Seals everything, as a process that does nothing else.
    pub(super) fn seal(&self) -> Seal {
        loop {
            match self.sealer().seal(WhatToSeal::All).unwrap() {
                Sealed::Made(seal) | Sealed::Already(seal) => return seal,
                // A program that another test is just starting holds every lock of this process.
                Sealed::Busy => std::thread::yield_now(),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Appends `count` entries to `session`, which may be there.
    pub(super) fn entries(&self, session: &str, from: u64, count: u64) {
        let store = self.store();
        let started = JournalEvent::SessionStarted(SessionStarted::default());
        store.record(Some(session), started).unwrap();
        for number in from..from + count {
            store.append(vec![given(entry(session, number))]).unwrap();
        }
    }

    /// Verifies with what this machine knows.
    pub(super) fn verify(&self) -> Verification {
        self.verify_with(VerifyRequest::default())
    }

    pub(super) fn verify_with(&self, request: VerifyRequest) -> Verification {
        let keys = Some(Keys::in_state(&self.state()));
        verify(&*self.store(), &VerifyRequest { keys, ..request }).unwrap()
    }

    /// Asserts that nothing is found after what went wrong, and that who writes `number` next and
    /// seals goes on from there.
    pub(super) fn goes_on(&self, number: u64, what: &str) {
        let found = self.verify();
        assert_ne!(found.verdict, Verdict::Changed, "{what}: {found:?}");
        self.entries("a", number, 1);
        self.seal();
        let found = self.verify();
        assert_eq!(
            (found.verdict, found.entries_since),
            (Verdict::Proved, 0),
            "{what}"
        );
    }

    /// Everything on the disk.
    pub(super) fn files(&self) -> Files {
        let mut files = Files::new();
        read_all(self.root.path(), self.root.path(), &mut files);
        files
    }

    /// Makes the disk have `files` and nothing else.
    pub(super) fn set_files(&self, files: &Files) {
        for name in ["store", "state"] {
            let path = self.root.path().join(name);
            if path.exists() {
                fs::remove_dir_all(path).unwrap();
            }
        }
        for (name, bytes) in files {
            let path = self.root.path().join(name);
            auto_recovery::files::make_private_dirs(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
}

/// Long enough that what was written has settled, so that sums are left to others.
const YEARS: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

pub(super) fn store_in(dir: &Path) -> Arc<JsonlStore> {
    let host = Arc::new(ScriptedHost::new());
    host.advance(YEARS);
    let io = Arc::new(FaultyIo::new());
    let options = JsonlOptions {
        rollup_bytes_min: 1024,
        ..JsonlOptions::default()
    };
    Arc::new(JsonlStore::open_with_io(dir, options, Recorder::new(host), io).unwrap())
}

/// Verifies the store in `dir` as a copy that nobody knows, with `pins`.
pub(super) fn verify_copy(dir: &Path, pins: &[String]) -> auto_recovery::Result<Verification> {
    let request = VerifyRequest {
        pins: pins.to_vec(),
        ..VerifyRequest::default()
    };
    verify(&*store_in(dir), &request)
}

/// A request that compares with `outside`.
pub(super) fn against(outside: Outside) -> VerifyRequest {
    VerifyRequest {
        against: vec![outside],
        require: Requirements {
            outside: true,
            ..Requirements::default()
        },
        ..VerifyRequest::default()
    }
}

/// The seal that `seal` makes. A program that another test is just starting holds every lock of
/// this process, which is waited for.
pub(super) fn made(mut seal: impl FnMut() -> auto_recovery::Result<Sealed>) -> Seal {
    loop {
        match seal().unwrap() {
            Sealed::Made(seal) => return seal,
            Sealed::Busy => std::thread::yield_now(),
            other => panic!("{other:?}"),
        }
    }
}

fn read_all(root: &Path, dir: &Path, files: &mut Files) {
    for found in fs::read_dir(dir).unwrap() {
        let path = found.unwrap().path();
        match path.is_dir() {
            true => read_all(root, &path, files),
            false => {
                let name = path.strip_prefix(root).unwrap().to_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
}
