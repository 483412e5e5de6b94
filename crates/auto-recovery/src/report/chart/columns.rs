//! Columns: how many of each, side by side; and the same so small that it fits into a line of text.

use std::fmt::Write as _;

use super::svg::{Chart, Tone, number, percent, text};

/// Pixels of the highest column, and those above it.
const HIGH: f64 = 96.0;
const ABOVE: f64 = 16.0;

/// Columns that have a label below: as many as fit a telephone.
const LABELLED_MAX: usize = 6;

/// A column is at most this share of the width.
const WIDE_MAX: f64 = 0.12;

/// Pixels of a sparkline: its height, and each column with the gap behind it.
const SPARK_HIGH: f64 = 18.0;
const SPARK_WIDE: usize = 6;

/// One column: its parts stand upon each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Column {
    /// How many there are in each tone, from below.
    pub parts: Vec<(u64, Tone)>,
    /// A word below it, if there is room.
    pub label: String,
    /// What it is, in words.
    pub title: String,
}

impl Column {
    fn count(&self) -> u64 {
        self.parts.iter().map(|(count, _)| count).sum()
    }
}

/// Draws `columns` in their order, the fullest as high as there is room.
pub fn columns(chart: &Chart<'_>, columns: &[Column]) -> String {
    let most = columns.iter().map(Column::count).max().unwrap_or(0);
    let baseline = ABOVE + HIGH;
    let mut out = format!(
        "<line x1=\"0\" y1=\"{baseline}\" x2=\"100%\" y2=\"{baseline}\"/>\n\
         <line x1=\"0\" y1=\"{ABOVE}\" x2=\"100%\" y2=\"{ABOVE}\" class=\"track\"/>\n\
         <text x=\"100%\" y=\"{}\" text-anchor=\"end\">{most}</text>\n",
        ABOVE - 4.0,
    );
    let slot = (1.0 / float(columns.len() as u64)).min(WIDE_MAX);
    let labelled = columns.len().div_ceil(LABELLED_MAX).max(1);
    let mut left = 0.0;
    for (index, column) in columns.iter().enumerate() {
        let mut bottom = baseline;
        for (count, tone) in column.parts.iter().filter(|(count, _)| *count > 0) {
            let high = HIGH * float(*count) / float(most);
            bottom -= high;
            let _ = writeln!(
                out,
                "<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}</title></rect>",
                tone.class(),
                percent(left + slot * 0.1, 1.0),
                number(bottom),
                percent(slot * 0.8, 1.0),
                number(high),
                text(&column.title),
            );
        }
        if index % labelled == 0 {
            let _ = writeln!(
                out,
                "<text x=\"{}\" y=\"{}\">{}</text>",
                percent(left + slot * 0.1, 1.0),
                baseline + 16.0,
                text(&column.label),
            );
        }
        left += slot;
    }
    chart.svg(132, &out)
}

/// Draws `counts` as columns in a line of text; `words` says the same.
pub fn sparkline(counts: &[u64], words: &str) -> String {
    let most = float(counts.iter().copied().max().unwrap_or(0));
    let mut out = format!(
        "<svg class=\"chart spark\" role=\"img\" width=\"{}\" height=\"{SPARK_HIGH}\" aria-label=\"{}\">",
        counts.len() * SPARK_WIDE,
        text(words),
    );
    for (index, count) in counts.iter().enumerate() {
        // What is there is seen, however little it is of the most.
        let high = match *count {
            0 => 1.0,
            count => (SPARK_HIGH * float(count) / most).max(3.0),
        };
        let class = if *count == 0 { "track" } else { "plain" };
        let _ = write!(
            out,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
            index * SPARK_WIDE,
            number(SPARK_HIGH - high),
            SPARK_WIDE - 2,
            number(high),
        );
    }
    out + "</svg>"
}

fn float(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fullest_column_is_the_highest() {
        let chart = Chart {
            id: "c",
            title: "Days",
            words: "",
        };
        let column = |good, bad| Column {
            parts: vec![(good, Tone::Good), (bad, Tone::Bad)],
            label: "<x>".to_owned(),
            title: "t".to_owned(),
        };
        let svg = columns(&chart, &[column(1, 3), column(1, 0)]);
        assert!(
            svg.contains("y=\"16\" width=\"9.6%\" height=\"72\""),
            "{svg}"
        );
        assert_eq!(svg.matches("height=\"24\"").count(), 2, "{svg}");
        assert!(
            svg.contains(">4</text>") && svg.contains("&lt;x&gt;"),
            "{svg}"
        );
        let none = columns(&chart, &[]);
        assert!(!none.contains("NaN") && !none.contains("inf"), "{none}");
        let many: Vec<_> = (0..1000).map(|_| column(0, 0)).collect();
        let svg = columns(&chart, &many);
        assert!(!svg.contains("NaN") && svg.matches("&lt;x&gt;").count() <= LABELLED_MAX);
    }

    #[test]
    fn a_sparkline_has_a_column_for_each_number() {
        let svg = sparkline(&[0, 1, 1000], "\"<b>");
        assert_eq!(svg.matches("<rect").count(), 3);
        assert!(
            svg.contains("height=\"3\"") && svg.contains("y=\"0\""),
            "{svg}"
        );
        assert!(svg.contains("aria-label=\"&quot;&lt;b&gt;\""), "{svg}");
        assert!(!sparkline(&[0], "").contains("NaN"));
    }
}
