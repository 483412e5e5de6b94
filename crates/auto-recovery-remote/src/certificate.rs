//! Certificates that do not prove that a server is the one that was named: which, and what mends
//! it.
//!
//! None of it is a refusal of the server: it may be that its certificate is being renewed, or that
//! the page of a network answers in its place. What was to be recorded waits.

use std::time::{Duration, SystemTime};

use auto_recovery::host::timestamp;
use rustls::CertificateError::{
    Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet,
    NotValidYetContext, UnknownIssuer,
};
use rustls::pki_types::UnixTime;

use crate::address::Address;
use crate::head::is_plain;

/// Names of a certificate that are told.
const NAMES_MAX: usize = 5;

/// Why the certificate of `address` proves nothing, if that is what `error` says.
pub(crate) fn unproved(address: &Address, error: &ureq::Error) -> Option<String> {
    let rustls::Error::InvalidCertificate(why) = rustls_error(error)? else {
        return None;
    };
    let name_certificates = "name the certificates that it leads to by sslrootcert=FILE in the \
                             URL, or SSL_CERT_FILE";
    Some(match why {
        Expired => format!("the certificate of {address} is valid at no time: renew it there"),
        ExpiredContext { time, not_after } => format!(
            "the certificate of {address} expired at {}, and the clock here says {}: renew it there",
            moment(*not_after),
            moment(*time)
        ),
        NotValidYet => format!("the certificate of {address} is not valid yet: set the clock"),
        NotValidYetContext { time, not_before } => format!(
            "the certificate of {address} is valid from {} on, and the clock here says {}: set the \
             clock that is wrong",
            moment(*not_before),
            moment(*time)
        ),
        NotValidForName => other_name(address, &[]),
        NotValidForNameContext { presented, .. } => other_name(address, presented),
        UnknownIssuer => format!(
            "the certificate of {address} leads to none that is trusted here: {name_certificates}"
        ),
        _ => format!("the certificate of {address} cannot be used: {name_certificates}"),
    })
}

fn other_name(address: &Address, presented: &[String]) -> String {
    // They come as `DnsName("a.example")`.
    let names = presented
        .iter()
        .filter_map(|name| name.split('"').nth(1))
        .filter(|name| is_plain(name));
    let names: Vec<&str> = names.take(NAMES_MAX).collect();
    let names = match names.is_empty() {
        true => "other names".to_owned(),
        false => names.join(", "),
    };
    format!(
        "the certificate of {address} is for {names} and not for that name: use a name that it has, \
         or see who answers there"
    )
}

fn rustls_error(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}

fn moment(time: UnixTime) -> String {
    timestamp(SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs()))
}

#[cfg(test)]
mod tests {
    use rustls::CertificateError;
    use rustls::pki_types::ServerName;

    use super::*;

    #[test]
    fn a_certificate_that_proves_nothing_says_why_and_what_to_do() {
        let at = |secs| UnixTime::since_unix_epoch(Duration::from_secs(secs));
        let address = Address::parse("https://h.example").unwrap();
        let check = |why: CertificateError, parts: &[&str]| {
            let error = std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                rustls::Error::InvalidCertificate(why),
            );
            let told = unproved(&address, &ureq::Error::Io(error)).unwrap();
            for part in [&["https://h.example/"], parts].concat() {
                assert!(told.contains(part), "{part} in {told}");
            }
        };
        let (time, not_before) = (at(1_000_000), at(2_000_000));
        check(
            NotValidYetContext { time, not_before },
            &[
                "1970-01-24T03:33:20.000Z on",
                "says 1970-01-12T13:46:40.000Z",
            ],
        );
        check(
            ExpiredContext {
                time: not_before,
                not_after: time,
            },
            &["expired at 1970-01-12T13:46:40.000Z", "renew"],
        );
        let expected = ServerName::try_from("h.example").unwrap();
        let presented = [
            "DnsName(\"a.example\")",
            "DnsName(\"*.b.example\")",
            "IpAddress(7)",
        ];
        check(
            NotValidForNameContext {
                expected,
                presented: presented.map(str::to_owned).to_vec(),
            },
            &["is for a.example, *.b.example and not"],
        );
        check(UnknownIssuer, &["SSL_CERT_FILE", "sslrootcert=FILE"]);
    }
}
