//! Which programs a command line really runs: sees through shells, launchers and package runners.
//!
//! A reading of the words, never an execution: what cannot be told from them (a script's content, a
//! make target) stays unknown.

use super::text::Text;

/// The programs a command runs, outermost first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tools {
    names: Vec<String>,
}

/// Nested command lines that are read, such as `sudo env sh -c "timeout 5 npx eslint"`.
const DEPTH_MAX: usize = 8;

/// Launchers that run the command line that follows their own options, with those options that take
/// a word of their own, and how many words stand between.
const LAUNCHERS: &[(&str, &[&str], usize)] = &[
    ("env", &["-u", "-C", "--unset", "--chdir"], 0),
    ("sudo", &["-u", "-g", "-h", "-p", "-C"], 0),
    ("doas", &["-u", "-C"], 0),
    ("nice", &["-n"], 0),
    ("ionice", &["-c", "-n"], 0),
    ("nohup", &[], 0),
    ("setsid", &[], 0),
    ("time", &["-f", "-o"], 0),
    ("timeout", &["-s", "-k", "--signal", "--kill-after"], 1),
    ("gtimeout", &["-s", "-k", "--signal", "--kill-after"], 1),
    (
        "flock",
        &["-E", "-w", "--timeout", "--conflict-exit-code"],
        1,
    ),
    ("stdbuf", &["-i", "-o", "-e"], 0),
    ("unbuffer", &[], 0),
    ("xvfb-run", &["-e", "-f", "-n", "-p", "-s", "-w"], 0),
    ("dbus-run-session", &[], 0),
    ("strace", &["-e", "-o", "-p", "-s"], 0),
    ("ltrace", &["-e", "-o"], 0),
    ("valgrind", &[], 0),
    ("command", &[], 0),
    ("exec", &[], 0),
    ("chronic", &[], 0),
    ("retry", &["-t", "-d"], 0),
    ("xargs", &["-n", "-P", "-I", "-L", "-d"], 0),
    ("npx", &["-p", "--package"], 0),
    ("bunx", &[], 0),
    ("pnpx", &[], 0),
    ("uvx", &["--from", "--with"], 0),
    ("pipx", &["--spec"], 1),
    ("busybox", &[], 0),
    ("direnv", &[], 2),
    ("ccache", &[], 0),
    ("sccache", &[], 0),
];

/// Package managers that run what follows one of these words.
const RUNNERS: &[(&str, &[&str])] = &[
    ("npm", &["exec", "x"]),
    ("pnpm", &["exec", "dlx"]),
    ("yarn", &["exec", "dlx"]),
    ("bun", &["x"]),
    ("poetry", &["run"]),
    ("uv", &["run"]),
    ("pipenv", &["run"]),
    ("pdm", &["run"]),
    ("hatch", &["run"]),
    ("rye", &["run"]),
    ("conda", &["run"]),
    ("mamba", &["run"]),
    ("coverage", &["run"]),
    ("bundle", &["exec"]),
    ("bundler", &["exec"]),
    ("rbenv", &["exec"]),
    ("mise", &["exec", "x"]),
    ("asdf", &["exec"]),
    ("composer", &["exec"]),
    ("dart", &["run"]),
];

/// Subcommands that are known as tools of their own.
const SUBCOMMANDS: &[(&str, &str, &str)] = &[
    ("cargo", "fmt", "rustfmt"),
    ("cargo", "clippy", "clippy"),
    ("cargo", "nextest", "nextest"),
    ("cargo", "deny", "cargo-deny"),
    ("cargo", "audit", "cargo-audit"),
    ("go", "vet", "vet"),
    ("go", "fmt", "gofmt"),
    ("docker", "compose", "docker-compose"),
    ("buf", "format", "buf-format"),
    ("buf", "lint", "buf-lint"),
    ("dart", "analyze", "dart-analyze"),
    ("terraform", "fmt", "terraform-fmt"),
];

const SHELLS: &[&str] = &["sh", "bash", "dash", "zsh", "ash", "ksh", "fish"];

