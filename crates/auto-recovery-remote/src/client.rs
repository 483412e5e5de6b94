//! Asking a server, and what its refusals are to callers.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use auto_recovery::files::{Links, read_small};
use auto_recovery::host::{Host, Wait};
use auto_recovery::{Error, ErrorKind, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use rustls::crypto::ring;
use serde::de::DeserializeOwned;
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use crate::address::Address;
use crate::exchange::{Answer, Failure, Question, Sent, ask};
use crate::failure::{PROBLEM, garbled, is_nothing, refusal, strange};
use crate::options::RemoteOptions;

/// The largest answer that is read whole, and the largest file of certificates.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;
const ROOT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What is sent is compressed from this size on.
const COMPRESSED_BYTES_MIN: usize = 1024;

/// A stream that says nothing for longer than this is over: a sign of life comes every 15 seconds.
const SILENCE: Duration = Duration::from_secs(40);

/// How often a server that has no place just now is asked, within the time that an answer may take.
const BUSY_TRIES_MAX: u32 = 4;

/// Connections are not used again after this long: servers close those that are idle for longer.
const IDLE: Duration = Duration::from_secs(2);

/// Connections that are kept for the next question.
const IDLE_MAX: usize = 4;

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

/// How long an answer may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// As long as a recovery waits: there is another way.
    Write,
    /// As long as somebody waits who wants to know it.
    Read,
}

