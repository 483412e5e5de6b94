//! What was typed and cannot be understood: the parser's errors in our own words, a line each, with
//! the thing, the reason and the way out. Passwords in what was typed are not repeated.

use std::error::Error as _;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use auto_recovery::run::display_command;
use auto_recovery::wording::{cut, nearest};
use clap::builder::ValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Error};

use crate::args::Cli;
use crate::args::top::{command_of, commands_of};

/// What stands for a word that may have a password in it.
const HIDDEN: &str = "…";

/// Characters of one word that are repeated: a complaint is a line, whatever was typed.
const WORD_CHARS_MAX: usize = 100;

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
        ErrorKind::MissingSubcommand => Some(no_command(args)),
        ErrorKind::MissingRequiredArgument => missing(error, args),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => wrong_value(error, args),
        ErrorKind::ArgumentConflict => conflict(error, args),
        ErrorKind::TooManyValues => text(error, ContextKind::InvalidArg).map(|name| {
            let value = text(error, ContextKind::InvalidValue).unwrap_or_default();
            format!("`{}` takes no value, and was given `{value}`", bare(name))
        }),
        ErrorKind::InvalidUtf8 => Some(no_utf8(args)),
        _ => None,
    };
    let said = without_store_urls(said.unwrap_or_else(|| as_parsed(error)), args);
    with_short_words(said, args)
}

/// Where a command is missing.
fn no_command(args: &[OsString]) -> String {
    let path = commands_of(args);
    let Some(command) = found(&path).filter(|_| !path.is_empty()) else {
        return "no command was given; `recover help` has all".to_owned();
    };
    let (whole, names) = (path.join(" "), names_of(&command));
    format!(
        "`recover {whole}` needs one of its commands, {}; `recover help {whole}` explains them",
        any_of(&names)
    )
}

/// Which word is no UTF-8 though it must be.
fn no_utf8(args: &[OsString]) -> String {
    let path = commands_of(args);
    let mut numbers = 1..args.len();
    let Some(at) = numbers.find(|at| args[*at].to_str().is_none() && is_text(args, *at, &path))
    else {
        return "a word is no UTF-8, and must be here".to_owned();
    };
    let (option, value) = option_and_value(args, at);
    match option.as_deref() {
        Some(option) => {
            format!("`{value}` cannot be the value of `{option}`: it is no UTF-8, and must be")
        }
        None => format!("`{value}` is no UTF-8, and must be"),
    }
}

/// The word `at` of `args` as the value of an option, if it is one, and the value.
fn option_and_value(args: &[OsString], at: usize) -> (Option<String>, String) {
    let shown = args[at].to_string_lossy().into_owned();
    if let Some((option, value)) = shown.split_once('=').filter(|_| shown.starts_with('-')) {
        return (Some(option.to_owned()), value.to_owned());
    }
    let before = args[at - 1].to_string_lossy();
    let option = before.starts_with('-').then(|| before.into_owned());
    (option, shown)
}

/// Whether the word `at` of `args` must be a text: it is no value of an option that takes any file.
fn is_text(args: &[OsString], at: usize, path: &[String]) -> bool {
    let (Some(option), _) = option_and_value(args, at) else {
        return true;
    };
    let any = [ValueParser::os_string(), ValueParser::path_buf()].map(|any| any.type_id());
    let (cli, command) = (Cli::command(), found(path).unwrap_or_default());
    let mut options = command.get_arguments().chain(cli.get_arguments());
    options.all(|arg| {
        arg.get_long() != option.strip_prefix("--")
            || !any.contains(&arg.get_value_parser().type_id())
    })
}

