//! `recover serve`: the record over HTTP.

use std::io::{self, IsTerminal as _};
use std::mem::ManuallyDrop;
use std::net::SocketAddr;
use std::sync::Arc;

use auto_recovery::audit::AuditStore;
use auto_recovery::audit::encrypting::{OpenedStore, Opener, Unopened};
use auto_recovery::files::{Links, read_small};
use auto_recovery::interrupt::Interrupt;
use auto_recovery::process::Signals;
use auto_recovery::report::Kept;
use auto_recovery::run::Place;
use auto_recovery::{Error, ErrorKind, Result};
use auto_recovery_server::{Leftovers, OtlpOptions, OutboundUrl, Server, ServerOptions};

use crate::args::ServeArgs;
use crate::commands::kept::KeptOnDisk;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::Printer;
use crate::settings::OtlpSettings;

/// The longest file with headers.
const HEADERS_BYTES_MAX: u64 = 16 * 1024;

/// What sessions left in our own state.
struct OnDisk(Place, Arc<Opener>);

impl Leftovers for OnDisk {
    fn of(&self, session_id: &str, take: &mut dyn FnMut(&dyn Kept) -> Result<()>) -> Result<()> {
        take(&KeptOnDisk::of((&self.0, &self.1), session_id)?)
    }
}

/// Serves until it is told to end.
///
/// # Errors
/// If it cannot listen, or another serves the same store.
pub(crate) fn serve(context: Context, args: ServeArgs) -> Result<Exit> {
    let ServeArgs {
        listen,
        token_file,
        public_url,
        behind_proxy,
    } = args;
    if !listen.ip().is_loopback() && !behind_proxy {
        let text = format!(
            "{listen} is reached by others and this server has no TLS: put a proxy that has before \
             it and say --behind-proxy, or listen on 127.0.0.1"
        );
        return Err(Error::new(ErrorKind::InvalidInput, text));
    }
    let interrupt = Arc::new(Interrupt::new()?);
    let context = &context.interrupted_by(Arc::clone(&interrupt));
    let _to_the_end = ManuallyDrop::new(Signals::install(interrupt)?);
    let options = ServerOptions {
        state_dir: context.settings.state_dir.value.clone(),
        token_file,
        alerting: context.alerting(public_url.as_deref())?,
        public_url: public_url.clone(),
        otlp: otlp(&context.settings.otlp)?,
    };
    // What is encrypted stays closed: the server keeps what it reads in rows of its own.
    let closed = Unopened::Words(context.settings.encryption.words());
    let opener = Arc::new(Opener::none().showing(closed));
    let store: Arc<dyn AuditStore> =
        Arc::new(OpenedStore::new(context.store()?, Arc::clone(&opener)));
    let leftovers = OnDisk(context.place_of(Ok(Arc::clone(&store)))?, opener);
    let host = Arc::clone(&context.host);
    let server = Server::open(store, Arc::new(leftovers), host, &options)?;
    server.run(listen, |server, address| {
        tell(&context.printer, server, address, public_url.as_deref());
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
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    Ok(Some(OtlpOptions {
        endpoint: url,
        headers,
        roots: settings.ca_file.as_ref().map(|file| file.value.clone()),
    }))
}

/// Says where it listens and, to a person, how to come in.
fn tell(printer: &Printer, server: &Server, address: SocketAddr, public_url: Option<&str>) {
    let own = format!("http://{address}");
    printer.program_lines(&format!("listening on {own}\n"));
    if let Some(token) = server.new_token() {
        printer.program_lines(&format!("token, which is told this once: {token}\n"));
    }
    if io::stderr().is_terminal() {
        let before = public_url.unwrap_or(&own).trim_end_matches('/');
        let path = server.login_path();
        printer.program_lines(&format!("log in within a minute: {before}{path}\n"));
    }
}
