//! What goes wrong between us and a server, in our words: which of it means that the server cannot
//! be reached, and what a person can do about the rest.

use std::error::Error as StdError;
use std::io;

use auto_recovery::{Error, ErrorKind};
use tokio_postgres::error::SqlState;

use super::address::Address;

/// `error`, met while doing what `doing` says.
pub(super) fn explain(address: &Address, doing: &str, error: tokio_postgres::Error) -> Error {
    let Address {
        server,
        database,
        user,
        ..
    } = address;
    if is_late(&error) {
        let late = Error::new(ErrorKind::TimedOut, error.to_string());
        return unreachable(address, doing).with_source(late);
    }
    if is_loss(&error) {
        return unreachable(address, doing).with_source(error);
    }
    let (kind, context) = match error.code() {
        Some(&SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => (
            ErrorKind::Refused,
            format!(
                "{server} does not let {user} in: check the user and the password in the store's URL"
            ),
        ),
        Some(&SqlState::INVALID_CATALOG_NAME) => (
            ErrorKind::NotFound,
            format!(
                "there is no database {database} on {server}: create it, or name another in the store's URL"
            ),
        ),
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => (
            ErrorKind::Refused,
            format!(
                "{user} may not {doing} in database {database} on {server}: let its owner grant CREATE on the \
                 database, or rights on the schema auto_recovery"
            ),
        ),
        Some(&SqlState::DISK_FULL) => (
            ErrorKind::NoSpace,
            format!("{doing}: the disk of {server} is full: make room there"),
        ),
        Some(&SqlState::QUERY_CANCELED | &SqlState::LOCK_NOT_AVAILABLE) => (
            ErrorKind::TimedOut,
            format!("{doing}: {server} did not get done in time"),
        ),
        Some(_) => (
            ErrorKind::Io,
            format!("{doing} in database {database} on {server}"),
        ),
        None if is_about_access(&error) => (
            ErrorKind::Refused,
            format!(
                "connect to {server} as {user}: check the password and the sslmode in the store's URL"
            ),
        ),
        None => (ErrorKind::Io, format!("{doing} on {server}")),
    };
    Error::new(kind, context).with_source(error)
}

/// That the server cannot be reached, without a cause.
pub(super) fn unreachable(address: &Address, doing: &str) -> Error {
    Error::new(
        ErrorKind::Unreachable,
        format!(
            "{doing}: PostgreSQL at {} cannot be reached: see that it runs and that this machine may connect to \
             it",
            address.server
        ),
    )
}

/// Whether the same transaction may succeed if it is tried again.
pub(super) fn is_conflict(error: &Error) -> bool {
    let cause = error.source();
    let cause = cause.and_then(|cause| cause.downcast_ref::<tokio_postgres::Error>());
    matches!(
        cause.and_then(tokio_postgres::Error::code),
        Some(&SqlState::T_R_DEADLOCK_DETECTED | &SqlState::T_R_SERIALIZATION_FAILURE)
    )
}

/// Whether the connection is lost, or could not be made, for reasons that pass by themselves.
fn is_loss(error: &tokio_postgres::Error) -> bool {
    if let Some(code) = error.code() {
        return code.code().starts_with("08")
            || [
                SqlState::ADMIN_SHUTDOWN,
                SqlState::CRASH_SHUTDOWN,
                SqlState::CANNOT_CONNECT_NOW,
                SqlState::TOO_MANY_CONNECTIONS,
            ]
            .contains(code);
    }
    if error.is_closed() {
        return true;
    }
    match io_cause(error) {
        Some(cause) => !is_of_tls(cause),
        None => is_late(error),
    }
}

/// Whether the connection took too long, for which the driver has no name of its own.
fn is_late(error: &tokio_postgres::Error) -> bool {
    io_cause(error).is_none() && error.to_string().starts_with("timeout waiting for server")
}

/// Whether we and the server do not agree on who we are.
fn is_about_access(error: &tokio_postgres::Error) -> bool {
    let text = error.to_string();
    io_cause(error).is_some_and(is_of_tls)
        || text.starts_with("authentication error")
        || text.starts_with("error performing TLS handshake")
        || text.starts_with("invalid configuration")
}

fn io_cause(error: &tokio_postgres::Error) -> Option<&io::Error> {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        cause = error.source();
    }
    None
}

fn is_of_tls(error: &io::Error) -> bool {
    let inner = error.get_ref();
    inner.is_some_and(|inner| inner.is::<rustls::Error>())
        || error.kind() == io::ErrorKind::InvalidInput
}