/// Interpreters whose first argument may be a tool's script, as `php vendor/bin/phpunit`.
const INTERPRETERS: &[&str] = &["python", "node", "ruby", "php", "perl", "deno", "bun"];

/// Programs whose names carry a version: `python3.11`, `gcc-12`.
const VERSIONED: &[&str] = &[
    "python", "pip", "gcc", "g++", "cc", "c++", "clang", "clang++", "ruby", "php", "node",
    "nodejs", "perl", "lua", "ghc", "pypy", "gem",
];

/// Other names of the same program.
const ALIASES: &[(&str, &str)] = &[
    ("nodejs", "node"),
    ("docker-compose", "docker-compose"),
    ("bundler", "bundle"),
    ("py.test", "pytest"),
    ("gmake", "make"),
    ("mvnw", "mvn"),
    ("gradlew", "gradle"),
    ("pypy", "python"),
    ("py", "python"),
];

impl Tools {
    /// The programs that `argv` runs.
    pub fn of(argv: &[String]) -> Self {
        let mut tools = Self::default();
        let words: Vec<&str> = argv.iter().map(String::as_str).collect();
        tools.read(&words, 0);
        tools
    }

    /// The program that does the work: the innermost one that can be told.
    pub fn main(&self) -> &str {
        self.names.last().map_or("", String::as_str)
    }

    /// Every program, outermost first.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn any_of(&self, wanted: &[Text]) -> bool {
        self.names
            .iter()
            .any(|name| wanted.iter().any(|one| one == name))
    }

    fn read(&mut self, words: &[&str], depth: usize) {
        let assignments = words.iter().take_while(|word| is_assignment(word)).count();
        let words = &words[assignments..];
        let Some((program, rest)) = words.split_first() else {
            return;
        };
        if depth == DEPTH_MAX {
            return;
        }
        let name = program_name(program);
        self.add(&name);
        if let Some((_, valued, skipped)) = LAUNCHERS.iter().find(|(known, ..)| *known == name) {
            let rest = after_options(rest, valued);
            self.read(rest.get(*skipped..).unwrap_or_default(), depth + 1);
        } else if SHELLS.contains(&name.as_str()) {
            self.read_shell(rest, depth);
        } else {
            self.read_subcommand(&name, rest, depth);
        }
    }

    fn read_shell(&mut self, arguments: &[&str], depth: usize) {
        let script = arguments
            .windows(2)
            .find(|pair| {
                pair[0].starts_with('-') && !pair[0].starts_with("--") && pair[0].ends_with('c')
            })
            .map(|pair| pair[1]);
        let substituted = script
            .into_iter()
            .flat_map(|script| script.split("$(").skip(1))
            .map(|inner| inner.split(')').next().unwrap_or(inner));
        for command in script
            .into_iter()
            .chain(substituted)
            .flat_map(simple_commands)
        {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            self.read(&words, depth + 1);
        }
    }

    fn read_subcommand(&mut self, name: &str, arguments: &[&str], depth: usize) {
        if matches!(name, "python" | "coverage")
            && let Some(at) = arguments.iter().position(|word| *word == "-m")
        {
            self.read(&arguments[at + 1..], depth + 1);
            return;
        }
        let Some(at) = arguments
            .iter()
            .position(|word| !word.starts_with('-') && !word.starts_with('+'))
        else {
            return;
        };
        let (word, rest) = (arguments[at], &arguments[at + 1..]);
        if RUNNERS
            .iter()
            .any(|(known, verbs)| *known == name && verbs.contains(&word))
        {
            self.read(after_options(rest, &["-n", "--name", "-p"]), depth + 1);
        } else if let Some((.., tool)) = SUBCOMMANDS
            .iter()
            .find(|(known, verb, _)| *known == name && *verb == word)
        {
            self.add(tool);
        } else if INTERPRETERS.contains(&name) && (word.contains("/bin/") || word.contains(".bin/"))
        {
            self.read(&arguments[at..], depth + 1);
        }
    }

    fn add(&mut self, name: &str) {
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
        }
    }
}

