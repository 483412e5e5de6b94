//! `recover plan`.

use auto_recovery::{Error, ErrorKind, Result};
use std::ffi::OsString;

use crate::app::App;
use crate::exit::Exit;

/// Not in this tree yet.
pub(crate) fn plan(_app: &App, command: Vec<OsString>) -> Result<Exit> {
    drop(command);
    Err(Error::new(
        ErrorKind::Refused,
        "`recover plan` is not part of this build",
    ))
}
