//! What each recipe would do against a failure here, or why it does nothing.

use crate::error::Result;
use crate::recipe::{Recipe, RecipeBook, Situation};
use crate::run::planning::prepared;
use crate::run::request::RunRequest;

/// What one recipe would do.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The recipe.
    pub recipe: Recipe,
    /// The commands that it would run, in order.
    pub commands: Vec<String>,
    /// Why it runs none, or not all of them.
    pub obstacles: Vec<String>,
    /// Whether it is for this failure at all, whatever is in its way here.
    pub is_for_it: bool,
}

impl RunRequest {
    /// What each recipe would do against `situation` here, in the order they are tried.
    ///
    /// # Errors
    /// If a recipe of the user's is not sound.
    pub fn verdicts(&self, situation: &Situation<'_>) -> Result<Vec<Verdict>> {
        let book = RecipeBook::with_user(self.tries.recipes.clone())?;
        let mut verdicts = Vec::new();
        for (recipe, judged) in book.verdicts(situation) {
            let mut verdict = Verdict {
                recipe: recipe.clone(),
                commands: Vec::new(),
                obstacles: Vec::new(),
                is_for_it: judged.is_ok(),
            };
            match judged {
                Ok(candidates) => {
                    for candidate in candidates {
                        match prepared(&candidate, self, self.tries.allow) {
                            Ok(command) => verdict.commands.push(command.display),
                            Err(obstacle) => verdict.obstacles.push(obstacle.in_words(self.words)),
                        }
                    }
                }
                Err(misfit) => verdict.obstacles.push(misfit.to_string()),
            }
            verdict.obstacles.dedup();
            verdicts.push(verdict);
        }
        Ok(verdicts)
    }
}
