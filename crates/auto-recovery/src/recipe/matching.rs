//! Whether a recipe fits a failure, and the commands it then makes.

use std::ops::Range;

use super::flags::{is_flag, mended};
use super::heard::Heard;
use super::situation::Situation;
use crate::command_line::{Announced, Packages, Place, Words, base_name};
use crate::failure::{Category, Failure};
use crate::recipe::{Misfit, Recipe, Remedy};

/// What a recipe would run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate<'r> {
    /// The recipe.
    pub recipe: &'r Recipe,
    /// The command it makes.
    pub argv: Vec<String>,
    /// Where it runs, seen from where the failed command did.
    pub place: Place,
    /// Whether the tool runs among other files than ours, as in a container; then only the program
    /// that starts it can be looked for here.
    pub is_elsewhere: bool,
    /// Whether an output says what it works on or what starts it, rather than who typed it.
    pub is_told: bool,
    /// Which words of the command are files that the output names. They may be none of ours.
    pub files: Range<usize>,
}

impl<'r> Candidate<'r> {
    /// The same with the tool by its name alone, where it is started as a program of a package of
    /// Node.
    pub fn by_name(&self) -> Option<Candidate<'r>> {
        let by_name = self.argv.strip_prefix(&NODE_RUNNER.map(str::to_owned))?;
        let shorter = |at: usize| at.saturating_sub(NODE_RUNNER.len());
        by_name.first()?;
        Some(Candidate {
            recipe: self.recipe,
            argv: by_name.to_vec(),
            place: self.place.clone(),
            files: shorter(self.files.start)..shorter(self.files.end),
            ..*self
        })
    }

    fn told(mut self) -> Self {
        self.is_told = true;
        self
    }

    /// The first of its words, but for the files that the output names, that could lead it to what
    /// no undo reaches, as `is_within` knows the workspace. Whoever typed a command may give its
    /// options any value; one that an output shows may be anybody's, and all of it counts.
    pub fn leads_outside(&self, is_within: impl Fn(&str) -> bool) -> Option<&str> {
        let words = self.argv.iter().map(String::as_str);
        let before = std::iter::once("").chain(words.clone());
        let pairs = words.zip(before).enumerate().skip(1);
        let mut pairs = pairs.filter(|(at, _)| !self.files.contains(at));
        let found = pairs.find(|(_, (word, before))| match self.is_told {
            true => !paths_in(word).all(&is_within),
            false => {
                let is_value =
                    before.starts_with('-') && !self.recipe.add.iter().any(|own| own == before);
                !word.starts_with('-') && !is_value && !is_within(word)
            }
        });
        found.map(|(_, (word, _))| word)
    }
}

/// What a program could take for a path in a word: all of it, and the values in it.
fn paths_in(word: &str) -> impl Iterator<Item = &str> {
    let short = word.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
    let attached = short.and_then(|rest| rest.get(1..));
    let values = word.split(['=', ',', ':']);
    values.chain(attached).filter(|value| !value.is_empty())
}

/// Commands that one recipe makes against one failure, where a shell text runs its tool more than
/// once.
const CANDIDATES_MAX: usize = 4;
/// In the command of a recipe, stands for the arguments of the failing one.
const ARGUMENTS: &str = "{args}";
/// The same for the program of the failing one.
const TOOL: &str = "{tool}";
/// The same for the Python that ran the failing one.
const PYTHON: &str = "{python}";
/// The same for the file that the failure names.
const FILE: &str = "{file}";
/// Before a program in the command of a recipe: it stands in the folder that the failing one was
/// named from.
const BESIDE: &str = "{beside}";
/// What finds the programs of a package for us; neither takes any but an installed one.
const NODE_RUNNER: [&str; 2] = ["npx", "--no-install"];
const COMPOSER_RUNNER: [&str; 3] = ["composer", "exec", "--"];

impl Recipe {
    /// Whether it serves as `remedy`.
    pub fn is_for(&self, remedy: Remedy) -> bool {
        self.remedy == remedy
    }

