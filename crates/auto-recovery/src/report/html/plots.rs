//! The charts of a session: its time line, how long each attempt took, and what came of them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::report::chart::{self, Bar, Chart, Share, Span, Tone};
use crate::report::story::Story;
use crate::statistics::instant;
use crate::wording::long;
use crate::wording::{counted, cut};

/// Characters of a strategy's name in a mark's title.
const NAME_CHARS_MAX: usize = 24;

/// An attempt as a mark.
pub(super) struct Mark {
    pub(super) number: u64,
    pub(super) strategy: String,
    /// When it ended, in microseconds since the epoch.
    pub(super) ended_us: Option<i64>,
    pub(super) seconds: f64,
    pub(super) result: &'static str,
    pub(super) tone: Tone,
}

impl Mark {
    fn title(&self) -> String {
        format!(
            "{}. {}: {}, {}",
            self.number,
            cut(&self.strategy, NAME_CHARS_MAX),
            self.result,
            long(self.seconds)
        )
    }

    fn began_us(&self) -> Option<i64> {
        Some(self.ended_us?.saturating_sub(micros(self.seconds)))
    }
}

fn micros(seconds: f64) -> i64 {
    let length = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default();
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}

/// The seconds from `from` to `to`.
fn between(from: i64, to: i64) -> f64 {
    let micros = u64::try_from(to.saturating_sub(from)).unwrap_or(0);
    Duration::from_micros(micros).as_secs_f64()
}

/// The time line of a session: its attempts, from when its failure was seen. Empty if nothing has a
/// time.
pub(super) fn time_line(story: &Story, marks: &[Mark]) -> String {
    let moment = |text: Option<&String>| text.and_then(|text| instant(text));
    let ended = moment(story.finished_at.as_ref());
    let failed = moment(story.failed_at.as_ref());
    let starts = marks.iter().filter_map(Mark::began_us);
    let ends = marks.iter().filter_map(|mark| mark.ended_us);
    let Some(origin) = starts.chain(failed).min() else {
        return String::new();
    };
    let last = ends.chain(ended).max();
    let whole = between(origin, last.unwrap_or(origin));
    let spans: Vec<_> = marks
        .iter()
        .filter_map(|mark| {
            Some(Span {
                start_seconds: between(origin, mark.began_us()?),
                seconds: mark.seconds,
                tone: mark.tone,
                label: format!("{}{}", mark.number, sign(mark.tone)),
                title: mark.title(),
            })
        })
        .collect();
    if spans.is_empty() {
        return String::new();
    }
    let words = format!(
        "{} in {}, each where it began and as long as it took",
        counted(marks.len() as u64, "attempt"),
        long(whole)
    );
    let chart = Chart {
        id: "time-line",
        title: "Time line",
        words: &words,
    };
    figure("Time line", &chart::time_line(&chart, &spans, whole))
}

fn sign(tone: Tone) -> &'static str {
    match tone {
        Tone::Good | Tone::Doubtful => " ✔",
        Tone::Bad | Tone::Undone => " ✘",
        Tone::Plain => "",
    }
}

/// How long each attempt took, and what came of how many. Empty for a single attempt, which its
/// row says whole.
pub(super) fn plots(marks: &[Mark]) -> String {
    if marks.len() < 2 {
        return String::new();
    }
    let bars: Vec<_> = marks
        .iter()
        .map(|mark| Bar {
            seconds: mark.seconds,
            tone: mark.tone,
            label: mark.number.to_string(),
            title: mark.title(),
        })
        .collect();
    let mut results: BTreeMap<(Tone, &str), u64> = BTreeMap::new();
    for mark in marks {
        *results.entry((mark.tone, mark.result)).or_default() += 1;
    }
    let shares: Vec<_> = results
        .into_iter()
        .map(|((tone, label), count)| Share {
            count,
            tone,
            label: label.to_owned(),
        })
        .collect();
    let longest = marks.iter().map(|mark| mark.seconds).fold(0.0, f64::max);
    let words = format!(
        "{}, the longest of {}",
        counted(marks.len() as u64, "attempt"),
        long(longest)
    );
    let time = Chart {
        id: "times",
        title: "Time by attempt",
        words: &words,
    };
    let parts = shares
        .iter()
        .map(|share| format!("{} {}", share.count, share.label));
    let words = parts.collect::<Vec<_>>().join(", ");
    let outcomes = Chart {
        id: "results",
        title: "Results",
        words: &words,
    };
    format!(
        "<div class=\"plots\">\n{}{}</div>\n",
        figure(time.title, &chart::bars(&time, &bars)),
        figure(outcomes.title, &chart::shares(&outcomes, &shares)),
    )
}

fn figure(caption: &str, svg: &str) -> String {
    format!("<figure class=\"plot\">\n<figcaption>{caption}</figcaption>\n{svg}</figure>\n")
}
