//! Settings as the library's request.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use auto_recovery::checkpoint::ProtectGlob;
use auto_recovery::detect::{Rule, Rules, Sign, Text};
use auto_recovery::fixer::Presets;
use auto_recovery::plan::CategoryOrder;
use auto_recovery::recipe::{Recipe, Remedy};
use auto_recovery::run as library;
use auto_recovery::{Category, Error, ErrorKind, Failure, Result};
use rustix::termios::isatty;

use crate::advice;
use crate::commands::run::located::at;
use crate::context::Context;
use crate::identity;
use crate::settings::{
    FixerSetting, FixerText, OnLeftover, Origin, PROJECT_FILE, Policy, Project, RecipeAction,
    RecipeChange, RecipeSetting, RuleSetting, RunRequest, RunSettings, Setting, Settings,
    StrategyCommand,
};

/// The library's request for what was typed, under the settings that apply here.
///
/// # Errors
/// If nothing could ever be recorded in the store, or a rule of the user's is not sound.
pub(crate) fn library_request(
    context: &Context,
    request: &RunRequest,
) -> Result<library::RunRequest> {
    let settings = &context.settings;
    let run = settings.run.clone();
    let identity = identity::session_started(settings, None);
    let agents = Arc::new(agents(&run)?);
    let policies = run.clone();
    let project = settings.project.clone();
    let given = settings.project.clone();
    let own = given.as_ref();
    Ok(library::RunRequest {
        command: library::CommandLine {
            argv: request.command.clone(),
            cwd: settings.cwd.clone(),
            search_path: settings.search_path.clone(),
        },
        state: library::State {
            dir: settings.state_dir.value.clone(),
            store: context.store_when_needed()?,
            store_paths: settings.store.value.paths(),
            home: settings.home.clone(),
            sudo_uid: settings.sudo_uid,
        },
        record: library::Recording {
            identity: library::Identity {
                host: identity.host,
                user: identity.user,
            },
            session_id: request.session.clone(),
            parent_session: settings.parent_session.clone(),
            keep_patch: request.result_file.is_some()
                || context.printer.json
                || !request.reports.is_empty(),
            on_audit_failure: run.on_audit_failure.value,
            seal: settings.seal_when(),
        },
        masking: masking(context),
        tries: library::Tries {
            policy: Arc::new(move |category: Category, failure: &Failure| {
                let policy = policies.policy_for(category, &failure.error_type);
                library_policy(&policy, (project.as_ref(), &agents))
            }),
            planner: Arc::new(CategoryOrder),
            learn: run.learn.settings(),
            recipes: run.recipes.iter().map(|one| recipe(one, own)).collect(),
            rules: user_rules(&run)?,
            allow: run.allow.value,
        },
        limits: library::Limits {
            attempt_timeout: run.policy.attempt_timeout.value,
            deadline: run.policy.deadline.value,
            grace: run.grace.value,
        },
        people: library::People {
            approve: hook(&run.approve, own),
            on_escalate: hook(&run.on_escalate, own),
        },
        exits: exits(request, &run),
        mode: match request.dry_run {
            true => library::Mode::DryRun,
            false => library::Mode::Recover,
        },
        tree: tree_rules(!request.no_wait, run, settings),
        words: advice::WORDS,
    })
}

/// What is masked and encrypted.
fn masking(context: &Context) -> library::Masking {
    library::Masking {
        redactor: Some(context.redactor.clone()),
        real_for_fixers: context.settings.redact.fixers() == FixerText::Real,
        encryption: context.encryption.clone(),
    }
}

fn exits(request: &RunRequest, run: &RunSettings) -> library::Exits {
    library::Exits {
        exit_map: request
            .exit_map
            .iter()
            .map(|one| (one.category, one.code))
            .collect(),
        fail_on_flaky: run.fail_on_flaky.value,
        fail_on_change: run.fail_on_change.value,
    }
}

fn tree_rules(wait: bool, run: RunSettings, settings: &Settings) -> library::TreeRules {
    library::TreeRules {
        wait,
        checkpoints: match run.checkpoint.value {
            true => settings.encryption.checkpoints(),
            false => library::Checkpoints::Off,
        },
        protect: run
            .protect
            .into_iter()
            .map(|glob| protect(glob, settings))
            .collect(),
        guarded_files: project_files(settings),
        rollback: run.rollback.value,
        keep_progress: run.keep_progress.value,
        keep_failed_changes: run.keep_failed_changes.value,
        confirm: run.confirm.value,
        git_index: settings.git_index.clone(),
        stage: run.stage.value,
        on_leftover: run.on_leftover.value.unwrap_or_else(by_who_is_there),
    }
}

