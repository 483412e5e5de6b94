//! A command line that only a shell understands, and the one that would work.
//!
//! `recover run -- CMD` starts a program, with no shell between. Whoever types a word of the shell
//! there is told how to have a shell run it. Pure: whether the program exists is the caller's to
//! find out first, for a program of such a name may well exist.

use std::ffi::OsString;

use crate::run::request::display_command;

/// Words that POSIX shells act upon themselves.
const OF_EVERY_SHELL: [&str; 50] = [
    "!", ".", ":", "alias", "bg", "break", "case", "cd", "command", "continue", "do", "done",
    "elif", "else", "esac", "eval", "exec", "exit", "export", "fc", "fg", "fi", "for", "getopts",
    "hash", "if", "in", "jobs", "local", "read", "readonly", "return", "set", "shift", "then",
    "time", "times", "trap", "type", "ulimit", "umask", "unalias", "unset", "until", "wait",
    "while", "{", "}", "(", ")",
];

/// Words that only larger shells act upon: `sh` need not know them, `bash` does.
const OF_BASH: [&str; 22] = [
    "[[",
    "]]",
    "((",
    "))",
    "builtin",
    "coproc",
    "declare",
    "dirs",
    "disown",
    "enable",
    "function",
    "let",
    "logout",
    "mapfile",
    "popd",
    "pushd",
    "readarray",
    "select",
    "shopt",
    "source",
    "suspend",
    "typeset",
];

/// Words that join commands, or say where their streams go.
const OPERATORS: [&str; 14] = [
    "&&", "||", ";", ";;", "|", "|&", "&", ">", ">>", "<", "<<<", "&>", "2>&1", ">&2",
];

/// What a shell would have understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellHint {
    /// Why it was not understood here.
    pub reason: String,
    /// The command that would work, as a person would type it.
    pub command: String,
}

/// What to say of `argv`, whose program could not be found, if a shell would have understood it:
/// why it was not, and the command that would work.
pub fn shell_hint(argv: &[OsString]) -> Option<ShellHint> {
    let words: Vec<_> = argv.iter().map(|word| word.to_string_lossy()).collect();
    let (first, rest) = words.split_first()?;
    let (reason, command) = if first.contains(char::is_whitespace) {
        let reason = "it is one word with blanks in it, not a program and its arguments".to_owned();
        (reason, unquoted(first, rest)?)
    } else if let Some(operator) = words.iter().find(|word| OPERATORS.contains(&&***word)) {
        (format!("`{operator}` is for a shell"), in_shell(&words))
    } else if let Some(operator) = operator_within(first) {
        (
            format!("`{operator}` is for a shell"),
            unquoted(first, rest)?,
        )
    } else if is_assignment(first) {
        let reason =
            format!("`{first}` sets a variable, which a shell does before it starts a program");
        let env = ["env"].into_iter().chain(words.iter().map(|word| &**word));
        let env = env.chain(rest.is_empty().then_some("CMD"));
        (reason, started(env))
    } else if matches!((&**first, rest), ("." | "source", [])) {
        // A shell would ask for a file.
        return None;
    } else if is_of_shell(first) {
        let reason = format!("`{first}` is a word of the shell, not a program");
        (reason, in_shell(&words))
    } else {
        return None;
    };
    Some(ShellHint { reason, command })
}

/// The operator that is written into the middle of `word`, as in `ls|wc`. A lone `&` may be a part
/// of a name.
fn operator_within(word: &str) -> Option<&str> {
    const SIGNS: [&str; 6] = ["&&", "||", "|", ";", ">", "<"];
    let found = |sign: &&str| word.find(sign).is_some_and(|place| place > 0);
    SIGNS.into_iter().find(found)
}

/// Whether a shell acts upon `word` itself.
fn is_of_shell(word: &str) -> bool {
    OF_EVERY_SHELL.contains(&word) || OF_BASH.contains(&word)
}

