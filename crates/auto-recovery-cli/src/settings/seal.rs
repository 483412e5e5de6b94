//! `[seal]`: when a run seals, who is given each seal, and whose signatures of seals count.

use auto_recovery::Result;
use auto_recovery::audit::sealing::SealWhen;
use auto_recovery::integrity::WitnessKey;

use crate::settings::section::Section;
use crate::settings::{Setting, StrategyCommand};

/// What one place says of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SealLayer {
    /// When a run seals what is on record.
    pub(crate) when: Option<Setting<SealWhen>>,
    /// The command that is given each seal that a run ends with.
    pub(crate) publish: Option<Setting<StrategyCommand>>,
    /// The witnesses whose signatures of seals count.
    pub(crate) witnesses: Option<Setting<Vec<WitnessKey>>>,
}

impl SealLayer {
    /// What the user's own file says.
    ///
    /// # Errors
    /// If a key or a value cannot be used.
    pub(crate) fn of_user(root: &mut Section<'_>) -> Result<Self> {
        let Some(mut section) = root.table("seal")? else {
            return Ok(Self::default());
        };
        let read = Self {
            when: section.parsed("when", str::parse)?,
            publish: section.command("publish")?,
            witnesses: section.parsed_texts("witnesses", str::parse)?,
        };
        section.finish()?;
        Ok(read)
    }

    /// Takes from `weaker` whatever this says nothing about.
    pub(crate) fn lay_over(&mut self, weaker: &Self) {
        fn fill<T: Clone>(place: &mut Option<T>, weaker: &Option<T>) {
            if place.is_none() {
                place.clone_from(weaker);
            }
        }
        let Self {
            when,
            publish,
            witnesses,
        } = weaker;
        fill(&mut self.when, when);
        fill(&mut self.publish, publish);
        fill(&mut self.witnesses, witnesses);
    }
}