/// A word that is no option, or one too many.
fn unknown_argument(error: &Error, args: &[OsString]) -> Option<String> {
    let word = text(error, ContextKind::InvalidArg)?;
    if let Some(said) = negative(word, args) {
        return Some(said);
    }
    let path = commands_of(args);
    let command = found(&path).filter(|_| !path.is_empty());
    let whole = full(&path);
    if !word.starts_with('-') {
        let takes = positionals(&command?);
        return Some(match takes.is_empty() {
            true => format!("`{word}` is one word too many: `{whole}` takes none"),
            false => format!("`{word}` is one word too many: `{whole}` takes {takes}"),
        });
    }
    let name = path.first().map(String::as_str);
    let meant = || {
        let (_, _, says) = OPTIONS_MEANT.iter().find(|(commands, names, _)| {
            name.is_some_and(|name| commands.contains(&name)) && names.contains(&word)
        })?;
        Some(format!(": {says}"))
    };
    let options = options_of(command.as_ref());
    // An option of `run` that was typed before `run`, or without it.
    let of_command = || {
        let option = options.iter().find(|option| *option == word)?;
        Some(format!("; it stands after the command: `{whole} {option}`"))
    };
    let of_run = || {
        let run = found(&["run".to_owned()]).filter(|_| command.is_none())?;
        let mut options = run.get_arguments();
        let is_it = |arg: &clap::Arg| match word.strip_prefix("--") {
            Some(long) => arg.get_long() == Some(long),
            None => word.chars().nth(1).is_some() && arg.get_short() == word.chars().nth(1),
        };
        let option = options.find(|arg| is_it(arg))?;
        let value = match option.get_action().takes_values() {
            true => format!(" {}", any_value(option)),
            false => String::new(),
        };
        Some(format!("; did you mean `recover run {word}{value}`?"))
    };
    let near = || {
        Some(format!(
            "; did you mean `{}`?",
            near_option(word, &options)?
        ))
    };
    let help = || match path.is_empty() {
        false => format!("; `recover help {}` lists them", path.join(" ")),
        true => "; `recover --help` lists them".to_owned(),
    };
    let way_out = meant().or_else(of_command).or_else(of_run).or_else(near);
    Some(format!(
        "`{word}` is no option of `{whole}`{}",
        way_out.unwrap_or_else(help)
    ))
}

/// What stands for a value of `option`, as its help shows it.
fn any_value(option: &clap::Arg) -> String {
    let names = option.get_value_names().unwrap_or_default();
    names.first().map_or("…", |name| name.as_str()).to_owned()
}

