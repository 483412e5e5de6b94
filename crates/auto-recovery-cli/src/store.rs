//! Opening the store that a URL names: the only place that knows every store.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "remote")]
mod remote;
#[cfg(any(feature = "postgres", feature = "remote"))]
mod spooling;

#[cfg(feature = "serve")]
use std::path::{Path, PathBuf};
use std::sync::Arc;

use auto_recovery::Result;
use auto_recovery::audit::{AuditStore, Recorder};
use auto_recovery::jsonl::{JsonlOptions, JsonlStore};
#[cfg(feature = "sqlite")]
use auto_recovery_sql::{SqliteOptions, SqliteStore};

#[cfg(feature = "remote")]
pub(crate) use remote::options as remote_options;

use crate::output::Printer;
use crate::settings::{Setting, Settings, StoreUrl};

/// The directory below `state_dir` in which entries wait for the store at `url`, if it has one.
#[cfg(feature = "serve")]
pub(crate) fn spool_of(url: &StoreUrl, state_dir: &Path) -> Option<PathBuf> {
    match url {
        #[cfg(feature = "postgres")]
        StoreUrl::Postgres(url) => spooling::spool(state_dir, url.place()).ok(),
        _ => {
            let _no_other_has_one = state_dir;
            None
        }
    }
}

/// Opens `store` as `settings` say. `printer` tells what callers should know of it.
///
/// # Errors
/// If it cannot be opened.
pub(crate) fn open(
    settings: &Settings,
    store: &Setting<StoreUrl>,
    recorder: Arc<Recorder>,
    #[cfg_attr(
        not(any(feature = "postgres", feature = "remote")),
        expect(unused_variables, reason = "files have nothing to tell")
    )]
    printer: &Printer,
) -> Result<Arc<dyn AuditStore>> {
    match &store.value {
        StoreUrl::Jsonl(directory) => {
            let options = JsonlOptions {
                durability: settings.durability.value,
                ..JsonlOptions::default()
            };
            Ok(Arc::new(JsonlStore::open(directory, options, recorder)?))
        }
        #[cfg(feature = "sqlite")]
        StoreUrl::Sqlite(file) => {
            let options = SqliteOptions {
                durability: settings.durability.value,
            };
            Ok(Arc::new(SqliteStore::open(file, options, recorder)?))
        }
        #[cfg(feature = "postgres")]
        StoreUrl::Postgres(url) => postgres::open(settings, url, recorder, printer),
        #[cfg(feature = "remote")]
        StoreUrl::Remote(address) => remote::open(settings, address, recorder, printer),
    }
}
