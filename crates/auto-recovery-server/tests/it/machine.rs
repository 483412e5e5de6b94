//! A store, its state, and a server over it that can be ended and started again.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

use auto_recovery::ErrorKind;
use auto_recovery::audit::sealing::SealWhen;
use auto_recovery::audit::{AuditStore, JournalEvent, NewEntry, Recorder, SessionStarted};
use auto_recovery::entry::RecoveryAuditEntry;
use auto_recovery::host::{Host as _, SystemHost};
use auto_recovery::interrupt::Interrupt;
use auto_recovery::jsonl::{FileIo, JsonlOptions, JsonlStore, SystemIo};
use auto_recovery::report::NothingKept;
use auto_recovery_server::{Alerting, Leftovers, OtlpOptions, Server, ServerOptions, Tokens};
use auto_recovery_sql::{PostgresOptions, PostgresStore, SqliteOptions, SqliteStore};
use tempfile::TempDir;

use crate::client::{Answer, LONG, Stream, ask};
use crate::postgres_server::shared;

/// The signal that ends a server.
const SIGTERM: i32 = 15;

/// Any port of this machine.
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Which store it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Jsonl,
    Sqlite,
    Postgres,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Jsonl, Self::Sqlite, Self::Postgres];
}

/// Places on the disk.
pub(crate) struct Machine {
    dir: TempDir,
    kind: Kind,
    /// Where its servers send traces.
    pub(crate) otlp: Option<OtlpOptions>,
    /// What is watched for.
    pub(crate) alerting: Alerting,
    /// How its files are touched, if not as ever.
    pub(crate) io: Option<Arc<dyn FileIo>>,
    /// When its servers seal.
    pub(crate) seal: SealWhen,
    /// Its database, if it has one.
    database: Option<String>,
}

/// A server that runs.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    pub(crate) login: String,
    pub(crate) url: String,
    interrupt: Arc<Interrupt>,
    thread: Option<JoinHandle<()>>,
}

impl Machine {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            kind,
            otlp: None,
            alerting: Alerting::default(),
            io: None,
            seal: SealWhen::default(),
            database: (kind == Kind::Postgres).then(|| shared().database().url),
        }
    }

    /// A handle of the store that no interrupt touches.
    pub(crate) fn store(&self) -> Arc<dyn AuditStore> {
        self.store_for(Arc::new(SystemHost::new()))
    }

    fn store_for(&self, host: Arc<SystemHost>) -> Arc<dyn AuditStore> {
        let recorder = Recorder::new(host);
        let path = self.dir.path().join("store");
        match self.kind {
            Kind::Jsonl => {
                let io = self.io.clone().unwrap_or_else(|| Arc::new(SystemIo));
                let options = JsonlOptions::default();
                Arc::new(JsonlStore::open_with_io(&path, options, recorder, io).unwrap())
            }
            Kind::Sqlite => {
                let file = path.with_extension("sqlite");
                Arc::new(SqliteStore::open(&file, SqliteOptions::default(), recorder).unwrap())
            }
            Kind::Postgres => {
                let url = self.database.as_ref().unwrap();
                let options = PostgresOptions::default();
                Arc::new(PostgresStore::open(url, options, recorder).unwrap())
            }
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn token_file(&self) -> PathBuf {
        self.dir.path().join("token")
    }

    /// Makes the feed one from before kinds of failure were counted.
    pub(crate) fn forget_kinds(&self) {
        let files = std::fs::read_dir(self.dir.path().join("state/server")).unwrap();
        let mut files = files.map(|file| file.unwrap().path());
        let feed = files.find(|file| file.extension().is_some_and(|end| end == "sqlite"));
        let connection = rusqlite::Connection::open(feed.unwrap()).unwrap();
        for table in ["session", "kind", "part", "slot"] {
            let drop = format!("DROP TABLE failure_{table}");
            connection.execute_batch(&drop).unwrap();
        }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// The tokens of the server, which may run or not.
    pub(crate) fn tokens(&self) -> Tokens {
        let host = Arc::new(SystemHost::new());
        Tokens::open(&self.state(), &self.store().url(), host).unwrap()
    }

    /// A server, or why there is none.
    pub(crate) fn try_start(&self) -> auto_recovery::Result<Running> {
        self.try_start_with(|_| {})
    }

    /// The same with options that `change` changes.
    pub(crate) fn try_start_with(
        &self,
        change: impl FnOnce(&mut ServerOptions),
    ) -> auto_recovery::Result<Running> {
        self.try_start_as(Arc::new(NothingKept), ANY, change)
    }

    /// The same over sessions that left something beside their record, at `listen`.
    fn try_start_as(
        &self,
        leftovers: Arc<dyn Leftovers>,
        listen: SocketAddr,
        change: impl FnOnce(&mut ServerOptions),
    ) -> auto_recovery::Result<Running> {
        let interrupt = Arc::new(Interrupt::new().unwrap());
        let host = Arc::new(SystemHost::with_interrupt(Arc::clone(&interrupt)));
        let store = self.store_for(Arc::clone(&host));
        let mut options = ServerOptions {
            state_dir: self.state(),
            token_file: Some(self.token_file()),
            host_name: Some("here".to_owned()),
            otlp: self.otlp.clone(),
            alerting: self.alerting.clone(),
            seal: self.seal,
            ..ServerOptions::default()
        };
        change(&mut options);
        let server = Server::open(store, leftovers, host, &options)?;
        let (told, listening) = channel();
        let thread = std::thread::spawn(move || {
            let tell = |server: &Server, address| {
                told.send((address, server.login_path(), server.url(address)))
                    .unwrap();
            };
            server.run(listen, tell).unwrap();
        });
        let (address, login, url) = listening.recv_timeout(LONG).unwrap();
        let token = std::fs::read_to_string(self.token_file())
            .unwrap()
            .trim()
            .to_owned();
        Ok(Running {
            address,
            token,
            login,
            url,
            interrupt,
            thread: Some(thread),
        })
    }

    /// Another machine with the same database.
    pub(crate) fn beside(&self) -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            kind: self.kind,
            database: self.database.clone(),
            otlp: self.otlp.clone(),
            alerting: self.alerting.clone(),
            io: self.io.clone(),
            seal: self.seal,
        }
    }

    /// A server that has read the store.
    pub(crate) fn start(&self) -> Running {
        self.start_with(Arc::new(NothingKept))
    }

    /// The same over sessions that left something beside their record.
    pub(crate) fn start_with(&self, leftovers: Arc<dyn Leftovers>) -> Running {
        self.start_as(&leftovers, ANY)
    }

    /// A server that has read the store, where another was.
    pub(crate) fn start_at(&self, address: SocketAddr) -> Running {
        let nothing: Arc<dyn Leftovers> = Arc::new(NothingKept);
        self.start_as(&nothing, address)
    }

    /// A server, once the one before is wholly gone: what it left behind ends with its process,
    /// which is this one.
    fn start_as(&self, leftovers: &Arc<dyn Leftovers>, listen: SocketAddr) -> Running {
        let host = SystemHost::new();
        let begin = host.monotonic();
        let waited = || host.monotonic().saturating_sub(begin);
        let running = loop {
            match self.try_start_as(Arc::clone(leftovers), listen, |_| {}) {
                Err(error) if error.kind() == ErrorKind::Busy && waited() < LONG => {
                    std::thread::yield_now();
                }
                started => break started.unwrap(),
            }
        };
        while running.ask("GET /readyz", &[]).status != 200 {
            std::thread::yield_now();
        }
        running
    }
}

