//! Random lives of a store against a model that a person can check: several handles, foreign
//! writers, crashes that cut the file, clearing, reopening.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use auto_recovery::RecoveryAuditEntry;
use auto_recovery::audit::AuditStore;
use auto_recovery::export::{ExportFormat, ExportOptions, export_session};
use auto_recovery::jsonl::JsonlStore;
use auto_recovery::testing::store_contract::{assert_exact, entry};
use proptest::prelude::*;

use crate::audit_support::{original, read, store};

const SESSIONS: [&str; 3] = ["a", "b c", "..d"];
const HANDLES: usize = 2;

/// Something that happens.
#[derive(Clone, Debug)]
enum Action {
    /// A handle appends entries to sessions.
    Append {
        handle: usize,
        to: Vec<usize>,
        number_by_store: bool,
    },
    /// Another program appends one of our lines.
    Foreign {
        session: usize,
    },
    /// The original appends one of its records.
    Original {
        session: usize,
    },
    /// A crash cuts a write of another process: that many bytes of it arrive.
    Torn {
        session: usize,
        bytes: usize,
    },
    /// Somebody appends a line that is no record.
    Garbage {
        session: usize,
    },
    Clear {
        handle: usize,
        session: usize,
    },
    Reopen {
        handle: usize,
    },
    /// Statistics are asked for, and so cached.
    Ask {
        handle: usize,
        session: usize,
    },
}

fn action() -> impl Strategy<Value = Action> {
    let handle = 0..HANDLES;
    let session = 0..SESSIONS.len();
    prop_oneof![
        5 => (handle.clone(), prop::collection::vec(session.clone(), 1..5), any::<bool>())
            .prop_map(|(handle, to, number_by_store)| Action::Append { handle, to, number_by_store }),
        2 => session.clone().prop_map(|session| Action::Foreign { session }),
        1 => session.clone().prop_map(|session| Action::Original { session }),
        2 => (session.clone(), 1..400_usize)
            .prop_map(|(session, bytes)| Action::Torn { session, bytes }),
        1 => session.clone().prop_map(|session| Action::Garbage { session }),
        1 => (handle.clone(), session.clone())
            .prop_map(|(handle, session)| Action::Clear { handle, session }),
        1 => handle.clone().prop_map(|handle| Action::Reopen { handle }),
        3 => (handle, session).prop_map(|(handle, session)| Action::Ask { handle, session }),
    ]
}

/// What should be there.
#[derive(Default)]
struct Model {
    trails: BTreeMap<usize, Vec<RecoveryAuditEntry>>,
    /// Whether a session's file ends in a torn line, which the next foreign writer would glue to.
    torn: BTreeMap<usize, bool>,
    damaged: BTreeMap<usize, usize>,
    written: u64,
}

struct World<'d> {
    dir: &'d Path,
    handles: Vec<JsonlStore>,
    model: Model,
}

