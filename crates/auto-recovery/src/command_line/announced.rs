//! The commands that task runners announce in their output, and the folders they run in.
//!
//! `make` prints a command before it runs it, `npm` prints the script of a package, `sh -x` puts a
//! plus before each; runners of several tasks put a name before each line. The folder of a command
//! is known from `make`'s own lines, from `cd`, from `npm`'s report of a script that failed, or
//! else from the runner's own folder.

use std::collections::{HashMap, HashSet};

use super::carrier::{in_folder, uncarried};
use super::name::base_name;
use super::place::Place;
use super::shell;
use super::words::Words;

/// Lines of an output that are read: task runners print little around a command.
const LINES_MAX: usize = 20_000;
/// A longer line is no command meant to be read.
const LINE_BYTES_MAX: usize = 1_000;

/// The kind of package that brings the programs of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packages {
    /// A `package.json`.
    Node,
    /// A `composer.json`.
    Composer,
}

/// A runner that changes to a folder of its own.
struct Home {
    programs: &'static [&'static str],
    /// Files by which the folder is known.
    signs: &'static [&'static str],
    /// Its options that name the folder.
    options: &'static [&'static str],
    packages: Option<Packages>,
}

const HOMES: &[Home] = &[
    Home {
        programs: &["npm", "pnpm", "yarn", "bun", "turbo", "lerna", "nx"],
        signs: &["package.json"],
        options: &["--prefix", "-C", "--dir", "--cwd"],
        packages: Some(Packages::Node),
    },
    Home {
        programs: &["composer"],
        signs: &["composer.json"],
        options: &["-d", "--working-dir"],
        packages: Some(Packages::Composer),
    },
    Home {
        programs: &["make", "gmake"],
        signs: &[],
        options: &["-C", "--directory"],
        packages: None,
    },
    Home {
        programs: &["just"],
        signs: &["justfile", "Justfile", ".justfile"],
        options: &["-d", "--working-directory"],
        packages: None,
    },
    Home {
        programs: &["task"],
        signs: &["Taskfile.yml", "Taskfile.yaml", "taskfile.yml"],
        options: &["-d", "--dir"],
        packages: None,
    },
    Home {
        programs: &["pre-commit", "prek", "lefthook"],
        signs: &[".git"],
        options: &[],
        packages: None,
    },
    Home {
        programs: &["rake"],
        signs: &["Rakefile", "rakefile"],
        options: &[],
        packages: None,
    },
    Home {
        programs: &["tox", "nox", "poe"],
        signs: &["tox.ini", "noxfile.py", "pyproject.toml"],
        options: &[],
        packages: None,
    },
];

/// A command that a task runner announced.
#[derive(Clone, Debug)]
pub(crate) struct Announced {
    /// Its words.
    pub(crate) argv: Vec<String>,
    /// Its folder, seen from that of the runner.
    pub(crate) place: Place,
    /// The kind of package that brings its program, if it is a package's script.
    pub(crate) packages: Option<Packages>,
    /// Its line, from 0.
    line: usize,
    /// The package of its script.
    package: Option<String>,
    /// Its own change of folder within that of the script.
    way: Place,
}

/// The commands that an output says were run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Announcements {
    commands: Vec<Announced>,
    /// Folders with the first line from which each holds.
    places: Vec<(usize, Place)>,
}

impl Announcements {
    /// Reads the announcements in the `output` of `argv`.
    pub(crate) fn of(argv: &[String], output: &str) -> Self {
        let (base, packages) = home(argv).unwrap_or_default();
        let mut reader = Reader {
            made: Self {
                commands: Vec::new(),
                places: vec![(0, base.clone())],
            },
            script: Script {
                place: base.clone(),
                packages,
            },
            base,
            folders: Vec::new(),
            package: None,
            failed_in: None,
            packages: HashMap::new(),
            named: HashSet::new(),
        };
        let mut joined = String::new();
        for (number, line) in output.lines().take(LINES_MAX).enumerate() {
            if line.len() > LINE_BYTES_MAX || joined.len() > LINE_BYTES_MAX {
                joined.clear();
                continue;
            }
            match line.strip_suffix('\\') {
                Some(begun) => joined.push_str(begun),
                None if joined.is_empty() => reader.read(number, line.trim()),
                None => {
                    joined.push_str(line);
                    reader.read(number, joined.trim());
                    joined.clear();
                }
            }
        }
        reader.finish()
    }

