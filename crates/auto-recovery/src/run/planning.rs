//! What a run would try against a failure, and what not and why. Pure but for what the caller tells
//! of the machine.

use crate::error::Result;
use crate::failure::Category;
use crate::plan::{self, Available};
use crate::recipe::{Recipe, RecipeBook, RecipeRef, Remedy, Situation, Tier};
use crate::run::request::{Policy, RollbackTarget, RunRequest, StrategyCommand, display_command};
use crate::strategy::RecoveryStrategyType;

/// One thing that would be tried.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedStep {
    /// The strategy.
    pub kind: RecoveryStrategyType,
    /// What it does.
    pub action: PlannedAction,
    /// How often, at most.
    pub max_attempts: u32,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum PlannedAction {
    /// Runs a command the user gave.
    Given(StrategyCommand),
    /// Runs a recipe's command.
    Recipe {
        /// Which recipe.
        recipe: RecipeRef,
        /// The command.
        command: StrategyCommand,
    },
    /// Runs the user's command again.
    Again {
        /// Whether somebody asked for it.
        asked: bool,
    },
    /// Goes back.
    Back(RollbackTarget),
}

/// What a run would try, and what it would not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunPlan {
    /// In order.
    pub steps: Vec<PlannedStep>,
    /// Why something else is not tried, in words.
    pub skipped: Vec<String>,
}

/// What the caller knows of the machine and of the wishes that hold for every failure.
pub struct Circumstances<'a> {
    /// How to recover this failure.
    pub policy: &'a Policy,
    /// The recipes.
    pub recipes: &'a RecipeBook,
    /// The worst that a recipe may do.
    pub allow: Tier,
    /// Where to roll back to.
    pub rollback: Option<&'a RollbackTarget>,
    /// Whether this happens inside another recovery: then only what was asked for is tried.
    pub nested: bool,
    /// Whether a program is installed.
    pub is_installed: &'a dyn Fn(&str) -> bool,
    /// Whether the directory of the command has a file of that name.
    pub has_file: &'a dyn Fn(&str) -> bool,
}

impl RunRequest {
    /// What would be tried against `situation` under `policy`, on this machine as it is.
    ///
    /// # Errors
    /// If a recipe of the user's is not sound.
    pub fn plan(&self, situation: &Situation<'_>, policy: &Policy) -> Result<RunPlan> {
        let recipes = RecipeBook::with_user(self.recipes.clone())?;
        let circumstances = Circumstances {
            policy,
            recipes: &recipes,
            allow: self.allow,
            rollback: self.rollback.as_ref(),
            nested: self.parent_session.is_some(),
            is_installed: &|program| self.is_installed(program),
            has_file: &|name| self.cwd.join(name).exists(),
        };
        Ok(RunPlan::make(situation, &circumstances))
    }
}

impl RunPlan {
    /// The plan for `situation`.
    pub fn make(situation: &Situation<'_>, around: &Circumstances<'_>) -> Self {
        let mut made = Self::default();
        let fixes = made.commands(&around.policy.fixes, Remedy::Fix, situation, around);
        let alternatives = made.commands(
            &around.policy.alternatives,
            Remedy::Alternative,
            situation,
            around,
        );
        let retry = retries(situation.category, around);
        let mut asked = Vec::new();
        if !around.policy.fixes.is_empty() {
            asked.push(RecoveryStrategyType::Fix);
        }
        if matches!(retry, Some((_, true))) {
            asked.push(RecoveryStrategyType::Retry);
        }
        if !around.policy.alternatives.is_empty() {
            asked.push(RecoveryStrategyType::Alternative);
        }
        let available = Available {
            fix: !fixes.is_empty(),
            retry: retry.is_some(),
            alternative: !alternatives.is_empty(),
            rollback: around.rollback.is_some(),
        };
        for kind in plan::plan(situation.category, available, &asked) {
            match kind {
                RecoveryStrategyType::Fix => made.steps.extend(fixes.iter().cloned()),
                RecoveryStrategyType::Alternative => {
                    made.steps.extend(alternatives.iter().cloned());
                }
                RecoveryStrategyType::Retry => {
                    made.steps.extend(retry.map(|(times, asked)| PlannedStep {
                        kind,
                        action: PlannedAction::Again { asked },
                        max_attempts: times,
                    }))
                }
                RecoveryStrategyType::Rollback => {
                    made.steps.extend(around.rollback.map(|target| PlannedStep {
                        kind,
                        action: PlannedAction::Back(target.clone()),
                        max_attempts: 1,
                    }));
                }
                RecoveryStrategyType::Escalate | RecoveryStrategyType::Custom(_) => {}
            }
        }
        if made.steps.is_empty() && made.skipped.is_empty() {
            made.skipped.push(nothing_known(situation.category));
        }
        made
    }

