//! The server as a whole: opened over a store, and run until it is told to end.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auto_recovery::audit::AuditStore;
use auto_recovery::host::{Host, Wait};
use auto_recovery::{Error, ErrorKind, Result};
use axum::routing::{MethodRouter, get, post};
use axum::{Router, middleware};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::alerts::{Alerting, Watch};
use crate::app::App;
use crate::feed::{Database, Following, Standing, follow};
use crate::http::{self, Access, guard};
use crate::leftovers::Leftovers;
use crate::otlp::{Exporter, OtlpOptions};
use crate::{api, health, live, metrics, pages};

/// Threads that answer. What blocks has threads of its own.
const WORKERS: usize = 2;

/// The time that threads which block have to end with the server.
const LATE: Duration = Duration::from_millis(100);

/// How a server is to be.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// Where it keeps its feed, below `server`.
    pub state_dir: PathBuf,
    /// The file with its token, which is made where there is none. Without one, a token is made
    /// once, told once, and kept as a hash.
    pub token_file: Option<PathBuf>,
    /// The address under which browsers reach it, if not its own: `https://recover.example.org`.
    pub public_url: Option<String>,
    /// Where traces and logs go, if anywhere.
    pub otlp: Option<OtlpOptions>,
    /// What is watched for and who is told.
    pub alerting: Alerting,
}

/// A server over a store.
pub struct Server {
    app: Arc<App>,
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
        let id = format!("{:08x}", host.random() >> 32);
        let feed = Arc::new(Database::open(&options.state_dir, &store.url(), &id)?);
        let token_file = options.token_file.as_deref();
        let (access, new_token) = Access::open(Arc::clone(&feed), Arc::clone(&host), token_file)?;
        let (_, newest) = feed.bounds()?;
        let following = Following {
            store,
            feed,
            host,
            newest: watch::Sender::new(newest),
            standing: Mutex::new(Standing::default()),
            seen_at: Mutex::default(),
            is_over: AtomicBool::new(false),
        };
        let (shutdown, is_over) = watch::channel(false);
        let following = Arc::new(following);
        let exporter = options.otlp.as_ref().map(|otlp| {
            let public_url = options.public_url.as_deref();
            Exporter::new(Arc::clone(&following), otlp, public_url)
        });
        let exporter = exporter.transpose()?;
        let sent = exporter.as_ref().map(Exporter::sent);
        let dirs = ["beats", "files"].map(|of| following.feed.beside(of));
        let watch = match &options.alerting {
            alerting if alerting.rules.is_empty() => None,
            alerting => {
                let of = Arc::clone(&following);
                Some(Arc::new(Watch::new(
                    alerting.clone(),
                    of,
                    dirs.clone().into(),
                )?))
            }
        };
        let rules = options.alerting.rules.iter();
        let rules = rules.map(|rule| (rule.name.clone(), rule.check.as_str()));
        let mut app = App::new(following, access, leftovers, called, is_over).sending(sent);
        app.rules = rules.collect();
        Ok(Self {
            app: Arc::new(app),
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
        let (router, is_over) = (router(&self), self.shutdown.subscribe());
        // No receiver holds up the end of the server: this thread is not waited for.
        if let Some(exporter) = self.exporter.take() {
            std::thread::spawn(move || exporter.run());
        }
        let following = &*self.app.following;
        std::thread::scope(|scope| {
            scope.spawn(|| follow(following));
            if let Some(watch) = &self.watch {
                scope.spawn(|| watch.run());
            }
            scope.spawn(|| {
                while following.host.sleep(Duration::from_secs(3600)) == Wait::Elapsed {}
                self.shutdown.send_replace(true);
            });
            runtime.block_on(http::serve(listener, router, is_over));
            following.is_over.store(true, Ordering::SeqCst);
            runtime.shutdown_timeout(LATE);
        });
        Ok(())
    }
}

/// The name in `url`, and whether it is reached over TLS.
fn public_name(url: &str) -> Result<(BTreeSet<String>, bool)> {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let authority = rest.split('/').next().unwrap_or_default();
    let name = authority
        .rsplit_once(':')
        .map_or(authority, |(name, _)| name);
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if !matches!(scheme, "http" | "https") || name.is_empty() || !name.chars().all(is_name) {
        let text =
            format!("{url:?} is no address of a server: write it like https://recover.example.org");
        return Err(Error::new(ErrorKind::InvalidInput, text));
    }
    Ok((
        BTreeSet::from([name.to_ascii_lowercase()]),
        scheme == "https",
    ))
}

/// All that `server` answers.
pub fn router(server: &Server) -> Router {
    let app = Arc::clone(&server.app);
    let mut router = Router::new();
    for (path, methods) in for_programs() {
        router = router.route(path, methods);
    }
    let pages = Router::new()
        .route("/", get(pages::overview))
        .route("/sessions", get(pages::sessions))
        .route("/sessions/{id}", get(pages::session))
        .route("/failures", get(pages::failures))
        .route("/failures/{kind}", get(pages::failure))
        .route("/stats", get(pages::stats))
        .route("/live", get(pages::live))
        .route("/alerts", get(pages::alerts))
        .route("/about", get(pages::about))
        .layer(middleware::from_fn(pages::in_view));
    router
        .merge(pages)
        .route("/login", get(http::login_form).post(http::login))
        .route("/logout", post(http::leave))
        .route("/assets/style.css", get(pages::style))
        .route("/assets/{name}", get(pages::script))
        .fallback(api::nothing)
        .method_not_allowed_fallback(api::no_such_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), guard))
        .with_state(app)
}

/// The paths for programs, as `openapi.json` describes them.
fn for_programs() -> Vec<(&'static str, MethodRouter<Arc<App>>)> {
    vec![
        ("/api/v1/events", get(live::events)),
        ("/api/v1/sessions", get(api::sessions)),
        ("/api/v1/sessions/{id}", get(api::session)),
        ("/api/v1/sessions/{id}/entries", get(api::entries_of)),
        ("/api/v1/sessions/{id}/journal", get(api::journal_of)),
        ("/api/v1/sessions/{id}/statistics", get(api::statistics_of)),
        ("/api/v1/stats", get(api::stats)),
        ("/api/v1/failures", get(api::failures)),
        ("/api/v1/export", get(api::export)),
        ("/api/v1/alerts", get(api::alerts)),
        ("/api/v1/deliveries", get(api::told)),
        ("/api/v1/heartbeats/{name}", post(api::heartbeat)),
        ("/api/v1/entries", post(api::ingest)),
        ("/openapi.json", get(api::document)),
        ("/metrics", get(metrics::metrics)),
        ("/healthz", get(health::health)),
        ("/readyz", get(health::readiness)),
    ]
}