impl World<'_> {
    fn next_entry(&mut self, session: usize) -> RecoveryAuditEntry {
        self.model.written += 1;
        entry(SESSIONS[session], self.model.written).entry
    }

    fn write_raw(&self, session: usize, bytes: &[u8]) {
        let name = ["a", "b%20c", "%2E.d"][session];
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.dir.join(format!("{name}_audit.jsonl")))
            .unwrap()
            .write_all(bytes)
            .unwrap();
    }

    fn act(&mut self, action: &Action) {
        match *action {
            Action::Append {
                handle,
                ref to,
                number_by_store,
            } => self.append(handle, to, number_by_store),
            Action::Foreign { session } | Action::Original { session } => {
                if self.model.torn.get(&session) == Some(&true) {
                    return;
                }
                let entry = self.next_entry(session);
                let text = match action {
                    Action::Original { .. } => original(&entry),
                    _ => entry.to_json() + "\n",
                };
                self.write_raw(session, text.as_bytes());
                self.model.trails.entry(session).or_default().push(entry);
            }
            Action::Torn { session, bytes } => {
                if self.model.torn.insert(session, true) == Some(true) {
                    return;
                }
                let text = self.next_entry(session).to_json();
                self.write_raw(session, &text.as_bytes()[..bytes.min(text.len() - 1)]);
                *self.model.damaged.entry(session).or_default() += 1;
            }
            Action::Garbage { session } => {
                if self.model.torn.get(&session) != Some(&true) {
                    self.write_raw(session, b"garbage\n");
                    *self.model.damaged.entry(session).or_default() += 1;
                }
            }
            Action::Clear { handle, session } => self.clear(handle, session),
            Action::Reopen { handle } => self.handles[handle] = store(self.dir),
            Action::Ask { handle, session } => self.check_session(handle, session),
        }
    }

    fn append(&mut self, handle: usize, to: &[usize], number_by_store: bool) {
        let mut batch = Vec::new();
        for &session in to {
            let mut new = entry("", 0);
            new.entry = self.next_entry(session);
            new.number_by_store = number_by_store;
            batch.push(new);
        }
        let appended = self.handles[handle].append(batch.clone()).unwrap();
        for ((&session, new), one) in to.iter().zip(batch).zip(appended) {
            let trail = self.model.trails.entry(session).or_default();
            let mut entry = new.entry;
            if number_by_store {
                entry.attempt_number =
                    1 + trail.iter().map(|e| e.attempt_number).max().unwrap_or(0);
            }
            assert_eq!(one.attempt_number, entry.attempt_number);
            trail.push(entry);
            self.model.torn.insert(session, false);
        }
    }

    fn clear(&mut self, handle: usize, session: usize) {
        let cleared = self.handles[handle].clear(SESSIONS[session]).unwrap();
        let trail = self.model.trails.remove(&session);
        let damaged = self.model.damaged.remove(&session);
        self.model.torn.remove(&session);
        let expected = trail.as_ref().map(|trail| trail.len() as u64);
        assert_eq!(cleared, expected.or(damaged.map(|_| 0)));
    }

    fn check_session(&self, handle: usize, session: usize) {
        let store = &self.handles[handle];
        let id = SESSIONS[session];
        let none = Vec::new();
        let expected = self.model.trails.get(&session).unwrap_or(&none);
        let (entries, damage) = read(store, id);
        assert_eq!(&entries, expected);
        let damaged = self.model.damaged.get(&session).copied().unwrap_or(0);
        assert_eq!(damage.len(), damaged, "{damage:?}");
        if damaged == 0 {
            assert_exact(store, id);
        }
        let statistics = store.statistics(id).unwrap();
        assert_eq!(statistics.total_attempts, expected.len() as u64);
        let last = expected.last().map(|entry| entry.timestamp.as_str());
        assert_eq!(statistics.last_attempt_timestamp.as_deref(), last);
        let successes = expected.iter().filter(|entry| entry.success).count() as u64;
        assert_eq!(statistics.successful_attempts, successes);
    }

    fn check_all(&self) {
        for handle in 0..HANDLES {
            for session in 0..SESSIONS.len() {
                self.check_session(handle, session);
            }
            let listed: BTreeMap<String, u64> = self.handles[handle]
                .sessions()
                .unwrap()
                .into_iter()
                .map(|session| (session.session_id, session.total_attempts))
                .collect();
            let mut expected = BTreeMap::new();
            for session in self.model.trails.keys().chain(self.model.damaged.keys()) {
                let count = self.model.trails.get(session).map_or(0, Vec::len);
                expected.insert(SESSIONS[*session].to_owned(), count as u64);
            }
            assert_eq!(listed, expected);
        }
    }

    /// A JSONL export is the trail again, one line an entry.
    fn check_export(&self) {
        for (session, trail) in &self.model.trails {
            let mut out = Vec::new();
            let options = ExportOptions {
                format: ExportFormat::Jsonl,
                ..ExportOptions::default()
            };
            let now = std::time::SystemTime::UNIX_EPOCH;
            let id = SESSIONS[*session];
            export_session(&self.handles[0], id, &options, now, &mut out).unwrap();
            let lines: Vec<String> = trail.iter().map(|entry| entry.to_json() + "\n").collect();
            assert_eq!(String::from_utf8(out).unwrap(), lines.concat());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_store_does_what_the_model_does(actions in prop::collection::vec(action(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        let mut world = World {
            dir: dir.path(),
            handles: (0..HANDLES).map(|_| store(dir.path())).collect(),
            model: Model::default(),
        };
        for action in &actions {
            world.act(action);
        }
        world.check_all();
        world.check_export();
        // Nothing but what the format describes lies in the directory.
        for name in fs::read_dir(dir.path()).unwrap() {
            let name = name.unwrap().file_name().into_string().unwrap();
            prop_assert!(
                name == "journal.jsonl" || name.ends_with("_audit.jsonl") || name.contains(".torn-"),
                "{}", name
            );
        }
    }
}
