//! Opening the store on a PostgreSQL server.

use std::sync::Arc;

use auto_recovery::Result;
use auto_recovery::audit::{AuditStore, Recorder};
use auto_recovery_sql::{PostgresOptions, PostgresStore};

use super::spooling::{check_state, spool, told_by};
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
    let state_dir = &settings.state_dir.value;
    check_state(state_dir)?;
    let options = PostgresOptions {
        durability: settings.durability.value,
        spool: Some(spool(state_dir, url.place())?),
        on_notice: Some(told_by(printer)),
        ..PostgresOptions::default()
    };
    Ok(Arc::new(PostgresStore::open(
        url.expose(),
        options,
        recorder,
    )?))
}
