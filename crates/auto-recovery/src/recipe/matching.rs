//! Whether a recipe fits a failure, and the command it then makes.

use crate::failure::{Category, Failure};
use crate::recipe::words::{Words, base_name, plain_words};
use crate::recipe::{Recipe, Remedy};

/// What failed.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The command.
    pub argv: &'a [String],
    /// Its failure; `None` stands for any failure of the category, as in a plan made beforehand.
    pub failure: Option<&'a Failure>,
    /// The category of that.
    pub category: Category,
    /// What the command printed, or the telling part of it.
    pub output: &'a str,
}

/// What a recipe would run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate<'r> {
    /// The recipe.
    pub recipe: &'r Recipe,
    /// The command it makes.
    pub argv: Vec<String>,
}

/// Lines of output that are searched for a command a task runner announced: task runners do that
/// before they run it, so it stands at the beginning or just before the failure.
const ECHO_LINES_MAX: usize = 2_000;
/// A longer line is no command that somebody reads.
const ECHO_LINE_BYTES_MAX: usize = 1_000;
/// In the command of a recipe, stands for the arguments of the failing one.
const ARGUMENTS: &str = "{args}";
/// What task runners put before the command they announce: `sh -x` and others.
const ECHO_MARKS: [&str; 2] = ["+ ", "Run "];
/// The same for those that run scripts of a `package.json`, npm and yarn among them. They find
/// programs where no shell would look.
const PACKAGE_MARKS: [&str; 2] = ["> ", "$ "];
/// What finds those programs for us; it takes no other than an installed one.
const PACKAGE_RUNNER: [&str; 2] = ["npx", "--no-install"];

/// A command that a task runner announced.
struct Announced {
    argv: Vec<String>,
    /// Whether it is a script of a package, whose programs the package brings along.
    of_package: bool,
}

