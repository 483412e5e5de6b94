//! A store in memory that does only what a store must: all else is what the contract makes of it
//! by reading. A new store is one file, and the contract.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use auto_recovery::Result;
use auto_recovery::audit::*;
use auto_recovery::testing::ScriptedHost;
use auto_recovery::testing::store_contract::{Place, run};
use auto_recovery::testing::store_model;

#[derive(Clone, Default)]
struct InMemory {
    /// All that was ever written, in order, each with its session.
    log: Arc<Mutex<Log>>,
    /// Held by who writes by what was written.
    writing: Arc<Mutex<()>>,
    host: Arc<ScriptedHost>,
}

type Log = Vec<(Option<String>, Written)>;

#[derive(Clone)]
enum Written {
    Entry(Vec<u8>),
    Record(Box<JournalRecord>),
}

impl InMemory {
    fn write(&self, id: Option<&str>, written: Written) {
        let mut log = self.log.lock().unwrap();
        log.push((id.map(str::to_owned), written));
    }

    /// What was written to a session since its trail was last removed.
    fn written(&self, id: Option<&str>) -> Vec<Written> {
        let mut since = Vec::new();
        for (_, one) in self
            .log
            .lock()
            .unwrap()
            .iter()
            .filter(|(of, _)| of.as_deref() == id)
        {
            match one {
                Written::Record(record) if record.event.is_removal() => since.clear(),
                one => since.push(one.clone()),
            }
        }
        since
    }

    /// The sessions in the log from a place on.
    fn sessions_from(&self, place: usize) -> BTreeSet<String> {
        let log = self.log.lock().unwrap();
        log[place..]
            .iter()
            .filter_map(|(id, _)| id.clone())
            .collect()
    }
}

impl AuditStore for InMemory {
    fn url(&self) -> String {
        "memory:".to_owned()
    }

    fn append(&self, mut entries: Vec<NewEntry>) -> Result<Vec<Appended>> {
        let _writing = self.writing.lock().unwrap();
        for new in &mut entries {
            session_id::encode(&new.entry.session_id)?;
            new.fill_in(&*self.host, std::process::id());
            new.write_fitted(&mut Vec::new())?;
        }
        let add = |mut new: NewEntry| {
            let session_id = new.entry.session_id.clone();
            if new.number_by_store {
                new.entry.attempt_number = self.highest_attempt_number(&session_id)? + 1;
            }
            let raw = new.entry.to_json().into_bytes();
            self.write(Some(&session_id), Written::Entry(raw));
            Ok(Appended {
                entry_id: new.entry.entry_id,
                session_id,
                attempt_number: new.entry.attempt_number,
            })
        };
        entries.into_iter().map(add).collect()
    }

    fn record(&self, id: Option<&str>, event: JournalEvent) -> Result<()> {
        id.map(session_id::encode).transpose()?;
        let record = JournalRecord::new(&*self.host, id, event);
        self.write(id, Written::Record(Box::new(record)));
        Ok(())
    }

    fn read_sessions(&self) -> Result<(Vec<SessionSummary>, Vec<Damage>)> {
        list_by_reading(self, self.sessions_from(0))
    }

    fn read_trail(
        &self,
        id: &str,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        session_id::encode(id)?;
        for written in self.written(Some(id)) {
            if let Written::Entry(raw) = written {
                visit(StoredEntry::read(&raw).unwrap())?;
            }
        }
        Ok(Vec::new())
    }

    fn read_journal(
        &self,
        id: Option<&str>,
        visit: &mut dyn FnMut(JournalRecord) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        let mut log = self.log.lock().unwrap().clone();
        log.retain(|(of, _)| id.is_none() || of.as_deref() == id);
        for (_, written) in log {
            if let Written::Record(record) = written {
                visit(*record)?;
            }
        }
        Ok(Vec::new())
    }

    fn remove(&self, id: &str, removal: &Removal) -> Result<Removed> {
        let _writing = self.writing.lock().unwrap();
        match judge_by_reading(self, id, removal)? {
            Ok((event, entries)) => {
                self.record(Some(id), event)?;
                Ok(Removed::Gone { entries })
            }
            Err(stays) => Ok(stays),
        }
    }

    fn follower(&self) -> Result<Box<dyn Follower + '_>> {
        let mut told = 0;
        let look = move || {
            let from = told;
            told = self.log.lock().unwrap().len();
            Ok(Followed::of_sessions(self.sessions_from(from)))
        };
        Ok(Box::new(Polling::new(self.host.clone(), look)))
    }

    fn importer(&self) -> Result<Box<dyn Importer + '_>> {
        let add = |new: TakenOver<'_>| {
            match new {
                TakenOver::Entry(id, raw) => self.write(Some(id), Written::Entry(raw.to_vec())),
                TakenOver::Record(one) => {
                    self.write(
                        one.session_id.as_deref(),
                        Written::Record(Box::new(one.clone())),
                    );
                }
            }
            Ok(())
        };
        Ok(Box::new(ReadingImporter::new(self, &self.writing, add)))
    }
}

impl Place for InMemory {
    fn open(&self) -> Arc<dyn AuditStore> {
        Arc::new(self.clone())
    }
}

#[test]
fn a_store_that_only_does_what_it_must_keeps_the_contract() {
    run(InMemory::default);
}

#[test]
fn it_lives_like_the_model() {
    (0..48).for_each(|seed| store_model::live(&InMemory::default(), seed));
}