/// A glob is meant from where it was typed, or from where its file stands.
fn protect(glob: Setting<String>, settings: &Settings) -> ProtectGlob {
    let base = match &glob.origin {
        Origin::File { path, .. } => path.parent().map(Path::to_owned),
        Origin::Flag(_) | Origin::Argument(_) | Origin::Environment(_) | Origin::Default => {
            Some(settings.cwd.clone())
        }
    };
    ProtectGlob {
        glob: glob.value,
        base: base.unwrap_or_else(|| settings.workspace.clone()),
    }
}

/// The places of `recover.toml`: a fix must not change what it may do, nor write that anew.
fn project_files(settings: &Settings) -> Vec<PathBuf> {
    let dirs = settings.cwd.ancestors();
    dirs.take_while(|dir| dir.starts_with(&settings.workspace))
        .map(|dir| dir.join(PROJECT_FILE))
        .collect()
}

/// Where a person sits at a terminal, the person decides.
fn by_who_is_there() -> OnLeftover {
    if isatty(std::io::stdin()) && isatty(std::io::stderr()) {
        OnLeftover::Stop
    } else {
        OnLeftover::Restore
    }
}

/// How one failure is tried. Commands of the `project` are known as such.
fn library_policy(
    policy: &Policy,
    (project, agents): (Option<&Project>, &Presets),
) -> library::Policy {
    library::Policy {
        max_attempts: policy.max_attempts.value,
        // A number beats a time, and what is typed beats both in a file.
        retry: policy
            .retry
            .value
            .filter(|_| policy.retry.is_flag() || !policy.retry_for.is_flag()),
        retry_for: policy.retry_for.value,
        transient_retries: match policy.max_attempts.is_given() {
            true => policy.max_attempts.value,
            false => library::TRANSIENT_RETRIES,
        },
        base_delay: policy.base_delay.value,
        max_delay: policy.max_delay.value,
        jitter: policy.jitter.value,
        attempt_timeout: policy.attempt_timeout.value,
        deadline: policy.deadline.value,
        fixes: commands(&policy.fix, (project, agents)),
        alternatives: commands(&policy.alternative, (project, agents)),
    }
}

fn commands(
    setting: &Setting<Vec<StrategyCommand>>,
    (project, agents): (Option<&Project>, &Presets),
) -> Vec<library::StrategyCommand> {
    let of_project = is_of(&setting.origin, project);
    let commands = setting.value.iter();
    let is_typed = setting.is_flag();
    commands
        .filter_map(|one| match one {
            // That each is there was looked at before the command ran.
            StrategyCommand::Agent(name) => agent(name, of_project, agents),
            other => Some(command(other, of_project)),
        })
        .map(|one| library::StrategyCommand {
            typed: is_typed,
            ..one
        })
        .collect()
}

fn agent(name: &str, of_project: bool, agents: &Presets) -> Option<library::StrategyCommand> {
    let preset = agents.find(name).ok()?;
    let agent = library::StrategyCommand::agent(preset.clone());
    Some(match of_project {
        true => agent.of_project(),
        false => agent,
    })
}

/// The agents that fixes name; none are read where none is named.
///
/// # Errors
/// If one is not there or could not be called, or stands where no agent can.
fn agents(run: &RunSettings) -> Result<Presets> {
    let layers = run.categories.iter().map(|(_, layer)| layer);
    let layers = layers.chain(run.error_types.iter().map(|(_, layer)| layer));
    let (mut fixes, mut others) = (vec![&run.policy.fix], vec![&run.policy.alternative]);
    for layer in layers {
        fixes.extend(&layer.fix);
        others.extend(&layer.alternative);
    }
    let hooks = [&run.approve, &run.on_escalate];
    let hooks = hooks
        .iter()
        .filter_map(|hook| Some((hook.value.as_ref()?, &hook.origin)));
    let recipes = run.recipes.iter().filter_map(|one| match &one.change {
        RecipeChange::Define(own) => match &own.action {
            RecipeAction::Fix(action) | RecipeAction::Alternative(action) => {
                Some((action, &one.origin))
            }
        },
        RecipeChange::Off => None,
    });
    let others = each_with_origin(others);
    let mut others = others.chain(hooks).chain(recipes);
    if let Some((misplaced, origin)) =
        others.find(|(one, _)| matches!(one, StrategyCommand::Agent(_)))
    {
        let context = format!("{misplaced} mends files: give it as --fix, or as `fix` in a file");
        return Err(at(origin, &Error::new(ErrorKind::InvalidInput, context)));
    }
    let named: Vec<_> = each_with_origin(fixes)
        .filter_map(|(fix, origin)| match fix {
            StrategyCommand::Agent(name) => Some((name, origin)),
            _ => None,
        })
        .collect();
    if named.is_empty() && run.fixers.is_empty() {
        return Ok(Presets::default());
    }
    let changes: Vec<_> = run.fixers.iter().map(|one| one.change.clone()).collect();
    let presets = Presets::with_user(&changes).map_err(|error| {
        let mut fixers = run.fixers.iter();
        let is_bad =
            |one: &&FixerSetting| Presets::with_user(std::slice::from_ref(&one.change)).is_err();
        match fixers.find(is_bad) {
            Some(one) => at(&one.origin, &error),
            None => error,
        }
    })?;
    for (name, origin) in named {
        presets.find(name).map_err(|error| at(origin, &error))?;
    }
    Ok(presets)
}