impl Recipe {
    /// What this recipe would run against `situation`; `None` if it does not fit.
    pub fn candidate(&self, situation: &Situation<'_>) -> Option<Candidate<'_>> {
        if self.off || !self.suits(situation) {
            return None;
        }
        let argv = self
            .command_from(situation.argv, situation.failure)
            .or_else(|| self.command_for_tool(situation))?;
        // A command that mends cannot be the one that failed: nothing would be different.
        (argv != situation.argv && !argv.is_empty()).then_some(Candidate { recipe: self, argv })
    }

    /// Whether it serves as `remedy`.
    pub fn is_for(&self, remedy: Remedy) -> bool {
        self.remedy == remedy
    }

    fn suits(&self, situation: &Situation<'_>) -> bool {
        let is_type = |failure: &Failure| self.types.contains(&failure.error_type);
        let says = |failure: &Failure| {
            self.messages
                .iter()
                .any(|word| failure.message.contains(word.as_str()))
        };
        (self.categories.is_empty() || self.categories.contains(&situation.category))
            && situation.failure.is_none_or(|failure| {
                (self.types.is_empty() || is_type(failure))
                    && (self.messages.is_empty() || says(failure))
            })
    }

    /// The mending command made from a command that was typed.
    fn command_from(&self, argv: &[String], failure: Option<&Failure>) -> Option<Vec<String>> {
        let words = Words::of(argv);
        let end = self
            .commands
            .iter()
            .find_map(|command| fits(command, &words.tool))?;
        let has = |wanted: &String| words.tool.iter().any(|word| is_flag(word, wanted));
        if (!self.with.is_empty() && !self.with.iter().any(has)) || self.without.iter().any(has) {
            return None;
        }
        let keep = |word: &&String| !self.drop.iter().any(|flag| is_flag(word, flag));
        if !self.run.is_empty() {
            let mut made = fill(&self.run, failure)?;
            if let Some(at) = made.iter().position(|word| word == ARGUMENTS) {
                made.splice(at..=at, words.tool[end..].iter().filter(keep).cloned());
            }
            return Some(made);
        }
        let mut made = words.before;
        made.extend(words.tool[..end].iter().filter(keep).cloned());
        made.extend(self.add.iter().cloned());
        made.extend(words.tool[end..].iter().filter(keep).cloned());
        Some(made)
    }

    /// The mending command for a tool that something else ran: made from the command that the
    /// output shows, else from the file that the failure names.
    fn command_for_tool(&self, situation: &Situation<'_>) -> Option<Vec<String>> {
        let source = &situation.failure?.source;
        if !self.tools.iter().any(|tool| tool == source) {
            return None;
        }
        let announced = situation
            .output
            .lines()
            .take(ECHO_LINES_MAX)
            .filter(|line| line.len() <= ECHO_LINE_BYTES_MAX)
            .flat_map(announced)
            .find_map(|announced| {
                let made = self.command_from(&announced.argv, situation.failure)?;
                Some(self.as_started(made, &announced))
            });
        announced.or_else(|| match self.on_file.is_empty() {
            true => None,
            false => fill(&self.on_file, situation.failure),
        })
    }

    /// `made` from a command that was announced, started as whoever announced it started that.
    fn as_started(&self, made: Vec<String>, announced: &Announced) -> Vec<String> {
        let is_of_packages = self
            .on_file
            .iter()
            .zip(PACKAGE_RUNNER)
            .all(|(word, own)| word == own);
        let starts_tool = Words::of(&announced.argv).before.is_empty();
        match announced.of_package && is_of_packages && starts_tool && !self.on_file.is_empty() {
            true => PACKAGE_RUNNER
                .map(str::to_owned)
                .into_iter()
                .chain(made)
                .collect(),
            false => made,
        }
    }
}

/// The commands that a task runner announced on `line`; a script of a package may chain several.
fn announced(line: &str) -> impl Iterator<Item = Announced> {
    let line = line.trim();
    let after = |marks: &[&'static str]| marks.iter().find_map(|mark| line.strip_prefix(mark));
    let (line, of_package) = match after(&PACKAGE_MARKS) {
        Some(script) => (script, true),
        None => (after(&ECHO_MARKS).unwrap_or(line), false),
    };
    line.split("&&")
        .filter_map(plain_words)
        .map(move |argv| Announced { argv, of_package })
}

/// Whether `tool` begins with the words of `command`; returns how many of its words those take.
/// Flags between them, such as `cargo +nightly fmt`, are stepped over.
fn fits(command: &str, tool: &[String]) -> Option<usize> {
    let mut wanted = command.split_ascii_whitespace();
    let mut end = 0;
    if !is_word(wanted.next()?, base_name(tool.first()?)) {
        return None;
    }
    for word in wanted {
        let rest = &tool[end + 1..];
        let step = rest
            .iter()
            .position(|given| !given.starts_with(['-', '+']))?;
        if !is_word(word, &rest[step]) {
            return None;
        }
        end += step + 1;
    }
    Some(end + 1)
}

/// Whether `given` is one of the spellings of `wanted`, `a|b`; `*` in one stands for anything.
fn is_word(wanted: &str, given: &str) -> bool {
    wanted
        .split('|')
        .any(|spelling| match spelling.split_once('*') {
            None => spelling == given,
            Some((start, end)) => {
                given.len() >= start.len() + end.len()
                    && given.starts_with(start)
                    && given.ends_with(end)
            }
        })
}

fn is_flag(word: &str, flag: &str) -> bool {
    word == flag
        || (flag.starts_with("--")
            && word
                .strip_prefix(flag)
                .is_some_and(|rest| rest.starts_with('=')))
}

/// `template` with its placeholders filled, left as they are before any failure; `None` if the
/// failure does not say what goes there, or says something that a program could take for an option.
fn fill(template: &[String], failure: Option<&Failure>) -> Option<Vec<String>> {
    let Some(failure) = failure else {
        return Some(template.to_vec());
    };
    template
        .iter()
        .map(|word| match word.as_str() {
            "{file}" => failure
                .file_path
                .clone()
                .filter(|file| !file.starts_with('-')),
            "{name}" => quoted(&failure.message).filter(|name| is_package_name(name)),
            _ => Some(word.clone()),
        })
        .collect()
}

fn quoted(text: &str) -> Option<String> {
    let start = text.find(['\'', '"', '`'])?;
    let quote = text[start..].chars().next()?;
    let rest = &text[start + 1..];
    Some(rest[..rest.find(quote)?].to_owned())
}

fn is_package_name(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "@/._-".contains(c);
    !name.is_empty() && !name.starts_with(['-', '.', '/']) && name.chars().all(is_word)
}
