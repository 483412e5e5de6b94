//! The rules together: a user's before the built-in ones, sorted by their strength as evidence.

use std::collections::HashMap;
use std::sync::OnceLock;

use foldhash::fast::FixedState;
use regex::bytes::Regex;
use serde::Deserialize;

use super::codes;
use super::rule::{Rule, compile};
use super::scan::Literals;
use super::shipped;
use super::text::Text;
use crate::error::{Error, ErrorKind, Result};

/// The built-in rules, a file a topic. Their order among files does not matter across signs; within
/// one sign earlier files are asked first.
pub(super) const BUILTIN: &[(&str, &str)] = &[
    ("carriers", include_str!("rules/carriers.toml")),
    ("outcome", include_str!("rules/outcome.toml")),
    ("hooks", include_str!("rules/hooks.toml")),
    ("agents", include_str!("rules/agents.toml")),
    ("modules", include_str!("rules/modules.toml")),
    ("packages", include_str!("rules/packages.toml")),
    ("crashes", include_str!("rules/crashes.toml")),
    ("setup", include_str!("rules/setup.toml")),
    ("python", include_str!("rules/python.toml")),
    ("installers", include_str!("rules/installers.toml")),
    ("rust", include_str!("rules/rust.toml")),
    ("node", include_str!("rules/node.toml")),
    ("go", include_str!("rules/go.toml")),
    ("jvm", include_str!("rules/jvm.toml")),
    ("ruby", include_str!("rules/ruby.toml")),
    ("php", include_str!("rules/php.toml")),
    ("native", include_str!("rules/native.toml")),
    ("shell", include_str!("rules/shell.toml")),
    ("network", include_str!("rules/network.toml")),
    ("dotnet", include_str!("rules/dotnet.toml")),
    ("platform", include_str!("rules/platform.toml")),
    ("linters", include_str!("rules/linters.toml")),
    ("exceptions", include_str!("rules/exceptions.toml")),
    ("tests", include_str!("rules/tests.toml")),
    ("system", include_str!("rules/system.toml")),
    ("generic", include_str!("rules/generic.toml")),
    ("places", include_str!("rules/places.toml")),
    ("reasons", include_str!("rules/reasons.toml")),
];

/// Room for the built-in rules, so that they are not moved while they are read.
const BUILTIN_RULES: usize = 1024;

/// Room for the literals of the built-in rules.
const LITERALS: usize = 4096;

/// A set of rules, ready to be asked.
#[derive(Debug)]
pub struct Rules {
    pub(super) ordered: Vec<Prepared>,
    pub(super) literals: Literals,
    pub(super) tried_again: Vec<usize>,
    pub(super) done_without: Vec<usize>,
    pub(super) chained: Vec<usize>,
    pub(super) gave_up: Vec<usize>,
}

/// Words of programs that try again after a failure, or go on with what they have.
const TRIED_AGAIN: &[&str] = &[
    "retrying",
    "tries remaining)",
    "They have been ignored, or old ones used",
    "will retry",
    "retry 1",
    "retry #1",
    "attempt 1",
    "attempt #1",
    "trying again",
    "reconnecting",
];

/// Words of programs that continue without the part that failed.
const DONE_WITHOUT: &[&str] = &[
    "falling back",
    "fallback to",
    "fall back to",
    "using local",
    "using cache",
    "using the cache",
    "from cache",
    "continuing",
    "(ignored)",
    "Exception ignored in",
    "non-fatal",
    "recovered",
    "succeeded on",
    "using mirror",
    "trying mirror",
    "skipping",
];

/// Lines between chained failures, where the first caused the second.
const CHAINED: &[&str] = &[
    "During handling of the above exception",
    "direct cause of the following exception",
    "Caused by:",
    "[cause]:",
];

/// Words of programs that tried again in vain.
const GAVE_UP: &[&str] = &[
    "giving up",
    "gave up",
    "no more retries",
    "retries exhausted",
    "retries exceeded",
    "all attempts",
    "out of retries",
];

/// A rule, its literals as numbers, its patterns compiled when first needed: most never are.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) rule: Rule,
    /// Set if a user gave it, and means it whatever else the output says.
    pub(super) is_users: bool,
    /// Set if lines that only warn, or quote, are not meant.
    pub(super) skips_asides: bool,
    pub(super) find: Vec<usize>,
    pub(super) with: Vec<usize>,
    pub(super) without: Vec<usize>,
    line: OnceLock<Regex>,
    under: OnceLock<Regex>,
    except: OnceLock<Regex>,
    above: OnceLock<Regex>,
    below: OnceLock<Regex>,
}

/// The shape of a file of rules.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rule: Vec<Rule>,
}

