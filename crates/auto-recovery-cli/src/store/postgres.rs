//! Opening the store on a PostgreSQL server: where its spool is, and what people are told of it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use auto_recovery::audit::{AuditStore, Recorder, session_id};
use auto_recovery::files::{Purpose, check_own_dir};
use auto_recovery::{Error, Result};
use auto_recovery_sql::postgres::Notice;
use auto_recovery_sql::{PostgresOptions, PostgresStore};

use crate::output::Printer;
use crate::settings::{SecretUrl, Settings};

/// Opens the store of `url`. It connects when it is first used.
///
/// # Errors
/// If the URL cannot be used, or the state is not the user's own.
pub(super) fn open(
    settings: &Settings,
    url: &SecretUrl,
    recorder: Arc<Recorder>,
    printer: &Printer,
) -> Result<Arc<dyn AuditStore>> {
    let printer = printer.clone();
    check_state(&settings.state_dir.value)?;
    let options = PostgresOptions {
        durability: settings.durability.value,
        spool: Some(spool(&settings.state_dir.value, url)?),
        on_notice: Some(Arc::new(move |notice| tell(&printer, notice))),
        ..PostgresOptions::default()
    };
    Ok(Arc::new(PostgresStore::open(
        url.expose(),
        options,
        recorder,
    )?))
}

/// Where what is meant for the database of `url` waits while its server cannot be reached: in the
/// state, under a name that stays whoever connects and however.
pub(super) fn spool(state_dir: &Path, url: &SecretUrl) -> Result<PathBuf> {
    Ok(state_dir
        .join("spool")
        .join(session_id::encode(url.place())?))
}

/// Makes sure that the state, if there is one, is the user's own: entries wait in it.
fn check_state(state_dir: &Path) -> Result<()> {
    match check_own_dir(state_dir, Purpose::State) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io(
            "cannot use the state directory",
            state_dir,
            error,
        )),
        _ => Ok(()),
    }
}

fn tell(printer: &Printer, notice: &Notice) {
    match notice {
        Notice::Delivered { .. } => printer.note(notice),
        _ => printer.warn(notice),
    }
}
