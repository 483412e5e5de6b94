//! The one way out: HTTP requests to receivers that the user named.
//!
//! A request goes where its URL says and nowhere else: no redirect is followed, no proxy of the
//! environment is asked. It takes [`TIMEOUT`] in all. A URL may be a secret, as those of chat rooms
//! are, so it is never shown whole.

use std::fmt;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use auto_recovery::files::{Links, read_small};
use auto_recovery::{Error, ErrorKind, Result};
use rustls::crypto::ring;
use ureq::config::Config;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Response, Uri, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::{Agent, Body};

/// The time that a request takes in all, from the look for the address to the last byte.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The part of an answer that is read, in bytes: what is wrong is said at its beginning.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Bytes of the headers of an answer.
const HEADER_BYTES_MAX: usize = 64 * 1024;

/// The longest file of certificates: all that browsers trust have a fifth of it.
pub(crate) const ROOTS_BYTES_MAX: u64 = 1024 * 1024;

/// The longest time that a receiver may ask us to wait for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The address of a receiver. Only its scheme and its host are ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct OutboundUrl(String);

impl OutboundUrl {
    /// The address `text`.
    ///
    /// # Errors
    /// What is wrong with it, without repeating it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let uri: Uri = text
            .parse()
            .map_err(|_| "is no URL: write it like https://example.org/path".to_owned())?;
        let has_host = uri.host().is_some_and(|host| !host.is_empty());
        match uri.scheme_str() {
            Some("http" | "https") if has_host => Ok(Self(text.to_owned())),
            _ => Err("must begin with https:// or http:// and name a host".to_owned()),
        }
    }

    /// The whole address, which may be a secret.
    pub(crate) fn whole(&self) -> &str {
        &self.0
    }
}

/// Scheme, host and port; the rest may be a secret.
impl fmt::Display for OutboundUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or_default();
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let host = authority.rsplit('@').next().unwrap_or_default();
        let more = if matches!(path, "" | "/") { "" } else { "/…" };
        write!(f, "{scheme}://{host}{more}")
    }
}

impl fmt::Debug for OutboundUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OutboundUrl({self})")
    }
}

/// Makes sure that `name` and `value` can be a header of a request that is sent to a receiver.
///
/// # Errors
/// What is wrong with it, without its value, which may be secret.
pub fn check_header(name: &str, value: &str) -> Result<(), String> {
    /// What the request itself says.
    const OURS: [&str; 5] = [
        "connection",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
    ];

    let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else {
        return Err(format!(
            "{name:?} is no name of a header: write `Name: value`"
        ));
    };
    if OURS.contains(&parsed.as_str()) {
        return Err(format!(
            "{parsed} is what every request has: take that line out"
        ));
    }
    match value.is_empty() || HeaderValue::from_str(value).is_err() {
        true => Err(format!("{parsed} has no value that a header can have")),
        false => Ok(()),
    }
}

/// What a receiver answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// How long it asks us to wait before we come again.
    pub(crate) retry_after: Option<Duration>,
    /// The beginning of its answer.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Whether it took what it was sent.
    pub(crate) fn is_taken(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Sends requests.
pub(crate) struct Outbound {
    agent: Agent,
}

impl Outbound {
    /// Trusts the certificates in the PEM file `roots` or, without it, those that browsers trust.
    ///
    /// # Errors
    /// If the file cannot be read or has none.
    pub(crate) fn new(roots: Option<&Path>) -> Result<Self> {
        let roots = match roots {
            Some(path) => RootCerts::from(certificates(path)?),
            None => RootCerts::WebPki,
        };
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(roots)
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .build();
        let config = Config::builder()
            .tls_config(tls)
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .proxy(None)
            // A connection that was kept may be closed at the other end: a new one costs less than
            // a try that fails.
            .max_idle_connections(0)
            .max_response_header_size(HEADER_BYTES_MAX)
            .user_agent(concat!("recover/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            agent: config.new_agent(),
        })
    }

    /// Sends `body` to `url`, with `headers`. `now` is the time of day.
    ///
    /// # Errors
    /// If there is no answer. An answer that refuses is none.
    pub(crate) fn post(
        &self,
        url: &OutboundUrl,
        headers: &[(&str, &str)],
        body: &[u8],
        now: SystemTime,
    ) -> Result<Answer> {
        let mut request = self.agent.post(url.whole());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(url, request.send(body), now)
    }

    /// Asks for `url`. `now` is the time of day.
    ///
    /// # Errors
    /// As [`Outbound::post`].
    pub(crate) fn get(&self, url: &OutboundUrl, now: SystemTime) -> Result<Answer> {
        answer(url, self.agent.get(url.whole()).call(), now)
    }
}

fn answer(
    url: &OutboundUrl,
    sent: Result<Response<Body>, ureq::Error>,
    now: SystemTime,
) -> Result<Answer> {
    let response = sent.map_err(|error| failed(url, &error))?;
    let (parts, body) = response.into_parts();
    let mut bytes = Vec::new();
    // The status is the answer; what was to follow it decides nothing.
    let _or_less = body
        .into_reader()
        .take(ANSWER_BYTES_MAX)
        .read_to_end(&mut bytes);
    Ok(Answer {
        status: parts.status.as_u16(),
        retry_after: retry_after(&parts.headers, now),
        body: bytes,
    })
}

/// The wait that `headers` ask for, in seconds or until a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(text).ok()?;
            let at = SystemTime::from(at.timestamp());
            at.duration_since(now).unwrap_or_default()
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// The error of a request to `url`, in words that do not repeat the address.
fn failed(url: &OutboundUrl, error: &ureq::Error) -> Error {
    let (kind, why) = match error {
        ureq::Error::Timeout(_) => (ErrorKind::TimedOut, "no answer in 15 s".to_owned()),
        ureq::Error::Io(error) => (ErrorKind::Unreachable, error.to_string()),
        ureq::Error::HostNotFound => (ErrorKind::Unreachable, "no such host".to_owned()),
        ureq::Error::Rustls(error) => (ErrorKind::Unreachable, error.to_string()),
        ureq::Error::Tls(why) => (ErrorKind::Unreachable, (*why).to_owned()),
        ureq::Error::Protocol(_) => (ErrorKind::Unreachable, "it speaks no HTTP".to_owned()),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            (ErrorKind::InvalidInput, "cannot be asked for".to_owned())
        }
        _ => (ErrorKind::Unreachable, "the connection failed".to_owned()),
    };
    Error::new(kind, format!("{url}: {why}"))
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>> {
    let unusable = |why: &str| {
        let text = format!("{} {why}: give a file of PEM certificates", path.display());
        Error::new(ErrorKind::InvalidInput, text)
    };
    let text = read_small(path, Links::Follow, ROOTS_BYTES_MAX);
    let text = text.map_err(|error| Error::io("read", path, error))?;
    let mut found = Vec::new();
    for item in parse_pem(&text) {
        if let PemItem::Certificate(one) = item.map_err(|_| unusable("is damaged"))? {
            found.push(one);
        }
    }
    match found.is_empty() {
        true => Err(unusable("has no certificate")),
        false => Ok(found),
    }
}

#[cfg(test)]
mod tests;
