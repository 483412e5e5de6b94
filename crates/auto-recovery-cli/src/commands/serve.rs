//! `recover serve`: the record over HTTP.

use std::io::{self, IsTerminal as _};
use std::mem::ManuallyDrop;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auto_recovery::audit::encrypting::{OpenedStore, Opener, Unopened};
use auto_recovery::audit::{AuditStore, Removed};
use auto_recovery::files::{Links, read_small};
use auto_recovery::host::Wait;
use auto_recovery::interrupt::Interrupt;
use auto_recovery::process::Signals;
use auto_recovery::report::Kept;
use auto_recovery::run::Place;
use auto_recovery::{Error, ErrorKind, Result};
use auto_recovery_server::{
    Leftovers, Log, LogSink, OtlpOptions, OutboundUrl, Server, ServerOptions, TlsFiles,
    check_header,
};
use serde_json::json;

use crate::args::{LogFormat, ServeArgs, ServeCommand};
use crate::artifacts;
use crate::commands::around::Around;
use crate::commands::kept::KeptOnDisk;
use crate::commands::{prune_by_itself, serve_token};
use crate::context::Context;
use crate::exit::Exit;
use crate::identity;
use crate::output::Printer;
use crate::settings::OtlpSettings;

/// The longest file with headers.
const HEADERS_BYTES_MAX: u64 = 16 * 1024;

/// How often it is looked whether the rules of retention are due.
const LOOK_AT_RULES: Duration = Duration::from_secs(15 * 60);

/// What sessions left in our own state.
struct OnDisk {
    context: Arc<Context>,
    place: Place,
    opener: Arc<Opener>,
    store: Arc<dyn AuditStore>,
}

impl Leftovers for OnDisk {
    fn of(&self, session_id: &str, take: &mut dyn FnMut(&dyn Kept) -> Result<()>) -> Result<()> {
        take(&KeptOnDisk::of((&self.place, &self.opener), session_id)?)
    }

    fn clearing(
        &self,
        session_id: &str,
        remove: &mut dyn FnMut() -> Result<Removed>,
    ) -> Result<Removed> {
        let context = &*self.context;
        let seals = Around::begin(context, &self.store, &[session_id]);
        let state_dir = &context.settings.state_dir.value;
        artifacts::remove(state_dir, session_id, &context.host)?;
        let encryption = context.encryption.as_deref();
        artifacts::remove_from_memory(encryption, self.store.keys()?, session_id)?;
        let removed = remove()?;
        seals.end();
        Ok(removed)
    }
}

/// Serves until it is told to end, or does what else `args` ask for.
///
/// # Errors
/// If it cannot listen, or another serves the same store.
pub(crate) fn serve(context: Context, args: ServeArgs) -> Result<Exit> {
    let ServeArgs {
        what,
        listen,
        token_file,
        tls_cert,
        tls_key,
        public_url,
        streams_max,
        log: format,
        behind_proxy,
    } = args;
    if let Some(ServeCommand::Token(args)) = what {
        return serve_token::token(&context, args);
    }
    let tls = tls_cert.zip(tls_key);
    let tls = tls.map(|(certificate, key)| TlsFiles { certificate, key });
    if !listen.ip().is_loopback() && !behind_proxy && tls.is_none() {
        let text = format!(
            "{listen} is reached by others and this server has no TLS: give it --tls-cert and \
             --tls-key, or put a proxy that has TLS before it and say --behind-proxy, or listen on \
             127.0.0.1"
        );
        return Err(Error::new(ErrorKind::InvalidInput, text));
    }
    let interrupt = Arc::new(Interrupt::new()?);
    let context = Arc::new(context.interrupted_by(Arc::clone(&interrupt)));
    let _to_the_end = ManuallyDrop::new(Signals::install(interrupt)?);
    let options = ServerOptions {
        state_dir: context.settings.state_dir.value.clone(),
        token_file,
        alerting: context.alerting(public_url.as_deref())?,
        otlp: otlp(&context.settings.served.otlp)?,
        tls,
        streams_max: usize::try_from(streams_max).ok(),
        public_url: public_url.clone(),
        seal: context.settings.seal_when(),
        learn: context.settings.run.learn.settings(),
        log: log_to_stderr(&context, format),
        host_name: identity::session_started(&context.settings, None).host,
    };
    // What is encrypted stays closed: the server keeps what it reads in rows of its own.
    let closed = Unopened::Words(context.settings.encryption.words());
    let opener = Arc::new(Opener::none().showing(closed));
    let own = context.store()?;
    let store: Arc<dyn AuditStore> =
        Arc::new(OpenedStore::new(Arc::clone(&own), Arc::clone(&opener)));
    let leftovers = OnDisk {
        context: Arc::clone(&context),
        place: context.place_of(Ok(Arc::clone(&store)))?,
        opener,
        store: own,
    };
    let host = Arc::clone(&context.host);
    let server = Server::open(store, Arc::new(leftovers), host, &options)?;
    let of_rules = Arc::clone(&context);
    // Nobody waits for it in the end: a removal that is cut off is taken up by whoever comes next.
    std::thread::spawn(move || prune_daily(&of_rules));
    server.run(listen, |server, address| {
        tell(
            &context.printer,
            server,
            (address, format),
            public_url.as_deref(),
        );
    })?;
    Ok(Exit::OK)
}