    /// Whether `argv` is a runner that announces its commands.
    pub(crate) fn may_come_from(argv: &[String]) -> bool {
        home(argv).is_some()
    }

    /// The same of a command that may be anything: those that a shell traced, for whoever prints a
    /// line otherwise need not have run it.
    pub(crate) fn traced(argv: &[String], output: &str) -> Self {
        let traced = output.lines().filter(|line| line.starts_with('+'));
        let traced: Vec<&str> = traced
            .filter(|line| marked_command(line).is_some())
            .collect();
        Self::of(argv, &traced.join("\n"))
    }

    /// The commands that were run, the last first.
    pub(crate) fn last_first(self) -> impl Iterator<Item = Vec<String>> {
        self.commands.into_iter().rev().map(|one| one.argv)
    }

    /// The commands, those nearest above `line` first, then those below.
    pub(crate) fn nearest(&self, line: Option<usize>) -> impl Iterator<Item = &Announced> {
        let line = line.unwrap_or(usize::MAX);
        let split = self.commands.partition_point(|one| one.line <= line);
        let (above, below) = self.commands.split_at(split);
        above.iter().rev().chain(below)
    }

    /// The folder of the program that wrote `line`.
    pub(crate) fn place_at(&self, line: Option<usize>) -> Place {
        let line = line.unwrap_or(usize::MAX);
        let before = self.places.partition_point(|(from, _)| *from <= line);
        let last = before.checked_sub(1).and_then(|at| self.places.get(at));
        last.map(|(_, place)| place.clone()).unwrap_or_default()
    }
}

/// The folder in which a package's scripts run.
#[derive(Clone, Default)]
struct Script {
    place: Place,
    packages: Option<Packages>,
}

struct Reader {
    made: Announcements,
    base: Place,
    script: Script,
    /// The folders that `make` entered, one inside the other.
    folders: Vec<String>,
    /// The package of the running script.
    package: Option<String>,
    /// The folder that `npm` names for the failed script.
    failed_in: Option<String>,
    /// The folders of packages.
    packages: HashMap<String, String>,
    /// Folders whose names are printed before lines from there.
    named: HashSet<String>,
}

impl Reader {
    fn read(&mut self, number: usize, line: &str) {
        if self.read_folder(number, line) {
            return;
        }
        let (folder, rest) = match is_marked(line) {
            true => (None, line),
            false => uncarried(line),
        };
        let folder = folder.filter(|folder| self.named.contains(*folder));
        if let Some(folder) = folder {
            let place = self.base.clone().into_folder(folder);
            self.made.places.push((number, place));
        }
        let line = match (is_marked(rest), folder) {
            (true, _) => rest,
            (false, None) => line,
            // An unmarked line behind a folder's name announces nothing.
            (false, Some(_)) => return,
        };
        if let Some(said) = after(line, &["npm error ", "npm ERR! "]) {
            return self.read_failed_script(number, said);
        }
        if let Some(text) = after(line, &["> ", "$ "]) {
            return match header(text) {
                Some((package, folder)) => self.enter_package(number, package, folder),
                None => self.add_script(number, text, folder),
            };
        }
        if let Some((folder, command)) = in_folder(line) {
            self.named.insert(folder.to_owned());
            return self.add_script(number, command, Some(folder));
        }
        let text = marked_command(line).unwrap_or(line);
        let place = self.here();
        self.add(number, text, &place, None);
    }

    /// The folder of an unmarked command now.
    fn here(&self) -> Place {
        match self.folders.last() {
            Some(folder) => self.base.clone().into_folder(folder),
            None => self.base.clone(),
        }
    }

    /// Reads `make`'s lines on the folders it enters and leaves.
    fn read_folder(&mut self, number: usize, line: &str) -> bool {
        let named = |said: &str| {
            let (who, rest) = line.split_once(said)?;
            let is_make = base_name(who.split('[').next().unwrap_or(who)).ends_with("make");
            let folder = rest.trim_start_matches(['\'', '`']).strip_suffix('\'')?;
            is_make.then(|| folder.to_owned())
        };
        if let Some(folder) = named(": Entering directory ") {
            self.folders.push(folder);
        } else if let Some(folder) = named(": Leaving directory ") {
            let at = self.folders.iter().rposition(|one| *one == folder);
            self.folders.truncate(at.unwrap_or(self.folders.len()));
        } else {
            return false;
        }
        let place = self.here();
        self.script.place = place.clone();
        self.made.places.push((number, place));
        true
    }

