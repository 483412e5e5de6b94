//! Which commands of a shell's text can have ended it with a failure. `black . ; pytest` fails only
//! if the last one does, `black . || true; pytest` too, `black . && pytest` if either does.
//!
//! It refuses to answer where only a shell could tell: loops and conditions, substitutions, the
//! code of an earlier command that is kept for later, commands that run beside each other.

use super::words::Words;

/// Groups inside groups that are read.
const DEPTH_MAX: usize = 8;

/// Words that make a text more than a list of commands.
const UNREAD: [&str; 13] = [
    "if", "for", "while", "until", "case", "select", "function", "trap", "wait", "eval", "source",
    ".", "[[",
];

/// The commands of a text, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ending {
    /// Those whose failure the text ends with.
    pub(crate) decide: Vec<Vec<String>>,
    /// Those whose failure it passes over.
    pub(crate) pass: Vec<Vec<String>>,
}

impl Ending {
    /// That of the innermost shell text in `argv`; `None` without one, or if it is not known.
    pub(crate) fn of(argv: &[String]) -> Option<Self> {
        let readings = Words::readings(argv);
        let mut shells = readings.iter().filter_map(Words::shell_with_text);
        let (options, text) = shells.next()?;
        let stops = options.iter().any(|word| is_stop(word));
        let mut rest = &tokens(&text)?[..];
        let list = list(&mut rest, 0)?;
        let stops = stops || list.iter().flat_map(|chain| &chain.units).any(sets_stop);
        let mut made = Self::default();
        made.add(
            &list,
            Held {
                decides: true,
                stops,
            },
        )?;
        rest.is_empty().then_some(made)
    }

    fn add(&mut self, list: &[Chain], held: Held) -> Option<()> {
        let last = list.len().checked_sub(1)?;
        for (at, chain) in list.iter().enumerate() {
            let is_last = at == last;
            for unit in 0..chain.units.len() {
                let decides = match is_last {
                    true => chain.ends_with(unit, false),
                    false if held.stops => chain.ends_with(unit, true),
                    false => chain.leaves_after(unit),
                };
                let decides = held.decides && decides;
                self.add_unit(&chain.units[unit], Held { decides, ..held })?;
            }
        }
        Some(())
    }

    fn add_unit(&mut self, unit: &Unit, held: Held) -> Option<()> {
        match unit {
            Unit::Group(list) => self.add(list, held),
            Unit::Piped(units) => units.iter().try_for_each(|unit| self.add_unit(unit, held)),
            Unit::Simple(words) => {
                let to = match held.decides {
                    true => &mut self.decide,
                    false => &mut self.pass,
                };
                to.push(words.clone());
                Some(())
            }
        }
    }
}

/// What holds for a list of commands.
#[derive(Clone, Copy)]
struct Held {
    /// Set if the text ends as the list does.
    decides: bool,
    /// Set if the shell stops at a failure by itself.
    stops: bool,
}

/// Commands that `&&` and `||` join.
#[derive(Debug)]
struct Chain {
    units: Vec<Unit>,
    /// Between each unit and the next: set for `&&`.
    ands: Vec<bool>,
}

#[derive(Debug)]
enum Unit {
    Simple(Vec<String>),
    Group(Vec<Chain>),
    /// Which of them a shell minds is an option of its own.
    Piped(Vec<Unit>),
}

impl Chain {
    /// What runs next if unit `at` fails.
    fn after_failure(&self, at: usize) -> Option<usize> {
        let next = self.ands[at..].iter().position(|is_and| !is_and)?;
        Some(at + next + 1)
    }

    /// Whether the chain has failed when unit `at` has; `by_itself` where a shell that stops at
    /// failures minds the last unit alone.
    fn ends_with(&self, at: usize, by_itself: bool) -> bool {
        match self.after_failure(at) {
            Some(next) => self.units[next].fails_anyway(),
            None => !by_itself || at + 1 == self.units.len(),
        }
    }

    /// Whether the whole text is left when unit `at` fails: `a || exit 1`.
    fn leaves_after(&self, at: usize) -> bool {
        let next = self.after_failure(at);
        next.is_some_and(|next| self.units[next].leaves())
    }
}

impl Unit {
    /// Whether it always fails, as what stands behind `||` to say why.
    fn fails_anyway(&self) -> bool {
        self.leaves() || self.is_last(|words| words == ["false"])
    }

    fn leaves(&self) -> bool {
        self.is_last(|words| {
            let is_way_out = matches!(words[0].as_str(), "exit" | "return");
            is_way_out && words.get(1).is_none_or(|code| code != "0")
        })
    }

