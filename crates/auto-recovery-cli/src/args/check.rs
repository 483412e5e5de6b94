//! What a word on the command line must be, told before anything is done with it.

use std::path::Path;

use auto_recovery::audit::session_id;
use auto_recovery::encryption::Recipient;
use auto_recovery::integrity::ShortSeal;

/// The session id that `text` is.
///
/// # Errors
/// What is wrong with it and what would be right.
pub(crate) fn session(text: &str) -> Result<String, String> {
    match session_id::encode(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The recipient that `text` names.
///
/// # Errors
/// Why it names none.
pub(crate) fn recipient(text: &str) -> Result<Recipient, String> {
    Recipient::parse(text).map_err(|refused| refused.to_string())
}

/// The short form of a seal, or the name of a file of seals that is there.
///
/// # Errors
/// If it is neither: a name that was mistyped is no finding.
pub(crate) fn kept_seal(text: &str) -> Result<String, String> {
    let (size, _) = text.split_once(':').unwrap_or_default();
    let is_short = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_digit());
    match (is_short, text.parse::<ShortSeal>()) {
        // Of nothing every store has the same.
        (true, Ok(seal)) if seal.size == 0 => Err("it seals nothing: no record".to_owned()),
        (true, Err(_)) => Err("a seal is N: and at least 16 hex digits".to_owned()),
        (false, _) if text != "-" && !Path::new(text).exists() => {
            Err("there is no such file, and a seal is N: and 16 hex digits".to_owned())
        }
        _ => Ok(text.to_owned()),
    }
}

/// The text for `sh -c` that `text` is. An empty one exits with 0, so as an alternative it would be
/// a cure: what an unset variable in quotes makes of every failure.
///
/// # Errors
/// If there is nothing in it.
pub(crate) fn command_text(text: &str) -> Result<String, String> {
    match text.trim().is_empty() {
        true => Err("there is no command in it: is a variable unset?".to_owned()),
        false => Ok(text.to_owned()),
    }
}

/// The name of a variable of the environment that `text` is.
///
/// # Errors
/// If there can be none of it.
pub(crate) fn variable(text: &str) -> Result<String, String> {
    match text.is_empty() || text.contains(['=', '\0']) {
        true => Err("no variable can be called that: give its name alone, as PIN".to_owned()),
        false => Ok(text.to_owned()),
    }
}

/// The name of a chain that `text` is.
///
/// # Errors
/// If it is none.
pub(crate) fn chain(text: &str) -> Result<String, String> {
    let text = text.to_ascii_lowercase();
    match text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(text),
        false => Err("a chain has 16 hex digits: `recover key show` prints it".to_owned()),
    }
}

/// The number of journal records that `text` is.
///
/// # Errors
/// If it is none.
pub(crate) fn records(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| {
        "it is the number of records that the witness signed last, 0 if it signed none".to_owned()
    })
}

/// The reason that `text` is.
///
/// # Errors
/// If there is nothing in it.
pub(crate) fn reason(text: &str) -> Result<String, String> {
    match text.trim().is_empty() {
        true => Err("say why, for those who verify later".to_owned()),
        false => Ok(text.to_owned()),
    }
}

/// The label that `text` is.
///
/// # Errors
/// If it is empty, long, or has control characters.
pub(crate) fn label(text: &str) -> Result<String, String> {
    /// Most characters of a label: a line of a list has room for them.
    const CHARS_MAX: usize = 100;

    let is_label = !text.trim().is_empty()
        && text.chars().count() <= CHARS_MAX
        && !text.chars().any(char::is_control);
    match is_label {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "a label has 1 to {CHARS_MAX} characters, and no control characters"
        )),
    }
}

/// The server at the URL `text`.
#[cfg(feature = "remote")]
pub(super) fn server(text: &str) -> Result<auto_recovery_remote::Address, String> {
    auto_recovery_remote::Address::parse(text).map_err(|error| error.chain())
}
