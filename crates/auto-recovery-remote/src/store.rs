//! The store as its callers see it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use auto_recovery::audit::{
    Appended, AuditStore, Damage, Follower, Importer, JournalEvent, NewEntry, Recorder, Removal,
    Removed, SessionKey, SessionPage, SessionQuery, SessionSummary, StoredEntry, session_id,
};
use auto_recovery::spool::Spool;
use auto_recovery::statistics::{Accumulator, AggregateQuery, Aggregates, RecoveryStatistics};
use auto_recovery::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::address::Address;
use crate::client::{Client, Found, Limit};
use crate::follow::RemoteFollower;
use crate::item::Item;
use crate::options::RemoteOptions;
use crate::outbox::Outbox;
use crate::read::{self, PAGE_MAX, path_of, refused};

/// A store of trails on another machine, over the server there.
pub struct RemoteStore {
    outbox: Outbox,
}

/// The answer to a removal.
#[derive(Deserialize)]
struct Cleared {
    entries: u64,
}

impl RemoteStore {
    /// The store of the server at `address`. Connects when it is first used.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if there is no token, or certificates cannot be read; otherwise
    /// if the spool cannot be used.
    pub fn open(
        address: Address,
        options: &RemoteOptions,
        recorder: Arc<Recorder>,
    ) -> Result<Self> {
        let client = Client::new(address, options, Arc::clone(recorder.host()))?;
        let outbox = Outbox::new(Arc::new(client), options, recorder)?;
        Ok(Self { outbox })
    }

    /// How many entries wait in the spool.
    pub fn waiting(&self) -> u64 {
        self.outbox.spool().map_or(0, Spool::waiting)
    }

    fn client(&self) -> &Client {
        &self.outbox.client
    }

    /// As [`AuditStore::read_trail`], within `limit`.
    fn trail(
        &self,
        session_id: &str,
        limit: Limit,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        let path = path_of(session_id, "/trail")?;
        self.outbox.ask(|client| {
            read::lines(client, &path, limit, &mut |raw| {
                let stored = StoredEntry::read(raw);
                visit(stored.map_err(|error| client.garbled("an entry").with_source(error))?)
            })
        })
    }

    /// How many entries with the ids that callers gave to `entries` the server has, by session and
    /// id.
    fn there(&self, entries: &[NewEntry]) -> Result<HashMap<(String, String), u64>> {
        let mut there = HashMap::new();
        let given = entries.iter().filter(|new| !new.entry.entry_id.is_empty());
        let mut sessions: Vec<&str> = given.map(|new| &*new.entry.session_id).collect();
        sessions.sort_unstable();
        sessions.dedup();
        for session in sessions {
            self.trail(session, Limit::Write, &mut |stored| {
                let key = (session.to_owned(), stored.entry_id().into_owned());
                *there.entry(key).or_default() += 1;
                Ok(())
            })?;
        }
        Ok(there)
    }
}

impl AuditStore for RemoteStore {
    fn url(&self) -> String {
        self.client().address.to_string()
    }

