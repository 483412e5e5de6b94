//! The text of `recover explain` for people: each failure, then the recipes; those that are not for
//! it are counted by their reasons.

use auto_recovery::audit::session_id::short;

use super::explanation::Explanation;
use crate::output::{Facts, counted};

/// Recipes named where one reason holds for all of them; more are counted.
const NAMES_SHOWN: usize = 3;

/// The layout of an `explanation`.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// The width of the terminal, in characters.
    pub(super) width: Option<u16>,
    /// Whether each recipe is named, also where they are many.
    pub(super) is_verbose: bool,
}

/// Renders `explanation` in words.
pub(super) fn text(explanation: &Explanation<'_>, shape: Shape) -> String {
    let mut facts = Facts::new(shape.width);
    if let Some(session) = explanation.session_id {
        facts.add("session", short(session));
    }
    if !explanation.command.is_empty() {
        facts.add("command", &explanation.command);
    }
    let mut text = one(explanation, facts, shape);
    for (number, next) in explanation.then.iter().enumerate() {
        let ground = format!("the failure after what was kept ({})", number + 2);
        let mut facts = Facts::new(shape.width);
        facts.add("then", ground);
        text.push('\n');
        text.push_str(&one(next, facts, shape));
    }
    text
}

/// Renders one failure, below the `facts` of its session or attempt.
fn one(explanation: &Explanation<'_>, mut facts: Facts, shape: Shape) -> String {
    let failure = &explanation.failure;
    facts.add(
        "failure",
        format!("{}: {}", failure.error_type, failure.message),
    );
    if let Some(file) = &failure.file_path {
        let line = failure.line_number.map(|line| format!(":{line}"));
        facts.add("file", format!("{file}{}", line.unwrap_or_default()));
    }
    facts.add("source", &failure.source);
    facts.add("category", explanation.category.to_string());
    facts.add("rule", &explanation.rule);
    match &explanation.line {
        Some(line) => facts.add("line", format!("{}: {}", line.number, line.text)),
        None => facts.add(
            "line",
            "none: the rule went by how the command ended, or is not known",
        ),
    }
    if !explanation.words.is_empty() {
        let words: Vec<_> = explanation
            .words
            .iter()
            .map(|word| format!("`{word}`"))
            .collect();
        let told = format!(
            "{}: no rule knows this output, its words told",
            words.join(", ")
        );
        facts.add("words", told);
    }
    if let Some(file) = &explanation.output_file {
        facts.add("output", file);
    }
    for why in explanation.skipped {
        facts.add("not tried", why);
    }
    let recipes = told(explanation, shape);
    format!("{}\nrecipes\n{recipes}", facts.render())
}

fn told(explanation: &Explanation<'_>, shape: Shape) -> String {
    let mut facts = Facts::new(shape.width);
    let recipes = &explanation.recipes;
    let (told, others): (Vec<_>, Vec<_>) = recipes.iter().partition(|one| one.concerns_it());
    for recipe in told {
        let ran = recipe.ran.iter().cloned();
        let runs = recipe
            .runs
            .iter()
            .map(|command| format!("runs `{command}`"));
        let why_not = recipe.why_not.iter().map(|why| format!("not: {why}"));
        // A recipe that ran needs no word on what it would do now.
        let would = runs.chain(why_not.filter(|_| recipe.ran.is_empty()));
        let said: Vec<_> = ran.chain(would).collect();
        let name = format!("  {} ({})", recipe.name, recipe.tier);
        facts.add(&name, said.join("; "));
    }
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    for recipe in others {
        let why = recipe.why_not.join("; ");
        match reasons.iter_mut().find(|(reason, _)| *reason == why) {
            Some((_, names)) => names.push(&recipe.name),
            None => reasons.push((why, vec![&recipe.name])),
        }
    }
    let of_others = format!("not for {} failures", explanation.category);
    for (reason, names) in reasons {
        // Recipes for other categories are expected not to apply, so they are only counted.
        let is_plain = reason == of_others;
        let named = match names.len() {
            _ if shape.is_verbose => names.join(", "),
            0..=NAMES_SHOWN if !is_plain => names.join(", "),
            more => counted(more as u64, "recipe"),
        };
        facts.add("  not", format!("{reason}: {named}"));
    }
    facts.render()
}
