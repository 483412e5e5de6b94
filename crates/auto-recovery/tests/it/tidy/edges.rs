//! What only an edge says: flags and subcommands of ours. The library hands out data.

use std::collections::BTreeSet;

use regex::Regex;

use super::rust;
use super::tree::Tree;

/// Crates that are used without the command.
const LIBRARIES: [&str; 2] = ["crates/auto-recovery/src/", "crates/auto-recovery-sql/src/"];

/// Where the flags of the command are.
const ARGS: &str = "crates/auto-recovery-cli/src/args/";

/// Where its subcommands are, one room each.
const COMMANDS: &str = "crates/auto-recovery-cli/src/commands/";

/// Sentences of the libraries that name a flag of ours or a subcommand. A lone word that begins
/// with `--` is for another program.
pub(super) fn command_lines(tree: &Tree) -> Vec<String> {
    let (flags, verbs) = (flags(tree), verbs(tree));
    let flag = Regex::new(r"(^|[^\w-])--([a-z][a-z-]*)").expect("a pattern of ours");
    let verb = Regex::new(r"(^|[^\w-])recover ([a-z]+)").expect("a pattern of ours");
    let others = Regex::new("`git [^`]*`").expect("a pattern of ours");
    let names = |pattern: &Regex, known: &BTreeSet<String>, text: &str| {
        let text = others.replace_all(text, "");
        let mut found = pattern.captures_iter(&text);
        found.any(|found| known.contains(&found[2]))
    };
    let mut findings = Vec::new();
    for file in tree.rust() {
        let is_library = LIBRARIES.iter().any(|crates| file.path.starts_with(crates));
        if !is_library || file.is_test() {
            continue;
        }
        let shipped = rust::shipped(&file.code, &file.text);
        for (_, text) in rust::strings(&shipped) {
            let is_sentence = text.contains(' ') && !text.starts_with("--format=");
            if is_sentence && (names(&flag, &flags, text) || names(&verb, &verbs, text)) {
                findings.push(format!(
                    "{}: {text:?} names a flag or a subcommand: hand out a `Hint` or an `Advice`, \
                     and put the words into the tables of the edges",
                    file.path
                ));
            }
        }
    }
    findings
}

/// The flags of the command, without `--`.
fn flags(tree: &Tree) -> BTreeSet<String> {
    let flag = r#"long = "([a-z-]+)"|(?m)^ +pub\(crate\) ([a-z_]+):"#;
    let flag = Regex::new(flag).expect("a pattern of ours");
    let args = tree.rust().filter(|file| file.path.starts_with(ARGS));
    let named = args.flat_map(|file| flag.captures_iter(&file.text));
    let named = named.filter_map(|found| found.get(1).or_else(|| found.get(2)));
    named.map(|name| name.as_str().replace('_', "-")).collect()
}

/// The subcommands, as far as each has a room of its own.
fn verbs(tree: &Tree) -> BTreeSet<String> {
    let rooms = tree
        .rust()
        .filter_map(|file| file.path.strip_prefix(COMMANDS));
    let rooms = rooms.filter_map(|room| room.split(['/', '.']).next());
    rooms.map(str::to_owned).collect()
}

#[test]
fn finds_a_flag_and_a_subcommand() {
    let check = |text: &str, expected: usize| {
        let tree = Tree::of(&[
            (
                "crates/auto-recovery-cli/src/args/run.rs",
                "struct A {\n    pub(crate) no_wait: bool,\n}",
            ),
            (
                "crates/auto-recovery-cli/src/args/top.rs",
                "#[arg(long = \"fix\")]",
            ),
            ("crates/auto-recovery-cli/src/commands/show.rs", ""),
            ("crates/auto-recovery/src/a.rs", text),
        ]);
        assert_eq!(command_lines(&tree).len(), expected, "{text}");
    };
    check("f(\"leave out --no-wait\")", 1);
    check("f(\"give\\\n     --fix or `--fix`\")", 1);
    check("f(r#\"see `recover show {id}`\"#)", 1);
    check("f(\"what recover tries, `git x --fix`\")", 0);
    check("f([\"eslint\", \"--fix\"]) // give --fix", 0);
    check("#[cfg(test)]\nmod tests { f(\"give --fix\"); }", 0);
}