/// Whether `word` gives a variable a value, as before a command.
fn is_assignment(word: &str) -> bool {
    let Some((name, _)) = word.split_once('=') else {
        return false;
    };
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

/// The command for a `text` in quotes, before `rest`: its words, where it is nothing but plain
/// words, else a shell with it.
fn unquoted(text: &str, rest: &[std::borrow::Cow<'_, str>]) -> Option<String> {
    let words: Vec<_> = text.split_whitespace().collect();
    let first = words.first()?;
    let is_plain = words.iter().all(|word| display_command(&[word]) == **word);
    if is_plain && !is_of_shell(first) && !is_assignment(first) {
        let rest = rest.iter().map(|word| &**word);
        return Some(started(words.into_iter().chain(rest)));
    }
    let shell = shell_for(&words);
    let rest = rest.iter().map(|word| display_command(&[&**word]));
    let text = [text.trim().to_owned()].into_iter().chain(rest);
    Some(started([shell, "-c", &text.collect::<Vec<_>>().join(" ")]))
}

/// The command that has a shell run `words`, what it acts upon left as it is.
fn in_shell(words: &[std::borrow::Cow<'_, str>]) -> String {
    let words: Vec<_> = words.iter().map(|word| &**word).collect();
    let as_typed = |word: &&str| match OPERATORS.contains(word) || is_of_shell(word) {
        // Every shell has the short name of this one.
        true if *word == "source" => ".".to_owned(),
        true => (*word).to_owned(),
        false => display_command(&[word]),
    };
    let text = words.iter().map(as_typed).collect::<Vec<_>>().join(" ");
    started([shell_for(&words), "-c", &text])
}

/// The least shell that knows `words`.
fn shell_for(words: &[&str]) -> &'static str {
    let needs_bash = |word: &&str| OF_BASH.contains(word) && *word != "source";
    match words.iter().any(needs_bash) {
        true => "bash",
        false => "sh",
    }
}

/// `command` as a person would type it.
fn started<'a>(command: impl IntoIterator<Item = &'a str>) -> String {
    display_command(&command.into_iter().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_shell_understands_is_told_with_what_works() {
        let cases: [(&[&str], Option<&str>); 33] = [
            (&["cd", "sub"], Some("sh -c 'cd sub'")),
            (
                &["cd", "a b", "&&", "make", "-j2"],
                Some(r"sh -c 'cd '\''a b'\'' && make -j2'"),
            ),
            (&["export", "A=1"], Some("sh -c 'export A=1'")),
            (&["source", "./env"], Some("sh -c '. ./env'")),
            (&[".", "./env"], Some("sh -c '. ./env'")),
            (&["ulimit", "-n", "10"], Some("sh -c 'ulimit -n 10'")),
            (&["[[", "-f", "x", "]]"], Some("bash -c '[[ -f x ]]'")),
            (&["pushd", "x"], Some("bash -c 'pushd x'")),
            (
                &["if", "true", ";", "then", "x", ";", "fi"],
                Some("sh -c 'if true ; then x ; fi'"),
            ),
            (&["exec", "make"], Some("sh -c 'exec make'")),
            (&["FOO=1", "make", "all"], Some("env FOO=1 make all")),
            (&["A=1", "B=x y", "make"], Some("env A=1 'B=x y' make")),
            (&["FOO=1"], Some("env FOO=1 CMD")),
            (
                &["FOO=1", "make", "&&", "x"],
                Some("sh -c 'FOO=1 make && x'"),
            ),
            (&["cargo test --all"], Some("cargo test --all")),
            (&["npm run", "build", "a b"], Some("npm run build 'a b'")),
            (
                &["cargo test | tee log"],
                Some("sh -c 'cargo test | tee log'"),
            ),
            (&["cd sub"], Some("sh -c 'cd sub'")),
            (&["FOO=1 make"], Some("sh -c 'FOO=1 make'")),
            (&["[[ -f x ]]"], Some("bash -c '[[ -f x ]]'")),
            (
                &["echo $HOME", "x y"],
                Some(r"sh -c 'echo $HOME '\''x y'\'''"),
            ),
            (&["nosuch", "|", "cat"], Some("sh -c 'nosuch | cat'")),
            (&["ls|wc"], Some("sh -c 'ls|wc'")),
            (&["ls;pwd"], Some("sh -c 'ls;pwd'")),
            (&["make>log", "-j2"], Some("sh -c 'make>log -j2'")),
            (&["a&&[[", "x"], Some("sh -c 'a&&[[ x'")),
            (&["./R&D", "x"], None),
            (&["|x"], None),
            (&["nosuch", "a|b"], None),
            (&["nosuch", "-x"], None),
            (&["1A=2", "x"], None),
            (&["  "], None),
            (&[], None),
        ];
        for (words, expected) in cases {
            let argv: Vec<OsString> = words.iter().map(Into::into).collect();
            let hint = shell_hint(&argv);
            let command = hint.as_ref().map(|hint| &*hint.command);
            assert_eq!(command, expected, "{words:?}");
        }
    }
}
