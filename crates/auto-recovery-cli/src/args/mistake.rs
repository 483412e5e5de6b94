//! What was typed and cannot be understood: the parser's errors in our own words, a line each, with
//! the thing, the reason and the way out. Passwords in what was typed are not repeated.

use std::error::Error as _;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use auto_recovery::run::display_command;
use auto_recovery::wording::nearest;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Error};

use crate::args::Cli;
use crate::args::top::command_of;

/// What stands for a word that may have a password in it.
const HIDDEN: &str = "…";

/// Options that other programs have, the commands of ours that they are typed for, and ours for the
/// same wish.
const OPTIONS_MEANT: [(&[&str], &[&str], &str); 9] = [
    (
        RUNS,
        &["--timeout", "--time-limit"],
        "`--attempt-timeout D` ends each program that takes longer, `--deadline D` the whole run",
    ),
    (
        RUNS,
        &[
            "--retries",
            "--tries",
            "--attempts",
            "--times",
            "--max-retries",
        ],
        "`--retry N` runs the command again up to N times, `--max-attempts N` bounds each strategy",
    ),
    (
        RUNS,
        &["--delay", "--backoff", "--wait", "--sleep", "--interval"],
        "`--base-delay D` is the first wait, `--max-delay D` the longest",
    ),
    (
        RUNS,
        &["--preview", "--plan"],
        "`--dry-run` runs the command once and shows what would be tried",
    ),
    (
        &["undo", "restore"],
        &["--dry-run", "--plan", "--diff", "--check"],
        "`--preview` shows what would change",
    ),
    (
        &["sessions"],
        &["--limit", "--count", "--max", "--lines"],
        "`-n N` shows the N newest",
    ),
    (
        &["show"],
        &["--patch", "--changes", "-p"],
        "`--diff` shows what changed",
    ),
    (
        &["checkpoint"],
        &["--message", "--name", "--tag", "-m"],
        "`--label TEXT` names it",
    ),
    (
        &["history", "show"],
        &["--all", "--number", "-n"],
        "it is about one session; `recover sessions --all` lists every one",
    ),
];

/// The commands that take what a run takes.
const RUNS: &[&str] = &["run", "plan"];

/// Commands that other programs have, and ours for the same wish.
const COMMANDS_MEANT: [(&[&str], &str); 11] = [
    (&["exec", "start", "retry", "try"], "recover run"),
    (&["list", "status"], "recover sessions"),
    (&["rm", "delete", "remove", "forget"], "recover clear"),
    (&["revert", "rollback", "reset"], "recover undo"),
    (&["gc", "clean", "cleanup"], "recover prune"),
    (&["diff"], "recover show --diff"),
    (&["logs", "trail"], "recover history"),
    (&["why"], "recover explain"),
    (&["mask", "scrub", "sanitize"], "recover redact"),
    (&["man"], "recover completions man"),
    (&["version"], "recover --version"),
];

/// What is wrong with `args`, for which the parser said `error`, in one line with the way out.
/// Programs are looked for in `search_path`.
pub(crate) fn in_words(error: &Error, args: &[OsString], search_path: Option<&OsStr>) -> String {
    let said = match error.kind() {
        ErrorKind::UnknownArgument => unknown_argument(error, args),
        ErrorKind::InvalidSubcommand => unknown_command(error, args, search_path),
        ErrorKind::MissingSubcommand => Some("no command was given; `recover help` has all".into()),
        ErrorKind::MissingRequiredArgument => missing(error, args),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => wrong_value(error),
        ErrorKind::ArgumentConflict => conflict(error),
        ErrorKind::TooManyValues => text(error, ContextKind::InvalidArg).map(|name| {
            let value = text(error, ContextKind::InvalidValue).unwrap_or_default();
            format!("`{}` takes no value, and was given `{value}`", bare(name))
        }),
        ErrorKind::InvalidUtf8 => Some("a word is no UTF-8, and must be here".into()),
        _ => None,
    };
    without_store_urls(said.unwrap_or_else(|| as_parsed(error)), args)
}

