//! Seeing the command that matters through the words around it.
//!
//! `npx eslint .`, `python -m black .`, `env CI=1 timeout 60 cargo fmt` and `sh -c 'cd web && ruff
//! check .'` all run a tool that somebody may know. What stands before it is kept, so that another
//! command can run the same tool in the same way. The words of a shell text are read as far as they
//! are plain.

use super::hearsay::repeatable;
use super::name::base_name;
use super::place::Place;
use super::shell;
use super::wrapper::{IN_FOLDER, is_assignment, wrapping};

/// A command, split into what stands before the tool and the tool with its arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    /// What starts it.
    pub(crate) before: Vec<String>,
    /// The tool and its arguments.
    pub(crate) tool: Vec<String>,
    /// Where it runs, seen from where the whole command does.
    pub(crate) place: Place,
    /// Whether it runs among other files than ours, as in a container.
    pub(crate) is_elsewhere: bool,
    /// Whether a shell text runs others beside it.
    pub(crate) is_one_of_many: bool,
    depth: usize,
}

/// Wrappers nested deeper than this are nobody's.
const DEPTH_MAX: usize = 8;

/// Readings of one command: more than anybody nests and chains.
const READINGS_MAX: usize = 128;

impl Words {
    /// The ways to read `argv`, the innermost tools first: as it stands, and without each wrapper
    /// that runs what follows.
    pub(crate) fn readings(argv: &[String]) -> Vec<Self> {
        let mut found = Vec::new();
        let whole = Self {
            tool: argv.to_vec(),
            ..Self::default()
        };
        whole.read(&mut found);
        found.sort_by_key(|reading| std::cmp::Reverse(reading.depth));
        found
    }

    /// This reading of a command that an output shows, as far as it may be run again; `None` if it
    /// may not.
    pub(crate) fn as_told(&self) -> Option<Self> {
        let before = repeatable(&self.before)?;
        Some(Self {
            before,
            ..self.clone()
        })
    }

    /// The name of the program it runs.
    pub(crate) fn program(&self) -> &str {
        self.tool.first().map_or("", |program| base_name(program))
    }