/// A server that is asked.
pub(crate) struct Client {
    agent: Agent,
    /// For what is not asked again: it uses no connection that may be closing.
    once: Agent,
    pub(crate) address: Arc<Address>,
    bearer: String,
    write_timeout: Duration,
    read_timeout: Duration,
    pub(crate) host: Arc<dyn Host>,
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
                .timeout_recv_response(Some(options.read_timeout.max(options.write_timeout)))
                .timeout_per_read(Some(SILENCE))
                .timeout_per_write(Some(SILENCE))
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
            write_timeout: options.write_timeout,
            read_timeout: options.read_timeout,
            address: Arc::new(address),
            host,
        })
    }

    /// The JSON at `path`.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str, limit: Limit) -> Result<Found<T>> {
        match self.ask(&self.question(path, JSON, None), limit)? {
            Found::Nothing => Ok(Found::Nothing),
            Found::This(answer) => self.json(answer).map(Found::This),
        }
    }

    /// Calls `take` with each line at `path`, which says itself where it ends.
    pub(crate) fn lines(
        &self,
        path: &str,
        limit: Limit,
        take: &mut dyn FnMut(&[u8]) -> Result<Line>,
    ) -> Result<()> {
        let mut answer = match self.ask(&self.question(path, NDJSON, None), limit)? {
            Found::This(answer) => answer,
            Found::Nothing => return Err(self.garbled("it has no such list")),
        };
        let mut line = Vec::new();
        while answer
            .next_line(&mut line)
            .map_err(|why| self.failed(why))?
        {
            if take(&line)? == Line::Last {
                // Whoever reads to the end can use the connection again.
                let _rest = answer.next_line(&mut line);
                return Ok(());
            }
        }
        Err(self.garbled("it was cut off"))
    }

    /// The answer to `body` at `path`, which is asked once: JSON.
    pub(crate) fn post<T: DeserializeOwned>(&self, path: &str, body: &str) -> Result<Found<T>> {
        let question = self.question(path, JSON, Some((JSON, body.as_bytes())));
        let (address, host) = (&self.address, &self.host);
        let asked = ask(&self.once, question, address, host, self.read_timeout);
        match self.judge(asked.map_err(|why| self.failed(why))?, JSON)? {
            Found::Nothing => Ok(Found::Nothing),
            Found::This(answer) => self.json(answer).map(Found::This),
        }
    }

    /// The answer to the lines `body` at `path`: a line for each.
    pub(crate) fn post_lines(&self, path: &str, body: &[u8]) -> Result<Vec<u8>> {
        let question = self.question(path, NDJSON, Some((NDJSON, body)));
        match self.ask(&question, Limit::Write)? {
            Found::This(answer) => self.whole(answer),
            Found::Nothing => Err(self.older("it takes no batch")),
        }
    }

    /// The stream at `path`, which goes on until somebody ends it.
    pub(crate) fn stream(&self, path: &str) -> Result<Answer> {
        let question = self.question(path, NDJSON, None);
        let (address, host) = (&self.address, &self.host);
        let asked = ask(&self.agent, question, address, host, self.read_timeout);
        match self.judge(asked.map_err(|why| self.failed(why))?, NDJSON)? {
            Found::This(answer) => Ok(answer.live(SILENCE)),
            Found::Nothing => Err(self.older("it has no stream")),
        }
    }

    fn question(
        &self,
        path: &str,
        accept: &'static str,
        body: Option<(&'static str, &[u8])>,
    ) -> Question {
        Question {
            url: self.address.base() + path,
            bearer: self.bearer.clone(),
            accept,
            body: body.map(|(kind, bytes)| sent(kind, bytes)),
        }
    }

    /// The answer to `question`, which is asked again where the server has no place just now.
    fn ask(&self, question: &Question, limit: Limit) -> Result<Found<Answer>> {
        let limit = match limit {
            Limit::Write => self.write_timeout,
            Limit::Read => self.read_timeout,
        };
        let until = self.host.monotonic() + limit;
        let left = || until.saturating_sub(self.host.monotonic());
        let (address, host) = (&self.address, &self.host);
        let mut number = 0;
        loop {
            number += 1;
            let answer = match ask(&self.agent, question.clone(), address, host, left()) {
                // The server closed it just when it was used again.
                Err(why) if number == 1 && why.is_closed() => continue,
                asked => asked.map_err(|why| self.failed(why))?,
            };
            let wait = Duration::from_secs(answer.head.retry_after.unwrap_or(1));
            let is_busy = answer.head.status == 429 && number < BUSY_TRIES_MAX && wait < left();
            if !is_busy || self.host.sleep(wait) == Wait::Interrupted {
                return self.judge(answer, question.accept);
            }
        }
    }

    /// `answer`, if it is one of the kind `accept`.
    fn judge(&self, answer: Answer, accept: &str) -> Result<Found<Answer>> {
        match (answer.head.status, &*answer.head.kind) {
            (200, kind) if kind == accept => return Ok(Found::This(answer)),
            (_, PROBLEM) => {}
            _ => return Err(strange(&self.address, &answer.head)),
        }
        let head = answer.head.clone();
        let text = self.whole(answer)?;
        match is_nothing(&head, &text) {
            true => Ok(Found::Nothing),
            false => Err(refusal(&self.address, &head, &text)),
        }
    }

    fn whole(&self, answer: Answer) -> Result<Vec<u8>> {
        let whole = answer.whole(ANSWER_BYTES_MAX);
        whole.map_err(|why| self.failed(why))
    }

    fn json<T: DeserializeOwned>(&self, answer: Answer) -> Result<T> {
        let text = self.whole(answer)?;
        serde_json::from_slice(&text)
            .map_err(|error| self.garbled("it is no answer").with_source(error))
    }

    /// That the server answers what it does not mean.
    pub(crate) fn garbled(&self, what: &str) -> Error {
        garbled(&self.address, what)
    }

    /// That the server lacks what this release needs.
    fn older(&self, what: &str) -> Error {
        let text = format!(
            "{} cannot be used: {what}; its `recover serve` is older than this release",
            self.address
        );
        Error::new(ErrorKind::InvalidInput, text)
    }

    fn failed(&self, why: Failure) -> Error {
        why.of(&self.address)
    }
}

/// `bytes` as they are sent: compressed where that makes them less.
fn sent(kind: &'static str, bytes: &[u8]) -> Sent {
    let whole = |bytes: &[u8], is_gzip| Sent {
        kind,
        bytes: bytes.into(),
        is_gzip,
    };
    if bytes.len() < COMPRESSED_BYTES_MIN {
        return whole(bytes, false);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    match encoder.write_all(bytes).and_then(|()| encoder.finish()) {
        Ok(less) if less.len() < bytes.len() => whole(&less, true),
        _ => whole(bytes, false),
    }
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