/// A word that is no option, or one too many.
fn unknown_argument(error: &Error, args: &[OsString]) -> Option<String> {
    let word = text(error, ContextKind::InvalidArg)?;
    let command = command_of(args).and_then(|command| command.to_str());
    let command = command.filter(|name| Cli::command().find_subcommand(name).is_some());
    let whole = full(command);
    if !word.starts_with('-') {
        let takes = positionals(command?);
        return Some(match takes.is_empty() {
            true => format!("`{word}` is one word too many: `{whole}` takes none"),
            false => format!("`{word}` is one word too many: `{whole}` takes {takes}"),
        });
    }
    let meant = || {
        let (_, _, says) = OPTIONS_MEANT.iter().find(|(commands, names, _)| {
            command.is_some_and(|command| commands.contains(&command)) && names.contains(&word)
        })?;
        Some(format!(": {says}"))
    };
    let options = options_of(command);
    // An option of `run` that was typed before `run`.
    let of_command = || {
        let option = options.iter().find(|option| *option == word)?;
        Some(format!("; it stands after the command: `{whole} {option}`"))
    };
    let near = || {
        Some(format!(
            "; did you mean `{}`?",
            near_option(word, &options)?
        ))
    };
    let help = || match command {
        Some(command) => format!("; `recover help {command}` lists them"),
        None => "; `recover --help` lists them".to_owned(),
    };
    let way_out = meant().or_else(of_command).or_else(near);
    Some(format!(
        "`{word}` is no option of `{whole}`{}",
        way_out.unwrap_or_else(help)
    ))
}

/// A word where a command should be.
fn unknown_command(
    error: &Error,
    args: &[OsString],
    search_path: Option<&OsStr>,
) -> Option<String> {
    let word = text(error, ContextKind::InvalidSubcommand)?;
    let says = format!("`{word}` is no command of recover");
    let other = COMMANDS_MEANT
        .iter()
        .find(|(names, _)| names.contains(&word));
    if let Some((_, other)) = other {
        return Some(format!("{says}: `{other}` is what does that"));
    }
    if let Some(near) = near_command(word) {
        return Some(format!("{says}; did you mean `recover {near}`?"));
    }
    let at = args.iter().position(|arg| arg == word);
    let is_help = args.iter().any(|arg| arg == "help");
    Some(match at.filter(|_| !is_help) {
        Some(at) => {
            let shown = args[at..].iter().map(|word| match word.to_str() {
                Some(text) if may_be_store_url(text) => HIDDEN.into(),
                _ => word.clone(),
            });
            let typed = display_command(&shown.collect::<Vec<_>>());
            if is_program(word, search_path) {
                return Some(format!("{says}; did you mean `recover run {typed}`?"));
            }
            format!("{says}: `recover run {typed}` would run a program, `recover help` has all")
        }
        None => format!("{says}; `recover help` has all"),
    })
}

/// The command, by any of its names, that `word` was probably meant to be.
fn near_command(word: &str) -> Option<String> {
    let cli = Cli::command();
    let names = cli.get_subcommands().flat_map(|command| {
        let aliases = command.get_visible_aliases();
        std::iter::once(command.get_name()).chain(aliases)
    });
    nearest(word, names.chain(["help"])).map(str::to_owned)
}

/// Whether `word` names something to run: a path that is there, or a program of the search path.
fn is_program(word: &str, search_path: Option<&OsStr>) -> bool {
    let has_program = |dir: PathBuf| {
        let found = dir.join(word).metadata();
        found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    match word.contains('/') {
        true => Path::new(word).is_file(),
        false => search_path.is_some_and(|path| std::env::split_paths(path).any(has_program)),
    }
}

/// The long options that `command` takes, or that stand before any.
fn options_of(command: Option<&str>) -> Vec<String> {
    let cli = Cli::command();
    let of_command = command.and_then(|name| cli.find_subcommand(name));
    let of_command = of_command
        .into_iter()
        .flat_map(clap::Command::get_arguments);
    let shown = of_command
        .chain(cli.get_arguments())
        .filter(|option| !option.is_hide_set());
    let names = shown.filter_map(clap::Arg::get_long).chain(["help"]);
    names.map(|name| format!("--{name}")).collect()
}

/// That of `options` which `word` was probably meant to be: much like it, or the only one that
/// begins so.
fn near_option<'o>(word: &str, options: &'o [String]) -> Option<&'o str> {
    /// Letters that say which option was meant.
    const BEGIN_MIN: usize = 3;

    let typed = word.strip_prefix("--")?;
    let names = || {
        options
            .iter()
            .filter_map(|option| option.strip_prefix("--"))
    };
    let begun = || {
        let mut begun = names().filter(|name| name.starts_with(typed));
        let only = begun.next().filter(|_| typed.len() >= BEGIN_MIN)?;
        begun.next().is_none().then_some(only)
    };
    let name = nearest(typed, names()).or_else(begun)?;
    options
        .iter()
        .map(String::as_str)
        .find(|option| option[2..] == *name)
}

