//! The URL of a database: its settings, and the form in which it is shown.
//!
//! Only parts known to be no secret are shown. A URL that cannot be understood is not repeated at
//! all: a password may be anywhere in it.

use std::path::PathBuf;

use auto_recovery::{Error, ErrorKind, Result};
use tokio_postgres::Config;

/// Prefixes of the URLs.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// The replacement for a password.
const MASK: &str = "***";

/// Degrees of encryption and of proof of the server's identity, as libpq names them.
const MODES: [&str; 5] = ["disable", "prefer", "require", "verify-ca", "verify-full"];

/// The parameters that are honoured, but for those that name the user and the server.
const PARAMETERS: [&str; 15] = [
    "application_name",
    "channel_binding",
    "connect_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "load_balance_hosts",
    "options",
    "password",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "target_session_attrs",
    "tcp_user_timeout",
];

/// Parameters of libpq that are not honoured; an error may name them.
const NOT_HERE: [&str; 13] = [
    "client_encoding",
    "fallback_application_name",
    "gssencmode",
    "krbsrvname",
    "passfile",
    "replication",
    "requirepeer",
    "service",
    "sslcert",
    "sslcrl",
    "sslkey",
    "sslpassword",
    "sslsni",
];

/// A parsed URL.
pub(super) struct Url {
    /// The URL as people are shown it.
    pub shown: String,
    /// Its settings but for the parameters that are ours to honour.
    pub config: Config,
    /// The `sslmode`.
    pub mode: String,
    /// The file of `sslrootcert`.
    pub root: Option<PathBuf>,
}

/// `url` as people are shown it: without its password.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if it is no URL of a database. Its text is not repeated.
pub fn shown(url: &str) -> Result<String> {
    Url::parse(url).map(|url| url.shown)
}

impl Url {
    /// Parses `url`.
    pub(super) fn parse(url: &str) -> Result<Self> {
        if url.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
            return Err(refusal("has white space in it: write that percent-encoded"));
        }
        let scheme = SCHEMES.into_iter().find(|scheme| url.starts_with(scheme));
        let Some(scheme) = scheme else {
            return Err(refusal("does not begin with `postgres://`"));
        };
        let rest = &url[scheme.len()..];
        let (credentials, rest) = match rest.rsplit_once('@') {
            Some((credentials, rest)) => (Some(credentials), rest),
            None => (None, rest),
        };
        let mut shown = scheme.to_owned();
        if let Some(credentials) = credentials {
            shown.push_str(&shown_credentials(credentials)?);
        }
        if rest.contains('#') {
            return Err(unencoded());
        }
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, database) = place.split_once('/').unwrap_or((place, ""));
        if place.is_empty() {
            return Err(refusal("names no host"));
        }
        check_host(host)?;
        check_name("database", database)?;
        shown.push_str(place);
        let mut plain = url[..url.len() - rest.len() + place.len()].to_owned();
        let mut read = Self {
            shown,
            config: Config::new(),
            mode: "prefer".to_owned(),
            root: None,
        };
        let mut others = Vec::new();
        for (index, parameter) in parameters.split('&').enumerate() {
            if parameter.is_empty() {
                continue;
            }
            read.shown.push(if index == 0 { '?' } else { '&' });
            let is_ours = read.parameter(parameter)?;
            if !is_ours {
                others.push(parameter);
            }
        }
        if !others.is_empty() {
            plain = format!("{plain}?{}", others.join("&"));
        }
        read.config = plain.parse().map_err(|error: tokio_postgres::Error| {
            // The cause names a known parameter, never a value.
            refusal("cannot be used").with_source(error)
        })?;
        Ok(read)
    }

    /// Takes in `parameter`. Returns whether it is ours to honour.
    fn parameter(&mut self, parameter: &str) -> Result<bool> {
        let unknown =
            || refusal("has a parameter that there is not: write it like `?sslmode=require`");
        let (written, value) = parameter.split_once('=').ok_or_else(unknown)?;
        let key = percent_decoded(written).ok_or_else(unknown)?;
        let decoded = percent_decoded(value).unwrap_or_default();
        match key.as_str() {
            "user" => check_name("user", value)?,
            "dbname" => check_name("database", value)?,
            "host" => check_host(value)?,
            "hostaddr" | "port" => check_numbers(value)?,
            "sslmode" if MODES.contains(&decoded.as_str()) => self.mode.clone_from(&decoded),
            "sslmode" => {
                return Err(refusal(&format!(
                    "has an unknown sslmode: use {}",
                    MODES.join(", ")
                )));
            }
            "sslrootcert" => {
                // Like the rest of a URL with `;` between its parameters.
                if decoded.is_empty() || decoded.contains([';', '=', '@', '&']) {
                    return Err(refusal("has a sslrootcert that is no path"));
                }
                self.root = Some(PathBuf::from(&decoded));
            }
            known if PARAMETERS.contains(&known) => {}
            other => {
                let known = NOT_HERE.into_iter().find(|known| *known == other);
                return Err(known.map_or_else(unknown, |known| {
                    refusal(&format!(
                        "has the parameter {known}, which is not honoured here"
                    ))
                }));
            }
        }
        let is_secret = ["password", "options"].contains(&key.as_str()) || !is_plain(value);
        self.shown.push_str(written);
        self.shown.push('=');
        self.shown.push_str(if is_secret { MASK } else { value });
        Ok(["sslmode", "sslrootcert"].contains(&key.as_str()))
    }
}

