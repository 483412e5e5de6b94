//! Bars: one value each, side by side.

use std::fmt::Write as _;

use super::svg::{Chart, Tone, number, percent, text};
use crate::wording::long;

/// Pixels of the highest bar, and those above it.
const HIGH: f64 = 96.0;
const ABOVE: f64 = 16.0;

/// Bars that have a label below: as many as fit a telephone.
const LABELLED_MAX: usize = 10;

/// A bar is at most this share of the width, so that two of them look like bars.
const WIDE_MAX: f64 = 0.08;

/// One bar.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bar {
    /// Its height, in seconds.
    pub seconds: f64,
    /// How it looks.
    pub tone: Tone,
    /// A word below it, if there is room.
    pub label: String,
    /// What it is, in words.
    pub title: String,
}

/// Draws `bars` in their order, the longest as high as there is room.
pub fn bars(chart: &Chart<'_>, bars: &[Bar]) -> String {
    let longest = bars.iter().map(|bar| bar.seconds).fold(0.0, f64::max);
    let baseline = ABOVE + HIGH;
    let mut out = format!(
        "<line x1=\"0\" y1=\"{baseline}\" x2=\"100%\" y2=\"{baseline}\"/>\n\
         <line x1=\"0\" y1=\"{ABOVE}\" x2=\"100%\" y2=\"{ABOVE}\" class=\"track\"/>\n\
         <text x=\"100%\" y=\"{}\" text-anchor=\"end\">{}</text>\n",
        ABOVE - 4.0,
        long(longest),
    );
    let count = u32::try_from(bars.len()).map_or(f64::INFINITY, f64::from);
    let slot = (1.0 / count).min(WIDE_MAX);
    let labelled = bars.len().div_ceil(LABELLED_MAX).max(1);
    let mut left = 0.0;
    for (index, bar) in bars.iter().enumerate() {
        let high = match bar.seconds / longest {
            share if share.is_finite() => share.clamp(0.0, 1.0) * HIGH,
            _ => 0.0,
        };
        let _ = writeln!(
            out,
            "<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{}</title></rect>",
            bar.tone.class(),
            percent(left + slot * 0.15, 1.0),
            number(baseline - high),
            percent(slot * 0.7, 1.0),
            number(high),
            text(&bar.title),
        );
        if index % labelled == 0 {
            let _ = writeln!(
                out,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                percent(left + slot / 2.0, 1.0),
                baseline + 16.0,
                text(&bar.label),
            );
        }
        left += slot;
    }
    chart.svg(132, &out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_is_the_highest() {
        let chart = Chart {
            id: "b",
            title: "Time",
            words: "",
        };
        let bar = |seconds| Bar {
            seconds,
            tone: Tone::Bad,
            label: "x".to_owned(),
            title: "t".to_owned(),
        };
        let svg = bars(&chart, &[bar(1.0), bar(4.0)]);
        assert!(
            svg.contains("height=\"24\"") && svg.contains("height=\"96\""),
            "{svg}"
        );
        assert!(svg.contains(">4 s</text>"), "{svg}");
        let many: Vec<_> = (0..1000).map(|_| bar(0.0)).collect();
        let svg = bars(&chart, &many);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        assert!(svg.matches(">x</text>").count() <= LABELLED_MAX);
    }
}
