//! What `recover explain` tells people: the failure, then the recipes, those that are not for it
//! together by their reasons.

use super::explanation::{Explanation, OfRecipe};
use crate::output::Facts;

/// `explanation` in words, to fit into `width` characters.
pub(super) fn text(explanation: &Explanation<'_>, width: Option<u16>) -> String {
    let Explanation {
        session_id,
        command,
        category,
        failure,
        rule,
        output_file,
        line,
        recipes,
    } = explanation;
    let mut facts = Facts::new(width);
    if let Some(session) = session_id {
        facts.add("session", session);
    }
    if !command.is_empty() {
        facts.add("command", command);
    }
    facts.add(
        "failure",
        format!("{}: {}", failure.error_type, failure.message),
    );
    if let Some(file) = &failure.file_path {
        let line = failure.line_number.map(|line| format!(":{line}"));
        facts.add("file", format!("{file}{}", line.unwrap_or_default()));
    }
    facts.add("source", &failure.source);
    facts.add("category", category.to_string());
    facts.add("rule", rule);
    match line {
        Some(line) => facts.add("line", format!("{}: {}", line.number, line.text)),
        None => facts.add(
            "line",
            "none: the rule went by how the command ended, or is not known",
        ),
    }
    if let Some(file) = output_file {
        facts.add("output", file);
    }
    let mut text = format!("{}\nrecipes\n", facts.render());
    text.push_str(&told(recipes, width));
    text
}

fn told(recipes: &[OfRecipe<'_>], width: Option<u16>) -> String {
    let mut facts = Facts::new(width);
    for recipe in recipes.iter().filter(|recipe| recipe.is_for_it) {
        let runs = recipe
            .runs
            .iter()
            .map(|command| format!("runs `{command}`"));
        let why_not = recipe.why_not.iter().map(|why| format!("not: {why}"));
        let said: Vec<_> = runs.chain(why_not).collect();
        let name = format!("  {} ({})", recipe.name, recipe.tier);
        facts.add(&name, said.join("; "));
    }
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    for recipe in recipes.iter().filter(|recipe| !recipe.is_for_it) {
        let why = recipe.why_not.join("; ");
        match reasons.iter_mut().find(|(reason, _)| *reason == why) {
            Some((_, names)) => names.push(recipe.name),
            None => reasons.push((why, vec![recipe.name])),
        }
    }
    for (reason, names) in reasons {
        facts.add("  not", format!("{reason}: {}", names.join(", ")));
    }
    facts.render()
}
