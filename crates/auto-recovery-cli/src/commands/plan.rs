//! `recover plan`.

use std::ffi::OsString;
use std::time::Duration;

use auto_recovery::recipe::Situation;
use auto_recovery::run::{PlannedStep, RunPlan};
use auto_recovery::{Category, Failure, Result};
use serde::Serialize;

use crate::commands::run::library_request;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::escape_text;
use crate::settings::RunRequest;

/// What would be tried for one category.
#[derive(Serialize)]
struct CategoryPlan {
    category: Category,
    steps: Vec<String>,
    skipped: Vec<String>,
}

/// Prints what would be tried for each category of failure of `command`, and what not and why. Runs
/// nothing.
pub(crate) fn plan(context: &Context, command: Vec<OsString>) -> Result<Exit> {
    let request = library_request(context, &RunRequest::of(command))?;
    let argv = request.words();
    let plan = |category| {
        let situation = Situation {
            argv: &argv,
            failure: None,
            category,
            output: "",
        };
        let policy = (request.tries.policy)(category, &Failure::default());
        let RunPlan { steps, skipped } = request.plan(&situation, &policy, Duration::ZERO)?;
        Ok(CategoryPlan {
            category,
            steps: steps.iter().map(PlannedStep::in_words).collect(),
            skipped,
        })
    };
    let plans = Category::ALL
        .into_iter()
        .map(plan)
        .collect::<Result<Vec<_>>>()?;
    if context.printer.json {
        context.printer.json(&plans)?;
        return Ok(Exit::OK);
    }
    let mut text = String::new();
    for plan in &plans {
        text.push_str(&format!("{}\n", plan.category));
        for (number, step) in plan.steps.iter().enumerate() {
            text.push_str(&format!("  {}. {}\n", number + 1, escape_text(step)));
        }
        if plan.steps.is_empty() {
            text.push_str("  nothing; escalates at once\n");
        }
        for why in &plan.skipped {
            text.push_str(&format!("  not: {}\n", escape_text(why)));
        }
    }
    context.printer.text(&text)?;
    Ok(Exit::OK)
}
