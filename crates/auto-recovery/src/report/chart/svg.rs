//! Frame and letters of a chart.

use crate::report::markup::escaped;

/// The rules of all charts, for the `<style>` of their page.
pub const STYLE: &str = include_str!("chart.css");

/// Bytes of a text in a chart, escaped.
const TEXT_BYTES_MAX: usize = 160;

/// How a mark looks. It is never the only sign: titles and labels say the same in words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// It went well.
    Good,
    /// It did not.
    Bad,
    /// It did not, and was undone.
    Undone,
    /// It went well, with a doubt.
    Doubtful,
    /// Neither.
    #[default]
    Plain,
}

impl Tone {
    /// The class of a mark in this tone.
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Undone => "undone",
            Self::Doubtful => "doubtful",
            Self::Plain => "plain",
        }
    }
}

/// What a chart is called, and what it says in words to who cannot see it.
#[derive(Clone, Copy, Debug)]
pub struct Chart<'a> {
    /// An id that its page has once: letters, digits and hyphens.
    pub id: &'a str,
    /// Its name.
    pub title: &'a str,
    /// What it shows, in a sentence.
    pub words: &'a str,
}

impl Chart<'_> {
    /// The drawing `content`, `height` pixels high, as an image with a name.
    pub(super) fn svg(&self, height: u32, content: &str) -> String {
        let Self { id, title, words } = self;
        let id: String = id
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
            .collect();
        format!(
            "<svg class=\"chart\" role=\"img\" width=\"100%\" height=\"{height}\" \
             aria-labelledby=\"{id}-title {id}-words\">\n<title id=\"{id}-title\">{}</title>\n\
             <desc id=\"{id}-words\">{}</desc>\n{content}</svg>\n",
            text(title),
            escaped(words, 4 * TEXT_BYTES_MAX),
        )
    }
}

/// `text`, escaped and cut.
pub(super) fn text(text: &str) -> String {
    escaped(text, TEXT_BYTES_MAX)
}

/// `part` of `whole` in percent, of two decimals at most.
pub(super) fn percent(part: f64, whole: f64) -> String {
    let share = part / whole;
    let share = if share.is_finite() { share } else { 0.0 };
    number(share.clamp(0.0, 1.0) * 100.0) + "%"
}

/// `value` with two decimals at most.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The first of the round distances from which at most `ticks_max` cover `seconds`.
pub(super) fn step(seconds: f64, ticks_max: u32) -> f64 {
    const ROUND: [f64; 30] = [
        0.01,
        0.02,
        0.05,
        0.1,
        0.2,
        0.5,
        1.0,
        2.0,
        5.0,
        10.0,
        15.0,
        30.0,
        60.0,
        120.0,
        300.0,
        600.0,
        900.0,
        1800.0,
        3600.0,
        7200.0,
        10_800.0,
        21_600.0,
        43_200.0,
        86_400.0,
        172_800.0,
        604_800.0,
        2_592_000.0,
        7_776_000.0,
        31_536_000.0,
        315_360_000.0,
    ];
    let fits = |step: &f64| seconds / step <= f64::from(ticks_max);
    ROUND.into_iter().find(fits).unwrap_or(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        let check = |part: f64, whole: f64, expected: &str| {
            assert_eq!(percent(part, whole), expected);
        };
        check(1.0, 3.0, "33.33%");
        check(1.0, 2.0, "50%");
        check(0.0, 0.0, "0%");
        check(1.0, 0.0, "0%");
        check(5.0, 2.0, "100%");
        check(f64::NAN, 2.0, "0%");
    }

    #[test]
    fn ticks_are_few_and_round() {
        let check = |seconds: f64, expected: f64| {
            let step = step(seconds, 5);
            assert!((step - expected).abs() < 1e-9, "{seconds}: {step}");
        };
        check(0.4, 0.1);
        check(2.8, 1.0);
        check(61.0, 15.0);
        check(31_000.0, 7_200.0);
        check(1e12, 1e12);
    }

    #[test]
    fn an_id_cannot_leave_its_attribute() {
        let chart = Chart {
            id: "a\"><script>",
            title: "</title><script>",
            words: "<",
        };
        let svg = chart.svg(10, "");
        assert!(svg.contains("id=\"ascript-title\""), "{svg}");
        assert!(!svg.contains("<script"), "{svg}");
    }
}
