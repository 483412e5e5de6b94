//! Tables that fit the terminal: columns by spaces alone, a line a row.
//!
//! On a narrow terminal the columns that matter least are left out, then text is cut with `…`; what
//! programs need whole they take from `--json`. Where stdout is no terminal no column is left out,
//! and text is cut no sooner than beyond what anybody reads in a line.

use comfy_table::{
    Cell, CellAlignment, ColumnConstraint, ContentArrangement, Row, Table as Grid, Width, presets,
};

use crate::output::{Tone, escape_text, fold};

/// The widest column of a text that may be cut, where there is no terminal to fit into: one long
/// command would widen every row.
const UNFITTED_MAX: usize = 200;

/// The same of a column that others stand beside, which one long text would push out of sight.
const UNFITTED_BESIDE_MAX: usize = 80;

/// Blanks between two columns.
const GAP: usize = 2;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    head: &'static str,
    /// Least width of a column that may be cut; none for one that may not.
    flexible: Option<usize>,
    is_number: bool,
    /// The columns with the highest rank are left out first; none for one that stays.
    rank: Option<u8>,
}

impl Column {
    /// A column that is shown whole.
    pub(crate) fn whole(head: &'static str) -> Self {
        Self {
            head,
            flexible: None,
            is_number: false,
            rank: None,
        }
    }

    /// A column that may be cut down to `min` characters.
    pub(crate) fn flexible(head: &'static str, min: usize) -> Self {
        Self {
            flexible: Some(min),
            ..Self::whole(head)
        }
    }

    /// The same column, set to the right.
    pub(crate) fn number(self) -> Self {
        Self {
            is_number: true,
            ..self
        }
    }

    /// The same column, left out before every one with a lower rank.
    pub(crate) fn rank(self, rank: u8) -> Self {
        Self {
            rank: Some(rank),
            ..self
        }
    }
}

/// A table.
pub(crate) struct Table {
    columns: Vec<Column>,
    grid: Grid,
    /// What of each row of one line has which tone.
    tones: Vec<Option<(Tone, &'static str)>>,
    width: Option<u16>,
    /// Whether a last line names the columns that are left out.
    names_left_out: bool,
}

impl Table {
    /// A table with these columns, to fit into `width` characters of a terminal.
    pub(crate) fn new(columns: &[Column], width: Option<u16>) -> Self {
        let mut grid = Grid::new();
        grid.load_style(presets::NOTHING);
        grid.set_truncation_indicator("…");
        if columns.iter().any(|column| !column.head.is_empty()) {
            let mut heads = Row::from(
                columns
                    .iter()
                    .map(|column| Cell::new(column.head))
                    .collect::<Vec<_>>(),
            );
            heads.max_height(1);
            grid.set_header(heads);
        }
        Self {
            columns: columns.to_vec(),
            grid,
            tones: Vec::new(),
            width,
            names_left_out: false,
        }
    }

    /// The same, which names in a last line the columns that it has no room for.
    pub(crate) fn naming_left_out(mut self) -> Self {
        self.names_left_out = true;
        self
    }

    /// Adds a row of one line. Its text is escaped here.
    pub(crate) fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        let mut row = escaped(cells);
        row.max_height(1);
        self.grid.add_row(row);
        self.tones.push(None);
    }

    /// Gives `word` in the last row this tone, where the row shows it.
    pub(crate) fn tone(&mut self, tone: Tone, word: &'static str) {
        if let Some(last) = self.tones.last_mut() {
            *last = Some((tone, word));
        }
    }