    /// Reads `npm`'s report of a failed script: `workspace a@1.0.0`, `location /x/packages/a`,
    /// `command sh -c eslint .`.
    fn read_failed_script(&mut self, number: usize, said: &str) {
        if let Some(folder) = after(said, &["path ", "location "]) {
            self.failed_in = Some(folder.to_owned());
        } else if let Some(package) = said.strip_prefix("workspace ") {
            if let Some(folder) = &self.failed_in {
                self.packages.insert(package.to_owned(), folder.clone());
            }
        } else if let Some(text) = said.strip_prefix("command sh -c ") {
            let folder = self.failed_in.clone();
            self.add_script(number, text, folder.as_deref());
        }
    }

    fn enter_package(&mut self, number: usize, package: &str, folder: Option<&str>) {
        self.package = Some(package.to_owned());
        self.failed_in = None;
        if let Some(folder) = folder {
            self.packages.insert(package.to_owned(), folder.to_owned());
        }
        self.made.places.push((number, self.script.place.clone()));
    }

    fn add_script(&mut self, number: usize, text: &str, folder: Option<&str>) {
        let script = self.script.clone();
        let place = match folder {
            Some(folder) => self.base.clone().into_folder(folder),
            None => script.place,
        };
        let packages = script.packages.or(Some(Packages::Node));
        self.add(number, text, &place, packages);
    }

    fn add(&mut self, number: usize, text: &str, place: &Place, packages: Option<Packages>) {
        for command in shell::commands(text) {
            let at = place.clone().then(&command.place);
            if let Some((below, Some(packages))) = home(&command.argv) {
                self.script = Script {
                    place: at.clone().then(&below),
                    packages: Some(packages),
                };
            }
            self.made.commands.push(Announced {
                argv: command.argv,
                place: at,
                packages,
                line: number,
                package: self.package.clone().filter(|_| packages.is_some()),
                way: command.place,
            });
        }
    }

    /// Settles the folders of package scripts: a failed one names its own for sure.
    fn finish(mut self) -> Announcements {
        for command in &mut self.made.commands {
            let package = command.package.as_ref();
            if let Some(folder) = package.and_then(|package| self.packages.get(package)) {
                command.place = Place::default().into_folder(folder).then(&command.way);
            }
        }
        self.made
    }
}

fn is_marked(line: &str) -> bool {
    after(line, &["> ", "$ ", "+ ", "npm error ", "npm ERR! "]).is_some()
}

fn after<'a>(line: &'a str, marks: &[&str]) -> Option<&'a str> {
    marks.iter().find_map(|mark| line.strip_prefix(mark))
}

/// The command on a line that begins with some runner's mark.
fn marked_command(line: &str) -> Option<&str> {
    let plus = line.trim_start_matches('+');
    if plus.len() < line.len() && plus.starts_with(' ') {
        return Some(plus);
    }
    if let Some(command) = after(line, &["Run ", "[command]", "nox > ", "Poe => "]) {
        return Some(command);
    }
    if let Some(named) = line.strip_prefix("task: [") {
        return named.split_once("] ").map(|(_, command)| command);
    }
    // `lint: commands[0]> black --check .`
    let (head, command) = line.split_once("]> ")?;
    head.contains("commands[").then_some(command)
}

/// The package that the heading of a script names, and its folder: `a@1.0.0 lint /x/packages/a`.
fn header(text: &str) -> Option<(&str, Option<&str>)> {
    let words: Vec<&str> = text.split(' ').collect();
    let (package, folder) = match words[..] {
        [package, _] => (package, None),
        [package, _, folder] if folder.starts_with('/') => (package, Some(folder)),
        _ => return None,
    };
    let (name, version) = package.rsplit_once('@')?;
    let is_version = version.starts_with(|c: char| c.is_ascii_digit());
    (!name.is_empty() && is_version).then_some((package, folder))
}

/// The folder and the kind of packages of the runner in `argv`; `None` without one.
fn home(argv: &[String]) -> Option<(Place, Option<Packages>)> {
    Words::readings(argv).into_iter().find_map(|reading| {
        let program = reading.program();
        let known = HOMES
            .iter()
            .find(|known| known.programs.contains(&program))?;
        let place = match option(&reading.tool, known.options) {
            Some(folder) => reading.place.into_folder(&folder),
            None => reading.place,
        };
        Some((place.up_to(known.signs), known.packages))
    })
}

