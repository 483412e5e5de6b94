//! The project's file as it was read when the run began, and the commands that it names.
//!
//! Later content of the file is different content, which the user has not agreed to.

use std::path::PathBuf;
use std::sync::Arc;

use auto_recovery::integrity::hex;
use sha2::{Digest as _, Sha256};

use crate::settings::{
    Layer, Origin, PolicyLayer, RecipeAction, RecipeChange, Setting, SourceFile, StrategyCommand,
};

/// The project's file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Project {
    /// Its path, as shown to people.
    pub(crate) path: Arc<PathBuf>,
    /// The commands that it names and that count, with the key of each.
    pub(crate) commands: Vec<(String, StrategyCommand)>,
    text: String,
}

impl Project {
    /// The project's `file`; `layer` is the part of it that is used.
    pub(crate) fn new(file: &SourceFile, layer: &Layer) -> Self {
        Self {
            path: file.path.clone(),
            commands: commands(layer),
            text: file.text.clone(),
        }
    }

    /// SHA-256 of its text, in hex.
    pub(crate) fn sha256(&self) -> String {
        sha256(&self.text)
    }

    /// Whether `origin` is this file.
    pub(crate) fn is_origin(&self, origin: &Origin) -> bool {
        matches!(origin, Origin::File { path, .. } if *path == self.path)
    }
}

/// SHA-256 of `text`, in hex.
pub(crate) fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// The commands that `layer` names, with the key of each.
pub(crate) fn commands(layer: &Layer) -> Vec<(String, StrategyCommand)> {
    let mut named = Vec::new();
    push_policy(&mut named, "", &layer.policy);
    push(&mut named, "approve", layer.approve.as_ref());
    push(&mut named, "on_escalate", layer.on_escalate.as_ref());
    for (category, policy) in &layer.categories {
        push_policy(&mut named, &format!("category.{category}."), policy);
    }
    for (error_type, policy) in &layer.error_types {
        push_policy(&mut named, &format!("error_type.{error_type}."), policy);
    }
    for recipe in &layer.recipes {
        if let RecipeChange::Define(own) = &recipe.change {
            let (RecipeAction::Fix(command) | RecipeAction::Alternative(command)) = &own.action;
            named.push((format!("recipe.{}", recipe.name), command.clone()));
        }
    }
    named
}

fn push_policy(named: &mut Vec<(String, StrategyCommand)>, prefix: &str, policy: &PolicyLayer) {
    for (key, list) in [("fix", &policy.fix), ("alternative", &policy.alternative)] {
        let list = list.iter().flat_map(|list| &list.value);
        named.extend(list.map(|command| (format!("{prefix}{key}"), command.clone())));
    }
}

fn push(
    named: &mut Vec<(String, StrategyCommand)>,
    key: &str,
    command: Option<&Setting<StrategyCommand>>,
) {
    named.extend(command.map(|command| (key.to_owned(), command.value.clone())));
}