    /// How many wrappers stand around it.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    fn read(mut self, found: &mut Vec<Self>) {
        if self.tool.is_empty() || self.depth > DEPTH_MAX || found.len() == READINGS_MAX {
            return;
        }
        let assignments = self.tool.iter().take_while(|word| is_assignment(word));
        let count = assignments.count();
        if count > 0 {
            self.before.push("env".to_owned());
            self.before.extend(self.tool.drain(..count));
            self.depth += 1;
            return self.read(found);
        }
        found.push(self.clone());
        self.depth += 1;
        if let Some(text) = self.shell_text() {
            let commands = shell::commands(&text);
            self.is_one_of_many |= commands.len() > 1;
            for command in commands {
                self.in_text(command).read(found);
            }
        } else if let Some(wrapping) = wrapping(&self.tool) {
            self.before.extend(self.tool.drain(..wrapping.words));
            self.is_elsewhere |= wrapping.is_elsewhere;
            self.read(found);
        }
    }

    /// `command` of the text of this one, which is a shell.
    fn in_text(&self, command: shell::Simple) -> Self {
        let mut made = Self {
            tool: command.argv,
            ..self.clone()
        };
        match (self.is_elsewhere, command.place.as_folder()) {
            (true, Some(folder)) => made
                .before
                .extend(IN_FOLDER.map(str::to_owned).into_iter().chain([folder])),
            _ => made.place = made.place.then(&command.place),
        }
        made
    }

    /// The options and the text, if this is a shell that is given one.
    pub(crate) fn shell_with_text(&self) -> Option<(&[String], String)> {
        let text = self.shell_text()?;
        let at = self.tool.iter().position(|word| *word == text)?;
        Some((&self.tool[1..at], text))
    }

    /// The text, if this is a shell that is given one.
    fn shell_text(&self) -> Option<String> {
        let is_shell = matches!(self.program(), "sh" | "bash" | "dash" | "zsh" | "ash");
        let at = self.tool.iter().skip(1).position(|word| {
            word.starts_with('-') && !word.starts_with("--") && word.ends_with('c')
        })?;
        let options_only = self.tool[1..=at].iter().all(|word| word.starts_with('-'));
        self.tool
            .get(at + 2)
            .filter(|_| is_shell && options_only)
            .cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// The innermost readings, as `before | tool`.
    fn check(given: &[&str], expected: &[&str]) {
        let readings = Words::readings(&argv(given));
        let depth = readings.first().map(|reading| reading.depth);
        let found: Vec<String> = readings
            .iter()
            .filter(|reading| Some(reading.depth) == depth)
            .map(|reading| {
                let (before, tool) = (reading.before.join(" "), reading.tool.join(" "));
                format!("{before} | {tool}").trim().to_owned()
            })
            .collect();
        assert_eq!(found, expected, "{given:?}");
    }

    #[test]
    fn the_tool_is_seen_through_its_wrappers() {
        check(&["black", "."], &["| black ."]);
        check(
            &["npx", "--no-install", "eslint", "."],
            &["npx --no-install | eslint ."],
        );
        check(
            &["npm", "exec", "--", "eslint", "."],
            &["npm exec -- | eslint ."],
        );
        check(
            &["npm", "--prefix", "web", "exec", "eslint"],
            &["npm --prefix web exec | eslint"],
        );
        check(
            &["pnpm", "-C", "web", "exec", "eslint"],
            &["pnpm -C web exec | eslint"],
        );
        check(&["pnpm", "eslint", "."], &["pnpm | eslint ."]);
        check(
            &["yarn", "run", "prettier", "-c"],
            &["yarn run | prettier -c"],
        );
        check(
            &["python3.11", "-m", "black", "."],
            &["python3.11 -m | black ."],
        );
        check(
            &["poetry", "run", "ruff", "check"],
            &["poetry run | ruff check"],
        );
        check(
            &["poetry", "-C", "api", "run", "black"],
            &["poetry -C api run | black"],
        );
        check(
            &["uv", "run", "--with", "x", "ruff"],
            &["uv run --with x | ruff"],
        );
        check(&["pipenv", "run", "isort", "."], &["pipenv run | isort ."]);
        check(&["bundle", "exec", "rubocop"], &["bundle exec | rubocop"]);
        check(
            &["composer", "exec", "--", "phpcs", "src"],
            &["composer exec -- | phpcs src"],
        );
    }

    #[test]
    fn the_tool_is_seen_through_containers_and_shells() {
        check(
            &["php", "vendor/bin/phpcs", "src"],
            &["php | vendor/bin/phpcs src"],
        );
        check(
            &[
                "docker", "compose", "-f", "dev.yml", "exec", "-T", "app", "black", ".",
            ],
            &["docker compose -f dev.yml exec -T app | black ."],
        );
        check(
            &["docker-compose", "exec", "-T", "-u", "me", "app", "black"],
            &["docker-compose exec -T -u me app | black"],
        );
        check(
            &["docker", "exec", "box", "black"],
            &["docker exec box | black"],
        );
        check(
            &["env", "A=1", "B=2", "isort", "."],
            &["env A=1 B=2 | isort ."],
        );
        check(
            &["timeout", "-k", "5", "60", "gofmt"],
            &["timeout -k 5 60 | gofmt"],
        );
        check(&["bash", "-c", "ruff check ."], &["| ruff check ."]);
        check(&["sh", "-ec", "npx eslint ."], &["npx | eslint ."]);
        check(&["bash", "-e", "-c", "a b"], &["| a b"]);
        check(&["sh", "-c", "CI=1 black ."], &["env CI=1 | black ."]);
        check(
            &["sh", "-c", "eslint 'src/**/*.js' \"a b\"c"],
            &["| eslint src/**/*.js a bc"],
        );
        check(&["timeout", "60", "sh", "-c", "a b"], &["timeout 60 | a b"]);
        check(&["sh", "-c", "a b && c d"], &["| a b", "| c d"]);
        check(
            &[
                "docker",
                "compose",
                "exec",
                "-T",
                "app",
                "sh",
                "-c",
                "cd x && black .",
            ],
            &["docker compose exec -T app sh -c cd \"$0\" && exec \"$@\" x | black ."],
        );
        check(&["npx"], &["| npx"]);
        check(&["npm", "run", "lint"], &["| npm run lint"]);
        check(&["make", "lint"], &["| make lint"]);
    }

    #[test]
    fn a_folder_that_a_shell_goes_into_is_kept() {
        let readings = Words::readings(&argv(&["sh", "-c", "cd web && eslint ."]));
        assert_eq!(readings[0].place, Place::default().into_folder("web"));
        assert!(!readings[0].is_one_of_many);
        assert!(readings[1].place.is_here());
    }
}
