//! The journal: the store's record of session events, and of facts that an entry has no field for.
//!
//! Each record is one line of compact JSON: `v` (format version), `at` (RFC 3339 UTC),
//! `session_id`, `event`, and the event's own fields. Readers ignore fields they do not know, keep
//! events they do not know as [`JournalEvent::Other`], and refuse a version newer than
//! [`JournalRecord::VERSION`]. An intent without an outcome is itself evidence: of a run that died.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::audit::advice::AdviceRecord;
use crate::audit::session_outcome::SessionOutcome;
use crate::failure::{Category, Failure};
use crate::integrity::{Range, base64};
use crate::tier::Tier;
use crate::wording::counted;

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalRecord {
    /// Format version of this record.
    pub v: u32,
    /// When it was written, RFC 3339 in UTC.
    pub at: String,
    /// The session it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The event.
    #[serde(flatten)]
    pub event: JournalEvent,
}

impl JournalRecord {
    /// The newest format version this release reads, and the one it writes.
    pub const VERSION: u32 = 1;

    /// The largest record that is written, in bytes of JSON. The longest of ours is the list of
    /// files of one attempt, 100,000 paths of 160 bytes.
    pub const BYTES_MAX: usize = 16 * 1024 * 1024;

    /// Whether `raw` is the text of a record, of whatever event; its fields are not looked at.
    ///
    /// # Errors
    /// If it is none.
    pub fn look(raw: &[u8]) -> Result<(), serde_json::Error> {
        #[derive(Deserialize)]
        struct Header {
            #[serde(rename = "v")]
            _v: u32,
            #[serde(rename = "event")]
            _event: String,
        }
        serde_json::from_slice::<Header>(raw).map(drop)
    }
}

/// The event. The JSON field `event` names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum JournalEvent {
    /// A session began.
    SessionStarted(SessionStarted),
    /// A failure was seen and classified.
    FailureDetected(Box<FailureDetected>),
    /// An attempt changed which failure there is, and the plan was made anew for that one.
    FailureChanged(Box<FailureDetected>),
    /// An attempt is about to begin: its intent.
    AttemptStarted(AttemptStarted),
    /// An attempt ended: what its entry has no field for.
    AttemptFinished(Box<AttemptFinished>),
    /// A session ended.
    SessionFinished(SessionFinished),
    /// A trail was removed because a user said so.
    SessionCleared(SessionCleared),
    /// A trail was removed because a rule said so.
    SessionPruned(SessionPruned),
    /// A session is not to be removed.
    SessionHeld(SessionHeld),
    /// A session may be removed again.
    SessionReleased(SessionReleased),
    /// The file of a cleared trail is gone. About no session: it may be another's by now.
    TrailRemoved(TrailRemoved),
    /// Unreadable bytes were moved aside.
    TailQuarantined(TailQuarantined),
    /// A tree was put back to what a session recorded.
    Restored(Restored),
    /// The head of a trail: this many entries had this root, and were on the disk.
    TrailSealed(TrailSealed),
    /// A trail that was removed is taken over again.
    TrailImported(TrailImported),
    /// A chain of seals begins.
    ChainStarted(ChainStarted),
    /// Somebody signed a seal with a key of their own.
    SealSigned(SealSigned),
    /// Witnesses signed a seal.
    SealWitnessed(SealWitnessed),
    /// A seal was not published as the configuration wants it.
    SealNotPublished(SealNotPublished),
    /// The keys of a session were destroyed: its texts open for nobody any more.
    KeysDestroyed(KeysDestroyed),
    /// Somebody silenced or acknowledged an alert, ended that, or had a message sent again.
    AlertSaid(AlertSaid),
    /// Something this release does not know, written by a later one of the same format.
    #[serde(other)]
    Other,
}

impl JournalEvent {
    /// Whether it records the removal of a trail: earlier records of the session are about the
    /// removed trail.
    pub fn is_removal(&self) -> bool {
        matches!(self, Self::SessionCleared(_) | Self::SessionPruned(_))
    }
}

