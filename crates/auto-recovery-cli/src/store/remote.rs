//! Opening the store of another machine, over its server, with the token that the user has for it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use auto_recovery::audit::{AuditStore, Recorder};
use auto_recovery::files::{Links, Purpose, check_own_file, read_small};
use auto_recovery::{Error, ErrorKind, Result};
use auto_recovery_remote::{Address, RemoteOptions, RemoteStore};

use super::spooling::{check_state, spool, told_by};
use crate::output::Printer;
use crate::settings::Settings;

/// The largest file with a token.
const TOKEN_FILE_BYTES_MAX: u64 = 4096;

/// Opens the store of the server at `address`. It connects when it is first used.
///
/// # Errors
/// If there is no token, or the state is not the user's own.
pub(super) fn open(
    settings: &Settings,
    address: &Address,
    recorder: Arc<Recorder>,
    printer: &Printer,
) -> Result<Arc<dyn AuditStore>> {
    let state_dir = &settings.state_dir.value;
    check_state(state_dir)?;
    let options = RemoteOptions {
        spool: Some(spool(state_dir, address.place())?),
        on_notice: Some(told_by(printer)),
        ..options(settings)?
    };
    Ok(Arc::new(RemoteStore::open(
        address.clone(),
        &options,
        recorder,
    )?))
}

/// The token and the certificates that `settings` have, for a server.
///
/// # Errors
/// If the file with the token cannot be used.
pub(crate) fn options(settings: &Settings) -> Result<RemoteOptions> {
    let remote = &settings.remote;
    let token = match (&remote.token, &remote.token_file) {
        (Some(token), _) => token.value.expose().to_owned(),
        (None, Some(file)) => token_in(&file.value)?,
        (None, None) => String::new(),
    };
    Ok(RemoteOptions {
        token,
        root: remote.certificates.as_ref().map(|path| path.value.clone()),
        ..RemoteOptions::default()
    })
}

/// The token in the file at `path`, which nobody else may read.
fn token_in(path: &Path) -> Result<String> {
    check_own_file(path, Purpose::State)
        .map_err(|error| Error::io("use the token in", path, error))?;
    let is_open =
        std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0);
    if is_open {
        let path = path.display();
        let text = format!("others can read the token in {path}: take that away with chmod 600");
        return Err(Error::new(ErrorKind::InvalidInput, text));
    }
    let text = read_small(path, Links::Refuse, TOKEN_FILE_BYTES_MAX)
        .map_err(|error| Error::io("read", path, error))?;
    Ok(String::from_utf8_lossy(&text).trim().to_owned())
}
