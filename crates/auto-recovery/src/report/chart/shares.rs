//! Shares of a whole: one bar across, each part as wide as it counts.

use std::fmt::Write as _;

use super::svg::{Chart, Tone, percent, text};

/// Pixels above the names, and those of one name.
const LEGEND_Y: u32 = 36;
const LINE: u32 = 20;

/// One part of the whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Share {
    /// How many of the whole it is.
    pub count: u64,
    /// How it looks.
    pub tone: Tone,
    /// Its name.
    pub label: String,
}

/// Draws `shares` side by side, each with its name and number below. One that is none of the whole
/// is left out.
pub fn shares(chart: &Chart<'_>, shares: &[Share]) -> String {
    let parts: Vec<_> = shares.iter().filter(|share| share.count > 0).collect();
    let whole: f64 = parts.iter().map(|part| count(part)).sum();
    let mut out = String::new();
    let mut left = 0.0;
    for part in &parts {
        let _ = writeln!(
            out,
            "<rect class=\"{}\" x=\"{}\" y=\"4\" width=\"{}\" height=\"20\"><title>{}</title></rect>",
            part.tone.class(),
            percent(left, whole),
            percent(count(part), whole),
            text(&named(part)),
        );
        left += count(part);
    }
    let mut y = LEGEND_Y;
    for part in &parts {
        let _ = writeln!(
            out,
            "<rect class=\"{}\" x=\"0\" y=\"{y}\" width=\"10\" height=\"10\"/>\
             <text x=\"18\" y=\"{}\">{}</text>",
            part.tone.class(),
            y + 10,
            text(&named(part)),
        );
        y += LINE;
    }
    chart.svg(y, &out)
}

fn named(part: &Share) -> String {
    format!("{} {}", part.count, part.label)
}

fn count(part: &Share) -> f64 {
    u32::try_from(part.count).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_as_wide_as_they_count() {
        let chart = Chart {
            id: "s",
            title: "Results",
            words: "",
        };
        let share = |count, label: &str| Share {
            count,
            label: label.to_owned(),
            ..Share::default()
        };
        let all = [share(1, "cured"), share(3, "failed"), share(0, "flaky")];
        let svg = shares(&chart, &all);
        assert!(svg.contains("x=\"25%\" y=\"4\" width=\"75%\""), "{svg}");
        assert!(
            svg.contains(">3 failed</text>") && !svg.contains("flaky"),
            "{svg}"
        );
    }
}