/// The user and the password before the host, the latter masked.
fn shown_credentials(credentials: &str) -> Result<String> {
    if credentials.contains(['@', '/', '?', '#']) {
        return Err(unencoded());
    }
    let (user, password) = match credentials.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (credentials, None),
    };
    check_name("user", user)?;
    Ok(match password {
        Some(_) => format!("{user}:{MASK}@"),
        None => format!("{user}@"),
    })
}

/// Refuses text that is no list of hosts, as where something is put there that belongs elsewhere.
fn check_host(hosts: &str) -> Result<()> {
    let decoded = percent_decoded(hosts).unwrap_or_else(|| " ".to_owned());
    let is_of_host = |letter: char| letter.is_alphanumeric() || "-._:,[]/".contains(letter);
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let has_ports = decoded.split(',').all(|host| {
        let is_path = host.starts_with('/');
        let after = host.rsplit_once(']').map_or(host, |(_, after)| after);
        is_path || after.split_once(':').is_none_or(|(_, port)| is_port(port))
    });
    match decoded.chars().all(is_of_host) && has_ports {
        true => Ok(()),
        false => Err(refusal("has no host and port where they stand")),
    }
}

/// Refuses text that is no list of addresses or ports.
fn check_numbers(list: &str) -> Result<()> {
    let decoded = percent_decoded(list).unwrap_or_else(|| " ".to_owned());
    let is_of_number = |letter: char| letter.is_ascii_hexdigit() || ".:,".contains(letter);
    match decoded.chars().all(is_of_number) {
        true => Ok(()),
        false => Err(refusal("has an address or a port that there cannot be")),
    }
}

/// Refuses a name that has something else in it, as where the `:` before a password is encoded: the
/// server would repeat it.
fn check_name(what: &str, name: &str) -> Result<()> {
    match percent_decoded(name) {
        Some(name) if !name.contains([':', '@', '=', ';']) => Ok(()),
        _ => Err(refusal(&format!(
            "has one of `:@=;` in the name of its {what}"
        ))),
    }
}

