//! One recipe, in the form of the data file. `recover.toml` has a form of its own, for people.

use serde::{Deserialize, Serialize};

use crate::failure::Category;
use crate::tier::Tier;

/// The strategy that a recipe serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// It mends the tree; the command is then run again.
    #[default]
    Fix,
    /// It prepares another way; the command is then run again.
    Alternative,
}

/// A remedy for failures, and the conditions for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Its name, unique in the book.
    pub name: String,
    /// Words the failing command must begin with, such as `cargo fmt`. A word may have several
    /// spellings, `nixfmt|alejandra`, and one `*` that stands for anything. Several commands may be
    /// named; one must fit. With neither commands nor tools, any command does.
    pub commands: Vec<String>,
    /// Words; the failing command must have at least one, if any are named.
    pub with: Vec<String>,
    /// Words the failing command must not have.
    pub without: Vec<String>,
    /// Tools whose failure it also mends when another command ran them, as `make` does. It then
    /// works on the file the failure names, or on the command the output shows.
    pub tools: Vec<String>,
    /// Tools whose failures its command passes on as they are, as `cargo clippy` does those of
    /// `rustc`: one of several commands may be meant by them.
    pub passes_on: Vec<String>,
    /// Categories it is for; all if empty.
    pub categories: Vec<Category>,
    /// Error types it is for; all if empty.
    pub types: Vec<String>,
    /// Error types that it is not for.
    pub except_types: Vec<String>,
    /// A word that the failure's message must contain, if any are named.
    pub messages: Vec<String>,
    /// Words; the output of the failing command must have one, if any are named.
    pub output: Vec<String>,
    /// Set if the failing command itself mends its findings, so that it is only run again, whatever
    /// ran it.
    pub again: bool,
    /// The strategy that it serves.
    pub remedy: Remedy,
    /// Flags of the failing command that are left out; a long one also with `=` and a value.
    pub drop: Vec<String>,
    /// Flags that are left out together with their value: `-o x`, `-ox`, `--output x`,
    /// `--output=x`.
    pub drop_valued: Vec<String>,
    /// Flags replaced by others with the same value, such as one that makes findings errors by one
    /// that makes them warnings.
    pub instead: Vec<(String, String)>,
    /// Flags put right after the words of `commands`.
    pub add: Vec<String>,
    /// The whole command, where it is not made of the failing one. `{file}` is the failure's file,
    /// `{name}` the first word in quotes in its message, `{args}` what follows the words of
    /// `commands` without the flags that are left out, `{tool}` the failing program as it was
    /// named, `{python}` the Python that ran it. `{beside}` before a name means the folder that
    /// the failing program was named from.
    pub run: Vec<String>,
    /// Words to run on the file of the failure, and on the others with the same finding of its
    /// tool, when it mends for `tools`.
    pub on_file: Vec<String>,
    /// The worst effect it may have.
    pub tier: Tier,
    /// Programs that must be installed, each of them, beside the first word of its command.
    pub requires: Vec<String>,
    /// The kind of package that brings the tool along, `node` or `composer`, so that the runner of
    /// its programs runs this.
    pub brought_by: String,
    /// Files; the workspace must have one, if any are named.
    pub files: Vec<String>,
    /// Switches a built-in recipe off, in `recover.toml`.
    pub off: bool,
    /// Set if it came with the project, so that a person may have to agree before it runs. No file
    /// can set this.
    #[serde(skip)]
    pub of_project: bool,
}

impl Recipe {
    /// Its command, in words: `{args}` are those of the failing command that stay.
    pub fn in_words(&self) -> String {
        if self.again {
            return "the failing command again, which changed files itself".to_owned();
        }
        if !self.run.is_empty() {
            return self.run.join(" ");
        }
        let Some(command) = self.commands.first() else {
            return self.on_file.join(" ");
        };
        let mut words = vec![command.replace('|', " or ")];
        words.extend(self.add.iter().cloned());
        words.push("{args}".to_owned());
        let left_out: Vec<_> = self.drop.iter().chain(&self.drop_valued).cloned().collect();
        if !left_out.is_empty() {
            words.push(format!("without {}", left_out.join(", ")));
        }
        words.join(" ")
    }
}
