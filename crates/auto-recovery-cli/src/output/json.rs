//! JSON written as it is made, so that a long list takes no memory.

use std::io::{self, Write};

use serde::Serialize;

/// An array that is written item by item, each on a line of its own.
pub(crate) struct JsonArray<'w> {
    out: &'w mut dyn Write,
    is_empty: bool,
}

impl<'w> JsonArray<'w> {
    /// Begins an array.
    pub(crate) fn begin(out: &'w mut dyn Write) -> io::Result<Self> {
        out.write_all(b"[")?;
        Ok(Self {
            out,
            is_empty: true,
        })
    }

    /// Writes an item.
    pub(crate) fn item(&mut self, item: &impl Serialize) -> io::Result<()> {
        self.out
            .write_all(if self.is_empty { b"\n" } else { b",\n" })?;
        self.is_empty = false;
        serde_json::to_writer(&mut *self.out, item).map_err(io::Error::from)
    }

    /// Ends the array and its line.
    pub(crate) fn end(self) -> io::Result<()> {
        self.out
            .write_all(if self.is_empty { b"]\n" } else { b"\n]\n" })
    }
}
