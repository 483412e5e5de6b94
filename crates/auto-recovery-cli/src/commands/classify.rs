//! `recover classify`.

use crate::args::ClassifyArgs;
use auto_recovery::{Error, ErrorKind, Result};

use crate::app::App;
use crate::exit::Exit;

/// Not in this tree yet.
pub(crate) fn classify(_app: &App, args: ClassifyArgs) -> Result<Exit> {
    drop(args);
    Err(Error::new(
        ErrorKind::Refused,
        "`recover classify` is not part of this build",
    ))
}
