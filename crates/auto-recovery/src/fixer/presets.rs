//! All presets: the built-in ones with what a user says of them.

use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result};
use crate::fixer::{Preset, PresetChange};

/// The built-in presets.
const BUILT_IN: &str = include_str!("presets.toml");

/// Presets by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presets {
    all: Vec<Preset>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    preset: Vec<Preset>,
}

impl Presets {
    /// The built-in presets.
    pub fn built_in() -> Self {
        let file: File = toml::from_str(BUILT_IN).expect("a test reads the built-in presets");
        Self { all: file.preset }
    }

    /// The built-in presets as `changes` have them, and those that only `changes` name; of one name
    /// the first change counts most.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if one of those that are changed could not be called.
    pub fn with_user(changes: &[PresetChange]) -> Result<Self> {
        let mut presets = Self::built_in();
        for change in changes.iter().rev() {
            let known = presets.all.iter().position(|one| one.name == change.name);
            match known {
                Some(at) => presets.all[at] = presets.all[at].clone().changed(change),
                None => presets.all.push(Preset::default().changed(change)),
            }
        }
        for change in changes {
            presets.find(&change.name)?.check()?;
        }
        Ok(presets)
    }

    /// The preset `name`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if there is none, with those that there are.
    pub fn find(&self, name: &str) -> Result<&Preset> {
        let mut all = self.all.iter();
        all.find(|one| one.name == name).ok_or_else(|| {
            let mut names: Vec<_> = self.all.iter().map(|one| one.name.as_str()).collect();
            names.sort_unstable();
            let names = names.join(", ");
            let context = format!(
                "there is no fixer `agent:{name}`: there are {names}; [fixer.{name}] in your own \
                 configuration makes one"
            );
            Error::new(ErrorKind::InvalidInput, context)
        })
    }

    /// Every preset.
    pub fn iter(&self) -> impl Iterator<Item = &Preset> {
        self.all.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixer::PromptBy;

    #[test]
    fn built_in_presets_are_sound() {
        let presets = Presets::built_in();
        let mut names: Vec<_> = presets.iter().map(|one| &one.name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count, "two have one name");
        for one in presets.iter() {
            one.check().unwrap();
            assert_eq!(one.probe.first(), one.argv.first(), "{}", one.name);
            assert!(one.timeout().is_some(), "{} runs for ever", one.name);
            assert!(
                !one.env_remove.is_empty(),
                "{} is given every token",
                one.name
            );
        }
    }

    #[test]
    fn a_user_changes_what_is_named_and_adds() {
        let changes = [
            PresetChange {
                name: "claude".to_owned(),
                turns: Some(5),
                ..PresetChange::default()
            },
            PresetChange {
                name: "mine".to_owned(),
                argv: Some(vec!["mine".into(), "{prompt}".into()]),
                prompt: Some(PromptBy::Argument),
                ..PresetChange::default()
            },
            PresetChange {
                name: "codex".to_owned(),
                argv: Some(vec!["wrapper".into(), "codex".into()]),
                ..PresetChange::default()
            },
        ];
        let presets = Presets::with_user(&changes).unwrap();
        let claude = presets.find("claude").unwrap().words();
        let turns = claude
            .iter()
            .position(|word| word == "--max-turns")
            .unwrap();
        assert_eq!(claude[turns + 1], "5");
        assert_eq!(presets.find("mine").unwrap().call("p", "/f"), ["mine", "p"]);
        let codex = presets.find("codex").unwrap();
        assert_eq!((codex.prompt, codex.probe.len()), (PromptBy::Stdin, 0));
        assert_eq!(codex.timeout_seconds, Some(600));
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        let error = Presets::built_in().find("cloude").unwrap_err().to_string();
        assert!(
            error.contains("agent:cloude") && error.contains("aider, claude, codex"),
            "{error}"
        );
        let limit = PresetChange {
            name: "codex".to_owned(),
            turns: Some(3),
            ..PresetChange::default()
        };
        let error = Presets::with_user(&[limit]).unwrap_err().to_string();
        assert!(error.contains("{turns}"), "{error}");
    }
}
