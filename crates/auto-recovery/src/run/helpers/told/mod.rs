//! What a strategy command is told beside the failure: the whole of what is known, and what was
//! tried before, as a file for programs and as a prompt for models.
//!
//! Files are written only when somebody is about to read them, and patches made once, each with a
//! limit. All that programs wrote is data: in the prompt it stands between marks that it could not
//! have guessed.

mod briefing;
mod prompt;
mod teller;

pub(in crate::run) use teller::{Files, Told};
