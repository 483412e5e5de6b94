//! What a user's file says about recipes and about telling failures apart.
//!
//! Plain values: whether a pattern is sound and what it matches is the library's to say.

use auto_recovery::{Category, Result};

use crate::settings::section::Section;
use crate::settings::{Origin, Setting, StrategyCommand, Tier};

/// `[recipe.NAME]`: adds a recipe, overrides the built-in one of that name, or switches it off.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RecipeSetting {
    /// Its name.
    pub(crate) name: String,
    /// Where it stands.
    pub(crate) origin: Origin,
    /// What the file says of it.
    pub(crate) change: RecipeChange,
}

/// What a user's file does to a recipe.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RecipeChange {
    /// `off = true`: it is never tried.
    Off,
    /// It is tried as this says.
    Define(Box<RecipeDefinition>),
}

/// When a recipe suits, and what it does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RecipeDefinition {
    /// `tools`: names of the programs whose failures it suits; none for any.
    pub(crate) tools: Vec<String>,
    /// `category`: the only category it suits.
    pub(crate) category: Option<Category>,
    /// `types`: the only failure types it suits; none for any.
    pub(crate) types: Vec<String>,
    /// `argv`: the words that the failing command must begin with, `*` in a word standing for
    /// anything; none for any.
    pub(crate) argv: Vec<String>,
    /// What it runs.
    pub(crate) action: RecipeAction,
    /// `tier`: the worst thing it may do.
    pub(crate) tier: Tier,
    /// `requires`: programs that must be installed.
    pub(crate) requires: Vec<String>,
}

/// What a recipe runs, and as which strategy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RecipeAction {
    /// `fix`: mends the tree.
    Fix(StrategyCommand),
    /// `alternative`: reaches the goal another way.
    Alternative(StrategyCommand),
}

/// `[rule.NAME]`: how to tell a failure, before the built-in rules are asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RuleSetting {
    /// Its name, which the record gives as the rule that decided.
    pub(crate) name: String,
    /// Where it stands.
    pub(crate) origin: Origin,
    /// `pattern`: a regular expression over one line of output.
    pub(crate) pattern: Option<String>,
    /// `tools`: names of the programs it is about; none for any.
    pub(crate) tools: Vec<String>,
    /// `exit_codes`: the only exit codes it is about; none for any.
    pub(crate) exit_codes: Vec<i64>,
    /// `category`: what the failure is.
    pub(crate) category: Category,
    /// `error_type`: the type it is given.
    pub(crate) error_type: Option<String>,
}

/// Reads the `[recipe.NAME]` tables.
pub(crate) fn read_recipes(root: &mut Section<'_>) -> Result<Vec<RecipeSetting>> {
    root.tables("recipe")?
        .into_iter()
        .map(|(name, section)| read_recipe(name, section))
        .collect()
}

/// Reads the `[rule.NAME]` tables.
pub(crate) fn read_rules(root: &mut Section<'_>) -> Result<Vec<RuleSetting>> {
    root.tables("rule")?
        .into_iter()
        .map(|(name, section)| read_rule(name, section))
        .collect()
}

fn read_recipe(name: String, mut section: Section<'_>) -> Result<RecipeSetting> {
    let off = section.flag("off")?;
    let tools = list(section.texts("tools")?);
    let category = section.parsed("category", str::parse::<Category>)?;
    let types = list(section.texts("types")?);
    let argv = list(section.texts("argv")?);
    let fix = section.command("fix")?;
    let alternative = section.command("alternative")?;
    let tier = section.parsed("tier", str::parse::<Tier>)?;
    let requires = list(section.texts("requires")?);
    let matches_nothing = [&tools, &types, &argv].iter().all(|list| list.is_empty());
    let mut actions: Vec<RecipeAction> = fix
        .map(|fix| RecipeAction::Fix(fix.value))
        .into_iter()
        .chain(alternative.map(|alternative| RecipeAction::Alternative(alternative.value)))
        .collect();
    section.finish()?;
    let change = match (
        off.is_some_and(|off| off.value),
        actions.pop(),
        actions.is_empty(),
    ) {
        (true, None, _) => RecipeChange::Off,
        (true, Some(_), _) => {
            return Err(section.refuse("is off and has a command: remove one of the two"));
        }
        (false, None, _) | (false, Some(_), false) => {
            return Err(section.refuse("needs either `fix` or `alternative`, or `off = true`"));
        }
        (false, Some(_), true) if matches_nothing && category.is_none() => {
            return Err(
                section.refuse("matches nothing: give it `tools`, `argv`, `types` or a `category`")
            );
        }
        (false, Some(action), true) => RecipeChange::Define(Box::new(RecipeDefinition {
            tools,
            category: category.map(|category| category.value),
            types,
            argv,
            action,
            tier: tier.map_or(Tier::Safe, |tier| tier.value),
            requires,
        })),
    };
    Ok(RecipeSetting {
        name,
        origin: section.origin(),
        change,
    })
}

fn read_rule(name: String, mut section: Section<'_>) -> Result<RuleSetting> {
    let pattern = section.text("pattern")?;
    let tools = list(section.texts("tools")?);
    let exit_codes = list(section.numbers("exit_codes")?);
    let category = section.parsed("category", str::parse::<Category>)?;
    let error_type = section.text("error_type")?;
    section.finish()?;
    let Some(category) = category else {
        return Err(section.refuse("needs a `category`"));
    };
    if pattern.is_none() && exit_codes.is_empty() {
        return Err(section.refuse("needs a `pattern` or `exit_codes`"));
    }
    Ok(RuleSetting {
        name,
        origin: section.origin(),
        pattern: pattern.map(|pattern| pattern.value),
        tools,
        exit_codes,
        category: category.value,
        error_type: error_type.map(|error_type| error_type.value),
    })
}

fn list<T>(setting: Option<Setting<Vec<T>>>) -> Vec<T> {
    setting.map(|setting| setting.value).unwrap_or_default()
}