/// The value of the first of `options` in `words`, in any spelling.
pub(crate) fn option(words: &[String], options: &[&str]) -> Option<String> {
    words.iter().enumerate().find_map(|(at, word)| {
        options.iter().find_map(|option| {
            let rest = word.strip_prefix(option)?;
            match (rest.strip_prefix('='), rest.is_empty()) {
                (Some(value), _) => Some(value.to_owned()),
                (None, true) => words.get(at + 1).cloned(),
                (None, false) => (!option.starts_with("--")).then(|| rest.to_owned()),
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asserts the commands that `output` announces, and their folders.
    fn check(argv: &str, output: &str, expected: &[(&str, &Place)]) {
        let argv: Vec<String> = argv.split(' ').map(str::to_owned).collect();
        let found = Announcements::of(&argv, output);
        let found: Vec<_> = found
            .commands
            .iter()
            .map(|one| (one.argv.join(" "), &one.place))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(words, place)| ((*words).to_owned(), *place))
            .collect();
        assert_eq!(found, expected, "{output}");
    }

    #[test]
    fn each_runner_announces_in_its_own_way() {
        let here = Place::default();
        let package = here.clone().up_to(&["package.json"]);
        let into = |folder| here.clone().into_folder(folder);
        check(
            "make",
            "cd web && eslint .\n",
            &[("eslint .", &into("web"))],
        );
        check(
            "make",
            "cd web && \\\n\teslint .\n",
            &[("eslint .", &into("web"))],
        );
        check(
            "make",
            "make[1]: Entering directory '/x/a'\nruff check .\nmake[1]: Leaving directory '/x/a'\nb\n",
            &[("ruff check .", &into("/x/a")), ("b", &here)],
        );
        check("make -C web", "eslint .\n", &[("eslint .", &into("web"))]);
        check(
            "sh -xc x",
            "+ ruff check .\n++ black .\n",
            &[("ruff check .", &here), ("black .", &here)],
        );
        check(
            "npm run lint",
            "\n> web@1.0.0 lint\n> eslint . && tsc\n\n",
            &[("eslint .", &package), ("tsc", &package)],
        );
        check(
            "npm --prefix web run lint",
            "> eslint .\n",
            &[("eslint .", &into("web").up_to(&["package.json"]))],
        );
        check("yarn lint", "$ eslint .\n", &[("eslint .", &package)]);
        check(
            "tox",
            "lint: commands[0]> black --check .\n",
            &[(
                "black --check .",
                &here
                    .clone()
                    .up_to(&["tox.ini", "noxfile.py", "pyproject.toml"]),
            )],
        );
        let composer = here.clone().up_to(&["composer.json"]);
        check(
            "composer lint",
            "> phpcs src\n",
            &[("phpcs src", &composer)],
        );
    }

    #[test]
    fn a_script_of_a_workspace_runs_in_its_package() {
        let into = |folder| Place::default().into_folder(folder);
        check(
            "npm run lint -ws",
            "> a@1.0.0 lint\n> eslint .\n\n> b@2.0.0 lint\n> eslint .\n\n\
             npm error code 1\nnpm error path /x/b\nnpm error workspace b@2.0.0\n\
             npm error location /x/b\nnpm error command failed\n\
             npm error command sh -c eslint .\n",
            &[
                ("eslint .", &Place::default().up_to(&["package.json"])),
                ("eslint .", &into("/x/b")),
                ("eslint .", &into("/x/b")),
            ],
        );
        check(
            "pnpm -r lint",
            "packages/b lint$ eslint .\npackages/b lint: /x/b/a.js\n",
            &[(
                "eslint .",
                &Place::default()
                    .up_to(&["package.json"])
                    .into_folder("packages/b"),
            )],
        );
        check(
            "turbo run lint",
            "b:lint: > b@1.0.0 lint /x/b\nb:lint: > eslint .\n",
            &[("eslint .", &into("/x/b"))],
        );
        check(
            "make",
            "cd web && npm run lint\n> web@1.0.0 lint\n> eslint .\n",
            &[
                ("npm run lint", &into("web")),
                ("eslint .", &into("web").up_to(&["package.json"])),
            ],
        );
    }

    #[test]
    fn what_is_nearest_above_comes_first() {
        let output = "a 1\nerror!\nb 2\nerror!!\nc 3\n";
        let found = Announcements::of(&["make".to_owned()], output);
        let order: Vec<_> = found
            .nearest(Some(3))
            .map(|one| one.argv[0].as_str())
            .collect();
        assert_eq!(order, ["b", "a", "c"]);
    }
}
