//! The crate's one error: a kind that programs branch on, the context a person needs, a source.
//!
//! `Display` states this layer only; an edge that shows an error prints the chain of sources.
//! Wording is lowercase, without a full stop, and reads after "failed to" or on its own.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::num::NonZeroI32;
use std::path::{Path, PathBuf};

/// Result of every fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of an error, for programs. The text code of each kind is stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A value given by the caller cannot be used: an id, a format name, a line of input.
    InvalidInput,
    /// A thing named by the caller does not exist: a session, an attempt, a checkpoint.
    NotFound,
    /// Someone else holds what is needed: a lock, an existing output file.
    Busy,
    /// The operating system refused or failed an operation.
    Io,
    /// The disk, the quota or one of the product's own limits has no room left.
    NoSpace,
    /// Stored bytes are not what was written.
    Damaged,
    /// Stored data was written by a newer release of this product.
    NewerFormat,
    /// A sync failed earlier on this handle; what it holds can no longer be vouched for.
    Poisoned,
    /// A program that is needed is not installed, or a command names none that exists.
    CommandNotFound,
    /// A program exists and cannot be started.
    NotExecutable,
    /// A helper program (such as git) failed.
    Tool,
    /// The operation would do something it must not: leave the store, write to a refused place.
    Refused,
    /// A limit on time passed.
    TimedOut,
    /// A server that is needed cannot be reached, or does not answer.
    Unreachable,
    /// The user asked to stop.
    Interrupted,
}

impl ErrorKind {
    /// The stable text code of this kind.
    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::NotFound => "not_found",
            Self::Busy => "busy",
            Self::Io => "io",
            Self::NoSpace => "no_space",
            Self::Damaged => "damaged",
            Self::NewerFormat => "newer_format",
            Self::Poisoned => "poisoned",
            Self::CommandNotFound => "command_not_found",
            Self::NotExecutable => "not_executable",
            Self::Tool => "tool",
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "unreachable",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether the same call may succeed later without any change.
    pub fn is_retryable(self) -> bool {
        match self {
            Self::Busy | Self::TimedOut | Self::Unreachable => true,
            Self::InvalidInput
            | Self::NotFound
            | Self::Io
            | Self::NoSpace
            | Self::Damaged
            | Self::NewerFormat
            | Self::Poisoned
            | Self::CommandNotFound
            | Self::NotExecutable
            | Self::Tool
            | Self::Refused
            | Self::Interrupted => false,
        }
    }

    /// Whether a caller that does the same to many things, each by itself, may continue with the
    /// others.
    pub fn spares_others(self) -> bool {
        match self {
            Self::InvalidInput
            | Self::NotFound
            | Self::Busy
            | Self::Io
            | Self::Damaged
            | Self::Refused => true,
            Self::NoSpace
            | Self::NewerFormat
            | Self::Poisoned
            | Self::CommandNotFound
            | Self::NotExecutable
            | Self::Tool
            | Self::TimedOut
            | Self::Unreachable
            | Self::Interrupted => false,
        }
    }
}

/// A person's way out of an error, without the words for it: each edge has one table from hints to
/// its own words, which [`Error::chain_with`] puts in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Let go of the session that is held.
    ReleaseHold {
        /// The session.
        session_id: String,
    },
    /// Clear the session: what of its trail cannot be read stays until then.
    ClearSession {
        /// The session.
        session_id: String,
    },
    /// Look which attempts the session has.
    ListAttempts {
        /// The session.
        session_id: String,
    },
    /// Put the tree back that the session, which died, left, or keep it as it is.
    EndDied {
        /// The session.
        session_id: String,
    },
    /// Wait for the other recovery rather than fail.
    WaitForOther,
    /// Name another way back: the one that was named is not there.
    NameWayBack,
    /// Make a checkpoint first.
    MakeCheckpoint,
    /// Put the tree back once the reason is mended, or leave that to the next run.
    RestoreTree,
    /// Give standard input as a file, which can be read again.
    GiveFile,
    /// Name a store that is the user's own, or one that is made for several users.
    OwnStore,
    /// Verify the record: something that was sealed is not as it was.
    Verify,
    /// Look at what happened to the seals, and begin a new chain if it is understood.
    NewChain,
    /// Make the key by which witnesses know the store.
    WitnessKey,
    /// Ask the witness from the number of records that it signed last.
    AskWitness {
        /// That number.
        size: u64,
    },
    /// Name the files in the directory, or copy the store that it is.
    CopyStore {
        /// The directory.
        dir: PathBuf,
    },
    /// Give more of one name: what was typed is a piece of each.
    GiveMore {
        /// The names, with what tells one from the other.
        of: Vec<String>,
    },
}

