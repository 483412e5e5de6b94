//! Mistakes in a configuration file that only the library sees, told with the file and the line.
//! What was typed is told as the library says it.

use auto_recovery::{Error, ErrorKind, Hint};

use crate::hints;
use crate::settings::{Origin, RunSettings, one_line};

/// `error`, which is about what stands at `origin`, with that place where it is one of a file.
pub(super) fn at(origin: &Origin, error: &Error) -> Error {
    let says = one_line(&hints::chain(error));
    let says = match origin {
        Origin::File { .. } => format!("{origin}: {says}"),
        _ => says,
    };
    Error::new(error.kind(), says)
}

/// What kept a run under these settings from beginning, with its place where it is about one of
/// them.
pub(super) fn located(error: Error, run: &RunSettings) -> Error {
    if error.hint() == Some(&Hint::NameWayBack) {
        return match &run.rollback.origin {
            Origin::File { .. } => {
                let says = hints::chain(&error).replacen("--rollback", "`rollback`", 1);
                at(&run.rollback.origin, &Error::new(error.kind(), says))
            }
            _ => error,
        };
    }
    if error.kind() != ErrorKind::InvalidInput {
        return error;
    }
    let said = error.to_string();
    let mut protected = run.protect.iter();
    let is_about = |glob: &str| said.starts_with(&format!("protect {glob:?} "));
    match protected.find(|glob| is_about(&glob.value)) {
        Some(glob) => at(&glob.origin, &error),
        None => error,
    }
}
