//! What a failure says of the network: which host it is about, whether a name is unknown, and
//! whether this machine has a network at all.

use std::sync::LazyLock;

use regex::Regex;

use crate::failure::Failure;

/// What programs say of a name that nobody knows. `Temporary failure in name resolution` is not
/// among them: then nobody could be asked.
const UNRESOLVED: [&str; 9] = [
    "ENOTFOUND",
    "could not resolve host",
    "couldn't resolve host",
    "name or service not known",
    "nodename nor servname",
    "no such host",
    "unknown host",
    "nxdomain",
    "name does not resolve",
];

/// The host of a URL, a host that is named as one, an address or a name with a port; but a file and
/// a line are none.
static HOST: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#"(?x)
        [a-z][a-z0-9+.-]*://(?:[^\s/@]*@)?(?P<url>\[[0-9a-f:]+\]|[a-z0-9._-]+(?::\d+)?)
        | (?i:host|server|to|for|address)[:\s]+['"]?(?P<named>[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?)
        | (?P<address>(?:localhost|\d+(?:\.\d+){3}|\[[0-9a-f:]+\]):\d{2,5})\b
        | (?P<port>[a-z0-9-]+(?:\.[a-z0-9-]+)+:\d{2,5})(?:[^:\w]|$)"#;
    Regex::new(pattern).expect("a pattern of ours, which is tested")
});

/// Whether `failure` says that a name is not known.
pub(super) fn is_unresolved(failure: &Failure) -> bool {
    let says = |text: &str| {
        let text = text.to_lowercase();
        UNRESOLVED
            .iter()
            .any(|word| text.contains(&word.to_lowercase()))
    };
    says(&failure.message) || says(&failure.error_type)
}

/// The host that `failure` is about, if it names one.
pub(super) fn host_of(failure: &Failure) -> Option<String> {
    let message = failure.message.to_lowercase();
    let found = HOST.captures(&message)?;
    let named = ["url", "named", "address", "port"]
        .into_iter()
        .find_map(|name| found.name(name));
    named.map(|host| host.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_found() {
        let cases = [
            (
                "GET https://user:x@registry.npmjs.org/left-pad failed",
                Some("registry.npmjs.org"),
            ),
            (
                "Could not resolve host: example.invalid",
                Some("example.invalid"),
            ),
            (
                "connect ECONNREFUSED 127.0.0.1:5432",
                Some("127.0.0.1:5432"),
            ),
            ("dial tcp [::1]:80: refused", Some("[::1]:80")),
            (
                "failed to connect to db.internal:5432",
                Some("db.internal:5432"),
            ),
            ("timed out", None),
            ("main.rs:12: wrong", None),
        ];
        for (message, host) in cases {
            let failure = Failure::new("E", message, "t");
            assert_eq!(host_of(&failure).as_deref(), host, "{message}");
        }
    }

    #[test]
    fn an_unknown_name_is_told_from_a_name_server_that_is_away() {
        let of = |message: &str| is_unresolved(&Failure::new("E", message, "t"));
        assert!(of("curl: (6) Could not resolve host: nosuch.example"));
        assert!(of("getaddrinfo ENOTFOUND nosuch.example"));
        assert!(!of("Temporary failure in name resolution"));
        assert!(!of("Connection refused"));
    }
}
