//! What a run would try against a failure, and what not and why. Pure but for what the caller tells
//! of the machine.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::command_line::Place;
use crate::error::Result;
use crate::failure::Category;
use crate::learn::step_name;
use crate::plan::{self, Case, Planner};
use crate::recipe::{Candidate, Recipe, RecipeBook, Remedy, Situation};
use crate::run::advice::{Advice, Words};
use crate::run::nothing_known::{nothing_known, remedy};
use crate::run::request::{Policy, RunRequest, StrategyCommand, display_command};
use crate::run::tree_rules::RollbackTarget;
use crate::strategy::RecoveryStrategyType;
use crate::tier::{RecipeRef, Tier};
use crate::wording::counted;

/// Files of a command that are shown; more are counted.
const FILES_SHOWN: usize = 4;

/// One thing that would be tried.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedStep {
    /// The strategy.
    pub kind: RecoveryStrategyType,
    /// What it does.
    pub action: PlannedAction,
    /// How often, at most.
    pub max_attempts: u32,
    /// How likely it was to be chosen for its place; 1 where no chance is in it.
    pub propensity: f64,
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
    /// Runs the user's command again, once, because it mended by itself what it found.
    Mended {
        /// Which recipe says so.
        recipe: RecipeRef,
    },
    /// Runs the user's command again.
    Again {
        /// Whether somebody asked for it.
        asked: bool,
        /// How long after the first failure one may begin.
        within: Option<Duration>,
        /// The longest that it waits because it is told to.
        wait_max: Option<Duration>,
        /// Whether it ends once it shows what it showed before.
        only_if_flaky: bool,
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
    /// What history advises, where it is asked, and what each step does, by its name.
    pub advice: Option<(Box<plan::Advice>, BTreeMap<String, String>)>,
}

/// What recipes need to know of the machine.
pub trait Machine {
    /// The folder at `place`, seen from where the failed command ran; `None` if it is not there or
    /// nothing that an undo would reach.
    fn folder(&self, place: &Place) -> Option<PathBuf>;

    /// The nearest folder above that of the command, within the workspace, that has `file`.
    fn above_with(&self, file: &str) -> Option<PathBuf>;

    /// Whether there is something at `path`.
    fn has_file(&self, path: &Path) -> bool;

    /// Whether what `path` names, seen from `folder`, is something of the workspace that an undo
    /// would reach; also if it is not there.
    fn is_within(&self, path: &str, folder: &Path) -> bool;

    /// Whether `program`, a path seen from `folder`, is one of the workspace, be it by a link that
    /// stands there, or the one to which the search path leads.
    fn is_ours(&self, program: &str, folder: &Path) -> bool;

    /// Whether `program` can be started in `folder`.
    fn has_program(&self, program: &str, folder: &Path) -> bool;

    /// Those of `files`, seen from `folder`, that are files of this workspace, which an undo
    /// reaches.
    fn own_files(&self, folder: &Path, files: &[String]) -> Vec<String>;

    /// `folder` as a person in the command's directory names it; `None` if it is that directory.
    fn named(&self, folder: &Path) -> Option<String>;
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
    /// How long the command ran.
    pub took: Duration,
    /// The machine, as far as recipes depend on it.
    pub machine: &'a dyn Machine,
    /// Decides what is tried, and in which order.
    pub planner: &'a dyn Planner,
    /// What the edge calls what a person can do.
    pub words: Words,
}

impl RunRequest {
    /// What would be tried against `situation` under `policy`, on this machine as it is. `took` is
    /// how long the command ran.
    ///
    /// # Errors
    /// If a recipe of the user's is not sound.
    pub fn plan(
        &self,
        situation: &Situation<'_>,
        policy: &Policy,
        took: Duration,
    ) -> Result<RunPlan> {
        self.plan_by(situation, policy, took, &*self.tries.planner)
    }

    /// The same as another planner chooses it.
    ///
    /// # Errors
    /// As [`RunRequest::plan`].
    pub fn plan_by(
        &self,
        situation: &Situation<'_>,
        policy: &Policy,
        took: Duration,
        planner: &dyn Planner,
    ) -> Result<RunPlan> {
        let recipes = RecipeBook::with_user(self.tries.recipes.clone())?;
        let circumstances = Circumstances {
            policy,
            recipes: &recipes,
            allow: self.tries.allow,
            rollback: self.tree.rollback.as_ref(),
            nested: self.is_nested(),
            took,
            machine: self,
            planner,
            words: self.words,
        };
        Ok(RunPlan::make(situation, &circumstances))
    }
}