/// Whether `value` is one value, and does not contain what should have been another parameter.
fn is_plain(value: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/,%".contains(&byte);
    value.bytes().all(is_plain) && percent_decoded(value).is_some_and(|text| !text.contains('='))
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

fn unencoded() -> Error {
    refusal(
        "has one of `@/?#` in its user, password or parameters: write it percent-encoded, `@` as `%40`",
    )
}

/// The error that refuses a URL because of `why`, which repeats nothing of it.
pub(super) fn refusal(why: &str) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        format!("the URL of the PostgreSQL store {why}; it is like postgres://USER@HOST/DATABASE"),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn passwords_are_masked() {
        for (url, expected) in [
            ("postgres://h/d", "postgres://h/d"),
            ("postgres://u@h/d", "postgres://u@h/d"),
            ("postgres://u:se:cret@h", "postgres://u:***@h"),
            (
                "postgresql://u:secret@h:1/d?sslmode=disable",
                "postgresql://u:***@h:1/d?sslmode=disable",
            ),
            (
                "postgres://u:secret@[::1]:5432/d",
                "postgres://u:***@[::1]:5432/d",
            ),
            (
                "postgres://u:secret@%2Frun%2Fpg/d",
                "postgres://u:***@%2Frun%2Fpg/d",
            ),
            ("postgres://h1:1,h2:2/d", "postgres://h1:1,h2:2/d"),
            (
                "postgres://h/d?password=secret&user=u&%70assword=secret",
                "postgres://h/d?password=***&user=u&%70assword=***",
            ),
            (
                "postgres://h/d?options=-csecret&application_name=a;password=secret",
                "postgres://h/d?options=***&application_name=***",
            ),
        ] {
            assert_eq!(shown(url).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_not_understood_is_not_repeated() {
        for url in [
            "postgres://u:secret",
            "postgres://u:secret/d",
            "postgres://u:secret#h/d",
            "postgres://u:sec@ret@h/d",
            "postgres://u:sec/ret@h",
            "postgres://u%3Asecret@h/d",
            "postgres://u:secret%40h/d",
            "postgres://u:sec ret@h/d",
            " postgres://u:secret@h/d",
            "POSTGRES://u:secret@h/d",
            "postgres:u:secret@h/d",
            "postgres:/u:secret@h/d",
            "postgresql//u:secret@h/d",
            "host=h user=u password=secret",
            "mysql://u:secret@h",
            "postgres://h/d?user=u&secret",
            "postgres://h/d?user=u&secret=1",
            "postgres://h/d?sslpassword=secret",
            "postgres://h/d?sslmode=secret",
            "postgres://h/d?port=secret",
            "postgres://h/d?host=u:secret@h",
            "postgres://h/d?dbname=postgres://u:secret@h/d",
            "postgres://h/d?user=u:secret",
            "postgres://h/d?sslrootcert=/a;password=secret",
        ] {
            let error = match super::super::address::Address::parse(url, std::time::Duration::ZERO)
            {
                Ok(address) => panic!("{}", address.shown),
                Err(error) => error,
            };
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            let said = format!("{} {error:?}", error.chain()).to_lowercase();
            assert!(
                !said.contains("sec") && !said.contains("ret"),
                "{url}: {said}"
            );
        }
    }

    /// A URL, well-formed or not, and the password in it.
    fn mistaken() -> impl Strategy<Value = (String, String)> {
        let schemes = prop::sample::select(vec![
            "postgres://",
            "postgresql://",
            "postgres:",
            "postgres:/",
            "postgres//",
            "POSTGRES://",
            "Postgresql://",
            " postgres://",
            "postgres:// ",
            "postgre://",
            "jdbc:postgresql://",
            "",
            "'postgres://",
        ]);
        let joins = prop::sample::select(vec![
            "@", "%40", "/", "#", "@@", ":", " @ ", "@/", "?", "&", ";", "@[",
        ]);
        let keys = prop::sample::select(vec![
            "password=",
            "pass%77ord=",
            "PASSWORD=",
            "sslpassword=",
            "passwd=",
            "passfile=",
            "options=-c%20password%3D",
            "application_name=x;password=",
            "sslmode=",
            "host=u:",
            "sslrootcert=/a;password=",
            "user=u:",
            "user=u%3A",
            "dbname=postgres://u:",
            "",
            "pass word=",
            "port=",
        ]);
        let before = prop::sample::select(vec![
            "u:",
            "u%3A",
            ":",
            "u::",
            "u@",
            "host=h password=",
            "u;",
        ]);
        let passwords = "[a-z]{3}Q[0-9]{3}[@/?#:%& =;+]{0,2}Z[a-z]{4}";
        let ends = prop::sample::select(vec![
            "",
            "&",
            "&sslmode=disable",
            "@h/d",
            " sslmode=disable",
        ]);
        (schemes, before, passwords, joins, keys, ends, any::<bool>()).prop_map(
            |(scheme, before, password, join, key, end, in_query)| {
                let url = match in_query {
                    true => format!("{scheme}u@h/d?{key}{password}{end}"),
                    false => format!("{scheme}{before}{password}{join}h:5432/d"),
                };
                (url, password)
            },
        )
    }

    /// The parts of a password that occur nowhere else by chance.
    fn secrets(password: &str) -> [&str; 2] {
        [&password[..7], &password[password.len() - 5..]]
    }

    proptest! {
        #[test]
        fn nothing_that_is_said_of_a_url_has_its_password((url, password) in mistaken()) {
            let address = super::super::address::Address::parse(&url, std::time::Duration::ZERO);
            let said = match address {
                Ok(address) => [address.shown, address.server, address.database, address.user].join(" "),
                Err(error) => format!("{} {error:?} {}", error.chain(), error),
            };
            let said = format!("{said} {}", shown(&url).unwrap_or_else(|error| error.chain()));
            for secret in secrets(&password) {
                prop_assert!(!said.contains(secret), "{}: {}", url, said);
            }
        }
    }

    #[test]
    fn modes_are_taken_out() {
        let url = "postgres://u:p@h/d?sslmode=verify-full&connect_timeout=3&sslrootcert=%2Fa%20b";
        let read = Url::parse(url).unwrap();
        let three = std::time::Duration::from_secs(3);
        assert_eq!(read.config.get_connect_timeout(), Some(&three));
        assert_eq!(read.mode, "verify-full");
        assert_eq!(read.root, Some(PathBuf::from("/a b")));
        assert_eq!(read.shown, url.replace(":p@", ":***@"));
    }
}
