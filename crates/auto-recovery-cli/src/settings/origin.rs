//! Where a value came from.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a value came from, strongest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// This option of the command line.
    Flag(&'static str),
    /// This argument of the command line.
    Argument(&'static str),
    /// This variable of the environment.
    Environment(&'static str),
    /// This line of a file.
    File {
        /// The file.
        path: Arc<PathBuf>,
        /// The line, counted from 1.
        line: usize,
    },
    /// Nobody set it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag --{name}"),
            Self::Argument(name) => write!(f, "argument {name}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value that knows where it came from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Setting<T> {
    /// The value.
    pub(crate) value: T,
    /// Where it came from.
    pub(crate) origin: Origin,
}

impl<T> Setting<T> {
    /// `value`, given by the option `--name`.
    pub(crate) fn flag(name: &'static str, value: T) -> Self {
        Self {
            value,
            origin: Origin::Flag(name),
        }
    }

    /// `value`, given by nobody.
    pub(crate) fn default(value: T) -> Self {
        Self {
            value,
            origin: Origin::Default,
        }
    }

    /// The same setting of a value that may be missing.
    pub(crate) fn some(self) -> Setting<Option<T>> {
        Setting {
            value: Some(self.value),
            origin: self.origin,
        }
    }

    /// Whether anybody gave it.
    pub(crate) fn is_given(&self) -> bool {
        self.origin != Origin::Default
    }

    /// Whether the command line gave it.
    pub(crate) fn is_flag(&self) -> bool {
        matches!(self.origin, Origin::Flag(_))
    }
}