impl RunPlan {
    /// The plan for `situation`.
    pub fn make(situation: &Situation<'_>, around: &Circumstances<'_>) -> Self {
        let mut made = Self::default();
        let policy = around.policy;
        let mut could = made.commands(&policy.fixes, Remedy::Fix, situation, around);
        could.extend(retry(situation.category, around));
        let others = &policy.alternatives;
        could.extend(made.commands(others, Remedy::Alternative, situation, around));
        could.extend(around.rollback.map(back));
        let candidates: Vec<_> = could.iter().map(PlannedStep::candidate).collect();
        let case = Case {
            category: situation.category,
            failure: situation.failure,
            took: Some(around.took),
        };
        let plan = around.planner.plan(&case, &candidates);
        made.steps = plan
            .steps
            .iter()
            .map(|chosen| PlannedStep {
                max_attempts: chosen.max_attempts,
                propensity: chosen.propensity,
                ..could[chosen.candidate].clone()
            })
            .collect();
        made.skipped.extend(plan.skipped);
        made.advice = plan.advice.map(|advice| {
            let masked = |text: &str| around.planner.masked(text);
            let names = candidates.iter().map(|one| {
                let recipe = one.recipe.as_ref().map(|recipe| &*recipe.name);
                let name = step_name(&one.kind, recipe, &masked(&one.recorded));
                (name, one.recorded.clone())
            });
            (advice, names.collect())
        });
        if made.steps.is_empty() && made.skipped.is_empty() {
            let why = nothing_known(situation.category, around.nested, around.words);
            made.skipped.push(why);
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
            // A recipe would do the same on the same tree.
            max_attempts: match action {
                PlannedAction::Recipe { .. } | PlannedAction::Mended { .. } => 1,
                _ => around.policy.max_attempts,
            },
            action,
            propensity: 1.0,
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
            match prepared(&candidate, around.machine, around.allow) {
                Ok(command) => steps.push(step(recipe_action(recipe, command))),
                // That one is not about this project at all.
                Err(Obstacle::Files(_)) => {}
                Err(obstacle) => {
                    let display = shown(&candidate, &candidate.argv[candidate.files.clone()]);
                    let why = obstacle.in_words(around.words);
                    self.skipped
                        .push(format!("recipe {} (`{display}`): {why}", recipe.name));
                }
            }
        }
        steps
    }
}

impl PlannedAction {
    /// What it does, for people.
    fn in_words(&self) -> String {
        match self {
            Self::Given(command) => command.in_words(),
            Self::Recipe { recipe, command } => {
                format!("{} (recipe {recipe})", command.display)
            }
            Self::Mended { recipe } => {
                format!("run it again, if it changed files itself (recipe {recipe})")
            }
            Self::Again { .. } => "run it again".to_owned(),
            Self::Back(RollbackTarget::LastGood) => "to the last good tree".to_owned(),
            Self::Back(RollbackTarget::Checkpoint(id)) => format!("to checkpoint {id}"),
            Self::Back(RollbackTarget::GitRevision(revision)) => {
                format!("to git:{revision}")
            }
        }
    }
}

impl PlannedStep {
    /// The step as planners see it.
    fn candidate(&self) -> plan::Candidate {
        plan::Candidate {
            kind: self.kind.clone(),
            action: self.action.in_words(),
            recorded: self.recorded(),
            typed: self.command().is_some_and(|command| command.typed),
            recipe: match &self.action {
                PlannedAction::Recipe { recipe, .. } | PlannedAction::Mended { recipe } => {
                    Some(recipe.clone())
                }
                _ => None,
            },
            max_attempts: self.max_attempts,
            ends_early: self.ends_early(),
            asked: !self.is_own_doing(),
            available: true,
        }
    }

    /// The command that it runs, if it is one of its own.
    pub fn command(&self) -> Option<&StrategyCommand> {
        match &self.action {
            PlannedAction::Given(command) | PlannedAction::Recipe { command, .. } => Some(command),
            _ => None,
        }
    }

    /// What it does, as records have it where it is a command.
    fn recorded(&self) -> String {
        let display = self.command().map(|command| command.display.clone());
        display.unwrap_or_else(|| self.action.in_words())
    }

    /// The step in words.
    pub fn in_words(&self) -> String {
        let times = match self.max_attempts {
            1 => String::new(),
            times if self.ends_early() => {
                format!(", once; up to {times} times while it fails otherwise each time")
            }
            u32::MAX => ", as often as its time allows".to_owned(),
            times => format!(", up to {times} times"),
        };
        format!("{}: {}{times}", self.kind, self.action.in_words())
    }

