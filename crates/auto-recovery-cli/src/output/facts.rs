//! Facts under one another: a name, then its value.

use crate::output::{Column, Table};

/// Least width of a value, before lines grow longer than the terminal is wide.
const VALUE_WIDTH_MIN: usize = 20;

/// A list of facts.
pub(crate) struct Facts {
    table: Table,
}

impl Facts {
    /// An empty list, to fit into `width` characters of a terminal.
    pub(crate) fn new(width: Option<u16>) -> Self {
        let columns = [Column::whole(""), Column::flexible("", VALUE_WIDTH_MIN)];
        Self {
            table: Table::new(&columns, width),
        }
    }

    /// Adds a fact. Its text is escaped here.
    pub(crate) fn add(&mut self, name: &str, value: impl AsRef<str>) {
        self.table.wrapping_row([name, value.as_ref()]);
    }

    /// The facts as lines; a long one is continued below its beginning.
    pub(crate) fn render(self) -> String {
        self.table.render()
    }
}