    /// What it would run against what was heard, among `recipes`.
    pub(super) fn judge(
        &self,
        heard: &Heard<'_>,
        recipes: &[Self],
    ) -> Result<Vec<Candidate<'_>>, Misfit> {
        self.suits(&heard.situation)?;
        if self.again {
            return Ok(vec![self.once_more(heard)?]);
        }
        let found = match self.for_what_was_typed(heard) {
            Ok(found) => found,
            Err(misfit) => self
                .for_what_was_announced(heard, recipes)
                .or_else(|| self.on_its_file(heard))
                .map_or(Err(misfit), |made| made.map(|made| vec![made]))?,
        };
        // A command that mends cannot be the one that failed: nothing would be different.
        let differs =
            |one: &Candidate<'_>| !one.argv.is_empty() && !heard.has_run(&one.argv, &one.place);
        let found: Vec<_> = found.into_iter().filter(differs).collect();
        match found.is_empty() {
            true => Err(Misfit::Same),
            false => Ok(found),
        }
    }

    /// Whether it could mend the command in `reading`.
    pub(super) fn fits(&self, reading: &Words) -> bool {
        self.end_of_command(reading).is_ok()
    }

    fn suits(&self, situation: &Situation<'_>) -> Result<(), Misfit> {
        if self.off {
            return Err(Misfit::Off);
        }
        if !self.categories.is_empty() && !self.categories.contains(&situation.category) {
            return Err(Misfit::Category(situation.category));
        }
        let Some(failure) = situation.failure else {
            return Ok(());
        };
        let is_kind = |types: &[String]| types.contains(&failure.error_type);
        if !self.types.is_empty() && !is_kind(&self.types) || is_kind(&self.except_types) {
            return Err(Misfit::Type(failure.error_type.clone()));
        }
        let is_said = |word: &String| failure.message.contains(word.as_str());
        if !self.messages.is_empty() && !self.messages.iter().any(is_said) {
            return Err(Misfit::Message);
        }
        let is_written = |words: &String| situation.output.contains(words.as_str());
        match self.output.is_empty() || self.output.iter().any(is_written) {
            true => Ok(()),
            false => Err(Misfit::Output(self.output.clone())),
        }
    }

    /// The failing command itself. Before any failure, it must be one of those that mend; after
    /// one, its output has told that it did, whatever ran what mends.
    fn once_more(&self, heard: &Heard<'_>) -> Result<Candidate<'_>, Misfit> {
        let is_known = heard.situation.failure.is_some() && !self.output.is_empty();
        if !is_known && !heard.readings.iter().any(|reading| self.fits(reading)) {
            return Err(Misfit::Command);
        }
        let argv = heard.situation.argv.to_vec();
        Ok(self.candidate(argv, Place::default(), &Words::default()))
    }

    /// What mends the command that was typed. Where that is a text with several, those count whose
    /// tool reported the failure.
    fn for_what_was_typed(&self, heard: &Heard<'_>) -> Result<Vec<Candidate<'_>>, Misfit> {
        let failure = heard.situation.failure;
        let is_asked = failure.is_none() || self.tools.is_empty() || heard.names_command_of(self);
        let mut found: Vec<Candidate<'_>> = Vec::new();
        let mut misfit = Misfit::Command;
        for reading in &heard.readings {
            if reading.is_one_of_many && !is_asked {
                continue;
            }
            match self.command_from(reading, failure) {
                Ok(argv) => found.push(self.candidate(argv, reading.place.clone(), reading)),
                Err(Misfit::Command) => continue,
                Err(other) => misfit = other,
            }
            if !reading.is_one_of_many || found.len() == CANDIDATES_MAX {
                break;
            }
        }
        // Of the same command in several folders, that one failed which ran where the file is.
        let is_there = |one: &Candidate<'_>| one.place.as_folder().as_deref() == heard.folder();
        if heard.folder().is_some() && found.iter().any(is_there) {
            found.retain(is_there);
        }
        match found.is_empty() {
            true => Err(misfit),
            false => Ok(found),
        }
    }

    /// What mends the command that the output shows to have run.
    fn for_what_was_announced(
        &self,
        heard: &Heard<'_>,
        recipes: &[Self],
    ) -> Option<Result<Candidate<'_>, Misfit>> {
        if self.tools.is_empty() {
            return None;
        }
        let failure = heard.situation.failure;
        let mut announced = heard.announced_for(self, recipes);
        announced.find_map(|(announced, readings)| {
            let (reading, argv) = readings.iter().find_map(|one| {
                let one = one.as_told()?;
                let argv = self.command_from(&one, failure).ok()?;
                Some((one, argv))
            })?;
            let argv = self.as_started(argv, announced, &reading);
            let place = announced.place.clone().then(&reading.place);
            Some(Ok(self.candidate(argv, place, &reading).told()))
        })
    }

    /// What mends the file that the failure names, and with it the other files in which its tool
    /// found the same: one mended file of two would look like no help. A command of the user's is
    /// given the one, as its words say.
    fn on_its_file(&self, heard: &Heard<'_>) -> Option<Result<Candidate<'_>, Misfit>> {
        if !heard.names(self) || self.on_file.is_empty() {
            return None;
        }
        let Some(mut argv) = fill(&self.on_file, heard.situation.failure) else {
            return Some(Err(Misfit::NoFile));
        };
        let at = self.on_file.iter().position(|word| word == FILE);
        let at = at.filter(|_| self.run.is_empty());
        let files = at.map_or(0..0, |at| at..at + heard.files().len());
        if let Some(at) = at {
            argv.splice(at..=at, heard.files().iter().cloned());
        }
        let made = self.candidate(argv, heard.place(), &Words::default());
        Some(Ok(Candidate {
            files,
            ..made.told()
        }))
    }

    fn candidate(&self, argv: Vec<String>, place: Place, reading: &Words) -> Candidate<'_> {
        Candidate {
            recipe: self,
            argv,
            place,
            is_elsewhere: reading.is_elsewhere,
            is_told: false,
            files: 0..0,
        }
    }

    /// Where the words of the command end in `reading` that this recipe mends.
    fn end_of_command(&self, reading: &Words) -> Result<usize, Misfit> {
        let mut fitting = self.commands.iter();
        let end = match self.commands.is_empty() && self.tools.is_empty() {
            true => Some(1),
            false => fitting.find_map(|command| fits(command, &reading.tool)),
        };
        let end = end.ok_or(Misfit::Command)?;
        let has = |wanted: &&String| reading.tool.iter().any(|word| is_flag(word, wanted));
        if !self.with.is_empty() && !self.with.iter().any(|flag| has(&flag)) {
            return Err(Misfit::Without(self.with.clone()));
        }
        match self.without.iter().find(has) {
            Some(flag) => Err(Misfit::With(flag.clone())),
            None => Ok(end),
        }
    }

    /// The mending command made from a command.
    fn command_from(
        &self,
        reading: &Words,
        failure: Option<&Failure>,
    ) -> Result<Vec<String>, Misfit> {
        let end = self.end_of_command(reading)?;
        let (command, arguments) = reading.tool.split_at(end);
        let arguments = mended(arguments, self);
        if self.run.is_empty() {
            let mut made = reading.before.clone();
            made.extend(mended(command, self));
            made.extend(self.add.iter().cloned());
            made.extend(arguments);
            return Ok(made);
        }
        let tool = command.first().map_or("", String::as_str);
        let filled = fill(&self.run, failure).ok_or(Misfit::NoFile)?;
        let python = interpreter(reading);
        let own = filled.into_iter().flat_map(|word| match word.as_str() {
            ARGUMENTS => arguments.clone(),
            TOOL => vec![tool.to_owned()],
            PYTHON => vec![python.program.clone()],
            _ => match word.strip_prefix(BESIDE) {
                Some(name) => {
                    let folder = &tool[..tool.len() - base_name(tool).len()];
                    vec![format!("{folder}{name}")]
                }
                None => vec![word],
            },
        });
        // What mends a tool's findings is started as the tool is; what mends a lock is not, but
        // for where that lies.
        let is_tools_own = self.categories.contains(&Category::CodeQuality);
        let before = match is_tools_own || reading.is_elsewhere {
            true => &reading.before[..],
            false if self.run.first().is_some_and(|word| word == PYTHON) => python.before,
            false => &[],
        };
        Ok(before.iter().cloned().chain(own).collect())
    }

    /// `made` from a command that was announced, started as whoever announced it started that.
    fn as_started(&self, made: Vec<String>, announced: &Announced, reading: &Words) -> Vec<String> {
        let is_name = reading.before.is_empty() && !reading.tool[0].contains('/');
        let runner: &[&str] = match announced.packages.filter(|_| is_name) {
            Some(Packages::Node) if self.brought_by == "node" => &NODE_RUNNER,
            Some(Packages::Composer) if self.brought_by == "composer" => &COMPOSER_RUNNER,
            _ => &[],
        };
        let runner = runner.iter().map(|word| (*word).to_owned());
        runner.chain(made).collect()
    }
}

