//! Commands as a person would type them.

use auto_recovery::audit::session_id::short;
use auto_recovery::wording::shell_word;

/// `words` as one line that a shell would read back as the same words.
pub(crate) fn shell_words<S: AsRef<str>>(words: &[S]) -> String {
    let mut line = String::new();
    for word in words {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&quoted(word.as_ref()));
    }
    line
}

fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_=./:,@%+^".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The id of `session` as people see it.
pub(crate) fn session_word(session: &str) -> String {
    shell_word(short(session))
}

/// The same as the last words of a command. One that begins like an option stands behind `--`.
pub(crate) fn session_argument(session: &str) -> String {
    let word = session_word(session);
    match short(session).starts_with('-') {
        true => format!("-- {word}"),
        false => word,
    }
}

#[cfg(test)]
mod tests {
    use super::session_argument;

    #[test]
    fn an_id_that_begins_like_an_option_stands_behind_two_dashes() {
        assert_eq!(session_argument("build-7"), "build-7");
        assert_eq!(session_argument("a b"), "'a b'");
        assert_eq!(session_argument("-x"), "-- -x");
        assert_eq!(session_argument("--all"), "-- --all");
    }
}