impl Rules {
    /// The built-in rules, read once a process.
    pub fn builtin() -> &'static Self {
        static RULES: OnceLock<Rules> = OnceLock::new();
        RULES.get_or_init(|| Self::prepare(and_builtin(Vec::new()), 0))
    }

    /// The user's rules, in their order, and after them the built-in ones.
    ///
    /// # Errors
    /// A rule that could never hold, or a pattern that is none: the message names the rule.
    pub fn with_user(user: Vec<Rule>) -> Result<Self> {
        for rule in &user {
            rule.check()?;
        }
        let given = user.len();
        Ok(Self::prepare(and_builtin(user), given))
    }

    /// The rules of a text in the format of the built-in files.
    ///
    /// # Errors
    /// A text that is no such file, or a rule that [`Rules::with_user`] refuses.
    pub fn parse(text: &str) -> Result<Vec<Rule>> {
        let file: File = toml::from_str(text).map_err(|error| {
            Error::new(ErrorKind::InvalidInput, "read rules").with_source(error)
        })?;
        for rule in &file.rule {
            rule.check()?;
        }
        Ok(file.rule)
    }

    /// The rules in the order in which they are asked.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.ordered.iter().map(|prepared| &prepared.rule)
    }

    /// Prepares `rules`; the first `given` of them are a user's, the others built in.
    fn prepare(mut rules: Vec<Rule>, given: usize) -> Self {
        rules[given..].sort_by_key(|rule| rule.sign);
        let mut numbers = Numbers::new();
        let numbered: Vec<[Vec<usize>; 3]> = rules
            .iter()
            .map(|rule| {
                [&rule.find, &rule.with, &rule.without]
                    .map(|literals| numbers.of(literals.iter().cloned()))
            })
            .collect();
        let [tried_again, done_without, chained, gave_up] =
            [TRIED_AGAIN, DONE_WITHOUT, CHAINED, GAVE_UP]
                .map(|said| numbers.of(said.iter().map(|&said| said.into())));
        let literals = Literals::new(numbers.all);
        let ordered = std::iter::zip(rules, numbered)
            .enumerate()
            .map(|(at, (rule, [find, with, without]))| Prepared {
                is_users: at < given,
                // A user who asks for a warning means it.
                skips_asides: at >= given && rule.sign.reads_prose(),
                rule,
                find,
                with,
                without,
                line: OnceLock::new(),
                under: OnceLock::new(),
                except: OnceLock::new(),
                above: OnceLock::new(),
                below: OnceLock::new(),
            })
            .collect();
        Self {
            ordered,
            literals,
            tried_again,
            done_without,
            chained,
            gave_up,
        }
    }
}

impl Prepared {
    pub(super) fn line(&self) -> Option<&Regex> {
        compiled(&self.line, self.rule.line.as_deref())
    }

    pub(super) fn under(&self) -> Option<&Regex> {
        compiled(&self.under, self.rule.under.as_deref())
    }

    pub(super) fn except(&self) -> Option<&Regex> {
        compiled(&self.except, self.rule.except.as_deref())
    }

    pub(super) fn above(&self) -> Option<&Regex> {
        compiled(&self.above, self.rule.above.as_deref())
    }

    pub(super) fn below(&self) -> Option<&Regex> {
        compiled(&self.below, self.rule.below.as_deref())
    }
}

fn compiled<'a>(regex: &'a OnceLock<Regex>, pattern: Option<&str>) -> Option<&'a Regex> {
    let pattern = pattern?;
    Some(regex.get_or_init(|| {
        compile(pattern).expect("a user's pattern was checked, a built-in one is tested")
    }))
}

/// Gives each literal one number.
struct Numbers {
    all: Vec<Text>,
    by_literal: HashMap<Text, usize, FixedState>,
}

impl Numbers {
    fn new() -> Self {
        let by_literal = HashMap::with_capacity_and_hasher(LITERALS, FixedState::default());
        Self {
            all: Vec::with_capacity(LITERALS),
            by_literal,
        }
    }

    fn of(&mut self, literals: impl IntoIterator<Item = Text>) -> Vec<usize> {
        let number = |literal: Text| {
            *self.by_literal.entry(literal).or_insert_with_key(|new| {
                self.all.push(new.clone());
                self.all.len() - 1
            })
        };
        literals.into_iter().map(number).collect()
    }
}

/// `rules`, and after them those of the tables of codes and of the files.
fn and_builtin(mut rules: Vec<Rule>) -> Vec<Rule> {
    rules.reserve(BUILTIN_RULES);
    let tables = codes::TABLES.iter().map(|(_, text)| (text, true));
    let files = BUILTIN.iter().map(|(_, text)| (text, false));
    for (text, is_table) in tables.chain(files) {
        let read = if is_table { codes::read } else { shipped::read };
        if let Err(line) = read(text, &mut rules) {
            unreachable!("each built-in file is tested to be understood: {line}");
        }
    }
    rules
}
