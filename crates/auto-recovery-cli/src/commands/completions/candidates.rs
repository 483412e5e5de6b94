//! What could stand for a session, an attempt, a checkpoint or a recipe, from what is there.
//!
//! Whatever cannot be read offers nothing: a person who types is not told of errors.

use std::ffi::{OsStr, OsString};

use auto_recovery::Result;
use auto_recovery::audit::session_id::short;
use auto_recovery::audit::{FoundSession, SessionQuery, SessionSummary, find_session};
use auto_recovery::recipe::RecipeBook;
use auto_recovery::wording::cut;
use clap::builder::PossibleValue;
use clap::{Arg, Command, CommandFactory};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};

use crate::args::{Cli, GlobalArgs};
use crate::commands::checkpoints::{short_checkpoint, why};
use crate::commands::history::{read_tail, result_of};
use crate::commands::outcome::outcome_name;
use crate::commands::run::library_request;
use crate::commands::session::distinct_ids;
use crate::context::Context;
use crate::output::{Printer, Verbosity, escape_text, shell_words, short_age};
use crate::settings::{Environment, Layer, Mistakes, RunRequest};

/// The newest sessions that are offered, and attempts of one.
const OFFERED_MAX: usize = 50;
/// Sessions among which those are looked for that begin as what is typed: a person waits.
const SEARCHED_MAX: usize = 5_000;

/// Characters of a command that is shown beside its session.
const COMMAND_CHARS: usize = 48;

/// The words of the command line that is typed, after the program's own name.
#[derive(Clone, Debug)]
pub(super) struct Words(Vec<OsString>);

impl Words {
    /// The words that a shell asks about: `PROGRAM -- PROGRAM WORD…`.
    pub(super) fn of(args: &[OsString]) -> Self {
        let words = args.iter().skip_while(|word| *word != "--").skip(2);
        Self(words.cloned().collect())
    }

    /// The value of the option `name`.
    fn value(&self, name: &str) -> Option<OsString> {
        let joined = format!("{name}=");
        let mut words = self.0.iter();
        while let Some(word) = words.next() {
            if word == name {
                return words.next().cloned();
            }
            if let Some(value) = word.to_str().and_then(|word| word.strip_prefix(&joined)) {
                return Some(value.into());
            }
        }
        None
    }

    /// What stands after the name of the command, options left out.
    fn operand(&self) -> Option<&str> {
        let mut plain = self.0.iter().filter_map(|word| word.to_str());
        plain.find(|word| !word.starts_with('-'))?;
        plain.find(|word| !word.starts_with('-'))
    }

    /// What the commands work with where these words are typed.
    fn context(&self) -> Result<Context> {
        let global = GlobalArgs {
            store: self.value("--store"),
            config: self.value("--config").map(Into::into),
            ..GlobalArgs::default()
        };
        let printer = Printer::new(true, Verbosity::Quiet, None);
        let (flags, environment) = (Layer::default(), Environment::read());
        Context::new(&global, flags, &environment, printer, Mistakes::LeftOut)
    }
}

/// The command line's own description, with what could stand in each place.
pub(super) fn know(words: Words) -> Command {
    let mut root = Cli::command();
    let names: Vec<_> = root
        .get_subcommands()
        .map(|one| one.get_name().to_owned())
        .collect();
    for name in names {
        root = root.mut_subcommand(&name, |command| {
            let is_recipes = name == "recipes";
            command.mut_args(|arg| match place(&arg, is_recipes) {
                Some(offer) => arg.add(completer(offer, words.clone())),
                None if arg.get_value_delimiter().is_some() => {
                    let values = arg.get_possible_values();
                    arg.add(once_each(values, words.clone()))
                }
                None => arg,
            })
        });
    }
    root
}

/// What could stand in one place, each with a word on it.
type Offer = fn(&Context, &Words, &str) -> Result<Vec<(String, String)>>;

fn place(arg: &Arg, is_recipes: bool) -> Option<Offer> {
    let names = arg.get_value_names()?;
    let offer: Offer = match names.first()?.as_str() {
        "SESSION" | "SESSION|FILE" => sessions,
        "SESSION|CHECKPOINT" => sessions_and_checkpoints,
        "CHECKPOINT|git:REV" => checkpoints,
        "ID" if arg.get_long() == Some("session") => sessions,
        "N" if arg.is_positional() => attempts,
        "NAME" if is_recipes => recipes,
        _ => return None,
    };
    Some(offer)
}