    /// Whether it goes on only while each try shows another failure.
    fn ends_early(&self) -> bool {
        matches!(
            self.action,
            PlannedAction::Again {
                only_if_flaky: true,
                ..
            }
        )
    }

    /// Whether it comes from `recover` itself, rather than from somebody who asked for it.
    pub fn is_own_doing(&self) -> bool {
        matches!(
            self.action,
            PlannedAction::Recipe { .. }
                | PlannedAction::Mended { .. }
                | PlannedAction::Again { asked: false, .. }
        )
    }

    /// Whether it is there because the command said that it changed files itself.
    pub(super) fn follows_a_mend(&self) -> bool {
        matches!(self.action, PlannedAction::Mended { .. })
    }

    /// Whether it may change files by more than what running the command again does.
    pub fn changes_files(&self) -> bool {
        !matches!(
            self.action,
            PlannedAction::Again { .. } | PlannedAction::Mended { .. }
        )
    }
}

/// Why a recipe that fits cannot be tried here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The folder has none of the files it is about.
    Files(Vec<String>),
    /// It may do more than is allowed.
    Tier(Tier),
    /// Where the tool ran is not in this workspace.
    Place,
    /// One of its words leads out of this workspace.
    Outside(String),
    /// No file that the output names is in this workspace.
    NoFile,
    /// A program that it needs is not there.
    Program(String),
}

impl Obstacle {
    /// It with what can be done about it, in the `words` of an edge.
    pub(super) fn in_words(&self, words: Words) -> String {
        match self {
            Self::Tier(tier) => (words.advice)(&self.to_string(), &Advice::AllowTier(*tier)),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(files) => write!(f, "there is no {}", files.join(" or ")),
            Self::Tier(_) => f.write_str("may be more than safe"),
            Self::Place => f.write_str("its folder is not in this workspace"),
            Self::Outside(word) => {
                write!(f, "{word} is not in this workspace, where an undo reaches")
            }
            Self::NoFile => f.write_str("its file is not in this workspace"),
            Self::Program(program) => write!(f, "{program} is not installed"),
        }
    }
}

fn recipe_action(recipe: &Recipe, command: StrategyCommand) -> PlannedAction {
    let named = RecipeRef {
        name: recipe.name.clone(),
        tier: recipe.tier,
    };
    match recipe.again {
        true => PlannedAction::Mended { recipe: named },
        false => PlannedAction::Recipe {
            recipe: named,
            command,
        },
    }
}

/// The command of `candidate`, if nothing is in its way.
pub(super) fn prepared(
    candidate: &Candidate<'_>,
    machine: &dyn Machine,
    allow: Tier,
) -> Result<StrategyCommand, Obstacle> {
    let recipe = candidate.recipe;
    let folder = machine.folder(&candidate.place).ok_or(Obstacle::Place)?;
    let by_name = by_name(candidate, machine, &folder);
    let candidate = by_name.as_ref().unwrap_or(candidate);
    let has = |file: &String| machine.has_file(&folder.join(file));
    if !recipe.files.is_empty() && !recipe.files.iter().any(has) {
        return Err(Obstacle::Files(recipe.files.clone()));
    }
    if recipe.tier > allow {
        return Err(Obstacle::Tier(recipe.tier));
    }
    // In a container, what the tool needs cannot be looked for.
    let required = recipe.requires.iter().filter(|_| !candidate.is_elsewhere);
    let missing = candidate
        .argv
        .first()
        .into_iter()
        .chain(required)
        .find(|program| !machine.has_program(program, &folder));
    if let Some(program) = missing {
        return Err(Obstacle::Program(program.clone()));
    }
    if let Some(word) = outside(candidate, machine, &folder) {
        return Err(Obstacle::Outside(word.to_owned()));
    }
    let (argv, display) = with_own_files(candidate, machine, &folder).ok_or(Obstacle::NoFile)?;
    let named = machine.named(&folder);
    Ok(StrategyCommand {
        argv: argv.iter().map(Into::into).collect(),
        display: match &named {
            Some(name) => format!("cd {} && {display}", display_command(&[name])),
            None => display,
        },
        folder: named.map(|_| folder),
        of_project: recipe.of_project,
        typed: false,
        preset: None,
    })
}

/// The same command with its tool by name, where no package in or above `folder` has it and the
/// search path does: so a script of a package finds it, too.
fn by_name<'r>(
    candidate: &Candidate<'r>,
    machine: &dyn Machine,
    folder: &Path,
) -> Option<Candidate<'r>> {
    let is_ours = |named: &Candidate<'_>| named.is_told && !named.is_elsewhere;
    let named = candidate.by_name().filter(is_ours)?;
    let tool = named.argv.first()?;
    let in_package = |dir: &Path| machine.has_file(&dir.join("node_modules/.bin").join(tool));
    let is_found = !folder.ancestors().any(in_package) && machine.has_program(tool, folder);
    is_found.then_some(named)
}

