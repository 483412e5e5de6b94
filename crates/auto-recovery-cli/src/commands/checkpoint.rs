//! `recover checkpoint`.

use auto_recovery::{Error, ErrorKind, Result};

use crate::app::App;
use crate::exit::Exit;

/// Not in this tree yet.
pub(crate) fn checkpoint(_app: &App) -> Result<Exit> {
    Err(Error::new(
        ErrorKind::Refused,
        "`recover checkpoint` is not part of this build",
    ))
}
