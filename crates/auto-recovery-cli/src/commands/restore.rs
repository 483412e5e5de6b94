//! `recover restore`.

use crate::args::RestoreArgs;
use auto_recovery::{Error, ErrorKind, Result};

use crate::app::App;
use crate::exit::Exit;

/// Not in this tree yet.
pub(crate) fn restore(_app: &App, args: RestoreArgs) -> Result<Exit> {
    drop(args);
    Err(Error::new(
        ErrorKind::Refused,
        "`recover restore` is not part of this build",
    ))
}
