//! The scripts that a command starts, found in its words. Only as good as needed to protect them:
//! what a program is told to run in its own way is not known.

use std::fs;
use std::path::{Path, PathBuf};

use crate::checkpoint::tree::shell_text::commands_of;
use crate::command_line::{
    STARTERS, Wrapper, after_options, base_name, first_word, is_assignment, plain,
};

/// A program that runs the first file it is given.
struct Interpreter {
    name: &'static str,
    /// Options that stand for a file: what follows is a text, a module or an expression.
    instead: &'static [&'static str],
    /// Options whose value is the next word.
    valued: &'static [&'static str],
}

const fn interpreter(
    name: &'static str,
    instead: &'static [&'static str],
    valued: &'static [&'static str],
) -> Interpreter {
    Interpreter {
        name,
        instead,
        valued,
    }
}

const EVAL: &[&str] = &["e", "p", "--eval", "--print"];
const REQUIRE: &[&str] = &["-r", "--require", "--import", "--loader"];

/// Those whose `-c` is followed by a text of the shell are [`SHELLS`].
const INTERPRETERS: [Interpreter; 8] = [
    interpreter("bun", EVAL, REQUIRE),
    interpreter("deno", EVAL, &[]),
    interpreter("node", EVAL, REQUIRE),
    interpreter("perl", &["e", "E"], &[]),
    interpreter("php", &["r"], &["-d", "-c"]),
    interpreter("python", &["c", "m"], &["-W", "-X"]),
    interpreter("ruby", &["e"], &["-r", "-I"]),
    interpreter("tclsh", &[], &["-encoding"]),
];

const SHELLS: [&str; 7] = ["ash", "bash", "dash", "fish", "ksh", "sh", "zsh"];

/// Words of a program that come before the file it runs.
const SUBCOMMANDS: [(&str, &str); 4] = [
    ("bun", "run"),
    ("bun", "test"),
    ("deno", "run"),
    ("deno", "test"),
];

/// What else is followed by a command beside [`STARTERS`]: words of the shell, and programs that no
/// recipe starts anything by.
const MORE_STARTERS: &[Wrapper] = &[
    plain("!", &[]),
    plain("builtin", &[]),
    plain("do", &[]),
    plain("elif", &[]),
    plain("else", &[]),
    plain("if", &[]),
    plain("then", &[]),
    plain("until", &[]),
    plain("while", &[]),
    plain("{", &[]),
    first_word("chrt", &["-T", "-P", "-D"]),
    plain("doas", &["-u", "-C"]),
    plain("env", &["-u", "--unset", "-C", "--chdir", "-S"]),
    plain("numactl", &["-N", "-m", "-C", "-i", "-p"]),
    plain(
        "sudo",
        &[
            "-u", "--user", "-g", "--group", "-h", "-p", "-C", "-r", "-t", "-T", "-U", "-D", "-R",
        ],
    ),
    first_word("taskset", &[]),
    plain("unbuffer", &[]),
    plain("unshare", &["-S", "-G", "-R", "-w"]),
    plain("watch", &["-n", "--interval"]),
    plain("xargs", &["-I", "-n", "-P", "-L", "-d", "-a", "-s", "-E"]),
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
    let assigned = words.iter().take_while(|word| is_assignment(word)).count();
    let words = &words[assigned..];
    let Some((program, rest)) = words.split_first() else {
        return Vec::new();
    };
    let name = name_of(program);
    let mut starters = STARTERS.iter().chain(MORE_STARTERS);
    if let Some(starter) = starters.find(|one| one.is_of(name)) {
        let command = starter.command(words);
        return command.map_or_else(Vec::new, |at| scripts_in(&words[at..]));
    }
    if SOURCES.contains(&program.as_str()) {
        return rest.first().cloned().into_iter().collect();
    }
    if SHELLS.contains(&name) {
        let text = rest.iter().position(|word| is_text_flag(word));
        return match text.and_then(|at| rest.get(at + 1)) {
            Some(text) => {
                let commands = commands_of(text);
                commands.iter().flat_map(|c| scripts_in(c)).collect()
            }
            None => rest
                .iter()
                .find(|word| !word.starts_with(['-', '+']))
                .cloned()
                .into_iter()
                .collect(),
        };
    }
    if let Some(interpreter) = INTERPRETERS.iter().find(|one| one.name == name) {
        return interpreter.file(rest).cloned().into_iter().collect();
    }
    let is_path = program.contains('/');
    is_path.then(|| program.clone()).into_iter().collect()
}

