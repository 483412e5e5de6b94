//! What goes wrong between us and a server, in our words: which of it means that the server is
//! away, and what a person can do about the rest.
//!
//! Only what the server itself says is a refusal. Whatever answers in its place (a proxy before it,
//! the login page of a network) passes, so what was to be recorded waits for it.

use std::time::Duration;

use auto_recovery::{Error, ErrorKind};
use serde::Deserialize;

use crate::address::Address;
use crate::certificate::unproved;
use crate::head::{Head, is_plain};

/// The media type of a problem as the server tells it.
pub(crate) const PROBLEM: &str = "application/problem+json";

/// A problem as the server tells it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    #[serde(rename = "type")]
    kind: String,
    detail: String,
}

/// That there is nothing of the name that was asked for.
pub(crate) fn is_nothing(head: &Head, text: &[u8]) -> bool {
    problem(head, text)
        .is_some_and(|problem| head.status == 404 && problem.kind == "/errors/not_found")
}

/// What an answer that begins with `head` and says `text` refuses.
pub(crate) fn refusal(address: &Address, head: &Head, text: &[u8]) -> Error {
    let status = head.status;
    let Some(problem) = problem(head, text) else {
        return strange(address, head);
    };
    let kind = match status {
        400 | 413 | 415 | 422 => ErrorKind::InvalidInput,
        401 | 403..=405 | 409 | 421 => ErrorKind::Refused,
        507 => ErrorKind::NoSpace,
        408 | 429 | 500.. => ErrorKind::Unreachable,
        _ => ErrorKind::Io,
    };
    let says = match (status, &*problem.detail) {
        (401, _) => "it does not know the token".to_owned(),
        (421, _) => "it is not called that: start it with --public-url".to_owned(),
        (_, "") => format!("it answers {status}"),
        (_, detail) => detail.to_owned(),
    };
    Error::new(kind, format!("{address} refuses: {says}"))
}

fn problem(head: &Head, text: &[u8]) -> Option<Problem> {
    let problem: Problem = (head.kind == PROBLEM).then(|| serde_json::from_slice(text).ok())??;
    problem.kind.starts_with("/errors/").then_some(problem)
}

/// That something else answers in the place of the server.
pub(crate) fn strange(address: &Address, head: &Head) -> Error {
    let Head { status, kind, .. } = head;
    let text = match (status, head.location.as_deref().and_then(host_of)) {
        (300..=399, elsewhere) => format!(
            "{address} sends {}, which is not followed: if that is the server, name it as the \
             store; if it is a page to log in to this network, log in",
            elsewhere.map_or("elsewhere".to_owned(), |host| format!("to {host}")),
        ),
        _ => format!(
            "{address} answers {status} with {} and not as `recover serve` does: see that it leads \
             there, and that no proxy or login page stands between",
            if is_plain(kind) {
                kind
            } else {
                "no known type"
            },
        ),
    };
    Error::new(ErrorKind::Unreachable, text)
}

/// The host that `location` leads to, if it can be shown.
fn host_of(location: &str) -> Option<&str> {
    let (_, rest) = location.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    is_plain(host).then_some(host)
}

/// That an answer is not whole, or not what was asked for.
pub(crate) fn garbled(address: &Address, what: &str) -> Error {
    let text = format!(
        "the answer of {address} cannot be used ({what}): see that it is `recover serve`, of this \
         release or a newer one, and that nothing between changes what it says"
    );
    Error::new(ErrorKind::Unreachable, text)
}

/// That nothing came within `limit`.
pub(crate) fn silent(address: &Address, limit: Duration) -> Error {
    let tenths = (limit.as_secs_f64() * 10.0).round();
    let text = format!(
        "{address} cannot be used: see that `recover serve` is well there, and the way to it"
    );
    let silent = format!("it did not answer within {} s", tenths / 10.0);
    let silent = Error::new(ErrorKind::TimedOut, silent);
    Error::new(ErrorKind::Unreachable, text).with_source(silent)
}

/// That a connection could not be made, or was lost.
pub(crate) fn failed(address: &Address, error: ureq::Error) -> Error {
    if let Some(why) = unproved(address, &error) {
        return Error::new(ErrorKind::Unreachable, why).with_source(error);
    }
    let kind = match &error {
        ureq::Error::Http(_) | ureq::Error::BadUri(_) => ErrorKind::InvalidInput,
        _ => ErrorKind::Unreachable,
    };
    let text = format!(
        "cannot reach {address}: see that `recover serve` runs there and that this machine may \
         connect to it"
    );
    Error::new(kind, text).with_source(error)
}
