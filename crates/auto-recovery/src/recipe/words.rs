//! Seeing the command that matters through the words around it.
//!
//! `npx eslint .`, `python -m black .`, `env CI=1 timeout 60 cargo fmt` and `sh -c 'ruff check .'`
//! all run a tool that a recipe may know. What stands before it is kept, so that the mending
//! command runs the same tool in the same way. A shell text is looked into only if it holds nothing
//! but words.

/// A command, split into what stands before the tool and the tool with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) before: Vec<String>,
    pub(super) tool: Vec<String>,
}

/// Wrappers that run the words after them, with the words that follow the wrapper's name first.
const RUNNERS: [(&str, &[&str]); 16] = [
    ("npx", &[]),
    ("bunx", &[]),
    ("pnpx", &[]),
    ("pnpm", &["exec"]),
    ("yarn", &["run"]),
    ("yarn", &["exec"]),
    ("bundle", &["exec"]),
    ("poetry", &["run"]),
    ("pipenv", &["run"]),
    ("uv", &["run"]),
    ("pdm", &["run"]),
    ("hatch", &["run"]),
    ("pixi", &["run"]),
    ("nice", &[]),
    ("time", &[]),
    ("nohup", &[]),
];
/// Wrappers nested deeper than this are nobody's.
const DEPTH_MAX: usize = 8;

impl Words {
    /// The tool in `argv`.
    pub(super) fn of(argv: &[String]) -> Self {
        let mut words = Self {
            before: Vec::new(),
            tool: argv.to_vec(),
        };
        for _ in 0..DEPTH_MAX {
            let Some(skip) = words.wrapper() else { break };
            words.before.extend(words.tool.drain(..skip));
            if let Some(inner) = words.shell_text() {
                words = Self {
                    before: Vec::new(),
                    tool: inner,
                };
            }
        }
        words
    }

    /// How many words of the tool are a wrapper around another.
    fn wrapper(&self) -> Option<usize> {
        let tool = &self.tool;
        let program = base_name(tool.first()?);
        let skip = match program {
            "sh" | "bash" | "dash" | "zsh" if tool.len() == 3 && is_shell_command(&tool[1]) => 2,
            "env" => {
                1 + leading(&tool[1..], |word| {
                    word.contains('=') && !word.starts_with('-')
                })
            }
            "timeout" => 1 + leading(&tool[1..], |word| word.starts_with('-')) + 1,
            _ if is_python(program) && tool.get(1).is_some_and(|word| word == "-m") => 2,
            _ => self.runner(program)?,
        };
        (skip < tool.len()).then_some(skip)
    }

    fn runner(&self, program: &str) -> Option<usize> {
        let fits = |(name, then): &&(&str, &[&str])| {
            *name == program
                && then
                    .iter()
                    .enumerate()
                    .all(|(at, word)| self.tool.get(at + 1).is_some_and(|given| given == word))
        };
        let (_, then) = RUNNERS.iter().find(fits)?;
        let at = 1 + then.len();
        Some(at + leading(&self.tool[at..], |word| word.starts_with('-')))
    }

    /// The words of a shell text, if `before` ends with a shell and the text is nothing but words.
    fn shell_text(&self) -> Option<Vec<String>> {
        let [.., shell, flag] = &self.before[..] else {
            return None;
        };
        let is_shell = matches!(base_name(shell), "sh" | "bash" | "dash" | "zsh");
        match &self.tool[..] {
            [text] if is_shell && is_shell_command(flag) => plain_words(text),
            _ => None,
        }
    }
}

/// The words of `text`, if a shell would do nothing to it but split it at blanks and take quotes
/// off.
pub(super) fn plain_words(text: &str) -> Option<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut word = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' => words.extend(word.take()),
            '"' | '\'' => {
                let (inside, after) = rest.as_str().split_once(c)?;
                if c == '"' && inside.contains(['$', '`', '\\']) {
                    return None;
                }
                word.get_or_insert_default().push_str(inside);
                rest = after.chars();
            }
            c if c.is_ascii_alphanumeric() || "_-./=:@%+,".contains(c) => {
                word.get_or_insert_default().push(c);
            }
            _ => return None,
        }
    }
    words.extend(word);
    (!words.is_empty()).then_some(words)
}

/// The last component of a path.
pub(super) fn base_name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

fn is_python(program: &str) -> bool {
    program
        .strip_prefix("python")
        .is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

fn is_shell_command(flag: &str) -> bool {
    matches!(flag, "-c" | "-ec" | "-euc" | "-lc" | "-xc")
}

fn leading(words: &[String], fits: impl Fn(&str) -> bool) -> usize {
    words.iter().take_while(|word| fits(word)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(text: &[&str]) -> Vec<String> {
        text.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn the_tool_is_seen_through_its_wrappers() {
        let cases: [(&[&str], &[&str], &[&str]); 10] = [
            (&["black", "."], &[], &["black", "."]),
            (
                &["npx", "--no-install", "eslint", "."],
                &["npx", "--no-install"],
                &["eslint", "."],
            ),
            (
                &["python3.11", "-m", "black", "."],
                &["python3.11", "-m"],
                &["black", "."],
            ),
            (
                &["poetry", "run", "ruff", "check"],
                &["poetry", "run"],
                &["ruff", "check"],
            ),
            (
                &["env", "A=1", "B=2", "isort", "."],
                &["env", "A=1", "B=2"],
                &["isort", "."],
            ),
            (
                &["timeout", "-k", "60", "gofmt"],
                &["timeout", "-k", "60"],
                &["gofmt"],
            ),
            (
                &["bash", "-c", "ruff check ."],
                &[],
                &["ruff", "check", "."],
            ),
            (&["sh", "-c", "npx eslint ."], &["npx"], &["eslint", "."]),
            (
                &["sh", "-c", "eslint 'src/**/*.js' \"a b\"c"],
                &[],
                &["eslint", "src/**/*.js", "a bc"],
            ),
            (&["npx"], &[], &["npx"]),
        ];
        for (given, before, tool) in cases {
            let words = Words::of(&argv(given));
            assert_eq!(
                (words.before, words.tool),
                (argv(before), argv(tool)),
                "{given:?}"
            );
        }
    }

    #[test]
    fn a_shell_text_with_more_than_words_is_left_alone() {
        for text in [
            "a && b", "a; b", "a $X", "a \"$X\"", "a 'b c", "a > b", "a *.py", "a `b`", "a \\b",
        ] {
            let words = Words::of(&argv(&["sh", "-c", text]));
            assert_eq!(words.tool, argv(&[text]), "{text}");
        }
    }
}
