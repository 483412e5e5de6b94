//! A store and a server over it, which can be ended and started again at the same address.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use auto_recovery::audit::sealing::SealWhen;
use auto_recovery::audit::{AuditStore, NewEntry, Recorder};
use auto_recovery::entry::RecoveryAuditEntry;
use auto_recovery::host::SystemHost;
use auto_recovery::interrupt::Interrupt;
use auto_recovery::report::NothingKept;
use auto_recovery::spool::Notice;
use auto_recovery_remote::{Address, RemoteOptions, RemoteStore};
use auto_recovery_server::{Scope, Server, ServerOptions, TlsFiles, Tokens};
use auto_recovery_sql::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

/// Longer than anything takes.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// The signal that ends a server.
const SIGTERM: i32 = 15;

/// A machine with a store.
pub(crate) struct Serving {
    dir: TempDir,
    running: Mutex<Option<Running>>,
    address: SocketAddr,
    tls: Option<TlsFiles>,
    seal: SealWhen,
    /// What the stores told.
    pub(crate) told: Arc<Mutex<Vec<String>>>,
}

struct Running {
    interrupt: Arc<Interrupt>,
    thread: JoinHandle<()>,
}

impl Serving {
    /// A machine with an empty store, and a server over it.
    pub(crate) fn new() -> Self {
        Self::with_tls(None)
    }

    /// The same, whose server seals nothing.
    pub(crate) fn without_seals() -> Self {
        Self::with(None, SealWhen::Off)
    }

    /// The same; the server has these files, if there are some.
    pub(crate) fn with_tls(tls: Option<TlsFiles>) -> Self {
        Self::with(tls, SealWhen::default())
    }

    fn with(tls: Option<TlsFiles>, seal: SealWhen) -> Self {
        let mut serving = Self {
            dir: TempDir::new().unwrap(),
            running: Mutex::default(),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls,
            seal,
            told: Arc::default(),
        };
        serving.address = serving.start();
        serving
    }

    /// The store itself.
    pub(crate) fn own(&self) -> Arc<dyn AuditStore> {
        self.own_for(Arc::new(SystemHost::new()))
    }

    fn own_for(&self, host: Arc<SystemHost>) -> Arc<dyn AuditStore> {
        let file = self.dir.path().join("store.sqlite");
        let store = SqliteStore::open(&file, SqliteOptions::default(), Recorder::new(host));
        Arc::new(store.unwrap())
    }

    /// Starts a server where the one before was.
    pub(crate) fn start(&self) -> SocketAddr {
        let interrupt = Arc::new(Interrupt::new().unwrap());
        let host = Arc::new(SystemHost::with_interrupt(Arc::clone(&interrupt)));
        let options = ServerOptions {
            state_dir: self.state(),
            tls: self.tls.clone(),
            seal: self.seal,
            ..ServerOptions::default()
        };
        let store = self.own_for(Arc::clone(&host));
        let server = Server::open(store, Arc::new(NothingKept), host, &options).unwrap();
        let (told, listening) = channel();
        let address = self.address;
        let thread = std::thread::spawn(move || {
            let tell = |_: &Server, address| told.send(address).unwrap();
            server.run(address, tell).unwrap();
        });
        *self.running.lock().unwrap() = Some(Running { interrupt, thread });
        listening.recv_timeout(LONG).unwrap()
    }

    /// Ends the server.
    pub(crate) fn end(&self) {
        if let Some(Running { interrupt, thread }) = self.running.lock().unwrap().take() {
            interrupt.raise(SIGTERM);
            thread.join().unwrap();
        }
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub(crate) fn spool(&self) -> PathBuf {
        self.dir.path().join("spool")
    }

    pub(crate) fn address(&self) -> Address {
        Address::parse(&format!("http://{}/", self.address)).unwrap()
    }

    /// Where the server itself listens.
    pub(crate) fn address_of_server(&self) -> SocketAddr {
        self.address
    }

    /// A new token for `scope`.
    pub(crate) fn token(&self, scope: Scope) -> String {
        let host = Arc::new(SystemHost::new());
        let tokens = Tokens::open(&self.state(), &self.own().url(), host).unwrap();
        tokens.add(None, scope).unwrap().1
    }

    /// Options for a store that may do what `scope` says, with a spool.
    pub(crate) fn options(&self, scope: Scope) -> RemoteOptions {
        let told = Arc::clone(&self.told);
        let on_notice = move |notice: &Notice| told.lock().unwrap().push(notice.to_string());
        RemoteOptions {
            token: self.token(scope),
            spool: Some(self.spool()),
            on_notice: Some(Arc::new(on_notice)),
            // Nothing is slow here, however busy the machine is.
            write_timeout: LONG,
            ..RemoteOptions::default()
        }
    }

    /// The store over the server.
    pub(crate) fn remote(&self, scope: Scope) -> RemoteStore {
        self.remote_with(&self.options(scope))
    }

    pub(crate) fn remote_with(&self, options: &RemoteOptions) -> RemoteStore {
        let recorder = Recorder::new(Arc::new(SystemHost::new()));
        RemoteStore::open(self.address(), options, recorder).unwrap()
    }

    /// The store over TLS, whose certificate is to lead to one in `root`.
    pub(crate) fn remote_over_tls(&self, root: Option<&Path>) -> RemoteStore {
        let root = root.map_or(String::new(), |root| {
            format!("?sslrootcert={}", root.display())
        });
        let address = Address::parse(&format!("https://{}/{root}", self.address)).unwrap();
        let options = self.options(Scope::Write);
        let recorder = Recorder::new(Arc::new(SystemHost::new()));
        RemoteStore::open(address, &options, recorder).unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.end();
    }
}

/// An attempt of `session`, to which the store gives id, time and number.
pub(crate) fn attempt(session: &str) -> NewEntry {
    NewEntry {
        entry: RecoveryAuditEntry {
            session_id: session.to_owned(),
            error_type: "E0308".to_owned(),
            strategy: "retry".to_owned(),
            next_action: "continue".to_owned(),
            ..RecoveryAuditEntry::default()
        },
        number_by_store: true,
    }
}
