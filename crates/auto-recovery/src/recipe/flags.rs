//! Leaving flags out of a command, with their values and in every spelling.

use super::Recipe;

/// How a word gives a flag.
#[derive(Debug, PartialEq, Eq)]
enum Spelling<'a> {
    /// The value is the next word, if it has one.
    Alone,
    /// The value is in the same word: `-Dx`, `--deny=x`.
    With(&'a str),
}

/// `words` without the flags that `recipe` leaves out, and with those that it gives in place of
/// others.
pub(super) fn mended(words: &[String], recipe: &Recipe) -> Vec<String> {
    let mut made = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let spelled = |flag: &String| spelling(word, flag);
        let instead = recipe
            .instead
            .iter()
            .find_map(|(flag, other)| Some((spelled(flag)?, other)));
        if recipe.drop.iter().any(|flag| is_flag(word, flag)) {
            continue;
        } else if let Some(spelled) = recipe.drop_valued.iter().find_map(spelled) {
            if spelled == Spelling::Alone {
                rest.next();
            }
        } else if let Some((spelled, other)) = instead {
            let value = match spelled {
                Spelling::With(value) => Some(value.to_owned()),
                Spelling::Alone => rest.next().cloned(),
            };
            made.extend(value.into_iter().flat_map(|value| [other.clone(), value]));
        } else {
            made.push(word.clone());
        }
    }
    made
}

/// Whether `word` is `flag`, which takes no value or one behind `=`.
pub(super) fn is_flag(word: &str, flag: &str) -> bool {
    let is_long = flag.starts_with('-') && flag.len() > 2;
    word.strip_prefix(flag)
        .is_some_and(|rest| rest.is_empty() || (is_long && rest.starts_with('=')))
}

/// How `word` spells `flag`, which takes a value.
fn spelling<'a>(word: &'a str, flag: &str) -> Option<Spelling<'a>> {
    let rest = word.strip_prefix(flag)?;
    match rest.strip_prefix('=') {
        Some(value) => Some(Spelling::With(value)),
        None if rest.is_empty() => Some(Spelling::Alone),
        None => (flag.len() == 2).then_some(Spelling::With(rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_goes_with_its_value_in_every_spelling() {
        let words = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        let recipe = Recipe {
            drop: words("--check -diff"),
            drop_valued: words("-o --output"),
            instead: vec![
                ("-D".into(), "-W".into()),
                ("--deny".into(), "--warn".into()),
            ],
            ..Recipe::default()
        };
        for (given, expected) in [
            ("a --check b", "a b"),
            ("a --check=yes b", "a b"),
            ("a -diff=true --checks b", "a --checks b"),
            ("a -o x b", "a b"),
            ("a -ox b", "a b"),
            ("a -o=x b", "a b"),
            ("a --output x b", "a b"),
            ("a --output=x --outputs b", "a --outputs b"),
            ("a b -o", "a b"),
            ("a -D x b", "a -W x b"),
            ("a -Dx -D=y b", "a -W x -W y b"),
            ("a --deny x --deny=y b", "a --warn x --warn y b"),
        ] {
            assert_eq!(mended(&words(given), &recipe), words(expected), "{given}");
        }
    }
}
