//! The commands in a text that a shell reads, as far as they are nothing but words. What a
//! substitution, a pattern or a redirection decides is left alone.

use super::place::Place;

/// Commands of one text that are looked at: more than anybody chains.
const COMMANDS_MAX: usize = 64;

/// Words that open a command without being one.
const OPENERS: [&str; 9] = [
    "then", "do", "else", "elif", "if", "while", "until", "!", "{",
];
/// Words that are a shell's own and stand between commands.
const BETWEEN: [&str; 12] = [
    "set", "export", "true", "fi", "done", "}", "for", "esac", "trap", "wait", "umask", ":",
];

/// One command of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Simple {
    /// Its words.
    pub(super) argv: Vec<String>,
    /// Where it runs, seen from where the text does.
    pub(super) place: Place,
}

/// A piece of a text.
enum Token {
    Word(String),
    /// Something that ends a command, and whether what comes next reads from it.
    End {
        into_pipe: bool,
    },
    Open,
    Close,
    /// What only a shell can tell.
    Unclear,
}

/// The commands of `text` that are plain words, in order, with the folder that `cd` led to. A
/// command behind a pipe reads what another wrote, so it is none by itself.
pub(super) fn commands(text: &str) -> Vec<Simple> {
    let mut reader = Reader {
        found: Vec::new(),
        words: Vec::new(),
        is_plain: true,
        behind_pipe: false,
        place: Some(Place::default()),
        outer: Vec::new(),
    };
    for token in tokens(text) {
        if reader.found.len() == COMMANDS_MAX {
            break;
        }
        reader.take(token);
    }
    reader.end();
    reader.found
}

struct Reader {
    found: Vec<Simple>,
    words: Vec<String>,
    is_plain: bool,
    behind_pipe: bool,
    /// `None` once only a shell could tell.
    place: Option<Place>,
    outer: Vec<Option<Place>>,
}

impl Reader {
    fn take(&mut self, token: Token) {
        match token {
            Token::Word(word) => {
                if !(self.words.is_empty() && OPENERS.contains(&word.as_str())) {
                    self.words.push(word);
                }
            }
            Token::Unclear => self.is_plain = false,
            Token::End { into_pipe } => {
                self.end();
                self.behind_pipe = into_pipe;
            }
            Token::Open => {
                self.end();
                self.outer.push(self.place.clone());
            }
            Token::Close => {
                self.end();
                if let Some(place) = self.outer.pop() {
                    self.place = place;
                }
            }
        }
    }

    fn end(&mut self) {
        let words = std::mem::take(&mut self.words);
        let is_plain = std::mem::replace(&mut self.is_plain, true);
        let behind_pipe = std::mem::replace(&mut self.behind_pipe, false);
        let Some(first) = words.first() else { return };
        if matches!(first.as_str(), "cd" | "pushd" | "popd") {
            self.place = match &words[1..] {
                [folder] if is_plain && first != "popd" && !folder.starts_with(['-', '~']) => {
                    self.place.take().map(|place| place.into_folder(folder))
                }
                _ => None,
            };
            return;
        }
        if let Some(place) = &self.place
            && is_plain
            && !behind_pipe
            && !BETWEEN.contains(&first.as_str())
        {
            self.found.push(Simple {
                argv: words,
                place: place.clone(),
            });
        }
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut word: Option<String> = None;
    let text = text.replace("\\\n", " ");
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '>' | '<' => {
                // The number of the stream is no word.
                word.take_if(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
                tokens.extend(word.take().map(Token::Word));
                match redirected(&mut rest, c) {
                    Redirected::ToStream => {}
                    Redirected::ToFile => tokens.push(Token::Unclear),
                    // What follows are lines for the command, and no commands.
                    Redirected::Text => {
                        tokens.push(Token::Unclear);
                        return tokens;
                    }
                }
            }
            '&' if rest.peek() == Some(&'>') => tokens.push(Token::Unclear),
            '#' if word.is_none() => while rest.next_if(|c| *c != '\n').is_some() {},
            ' ' | '\t' => tokens.extend(word.take().map(Token::Word)),
            '"' | '\'' => match quoted(&mut rest, c) {
                Some(inside) => word.get_or_insert_default().push_str(&inside),
                None => tokens.push(Token::Unclear),
            },
            ';' | '\n' | '&' | '|' | '(' | ')' => {
                tokens.extend(word.take().map(Token::Word));
                let is_double = rest.next_if_eq(&c).is_some() && matches!(c, '&' | '|');
                tokens.push(match c {
                    '(' => Token::Open,
                    ')' => Token::Close,
                    _ => Token::End {
                        into_pipe: c == '|' && !is_double,
                    },
                });
            }
            '!' | '{' | '}' if word.is_none() => word = Some(c.to_string()),
            c if c.is_alphanumeric() || "_-./=:@%+,^".contains(c) => {
                word.get_or_insert_default().push(c);
            }
            _ => tokens.push(Token::Unclear),
        }
    }
    tokens.extend(word.map(Token::Word));
    tokens
}

