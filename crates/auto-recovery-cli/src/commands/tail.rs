//! `recover tail`: the last attempts of the store and, followed, those that come.
//!
//! It reads the store itself. Attempts that arrive late, with old times, are told when they arrive.

use std::collections::HashMap;
use std::time::Duration;

use auto_recovery::audit::{
    AuditStore, Followed, ReadAfter, Seen, SessionQuery, SessionSummary, StoredEntry,
};
use auto_recovery::statistics::instant;
use auto_recovery::{RecoveryAuditEntry, Result};

use crate::args::TailArgs;
use crate::commands::session::{existing, facts};
use crate::commands::tail_line::tell_attempt;
#[cfg(feature = "remote")]
use crate::commands::tail_server::{Asked, tail_server};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::Printer;

/// Sessions whose last attempts are looked at for the last of all: of older ones, something that
/// came late is not among them.
const SESSIONS_MAX: usize = 100;

/// The longest wait for a notice.
const WAIT: Duration = Duration::from_secs(60);

/// The sessions that are asked for, and how attempts are told.
struct Tail<'a> {
    store: &'a dyn AuditStore,
    printer: &'a Printer,
    session: Option<String>,
    project: Option<String>,
    /// The project of each session that was asked about.
    projects: HashMap<String, Option<String>>,
}

/// The place up to which a session was told.
#[derive(Default)]
struct Told {
    seen: Seen,
    /// Attempts at its beginning that are no news.
    old: u64,
}

/// Tells the last attempts, and goes on if `args` say so.
///
/// # Errors
/// If the store cannot be read, or stdout not be written.
pub(crate) fn tail(context: &Context, args: TailArgs) -> Result<Exit> {
    let TailArgs {
        follow,
        number,
        session,
        project,
        #[cfg(feature = "remote")]
        server,
    } = args;
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    #[cfg(feature = "remote")]
    if let Some(server) = server {
        let asked = Asked {
            server,
            session,
            project,
            number,
            follow,
        };
        return tail_server(context, asked);
    }
    let store = &*context.readable_store(context.unopened())?;
    let session = session.map(|typed| existing(store, &typed)).transpose()?;
    let mut tail = Tail {
        store,
        printer: &context.printer,
        session,
        project,
        projects: HashMap::new(),
    };
    // What is written from here on is named.
    let mut follower = store.follower()?;
    if follow {
        follower.wait(Duration::ZERO)?;
    }
    tail.tell_last(number)?;
    if !follow {
        return Ok(Exit::OK);
    }
    let listed = store.sessions()?.into_iter();
    let mut told: HashMap<String, Told> = listed
        .map(|one| {
            let old = one.total_attempts;
            (
                one.session_id,
                Told {
                    old,
                    ..Told::default()
                },
            )
        })
        .collect();
    loop {
        let named = match follower.wait(WAIT)? {
            Followed::Sessions(sessions) => sessions,
            Followed::Anything => ids(store.sessions()?),
            Followed::Nothing => continue,
        };
        for id in named {
            tail.tell_new(&id, told.entry(id.clone()).or_default())?;
        }
    }
}

fn ids(sessions: Vec<SessionSummary>) -> Vec<String> {
    sessions.into_iter().map(|one| one.session_id).collect()
}

impl Tail<'_> {
    /// Tells the last `number` attempts of those that are asked for, by their times.
    fn tell_last(&mut self, number: usize) -> Result<()> {
        let sessions = match &self.session {
            Some(session) => vec![session.clone()],
            None => {
                let query = SessionQuery {
                    project: self.project.clone(),
                    ..SessionQuery::default()
                };
                ids(self
                    .store
                    .read_session_page(&query, None, SESSIONS_MAX)?
                    .sessions)
            }
        };
        let mut last: Vec<RecoveryAuditEntry> = Vec::new();
        for id in sessions {
            if !self.is_wanted(&id)? {
                continue;
            }
            self.store.read_last(&id, number, &mut |stored| {
                last.push(stored.into_entry());
                Ok(())
            })?;
        }
        last.sort_by_cached_key(|entry| instant(&entry.timestamp));
        let from = last.len().saturating_sub(number);
        for entry in &last[from..] {
            let project = self.projects.get(&entry.session_id).cloned().flatten();
            tell_attempt(self.printer, entry, project.as_deref(), &entry.to_json())?;
        }
        Ok(())
    }

    /// Tells the attempts of `id` that were not told yet.
    fn tell_new(&mut self, id: &str, told: &mut Told) -> Result<()> {
        if !self.is_wanted(id)? {
            return Ok(());
        }
        let project = self.projects.get(id).cloned().flatten();
        loop {
            let (printer, old) = (self.printer, &mut told.old);
            let mut visit = |stored: StoredEntry<'_>| {
                if *old > 0 {
                    *old -= 1;
                    return Ok(());
                }
                tell_attempt(printer, &stored.entry(), project.as_deref(), &stored.json())
            };
            match self.store.read_after(id, &mut told.seen, &mut visit)? {
                // What is there now is another trail.
                ReadAfter::Removed => told.old = 0,
                ReadAfter::Read(_) => return Ok(()),
            }
        }
    }

    /// Whether `id` is asked for.
    fn is_wanted(&mut self, id: &str) -> Result<bool> {
        if self.session.as_deref().is_some_and(|session| session != id) {
            return Ok(false);
        }
        if self.projects.get(id).is_none_or(Option::is_none) {
            let project = facts(self.store, id)?
                .started
                .and_then(|started| started.project);
            self.projects.insert(id.to_owned(), project);
        }
        let project = self.projects.get(id).and_then(Option::as_deref);
        Ok(self.project.is_none() || self.project.as_deref() == project)
    }
}
