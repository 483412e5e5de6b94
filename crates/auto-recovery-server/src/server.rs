//! The server as a whole: opened over a store, and run until it is told to end.

use std::collections::BTreeSet;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use auto_recovery::audit::AuditStore;
use auto_recovery::audit::sealing::SealWhen;
use auto_recovery::host::{Host, Wait};
use auto_recovery::learn::LearnSettings;
use auto_recovery::{Error, ErrorKind, Result};
use axum::http::Uri;
use axum::http::uri::Authority;
use axum::{Router, middleware};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::alerts::{Alerting, Watch};
use crate::app::App;
use crate::feed::{Database, Following, follow};
use crate::http::{self, Access, Tls, compression, guard};
use crate::leftovers::Leftovers;
use crate::log::Log;
use crate::otlp::{Exporter, OtlpOptions};
use crate::seals::Seals;
use crate::threads::Threads;
use crate::{api, pages, routes};

/// Threads that answer. What blocks has threads of its own.
const WORKERS: usize = 2;

/// The time that threads have to end with the server, from when it is told to. Answers under way
/// have a part of it.
const END: Duration = Duration::from_millis(850);

/// The time that answers which block have after that: a second in all.
const LATE: Duration = Duration::from_millis(100);

/// Streams at once, where nothing else is said.
const STREAMS_MAX: usize = 512;

/// Connections at once beside those of streams.
const CONNECTIONS_MAX: usize = 512;

/// How a server is to be.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// Where it keeps its feed, below `server`, and the keys of its seals, below `seal-keys`.
    pub state_dir: PathBuf,
    /// The file with its token, which is made where there is none. Without one, a token is made
    /// once, told once, and kept as a hash.
    pub token_file: Option<PathBuf>,
    /// The files with its certificates and their private key, if it is to have TLS.
    pub tls: Option<TlsFiles>,
    /// The address under which browsers reach it, if not its own: `https://recover.example.org`.
    pub public_url: Option<String>,
    /// Where traces and logs go, if anywhere.
    pub otlp: Option<OtlpOptions>,
    /// What is watched for and who is told.
    pub alerting: Alerting,
    /// Streams at once; 512 where nothing is said.
    pub streams_max: Option<usize>,
    /// This machine, as the journal is to name it where a hold or a release is recorded.
    pub host_name: Option<String>,
    /// When what is recorded over it is sealed.
    pub seal: SealWhen,
    /// What the user says about learning: what the page of advice goes by.
    pub learn: LearnSettings,
    /// What takes the lines of its log, if anybody wants them.
    pub log: Log,
}

/// PEM files for TLS.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The chain of certificates, the server's own first.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A server over a store.
pub struct Server {
    app: Arc<App>,
    tls: Option<Tls>,
    shutdown: watch::Sender<bool>,
    new_token: Option<String>,
    exporter: Option<Exporter>,
    watch: Option<Arc<Watch>>,
}

impl Server {
    /// A server over `store`. It ends when `host` is interrupted.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] if there is another over the same store; otherwise if its files cannot
    /// be used, or [`ErrorKind::InvalidInput`] if `options` cannot.
    pub fn open(
        store: Arc<dyn AuditStore>,
        leftovers: Arc<dyn Leftovers>,
        host: Arc<dyn Host>,
        options: &ServerOptions,
    ) -> Result<Self> {
        let called = match &options.public_url {
            Some(url) => public_name(url)?,
            None => (BTreeSet::new(), false),
        };
        let tls = options.tls.as_ref();
        let tls = tls.map(|files| Tls::open(&files.certificate, &files.key));
        let tls = tls.transpose()?.map(|tls| tls.telling(&options.log));
        let (names, is_https) = called;
        if tls.is_some() && options.public_url.is_some() && !is_https {
            let text = "a server with TLS is not reached over http: write https in its public URL";
            return Err(Error::new(ErrorKind::InvalidInput, text));
        }
        let called = (names, is_https || tls.is_some());
        let feed = Database::open(&options.state_dir, &store.url(), &*host)?;
        let feed = Arc::new(feed);
        let token_file = options.token_file.as_deref();
        let mut following = Following::new(store, Arc::clone(&feed), Arc::clone(&host))?;
        following.log = options.log.clone();
        let following = Arc::new(following);
        let seals = Seals::new(
            Arc::clone(&following.store),
            (&options.state_dir, options.seal),
            Arc::clone(&host),
            options.log.clone(),
        );
        let (access, new_token) = Access::open(feed, host, token_file)?;
        let (shutdown, is_over) = watch::channel(false);
        let exporter = options.otlp.as_ref().map(|otlp| {
            let public_url = options.public_url.as_deref();
            Exporter::new(Arc::clone(&following), otlp, public_url)
        });
        let exporter = exporter.transpose()?;
        let sent = exporter.as_ref().map(Exporter::sent);
        let watch = watch_for(&options.alerting, &following)?;
        let rules = options.alerting.rules.iter();
        let rules = rules.map(|rule| (rule.name.clone(), rule.check.as_str()));
        let app = App::new(
            (following, Arc::new(seals)),
            (access, routes::needs()),
            leftovers,
            options.host_name.clone(),
            called,
            options.streams_max.unwrap_or(STREAMS_MAX),
            is_over,
        );
        let mut app = app.sending(sent);
        app.rules = rules.collect();
        app.learn = options.learn;
        Ok(Self {
            app: Arc::new(app),
            tls,
            shutdown,
            new_token,
            exporter,
            watch,
        })
    }

