//! All recipes in the order they are tried: the user's first, then the built-in ones.

use serde::Deserialize;

use super::heard::Heard;
use crate::error::{Error, ErrorKind, Result};
use crate::recipe::{Candidate, Misfit, Recipe, Remedy, Situation};

/// The built-in recipes.
const BUILT_IN: &str = include_str!("recipes.toml");

/// Recipes in the order they are tried.
#[derive(Clone, Debug, Default)]
pub struct RecipeBook {
    recipes: Vec<Recipe>,
    /// Those that are switched off.
    off: Vec<Recipe>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pages {
    recipe: Vec<Recipe>,
}

impl RecipeBook {
    /// The built-in recipes.
    pub fn built_in() -> Self {
        let pages: Pages = toml::from_str(BUILT_IN).expect("a test reads the built-in recipes");
        Self {
            recipes: pages.recipe,
            off: Vec::new(),
        }
    }

    /// The built-in recipes with the user's before them. One with the name of a built-in recipe
    /// replaces it; one that is off removes it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if a recipe has no name, names nothing to match, or says nothing
    /// to run.
    pub fn with_user(user: Vec<Recipe>) -> Result<Self> {
        Self::check(&user)?;
        let (off, own): (Vec<_>, Vec<_>) = user.into_iter().partition(|recipe| recipe.off);
        let (mut replaced, mut recipes) = (Vec::new(), own.clone());
        for built_in in Self::built_in().recipes {
            let is_it = |other: &Recipe| other.name == built_in.name;
            if off.iter().any(is_it) {
                replaced.push(built_in);
            } else if !own.iter().any(is_it) {
                recipes.push(built_in);
            }
        }
        Ok(Self {
            recipes,
            off: replaced,
        })
    }

    /// Whether `user` could be somebody's own recipes.
    ///
    /// # Errors
    /// As [`RecipeBook::with_user`].
    pub fn check(user: &[Recipe]) -> Result<()> {
        user.iter().filter(|recipe| !recipe.off).try_for_each(check)
    }

    /// Every recipe, in order.
    pub fn recipes(&self) -> &[Recipe] {
        &self.recipes
    }

    /// The built-in recipes that are switched off.
    pub fn switched_off(&self) -> &[Recipe] {
        &self.off
    }

    /// Each recipe, in order, with what it would run against `situation` or why it is not for that;
    /// at last those that are switched off.
    pub fn verdicts(
        &self,
        situation: &Situation<'_>,
    ) -> Vec<(&Recipe, Result<Vec<Candidate<'_>>, Misfit>)> {
        let heard = Heard::of(situation);
        let judged = self
            .recipes
            .iter()
            .map(|recipe| (recipe, recipe.judge(&heard, &self.recipes)));
        let off = self.off.iter().map(|recipe| (recipe, Err(Misfit::Off)));
        judged.chain(off).collect()
    }

    /// What the recipes for `remedy` would run against `situation`, in order and each command once.
    pub fn candidates<'b>(
        &'b self,
        remedy: Remedy,
        situation: &Situation<'_>,
    ) -> Vec<Candidate<'b>> {
        let heard = Heard::of(situation);
        let mut found: Vec<Candidate<'b>> = Vec::new();
        let fitting = self.recipes.iter().filter(|recipe| recipe.is_for(remedy));
        let made = fitting.filter_map(|recipe| recipe.judge(&heard, &self.recipes).ok());
        for candidate in made.flatten() {
            let is_same = |other: &Candidate<'_>| {
                other.argv == candidate.argv && other.place == candidate.place
            };
            if !found.iter().any(is_same) {
                found.push(candidate);
            }
        }
        found
    }
}

fn check(recipe: &Recipe) -> Result<()> {
    let wrong = |what: &str| {
        let name = &recipe.name;
        Err(Error::new(
            ErrorKind::InvalidInput,
            format!("recipe {name:?} {what}"),
        ))
    };
    if recipe.name.trim().is_empty() {
        return wrong("has no name");
    }
    let matches_something = [
        &recipe.commands,
        &recipe.tools,
        &recipe.types,
        &recipe.messages,
    ];
    if matches_something.iter().all(|list| list.is_empty()) && recipe.categories.is_empty() {
        return wrong("matches nothing: name commands, tools, types or a category");
    }
    let makes_command =
        recipe.again || !(recipe.run.is_empty() && recipe.add.is_empty() && recipe.drop.is_empty());
    if !makes_command && recipe.on_file.is_empty() {
        return wrong("runs nothing: give a fix or an alternative");
    }
    Ok(())
}
