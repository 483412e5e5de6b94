//! Advice: what a person can do about what a run says, or which wish of theirs made it so, in no
//! edge's words. Each edge hands a run its own table from advice to words.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::Hint;
use crate::tier::Tier;

/// Advice on a message: a person's way out, or the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Allow recipes that may do as much as this.
    AllowTier(Tier),
    /// Give a fix or an alternative, or ask for retries.
    GiveAnything,
    /// Give a fix or an alternative.
    GiveCommand,
    /// Give a fix or an alternative, beside what was named already.
    OrGiveCommand,
    /// Ask for what is not tried unasked any more, or have it forgotten how often it failed.
    AskOrForget {
        /// The file that remembers.
        place: PathBuf,
    },
    /// Ask for a number of retries, which no budget limits.
    AskForRetries,
    /// Ask for retries for this long: then the wait that is asked for begins.
    RetryFor(Duration),
    /// Mark a tree as good.
    MarkTree,
    /// Go back to this checkpoint all the same.
    RollBackTo {
        /// The checkpoint.
        checkpoint: String,
    },
    /// Do without checkpoints, and so without an undo.
    TryWithoutUndo,
    /// Start this instead.
    Start {
        /// The command, as a person would type it in a shell.
        command: String,
    },
    /// Let the run add to the index what was staged before.
    LetStage,
    /// Restore the whole tree of the session, though another is there now.
    RestoreWholeTree {
        /// The session.
        session_id: String,
    },
    /// Take back what a run put back.
    TakeBack {
        /// The session that keeps the replaced tree.
        session_id: String,
    },
    /// Restore the tree of the session, or accept the tree as it is.
    RestoreOrAccept {
        /// The session.
        session_id: String,
    },
    /// Give another glob to protect: this one matches nothing.
    ProtectOther {
        /// The glob.
        glob: String,
        /// One that would match something.
        other: Option<String>,
    },
    /// A wish is the reason.
    Because(Wish),
    /// The message is about the command that calls a person.
    CallsPerson,
}

/// A wish that a user may have for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Other exit codes for some categories.
    ExitMap,
    /// The first run's exit code where the cure changed files.
    FailOnChange,
    /// The first run's exit code where the command passed by being run again only.
    FailOnFlaky,
    /// No checkpoint.
    NoCheckpoint,
}

/// The words of an edge: each is given what is said without them, and returns the whole.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// Words for a run's messages.
    pub advice: fn(&str, &Advice) -> String,
    /// Words for errors.
    pub hint: fn(&str, &Hint) -> String,
}

impl Words {
    /// No words: messages have no advice.
    pub const NONE: Self = Self {
        advice: |says, _| says.to_owned(),
        hint: |says, _| says.to_owned(),
    };
}