/// An error of this crate.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    context: Box<str>,
    /// The system's number for the error that `context` words.
    os_error: Option<NonZeroI32>,
    hint: Option<Box<Hint>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` that says `context`.
    pub fn new(kind: ErrorKind, context: impl Into<String>) -> Self {
        Self {
            kind,
            context: context.into().into_boxed_str(),
            os_error: None,
            hint: None,
            source: None,
        }
    }

    /// An operating system error met while doing `what` (for example "write" or "create directory")
    /// to `path`.
    pub fn io(what: &str, path: &Path, source: io::Error) -> Self {
        Self::os(format!("{what} {}", path.display()), source)
    }

    /// An operating system error met while attempting what `context` says.
    pub fn os(context: impl Into<String>, source: io::Error) -> Self {
        let kind = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::NoSpace,
            _ => Self::kind_in(&source).unwrap_or(ErrorKind::Io),
        };
        Self {
            kind,
            context: context.into().into_boxed_str(),
            os_error: None,
            hint: None,
            source: Some(Box::new(source)),
        }
    }

    /// The error of ours that all of this began with.
    pub(crate) fn root(&self) -> &Self {
        let mut root = self;
        let mut next = StdError::source(self);
        while let Some(error) = next {
            root = error.downcast_ref().unwrap_or(root);
            next = error.source();
        }
        root
    }

    /// The kind of the error of ours that `error` carries, if any: the end of a wait is reported
    /// that way through code that only knows errors of the operating system.
    pub(crate) fn kind_in(error: &io::Error) -> Option<ErrorKind> {
        let ours = error.get_ref()?.downcast_ref::<Self>();
        ours.map(Self::kind)
    }

    /// The same error with a cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error with what a person can do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: Hint) -> Self {
        self.hint = Some(Box::new(hint));
        self
    }

    /// A person's way out, as far as this layer knows.
    pub fn hint(&self) -> Option<&Hint> {
        self.hint.as_deref()
    }

    /// Returns the same error with the system's number for it.
    #[must_use]
    pub(crate) fn with_os_error(mut self, number: i32) -> Self {
        self.os_error = NonZeroI32::new(number);
        self
    }

    /// The system's number (`errno`) of the original cause, where that was a system error.
    pub fn raw_os_error(&self) -> Option<i32> {
        let mut next: Option<&(dyn StdError + 'static)> = Some(self);
        while let Some(error) = next {
            let ours = error.downcast_ref::<Self>().and_then(|ours| ours.os_error);
            let of_system = error.downcast_ref::<io::Error>();
            let number = ours.map(NonZeroI32::get);
            if let Some(number) = number.or_else(|| of_system?.raw_os_error()) {
                return Some(number);
            }
            next = error.source();
        }
        None
    }

    /// An error that says `context` because of `self`; the kind stays.
    #[must_use]
    pub fn context(self, context: impl Into<String>) -> Self {
        Self {
            kind: self.kind,
            context: context.into().into_boxed_str(),
            os_error: None,
            hint: None,
            source: Some(Box::new(self)),
        }
    }

    /// The kind of the error, for programs.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the same call may succeed later without any change.
    pub fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }

    /// The text of the first cause, for places that say the rest already.
    pub fn innermost(&self) -> String {
        let mut innermost: &dyn StdError = self;
        while let Some(cause) = innermost.source() {
            innermost = cause;
        }
        innermost.to_string()
    }

    /// This error and its causes in one line, joined by ": ". Hints are left out.
    pub fn chain(&self) -> String {
        self.chain_with(|layer, _| layer.to_owned())
    }

    /// As [`chain`](Self::chain), but `words` phrase each layer that has a hint, given the layer's
    /// own text and its hint.
    pub fn chain_with(&self, words: impl Fn(&str, &Hint) -> String) -> String {
        let mut text = String::new();
        let mut next: Option<&(dyn StdError + 'static)> = Some(self);
        while let Some(error) = next {
            if !text.is_empty() {
                text.push_str(": ");
            }
            let layer = error.to_string();
            // An error that passed through code that only knows errors of the operating system
            // hides in those.
            let inside = error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref);
            let ours = error.downcast_ref::<Self>();
            let ours = ours.or_else(|| inside?.downcast_ref());
            let hint = ours.and_then(Self::hint);
            text.push_str(&hint.map_or_else(|| layer.clone(), |hint| words(&layer, hint)));
            next = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.context)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_ref()
            .map(|source| &**source as &(dyn StdError + 'static))
    }
}
