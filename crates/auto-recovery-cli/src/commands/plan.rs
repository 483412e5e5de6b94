//! `recover plan`.

use std::collections::BTreeMap;
use std::time::Duration;

use auto_recovery::learn::{LearnMode, document, left_out_in_words, sentence};
use auto_recovery::plan::{Advice, AdviceStatus};
use auto_recovery::recipe::Situation;
use auto_recovery::run::{self as library, PlannedAction, PlannedStep, RunPlan, StrategyCommand};
use auto_recovery::{Category, Failure, Result};
use serde::Serialize;

use crate::commands::advise::{Faced, learning, name_of, newest, now, plan_against};
use crate::commands::run::{check_exit_map, library_request};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{counted, escape_text};
use crate::settings::RunRequest;

/// What would be tried for one category.
#[derive(Serialize)]
struct CategoryPlan {
    category: Category,
    steps: Vec<Step>,
    skipped: Vec<String>,
    /// What history advises against the newest failure of this workspace, if it is of the category.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<serde_json::Value>,
    /// The same in lines.
    #[serde(skip)]
    history: Vec<String>,
}

/// One thing that would be tried.
#[derive(Serialize)]
struct Step {
    strategy: String,
    does: String,
    /// The same in a line.
    #[serde(skip)]
    in_short: String,
    command: Option<Vec<String>>,
    folder: Option<String>,
    recipe: Option<String>,
    tier: Option<&'static str>,
    max_attempts: u32,
}

impl Step {
    fn of(step: &PlannedStep) -> Self {
        let (command, recipe) = match &step.action {
            PlannedAction::Given(command) => (Some(command), None),
            PlannedAction::Recipe { recipe, command } => (Some(command), Some(recipe)),
            PlannedAction::Mended { recipe } => (None, Some(recipe)),
            PlannedAction::Again { .. } | PlannedAction::Back(_) => (None, None),
        };
        let does = step.in_words();
        let agent = command.filter(|command| command.preset.is_some());
        let in_short =
            agent.map(|agent| does.replacen(&agent.in_words(), &agent_in_short(agent), 1));
        let words = command.map(|command| {
            let words = command.argv.iter();
            words
                .map(|word| word.to_string_lossy().into_owned())
                .collect()
        });
        let folder = command.and_then(|command| command.folder.as_ref());
        Self {
            strategy: step.kind.to_string(),
            in_short: in_short.unwrap_or_else(|| does.clone()),
            does,
            command: words,
            folder: folder.map(|folder| folder.display().to_string()),
            recipe: recipe.map(|recipe| recipe.name.clone()),
            tier: recipe.map(|recipe| recipe.tier.as_str()),
            max_attempts: step.max_attempts,
        }
    }
}

/// A coding agent as it is called, without its words: they are longer than a line.
fn agent_in_short(agent: &StrategyCommand) -> String {
    let program = agent.argv.first().map(|word| word.to_string_lossy());
    format!(
        "{} ({} with {}, which `--json` has)",
        agent.display,
        program.unwrap_or_default(),
        counted(agent.argv.len().saturating_sub(1) as u64, "word")
    )
}

/// Prints what `typed` would try for each category of failure, and what not and why. Runs nothing.
///
/// # Errors
/// If `run` would refuse it, or stdout cannot be written.
pub(crate) fn plan(context: &Context, typed: &RunRequest) -> Result<Exit> {
    check_exit_map(&typed.exit_map)?;
    let request = library_request(context, typed)?;
    request.check()?;
    let argv = request.words();
    let plan = |category| {
        let situation = Situation {
            argv: &argv,
            failure: None,
            category,
            output: "",
        };
        let policy = (request.tries.policy)(category, &Failure::default());
        let RunPlan { steps, skipped, .. } = request.plan(&situation, &policy, Duration::ZERO)?;
        Ok(CategoryPlan {
            category,
            steps: steps.iter().map(Step::of).collect(),
            skipped,
            advice: None,
            history: Vec::new(),
        })
    };
    let mut plans = Category::ALL
        .into_iter()
        .map(plan)
        .collect::<Result<Vec<_>>>()?;
    add_advice(context, &request, &mut plans)?;
    if context.printer.json {
        context.printer.json(&plans)?;
        return Ok(Exit::OK);
    }
    let line = |text: &str, indent| context.printer.line(text, indent);
    for plan in &plans {
        line(&plan.category.to_string(), 0)?;
        for (number, step) in plan.steps.iter().enumerate() {
            line(
                &format!("  {}. {}", number + 1, escape_text(&step.in_short)),
                5,
            )?;
        }
        if plan.steps.is_empty() {
            line("  nothing is tried", 2)?;
        }
        for why in &plan.skipped {
            line(&format!("  not: {}", escape_text(why)), 7)?;
        }
        for says in &plan.history {
            line(&format!("  {}", escape_text(says)), 4)?;
        }
    }
    Ok(Exit::OK)
}

/// Adds to the plan of its category what history advises against the newest failure here: by the
/// summaries, as a run would go by them.
fn add_advice(
    context: &Context,
    request: &library::RunRequest,
    plans: &mut [CategoryPlan],
) -> Result<()> {
    let settings = context.settings.run.learn.settings();
    if settings.mode == LearnMode::Off {
        return Ok(());
    }
    let store = context.store()?;
    let learning = learning(context, &*store);
    let Ok(evidence) = learning.evidence(&request.workspace()?, now(context)) else {
        return Ok(());
    };
    let Some(Faced { found, .. }) = newest(context, &*store)? else {
        return Ok(());
    };
    let planned = plan_against(context, request, &found, evidence)?;
    let plan = plans.iter_mut().find(|plan| plan.category == found.1);
    if let (Some(plan), Some((mut advice, names))) = (plan, planned.advice) {
        let is_followed = settings.mode == LearnMode::On && settings.control_percent < 100;
        advice.applied = is_followed && advice.status == AdviceStatus::Changed;
        plan.history = in_lines(&advice, &names);
        plan.advice = Some(document(&advice, &BTreeMap::new()));
    }
    Ok(())
}

/// The advised order, and the shipped one, where they differ; `names` says what each step does.
fn in_lines(advice: &Advice, names: &BTreeMap<String, String>) -> Vec<String> {
    let name = |step: &str| name_of(step, names);
    let Some(says) = sentence(advice, &name) else {
        return Vec::new();
    };
    let class: Vec<&str> = advice.class.iter().map(String::as_str).collect();
    let class: Vec<&str> = class
        .into_iter()
        .skip(1)
        .filter(|part| !part.is_empty())
        .collect();
    let order = |steps: &[String]| {
        let steps: Vec<String> = steps.iter().map(|step| name(step)).collect();
        match steps.is_empty() {
            true => "nothing".to_owned(),
            false => steps.join(" · "),
        }
    };
    let does = match advice.applied {
        true => "is tried",
        false => "history would try",
    };
    let against = class.join(" · ");
    let mut lines = vec![
        format!("against {against}, the newest failure here: {says}"),
        format!("{does}: {}", order(&advice.order)),
        format!("shipped: {}", order(&advice.shipped)),
    ];
    let left_out = left_out_in_words(&advice.left_out, &name).into_iter();
    lines.extend(left_out.map(|(what, why)| format!("left out: {what}: {why}")));
    lines
}
