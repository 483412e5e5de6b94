//! Asking a server, and what its refusals are to callers.

use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use auto_recovery::files::{Links, read_small};
use auto_recovery::host::{Host, Wait};
use auto_recovery::{Error, ErrorKind, Result};
use rustls::crypto::ring;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::http::Response;
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::{Agent, Body};

use crate::address::Address;
use crate::options::RemoteOptions;

/// The largest answer that is read whole, and the largest file of certificates.
const ANSWER_BYTES_MAX: u64 = 256 * 1024 * 1024;
const ROOT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A stream that says nothing for longer than this is over: a sign of life comes every 15 seconds.
const SILENCE: Duration = Duration::from_secs(40);

/// How often a server that has no place just now is asked again, and the longest wait that it can
/// ask for.
const BUSY_TRIES_MAX: u32 = 4;
const BUSY_WAIT_MAX: Duration = Duration::from_secs(5);

/// Connections are not used again after this long: servers close those that are idle for longer.
const IDLE: Duration = Duration::from_secs(2);

/// Connections that are kept for the next question.
const IDLE_MAX: usize = 4;

const NDJSON: &str = "application/x-ndjson";

/// A server that is asked.
pub(crate) struct Client {
    agent: Agent,
    /// For what is not asked again: it uses no connection that may be closing.
    once: Agent,
    pub(crate) address: Address,
    bearer: String,
    pub(crate) host: Arc<dyn Host>,
}

/// A problem as the server tells it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    #[serde(rename = "type")]
    kind: String,
    detail: String,
}

/// An answer: there is something, or nothing of that name.
pub(crate) enum Found<T> {
    This(T),
    Nothing,
}

