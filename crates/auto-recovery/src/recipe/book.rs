//! All recipes in the order they are tried: the user's first, then the built-in ones.

use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result};
use crate::recipe::{Candidate, Recipe, Remedy, Situation};

/// The built-in recipes.
const BUILT_IN: &str = include_str!("recipes.toml");

/// Recipes in the order they are tried.
#[derive(Clone, Debug, Default)]
pub struct RecipeBook {
    recipes: Vec<Recipe>,
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
        let is_replaced = |built_in: &Recipe| user.iter().any(|own| own.name == built_in.name);
        let rest = Self::built_in()
            .recipes
            .into_iter()
            .filter(|recipe| !is_replaced(recipe));
        let rest: Vec<_> = rest.collect();
        let recipes = user
            .into_iter()
            .filter(|recipe| !recipe.off)
            .chain(rest)
            .collect();
        Ok(Self { recipes })
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

    /// What the recipes for `remedy` would run against `situation`, in order and each command once.
    pub fn candidates<'b>(
        &'b self,
        remedy: Remedy,
        situation: &Situation<'_>,
    ) -> Vec<Candidate<'b>> {
        let mut found: Vec<Candidate<'b>> = Vec::new();
        let fitting = self.recipes.iter().filter(|recipe| recipe.is_for(remedy));
        for candidate in fitting.filter_map(|recipe| recipe.candidate(situation)) {
            if !found.iter().any(|other| other.argv == candidate.argv) {
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
    let makes_command = !(recipe.run.is_empty() && recipe.add.is_empty() && recipe.drop.is_empty());
    if !makes_command && recipe.on_file.is_empty() {
        return wrong("runs nothing: give a fix or an alternative");
    }
    Ok(())
}