/// Each command of `lists`, with where it stands.
fn each_with_origin(
    lists: Vec<&Setting<Vec<StrategyCommand>>>,
) -> impl Iterator<Item = (&StrategyCommand, &Origin)> {
    let lists = lists.into_iter();
    lists.flat_map(|list| list.value.iter().map(|one| (one, &list.origin)))
}

fn hook(
    setting: &Setting<Option<StrategyCommand>>,
    project: Option<&Project>,
) -> Option<library::StrategyCommand> {
    let of_project = is_of(&setting.origin, project);
    setting.value.as_ref().map(|one| command(one, of_project))
}

fn is_of(origin: &Origin, project: Option<&Project>) -> bool {
    project.is_some_and(|project| project.is_origin(origin))
}

fn command(command: &StrategyCommand, of_project: bool) -> library::StrategyCommand {
    let command = match command {
        StrategyCommand::Shell(text) => library::StrategyCommand::shell(text),
        // Only a fix is an agent, which was looked at before.
        StrategyCommand::Agent(_) => library::StrategyCommand::shell(&command.to_string()),
        StrategyCommand::Argv(argv) => {
            library::StrategyCommand::direct(argv.iter().map(OsString::from).collect())
        }
    };
    match of_project {
        true => command.of_project(),
        false => command,
    }
}

/// A user's recipe. Its tools are looked for both as the command itself and behind a task runner.
fn recipe(setting: &RecipeSetting, project: Option<&Project>) -> Recipe {
    let name = setting.name.clone();
    let RecipeChange::Define(own) = &setting.change else {
        return Recipe {
            name,
            off: true,
            ..Recipe::default()
        };
    };
    let (remedy, action) = match &own.action {
        RecipeAction::Fix(action) => (Remedy::Fix, action),
        RecipeAction::Alternative(action) => (Remedy::Alternative, action),
    };
    let run = match action {
        StrategyCommand::Shell(text) => vec!["sh".to_owned(), "-c".to_owned(), text.clone()],
        StrategyCommand::Argv(argv) => argv.clone(),
        StrategyCommand::Agent(_) => vec![action.to_string()],
    };
    Recipe {
        name,
        commands: match own.argv.is_empty() {
            true => own.tools.clone(),
            false => vec![own.argv.join(" ")],
        },
        tools: own.tools.clone(),
        categories: own.category.into_iter().collect(),
        types: own.types.clone(),
        remedy,
        on_file: run.clone(),
        run,
        tier: own.tier,
        requires: own.requires.clone(),
        of_project: is_of(&setting.origin, project),
        ..Recipe::default()
    }
}

/// The user's rules before the built-in ones; `None` without any of the user's.
///
/// # Errors
/// If one is not sound.
pub(crate) fn user_rules(run: &RunSettings) -> Result<Option<Arc<Rules>>> {
    if run.rules.is_empty() {
        return Ok(None);
    }
    let own = run.rules.iter().map(rule).collect();
    let rules = Rules::with_user(own).map_err(|error| {
        let mut rules = run.rules.iter();
        match rules.find(|one| Rules::with_user(vec![rule(one)]).is_err()) {
            Some(one) => at(&one.origin, &error),
            None => error,
        }
    })?;
    Ok(Some(Arc::new(rules)))
}

fn rule(setting: &RuleSetting) -> Rule {
    let codes = setting.exit_codes.iter();
    Rule {
        sign: Sign::Outcome,
        tools: setting.tools.iter().cloned().map(Text::from).collect(),
        line: setting.pattern.clone().map(Text::from),
        exit: codes.filter_map(|code| i32::try_from(*code).ok()).collect(),
        error_type: setting.error_type.clone().map(Text::from),
        category: setting.category,
        ..Rule::named(setting.name.clone())
    }
}
