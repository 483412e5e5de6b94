//! The commands of a shell text, in words. Only as good as needed to find paths: nothing is
//! expanded, and nothing is run.

use std::iter::Peekable;
use std::str::Chars;

/// The commands of `text`, each as words without quotes and without redirections.
pub(super) fn commands_of(text: &str) -> Vec<Vec<String>> {
    let mut reader = ShellReader {
        commands: vec![Vec::new()],
        ..ShellReader::default()
    };
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (reader.quote, c) {
            (Some(open), _) if c == open => reader.quote = None,
            (Some('"') | None, '\\') => {
                // A line that goes on.
                if let Some(c) = chars.next().filter(|c| *c != '\n') {
                    reader.has_word = true;
                    reader.word.push(c);
                }
            }
            (Some(_), _) => reader.word.push(c),
            (None, '\'' | '"') => {
                reader.has_word = true;
                reader.quote = Some(c);
            }
            (None, '>' | '<') => {
                let mut operator = String::from(c);
                while let Some(more) = chars.next_if(|c| "<>|&-".contains(*c)) {
                    operator.push(more);
                }
                reader.redirect(&operator);
            }
            (None, '#') if !reader.has_word => while chars.next_if(|c| *c != '\n').is_some() {},
            (None, '\n') => {
                reader.end_command();
                for end in std::mem::take(&mut reader.here_texts) {
                    skip_here_text(&mut chars, &end);
                }
            }
            (None, ';' | '&' | '|' | '(' | ')' | '`') => reader.end_command(),
            (None, c) if c.is_whitespace() => reader.end_word(),
            (None, c) => {
                reader.has_word = true;
                reader.word.push(c);
            }
        }
    }
    reader.end_command();
    reader.commands
}

/// A text of the shell, half read.
#[derive(Default)]
struct ShellReader {
    commands: Vec<Vec<String>>,
    word: String,
    /// Whether a word has begun, perhaps an empty one in quotes.
    has_word: bool,
    quote: Option<char>,
    /// The next word is where a redirection goes to.
    is_target: bool,
    /// The next word ends a text that follows in lines.
    is_here_text: bool,
    here_texts: Vec<String>,
}

impl ShellReader {
    fn end_word(&mut self) {
        if !std::mem::take(&mut self.has_word) {
            return;
        }
        let word = std::mem::take(&mut self.word);
        if std::mem::take(&mut self.is_target) {
            if std::mem::take(&mut self.is_here_text) {
                self.here_texts.push(word);
            }
        } else if let Some(words) = self.commands.last_mut() {
            words.push(word);
        }
    }

    /// A redirection begins; a number right before it is its descriptor.
    fn redirect(&mut self, operator: &str) {
        if self.word.chars().all(|c| c.is_ascii_digit()) {
            self.word.clear();
            self.has_word = false;
        }
        self.end_word();
        self.is_target = true;
        self.is_here_text = matches!(operator, "<<" | "<<-");
    }

    fn end_command(&mut self) {
        self.end_word();
        (self.is_target, self.is_here_text) = (false, false);
        self.commands.push(Vec::new());
    }
}

/// Skips the lines up to the one that is `end`, perhaps after tabs.
fn skip_here_text(chars: &mut Peekable<Chars<'_>>, end: &str) {
    while chars.peek().is_some() {
        let line: String = chars.by_ref().take_while(|c| *c != '\n').collect();
        if line.trim_start_matches('\t') == end {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_a_shell_does() {
        let check = |text: &str, expected: &[&[&str]]| {
            let commands = commands_of(text);
            let commands: Vec<_> = commands.iter().filter(|words| !words.is_empty()).collect();
            assert_eq!(commands, expected, "{text:?}");
        };
        check("a b; c&&d | e", &[&["a", "b"], &["c"], &["d"], &["e"]]);
        check(
            "a 'b c' \"d'e\" f\\ g \"h\\\"i\" ''",
            &[&["a", "b c", "d'e", "f g", "h\"i", ""]],
        );
        check("a >b 2>c >>d >|e <f 2>&1 &>g h", &[&["a"], &["h"]]);
        check("a 3>b c4>d", &[&["a", "c4"]]);
        check("a # b; c\nd#e", &[&["a"], &["d#e"]]);
        check("a <<E - && b\nc\nE\nd", &[&["a", "-"], &["b"], &["d"]]);
        check("a <<-'E' <<F\nb\n\tE\nc\nF\nd", &[&["a"], &["d"]]);
        check("a <<E\nb", &[&["a"]]);
        check("a <<< E\nb", &[&["a"], &["b"]]);
        check("a $(b `c`) \\\n d", &[&["a", "$"], &["b"], &["c"], &["d"]]);
        check("a <(b) >", &[&["a"], &["b"]]);
    }
}
