//! A store in memory that does only what a store must: all else is what the contract makes of it
//! by reading. A new store is one file, and the contract.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use auto_recovery::Result;
use auto_recovery::audit::*;
use auto_recovery::testing::ScriptedHost;
use auto_recovery::testing::store_contract::{Place, run};
use auto_recovery::testing::store_model;

#[derive(Clone)]
struct InMemory {
    /// All that was ever written, in order, each with its session.
    log: Arc<Mutex<Log>>,
    /// Held by writers that depend on what was written.
    writing: Arc<Mutex<()>>,
    recorder: Arc<Recorder>,
}

type Log = Vec<(Option<String>, Written)>;

#[derive(Clone)]
enum Written {
    Entry(Vec<u8>),
    Record(Box<JournalLine>),
}

impl InMemory {
    fn write(&self, id: Option<&str>, written: Written) {
        let mut log = self.log.lock().unwrap();
        log.push((id.map(str::to_owned), written));
    }

    /// The writes to a session since its trail was last removed.
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
                Written::Record(line) if line.record().event.is_removal() => since.clear(),
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

impl Default for InMemory {
    fn default() -> Self {
        Self {
            log: Arc::default(),
            writing: Arc::default(),
            recorder: Recorder::new(Arc::new(ScriptedHost::default())),
        }
    }
}

impl AuditStore for InMemory {
    fn url(&self) -> String {
        "memory:".to_owned()
    }

    fn append(&self, entries: Vec<NewEntry>) -> Result<Vec<Appended>> {
        let _writing = self.writing.lock().unwrap();
        let make = |new: NewEntry| {
            session_id::encode(&new.entry.session_id)?;
            self.recorder
                .entry(std::process::id(), new, &mut Vec::new())
        };
        let recorded: Vec<_> = entries.into_iter().map(make).collect::<Result<_>>()?;
        let add = |mut recorded: RecordedEntry| {
            let session_id = recorded.entry().session_id.clone();
            if recorded.number_by_store() {
                recorded.set_number(self.highest_attempt_number(&session_id)? + 1);
            }
            let raw = recorded.text().into_bytes();
            self.write(Some(&session_id), Written::Entry(raw));
            Ok(recorded.appended())
        };
        recorded.into_iter().map(add).collect()
    }

    fn record(&self, id: Option<&str>, event: JournalEvent) -> Result<()> {
        id.map(session_id::encode).transpose()?;
        let line = self.recorder.record(id, event)?;
        self.write(id, Written::Record(Box::new(line)));
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

    fn read_records_raw(
        &self,
        id: Option<&str>,
        visit: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        let mut log = self.log.lock().unwrap().clone();
        log.retain(|(of, _)| id.is_none() || of.as_deref() == id);
        for (_, written) in log {
            if let Written::Record(line) = written {
                visit(line.json().as_bytes())?;
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
        Ok(Box::new(Polling::new(self.recorder.host().clone(), look)))
    }

    fn importer(&self) -> Result<Box<dyn Importer + '_>> {
        let add = |new: TakenOver<'_>| {
            match new {
                TakenOver::Entry(id, raw) => self.write(Some(id), Written::Entry(raw.to_vec())),
                TakenOver::Record(line) => {
                    let id = line.record().session_id.as_deref();
                    self.write(id, Written::Record(Box::new(line.clone())));
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
