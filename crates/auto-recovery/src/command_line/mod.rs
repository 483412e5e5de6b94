//! Reading commands: which programs the words of one run, through wrappers and shells, where they
//! run, and which commands a task runner says that it runs. Pure: nothing is run and no file is
//! looked at; what cannot be told from the text is not guessed.

mod announced;
mod carrier;
mod ending;
mod hearsay;
mod name;
mod place;
mod shell;
mod words;
mod wrapper;

pub(crate) use announced::{Announced, Announcements, Packages, option};
pub(crate) use ending::Ending;
pub(crate) use name::base_name;
pub use place::Place;
pub(crate) use place::without_dots;
pub(crate) use words::Words;
pub(crate) use wrapper::{STARTERS, Wrapper, after_options, first_word, is_assignment, plain};