/// A session began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionStarted {
    /// The command, as argv; `None` when the caller is not a command.
    pub command: Option<Vec<String>>,
    /// The directory it runs in.
    pub cwd: Option<String>,
    /// The workspace, as a path.
    pub workspace: Option<String>,
    /// The workspace by the name of its directory.
    pub project: Option<String>,
    /// This machine.
    pub host: Option<String>,
    /// This user.
    pub user: Option<String>,
    /// The process that records.
    pub pid: u32,
    /// The release that wrote this.
    pub version: String,
}

/// A failure was seen and classified.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailureDetected {
    /// The failure.
    pub failure: Failure,
    /// Its category.
    pub category: Category,
    /// The rule that said so.
    pub rule: String,
    /// Exit code of the command.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// Signal that ended the command.
    #[serde(default)]
    pub signal: Option<i32>,
    /// Whether it was stopped at its time limit.
    #[serde(default)]
    pub timed_out: bool,
    /// The file that keeps the command's output.
    #[serde(default)]
    pub output_file: Option<String>,
    /// The tree as the session found it.
    #[serde(default)]
    pub checkpoint: Option<String>,
    /// The strategies to try, in order, in words.
    #[serde(default)]
    pub plan: Vec<String>,
    /// The strategies left out, with the reasons, in words.
    #[serde(default)]
    pub skipped: Vec<String>,
    /// What history advised, where it has anything to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<Box<AdviceRecord>>,
}

impl FailureDetected {
    /// `failure` of `category` alone: no rule, no plan, no output.
    pub fn new(failure: Failure, category: Category) -> Self {
        Self {
            failure,
            category,
            rule: String::new(),
            exit_code: None,
            signal: None,
            timed_out: false,
            output_file: None,
            checkpoint: None,
            plan: Vec::new(),
            skipped: Vec::new(),
            advice: None,
        }
    }
}

/// An attempt is about to begin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptStarted {
    /// Number of the attempt within the session, as far as it is known: the store gives it when the
    /// entry is written.
    pub attempt_number: u64,
    /// Unique to the attempt; its end carries it too. Empty in records of older releases.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub attempt_id: String,
    /// The strategy.
    pub strategy: String,
    /// Which try of this strategy it is, from 1.
    pub strategy_attempt: u32,
    /// Category of the failure.
    pub category: Category,
    /// The action, as a person would type it.
    #[serde(default)]
    pub action: String,
    /// The recipe it comes from.
    #[serde(default)]
    pub recipe: Option<String>,
    /// The worst that recipe may do.
    #[serde(default)]
    pub tier: Option<Tier>,
    /// The tree before it.
    #[serde(default)]
    pub checkpoint: Option<String>,
    /// Chance that this strategy was chosen here; 1 where nothing is drawn.
    #[serde(default)]
    pub propensity: Option<f64>,
}

