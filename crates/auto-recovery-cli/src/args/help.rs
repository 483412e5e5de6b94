//! Help that fits the terminal. Prose is filled to its width, examples keep their lines; what an
//! example says of itself goes below it where there is no room beside it.

use clap::{Command, CommandFactory as _};

use crate::args::Cli;
use crate::output::fold;

/// The widest that help becomes: longer lines are hard to read.
const COLUMNS_MAX: u16 = 100;
/// Blanks before what an example says of itself, where that is below it.
const BELOW_EXAMPLE: usize = 4;

/// The command line, with its help laid out for a terminal of `columns`.
pub(crate) fn fitted(columns: u16) -> Command {
    let columns = columns.min(COLUMNS_MAX).into();
    fit(Cli::command().term_width(columns), columns)
}

fn fit(mut command: Command, columns: usize) -> Command {
    let laid_out = |text: &clap::builder::StyledStr| lay_out(&text.to_string(), columns);
    if let Some(text) = command.get_after_help().map(laid_out) {
        command = command.after_help(text);
    }
    if let Some(text) = command.get_after_long_help().map(laid_out) {
        command = command.after_long_help(text);
    }
    command.mut_subcommands(|below| fit(below, columns))
}

/// `text` for a terminal of `columns`. Lines that are set in are lines; those that are not make
/// paragraphs, which an empty line or one that is set in ends.
fn lay_out(text: &str, columns: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for block in text.split("\n\n") {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let mut paragraph = String::new();
        let beside = block.lines().all(|line| has_room(line, columns));
        for line in block.lines() {
            if !line.starts_with(' ') {
                let blank = if paragraph.is_empty() { "" } else { " " };
                paragraph.push_str(&format!("{blank}{line}"));
                continue;
            }
            end_paragraph(&mut paragraph, columns, &mut lines);
            push_example(line, beside, columns, &mut lines);
        }
        end_paragraph(&mut paragraph, columns, &mut lines);
    }
    lines.join("\n")
}

fn end_paragraph(paragraph: &mut String, columns: usize, lines: &mut Vec<String>) {
    if !paragraph.is_empty() {
        lines.extend(fold(paragraph, columns, 0));
        paragraph.clear();
    }
}

/// Adds an example, what it says of itself `beside` it or below.
fn push_example(line: &str, beside: bool, columns: usize, lines: &mut Vec<String>) {
    let lead = line.len() - line.trim_start().len();
    let below = lead + BELOW_EXAMPLE;
    match said_of(line).filter(|_| !beside) {
        // What is said below an example, in a line of its own.
        None if lead > BELOW_EXAMPLE => lines.extend(fold(line, columns, lead)),
        None => lines.extend(fold(line, columns, below)),
        Some((example, says)) => {
            lines.extend(fold(example, columns, below));
            lines.extend(fold(&format!("{:below$}{says}", ""), columns, below));
        }
    }
}

/// An example, and what it says of itself behind a gap.
fn said_of(line: &str) -> Option<(&str, &str)> {
    let lead = line.len() - line.trim_start().len();
    let gap = lead + line[lead..].find("  ")?;
    Some((&line[..gap], line[gap..].trim_start()))
}

fn has_room(line: &str, columns: usize) -> bool {
    !line.starts_with(' ') || said_of(line).is_none() || line.chars().count() <= columns
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The help of each command, long and short.
    fn all(columns: u16) -> Vec<String> {
        let mut root = fitted(columns);
        let mut texts = vec![root.render_help(), root.render_long_help()];
        root.build();
        for command in root.get_subcommands_mut() {
            texts.extend([command.render_help(), command.render_long_help()]);
        }
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn no_line_of_any_help_is_wider_than_the_terminal() {
        for columns in [60, 80, 100, 120] {
            for text in all(columns) {
                let wide = |line: &&str| line.chars().count() > usize::from(columns);
                assert_eq!(text.lines().find(wide), None, "at {columns}");
            }
        }
    }

    #[test]
    fn no_line_of_prose_is_broken_before_it_is_full() {
        for columns in [60, 80, 100] {
            for text in all(columns) {
                for pair in text.lines().collect::<Vec<_>>().windows(2) {
                    let lead = |line: &str| line.len() - line.trim_start().len();
                    let is_prose = !pair[1].trim().is_empty()
                        && lead(pair[0]) == lead(pair[1])
                        && lead(pair[0]) != 2
                        && pair[1].trim_start().starts_with(|c: char| c.is_lowercase())
                        && !pair[1].trim_start().starts_with("recover ")
                        && !pair[0].contains("   ");
                    let next = pair[1].split_whitespace().next().unwrap_or_default();
                    let one = pair[0].chars().count() + 1 + next.chars().count();
                    let has_tick = pair[1].contains('`');
                    assert!(
                        !is_prose || has_tick || one > usize::from(columns),
                        "at {columns}: {pair:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_an_example_says_goes_below_it_where_there_is_no_room() {
        let text = "Examples:\n  recover a       does one\n  recover bb --c  does two\n\nProse that\nis one.";
        let wide = "Examples:\n  recover a       does one\n  recover bb --c  does two\n\nProse that is one.";
        assert_eq!(lay_out(text, 40), wide);
        let narrow = "Examples:\n  recover a\n      does one\n  recover bb --c\n      does two\n\nProse \
                      that is one.";
        assert_eq!(lay_out(text, 20), narrow);
    }

    #[test]
    fn every_example_is_a_line_at_80_columns() {
        let root = Cli::command();
        for command in root.get_subcommands() {
            let Some(text) = command.get_after_long_help() else {
                continue;
            };
            for line in text.to_string().lines() {
                let example = said_of(line).map_or(line, |(example, _)| example);
                let is_example = example.starts_with("  recover");
                assert!(!is_example || example.chars().count() <= 80, "{example}");
            }
        }
    }
}
