//! To whose keys texts are encrypted, and what opens them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use auto_recovery::audit::AuditStore;
use auto_recovery::audit::encrypting::{Encryption, OpenedStore, Opener, Unlocked};
use auto_recovery::encryption::age::{self, AgeRefused};
use auto_recovery::encryption::{Identity, Recipient};
use auto_recovery::files::{Links, read_small};
use auto_recovery::host::Host;
use auto_recovery::run::login_dir;
use auto_recovery::{Error, ErrorKind, Result};

/// The longest file of identities that is read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Encryption to `recipients`; `None` if there are none. Keys are shared in the directory of this
/// login, if that is in memory.
pub(crate) fn to(
    recipients: &[String],
    (host, login): (Arc<dyn Host>, Option<PathBuf>),
) -> Result<Option<Arc<Encryption>>> {
    if recipients.is_empty() {
        return Ok(None);
    }
    let parsed = recipients.iter().map(|text| {
        Recipient::parse(text).map_err(|refused| {
            let text = format!("encrypt has {text:?}: {refused}");
            Error::new(ErrorKind::InvalidInput, text)
        })
    });
    let recipients = parsed.collect::<Result<Vec<_>>>()?;
    Encryption::new(host, recipients, login_dir(login.as_deref())).map(Some)
}

/// `store`, whose texts are opened with what is in the file `identity`, if there is one.
pub(crate) fn opened(store: Arc<dyn AuditStore>, identity: Option<PathBuf>) -> Arc<dyn AuditStore> {
    match identity {
        None => store,
        Some(file) => {
            let opener = Opener::new(move |key| unlock(&file, key));
            Arc::new(OpenedStore::new(store, Arc::new(opener)))
        }
    }
}

fn unlock(path: &Path, key: &[u8]) -> Result<Unlocked> {
    let text = read_small(path, Links::Follow, FILE_BYTES_MAX)
        .map_err(|error| Error::io("read the identity", path, error))?;
    let text = String::from_utf8_lossy(&text);
    let identities = Identity::parse_file(&text).map_err(|refused| {
        let text = format!("{} is no file of identities: {refused}", path.display());
        Error::new(ErrorKind::InvalidInput, text)
    })?;
    Ok(match age::open(&identities, key) {
        Ok(text) => Unlocked::Text(text),
        Err(AgeRefused::ForOthers) => Unlocked::ForOthers,
        Err(AgeRefused::NotAge | AgeRefused::Changed) => Unlocked::Changed,
    })
}
