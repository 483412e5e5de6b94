//! `recover run`, `recover plan`: settings become a request to the library, its events become
//! lines.

mod command;
mod consent;
mod console;
mod reports;
mod request;
mod result_file;
mod steps;

pub(crate) use command::run;
pub(crate) use request::{library_request, user_rules};