/// The Python that ran a command, and the words before it.
struct Interpreter<'a> {
    program: String,
    before: &'a [String],
}

/// That of `reading`: its program, what is told to run a module, or what stands beside a program
/// that is named by its folder.
fn interpreter(reading: &Words) -> Interpreter<'_> {
    let is_python = |word: &String| base_name(word).starts_with("python");
    let tool = reading.tool.first().map_or("", String::as_str);
    if base_name(tool).starts_with("python") {
        return Interpreter {
            program: tool.to_owned(),
            before: &reading.before,
        };
    }
    if let Some(at) = reading.before.iter().rposition(is_python) {
        return Interpreter {
            program: reading.before[at].clone(),
            before: &reading.before[..at],
        };
    }
    let folder = &tool[..tool.len() - base_name(tool).len()];
    Interpreter {
        program: format!("{folder}python3"),
        before: &reading.before,
    }
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

/// `template` with its placeholders filled, left as they are before any failure; `None` if the
/// failure does not say what goes there, or says something that a program could take for an option.
fn fill(template: &[String], failure: Option<&Failure>) -> Option<Vec<String>> {
    let Some(failure) = failure else {
        return Some(template.to_vec());
    };
    template
        .iter()
        .map(|word| match word.as_str() {
            FILE => failure
                .file_as_named()
                .filter(|file| !file.starts_with('-'))
                .map(str::to_owned),
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
