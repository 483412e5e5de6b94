//! What people and programs get to see: data on stdout, everything else on stderr.
//!
//! All text that came from outside is escaped on its way to a terminal. Nothing here decides what
//! is shown; the commands do.

mod bar;
mod facts;
mod file;
mod fold;
mod json;
mod masks;
mod pager;
mod printer;
mod reader;
mod screen;
mod shell;
mod status;
mod style;
mod table;
mod time;

pub(crate) use auto_recovery::escape::{Escapes, EscapingWriter, escape_bytes, escape_text};
pub(crate) use auto_recovery::wording::{counted, with_short_words};
pub(crate) use bar::bar;
pub(crate) use facts::Facts;
pub(crate) use file::{format_by_ending, tell_other_ending, write_output};
pub(crate) use fold::{chunks, columns, cut_to, fold};
pub(crate) use json::JsonArray;
pub(crate) use masks::{mask_with, masked, masking_stream};
pub(crate) use pager::Pager;
pub(crate) use printer::{
    Printer, Verbosity, columns_of_help, know_own_places, passed_on, passed_to_stdout, print_error,
    print_mistake, stdout_error,
};
pub(crate) use reader::{gave_up_on_readers, wait_for_readers};
pub(crate) use shell::{session_argument, session_word, shell_words};
pub(crate) use status::Status;
pub(crate) use style::{ColorChoice, ColorWish, Line, Tone, decide_colours};
pub(crate) use table::{Column, Table};
pub(crate) use time::{age, human_seconds, short_age};
