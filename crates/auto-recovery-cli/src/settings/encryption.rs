//! To whose keys private texts are encrypted, and what opens them: `[encryption]`.

use std::path::PathBuf;

use auto_recovery::Result;
use auto_recovery::encryption::Recipient;
use auto_recovery::run::Checkpoints;

use crate::settings::section::Section;
use crate::settings::value::absolute_path;
use crate::settings::{SealWhen, Setting, StrategyCommand};

/// What the user's own file says of it. No project and no variable says anything.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct EncryptionSettings {
    /// Who can open what is recorded. Nothing is encrypted without any.
    pub(crate) recipients: Option<Setting<Vec<Recipient>>>,
    /// The file of the identity that opens texts.
    pub(crate) identity: Option<Setting<PathBuf>>,
    /// The command that opens the file of a key instead: it reads that on its standard input.
    pub(crate) identity_command: Option<Setting<StrategyCommand>>,
    /// How long checkpoints are kept, which nothing encrypts: they must undo.
    pub(crate) checkpoints: Option<Setting<Checkpoints>>,
}

impl EncryptionSettings {
    /// What `[encryption]` of the user's own file says, where seals are made when `seal` says.
    pub(super) fn of_user(
        root: &mut Section<'_>,
        seal: Option<&Setting<SealWhen>>,
    ) -> Result<Self> {
        let Some(mut section) = root.table("encryption")? else {
            return Ok(Self::default());
        };
        let recipients = section.parsed_texts("recipients", Recipient::parse)?;
        let settings = Self {
            recipients: recipients.filter(|all| !all.value.is_empty()),
            identity: section.parsed("identity", absolute_path)?,
            identity_command: section.command("identity_command")?,
            checkpoints: section.parsed("checkpoints", checkpoints)?,
        };
        section.finish()?;
        if settings.identity.is_some() && settings.identity_command.is_some() {
            return Err(
                section.refuse("has `identity` and `identity_command`: remove one of the two")
            );
        }
        let is_unsealed = seal.is_some_and(|when| when.value == SealWhen::Off);
        if settings.recipients.is_some() && is_unsealed {
            let reason = "needs seals, which alone say that no encrypted text was moved or left \
                          out: remove `when = \"off\"` from [seal]";
            return Err(section.refuse(reason));
        }
        Ok(settings)
    }

    /// Takes from `weaker` whatever this says nothing about.
    pub(super) fn lay_over(&mut self, weaker: &Self) {
        let Self {
            recipients,
            identity,
            identity_command,
            checkpoints,
        } = weaker;
        self.recipients = self.recipients.take().or_else(|| recipients.clone());
        self.identity = self.identity.take().or_else(|| identity.clone());
        let command = self.identity_command.take();
        self.identity_command = command.or_else(|| identity_command.clone());
        self.checkpoints = self.checkpoints.take().or_else(|| checkpoints.clone());
    }

    /// How long checkpoints are kept, if there are any.
    pub(crate) fn checkpoints(&self) -> Checkpoints {
        let said = self.checkpoints.as_ref();
        said.map_or(Checkpoints::Kept, |said| said.value)
    }

    /// What stands for texts that nobody opens here.
    pub(crate) fn words(&self) -> String {
        let first = self.recipients.as_ref().and_then(|all| all.value.first());
        match first {
            Some(first) => format!("(encrypted to {})", first.short()),
            None => "(encrypted)".to_owned(),
        }
    }
}

/// How long checkpoints are kept, as the configuration says it.
pub(crate) const CHECKPOINTS: [(&str, Checkpoints); 2] = [
    ("keep", Checkpoints::Kept),
    ("session", Checkpoints::OfSession),
];

fn checkpoints(text: &str) -> Result<Checkpoints, String> {
    let known = CHECKPOINTS.iter().find(|(word, _)| *word == text);
    known
        .map(|(_, checkpoints)| *checkpoints)
        .ok_or_else(|| format!("`{text}` is none: use keep or session"))
}
