//! What the handlers share.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use auto_recovery::audit::{AuditStore, redaction_key};
use auto_recovery::host::Host;
use auto_recovery::learn::LearnSettings;
use auto_recovery::mutex::lock;
use auto_recovery::redaction::Redactor;
use auto_recovery::{Error, ErrorKind, Result};
use axum::http::StatusCode;
use tokio::sync::{Semaphore, watch};

use crate::advice::Boards;
use crate::feed::{Database, Following, Standing};
use crate::http::{Access, AllNeeds, Problem};
use crate::leftovers::Leftovers;
use crate::otlp::Sent;
use crate::seals::Seals;
use crate::sums::Sums;

/// Calls of the store at once, and exports, which take long.
const STORE_CALLS_MAX: usize = 8;
const EXPORTS_MAX: usize = 4;

/// Trails and journals that are read whole at once, each by a thread of its own.
const READINGS_MAX: usize = 32;

/// What the handlers share.
pub(crate) struct App {
    pub(crate) following: Arc<Following>,
    pub(crate) access: Access,
    pub(crate) needs: AllNeeds,
    pub(crate) host: Arc<dyn Host>,
    /// What sessions left beside their record.
    pub(crate) leftovers: Arc<dyn Leftovers>,
    /// This machine, as the journal names it.
    pub(crate) host_name: Option<String>,
    /// Names of ours besides `localhost` and addresses.
    pub(crate) names: BTreeSet<String>,
    /// Whether browsers reach us over TLS.
    pub(crate) is_secure: bool,
    /// Becomes true when the server is to end.
    pub(crate) shutdown: watch::Receiver<bool>,
    /// What is watched for: names, and what each looks for.
    pub(crate) rules: Vec<(String, &'static str)>,
    pub(crate) streams: Arc<Semaphore>,
    /// Streams at once.
    pub(crate) streams_max: usize,
    pub(crate) exports: Arc<Semaphore>,
    /// Readers of whole trails, and of the journal.
    pub(crate) readings: Arc<Semaphore>,
    /// Held by whoever looks whether entries are there and adds those that are not.
    pub(crate) ingests: Arc<tokio::sync::Mutex<()>>,
    /// Held by whoever records what was said about alerts: so it is recorded once.
    pub(crate) recording: Mutex<()>,
    /// What masks the texts of pages.
    pub(crate) redactor: Arc<Redactor>,
    calls: Semaphore,
    /// Sums that pages show.
    pub(crate) sums: Sums,
    /// What history says, which pages show.
    pub(crate) boards: Boards,
    /// What the user says about learning.
    pub(crate) learn: LearnSettings,
    /// What seals the record that others keep here.
    pub(crate) seals: Arc<Seals>,
    /// How the sending of traces goes, if they are sent.
    pub(crate) sent: Option<Arc<Sent>>,
}

impl App {
    /// The handlers of a server that ends with `shutdown`.
    pub(crate) fn new(
        (following, seals): (Arc<Following>, Arc<Seals>),
        (access, needs): (Access, AllNeeds),
        leftovers: Arc<dyn Leftovers>,
        host_name: Option<String>,
        (names, is_secure): (BTreeSet<String>, bool),
        streams_max: usize,
        shutdown: watch::Receiver<bool>,
    ) -> Self {
        Self {
            leftovers,
            host_name,
            host: Arc::clone(&following.host),
            redactor: Arc::new(Redactor::new(redaction_key(&*following.host))),
            seals,
            following,
            access,
            needs,
            names,
            is_secure,
            shutdown,
            rules: Vec::new(),
            streams: Arc::new(Semaphore::new(streams_max)),
            streams_max,
            exports: Arc::new(Semaphore::new(EXPORTS_MAX)),
            readings: Arc::new(Semaphore::new(READINGS_MAX)),
            ingests: Arc::default(),
            recording: Mutex::default(),
            calls: Semaphore::new(STORE_CALLS_MAX),
            sums: Sums::default(),
            boards: Boards::default(),
            learn: LearnSettings::default(),
            sent: None,
        }
    }

    /// The same, which knows how the sending of traces goes.
    pub(crate) fn sending(self, sent: Option<Arc<Sent>>) -> Self {
        Self { sent, ..self }
    }

    /// `text` without secrets: what others brought, and earlier releases recorded, was not masked
    /// when it was kept.
    pub(crate) fn masked<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.redactor.redact_text(text)
    }

    /// Microseconds since the epoch.
    pub(crate) fn now_us(&self) -> i64 {
        let since = self.host.now().duration_since(SystemTime::UNIX_EPOCH);
        i64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(i64::MAX)
    }

    /// The store.
    pub(crate) fn store(&self) -> &dyn AuditStore {
        &*self.following.store
    }

    /// The feed.
    pub(crate) fn feed(&self) -> &Database {
        &self.following.feed
    }

    /// How the feed stands to the store.
    pub(crate) fn standing(&self) -> Standing {
        lock(&self.following.standing).clone()
    }

    /// Whether a request for the host `name` is meant for this server. A page that had its own name
    /// pointed at us is none of ours; an address cannot be pointed anywhere.
    pub(crate) fn is_our_name(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        name == "localhost" || self.names.contains(&name) || name.parse::<IpAddr>().is_ok()
    }

    /// The result of `work`, which looks at the feed and may block.
    pub(crate) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T, Problem> {
        let app = Arc::clone(self);
        match tokio::task::spawn_blocking(move || work(&app)).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "panicked",
                "this request met a mistake of ours",
            )),
        }
    }

    /// The result of `work`, which calls the store: no more than a few do at once.
    pub(crate) async fn of_store<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&dyn AuditStore) -> Result<T> + Send + 'static,
    ) -> Result<T, Problem> {
        let Ok(_call) = self.calls.acquire().await else {
            let text = "the server ends";
            return Err(Error::new(ErrorKind::Unreachable, text).into());
        };
        self.run(move |app| work(app.store())).await
    }

    /// The same of `work` that looks at the feed, too.
    pub(crate) async fn of_store_and_feed<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self, &dyn AuditStore) -> Result<T> + Send + 'static,
    ) -> Result<T, Problem> {
        let app = Arc::clone(self);
        self.of_store(move |store| work(&app, store)).await
    }
}
