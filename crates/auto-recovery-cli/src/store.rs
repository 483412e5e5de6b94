//! Opening the store that a URL names: the only place that knows every store.

use std::sync::Arc;

use auto_recovery::audit::{AuditStore, JsonlOptions, JsonlStore};
use auto_recovery::host::Host;
use auto_recovery::{Error, ErrorKind, Result};

use crate::settings::{Settings, StoreUrl};

/// Opens the store of `settings`.
///
/// # Errors
/// If it cannot be opened, or this build has no store of its scheme.
pub(crate) fn open(settings: &Settings, host: Arc<dyn Host>) -> Result<Arc<dyn AuditStore>> {
    match &settings.store.value {
        StoreUrl::Jsonl(directory) => {
            let options = JsonlOptions {
                durability: settings.durability.value,
                ..JsonlOptions::default()
            };
            Ok(Arc::new(JsonlStore::open(directory, options, host)?))
        }
        StoreUrl::Unsupported { scheme, masked } => Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "store `{masked}` ({}): this build of recover has no {scheme} store, only jsonl: \
                 write it like jsonl:DIR",
                settings.store.origin
            ),
        )),
    }
}