impl Client {
    pub(crate) fn new(
        address: Address,
        options: &RemoteOptions,
        host: Arc<dyn Host>,
    ) -> Result<Self> {
        let token = options.token.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let text = format!(
                "no token for {address}: set RECOVER_TOKEN to one that `recover serve token add` \
                 made there, or name a file with it as `token_file`"
            );
            return Err(Error::new(ErrorKind::InvalidInput, text));
        }
        let root = address.root().or(options.root.as_deref());
        let roots = match root {
            Some(path) => certificates(path)?,
            None => RootCerts::WebPki,
        };
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(roots)
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .build();
        let agent = |idle: usize| {
            Agent::config_builder()
                .tls_config(tls.clone())
                .proxy(None)
                .max_redirects(0)
                .http_status_as_error(false)
                .user_agent(concat!("recover/", env!("CARGO_PKG_VERSION")))
                .timeout_connect(Some(options.connect_timeout))
                .timeout_recv_response(Some(options.answer_timeout))
                .timeout_send_body(Some(options.answer_timeout))
                .max_idle_age(IDLE)
                .max_idle_connections(idle)
                .max_idle_connections_per_host(idle)
                .build()
                .new_agent()
        };
        Ok(Self {
            agent: agent(IDLE_MAX),
            once: agent(0),
            bearer: format!("Bearer {token}"),
            address,
            host,
        })
    }

    /// The JSON at `path`.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Found<T>> {
        match self.ask(&|| self.request(path, "application/json", None))? {
            Found::Nothing => Ok(Found::Nothing),
            Found::This(response) => self.json(response).map(Found::This),
        }
    }

    /// Calls `take` with each line at `path`, which says itself where it ends.
    pub(crate) fn lines(
        &self,
        path: &str,
        take: &mut dyn FnMut(&[u8]) -> Result<Line>,
    ) -> Result<()> {
        let response = match self.ask(&|| self.request(path, NDJSON, None))? {
            Found::This(response) => response,
            Found::Nothing => return Err(self.wrong("it has no such list")),
        };
        let mut reader = BufReader::new(response.into_body().into_reader());
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line);
            let read = read.map_err(|error| self.lost("read its answer", error))?;
            if read == 0 {
                let text = format!("the answer of {} was cut off", self.address);
                return Err(Error::new(ErrorKind::Unreachable, text));
            }
            if take(&line)? == Line::Last {
                // Whoever reads to the end can use the connection again.
                let _rest = std::io::copy(&mut reader.take(1), &mut std::io::sink());
                return Ok(());
            }
        }
    }

    /// The answer to `body` at `path`, which is asked once: JSON.
    pub(crate) fn post<T: DeserializeOwned>(&self, path: &str, body: &str) -> Result<Found<T>> {
        let asked = self
            .once
            .post(self.url(path))
            .header("Authorization", &self.bearer)
            .header("Content-Type", "application/json")
            .send(body.as_bytes());
        match self.judge(asked.map_err(|error| self.failed(error))?)? {
            Found::Nothing => Ok(Found::Nothing),
            Found::This(response) => self.json(response).map(Found::This),
        }
    }

    /// The answer to the lines `body` at `path`: a line for each.
    pub(crate) fn post_lines(&self, path: &str, body: &[u8]) -> Result<Vec<u8>> {
        match self.ask(&|| self.request(path, NDJSON, Some((NDJSON, body))))? {
            Found::This(response) => self.whole(response),
            Found::Nothing => Err(self.wrong("it takes no batch: it is older than this release")),
        }
    }

    /// The stream at `path`, which goes on until somebody ends it.
    pub(crate) fn stream(&self, path: &str) -> Result<impl BufRead + Send + use<>> {
        let asked = self
            .agent
            .get(self.url(path))
            .header("Authorization", &self.bearer)
            .header("Accept", NDJSON)
            .config()
            .timeout_per_read(Some(SILENCE))
            .build()
            .call();
        let response = asked.map_err(|error| self.failed(error))?;
        match self.judge(response)? {
            Found::This(response) => Ok(BufReader::new(response.into_body().into_reader())),
            Found::Nothing => Err(self.wrong("it has no stream")),
        }
    }

    fn url(&self, path: &str) -> String {
        self.address.base() + path
    }

    fn request(
        &self,
        path: &str,
        accept: &str,
        body: Option<(&str, &[u8])>,
    ) -> Result<Response<Body>, ureq::Error> {
        match body {
            None => self
                .agent
                .get(self.url(path))
                .header("Authorization", &self.bearer)
                .header("Accept", accept)
                .call(),
            Some((kind, body)) => self
                .agent
                .post(self.url(path))
                .header("Authorization", &self.bearer)
                .header("Accept", accept)
                .header("Content-Type", kind)
                .send(body),
        }
    }

    /// The answer to `request`, which is made again where the server has no place just now.
    fn ask(
        &self,
        request: &dyn Fn() -> Result<Response<Body>, ureq::Error>,
    ) -> Result<Found<Response<Body>>> {
        for number in 1..BUSY_TRIES_MAX {
            let response = match request() {
                // The server closed it just when it was used again.
                Err(ureq::Error::Io(error)) if number == 1 && is_closed(&error) => continue,
                asked => asked.map_err(|error| self.failed(error))?,
            };
            if response.status().as_u16() != 429 {
                return self.judge(response);
            }
            let header = response.headers().get("retry-after");
            let seconds = header.and_then(|value| value.to_str().ok()?.parse().ok());
            let wait = Duration::from_secs(seconds.unwrap_or(1)).min(BUSY_WAIT_MAX);
            if self.host.sleep(wait) == Wait::Interrupted {
                break;
            }
        }
        self.judge(request().map_err(|error| self.failed(error))?)
    }

    /// `response`, if it is an answer.
    fn judge(&self, response: Response<Body>) -> Result<Found<Response<Body>>> {
        let status = response.status().as_u16();
        if status == 200 {
            return Ok(Found::This(response));
        }
        let problem = self.whole(response).unwrap_or_default();
        let problem: Problem = serde_json::from_slice(&problem).unwrap_or_default();
        let kind = match status {
            404 if problem.kind == "/errors/not_found" => return Ok(Found::Nothing),
            400 | 404 | 405 | 413 | 421 | 422 => ErrorKind::InvalidInput,
            401 | 403 | 409 => ErrorKind::Refused,
            408 | 429 | 502 | 503 | 504 => ErrorKind::Unreachable,
            507 => ErrorKind::NoSpace,
            _ => ErrorKind::Io,
        };
        let says = match (status, &*problem.detail) {
            (300..=399, _) => "it sends elsewhere: use the address it sends to".to_owned(),
            (401, _) => "it does not know the token".to_owned(),
            (421, _) => "it is not called that: start it with --public-url".to_owned(),
            (_, "") => format!("it answers {status}"),
            (_, detail) => detail.to_owned(),
        };
        let text = format!("{} refuses: {says}", self.address);
        Err(Error::new(kind, text))
    }

    fn whole(&self, response: Response<Body>) -> Result<Vec<u8>> {
        let body = response.into_body().into_with_config();
        body.limit(ANSWER_BYTES_MAX)
            .read_to_vec()
            .map_err(|error| self.failed(error))
    }

    fn json<T: DeserializeOwned>(&self, response: Response<Body>) -> Result<T> {
        let text = self.whole(response)?;
        serde_json::from_slice(&text).map_err(|error| {
            self.wrong("it is no server of this release")
                .with_source(error)
        })
    }

    /// That the server answers what it does not mean.
    pub(crate) fn wrong(&self, why: &str) -> Error {
        let text = format!("the answer of {} cannot be used: {why}", self.address);
        Error::new(ErrorKind::InvalidInput, text)
    }

    pub(crate) fn lost(&self, doing: &str, error: std::io::Error) -> Error {
        let text = format!("{} was lost: {doing}", self.address);
        Error::new(ErrorKind::Unreachable, text).with_source(error)
    }

    fn failed(&self, error: ureq::Error) -> Error {
        let kind = match &error {
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::Pem(_) => {
                ErrorKind::Refused
            }
            // A certificate that is not trusted comes as such.
            ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                ErrorKind::Refused
            }
            ureq::Error::Http(_) | ureq::Error::BadUri(_) => ErrorKind::InvalidInput,
            _ => ErrorKind::Unreachable,
        };
        let text = match kind {
            ErrorKind::Refused => format!(
                "{} cannot prove what it is: name its certificates by sslrootcert=FILE in the URL, \
                 or SSL_CERT_FILE",
                self.address
            ),
            _ => format!("cannot reach {}", self.address),
        };
        Error::new(kind, text).with_source(error)
    }
}

/// Whether a connection that was made ended.
fn is_closed(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
    )
}

/// Whether a line is the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    More,
    Last,
}

/// The certificates in the file at `path`.
fn certificates(path: &Path) -> Result<RootCerts> {
    let refused = |why: &str| {
        let text = format!(
            "{} {why}: name a file of PEM certificates as sslrootcert or SSL_CERT_FILE",
            path.display()
        );
        Error::new(ErrorKind::InvalidInput, text)
    };
    let text = read_small(path, Links::Follow, ROOT_BYTES_MAX)
        .map_err(|error| refused("cannot be read").with_source(error))?;
    let mut found = Vec::new();
    for item in parse_pem(&text) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(refused("is no PEM").with_source(error)),
        }
    }
    match found.is_empty() {
        true => Err(refused("has no certificate")),
        false => Ok(RootCerts::new_with_certs(&found)),
    }
}

/// `text` as a piece of an address.
pub(crate) fn encoded(text: &str) -> String {
    let pieces = form_urlencoded::byte_serialize(text.as_bytes());
    let text: String = pieces.collect();
    // A piece of dots would lead elsewhere.
    text.replace('+', "%20").replace('.', "%2E")
}
