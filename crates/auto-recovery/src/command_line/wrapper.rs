//! Programs that run the words after theirs: data, and its reader.

use super::name::base_name;

/// A program that runs the command after its own words.
pub(crate) struct Wrapper {
    program: &'static str,
    /// Verbs, one required after the program and its options; empty if the command follows
    /// directly.
    verbs: &'static [&'static str],
    /// Words between the verb and the command, such as the name of a service.
    between: usize,
    /// Options that take the next word as their value.
    valued: &'static [&'static str],
    /// Set if the command runs among other files than ours, as in a container.
    pub(super) is_elsewhere: bool,
}

/// One that takes the command after its options.
pub(crate) const fn plain(program: &'static str, valued: &'static [&'static str]) -> Wrapper {
    Wrapper {
        program,
        verbs: &[],
        between: 0,
        valued,
        is_elsewhere: false,
    }
}

const fn with_verb(
    program: &'static str,
    verbs: &'static [&'static str],
    valued: &'static [&'static str],
) -> Wrapper {
    Wrapper {
        verbs,
        ..plain(program, valued)
    }
}

/// One that takes a word of its own before the command.
pub(crate) const fn first_word(program: &'static str, valued: &'static [&'static str]) -> Wrapper {
    Wrapper {
        between: 1,
        ..plain(program, valued)
    }
}

const fn container(program: &'static str, verbs: &'static [&'static str]) -> Wrapper {
    Wrapper {
        between: 1,
        is_elsewhere: true,
        ..with_verb(program, verbs, CONTAINER_OPTIONS)
    }
}

const CONTAINER_OPTIONS: &[&str] = &[
    "-f",
    "--file",
    "-p",
    "--project-name",
    "--project-directory",
    "--profile",
    "--env-file",
    "-e",
    "--env",
    "-u",
    "--user",
    "-w",
    "--workdir",
    "--index",
    "-c",
    "--context",
    "-H",
    "--host",
    "--name",
    "-v",
    "--volume",
    "--entrypoint",
];
const NPM_OPTIONS: &[&str] = &[
    "-p",
    "--package",
    "-w",
    "--workspace",
    "--prefix",
    "-C",
    "--dir",
    "--cwd",
    "-F",
    "--filter",
];
const PYTHON_OPTIONS: &[&str] = &[
    "-C",
    "-P",
    "--directory",
    "--project",
    "-p",
    "--python",
    "--with",
    "--from",
    "--spec",
    "--extra",
    "--group",
    "--package",
    "--env-file",
    "-n",
    "--name",
    "-e",
    "--env",
];

/// Programs that start another otherwise than a shell would.
pub(crate) const STARTERS: &[Wrapper] = &[
    plain("nice", &["-n", "--adjustment"]),
    plain("ionice", &["-c", "-n"]),
    plain("time", &["-f", "-o"]),
    plain("nohup", &[]),
    plain("setsid", &[]),
    plain("stdbuf", &["-i", "-o", "-e"]),
    plain("command", &[]),
    plain("exec", &["-a"]),
    plain("chronic", &[]),
    plain("xvfb-run", &["-e", "-f", "-n", "-p", "-s", "-w"]),
    first_word("timeout", &["-s", "-k", "--signal", "--kill-after"]),
    first_word("gtimeout", &["-s", "-k", "--signal", "--kill-after"]),
    first_word("flock", &["-E", "-w", "--timeout", "--conflict-exit-code"]),
];

/// The other wrappers; of a program with several, the most specific is first.
const WRAPPERS: &[Wrapper] = &[
    // Programs that find the programs of a package.
    plain("npx", NPM_OPTIONS),
    plain("bunx", NPM_OPTIONS),
    plain("pnpx", NPM_OPTIONS),
    with_verb("npm", &["exec", "x"], NPM_OPTIONS),
    with_verb("pnpm", &["exec", "dlx"], NPM_OPTIONS),
    with_verb("yarn", &["exec", "dlx", "run"], NPM_OPTIONS),
    with_verb("bun", &["x", "run"], NPM_OPTIONS),
    // Starters that run a program of the package by its name, too.
    plain("pnpm", NPM_OPTIONS),
    plain("yarn", NPM_OPTIONS),
    plain("uvx", PYTHON_OPTIONS),
    with_verb("uv", &["run"], PYTHON_OPTIONS),
    with_verb("pipx", &["run"], PYTHON_OPTIONS),
    with_verb("poetry", &["run"], PYTHON_OPTIONS),
    with_verb("pipenv", &["run"], PYTHON_OPTIONS),
    with_verb("pdm", &["run"], PYTHON_OPTIONS),
    with_verb("hatch", &["run"], PYTHON_OPTIONS),
    with_verb("rye", &["run"], PYTHON_OPTIONS),
    with_verb("pixi", &["run"], PYTHON_OPTIONS),
    with_verb("conda", &["run"], PYTHON_OPTIONS),
    with_verb("mamba", &["run"], PYTHON_OPTIONS),
    with_verb("bundle", &["exec"], &[]),
    with_verb("bundler", &["exec"], &[]),
    with_verb("rbenv", &["exec"], &[]),
    with_verb("composer", &["exec"], &["-d", "--working-dir"]),
    with_verb("mise", &["exec", "x"], &[]),
    with_verb("asdf", &["exec"], &[]),
    Wrapper {
        between: 1,
        ..with_verb("direnv", &["exec"], &[])
    },
    // Programs that run another in a container.
    container("docker-compose", &["exec", "run"]),
    container("docker", &["exec"]),
    container("podman", &["exec"]),
    container("nerdctl", &["exec"]),
];

/// Runs the command after it in the folder after it, where there is no other way to say so.
pub(super) const IN_FOLDER: [&str; 3] = ["sh", "-c", "cd \"$0\" && exec \"$@\""];

/// Programs that have `compose exec`.
const COMPOSERS: [&str; 3] = ["docker", "podman", "nerdctl"];

/// Interpreters that are given a tool's script, as `php vendor/bin/phpcs`.
const INTERPRETERS: [&str; 5] = ["php", "node", "ruby", "deno", "bun"];

/// The wrapper around a command.
pub(super) struct Wrapping {
    /// Number of its words.
    pub(super) words: usize,
    /// Set if the command runs among other files than ours.
    pub(super) is_elsewhere: bool,
}

/// The wrapper around the command in `words`, if there is one.
pub(super) fn wrapping(words: &[String]) -> Option<Wrapping> {
    let program = base_name(words.first()?);
    if COMPOSERS.contains(&program)
        && let Some(at) = after_options(words, 1, CONTAINER_OPTIONS)
        && words[at] == "compose"
    {
        let after = container_command(&words[at..])?;
        return Some(Wrapping {
            words: at + after,
            is_elsewhere: true,
        });
    }
    let plainly = |words| Wrapping {
        words,
        is_elsewhere: false,
    };
    if let Some(skip) = interpreter(program, words) {
        return Some(plainly(skip));
    }
    let known = STARTERS.iter().chain(WRAPPERS);
    let mut known = known.filter(|known| known.is_of(program));
    known.find_map(|known| {
        Some(Wrapping {
            words: known.command(words)?,
            is_elsewhere: known.is_elsewhere,
        })
    })
}

fn container_command(words: &[String]) -> Option<usize> {
    container("compose", &["exec", "run"]).command(words)
}

fn interpreter(program: &str, words: &[String]) -> Option<usize> {
    let then = words.get(1)?;
    let is_tool = match program {
        "env" => {
            let is_assignment = |word: &&String| is_assignment(word);
            let skip = 1 + words[1..].iter().take_while(is_assignment).count();
            return (skip < words.len() && !words[skip].starts_with('-')).then_some(skip);
        }
        _ if is_python(program) => {
            return (then == "-m" && words.len() > 2).then_some(2);
        }
        _ => then.contains("/bin/") || then.contains(".bin/"),
    };
    (is_tool && INTERPRETERS.contains(&program)).then_some(1)
}

impl Wrapper {
    /// Whether a program that is called `name` is this one.
    pub(crate) fn is_of(&self, name: &str) -> bool {
        self.program == name
    }

    /// The place of the command in `words`, which begin with the wrapper.
    pub(crate) fn command(&self, words: &[String]) -> Option<usize> {
        let mut at = after_options(words, 1, self.valued)?;
        if !self.verbs.is_empty() {
            if !self.verbs.contains(&words[at].as_str()) {
                return None;
            }
            at = after_options(words, at + 1, self.valued)?;
        }
        at += self.between;
        if words.get(at).is_some_and(|word| word == "--") {
            at += 1;
        }
        (at < words.len()).then_some(at)
    }
}

/// The place of the first word from `from` on that is neither an option nor the value of one.
pub(crate) fn after_options(words: &[String], from: usize, valued: &[&str]) -> Option<usize> {
    let mut at = from;
    loop {
        let word = words.get(at)?;
        if word == "--" {
            return (at + 1 < words.len()).then_some(at + 1);
        }
        if !word.starts_with('-') {
            return Some(at);
        }
        at += 1 + usize::from(valued.contains(&word.as_str()));
    }
}

/// Whether `word` sets a variable for the command after it.
pub(crate) fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

fn is_python(program: &str) -> bool {
    program
        .strip_prefix("python")
        .is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
}