    fn is_last(&self, is_it: fn(&[String]) -> bool) -> bool {
        match self {
            Self::Simple(words) => is_it(words),
            Self::Group(list) => {
                let last = list.last().and_then(|chain| chain.units.last());
                last.is_some_and(|unit| unit.is_last(is_it))
            }
            Self::Piped(_) => false,
        }
    }
}

/// Whether the option makes a shell stop at the first failure.
fn is_stop(word: &str) -> bool {
    let cluster = word.strip_prefix('-').filter(|word| !word.starts_with('-'));
    cluster.is_some_and(|letters| letters.contains('e')) || word == "errexit"
}

fn sets_stop(unit: &Unit) -> bool {
    matches!(unit, Unit::Simple(words) if words[0] == "set" && words.iter().any(|word| is_stop(word)))
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    And,
    Or,
    Pipe,
    /// What ends a chain.
    Next,
    Open,
    Close,
}

/// The chains up to the end of the group; `None` if they are more than that.
fn list(rest: &mut &[Token], depth: usize) -> Option<Vec<Chain>> {
    let mut chains = Vec::new();
    if depth == DEPTH_MAX {
        return None;
    }
    loop {
        match rest.first() {
            None | Some(Token::Close) => return Some(chains),
            Some(Token::Next) => *rest = &rest[1..],
            Some(_) => chains.push(chain(rest, depth)?),
        }
    }
}

fn chain(rest: &mut &[Token], depth: usize) -> Option<Chain> {
    let (mut units, mut ands) = (vec![pipeline(rest, depth)?], Vec::new());
    while let Some(joined @ (Token::And | Token::Or)) = rest.first() {
        ands.push(*joined == Token::And);
        *rest = &rest[1..];
        while let Some(Token::Next) = rest.first() {
            *rest = &rest[1..];
        }
        units.push(pipeline(rest, depth)?);
    }
    // What leaves without a condition may speak for all that ran before.
    let leaves_always = depth == 0 && units.len() == 1 && units[0].leaves();
    (!leaves_always).then_some(Chain { units, ands })
}

fn pipeline(rest: &mut &[Token], depth: usize) -> Option<Unit> {
    let mut units = vec![unit(rest, depth)?];
    while let Some(Token::Pipe) = rest.first() {
        *rest = &rest[1..];
        units.push(unit(rest, depth)?);
    }
    match units.len() {
        1 => units.pop(),
        _ => Some(Unit::Piped(units)),
    }
}

fn unit(rest: &mut &[Token], depth: usize) -> Option<Unit> {
    if let Some(Token::Open) = rest.first() {
        *rest = &rest[1..];
        let inner = list(rest, depth + 1)?;
        *rest = rest.strip_prefix(&[Token::Close])?;
        return Some(Unit::Group(inner));
    }
    let is_word = |token: &&Token| matches!(token, Token::Word(_));
    let count = rest.iter().take_while(is_word).count();
    let (words, after) = rest.split_at(count);
    let words = words.iter().filter_map(|token| match token {
        Token::Word(word) => Some(word.clone()),
        _ => None,
    });
    let words: Vec<String> = words.collect();
    let first = words.first()?;
    *rest = after;
    let is_unread = first == "!" || UNREAD.contains(&first.as_str());
    (!is_unread).then_some(Unit::Simple(words))
}

/// The pieces of `text`; `None` if a shell would make others of them.
fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut made: Vec<Token> = Vec::new();
    let mut word: Option<String> = None;
    let text = text.replace("\\\n", " ");
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' => end_word(&mut made, &mut word),
            '\'' | '"' => {
                let inside: String = rest.by_ref().take_while(|next| *next != c).collect();
                let is_made = inside.contains(['`', '\\']) || inside.contains("$(");
                if c == '"' && (is_made || inside.contains("$?")) {
                    return None;
                }
                word.get_or_insert_default().push_str(&inside);
            }
            '\\' => word.get_or_insert_default().extend(rest.next()),
            '`' => return None,
            '$' if matches!(rest.peek(), Some('(' | '?')) => return None,
            '<' if rest.peek() == Some(&'<') => return None,
            '>' | '<' => redirected(&mut rest, &mut word)?,
            '&' if rest.peek() == Some(&'>') => end_word(&mut made, &mut word),
            '#' if word.is_none() => while rest.next_if(|next| *next != '\n').is_some() {},
            ';' | '\n' | '&' | '|' | '(' | ')' => {
                end_word(&mut made, &mut word);
                let is_double = matches!(c, '&' | '|') && rest.next_if_eq(&c).is_some();
                made.push(match (c, is_double) {
                    ('&', true) => Token::And,
                    // What runs beside the rest.
                    ('&', false) => return None,
                    ('|', true) => Token::Or,
                    ('|', false) => Token::Pipe,
                    ('(', _) => Token::Open,
                    (')', _) => Token::Close,
                    _ => Token::Next,
                });
            }
            _ => word.get_or_insert_default().push(c),
        }
    }
    end_word(&mut made, &mut word);
    Some(made)
}