    /// The token that was made because there was none: nobody will be told it again.
    pub fn new_token(&self) -> Option<&str> {
        self.new_token.as_deref()
    }

    /// Its own URL where it listens on `address`.
    pub fn url(&self, address: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{address}")
    }

    /// The path that logs a browser in, once within a minute.
    pub fn login_path(&self) -> String {
        format!("/login?code={}", self.app.access.new_link())
    }

    /// Listens on `address` and answers until the host is interrupted. `on_listening` is told
    /// where, once it answers.
    ///
    /// # Errors
    /// If nobody can listen there.
    pub fn run(
        mut self,
        address: SocketAddr,
        on_listening: impl FnOnce(&Self, SocketAddr),
    ) -> Result<()> {
        let failed = |doing: &str, error: std::io::Error| {
            Error::new(ErrorKind::Io, format!("cannot {doing}")).with_source(error)
        };
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(WORKERS).enable_all().build();
        let runtime = runtime.map_err(|error| failed("start threads", error))?;
        let listening = runtime.block_on(TcpListener::bind(address));
        let listener = listening.map_err(|error| failed(&format!("listen on {address}"), error))?;
        let address = listener.local_addr();
        let address = address.map_err(|error| failed("listen", error))?;
        on_listening(&self, address);
        let threads = self.start_threads();
        let (router, is_over) = (router(&self), self.shutdown.subscribe());
        let tls = self.tls.clone();
        let connections_max = self.app.streams_max.saturating_add(CONNECTIONS_MAX);
        let following = &*self.app.following;
        let over_at = runtime.block_on(async {
            let serving = http::serve(listener, tls, router, connections_max, is_over.clone());
            let over_at = async {
                http::ended(is_over).await;
                following.host.monotonic()
            };
            tokio::join!(over_at, serving).0
        });
        following.is_over.store(true, Ordering::SeqCst);
        self.app.seals.end();
        let since = following.host.monotonic().saturating_sub(over_at);
        threads.wait(END.saturating_sub(since));
        runtime.shutdown_timeout(LATE);
        Ok(())
    }

    /// Starts what works beside those that answer.
    fn start_threads(&mut self) -> Threads {
        let threads = Threads::new();
        let following = Arc::clone(&self.app.following);
        threads.start(move || follow(&following));
        if let Some(watch) = &self.watch {
            watch.start(&threads);
        }
        if let Some(exporter) = self.exporter.take() {
            threads.start(move || exporter.run());
        }
        let seals = Arc::clone(&self.app.seals);
        threads.start(move || seals.run());
        let app = Arc::clone(&self.app);
        threads.start(move || pages::make_anew(&app));
        let (host, shutdown) = (Arc::clone(&self.app.host), self.shutdown.clone());
        threads.start(move || {
            while host.sleep(Duration::from_secs(3600)) == Wait::Elapsed {}
            shutdown.send_replace(true);
        });
        threads
    }
}

/// What works out rules and tells people, if there are rules.
fn watch_for(alerting: &Alerting, following: &Arc<Following>) -> Result<Option<Arc<Watch>>> {
    if alerting.rules.is_empty() {
        return Ok(None);
    }
    let dirs = ["beats", "files"].map(|of| following.feed.beside(of));
    let watch = Watch::new(alerting.clone(), Arc::clone(following), dirs.into())?;
    Ok(Some(Arc::new(watch)))
}

/// The name in `url`, and whether it is reached over TLS.
fn public_name(url: &str) -> Result<(BTreeSet<String>, bool)> {
    let uri: Option<Uri> = url.parse().ok();
    let authority = uri.as_ref().and_then(Uri::authority);
    let name = authority.map_or("", Authority::host);
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let bare = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let is_known = match bare {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.chars().all(is_name),
    };
    let scheme = uri.as_ref().and_then(Uri::scheme_str).unwrap_or_default();
    let has_port = |authority: &Authority| {
        // A user is none of an address that browsers open.
        let rest = authority.as_str().strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || authority.port_u16().is_some())
    };
    if !matches!(scheme, "http" | "https") || !is_known || !authority.is_some_and(has_port) {
        let text =
            format!("{url:?} is no address of a server: write it like https://recover.example.org");
        return Err(Error::new(ErrorKind::InvalidInput, text));
    }
    let name = bare.unwrap_or(name).to_ascii_lowercase();
    Ok((BTreeSet::from([name]), scheme == "https"))
}

/// All that `server` answers.
pub fn router(server: &Server) -> Router {
    let app = Arc::clone(&server.app);
    routes::router()
        .fallback(api::nothing)
        .method_not_allowed_fallback(api::no_such_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), guard))
        .layer(compression())
        .with_state(app)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_address_is_a_scheme_a_host_and_perhaps_a_port() {
        for (url, name) in [
            ("https://recover.example.org", Some("recover.example.org")),
            (
                "https://Recover.example.org:8443/",
                Some("recover.example.org"),
            ),
            ("http://[::1]:4780", Some("::1")),
            ("http://[2001:DB8::1]", Some("2001:db8::1")),
            ("http://127.0.0.1:4780", Some("127.0.0.1")),
            ("http://[::1", None),
            ("http://[nonsense]", None),
            ("http://::1:4780", None),
            ("http://h:port", None),
            ("http://h:99999", None),
            ("http://user@h", None),
            ("https://", None),
            ("ftp://h", None),
            ("h:4780", None),
            ("https://a b", None),
        ] {
            let found = public_name(url).ok();
            let found = found.and_then(|(names, _)| names.into_iter().next());
            assert_eq!(found.as_deref(), name, "{url}");
        }
    }
}