/// What was not given and must be.
fn missing(error: &Error, args: &[OsString]) -> Option<String> {
    let Some(ContextValue::Strings(names)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let command = command_of(args)?.to_str()?;
    if names.iter().any(|name| name.contains("<CMD>")) {
        return Some(format!(
            "`recover {command}` needs a command, as in `recover {command} cargo test`"
        ));
    }
    let needs = names.iter().map(|name| bare(name)).collect::<Vec<_>>();
    Some(format!(
        "`recover {command}` needs {}; `recover help {command}` has examples",
        needs.join(" and ")
    ))
}

/// A value that an argument cannot have.
fn wrong_value(error: &Error) -> Option<String> {
    let name = text(error, ContextKind::InvalidArg)?;
    let value = text(error, ContextKind::InvalidValue).unwrap_or_default();
    let bare_name = bare(name);
    if let Some(ContextValue::Strings(valid)) = error.get(ContextKind::ValidValue)
        && !valid.is_empty()
    {
        return Some(match value {
            "" => format!("`{bare_name}` needs a value: {}", any_of(valid)),
            _ => {
                let near = nearest(value, valid.iter().map(String::as_str));
                let near = near.map(|near| format!("did you mean `{near}`? "));
                format!(
                    "`{value}` cannot be the value of `{bare_name}`: {}use {}",
                    near.unwrap_or_default(),
                    any_of(valid)
                )
            }
        });
    }
    let value = match value {
        "" => "''",
        value => value,
    };
    let Some(source) = error.source() else {
        return Some(format!("`{bare_name}` needs a value, as in `{name}`"));
    };
    let why = source.to_string();
    let why = match why.as_str() {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            "write a whole number"
        }
        "number too large to fit in target type" => "that is too large a number",
        why if why.contains(" is not in 1..") => "it is at least 1",
        why if why.contains(" is not in 0..") => "that is too large a number",
        why => why,
    };
    Some(format!(
        "`{value}` cannot be the value of `{bare_name}`: {why}"
    ))
}

/// Two arguments that exclude one another, or one that was given twice.
fn conflict(error: &Error) -> Option<String> {
    let name = bare(text(error, ContextKind::InvalidArg)?);
    let others = match error.get(ContextKind::PriorArg)? {
        ContextValue::String(other) => vec![bare(other)],
        ContextValue::Strings(others) => others.iter().map(|other| bare(other)).collect(),
        _ => return None,
    };
    Some(match others.contains(&name) {
        true => format!("`{name}` is there twice: once is enough"),
        false => format!(
            "`{name}` cannot be used with `{}`: leave one out",
            others.join("` and `")
        ),
    })
}

/// What the parser itself says first.
fn as_parsed(error: &Error) -> String {
    let text = error.render().to_string();
    let first = text.lines().next().unwrap_or_default();
    first.trim_start_matches("error: ").to_owned()
}

fn text(error: &Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text),
        _ => None,
    }
}

/// The command `name` as it is typed; the program alone where there is none.
fn full(name: Option<&str>) -> String {
    match name {
        Some(name) => format!("recover {name}"),
        None => "recover".to_owned(),
    }
}

/// The name of an argument that the parser calls `--last [<N>]`, `<CMD>...` or `[SESSION]`.
fn bare(shown: &str) -> &str {
    let first = match shown.starts_with('-') {
        true => shown.split([' ', '=', '[']).next().unwrap_or(shown),
        false => shown.trim_end_matches("..."),
    };
    first.trim_matches(['<', '>', '[', ']'])
}

/// The words that `command` takes, as its help shows them.
fn positionals(command: &str) -> String {
    let cli = Cli::command();
    let Some(command) = cli.find_subcommand(command) else {
        return String::new();
    };
    let names = command.get_positionals().map(|arg| {
        let names = arg.get_value_names().unwrap_or_default();
        names
            .first()
            .map_or("WORD", |name| name.as_str())
            .to_owned()
    });
    names.collect::<Vec<_>>().join(" and ")
}

/// `a, b or c`.
fn any_of(values: &[String]) -> String {
    match values {
        [] => String::new(),
        [one] => one.clone(),
        [before @ .., last] => format!("{} or {last}", before.join(", ")),
    }
}

/// `text`, which repeats some of `args`, without those that may be the URL of a database, also one
/// that was mistyped: there may be a password in it.
fn without_store_urls(text: String, args: &[OsString]) -> String {
    let values = args.iter().filter_map(|arg| arg.to_str());
    let mut urls: Vec<&str> = values
        .flat_map(|arg| [Some(arg), arg.split_once('=').map(|(_, value)| value)])
        .flatten()
        .filter(|word| may_be_store_url(word))
        .collect();
    // The longest first: one may stand in another.
    urls.sort_by_key(|url| std::cmp::Reverse(url.len()));
    urls.into_iter()
        .fold(text, |text, url| text.replace(url, HIDDEN))
}

fn may_be_store_url(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let has = |part| lower.contains(part);
    has("pass") || (has("@") && has(":")) || (has("postgre") && has(":"))
}
