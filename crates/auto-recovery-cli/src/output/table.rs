//! Tables that fit the terminal: a line a row, columns by spaces alone.
//!
//! Text that does not fit is cut with `…`; what programs need whole they take from `--json`. Where
//! stdout is no terminal nothing is cut.

use comfy_table::{
    Cell, CellAlignment, ColumnConstraint, ContentArrangement, Row, Table as Grid, presets,
};

use crate::output::escape_text;

/// A table.
pub(crate) struct Table {
    grid: Grid,
    fixed: Vec<usize>,
    right: Vec<usize>,
}

impl Table {
    /// A table with these column heads, to fit into `columns` of a terminal.
    pub(crate) fn new(heads: &[&str], columns: Option<u16>) -> Self {
        let mut grid = Grid::new();
        grid.load_style(presets::NOTHING);
        grid.set_truncation_indicator("…");
        match columns {
            Some(columns) => {
                grid.set_content_arrangement(ContentArrangement::Dynamic);
                grid.set_width(columns);
            }
            None => {
                grid.set_content_arrangement(ContentArrangement::Disabled);
            }
        }
        grid.set_header(heads.iter().map(Cell::new));
        Self {
            grid,
            fixed: Vec::new(),
            right: Vec::new(),
        }
    }

    /// These columns are never cut.
    pub(crate) fn never_cut(mut self, columns: &[usize]) -> Self {
        self.fixed = columns.to_vec();
        self
    }

    /// These columns hold numbers.
    pub(crate) fn numbers(mut self, columns: &[usize]) -> Self {
        self.right = columns.to_vec();
        self
    }

    /// Adds a row. Its text is escaped here.
    pub(crate) fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        let mut row = Row::from(
            cells
                .into_iter()
                .map(|cell| Cell::new(escape_text(cell.as_ref())))
                .collect::<Vec<_>>(),
        );
        row.max_height(1);
        self.grid.add_row(row);
    }

    /// The table as lines, each ended, without blanks at their ends.
    pub(crate) fn render(mut self) -> String {
        let last = self.grid.column_count().saturating_sub(1);
        for index in &self.fixed {
            if let Some(column) = self.grid.column_mut(*index) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        for index in &self.right {
            if let Some(column) = self.grid.column_mut(*index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for (index, column) in self.grid.column_iter_mut().enumerate() {
            column.set_padding((0, if index == last { 0 } else { 2 }));
        }
        let mut text = String::new();
        for line in self.grid.lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}
