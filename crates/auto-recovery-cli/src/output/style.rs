//! Colours and weights on terminals, where the user wants them. What they say, the words say too.
//!
//! Text from outside is escaped here, before anything of ours is put around it.

use std::io::{self, IsTerminal as _};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum as _;

use crate::output::escape_text;
use crate::output::fold::{breaks, indent_within};

/// What a text is, as far as its looks tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing special.
    Plain,
    /// What leads a line or a block.
    Head,
    /// What is there to be looked up, not to be read first.
    Aside,
    /// Verified, recovered, added.
    Good,
    /// Failed, removed.
    Bad,
    /// Neither.
    Doubtful,
}

impl Tone {
    fn style(self) -> Style {
        let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        match self {
            Self::Plain => Style::new(),
            Self::Head => Style::new().bold(),
            Self::Aside => Style::new().dimmed(),
            Self::Good => colour(AnsiColor::Green),
            Self::Bad => colour(AnsiColor::Red),
            Self::Doubtful => colour(AnsiColor::Yellow),
        }
    }

    /// `text`, which is harmless, in this tone if it goes to a stream that is `coloured`.
    fn around(self, text: &str, coloured: bool) -> String {
        match coloured && self != Self::Plain && !text.is_empty() {
            true => format!("{0}{text}{0:#}", self.style()),
            false => text.to_owned(),
        }
    }

    /// `text`, which is harmless, as stdout shows it.
    pub(crate) fn on_stdout(self, text: &str) -> String {
        self.around(text, STDOUT_IS_COLOURED.load(Ordering::Relaxed))
    }
}

/// A line of several tones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line(Vec<(Tone, String)>);

impl Line {
    /// A line of one tone.
    pub(crate) fn of(tone: Tone, text: impl Into<String>) -> Self {
        Self::default().and(tone, text)
    }

    /// The same line, with `text` behind it.
    pub(crate) fn and(mut self, tone: Tone, text: impl Into<String>) -> Self {
        self.0.push((tone, text.into()));
        self
    }

    /// The same line, with `other` behind it.
    pub(crate) fn join(mut self, other: &Self) -> Self {
        self.0.extend(other.0.iter().cloned());
        self
    }

    /// The line with each text changed by `change`.
    pub(crate) fn map(self, change: impl Fn(&str) -> String) -> Self {
        let parts = self.0.into_iter();
        Self(parts.map(|(tone, text)| (tone, change(&text))).collect())
    }

    /// Its text.
    pub(crate) fn text(&self) -> String {
        self.0.iter().map(|(_, text)| &**text).collect()
    }

    /// The line as stderr shows it, harmless. On a terminal of `columns` it is several lines where
    /// it would be wider, those below the first set in by `indent`.
    pub(crate) fn on_stderr(&self, columns: Option<u16>, indent: usize) -> String {
        let coloured = STDERR_IS_COLOURED.load(Ordering::Relaxed);
        let parts = self.0.iter().map(|(tone, text)| (*tone, escape_text(text)));
        let parts: Vec<_> = parts.collect();
        let text: String = parts.iter().map(|(_, text)| &**text).collect();
        let columns = columns.map_or(usize::MAX, usize::from);
        let indent = indent_within(columns, indent);
        let lines = breaks(&text, columns, indent);
        let lines = lines.into_iter().map(|line| {
            let mut at = 0;
            let shown = parts.iter().map(|(tone, part)| {
                let range = at..at + part.len();
                at = range.end;
                let (from, to) = (line.start.max(range.start), line.end.min(range.end));
                match from < to {
                    true => tone.around(&text[from..to], coloured),
                    false => String::new(),
                }
            });
            shown.collect::<String>()
        });
        lines
            .collect::<Vec<_>>()
            .join(&format!("\n{}", " ".repeat(indent)))
    }
}

/// When there are colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal that can show them, unless the environment says no.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

impl ColorChoice {
    /// Its name in flags and files.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

impl FromStr for ColorChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut all = Self::value_variants().iter().copied();
        let named = all.find(|one| one.as_str() == text);
        named.ok_or_else(|| format!("`{text}` is no choice of colours: use auto, always or never"))
    }
}

/// What the environment says of colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ColorWish {
    /// Whether `NO_COLOR` is set.
    pub(crate) refused: bool,
    /// Whether `CLICOLOR_FORCE` is set to something else than 0.
    pub(crate) forced: bool,
    /// Whether `TERM` is `dumb`, or not set.
    pub(crate) is_dumb: bool,
}

static STDOUT_IS_COLOURED: AtomicBool = AtomicBool::new(false);
static STDERR_IS_COLOURED: AtomicBool = AtomicBool::new(false);

/// Decides for this process which of its streams are coloured.
pub(crate) fn decide_colours(choice: ColorChoice, wish: ColorWish) {
    let stdout = is_coloured(choice, wish, io::stdout().is_terminal());
    let stderr = is_coloured(choice, wish, io::stderr().is_terminal());
    STDOUT_IS_COLOURED.store(stdout, Ordering::Relaxed);
    STDERR_IS_COLOURED.store(stderr, Ordering::Relaxed);
}

fn is_coloured(choice: ColorChoice, wish: ColorWish, is_terminal: bool) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if wish.refused => false,
        ColorChoice::Auto => wish.forced || (is_terminal && !wish.is_dumb),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_comes_before_the_environment_and_that_before_the_terminal() {
        let wish = |refused, forced, is_dumb| ColorWish {
            refused,
            forced,
            is_dumb,
        };
        for (choice, wish, is_terminal, expected) in [
            (ColorChoice::Auto, wish(false, false, false), true, true),
            (ColorChoice::Auto, wish(false, false, false), false, false),
            (ColorChoice::Auto, wish(false, false, true), true, false),
            (ColorChoice::Auto, wish(false, true, true), false, true),
            (ColorChoice::Auto, wish(true, true, false), true, false),
            (ColorChoice::Always, wish(true, false, true), false, true),
            (ColorChoice::Never, wish(false, true, false), true, false),
        ] {
            assert_eq!(is_coloured(choice, wish, is_terminal), expected);
        }
    }

    #[test]
    fn what_came_from_outside_is_harmless_before_it_is_coloured() {
        let tone = Tone::Bad.around(&escape_text("\x1b[1mx"), true);
        assert_eq!(tone, "\x1b[31m\\x1b[1mx\x1b[0m");
        assert_eq!(Tone::Plain.around("x", true), "x");
    }

    #[test]
    fn a_line_is_folded_across_its_tones_and_whole_where_there_is_no_terminal() {
        let line = Line::of(Tone::Aside, "recover:").and(Tone::Bad, " error: nothing is there");
        assert_eq!(line.on_stderr(None, 2), "recover: error: nothing is there");
        let folded = "recover: error:\n  nothing is there";
        assert_eq!(line.on_stderr(Some(18), 2), folded);
    }
}
