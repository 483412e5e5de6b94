//! `recover checkpoints`.

use auto_recovery::Result;
use auto_recovery::checkpoint::{Good, GoodTree};
use auto_recovery::run::display_command;
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Column, Table, short_age};

/// Digits of an id that are shown.
const SHORT_CHARS: usize = 10;
/// Digits of a whole id, at least.
const ID_CHARS_MIN: usize = 40;

/// A tree to which a rollback or a restore can go.
#[derive(Serialize)]
struct Listed<'a> {
    checkpoint: &'a str,
    label: Option<&'a str>,
    at: &'a str,
    session_id: &'a str,
    why: &'static str,
    command: Option<&'a [String]>,
    cwd: Option<&'a str>,
}

impl<'a> Listed<'a> {
    fn of(tree: &'a GoodTree) -> Self {
        let (why, command, cwd) = match &tree.good {
            Good::Marked => ("marked", None, None),
            Good::Passed { argv, cwd } => ("passed", Some(&argv[..]), Some(cwd.as_str())),
        };
        Self {
            checkpoint: &tree.checkpoint,
            label: tree.label.as_deref(),
            at: &tree.at,
            session_id: &tree.session_id,
            why,
            command,
            cwd,
        }
    }
}

/// Lists the good trees of this workspace, newest first.
///
/// # Errors
/// If they cannot be read.
pub(crate) fn checkpoints(context: &Context) -> Result<Exit> {
    let trees = context.place()?.good_trees(&context.settings.cwd)?;
    let printer = &context.printer;
    if printer.json {
        let listed: Vec<_> = trees.iter().map(Listed::of).collect();
        printer.json(&listed)?;
        return Ok(Exit::OK);
    }
    if trees.is_empty() {
        printer.note("no checkpoints in this workspace; `recover checkpoint` makes one");
        return Ok(Exit::OK);
    }
    let columns = [
        Column::whole("CHECKPOINT"),
        Column::whole("AGE").number(),
        Column::flexible("WHY", 20),
    ];
    let mut table = Table::new(&columns, printer.columns);
    let now = context.host.now();
    for tree in &trees {
        table.row([short_checkpoint(tree), short_age(&tree.at, now), why(tree)]);
    }
    printer.text(&table.render())?;
    printer.note("`recover restore CHECKPOINT` goes back to one");
    Ok(Exit::OK)
}

/// The id of `tree`, as it is shown.
pub(super) fn short_checkpoint(tree: &GoodTree) -> String {
    short_id(&tree.checkpoint).to_owned()
}

/// The id `checkpoint`, as it is shown.
pub(super) fn short_id(checkpoint: &str) -> &str {
    checkpoint.get(..SHORT_CHARS).unwrap_or(checkpoint)
}

/// `text` with the id of each checkpoint in it as it is shown.
pub(super) fn with_short_checkpoints(text: &str) -> String {
    let is_id = |word: &str| {
        word.len() >= ID_CHARS_MIN && word.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let mut parts = text.split("checkpoint ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric());
        let (word, rest) = part.split_at(end.unwrap_or(part.len()));
        let word = if is_id(word) { short_id(word) } else { word };
        format!("{text}checkpoint {word}{rest}")
    })
}

/// Why `tree` is one to go back to.
pub(super) fn why(tree: &GoodTree) -> String {
    match (&tree.good, &tree.label) {
        (Good::Passed { argv, .. }, _) => format!("`{}` passed", display_command(argv)),
        (Good::Marked, Some(label)) => label.clone(),
        (Good::Marked, None) => "marked as good".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::with_short_checkpoints;

    #[test]
    fn the_id_of_a_checkpoint_is_short_where_people_read_it() {
        let id = "307eeff6".repeat(5);
        let check = |text: &str, expected: &str| {
            assert_eq!(with_short_checkpoints(&text.replace("ID", &id)), expected);
        };
        check(
            "to checkpoint ID, 1 path",
            "to checkpoint 307eeff630, 1 path",
        );
        check("to checkpoint ID", "to checkpoint 307eeff630");
        check("to checkpoint green", "to checkpoint green");
        check("no checkpoint of it", "no checkpoint of it");
        check("blob ID", &format!("blob {id}"));
    }
}