/// An attempt ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AttemptFinished {
    /// Number of the attempt within the session.
    pub attempt_number: u64,
    /// That of the record of its beginning.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub attempt_id: String,
    /// Its entry.
    pub entry_id: String,
    /// Whether it cured the failure.
    pub success: bool,
    /// How long the strategy acted, in seconds; `None` in records of older releases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act_seconds: Option<f64>,
    /// How long the verification took, in seconds; `None` where nothing was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification_seconds: Option<f64>,
    /// Exit code of the strategy's command.
    pub strategy_exit_code: Option<i32>,
    /// Exit code of the verification.
    pub exit_code: Option<i32>,
    /// Signal that ended the verification.
    pub signal: Option<i32>,
    /// The failure that was left.
    pub failure: Option<Failure>,
    /// The tree after the strategy acted, before verification.
    pub checkpoint_acted: Option<String>,
    /// The tree after verification, before any undo.
    pub checkpoint_verified: Option<String>,
    /// Whether the tree was put back.
    pub undone: bool,
    /// Whether a failed attempt's changes stay as the ground for the next.
    pub kept: bool,
    /// Whether the command failed without the change and passed with it again (true), or passed
    /// without it as well (false); `None` where that was not checked, or not decidable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<bool>,
    /// Whether the success stands in for the command instead of the command passing.
    pub stood_in: bool,
    /// Whether the command passed by being run again, and nothing else.
    pub flaky: bool,
    /// Every path the strategy changed.
    pub files_modified: Vec<String>,
    /// Every path the verification changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub verification_modified: Vec<String>,
    /// Paths that others changed before this attempt.
    pub foreign: Vec<String>,
    /// Leftovers in the tree of earlier attempts, though they were undone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_behind: Vec<LeftBehind>,
    /// Paths that the undo left, because others changed them, or may have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept_foreign: Vec<String>,
    /// Paths that could not be put back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_put_back: Vec<String>,
    /// Directories that the undo left because they hold what is not covered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holding_uncovered: Vec<String>,
    /// Such directories that stood where something else belongs, as `was => is`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub moved_aside: Vec<String>,
    /// Paths that changed and that no checkpoint covers.
    pub not_covered: Vec<String>,
    /// Protected paths that it touched.
    pub protected: Vec<String>,
    /// Processes that were left running, as `pid command`.
    pub left_running: Vec<String>,
    /// The file that keeps the output.
    pub output_file: Option<String>,
}

/// A path that an attempt left in the tree though it was undone: no checkpoint covers it, or it
/// could not be put back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeftBehind {
    /// The path.
    pub path: String,
    /// The attempt that left it.
    pub attempt_number: u64,
    /// Why it stayed.
    pub reason: String,
}

impl fmt::Display for LeftBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            attempt_number,
            reason,
        } = self;
        write!(f, "{path} (left by attempt {attempt_number}: {reason})")
    }
}

/// A session ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionFinished {
    /// Its outcome.
    pub outcome: SessionOutcome,
    /// The strategy that cured it.
    pub strategy: Option<String>,
    /// Number of attempts.
    pub attempts: u64,
    /// The exit code of the whole, as a shell reports it: 0 once recovered, 124 after the deadline.
    pub exit_code: Option<i32>,
    /// Why, in words.
    pub reason: String,
    /// Whether it was flaky.
    pub flaky: bool,
    /// From the beginning of the command's first run to the end; from the failure where nothing is
    /// known of that run.
    pub duration_seconds: f64,
    /// The tree in the end.
    pub checkpoint: Option<String>,
    /// Whether the changes of failed attempts were put back at the end; `None` where that is not
    /// recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub put_back: Option<bool>,
}

/// A trail was removed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionCleared {
    /// Number of entries removed.
    pub entries: u64,
    /// Time of the first of them.
    pub first_timestamp: Option<String>,
    /// Time of the last of them.
    pub last_timestamp: Option<String>,
    /// Length of the trail's file in bytes.
    pub trail_bytes: u64,
    /// Number of its lines.
    pub trail_lines: u64,
    /// A hash of the file's identity and its beginning. It identifies the trail if that could not
    /// be removed.
    pub trail_head: String,
    /// Number of its leaves, if their root was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The root of their tree, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// Number of the keys that are destroyed with it, if its texts were encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<u64>,
    /// Who wanted it, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

impl SessionCleared {
    /// The same, with the head of the trail that has `leaves`.
    #[must_use]
    pub fn with_head(mut self, leaves: &Range) -> Self {
        let head = TrailSealed::of(leaves);
        (self.size, self.root) = (Some(head.size), Some(head.root));
        self
    }
}

/// A trail was removed because a rule said so: what it was, and who wanted it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionPruned {
    /// The trail that was removed.
    #[serde(flatten)]
    pub trail: SessionCleared,
    /// SHA-256 of its entries as they were stored, each with a line's end, in hex.
    pub sha256: String,
    /// The rule, in words.
    pub reason: String,
    /// On whose behalf.
    pub user: Option<String>,
    /// On which machine.
    pub host: Option<String>,
    /// The file that has its entries now.
    pub archive: Option<String>,
}