impl Running {
    /// The answer to a request with the token.
    pub(crate) fn ask(&self, line: &str, headers: &[&str]) -> Answer {
        self.send(line, headers, b"")
    }

    /// The same with a body.
    pub(crate) fn send(&self, line: &str, headers: &[&str], body: &[u8]) -> Answer {
        let token = self.bearer();
        let headers: Vec<&str> = headers.iter().copied().chain([&*token]).collect();
        ask(self.address, line, &headers, body)
    }

    /// The answer to a request for `path` that must be there.
    pub(crate) fn get(&self, path: &str) -> Answer {
        let answer = self.ask(&format!("GET {path}"), &[]);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer
    }

    pub(crate) fn bearer(&self) -> String {
        format!("Authorization: Bearer {}", self.token)
    }

    /// The events of `path` as lines.
    pub(crate) fn lines(&self, path: &str) -> Stream {
        let token = self.bearer();
        let mut stream = Stream::open(
            self.address,
            path,
            &["Accept: application/x-ndjson", &token],
        );
        stream.first = stream.json().unwrap();
        let name = stream.first["event"].as_str().unwrap();
        assert!(["hello", "reset"].contains(&name), "{name}");
        stream
    }

    /// Ends it.
    pub(crate) fn end(mut self) {
        self.interrupt.raise(SIGTERM);
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.interrupt.raise(SIGTERM);
        if let Some(thread) = self.thread.take() {
            let joined = thread.join();
            assert!(joined.is_ok() || std::thread::panicking());
        }
    }
}

/// Attempt `number` of `session`.
pub(crate) fn entry(session: &str, number: u64) -> NewEntry {
    NewEntry {
        entry: RecoveryAuditEntry {
            session_id: session.to_owned(),
            error_type: "E0308".to_owned(),
            error_message: "mismatched types".to_owned(),
            strategy: "retry".to_owned(),
            attempt_number: number,
            success: number.is_multiple_of(3),
            duration_seconds: 0.5,
            next_action: "continue".to_owned(),
            ..RecoveryAuditEntry::default()
        },
        number_by_store: false,
    }
}

/// That a session of `project` begins.
pub(crate) fn started(project: &str) -> JournalEvent {
    JournalEvent::SessionStarted(SessionStarted {
        command: Some(vec!["cargo".to_owned(), "test".to_owned()]),
        project: Some(project.to_owned()),
        host: Some("elsewhere".to_owned()),
        pid: 1,
        ..SessionStarted::default()
    })
}
