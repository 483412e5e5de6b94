//! Facts under one another: a name, then its value.

use crate::output::{Column, Table, Tone};

/// Least width of a value, before lines grow longer than the terminal is wide.
const VALUE_WIDTH_MIN: usize = 20;

/// A list of facts.
pub(crate) struct Facts {
    table: Table,
    /// The longest name.
    name_columns: usize,
}

impl Facts {
    /// An empty list, to fit into `width` characters of a terminal.
    pub(crate) fn new(width: Option<u16>) -> Self {
        let columns = [Column::whole(""), Column::flexible("", VALUE_WIDTH_MIN)];
        Self {
            table: Table::new(&columns, width),
            name_columns: 0,
        }
    }

    /// Adds a fact. Its text is escaped here.
    pub(crate) fn add(&mut self, name: &str, value: impl AsRef<str>) {
        self.name_columns = self.name_columns.max(name.len());
        self.table.wrapping_row([name, value.as_ref()]);
    }

    /// The facts as lines; a long one is continued below its beginning.
    pub(crate) fn render(self) -> String {
        let lines = self.table.render();
        let toned = lines.lines().map(|line| {
            let end = line.len().min(self.name_columns);
            match line.split_at_checked(end) {
                Some((name, value)) if !name.trim().is_empty() => {
                    Tone::Aside.on_stdout(name) + value + "\n"
                }
                _ => format!("{line}\n"),
            }
        });
        toned.collect()
    }
}
