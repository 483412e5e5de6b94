//! Where the server is: the URL taken apart, and shown without its password.

use std::path::PathBuf;
use std::time::Duration;

use auto_recovery::{Error, ErrorKind, Result};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::tls::{Tls, Trust};

/// What URLs begin with.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// What stands for a password.
const MASK: &str = "***";

/// A database of a server, and how to get there.
pub(super) struct Address {
    /// The URL, its password masked.
    pub shown: String,
    /// As messages name the server.
    pub server: String,
    /// As messages name the database.
    pub database: String,
    /// As messages name the user.
    pub user: String,
    pub config: Config,
    pub tls: Tls,
}

impl Address {
    /// What `url` says.
    pub(super) fn parse(url: &str, connect_timeout: Duration) -> Result<Self> {
        let shown = masked(url)?;
        let (plain, mode, root) = take_tls_parameters(url, &shown)?;
        let mut config: Config = plain.parse().map_err(|error: tokio_postgres::Error| {
            // Its cause names the parameter, never a value.
            refusal(&shown, "cannot be used").with_source(error)
        })?;
        let server = match (config.get_hosts().first(), config.get_hostaddrs().first()) {
            (Some(Host::Tcp(host)), _) => format!("{host}:{}", port(&config)),
            (Some(Host::Unix(path)), _) => path.display().to_string(),
            (None, Some(address)) => format!("{address}:{}", port(&config)),
            (None, None) => {
                return Err(refusal(
                    &shown,
                    "names no host: write `postgres://USER@HOST/DATABASE`",
                ));
            }
        };
        let trust = trust(&shown, &mode, root.is_some())?;
        config.ssl_mode(match mode.as_str() {
            "disable" => SslMode::Disable,
            "prefer" => SslMode::Prefer,
            _ => SslMode::Require,
        });
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(connect_timeout);
        }
        if config.get_application_name().is_none() {
            config.application_name("auto-recovery");
        }
        let user = config
            .get_user()
            .unwrap_or("the user of this process")
            .to_owned();
        Ok(Self {
            database: config.get_dbname().unwrap_or(&user).to_owned(),
            tls: Tls::new(trust, root.as_deref())?,
            shown,
            server,
            user,
            config,
        })
    }
}

fn port(config: &Config) -> u16 {
    config.get_ports().first().copied().unwrap_or(5432)
}

/// `url` with its password masked.
fn masked(url: &str) -> Result<String> {
    let scheme = SCHEMES.into_iter().find(|scheme| url.starts_with(scheme));
    let Some(scheme) = scheme else {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "the URL of a PostgreSQL store begins with `postgres://`",
        ));
    };
    let rest = &url[scheme.len()..];
    let (credentials, rest) = match rest.rsplit_once('@') {
        Some((credentials, rest)) => (Some(credentials), rest),
        None => (None, rest),
    };
    let mut shown = scheme.to_owned();
    if let Some(credentials) = credentials {
        let (user, password) = match credentials.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (credentials, None),
        };
        if credentials.contains(['@', '/', '?', '#']) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "the URL of the PostgreSQL store has one of `@/?#` in its user, password or parameters: \
                 write it percent-encoded, `@` as `%40`",
            ));
        }
        shown.push_str(user);
        if password.is_some() {
            shown.push(':');
            shown.push_str(MASK);
        }
        shown.push('@');
    }
    let Some((place, parameters)) = rest.split_once('?') else {
        shown.push_str(rest);
        return Ok(shown);
    };
    shown.push_str(place);
    for (index, parameter) in parameters.split('&').enumerate() {
        shown.push(if index == 0 { '?' } else { '&' });
        match parameter.split_once('=') {
            Some((key, _)) if key.to_ascii_lowercase().contains("pass") || key.contains('%') => {
                shown.push_str(key);
                shown.push('=');
                shown.push_str(MASK);
            }
            _ => shown.push_str(parameter),
        }
    }
    Ok(shown)
}

/// `url` without the parameters that are ours to honour, the `sslmode` and the file of
/// `sslrootcert`.
fn take_tls_parameters(url: &str, shown: &str) -> Result<(String, String, Option<PathBuf>)> {
    let (place, parameters) = url.split_once('?').unwrap_or((url, ""));
    let mut mode = "prefer".to_owned();
    let mut root = None;
    let mut others = Vec::new();
    for parameter in parameters.split('&').filter(|text| !text.is_empty()) {
        match parameter.split_once('=') {
            Some(("sslmode", value)) => mode = value.to_owned(),
            Some(("sslrootcert", value)) => {
                let path = percent_decoded(value)
                    .ok_or_else(|| refusal(shown, "has a sslrootcert that is no path"))?;
                root = Some(PathBuf::from(path));
            }
            _ => others.push(parameter),
        }
    }
    let plain = match others.is_empty() {
        true => place.to_owned(),
        false => format!("{place}?{}", others.join("&")),
    };
    Ok((plain, mode, root))
}

fn trust(shown: &str, mode: &str, has_root: bool) -> Result<Trust> {
    Ok(match mode {
        "disable" | "prefer" => Trust::Anybody,
        // As libpq: who gives a certificate wants it looked at.
        "require" if has_root => Trust::Chain,
        "require" => Trust::Anybody,
        "verify-ca" => Trust::Chain,
        "verify-full" => Trust::Host,
        _ => {
            return Err(refusal(
                shown,
                "has an unknown sslmode: use disable, prefer, require, verify-ca or verify-full",
            ));
        }
    })
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        let digits = std::str::from_utf8(&digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

fn refusal(shown: &str, why: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, format!("{shown} {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked() {
        for (url, expected) in [
            ("postgres://h/d", "postgres://h/d"),
            ("postgres://u@h/d", "postgres://u@h/d"),
            (
                "postgresql://u:secret@h:1/d?a=b",
                "postgresql://u:***@h:1/d?a=b",
            ),
            (
                "postgres://h/d?password=secret&user=u&%70assword=secret",
                "postgres://h/d?password=***&user=u&%70assword=***",
            ),
        ] {
            assert_eq!(masked(url).unwrap(), expected);
        }
        for url in [
            "postgres://u:sec@ret@h/d",
            "postgres://u:sec/ret@h",
            "mysql://u:secret@h",
        ] {
            let error = masked(url).unwrap_err().chain();
            assert!(!error.contains("sec"), "{error}");
        }
    }

    #[test]
    fn modes_are_taken_out() {
        let url = "postgres://u:p@h/d?sslmode=verify-full&connect_timeout=3&sslrootcert=%2Fa%20b";
        let (plain, mode, root) = take_tls_parameters(url, "").unwrap();
        assert_eq!(plain, "postgres://u:p@h/d?connect_timeout=3");
        assert_eq!(mode, "verify-full");
        assert_eq!(root, Some(PathBuf::from("/a b")));
        let timeout = Duration::from_secs(1);
        for url in [
            "postgres:///d",
            "postgres://h/d?sslmode=maybe",
            "postgres://h/d?nonsense=1",
        ] {
            let error = Address::parse(url, timeout).map(drop).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        }
    }
}
