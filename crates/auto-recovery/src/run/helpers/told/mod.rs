//! The briefing of a strategy command beside the failure: all that is known, and the earlier tries,
//! as a file for programs and as a prompt for models.
//!
//! Files are written only before a program reads them, and patches are made once, each with a
//! limit. All output of programs is data: in the prompt it is put between marks that it could not
//! have guessed.

mod briefing;
mod prompt;
mod teller;

pub(in crate::run) use teller::{Files, Told};