/// Where traces and logs go.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if that is no address, or a header is none.
fn otlp(settings: &OtlpSettings) -> Result<Option<OtlpOptions>> {
    let Some(endpoint) = &settings.endpoint else {
        return Ok(None);
    };
    let refused = |key: &str, why: &str| {
        let text = format!("{}: otlp.{key} {why}", endpoint.origin);
        Error::new(ErrorKind::InvalidInput, text)
    };
    let url = OutboundUrl::parse(&endpoint.value).map_err(|why| refused("endpoint", &why))?;
    if endpoint.value.contains(['?', '#']) {
        let why = "has `?` or `#`: the paths of traces and logs are put behind it";
        return Err(refused("endpoint", why));
    }
    let text = match &settings.headers_file {
        Some(file) => read_small(&file.value, Links::Follow, HEADERS_BYTES_MAX)
            .map_err(|error| Error::io("read", &file.value, error))?,
        None => Vec::new(),
    };
    let mut headers = Vec::new();
    for line in String::from_utf8_lossy(&text).lines() {
        let Some((name, value)) = line.split_once(':') else {
            if line.trim().is_empty() {
                continue;
            }
            let why = "has a line that is no header: write `Name: value`";
            return Err(refused("headers_file", why));
        };
        let (name, value) = (name.trim(), value.trim());
        let unusable = |why: String| {
            refused(
                "headers_file",
                &format!("has a line that is no header: {why}"),
            )
        };
        check_header(name, value).map_err(unusable)?;
        headers.push((name.to_owned(), value.to_owned()));
    }
    if headers.is_empty() && settings.headers_file.is_some() {
        return Err(refused(
            "headers_file",
            "has no header: write one, or take the key out",
        ));
    }
    Ok(Some(OtlpOptions {
        endpoint: url,
        headers,
        roots: settings.ca_file.as_ref().map(|file| file.value.clone()),
    }))
}

/// Applies the rules of retention as a recovery does: at most once a day, whoever comes first.
fn prune_daily(context: &Context) {
    loop {
        prune_by_itself(context);
        if context.host.sleep(LOOK_AT_RULES) == Wait::Interrupted {
            return;
        }
    }
}

/// The log, on stderr.
fn log_to_stderr(context: &Context, format: LogFormat) -> Log {
    let printer = context.printer.clone();
    let sink: LogSink = Arc::new(move |line| {
        let text = match format {
            LogFormat::Text => line.to_text(),
            LogFormat::Json => line.to_json(),
        };
        printer.program_lines(&format!("{text}\n"));
    });
    Log::new(sink, Arc::clone(&context.host))
}

/// Says where it listens and, to a person, how to come in.
fn tell(
    printer: &Printer,
    server: &Server,
    (address, format): (SocketAddr, LogFormat),
    public_url: Option<&str>,
) {
    let own = server.url(address);
    let before = public_url.unwrap_or(&own).trim_end_matches('/');
    let link = io::stderr()
        .is_terminal()
        .then(|| format!("{before}{}", server.login_path()));
    let lines = match format {
        LogFormat::Json => {
            let listening = json!({"event": "listening", "url": own});
            let token = server
                .new_token()
                .map(|token| json!({"event": "token", "token": token}));
            let link = link.map(|link| json!({"event": "login", "url": link}));
            let all = [Some(listening), token, link].into_iter().flatten();
            all.map(|line| format!("{line}\n")).collect::<String>()
        }
        LogFormat::Text => {
            let token = server.new_token();
            let token = token.map(|token| format!("token, which is told this once: {token}\n"));
            let link = link.map(|link| format!("log in within a minute: {link}\n"));
            let (token, link) = (token.unwrap_or_default(), link.unwrap_or_default());
            format!("listening on {own}\n{token}{link}")
        }
    };
    printer.program_lines(&lines);
}