/// A session is not to be removed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionHeld {
    /// Why, in words.
    pub reason: Option<String>,
    /// The user who wants it.
    pub user: Option<String>,
    /// On which machine that was said.
    pub host: Option<String>,
}

/// A session may be removed again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionReleased {
    /// The user who says so.
    pub user: Option<String>,
    /// On which machine.
    pub host: Option<String>,
}

/// Somebody said something about alerts. It is of no session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AlertSaid {
    /// `silenced`, `silence_ended`, `acknowledged`, `acknowledgement_ended` or `sent_again`.
    pub did: String,
    /// The silence, the incident or the message, and what it is about.
    pub about: String,
    /// Why.
    pub reason: Option<String>,
    /// When it was said: the record may be written later.
    pub said_at: String,
    /// The user who says so, or the token.
    pub user: Option<String>,
    /// On which machine.
    pub host: Option<String>,
}

/// The file of a cleared trail is gone. A file of its name is another from now on, whatever is in
/// it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrailRemoved {
    /// The file.
    pub file: String,
    /// As in [`SessionCleared::trail_head`].
    pub trail_head: String,
}

/// The keys of a session were destroyed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeysDestroyed {
    /// Number of the keys.
    pub keys: u64,
    /// The user who wanted that.
    pub user: Option<String>,
    /// On which machine.
    pub host: Option<String>,
}

/// Unreadable bytes were moved aside.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TailQuarantined {
    /// The file they were in.
    pub file: String,
    /// Offset of their beginning in it.
    pub offset: u64,
    /// Their number.
    pub bytes: u64,
    /// The file that holds them now.
    pub quarantine: String,
}

/// A tree was put back to what a session recorded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Restored {
    /// After which attempt; `None` for the session's beginning.
    pub attempt_number: Option<u64>,
    /// The tree it was put back to.
    pub checkpoint: String,
    /// The tree that it replaced, to which it can be taken back.
    pub replaced: String,
    /// Number of changed paths.
    pub paths: u64,
}

impl Restored {
    /// What was done to the tree, in words: `2 files, as it was at the beginning`.
    pub fn in_words(&self) -> String {
        let files = counted(self.paths, "file");
        match self.attempt_number {
            Some(number) => format!("{files}, as it was after attempt {number}"),
            None => format!("{files}, as it was at the beginning"),
        }
    }
}

/// The head of a trail since it was last removed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrailSealed {
    /// Number of its entries.
    pub size: u64,
    /// The root of their tree (RFC 6962), in base64.
    pub root: String,
}

impl TrailSealed {
    /// The head of a trail that has `leaves`.
    pub fn of(leaves: &Range) -> Self {
        Self {
            size: leaves.size(),
            root: base64(&leaves.root()),
        }
    }
}

/// A trail that was removed is taken over again, from files or from another store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrailImported {
    /// The store that it comes from, if that has an origin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Number of its entries there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The root of their tree, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// The proof that they were sealed there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
}

/// A chain of seals begins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChainStarted {
    /// Why, in a person's words, if there was one before.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub chain: String,
    /// The origin of its store.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub origin: String,
}

/// A person's signature of a seal, beside the seal's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SealSigned {
    /// The seal, in its short form.
    pub seal: String,
    /// The public key, as its file has it.
    pub key: String,
    /// The signature of the whole note, in the armour of `ssh-keygen -Y sign`.
    pub signature: String,
}

/// A seal with the signatures of witnesses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SealWitnessed {
    /// The seal, in its short form.
    pub seal: String,
    /// Its whole note, to which their lines were added.
    pub note: String,
}

/// A seal that the command of the configuration did not take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SealNotPublished {
    /// The seal, in its short form.
    pub seal: String,
    /// Why, in words.
    pub reason: String,
}