/// The last part of the path, without an extension of executables and without a version.
fn program_name(word: &str) -> String {
    let base = word.rsplit(['/', '\\']).next().unwrap_or(word);
    let base = [".exe", ".cmd", ".bat", ".phar"]
        .iter()
        .find_map(|extension| base.strip_suffix(extension))
        .unwrap_or(base);
    let unversioned = base.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
    let name = if VERSIONED.contains(&unversioned) {
        unversioned
    } else {
        base
    };
    ALIASES
        .iter()
        .find(|(alias, _)| *alias == name)
        .map_or(name, |(_, known)| known)
        .to_owned()
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

fn after_options<'a, 'b>(words: &'a [&'b str], valued: &[&str]) -> &'a [&'b str] {
    let mut rest = words;
    while let Some((word, after)) = rest.split_first() {
        if *word == "--" {
            return after;
        }
        if is_assignment(word) {
            rest = after;
        } else if word.starts_with('-') {
            let takes_one = valued.contains(word);
            rest = after.get(usize::from(takes_one)..).unwrap_or_default();
        } else {
            break;
        }
    }
    rest
}

/// The simple commands of a shell script, as words: split at operators and newlines, with quotes
/// understood and substitutions left as they are.
fn simple_commands(script: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut is_file = false;
    let mut characters = script.chars().peekable();
    while let Some(character) = characters.next() {
        if is_file && word.is_some() && quote.is_none() && ends_word(character) {
            // The name of a file that a stream goes to is no word of the command.
            (word, is_file) = (None, false);
        }
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (Some('"') | None, '\\') => {
                word.get_or_insert_default().extend(characters.next());
            }
            (Some(_), _) => word.get_or_insert_default().push(character),
            (None, '\'' | '"') => {
                word.get_or_insert_default();
                quote = Some(character);
            }
            (None, '&') if characters.peek() == Some(&'>') => end_word(&mut commands, &mut word),
            (None, '>' | '<') => {
                // So is the number of a stream.
                word.take_if(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
                end_word(&mut commands, &mut word);
                characters.next_if(|next| matches!(next, '>' | '<' | '|'));
                is_file = characters.next_if_eq(&'&').is_none();
                while !is_file
                    && characters
                        .next_if(|next| next.is_ascii_digit() || *next == '-')
                        .is_some()
                {}
            }
            (None, ';' | '|' | '&' | '\n' | '(' | ')') => {
                end_word(&mut commands, &mut word);
                commands.push(Vec::new());
            }
            (None, _) if character.is_whitespace() => end_word(&mut commands, &mut word),
            (None, _) => word.get_or_insert_default().push(character),
        }
    }
    if !is_file {
        end_word(&mut commands, &mut word);
    }
    commands.retain(|command| {
        command
            .first()
            .is_some_and(|program| !SHELL_BUILTINS.contains(&program.as_str()))
    });
    commands
}

/// Words that open a command without being one.
const SHELL_OPENERS: &[&str] = &[
    "then", "do", "else", "elif", "if", "while", "until", "!", "{",
];

/// Builtins that are not the program somebody asks about.
const SHELL_BUILTINS: &[&str] = &[
    "set", "cd", "fi", "done", "for", "}", "export", "trap", "true", "false", "echo", "exit",
    "source", ".", ":", "[", "test", "read", "umask", "ulimit", "shift", "wait", "return", "local",
];

/// Whether an unquoted character ends a word.
fn ends_word(character: char) -> bool {
    character.is_whitespace() || matches!(character, ';' | '|' | '&' | '(' | ')' | '>' | '<')
}

fn end_word(commands: &mut [Vec<String>], word: &mut Option<String>) {
    let (Some(word), Some(command)) = (word.take(), commands.last_mut()) else {
        return;
    };
    let opens = command.is_empty() && SHELL_OPENERS.contains(&word.as_str());
    if !opens {
        command.push(word);
    }
}