/// The first word of `candidate` that leads out of the workspace. A program of an output counts,
/// unless it is the one that its name alone would find.
fn outside<'c>(
    candidate: &'c Candidate<'_>,
    machine: &dyn Machine,
    folder: &Path,
) -> Option<&'c str> {
    let is_within = |word: &str| machine.is_within(word, folder);
    let program = candidate.argv.first().map(String::as_str);
    let program = program.filter(|program| candidate.is_told && program.contains('/'));
    let strange = program.filter(|program| !machine.is_ours(program, folder));
    // A container has other files than ours.
    strange.or_else(|| match candidate.is_elsewhere && !candidate.is_told {
        true => None,
        false => candidate.leads_outside(is_within),
    })
}

/// The command of `candidate` with those files that are of this workspace, and how it is shown;
/// `None` if it names files and none of them is.
fn with_own_files(
    candidate: &Candidate<'_>,
    machine: &dyn Machine,
    folder: &Path,
) -> Option<(Vec<String>, String)> {
    let (argv, at) = (&candidate.argv, candidate.files.clone());
    if at.is_empty() {
        return Some((argv.clone(), shown(candidate, &[])));
    }
    let own = machine.own_files(folder, &argv[at]);
    let display = shown(candidate, &own);
    (!own.is_empty()).then(|| (with_files(candidate, &own), display))
}

/// The command of `candidate` on `files`, which are those it names or some of them.
fn with_files(candidate: &Candidate<'_>, files: &[String]) -> Vec<String> {
    let (argv, at) = (&candidate.argv, &candidate.files);
    [&argv[..at.start], files, &argv[at.end..]].concat()
}

/// The command of `candidate` on `files` as people see it, with no more names than they read.
fn shown(candidate: &Candidate<'_>, files: &[String]) -> String {
    let named = &files[..files.len().min(FILES_SHOWN)];
    let display = display_command(&with_files(candidate, named));
    match files.len() - named.len() {
        0 if candidate.recipe.again => format!("{display} again"),
        0 => display,
        more => format!("{display} … and {}", counted(more as u64, "more file")),
    }
}

/// The plain retries of a failure of `category`.
fn retry(category: Category, around: &Circumstances<'_>) -> Option<PlannedStep> {
    let policy = around.policy;
    let (max_attempts, asked) = match (policy.retry, policy.retry_for) {
        (Some(times), _) => (times, true),
        (None, Some(_)) => (u32::MAX, true),
        (None, None) if around.nested => (0, false),
        (None, None) => match category {
            Category::Transient => (policy.transient_retries, false),
            Category::TestFailure => (policy.max_attempts, false),
            Category::CodeQuality | Category::Dependency | Category::Unknown => (0, false),
        },
    };
    let within = policy.retry_for.filter(|_| policy.retry.is_none());
    (max_attempts > 0).then(|| PlannedStep {
        kind: RecoveryStrategyType::Retry,
        action: PlannedAction::Again {
            asked,
            within,
            wait_max: (!asked).then_some(policy.max_delay),
            only_if_flaky: !asked && category != Category::Transient,
        },
        max_attempts,
        propensity: 1.0,
    })
}

/// The way back to `target`.
fn back(target: &RollbackTarget) -> PlannedStep {
    PlannedStep {
        kind: RecoveryStrategyType::Rollback,
        action: PlannedAction::Back(target.clone()),
        max_attempts: 1,
        propensity: 1.0,
    }
}

impl RunPlan {
    /// Leaves out that nothing is known against a failure of `category`, where that is beside the
    /// point.
    pub(super) fn without_advice(&mut self, category: Category, request: &RunRequest) {
        let advice = nothing_known(category, request.is_nested(), request.words);
        self.skipped.retain(|why| *why != advice);
    }

    /// Says of a failure of the type `kind`, which a rule told and nothing is tried against, that
    /// it is known and lasts.
    pub(super) fn tell_lasting(&mut self, category: Category, kind: &str, request: &RunRequest) {
        let advice = nothing_known(category, request.is_nested(), request.words);
        let mut skipped = self.skipped.iter_mut();
        if let Some(why) = skipped.find(|why| category == Category::Unknown && **why == advice) {
            let says = format!(
                "{kind} lasts until its cause is gone, so running it again does not help; {}",
                remedy(kind)
            );
            *why = request.advise(says, &Advice::OrGiveCommand);
        }
    }
}
