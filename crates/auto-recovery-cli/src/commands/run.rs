//! `recover run`.

use crate::settings::RunRequest;
use auto_recovery::{Error, ErrorKind, Result};

use crate::app::App;
use crate::exit::Exit;

/// Not in this tree yet.
pub(crate) fn run(_app: &App, request: RunRequest) -> Result<Exit> {
    drop(request);
    Err(Error::new(
        ErrorKind::Refused,
        "`recover run` is not part of this build",
    ))
}
