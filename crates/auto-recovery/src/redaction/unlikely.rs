//! What stands where a secret could, and is none: placeholders, references, plain words.

/// Words that people write in the place of a secret, and values of many variables.
const WORDS: &[&str] = &[
    "admin",
    "anonymous",
    "changeit",
    "changeme",
    "default",
    "development",
    "disabled",
    "enabled",
    "example",
    "false",
    "hidden",
    "localhost",
    "masked",
    "none",
    "null",
    "optional",
    "passphrase",
    "passwd",
    "password",
    "postgres",
    "production",
    "prompt",
    "redacted",
    "required",
    "root",
    "secret",
    "staging",
    "string",
    "testing",
    "token",
    "true",
    "undefined",
    "username",
    "value",
    "[filtered]",
    "[hidden]",
    "[masked]",
    "[redacted]",
    "[secret]",
];

/// What names in code and references begin with.
const REFERENCES: &[&str] = &[
    "$",
    "<",
    "{",
    "%(",
    "process.env",
    "os.environ",
    "os.getenv",
    "env.",
    "env:",
    "env!",
    "getenv",
    "secrets.",
    "vault:",
    "file:",
    "config.",
    "settings.",
    "projects/",
    "self.",
    "this.",
    "var.",
    "./",
    "../",
    "~/",
    "@/",
    "your",
    "&str",
    "string::",
    "option<",
];

/// The shortest mix of small letters and capitals that no name is.
const MIXED_LENGTH_MIN: usize = 12;

/// Whether `value` is what people write where a secret would stand, such as `xxxxxx`, or an example
/// of documentation.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    let mut kinds = [false; 256];
    value
        .iter()
        .for_each(|byte| kinds[usize::from(*byte)] = true);
    let different = kinds.iter().filter(|is_there| **is_there).count();
    different <= 2 || memchr::memmem::find(value, b"EXAMPLE").is_some() || is_word(value)
}

/// Whether `value` is one of the words that are never secret, in any case.
pub(super) fn is_word(value: &[u8]) -> bool {
    let value = value.strip_suffix(b".").unwrap_or(value);
    let is_it = |word: &&str| value.eq_ignore_ascii_case(word.as_bytes());
    WORDS.iter().any(is_it)
}

/// Whether `value` says where a value is, and is none itself.
pub(super) fn is_reference(value: &[u8]) -> bool {
    let begins = |with: &&str| {
        value.len() >= with.len() && value[..with.len()].eq_ignore_ascii_case(with.as_bytes())
    };
    let is_upper = |byte: &u8| byte.is_ascii_uppercase() || *byte == b'_';
    let is_name = value.iter().all(is_upper)
        && ["PASS", "TOKEN", "SECRET", "KEY", "YOUR"]
            .iter()
            .any(|word| memchr::memmem::find(value, word.as_bytes()).is_some());
    let is_number = value.len() < 8 && value.iter().all(u8::is_ascii_digit);
    is_name || is_number || is_path(value) || REFERENCES.iter().any(begins)
}

/// Whether `value` reads as the path of a file.
pub(super) fn is_path(value: &[u8]) -> bool {
    let starts = [&b"/"[..], b"./", b"../", b"~/"];
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-~@ :,".contains(byte);
    starts.iter().any(|start| value.starts_with(start))
        && value.iter().all(is_part)
        && value[1..].iter().any(u8::is_ascii_lowercase)
}

/// Whether `value` is a plain word, a name or a number: no letter beside a digit or a sign, and no
/// long mix of small letters and capitals.
pub(super) fn is_weak(value: &[u8]) -> bool {
    let count = |is_it: fn(&u8) -> bool| value.iter().filter(|byte| is_it(byte)).count();
    let (small, capital) = (count(u8::is_ascii_lowercase), count(u8::is_ascii_uppercase));
    let rises = |pair: &&[u8]| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase();
    let is_mixed = value.len() >= MIXED_LENGTH_MIN && small.min(capital) * 3 >= value.len();
    if is_mixed && value.windows(2).filter(rises).count() >= 2 {
        return false;
    }
    let has_letter = small + capital > 0;
    let is_odd = |byte: &u8| byte.is_ascii_digit() || b"!#%^*+=~@".contains(byte);
    !has_letter || !value.iter().any(is_odd)
}

#[cfg(test)]
mod tests {
    use super::{is_path, is_placeholder, is_reference, is_weak};

    #[test]
    fn what_stands_for_a_secret_is_none() {
        for value in [
            "xxxxxxxx",
            "********",
            "password",
            "True",
            "AAAAEXAMPLE1",
            "",
        ] {
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
        for value in [
            "$TOKEN",
            "<token>",
            "process.env.X",
            "/run/secrets/key",
            "MY_TOKEN",
            "4096",
        ] {
            assert!(is_reference(value.as_bytes()), "{value}");
        }
        for value in ["identifier", "128000", "some_name", "a-b.c"] {
            assert!(is_weak(value.as_bytes()), "{value}");
        }
        for value in ["hunter2", "correct+horse", "a1b2c3d4"] {
            let value = value.as_bytes();
            assert!(!is_placeholder(value) && !is_reference(value) && !is_weak(value));
        }
        assert!(is_path(b"~/.ssh/id") && !is_path(b"/AB+9="));
    }
}