    /// Adds a row that goes on below instead of being cut. Its text is escaped here.
    pub(crate) fn wrapping_row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.grid.add_row(escaped(cells));
    }

    /// The table as lines, each ended, without blanks at their ends.
    pub(crate) fn render(mut self) -> String {
        let natural: Vec<usize> = self
            .grid
            .column_max_content_widths()
            .into_iter()
            .map(usize::from)
            .collect();
        let widths = match self.width {
            Some(width) => fit(&self.columns, &natural, usize::from(width)),
            None => natural
                .iter()
                .zip(&self.columns)
                .enumerate()
                .map(|(index, (natural, column))| match column.flexible {
                    Some(_) if index + 1 < self.columns.len() => {
                        Some(UNFITTED_BESIDE_MAX.min(*natural))
                    }
                    Some(_) => Some(UNFITTED_MAX.min(*natural)),
                    None => Some(*natural),
                })
                .collect(),
        };
        let last = widths.iter().rposition(Option::is_some);
        let mut total = 0;
        for (index, width) in widths.iter().enumerate() {
            let gap = if Some(index) == last { 0 } else { GAP };
            let Some(column) = self.grid.column_mut(index) else {
                continue;
            };
            column.set_padding((0, u16::try_from(gap).unwrap_or(0)));
            if self.columns[index].is_number {
                column.set_cell_alignment(CellAlignment::Right);
            }
            column.set_constraint(match width {
                Some(width) => {
                    let width = u16::try_from(width.max(&1) + gap).unwrap_or(u16::MAX);
                    total += usize::from(width);
                    ColumnConstraint::Absolute(Width::Fixed(width))
                }
                None => ColumnConstraint::Hidden,
            });
        }
        self.grid
            .set_content_arrangement(ContentArrangement::Dynamic);
        self.grid
            .set_width(u16::try_from(total).unwrap_or(u16::MAX));
        let has_head = self.columns.iter().any(|column| !column.head.is_empty());
        let mut tones = self.tones.into_iter();
        let mut text = String::new();
        for (number, line) in self.grid.lines().enumerate() {
            let line = line.trim_end();
            text.push_str(&match (has_head, number) {
                (true, 0) => Tone::Head.on_stdout(line),
                (true, _) => with_tone(line, tones.next().flatten()),
                (false, _) => line.to_owned(),
            });
            text.push('\n');
        }
        let left_out = self.columns.iter().zip(&widths);
        let left_out = left_out.filter(|(_, width)| width.is_none());
        let left_out: Vec<_> = left_out.map(|(column, _)| column.head).collect();
        if self.names_left_out && !left_out.is_empty() {
            let line = format!("no room for {}; --json has all", left_out.join(", "));
            for line in fold(&line, self.width.map_or(usize::MAX, usize::from), GAP) {
                text.push_str(&Tone::Aside.on_stdout(&line));
                text.push('\n');
            }
        }
        text
    }
}

/// `line` with the word in it that has a tone of its own, which begins a column.
fn with_tone(line: &str, toned: Option<(Tone, &'static str)>) -> String {
    let Some((tone, word)) = toned else {
        return line.to_owned();
    };
    match line.split_once(&format!("  {word}")) {
        Some((before, after)) => format!("{before}  {}{after}", tone.on_stdout(word)),
        None => line.to_owned(),
    }
}

/// How wide each column is to be so that all fit into `width`, given how wide each would like to
/// be; none for a column that is left out.
fn fit(columns: &[Column], natural: &[usize], width: usize) -> Vec<Option<usize>> {
    let least = |index: usize| match columns[index].flexible {
        Some(min) => natural[index].min(min),
        None => natural[index],
    };
    let mut shown: Vec<usize> = (0..natural.len()).collect();
    let needed = |shown: &[usize]| -> usize {
        let gaps = GAP * shown.len().saturating_sub(1);
        shown.iter().map(|index| least(*index)).sum::<usize>() + gaps
    };
    while needed(&shown) > width {
        let ranked = shown.iter().filter(|index| columns[**index].rank.is_some());
        let Some(least_wanted) = ranked.max_by_key(|index| columns[**index].rank).copied() else {
            break;
        };
        shown.retain(|index| *index != least_wanted);
    }
    let mut spare = width.saturating_sub(needed(&shown));
    let mut widths = vec![None; natural.len()];
    // What matters less than other columns do is widened before what stands in each row.
    shown.sort_by_key(|index| columns[*index].rank.unwrap_or(u8::MAX));
    for index in shown {
        let more = spare.min(natural[index] - least(index));
        spare -= more;
        widths[index] = Some(least(index) + more);
    }
    widths
}

fn escaped<S: AsRef<str>>(cells: impl IntoIterator<Item = S>) -> Row {
    let cells: Vec<_> = cells
        .into_iter()
        .map(|cell| Cell::new(escape_text(cell.as_ref())))
        .collect();
    Row::from(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_without_room_are_named_where_that_is_wished() {
        let columns = [
            Column::flexible("DAY", 10),
            Column::whole("SESSIONS").number().rank(1),
            Column::whole("95 % WITHIN").number().rank(2),
        ];
        let shown = |width| {
            let mut table = Table::new(&columns, Some(width)).naming_left_out();
            table.row(["2026-01-05", "12", "2.0 s"]);
            table.render()
        };
        let note = "\nno room for 95 % WITHIN;\n  --json has all\n";
        assert!(shown(24).ends_with(note), "{}", shown(24));
        assert!(!shown(80).contains("no room"));
    }

    #[test]
    fn where_no_terminal_is_one_long_text_pushes_no_column_out_of_sight() {
        let columns = [Column::flexible("A", 12), Column::flexible("B", 12)];
        let mut table = Table::new(&columns, None);
        table.row(["x".repeat(300), "y".repeat(300)]);
        let text = table.render();
        let widths: Vec<_> = text.lines().map(|line| line.chars().count()).collect();
        let least = UNFITTED_BESIDE_MAX + GAP;
        assert_eq!(widths, [least + 1, least + UNFITTED_MAX]);
    }
}