fn completer(offer: Offer, words: Words) -> ArgValueCompleter {
    ArgValueCompleter::new(move |typed: &OsStr| {
        let typed = typed.to_string_lossy();
        let offered = words.context();
        let offered = offered.and_then(|context| offer(&context, &words, &typed));
        offered
            .unwrap_or_default()
            .into_iter()
            // What would have to be escaped to be shown cannot be typed either.
            .filter(|(value, _)| value.starts_with(&*typed) && escape_text(value) == *value)
            .map(|(value, says)| {
                CompletionCandidate::new(value).help(Some(escape_text(&says).into()))
            })
            .collect()
    })
}

/// Those of `values` that the list being typed does not have yet, for its last part.
fn once_each(values: Vec<PossibleValue>, words: Words) -> ArgValueCompleter {
    ArgValueCompleter::new(move |typed: &OsStr| {
        let list = words.0.last().map(|word| word.to_string_lossy());
        let list = list.unwrap_or_default();
        let list = list.rsplit_once('=').map_or(&*list, |(_, list)| list);
        let taken: Vec<&str> = list.split(',').collect();
        let (_, taken) = taken.split_last().unwrap_or((&"", &[]));
        let left = values.iter().filter(|value| {
            let name = value.get_name();
            name.starts_with(&*typed.to_string_lossy()) && !taken.contains(&name)
        });
        left.map(|value| CompletionCandidate::new(value.get_name()).help(value.get_help().cloned()))
            .collect()
    })
}

fn sessions(context: &Context, _words: &Words, typed: &str) -> Result<Vec<(String, String)>> {
    let searched = match typed {
        "" => OFFERED_MAX,
        _ => SEARCHED_MAX,
    };
    let mut page = context
        .store()?
        .read_session_page(&SessionQuery::default(), None, searched)?;
    let begins = |session: &SessionSummary| {
        session.session_id.starts_with(typed) || short(&session.session_id).starts_with(typed)
    };
    page.sessions.retain(begins);
    page.sessions.truncate(OFFERED_MAX);
    let now = context.host.now();
    let ids = distinct_ids(&page.sessions).into_iter().map(str::to_owned);
    let says = page.sessions.iter().map(|session| {
        let command = session
            .command
            .as_deref()
            .map(shell_words)
            .unwrap_or_default();
        let last = session.last_attempt_timestamp.as_deref();
        let age = last
            .map(|last| format!(", {}", short_age(last, now)))
            .unwrap_or_default();
        let outcome = outcome_name(session.outcome);
        format!("{} ({outcome}{age})", cut(&command, COMMAND_CHARS))
    });
    Ok(ids.zip(says).collect())
}

fn checkpoints(context: &Context, _words: &Words, _typed: &str) -> Result<Vec<(String, String)>> {
    let trees = context.place()?.good_trees(&context.settings.cwd)?;
    let offered = trees.iter().take(OFFERED_MAX).map(|tree| {
        let value = tree.label.clone().unwrap_or_else(|| short_checkpoint(tree));
        (value, why(tree))
    });
    Ok(offered.collect())
}

fn sessions_and_checkpoints(
    context: &Context,
    words: &Words,
    typed: &str,
) -> Result<Vec<(String, String)>> {
    let mut offered = sessions(context, words, typed)?;
    offered.extend(checkpoints(context, words, typed)?);
    Ok(offered)
}

/// The attempts of the session that is typed before.
fn attempts(context: &Context, words: &Words, _typed: &str) -> Result<Vec<(String, String)>> {
    let store = context.store()?;
    let Some(typed) = words.operand() else {
        return Ok(Vec::new());
    };
    let FoundSession::One(session) = find_session(&*store, typed)? else {
        return Ok(Vec::new());
    };
    let tail = read_tail(&*store, &session, OFFERED_MAX)?;
    let offered = tail.entries.iter().map(|entry| {
        let says = format!("{}, {}", entry.strategy, result_of(entry));
        (entry.attempt_number.to_string(), says)
    });
    Ok(offered.collect())
}

fn recipes(context: &Context, _words: &Words, _typed: &str) -> Result<Vec<(String, String)>> {
    let request = library_request(context, &RunRequest::of(Vec::new()))?;
    let book = RecipeBook::with_user(request.tries.recipes)?;
    let offered = book.recipes().iter();
    Ok(offered
        .map(|recipe| (recipe.name.clone(), recipe.in_words()))
        .collect())
}
