//! The outputs that runs kept in the state, as they are or encrypted.

use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Component, Path, PathBuf};

use auto_recovery::audit::AuditStore;
use auto_recovery::audit::encrypting::Opener;
use auto_recovery::files::{Links, open_regular};
use auto_recovery::run::SEALED_SUFFIX;
use auto_recovery::{Error, Result};

use crate::artifacts::outputs_dir;

/// The outputs of a session.
pub(crate) struct KeptOutputs<'a> {
    store: &'a dyn AuditStore,
    opener: &'a Opener,
    session: &'a str,
    dir: PathBuf,
}

impl<'a> KeptOutputs<'a> {
    /// Those of `session`, whose keys `store` keeps, in the state in `state_dir`.
    ///
    /// # Errors
    /// If `session` cannot be a session's id.
    pub(crate) fn of(
        (store, opener): (&'a dyn AuditStore, &'a Opener),
        state_dir: &Path,
        session: &'a str,
    ) -> Result<Self> {
        Ok(Self {
            store,
            opener,
            session,
            dir: outputs_dir(state_dir, session)?,
        })
    }

    /// The session.
    pub(crate) fn session(&self) -> &'a str {
        self.session
    }

    /// The file in the state that `path` means, if it means one. Only its text decides: resolving
    /// it would follow links.
    pub(crate) fn own(&self, path: &Path) -> Option<PathBuf> {
        let (dir, name) = (path.parent()?, path.file_name()?);
        let is_real = || fs::canonicalize(&self.dir).is_ok_and(|real| plain(dir) == real);
        (dir == self.dir || is_real()).then(|| self.dir.join(name))
    }

    /// The last `bytes_max` bytes of the output in the file `own`, or all it has; `None` if it is
    /// encrypted, and nothing here opens it.
    ///
    /// # Errors
    /// `NotFound` of the system if there is no such file; otherwise if it cannot be read.
    pub(crate) fn end(&self, own: &Path, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
        if !is_encrypted(own) {
            return read_end(own, bytes_max).map(Some);
        }
        let mut text = self.opened(own)?;
        if let Some(text) = &mut text {
            let more = text
                .len()
                .saturating_sub(usize::try_from(bytes_max).unwrap_or(usize::MAX));
            text.drain(..more);
        }
        Ok(text)
    }

    /// The text of the encrypted output in the file `own`, if something here opens it.
    ///
    /// # Errors
    /// As [`KeptOutputs::end`].
    pub(crate) fn opened(&self, own: &Path) -> io::Result<Option<Vec<u8>>> {
        let mut file = Vec::new();
        open_regular(own, Links::Refuse)?.read_to_end(&mut file)?;
        let keys = self.store.keys().map_err(io::Error::other)?;
        let opened = self.opener.open_output(keys, self.session, &file);
        opened.map_err(io::Error::other)
    }
}

/// Whether the output in the file `own` is encrypted, by its name.
pub(crate) fn is_encrypted(own: &Path) -> bool {
    let name = own.as_os_str().as_encoded_bytes();
    name.ends_with(SEALED_SUFFIX.as_bytes())
}

/// The error of ours that `error`, met with the file at `own`, carries or is.
pub(crate) fn unread(own: &Path, error: io::Error) -> Error {
    match error.get_ref().is_some_and(|ours| ours.is::<Error>()) {
        true => match error.downcast::<Error>() {
            Ok(ours) => ours,
            Err(error) => Error::io("read", own, error),
        },
        false => Error::io("read", own, error),
    }
}

/// Removes `..` from `path`, as if nothing in it were a link.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// The last `bytes_max` bytes of the file `path`, or all it has.
fn read_end(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut file = open_regular(path, Links::Refuse)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(bytes_max)))?;
    let mut bytes = Vec::new();
    file.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}
