//! Where the server is, as the URL says.

use std::time::Duration;

use auto_recovery::Result;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::tls::{Tls, Trust};
use super::url::{Url, refusal};

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
        let Url {
            shown,
            mut config,
            mode,
            root,
        } = Url::parse(url)?;
        let server = match (config.get_hosts().first(), config.get_hostaddrs().first()) {
            (Some(Host::Tcp(host)), _) => format!("{host}:{}", port(&config)),
            (Some(Host::Unix(path)), _) => path.display().to_string(),
            (None, Some(address)) => format!("{address}:{}", port(&config)),
            (None, None) => {
                return Err(refusal("names no host"));
            }
        };
        let trust = trust(&mode, root.is_some())?;
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

fn trust(mode: &str, has_root: bool) -> Result<Trust> {
    Ok(match mode {
        "disable" | "prefer" => Trust::Anybody,
        // As libpq: who gives a certificate wants it looked at.
        "require" if has_root => Trust::Chain,
        "require" => Trust::Anybody,
        "verify-ca" => Trust::Chain,
        "verify-full" => Trust::Host,
        _ => return Err(refusal("has an unknown sslmode")),
    })
}

#[cfg(test)]
mod tests {
    use auto_recovery::ErrorKind;

    use super::*;

    #[test]
    fn what_names_no_host_or_mode_is_refused() {
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