/// A number below zero, which the parser took for an option because of its sign.
fn negative(word: &str, args: &[OsString]) -> Option<String> {
    let is_number = |word: &str| {
        let digits = word.strip_prefix('-');
        digits.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    if !is_number(word) {
        return None;
    }
    let words: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    let mut pairs = words.windows(2);
    let pair = pairs.find(|pair| pair[0].starts_with('-') && pair[1].starts_with(word))?;
    Some(format!(
        "`{}` cannot be the value of `{}`: it cannot be less than zero",
        pair[1], pair[0]
    ))
}

/// A word where a command should be.
fn unknown_command(
    error: &Error,
    args: &[OsString],
    search_path: Option<&OsStr>,
) -> Option<String> {
    let word = text(error, ContextKind::InvalidSubcommand)?;
    #[cfg(not(feature = "serve"))]
    if crate::build::OF_SERVER.contains(&word) {
        return Some(crate::build::lacks("server", "serve"));
    }
    let path = commands_of(args);
    if let Some(command) = found(&path).filter(|command| command.has_subcommands())
        && !path.is_empty()
    {
        let (whole, names) = (full(&path), names_of(&command));
        let near = nearest(word, names.iter().map(String::as_str));
        let way_out = match near {
            Some(near) => format!("did you mean `{whole} {near}`?"),
            None => format!("it has {}", names.join(", ")),
        };
        return Some(format!("`{word}` is no command of `{whole}`; {way_out}"));
    }
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

/// The command that the words of `path` name one after another.
fn found(path: &[String]) -> Option<clap::Command> {
    let mut command = Cli::command();
    for name in path {
        command = command.find_subcommand(name)?.clone();
    }
    Some(command)
}

/// The names of the commands of `command`.
fn names_of(command: &clap::Command) -> Vec<String> {
    let names = command.get_subcommands().map(clap::Command::get_name);
    let names = names.filter(|name| *name != "help");
    names.map(str::to_owned).collect()
}

/// The long options that `command` takes, or that stand before any.
fn options_of(command: Option<&clap::Command>) -> Vec<String> {
    let cli = Cli::command();
    let of_command = command.into_iter().flat_map(clap::Command::get_arguments);
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
    let path = commands_of(args);
    let command = match path.is_empty() {
        true => command_of(args)?.to_str()?.to_owned(),
        false => path.join(" "),
    };
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
fn wrong_value(error: &Error, args: &[OsString]) -> Option<String> {
    let name = text(error, ContextKind::InvalidArg)?;
    let value = text(error, ContextKind::InvalidValue).unwrap_or_default();
    let bare_name = &as_typed(bare(name), args);
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
        let name = name.replacen(bare(name), bare_name, 1);
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
        "invalid socket address syntax" => "write it like 127.0.0.1:4780 or [::1]:4780",
        why => why,
    };
    Some(format!(
        "`{value}` cannot be the value of `{bare_name}`: {why}"
    ))
}

/// Two arguments that exclude one another, or one that was given twice.
fn conflict(error: &Error, args: &[OsString]) -> Option<String> {
    let name = as_typed(bare(text(error, ContextKind::InvalidArg)?), args);
    let others = match error.get(ContextKind::PriorArg)? {
        ContextValue::String(other) => vec![as_typed(bare(other), args)],
        ContextValue::Strings(others) => {
            let others = others.iter();
            others.map(|other| as_typed(bare(other), args)).collect()
        }
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

/// The command that the words of `path` name, as it is typed; the program alone where there are
/// none.
fn full(path: &[String]) -> String {
    match path {
        [] => "recover".to_owned(),
        names => format!("recover {}", names.join(" ")),
    }
}

/// The option `name`, as one of `args` has it: by its letter where only that was typed.
fn as_typed(name: &str, args: &[OsString]) -> String {
    let is_typed = |arg: &OsString| arg.to_string_lossy().starts_with(name);
    let letter = name.strip_prefix("--").and_then(|long| {
        let command = found(&commands_of(args))?;
        let cli = Cli::command();
        let mut options = command.get_arguments().chain(cli.get_arguments());
        options
            .find(|arg| arg.get_long() == Some(long))?
            .get_short()
    });
    let is_letter = |arg: &OsString| {
        let word = arg.to_string_lossy();
        let letters = word.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
        letters.is_some_and(|letters| letter.is_some_and(|letter| letters.contains(letter)))
    };
    match letter {
        Some(letter) if !args.iter().any(is_typed) && args.iter().any(is_letter) => {
            format!("-{letter}")
        }
        _ => name.to_owned(),
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
fn positionals(command: &clap::Command) -> String {
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

/// `text`, in which those of `args` are cut that no line has room for.
fn with_short_words(text: String, args: &[OsString]) -> String {
    let words = args.iter().filter_map(|arg| arg.to_str());
    let words = words.flat_map(|word| {
        let parts = word.split_once('=').map(|(name, value)| [name, value]);
        [word].into_iter().chain(parts.into_iter().flatten())
    });
    let long = words.filter(|word| word.chars().count() > WORD_CHARS_MAX);
    long.fold(text, |text, word| {
        text.replace(word, &cut(word, WORD_CHARS_MAX))
    })
}

#[cfg(all(test, not(feature = "serve")))]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_this_build_lacks_is_named_as_that() {
        for command in crate::build::OF_SERVER {
            let args = ["recover", command, "--help"].map(OsString::from);
            let error = Cli::read(&args).unwrap_err();
            let says = in_words(&error, &args, None);
            assert!(says.contains("this build has no server"), "{says}");
        }
    }
}
