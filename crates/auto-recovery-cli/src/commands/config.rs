//! `recover config`: every setting and where its value comes from.

use auto_recovery::Result;

use crate::exit::Exit;
use crate::output::Printer;
use crate::settings::Settings;

/// Prints every setting and where its value comes from.
pub(crate) fn config(settings: &Settings, printer: &Printer) -> Result<Exit> {
    printer.text(&format!("{settings:#?}\n"))?;
    Ok(Exit::OK)
}