    fn append(&self, entries: Vec<NewEntry>) -> Result<Vec<Appended>> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        for new in &entries {
            session_id::encode(&new.entry.session_id)?;
        }
        let mut there = match self.there(&entries) {
            // What waits is known by its id alone.
            Err(error) if error.kind() == ErrorKind::Unreachable => None,
            there => Some(there?),
        };
        let (mut items, mut text) = (Vec::new(), Vec::new());
        for new in entries {
            text.clear();
            let recorded = self
                .outbox
                .recorder
                .entry(std::process::id(), new, &mut text)?;
            let occurrence = there
                .as_mut()
                .filter(|_| !recorded.has_new_id())
                .map(|there| {
                    let entry = recorded.entry();
                    let key = (entry.session_id.clone(), entry.entry_id.clone());
                    let before = there.entry(key).or_default();
                    *before += 1;
                    *before - 1
                });
            items.push(Item::Entry(Box::new(recorded), occurrence));
        }
        self.outbox.write(&mut items)?;
        let appended = items.into_iter().filter_map(|item| match item {
            Item::Entry(recorded, _) => Some(recorded.appended()),
            Item::Record(_) => None,
        });
        Ok(appended.collect())
    }

    fn record(&self, session_id: Option<&str>, event: JournalEvent) -> Result<()> {
        let action = |id: &str, action: &str, body: &Value| {
            let path = path_of(id, action)?;
            let post = || self.client().post::<Value>(&path, &body.to_string());
            match self.outbox.absence.ask(post)? {
                Found::This(_) => Ok(()),
                Found::Nothing => {
                    let text = format!("there is no session {id}");
                    Err(Error::new(ErrorKind::NotFound, text))
                }
            }
        };
        match (session_id, &event) {
            // The server says itself who did that.
            (Some(id), JournalEvent::SessionHeld(held)) => {
                return action(id, "/hold", &json!({"reason": held.reason}));
            }
            (Some(id), JournalEvent::SessionReleased(_)) => {
                return action(id, "/release", &json!({}));
            }
            (Some(id), _) => drop(session_id::encode(id)?),
            (None, _) => {}
        }
        let line = self.outbox.recorder.record(session_id, event)?;
        self.outbox.write(&mut [Item::Record(Box::new(line))])
    }

    fn read_sessions(&self) -> Result<(Vec<SessionSummary>, Vec<Damage>)> {
        let query = SessionQuery::default();
        let (mut sessions, mut damage) = (Vec::new(), Vec::new());
        let mut after = None;
        loop {
            let page = self.read_session_page(&query, after.as_ref(), PAGE_MAX)?;
            sessions.extend(page.sessions);
            Damage::join(&mut damage, page.damage);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok((sessions, damage)),
            }
        }
    }

    fn read_session_page(
        &self,
        query: &SessionQuery,
        after: Option<&SessionKey>,
        limit: usize,
    ) -> Result<SessionPage> {
        let ask = |client: &Client| read::sessions(client, query, after, limit);
        let page = self.outbox.ask(ask)?;
        self.outbox.absence.tell_waiting();
        Ok(page)
    }

    fn is_known(&self, session_id: &str) -> Result<bool> {
        let path = path_of(session_id, "")?;
        let ask = |client: &Client| client.get::<Value>(&path, Limit::Write);
        match self.outbox.ask(ask) {
            Ok(Found::This(_)) => Ok(true),
            Ok(Found::Nothing) => Ok(false),
            Err(error) if error.kind() == ErrorKind::Unreachable => match self.outbox.spool() {
                Some(spool) => spool.is_known(session_id),
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    fn read_trail(
        &self,
        session_id: &str,
        visit: &mut dyn FnMut(StoredEntry<'_>) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        let damage = self.trail(session_id, Limit::Read, visit)?;
        self.outbox.absence.tell_waiting();
        Ok(damage)
    }

    fn highest_attempt_number(&self, session_id: &str) -> Result<u64> {
        let mut highest = 0;
        let read = self.trail(session_id, Limit::Write, &mut |stored| {
            highest = stored.attempt_number().max(highest);
            Ok(())
        });
        match read {
            Ok(_) => Ok(highest),
            Err(error) if error.kind() == ErrorKind::Unreachable => {
                self.outbox.highest_known(session_id).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    fn read_records_raw(
        &self,
        session_id: Option<&str>,
        visit: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Vec<Damage>> {
        let mut path = "/api/v1/journal".to_owned();
        if let Some(id) = session_id {
            path += "?session=";
            path.extend(form_urlencoded::byte_serialize(id.as_bytes()));
        }
        self.outbox
            .ask(|client| read::lines(client, &path, Limit::Read, visit))
    }

    fn read_statistics(&self, session_id: &str) -> Result<(RecoveryStatistics, Vec<Damage>)> {
        let path = path_of(session_id, "/statistics")?;
        let asked = self.outbox.ask(|client| client.get(&path, Limit::Read));
        let statistics = match asked? {
            Found::This(statistics) => statistics,
            Found::Nothing => Accumulator::default().statistics(session_id, None),
        };
        self.outbox.absence.tell_waiting();
        Ok((statistics, Vec::new()))
    }

    fn read_aggregate(&self, query: &AggregateQuery) -> Result<(Aggregates, Vec<Damage>)> {
        let sums = self.outbox.ask(|client| read::aggregates(client, query))?;
        self.outbox.absence.tell_waiting();
        Ok((sums, Vec::new()))
    }

    fn remove(&self, session_id: &str, removal: &Removal) -> Result<Removed> {
        if let Removal::Pruned(_) = removal {
            return Err(refused(self.client(), "remove by rule"));
        }
        let path = path_of(session_id, "/clear")?;
        let body = json!({"session_id": session_id}).to_string();
        let post = || self.client().post::<Cleared>(&path, &body);
        match self.outbox.absence.ask(post) {
            Ok(Found::This(Cleared { entries })) => {
                self.outbox.forget(session_id);
                Ok(Removed::Gone { entries })
            }
            Ok(Found::Nothing) => Ok(Removed::Unknown),
            Err(error) if error.kind() == ErrorKind::Refused => match self.held(session_id) {
                Ok(Some(held)) => Ok(Removed::Held(held)),
                _ => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    fn follower(&self) -> Result<Box<dyn Follower + '_>> {
        Ok(Box::new(RemoteFollower::new(Arc::clone(
            &self.outbox.client,
        ))))
    }

    fn importer(&self) -> Result<Box<dyn Importer + '_>> {
        Err(refused(self.client(), "take over entries"))
    }
}

impl fmt::Debug for RemoteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteStore")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}
