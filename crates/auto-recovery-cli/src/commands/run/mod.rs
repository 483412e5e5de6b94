//! `recover run`, `recover plan`: settings become a request to the library, its events become
//! lines.

mod command;
mod consent;
mod console;
mod last_lines;
mod located;
mod misplaced;
mod narrator;
mod reports;
mod request;
mod result_file;

pub(crate) use command::{check_exit_map, run};
pub(crate) use request::{library_request, user_rules};
