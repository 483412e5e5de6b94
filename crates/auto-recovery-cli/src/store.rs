//! Opening the store that a URL names: the only place that knows every store.

use std::sync::Arc;

use auto_recovery::audit::{AuditStore, JsonlOptions, JsonlStore};
use auto_recovery::host::Host;
use auto_recovery::{Error, ErrorKind, Result};
use auto_recovery_sql::{SqliteOptions, SqliteStore};

use crate::settings::{Setting, Settings, StoreUrl};

/// Opens `store` as `settings` say.
///
/// # Errors
/// If it cannot be opened, or this build has no store of its scheme.
pub(crate) fn open(
    settings: &Settings,
    store: &Setting<StoreUrl>,
    host: Arc<dyn Host>,
) -> Result<Arc<dyn AuditStore>> {
    match &store.value {
        StoreUrl::Jsonl(directory) => {
            let options = JsonlOptions {
                durability: settings.durability.value,
                ..JsonlOptions::default()
            };
            Ok(Arc::new(JsonlStore::open(directory, options, host)?))
        }
        StoreUrl::Sqlite(file) => {
            let options = SqliteOptions {
                durability: settings.durability.value,
            };
            Ok(Arc::new(SqliteStore::open(file, options, host)?))
        }
        StoreUrl::Postgres(url) => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("store `{url}` ({}): not yet", store.origin),
        )),
    }
}
