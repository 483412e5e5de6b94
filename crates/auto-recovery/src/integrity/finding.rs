//! What a verification can find, each kind with one cause, and the three verdicts.

use serde::Serialize;

/// What a verification comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything that was sealed is as it was.
    Proved,
    /// Nothing that was sealed is known to have changed, and that it has not cannot be proved.
    Unproved,
    /// Something that was sealed changed, or is missing.
    Changed,
}

/// What was found, by its cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Entries of a trail are not what was sealed.
    ChangedEntries,
    /// Entries are missing at the end of a trail.
    MissingEntries,
    /// A trail is gone, and nothing says that it was removed.
    MissingTrail,
    /// A trail is there that was removed.
    ReturnedTrail,
    /// Records of the journal are not what was sealed.
    ChangedRecords,
    /// Records are missing at the end of the journal.
    MissingRecords,
    /// A seal is not signed by its key, or is no seal.
    BadSignature,
    /// A seal does not follow the one before it.
    BrokenChain,
    /// Seals are missing that were there: the newest are, or all.
    RolledBack,
    /// The key that should sign the next seal is not at hand.
    MissingKey,
    /// Two seals of one chain and number say different things.
    Forked,
    /// Sums that are kept beside the entries are not theirs.
    DerivedDiffers,
    /// Something is not sealed.
    Unsealed,
    /// Nobody vouches for the chain of the seals.
    UnknownChain,
    /// Something that was sealed cannot be read.
    Unreadable,
}

impl FindingKind {
    /// What a verification comes to that finds it.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Unsealed | Self::UnknownChain => Verdict::Unproved,
            Self::ChangedEntries
            | Self::MissingEntries
            | Self::MissingTrail
            | Self::ReturnedTrail
            | Self::ChangedRecords
            | Self::MissingRecords
            | Self::BadSignature
            | Self::BrokenChain
            | Self::RolledBack
            | Self::MissingKey
            | Self::Forked
            | Self::DerivedDiffers
            | Self::Unreadable => Verdict::Changed,
        }
    }
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// Where: a file, or a table.
    pub place: String,
    /// The session, if it is about one.
    pub session_id: Option<String>,
    /// The first entry, record or seal that it is about, from 1 (a seal by its number).
    pub from: Option<u64>,
    /// The last one.
    pub to: Option<u64>,
    /// The seal that says otherwise, in its short form.
    pub seal: Option<String>,
    /// The rest, in words.
    #[serde(skip)]
    pub detail: String,
}

impl Finding {
    /// A finding at `place`.
    pub fn at(kind: FindingKind, place: impl Into<String>) -> Self {
        Self {
            kind,
            place: place.into(),
            session_id: None,
            from: None,
            to: None,
            seal: None,
            detail: String::new(),
        }
    }

    /// The same, about what stands from `from` to `to`.
    #[must_use]
    pub fn between(mut self, from: u64, to: u64) -> Self {
        (self.from, self.to) = (Some(from), Some(to));
        self
    }

    /// The same, about `session_id`.
    #[must_use]
    pub fn of_session(mut self, session_id: &str) -> Self {
        self.session_id = Some(session_id.to_owned());
        self
    }

    /// The same, against what `seal` says.
    #[must_use]
    pub fn against(mut self, seal: impl ToString) -> Self {
        self.seal = Some(seal.to_string());
        self
    }

    /// The same, with the rest in words.
    #[must_use]
    pub fn because(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}