/// Ends `word`, which may be a bracket where a command begins.
fn end_word(made: &mut Vec<Token>, word: &mut Option<String>) {
    let Some(word) = word.take() else { return };
    let begins = !matches!(made.last(), Some(Token::Word(_) | Token::Close));
    made.push(match word.as_str() {
        "{" if begins => Token::Open,
        "}" if begins => Token::Close,
        _ => Token::Word(word),
    });
}

/// Steps over a redirection and where it leads.
fn redirected(
    rest: &mut std::iter::Peekable<std::str::Chars<'_>>,
    word: &mut Option<String>,
) -> Option<()> {
    word.take_if(|word| word.chars().all(|c| c.is_ascii_digit()));
    while rest
        .next_if(|c| matches!(c, '>' | '&' | ' ' | '\t' | '|'))
        .is_some()
    {}
    // A file whose name is quoted may hold anything.
    let mut quote = None;
    while let Some(&c) = rest.peek() {
        match quote {
            Some(open) if c == open => quote = None,
            None if matches!(c, '\'' | '"') => quote = Some(c),
            None if c.is_whitespace() || ";&|()<>".contains(c) => break,
            _ => {}
        }
        rest.next();
    }
    quote.is_none().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asserts which commands decide and which pass; "?" where it is not known.
    fn check_with(options: &[&str], text: &str, decide: &str, pass: &str) {
        let mut argv = vec!["bash".to_owned()];
        argv.extend(options.iter().map(|option| (*option).to_owned()));
        argv.push(text.to_owned());
        let told = |commands: &[Vec<String>]| {
            let commands: Vec<_> = commands.iter().map(|words| words.join(" ")).collect();
            commands.join(", ")
        };
        let made = Ending::of(&argv);
        let found = match &made {
            Some(made) => (told(&made.decide), told(&made.pass)),
            None => ("?".to_owned(), String::new()),
        };
        assert_eq!(found, (decide.to_owned(), pass.to_owned()), "{text}");
    }

    fn check(text: &str, decide: &str, pass: &str) {
        check_with(&["-c"], text, decide, pass);
    }

    #[test]
    fn the_last_of_a_list_decides_and_what_a_chain_does_not_excuse() {
        check("a", "a", "");
        check("a x; b 'y z'", "b y z", "a x");
        check("a\nb\n", "b", "a");
        check("a && b", "a, b", "");
        check("a || true; b", "b", "a, true");
        check("a || b", "b", "a");
        check("a && b || c", "c", "a, b");
        check("a || exit 1; b", "a, b", "exit 1");
        check("a || { echo no; exit 1; }; b", "a, b", "echo no, exit 1");
        check("a || false", "a, false", "");
        check("(a; b) && c", "b, c", "a");
        check("a >log 2>&1; b &>x", "b", "a");
        check("a | tee log; b", "b", "a, tee log");
        check("a; b | tee log", "b, tee log", "a");
        check("a # why; not\nb", "b", "a");
    }

    #[test]
    fn a_shell_that_stops_at_failures_minds_each_chain() {
        check("set -e; a; b", "set -e, a, b", "");
        check_with(&["-ec"], "a; b", "a, b", "");
        check_with(&["-e", "-c"], "a || true; b", "true, b", "a");
        check_with(&["-ec"], "a && b; c", "b, c", "a");
    }

    #[test]
    fn what_only_a_shell_can_tell_is_not_said() {
        for text in [
            "a; exit $?",
            "a; rc=$?; b; exit $rc",
            "a; exit 1",
            "if a; then b; fi",
            "for x in a; do b; done",
            "a & b; wait",
            "! a; b",
            "a; b $(c)",
            "a; b `c`",
            "(a; b",
            "trap a EXIT; b",
        ] {
            check(text, "?", "");
        }
        assert_eq!(Ending::of(&["black".to_owned(), ".".to_owned()]), None);
    }
}