    /// The commands for `remedy`: those the user gave, then what recipes make.
    fn commands(
        &mut self,
        given: &[StrategyCommand],
        remedy: Remedy,
        situation: &Situation<'_>,
        around: &Circumstances<'_>,
    ) -> Vec<PlannedStep> {
        let kind = match remedy {
            Remedy::Fix => RecoveryStrategyType::Fix,
            Remedy::Alternative => RecoveryStrategyType::Alternative,
        };
        let step = |action| PlannedStep {
            kind: kind.clone(),
            action,
            max_attempts: around.policy.max_attempts,
        };
        let mut steps: Vec<_> = given
            .iter()
            .map(|command| step(PlannedAction::Given(command.clone())))
            .collect();
        if around.nested {
            return steps;
        }
        for candidate in around.recipes.candidates(remedy, situation) {
            let recipe = candidate.recipe;
            let display = display_command(&candidate.argv);
            match refusal(recipe, &candidate.argv, around) {
                Refusal::None => {
                    let argv = candidate.argv.into_iter().map(Into::into).collect();
                    steps.push(step(PlannedAction::Recipe {
                        recipe: RecipeRef {
                            name: recipe.name.clone(),
                            tier: recipe.tier,
                        },
                        command: StrategyCommand {
                            argv,
                            display,
                            of_project: recipe.of_project,
                        },
                    }));
                }
                Refusal::Because(why) => {
                    self.skipped
                        .push(format!("recipe {} (`{display}`): {why}", recipe.name));
                }
                Refusal::Silent => {}
            }
        }
        steps
    }
}

impl PlannedStep {
    /// The step in words.
    pub fn in_words(&self) -> String {
        let times = match self.max_attempts {
            1 => String::new(),
            times => format!(", up to {times} times"),
        };
        let action = match &self.action {
            PlannedAction::Given(command) => command.display.clone(),
            PlannedAction::Recipe { recipe, command } => {
                format!("{} (recipe {recipe})", command.display)
            }
            PlannedAction::Again { .. } => "run it again".to_owned(),
            PlannedAction::Back(RollbackTarget::LastGood) => "to the last good tree".to_owned(),
            PlannedAction::Back(RollbackTarget::Checkpoint(id)) => format!("to checkpoint {id}"),
            PlannedAction::Back(RollbackTarget::GitRevision(revision)) => {
                format!("to git:{revision}")
            }
        };
        format!("{}: {action}{times}", self.kind)
    }

    /// Whether it comes from `recover` itself, rather than from somebody who asked for it.
    pub fn is_own_doing(&self) -> bool {
        matches!(
            self.action,
            PlannedAction::Recipe { .. } | PlannedAction::Again { asked: false }
        )
    }

    /// Whether it may change files by more than what running the command again does.
    pub fn changes_files(&self) -> bool {
        !matches!(self.action, PlannedAction::Again { .. })
    }
}

enum Refusal {
    None,
    Because(String),
    /// It is not about this project at all.
    Silent,
}

fn refusal(recipe: &Recipe, argv: &[String], around: &Circumstances<'_>) -> Refusal {
    if !recipe.files.is_empty() && !recipe.files.iter().any(|file| (around.has_file)(file)) {
        return Refusal::Silent;
    }
    if recipe.tier > around.allow {
        return Refusal::Because(format!(
            "may be more than safe; allow it with --allow {}",
            recipe.tier
        ));
    }
    let own = argv.get(..1).unwrap_or_default();
    let programs = if recipe.requires.is_empty() {
        own
    } else {
        &recipe.requires
    };
    let missing = programs
        .iter()
        .find(|program| !(around.is_installed)(program));
    match missing {
        Some(program) => Refusal::Because(format!("{program} is not installed")),
        None => Refusal::None,
    }
}

/// How many plain retries there are, and whether somebody asked for them.
fn retries(category: Category, around: &Circumstances<'_>) -> Option<(u32, bool)> {
    match around.policy.retry {
        Some(0) => None,
        Some(times) => Some((times, true)),
        None if around.nested => None,
        None => match category {
            Category::Transient | Category::TestFailure => {
                Some((around.policy.max_attempts, false))
            }
            Category::CodeQuality | Category::Dependency | Category::Unknown => None,
        },
    }
    .filter(|(times, _)| *times > 0)
}

fn nothing_known(category: Category) -> String {
    match category {
        Category::Unknown => "no recipe knows this failure, and what is unknown is not retried \
                              blindly; give --fix, --retry or --alternative"
            .to_owned(),
        _ => format!("no recipe mends this {category} failure; give --fix or --alternative"),
    }
}
