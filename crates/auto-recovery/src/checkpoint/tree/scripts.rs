//! The scripts that a command starts, found in its words. Only as good as needed to protect them:
//! what a program is told to run in its own way is not known.

use std::fs;
use std::path::{Path, PathBuf};

/// Programs that run the first file they are given.
const INTERPRETERS: [&str; 15] = [
    "ash", "bash", "bun", "dash", "deno", "fish", "ksh", "node", "perl", "php", "python", "ruby",
    "sh", "tclsh", "zsh",
];

/// Those of them whose `-c` is followed by a shell text.
const SHELLS: [&str; 7] = ["ash", "bash", "dash", "fish", "ksh", "sh", "zsh"];

/// Programs and words of the shell that are followed by a command, perhaps after words of their
/// own.
const BEFORE_COMMANDS: [&str; 32] = [
    "!", "builtin", "chronic", "chrt", "command", "do", "doas", "elif", "else", "env", "exec",
    "flock", "if", "ionice", "nice", "nohup", "numactl", "setsid", "stdbuf", "sudo", "taskset",
    "then", "time", "timeout", "unbuffer", "unshare", "until", "watch", "while", "xargs",
    "xvfb-run", "{",
];

/// Words of the shell that run the file they are given.
const SOURCES: [&str; 2] = [".", "source"];

/// The files below `root` that a command starts: its program, or the script that an interpreter is
/// given, in each part of a shell text.
pub fn scripts_of(argv: &[String], cwd: &Path, root: &Path) -> Vec<PathBuf> {
    let named = scripts_in(argv).into_iter();
    let files = named.filter_map(|word| fs::canonicalize(cwd.join(word)).ok());
    files
        .filter(|file| file.is_file() && file.starts_with(root))
        .collect()
}

/// The words of a command that may be scripts. Each step down has fewer words, or a shorter text.
fn scripts_in(words: &[String]) -> Vec<String> {
    let begins = words.iter().position(|word| !is_assignment(word));
    let Some((program, rest)) = begins.and_then(|at| words[at..].split_first()) else {
        return Vec::new();
    };
    let name = name_of(program);
    if BEFORE_COMMANDS.contains(&name) {
        let begins = rest.iter().position(|word| may_begin_command(word));
        return begins.map_or_else(Vec::new, |at| scripts_in(&rest[at..]));
    }
    if SOURCES.contains(&program.as_str()) {
        return rest.first().cloned().into_iter().collect();
    }
    if INTERPRETERS.contains(&name) {
        let text = rest.iter().position(|word| is_text_flag(word));
        let text = text.and_then(|at| rest.get(at + 1));
        return match text.filter(|_| SHELLS.contains(&name)) {
            Some(text) => commands_of(text)
                .iter()
                .flat_map(|c| scripts_in(c))
                .collect(),
            None => rest
                .iter()
                .find(|word| !word.starts_with('-'))
                .cloned()
                .into_iter()
                .collect(),
        };
    }
    let is_path = program.contains('/');
    is_path.then(|| program.clone()).into_iter().collect()
}

/// Whether what stands before a command may be followed by this word as its program: what is
/// neither an option nor a number, a signal or a name of its own.
fn may_begin_command(word: &str) -> bool {
    let name = name_of(word);
    let is_known = INTERPRETERS.contains(&name) || BEFORE_COMMANDS.contains(&name);
    let is_path = word.contains('/') && !word.starts_with('-') && !is_assignment(word);
    is_known || is_path || SOURCES.contains(&word)
}

/// `X=1`, as it may stand before a program.
fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map(|(name, _)| name);
    name.is_some_and(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_'))
}

/// `-c`, alone or together with others, as `-ec`.
fn is_text_flag(word: &str) -> bool {
    let flags = word
        .strip_prefix('-')
        .filter(|flags| !flags.starts_with('-'));
    flags.is_some_and(|flags| flags.ends_with('c'))
}

/// The name of a program without its directory and its version.
fn name_of(program: &str) -> &str {
    let name = program.rsplit('/').next().unwrap_or(program);
    match name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "" => name,
        name => name,
    }
}

/// The commands of a shell text, each as words without quotes. Only as good as needed to find
/// paths.
fn commands_of(text: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word = String::new();
    let mut quote = None;
    let end = |word: &mut String, commands: &mut Vec<Vec<String>>| {
        if !word.is_empty()
            && let Some(words) = commands.last_mut()
        {
            words.push(std::mem::take(word));
        }
    };
    for c in text.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => word.push(c),
            (None, '\'' | '"') => quote = Some(c),
            (None, ';' | '&' | '|' | '(' | ')' | '\n') => {
                end(&mut word, &mut commands);
                commands.push(Vec::new());
            }
            (None, c) if c.is_whitespace() => end(&mut word, &mut commands),
            (None, c) => word.push(c),
        }
    }
    end(&mut word, &mut commands);
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_found_in_what_is_run() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        for name in ["fix.sh", "a b.sh", "x.py"] {
            fs::write(root.join(name), "").unwrap();
        }
        let check = |argv: &[&str], expected: &[&str]| {
            let argv: Vec<_> = argv.iter().map(|word| (*word).to_owned()).collect();
            let expected: Vec<_> = expected.iter().map(|name| root.join(name)).collect();
            assert_eq!(scripts_of(&argv, &root, &root), expected, "{argv:?}");
        };
        check(&["./fix.sh", "x.py"], &["fix.sh"]);
        check(&["sh", "-c", "./fix.sh --on x.py"], &["fix.sh"]);
        check(
            &["sh", "-c", "X=1 python3 -u x.py && './a b.sh'"],
            &["x.py", "a b.sh"],
        );
        check(&["sh", "-c", "cat x.py | ./fix.sh"], &["fix.sh"]);
        check(&["bash", "fix.sh"], &["fix.sh"]);
        check(&["npm", "run", "fix.sh"], &[]);
        check(&["./missing.sh"], &[]);
        check(&["env", "A=b", "P=./x.py", "./fix.sh"], &["fix.sh"]);
        check(&["env", "-u", "A", "python3.12", "x.py"], &["x.py"]);
        check(
            &["timeout", "-k", "1", "5", "./fix.sh", "./x.py"],
            &["fix.sh"],
        );
        check(&["timeout", "5", "env", "A=b", "sh", "fix.sh"], &["fix.sh"]);
        check(&["sh", "-ec", ". ./fix.sh"], &["fix.sh"]);
        check(&["bash", "-c", "source fix.sh; cat x.py"], &["fix.sh"]);
        check(
            &["sh", "-c", "if ! ./fix.sh; then sh -c './x.py'; fi"],
            &["fix.sh", "x.py"],
        );
        check(&["sh", "-c", "{ nohup './a b.sh' & }"], &["a b.sh"]);
        check(&["env"], &[]);
        check(&["sh", "-c"], &[]);
    }
}
