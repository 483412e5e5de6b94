//! What a session left on this machine beside its record, for reports.

use std::io;
use std::path::Path;

use auto_recovery::Result;
use auto_recovery::audit::encrypting::Opener;
use auto_recovery::checkpoint::PatchForm;
use auto_recovery::report::{Kept, Rest, Visit};
use auto_recovery::run::Place;

use crate::kept_outputs::{KeptOutputs, unread};
use crate::output::session_word;

/// The checkpoints and the outputs of one session in our own state.
pub(crate) struct KeptOnDisk<'a> {
    place: &'a Place,
    outputs: KeptOutputs<'a>,
}

impl<'a> KeptOnDisk<'a> {
    /// Those of `session`.
    ///
    /// # Errors
    /// If `session` cannot be a session's id.
    pub(crate) fn of((place, opener): (&'a Place, &'a Opener), session: &'a str) -> Result<Self> {
        let store = &*place.store;
        Ok(Self {
            place,
            outputs: KeptOutputs::of((store, opener), &place.state_dir, session)?,
        })
    }
}

impl Kept for KeptOnDisk<'_> {
    fn changes(&self, number: Option<u64>, visit: Visit<'_>) -> Result<bool> {
        let mut give = |piece: &[u8]| Ok(visit(piece));
        if let Some(number) = number {
            let Some(diff) = self.place.diff(self.outputs.session(), number)? else {
                return Ok(false);
            };
            return diff.read(&mut give).map(|_either| true);
        }
        let Some(patch) = self.place.patch(self.outputs.session(), None)? else {
            return Ok(false);
        };
        patch.read(PatchForm::Apply, &mut give).map(|_either| true)
    }

    fn output_end(&self, file: &str, bytes_max: u64) -> Result<Option<Vec<u8>>> {
        // A record written by another program may name any file.
        let Some(own) = self.outputs.own(Path::new(file)) else {
            return Ok(None);
        };
        match self.outputs.end(&own, bytes_max) {
            Ok(bytes) => {
                let masked = |bytes: Vec<u8>| self.place.redactor.redact(&bytes).text.into_owned();
                Ok(bytes.map(masked))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unread(&own, error)),
        }
    }

    fn command(&self, rest: Rest) -> Option<String> {
        let word = session_word(self.outputs.session());
        let of = |number: Option<u64>| number.map(|number| format!(" {number}"));
        Some(match rest {
            Rest::Session => format!("recover show {word}"),
            Rest::Attempts => format!("recover history {word}"),
            Rest::AnyAttempt => format!("recover show {word} N"),
            Rest::Changes(number) => {
                let number = of(number).unwrap_or_default();
                format!("recover show --diff {word}{number}")
            }
            Rest::Output(number) => {
                let number = of(number).unwrap_or_default();
                format!("recover show --output {word}{number}")
            }
        })
    }
}