impl Interpreter {
    /// The file that it runs, of its words `rest`.
    fn file<'w>(&self, rest: &'w [String]) -> Option<&'w String> {
        let subcommand = rest.first().filter(|word| {
            let own = (self.name, word.as_str());
            SUBCOMMANDS.contains(&own)
        });
        let rest = &rest[usize::from(subcommand.is_some())..];
        let at = after_options(rest, 0, self.valued)?;
        let is_instead = |word: &String| match word.strip_prefix('-') {
            Some(short) if !short.starts_with('-') => {
                self.instead.iter().any(|flag| short.ends_with(flag))
            }
            _ => self.instead.contains(&word.as_str()),
        };
        let is_text = rest[..at].iter().any(is_instead);
        rest.get(at).filter(|_| !is_text)
    }
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
    let name = base_name(program);
    match name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "" => name,
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(argv: &[&str], expected: &[&str]) {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        for name in ["fix.sh", "a b.sh", "x.py"] {
            fs::write(root.join(name), "").unwrap();
        }
        let argv: Vec<_> = argv.iter().map(|word| (*word).to_owned()).collect();
        let expected: Vec<_> = expected.iter().map(|name| root.join(name)).collect();
        assert_eq!(scripts_of(&argv, &root, &root), expected, "{argv:?}");
    }

    #[test]
    fn scripts_are_found_in_what_is_run() {
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

    #[test]
    fn what_a_command_reads_or_writes_or_is_told_is_no_script() {
        for text in [
            "if ! black --check -q ./x.py; then black -q ./x.py; fi",
            "timeout 60 black -q ./x.py",
            "timeout -k 5 --signal INT 60 sed -i s/a/b/ ./x.py",
            "env A=1 black ./x.py",
            "nice -n 5 black ./x.py",
            "sudo -n -u root chown me ./x.py",
            "if grep -q bad ./x.py; then sed -i s/a/b/ ./x.py; fi",
            "for i in 1; do echo x >> ./x.py; done",
            "while read -r l; do echo $l; done < ./x.py",
            "{ echo x > ./x.py; }",
            "echo x >| ./x.py",
            "! echo x 2>&1 > ./x.py",
            "exec 3> ./x.py; command echo x &> ./x.py; time cat ./x.py",
            "nohup echo x >./x.py 2>./fix.sh &",
            "find . -name x.py | xargs -n 1 sed -i s/a/b/",
            "python3 -m black ./x.py; python3 -c 'import x' ./x.py",
            "perl -pi -e 's/a/b/' ./x.py; ruby -i -pe 'x' ./x.py; node -e 1 ./x.py",
            "cat > out <<EOF\n./fix.sh\nEOF\nflock ./fix.sh black ./x.py",
            "echo \\; ./x.py # ; ./fix.sh",
            "echo a\\\n ./x.py",
        ] {
            check(&["sh", "-c", text], &[]);
        }
        check(&["timeout", "60", "black", "x.py"], &[]);
        check(
            &["sh", "-c", "cat <<-E | ./fix.sh\n\tx.py\n\tE\n./x.py"],
            &["fix.sh", "x.py"],
        );
        check(&["sh", "-c", "2>/dev/null ./fix.sh >x.py"], &["fix.sh"]);
        check(
            &["sh", "-c", "y=`./fix.sh` $(exec ./x.py)"],
            &["fix.sh", "x.py"],
        );
        check(&["node", "-r", "./x.py", "./fix.sh"], &["fix.sh"]);
        check(&["bun", "run", "fix.sh"], &["fix.sh"]);
        check(&["flock", "lock", "timeout", "5", "./fix.sh"], &["fix.sh"]);
        check(&["sudo", "-u", "me", "--", "./fix.sh"], &["fix.sh"]);
    }
}