/// Where a stream goes, or comes from.
enum Redirected {
    /// From or to another stream, or nowhere: that changes nothing about what runs.
    ToStream,
    ToFile,
    Text,
}

/// What the redirection is that began with `sign`; takes it but for the name of a file.
fn redirected(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, sign: char) -> Redirected {
    if rest.next_if_eq(&'&').is_some() {
        let mut is_stream = false;
        while rest.next_if(|c| c.is_ascii_digit() || *c == '-').is_some() {
            is_stream = true;
        }
        return match is_stream {
            true => Redirected::ToStream,
            false => Redirected::ToFile,
        };
    }
    let is_double = rest.next_if_eq(&sign).is_some();
    match is_double && sign == '<' && rest.peek() != Some(&'<') {
        true => Redirected::Text,
        false => Redirected::ToFile,
    }
}

/// What stands before the closing `quote`; `None` if a shell would change it, or if there is none.
fn quoted(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, quote: char) -> Option<String> {
    let mut inside = String::new();
    let mut is_closed = false;
    for c in rest.by_ref() {
        if c == quote {
            is_closed = true;
            break;
        }
        inside.push(c);
    }
    let is_changed = quote == '"' && inside.contains(['$', '`', '\\', '!']);
    (is_closed && !is_changed).then_some(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str)]) {
        let here = Place::default();
        let expected: Vec<_> = expected
            .iter()
            .map(|(folders, words)| Simple {
                argv: words.split(' ').map(str::to_owned).collect(),
                place: folders
                    .split_ascii_whitespace()
                    .fold(here.clone(), Place::into_folder),
            })
            .collect();
        assert_eq!(commands(text), expected, "{text}");
    }

    #[test]
    fn a_chain_is_its_commands_and_where_each_of_them_runs() {
        check("ruff check .", &[("", "ruff check .")]);
        check("cd web && eslint src", &[("web", "eslint src")]);
        check(
            "set -e; a b && c || exit 1\nd",
            &[("", "a b"), ("", "c"), ("", "exit 1"), ("", "d")],
        );
        check(
            "(cd web && a); (cd api/x; b); c",
            &[("web", "a"), ("api/x", "b"), ("", "c")],
        );
        check("cd a; cd b && c", &[("a b", "c")]);
        check("if ! a b; then c; fi", &[("", "a b"), ("", "c")]);
        check("a b 2>&1 | tee log", &[("", "a b")]);
        check(
            "a b >&2; c 1>&2 && d 2>&-",
            &[("", "a b"), ("", "c"), ("", "d")],
        );
        check("a 2 >&2", &[("", "a 2")]);
        check("a b # not; this\nc", &[("", "a b"), ("", "c")]);
        check("a \\\n  b", &[("", "a b")]);
    }

    #[test]
    fn what_only_a_shell_can_tell_is_left_alone() {
        for text in [
            "a $X",
            "a \"$X\"",
            "a 'b c",
            "a > b",
            "a *.py",
            "a `b`",
            "a \\b",
            "cd $X && a",
            "cd && a",
            "cd - && a",
            "cd ~/x && a",
            "x | xargs $a",
            "a >& log",
            "a &> log",
            "a 2> /dev/null",
            "a <<END\nb c\nEND",
        ] {
            let found = commands(text);
            assert!(
                found.iter().all(|one| one.argv[0] == "x"),
                "{text}: {found:?}"
            );
        }
        check("for d in a b; do (cd $d && e); done; f", &[("", "f")]);
        check("a $X; b", &[("", "b")]);
    }
}
