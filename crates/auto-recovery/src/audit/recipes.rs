//! The recipes that a session's attempts came from. Entries have no field for them: the journal
//! records them when an attempt begins.

use std::collections::{BTreeMap, HashMap};

use crate::audit::JournalEvent;

/// The recipes of the attempts of one session, put together from its journal records.
#[derive(Clone, Debug, Default)]
pub struct AttemptRecipes {
    by_number: BTreeMap<u64, String>,
    /// The attempts that have begun and not ended, by their ids: number and recipe.
    begun: HashMap<String, (u64, Option<String>)>,
}

impl AttemptRecipes {
    /// Adds what a record of the session says.
    pub fn apply(&mut self, event: &JournalEvent) {
        match event {
            removal if removal.is_removal() => *self = Self::default(),
            JournalEvent::AttemptStarted(started) => {
                self.set(started.attempt_number, started.recipe.clone());
                if !started.attempt_id.is_empty() {
                    let begun = (started.attempt_number, started.recipe.clone());
                    self.begun.insert(started.attempt_id.clone(), begun);
                }
            }
            // The store gives the number when the entry is written: another than was expected,
            // where several processes write to one session.
            JournalEvent::AttemptFinished(finished) => {
                let Some((expected, recipe)) = self.begun.remove(&finished.attempt_id) else {
                    return;
                };
                if expected != finished.attempt_number {
                    if self.by_number.get(&expected) == recipe.as_ref() {
                        self.by_number.remove(&expected);
                    }
                    self.set(finished.attempt_number, recipe);
                }
            }
            _ => {}
        }
    }

    /// The recipe of each attempt that came from one, by the attempt's number.
    pub fn by_number(&self) -> &BTreeMap<u64, String> {
        &self.by_number
    }

    fn set(&mut self, number: u64, recipe: Option<String>) {
        match recipe {
            Some(recipe) => drop(self.by_number.insert(number, recipe)),
            None => drop(self.by_number.remove(&number)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{AttemptFinished, AttemptStarted, SessionCleared};
    use crate::failure::Category;

    fn started(number: u64, id: &str, recipe: Option<&str>) -> JournalEvent {
        JournalEvent::AttemptStarted(AttemptStarted {
            attempt_number: number,
            attempt_id: id.to_owned(),
            strategy: "fix".to_owned(),
            strategy_attempt: 1,
            category: Category::CodeQuality,
            action: String::new(),
            recipe: recipe.map(str::to_owned),
            tier: None,
            checkpoint: None,
            propensity: None,
        })
    }

    fn ended(number: u64, id: &str) -> JournalEvent {
        JournalEvent::AttemptFinished(Box::new(AttemptFinished {
            attempt_number: number,
            attempt_id: id.to_owned(),
            ..AttemptFinished::default()
        }))
    }

    #[test]
    fn recipes_are_those_of_the_numbers_that_the_store_gave() {
        let check = |events: &[JournalEvent], expected: &[(u64, &str)]| {
            let mut recipes = AttemptRecipes::default();
            events.iter().for_each(|event| recipes.apply(event));
            let of = recipes.by_number().iter();
            let of: Vec<(u64, &str)> = of.map(|(number, name)| (*number, &**name)).collect();
            assert_eq!(of, expected, "{events:?}");
        };
        let removed = JournalEvent::SessionCleared(SessionCleared::default());
        check(&[started(1, "a", Some("r"))], &[(1, "r")]);
        check(&[started(1, "a", None), ended(1, "a")], &[]);
        check(&[started(1, "a", Some("r")), ended(3, "a")], &[(3, "r")]);
        // An older release gave attempts no ids.
        check(&[started(1, "", Some("r")), ended(1, "")], &[(1, "r")]);
        let two = [started(1, "a", Some("r")), started(1, "b", Some("s"))];
        let both = [ended(1, "b"), ended(2, "a")];
        check(&[&two[..], &both].concat(), &[(1, "s"), (2, "r")]);
        check(&[started(1, "a", Some("r")), removed, ended(1, "a")], &[]);
    }
}
