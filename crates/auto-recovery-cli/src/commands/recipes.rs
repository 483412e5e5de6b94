//! `recover recipes`.

use auto_recovery::recipe::{Recipe, RecipeBook, Remedy, Tier};
use auto_recovery::wording::nearest;
use auto_recovery::{Category, Error, ErrorKind, Result};
use serde::Serialize;

use crate::args::RecipesArgs;
use crate::commands::run::library_request;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Column, Facts, Table};
use crate::settings::RunRequest;

/// A recipe, for programs.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    tier: Tier,
    remedy: Remedy,
    /// `built_in`, `configuration`, or `off`.
    origin: &'static str,
    tools: &'a [String],
    commands: &'a [String],
    with: &'a [String],
    without: &'a [String],
    categories: &'a [Category],
    types: &'a [String],
    messages: &'a [String],
    output: &'a [String],
    runs: String,
    on_file: &'a [String],
    requires: &'a [String],
    files: &'a [String],
}

/// Lists the recipes in the order they are tried, the user's own first, or tells all of the one
/// that is named.
///
/// # Errors
/// [`ErrorKind::NotFound`] if there is none of that name.
pub(crate) fn recipes(context: &Context, args: RecipesArgs) -> Result<Exit> {
    let (name, printer) = (args.name.as_deref(), &context.printer);
    let request = library_request(context, &RunRequest::of(Vec::new()))?;
    let own = request.tries.recipes;
    let names: Vec<String> = own.iter().map(|one| one.name.clone()).collect();
    let book = RecipeBook::with_user(own)?;
    let known = book.recipes().iter().map(|recipe| {
        let is_own = names.contains(&recipe.name);
        shown(recipe, if is_own { "configuration" } else { "built_in" })
    });
    let off = book.switched_off().iter().map(|one| shown(one, "off"));
    let wanted = |one: &Shown<'_>| name.is_none_or(|name| one.name == name);
    let found: Vec<_> = known.chain(off).filter(wanted).collect();
    if let (Some(name), true) = (name, found.is_empty()) {
        let known = book.recipes().iter().chain(book.switched_off());
        let near = nearest(name, known.map(|recipe| &*recipe.name));
        let near = near.map(|near| format!("; did you mean `{near}`?"));
        return Err(Error::new(
            ErrorKind::NotFound,
            format!(
                "no recipe {name}{}",
                near.unwrap_or_else(|| "; `recover recipes` lists them".to_owned())
            ),
        ));
    }
    match (printer.json, name) {
        (true, Some(_)) => printer.json(&found[0])?,
        (true, None) => printer.json(&found)?,
        (false, Some(_)) => printer.text(&in_full(&found[0], printer.columns))?,
        (false, None) => printer.text(&table(&found, printer.columns))?,
    }
    Ok(Exit::OK)
}

fn shown<'a>(recipe: &'a Recipe, origin: &'static str) -> Shown<'a> {
    Shown {
        name: &recipe.name,
        tier: recipe.tier,
        remedy: recipe.remedy,
        origin,
        tools: &recipe.tools,
        commands: &recipe.commands,
        with: &recipe.with,
        without: &recipe.without,
        categories: &recipe.categories,
        types: &recipe.types,
        messages: &recipe.messages,
        output: &recipe.output,
        runs: recipe.in_words(),
        on_file: &recipe.on_file,
        requires: &recipe.requires,
        files: &recipe.files,
    }
}

fn table(found: &[Shown<'_>], width: Option<u16>) -> String {
    let columns = [
        Column::whole("NAME"),
        Column::whole("TIER"),
        Column::flexible("TOOLS", 10).rank(1),
        Column::flexible("RUNS", 20),
    ];
    let mut table = Table::new(&columns, width);
    for one in found {
        let runs = match one.origin {
            "off" => "off",
            _ => &one.runs,
        };
        let tools = one.tools.join(", ");
        table.row([one.name, one.tier.as_str(), &tools, runs]);
    }
    table.render()
}

fn in_full(one: &Shown<'_>, width: Option<u16>) -> String {
    let categories: Vec<String> = one.categories.iter().map(ToString::to_string).collect();
    let facts = [
        ("recipe", one.name.to_owned()),
        ("tier", one.tier.to_string()),
        ("origin", one.origin.replace('_', "-")),
        ("commands", one.commands.join(", ")),
        ("only with", one.with.join(" or ")),
        ("not with", one.without.join(" or ")),
        ("tools", one.tools.join(", ")),
        ("categories", categories.join(", ")),
        ("types", one.types.join(", ")),
        ("messages", one.messages.join(", ")),
        ("output says", one.output.join(" or ")),
        ("runs", one.runs.clone()),
        ("on a file", one.on_file.join(" ")),
        ("requires", one.requires.join(", ")),
        ("files", one.files.join(" or ")),
    ];
    let mut shown = Facts::new(width);
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        shown.add(name, value);
    }
    shown.render()
}
