//! A time line: what happened when, and how long it took.

use std::fmt::Write as _;

use super::svg::{Chart, Tone, percent, step, text};
use crate::wording::long;

/// The share of the width that a label takes on a telephone.
const LABEL_SHARE: f64 = 0.085;

/// Ticks of the axis, at most: their labels fit a telephone.
const TICKS_MAX: u32 = 5;

/// Beyond this share of the width, a label ends at its tick.
const LAST_LABEL_SHARE: f64 = 0.94;

/// Something that took its time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Span {
    /// When it began, in seconds from the beginning of the line.
    pub start_seconds: f64,
    /// How long it took.
    pub seconds: f64,
    /// How it looks.
    pub tone: Tone,
    /// A word above it, if there is room.
    pub label: String,
    /// What it is, in words.
    pub title: String,
}

/// Draws `spans` along a line of `seconds`.
pub fn time_line(chart: &Chart<'_>, spans: &[Span], seconds: f64) -> String {
    let mut out =
        String::from("<line class=\"track\" x1=\"0\" y1=\"34\" x2=\"100%\" y2=\"34\"/>\n");
    for span in spans {
        let start = percent(span.start_seconds, seconds);
        let _ = writeln!(
            out,
            "<rect class=\"{}\" x=\"{start}\" y=\"18\" width=\"{}\" height=\"32\"><title>{}</title></rect>",
            span.tone.class(),
            percent(span.seconds, seconds),
            text(&span.title),
        );
    }
    for (span, at) in labelled(spans, seconds) {
        let (x, anchor) = match at > LAST_LABEL_SHARE {
            true => (percent(1.0, 1.0), " text-anchor=\"end\""),
            false => (percent(at, 1.0), ""),
        };
        let label = text(&span.label);
        let _ = writeln!(out, "<text x=\"{x}\" y=\"12\"{anchor}>{label}</text>");
    }
    out.push_str(&axis(seconds));
    chart.svg(76, &out)
}

/// The spans whose labels have room, each with its place; of two too close, one that went well has
/// it, else the wider.
fn labelled(spans: &[Span], seconds: f64) -> Vec<(&Span, f64)> {
    let rank = |span: &Span| {
        (
            matches!(span.tone, Tone::Good | Tone::Doubtful),
            span.seconds,
        )
    };
    let share = |span: &Span| match seconds > 0.0 {
        true => (span.start_seconds / seconds).clamp(0.0, 1.0 - LABEL_SHARE / 2.0),
        false => 0.0,
    };
    let named = spans.iter().filter(|span| !span.label.is_empty());
    let mut placed: Vec<_> = named.map(|span| (span, share(span))).collect();
    // Attempts that others recorded are in the order of their ends.
    placed.sort_by(|(_, one), (_, other)| one.total_cmp(other));
    let mut kept: Vec<(&Span, f64)> = Vec::new();
    for (span, at) in placed {
        match kept.last_mut() {
            Some((before, there)) if at - *there < LABEL_SHARE => {
                if rank(span) > rank(before) {
                    (*before, *there) = (span, at);
                }
            }
            _ => kept.push((span, at)),
        }
    }
    kept
}

/// The axis below: a line, and a tick with its time at each round distance.
fn axis(seconds: f64) -> String {
    let mut out = String::from("<line x1=\"0\" y1=\"56\" x2=\"100%\" y2=\"56\"/>\n");
    let step = step(seconds, TICKS_MAX);
    let ticks = (0..=TICKS_MAX).map(|tick| f64::from(tick) * step);
    for at in ticks.take_while(|at| *at <= seconds) {
        let x = percent(at, seconds);
        let anchor = match at / seconds {
            share if share > LAST_LABEL_SHARE => "end",
            share if share > 0.0 => "middle",
            _ => "start",
        };
        let _ = writeln!(
            out,
            "<line x1=\"{x}\" y1=\"56\" x2=\"{x}\" y2=\"60\"/>\
             <text x=\"{x}\" y=\"73\" text-anchor=\"{anchor}\">{}</text>",
            long(at),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start_seconds: f64, seconds: f64) -> Span {
        Span {
            start_seconds,
            seconds,
            label: "1".to_owned(),
            title: "<1>".to_owned(),
            ..Span::default()
        }
    }

    const CHART: Chart<'_> = Chart {
        id: "t",
        title: "Time line",
        words: "1 attempt",
    };

    #[test]
    fn spans_stand_where_they_happened() {
        let svg = time_line(&CHART, &[span(1.0, 0.5)], 2.0);
        let expected = "<rect class=\"plain\" x=\"50%\" y=\"18\" width=\"25%\" height=\"32\">\
                        <title>&lt;1&gt;</title></rect>";
        assert!(svg.contains(expected), "{svg}");
        assert!(
            svg.contains(">0.5 s</text>") && svg.contains(">2 s</text>"),
            "{svg}"
        );
        assert_eq!(svg, time_line(&CHART, &[span(1.0, 0.5)], 2.0));
    }

    #[test]
    fn labels_do_not_stand_on_each_other() {
        let spans: Vec<_> = (0..1000u32).map(|at| span(f64::from(at), 0.5)).collect();
        let svg = time_line(&CHART, &spans, 1000.0);
        assert!(svg.matches(">1</text>").count() <= 12, "{svg}");
        let svg = time_line(&CHART, &[span(0.0, 0.1), span(0.2, 2.0)], 10.0);
        assert_eq!(svg.matches(">1</text>").count(), 1);
        assert!(svg.contains("<text x=\"2%\" y=\"12\">1</text>"), "{svg}");
        let back: Vec<_> = (0..1000u32)
            .map(|at| span(f64::from(1000 - at), 0.5))
            .collect();
        let svg = time_line(&CHART, &back, 1000.0);
        assert!(svg.matches(">1</text>").count() <= 12, "{svg}");
        let at_once = vec![span(0.0, 0.0); 1000];
        let svg = time_line(&CHART, &at_once, 0.0);
        assert_eq!(svg.matches(">1</text>").count(), 1, "{svg}");
    }

    #[test]
    fn a_line_without_length_is_drawn_all_the_same() {
        let svg = time_line(&CHART, &[span(0.0, 0.0)], 0.0);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
