//! Where a server is: `https://HOST[:PORT]/`, or `http://` on this very machine.
//!
//! Nothing else has a place in such a URL: no user, no password, no token.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use auto_recovery::{Error, ErrorKind, Result};

/// How the URL of a server is written.
pub const DEFAULT_URL: &str = "https://HOST";

/// The parameter that names trusted certificates, as in the URL of a store in PostgreSQL.
const ROOT: &str = "sslrootcert";

/// Where a server is, and which certificates prove that it is that server.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    is_secure: bool,
    authority: String,
    root: Option<PathBuf>,
}

impl Address {
    /// The address that `url` is: `https://HOST[:PORT]/`, with the parameter `sslrootcert` for a
    /// file of PEM certificates that are trusted instead of those that browsers trust.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it is none. The error does not repeat it.
    pub fn parse(url: &str) -> Result<Self> {
        let refused = |why: &str| {
            let text = format!("the URL of a server {why}: write it like {DEFAULT_URL}/");
            Error::new(ErrorKind::InvalidInput, text)
        };
        let (is_secure, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(refused("begins with https://")),
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = place.strip_suffix('/').unwrap_or(place);
        if authority.contains('@') {
            return Err(refused("has no user and no token in it"));
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        if authority.is_empty() || !authority.chars().all(is_name) {
            return Err(refused("has a host, perhaps a port, and no path"));
        }
        if !is_secure && !is_loopback(host_of(authority)) {
            return Err(refused("begins with https:// unless it is on this machine"));
        }
        let mut root = None;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match (&*name, value.is_empty(), &root) {
                (ROOT, false, None) => root = Some(PathBuf::from(value.into_owned())),
                _ => return Err(refused("has no parameter but sslrootcert=FILE")),
            }
        }
        Ok(Self {
            is_secure,
            authority: authority.to_ascii_lowercase(),
            root,
        })
    }

    /// The same without its parameters, and without the last `/`.
    pub(crate) fn base(&self) -> String {
        let scheme = if self.is_secure { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }

    /// The same, a relative path to certificates meant from `directory`.
    #[must_use]
    pub fn below(self, directory: &Path) -> Self {
        Self {
            root: self.root.map(|root| directory.join(root)),
            ..self
        }
    }

    /// Its host and port, as they are written.
    pub fn place(&self) -> &str {
        &self.authority
    }

    /// The file of trusted certificates, if it names one.
    pub(crate) fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.base())?;
        match &self.root {
            Some(root) => write!(f, "?{ROOT}={}", root.display()),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `authority` without its port.
fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(host, _)| host),
        None => authority
            .rsplit_once(':')
            .map_or(authority, |(host, _)| host),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for (url, shown) in [
            (
                "https://recover.example.org",
                "https://recover.example.org/",
            ),
            (
                "https://Recover.example.org:4780/",
                "https://recover.example.org:4780/",
            ),
            ("https://10.0.0.7", "https://10.0.0.7/"),
            ("http://127.0.0.1:4780", "http://127.0.0.1:4780/"),
            ("http://localhost/", "http://localhost/"),
            ("http://[::1]:80", "http://[::1]:80/"),
            (
                "https://h/?sslrootcert=/a%20b",
                "https://h/?sslrootcert=/a b",
            ),
        ] {
            assert_eq!(Address::parse(url).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn everything_else_is_refused_and_not_repeated() {
        for url in [
            "ftp://h",
            "https:h",
            "https://",
            "https:///",
            "https://rcv_secret@h",
            "https://user:rcv_secret@h/",
            "https://h/rcv_secret",
            "https://h?token=rcv_secret",
            "https://h/?sslrootcert=",
            "https://h/#rcv_secret",
            "http://h",
            "http://10.0.0.7",
            "http://127.0.0.1.nip.io",
            "http://localhost.example.org",
        ] {
            let error = Address::parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
            assert!(!error.to_string().contains("rcv_secret"), "{error}");
        }
    }
}
