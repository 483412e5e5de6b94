//! Why a recipe is not for a failure, in words.

use std::fmt;

use crate::failure::Category;

/// Why a recipe is not for a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// It is switched off.
    Off,
    /// It is for failures of other categories.
    Category(Category),
    /// It is for failures of other types.
    Type(String),
    /// It is for failures with other messages.
    Message,
    /// It is for outputs that say other things.
    Output(Vec<String>),
    /// Neither the command nor what its output announces is one that it mends.
    Command,
    /// The command lacks the flags it is for.
    Without(Vec<String>),
    /// The command has a flag it is not for.
    With(String),
    /// The failure does not say what its command needs to know.
    NoFile,
    /// Its command is the one that failed.
    Same,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("switched off in the configuration"),
            Self::Category(category) => write!(f, "not for {category} failures"),
            Self::Type(name) => write!(f, "not for failures of the type {name}"),
            Self::Message => f.write_str("not for a failure with this message"),
            Self::Output(words) => {
                write!(f, "only where the output says `{}`", words.join("` or `"))
            }
            Self::Command => f.write_str("does not fit the command, nor one its output announces"),
            Self::Without(flags) => {
                write!(f, "only for commands with {}", flags.join(" or "))
            }
            Self::With(flag) => write!(f, "not for commands with {flag}"),
            Self::NoFile => f.write_str("the failure names no file or package to work on"),
            Self::Same => f.write_str("its command is the one that failed"),
        }
    }
}
