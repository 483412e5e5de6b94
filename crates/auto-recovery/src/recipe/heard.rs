//! What a failed command and its output say of the commands that ran, read once for all recipes.

use std::cell::OnceCell;

use super::definition::Recipe;
use super::situation::Situation;
use crate::command_line::{Announced, Announcements, Place, Words};
use crate::detect::{files_of, line_of};
use crate::escape::strip_escapes;
use crate::failure::Failure;

/// A situation, and what it says of the commands that ran.
pub(super) struct Heard<'a> {
    pub(super) situation: Situation<'a>,
    /// The ways to read the command.
    pub(super) readings: Vec<Words>,
    output: OnceCell<Output>,
    files: OnceCell<Vec<String>>,
}

/// What the output says.
struct Output {
    /// What was announced, the nearest above the failure first, with the ways to read it.
    announced: Vec<(Announced, Vec<Words>)>,
    /// Where what reported the failure ran.
    place: Place,
}

impl<'a> Heard<'a> {
    pub(super) fn of(situation: &Situation<'a>) -> Self {
        Self {
            situation: *situation,
            readings: Words::readings(situation.argv),
            output: OnceCell::new(),
            files: OnceCell::new(),
        }
    }

    /// The commands that the output announces, the most telling first.
    pub(super) fn announced(&self) -> impl Iterator<Item = &(Announced, Vec<Words>)> {
        self.output().announced.iter()
    }

    /// The commands that `recipe` may look at: all where the output proves that its tool reported
    /// the failure. Where it proves none, the last one that anything in `recipes` could mend is
    /// what failed, for runners stop there.
    pub(super) fn announced_for(
        &self,
        recipe: &Recipe,
        recipes: &[Recipe],
    ) -> impl Iterator<Item = &(Announced, Vec<Words>)> {
        let is_named = self.names_command_of(recipe);
        let last = match is_named || !self.is_source_open() {
            true => None,
            false => self.announced().position(|(_, readings)| {
                let fits = |recipe: &Recipe| readings.iter().any(|one| recipe.fits(one));
                recipes.iter().any(fits)
            }),
        };
        self.announced()
            .enumerate()
            .filter(move |(at, _)| is_named || last == Some(*at))
            .map(|(_, one)| one)
    }

    /// Whether `argv` in `place` is what failed, whatever it would say of itself: a command that
    /// failed cures nothing.
    pub(super) fn has_run(&self, argv: &[String], place: &Place) -> bool {
        // Where a folder is looked for upwards, it is most often the one it began in.
        let is_it = |ran: &[String], at: &Place| {
            at.as_folder() == place.as_folder() && essential(ran).eq(essential(argv))
        };
        let typed = self.readings.iter();
        let mut typed = typed.map(|one| (&one.tool, &one.place));
        let last = self.situation.failure.and_then(|_| self.announced().next());
        is_it(self.situation.argv, &Place::default())
            || typed.any(|(tool, at)| is_it(tool, at))
            || last.is_some_and(|(one, _)| is_it(&one.argv, &one.place))
    }

    /// Where what reported the failure ran.
    pub(super) fn place(&self) -> Place {
        match self.folder() {
            Some(folder) => Place::default().into_folder(folder),
            None => self.output().place.clone(),
        }
    }

    /// The folder in which what reported the failure is known to have run.
    pub(super) fn folder(&self) -> Option<&str> {
        self.situation.failure.and_then(Failure::folder)
    }

    /// The files in which what reported the failure found the same kind of thing, the failure's own
    /// first.
    pub(super) fn files(&self) -> &[String] {
        self.files.get_or_init(|| {
            let failure = self.situation.failure;
            let output = self.situation.output.as_bytes();
            failure.map_or_else(Vec::new, |failure| files_of(&failure.as_named(), output))
        })
    }

    /// Whether the failure is known to come from a tool of `recipe`.
    pub(super) fn names(&self, recipe: &Recipe) -> bool {
        let failure = self.situation.failure;
        failure.is_some_and(|failure| recipe.tools.contains(&failure.source))
    }

    /// Whether the failure is known to come from a tool of `recipe`, or from one whose failures its
    /// command passes on.
    pub(super) fn names_command_of(&self, recipe: &Recipe) -> bool {
        let failure = self.situation.failure;
        self.names(recipe)
            || failure.is_some_and(|failure| recipe.passes_on.contains(&failure.source))
    }

    /// Whether nothing but the command itself says which tool reported the failure.
    fn is_source_open(&self) -> bool {
        self.situation.failure.is_some_and(|failure| {
            let source = failure.source.as_str();
            source.is_empty() || self.readings.iter().any(|one| one.program() == source)
        })
    }

    fn output(&self) -> &Output {
        self.output.get_or_init(|| {
            let Situation { argv, output, .. } = self.situation;
            let output = strip_escapes(output.as_bytes());
            let output = &*String::from_utf8_lossy(&output);
            let announcements = Announcements::of(argv, output);
            let line = self.situation.failure.and_then(|one| line_of(one, output));
            Output {
                announced: announcements
                    .nearest(line)
                    .map(|one| (one.clone(), Words::readings(&one.argv)))
                    .collect(),
                place: announcements.place_at(line),
            }
        })
    }
}

/// Options that change what is said and asked, not what is done.
const SAYING: [&str; 9] = [
    "--no-audit",
    "--no-fund",
    "--no-interaction",
    "--no-progress",
    "--quiet",
    "-q",
    "--silent",
    "-y",
    "--yes",
];

/// The words of a command that decide what it does.
fn essential(argv: &[String]) -> impl Iterator<Item = &str> {
    let words = argv.iter().map(String::as_str).enumerate();
    let words = words.filter(|(_, word)| !SAYING.contains(word));
    // Package managers call it so.
    words.map(|(at, word)| match (at, word) {
        (1, "i") => "install",
        _ => word,
    })
}
