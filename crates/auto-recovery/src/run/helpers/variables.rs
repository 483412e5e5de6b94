//! What strategy commands are told: a failure as data, in variables and files.
//!
//! Failure text comes from a program nobody controls. It is never put into a command line;
//! variables hold at most [`VALUE_BYTES_MAX`] of it, and the files hold all.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use crate::strategy::Call;

/// What stands around a call: the same for all calls that face one failure.
pub(in crate::run) struct Around<'a> {
    /// The command that failed.
    pub(in crate::run) argv: &'a [OsString],
    /// How it ended, as a shell reports it; `None` where that is not known.
    pub(in crate::run) exit_code: Option<i32>,
    /// The root of the workspace.
    pub(in crate::run) workspace: &'a Path,
    /// The output that shows the failure.
    pub(in crate::run) output_file: &'a Path,
    /// The failure.
    pub(in crate::run) failure_file: &'a Path,
}

/// The longest value of a variable: 8 KiB. An environment of more than about 128 KiB a value, or a
/// few MiB in all, keeps a program from starting.
pub const VALUE_BYTES_MAX: usize = 8 * 1024;

/// The variable by which a run knows that it happens inside a recovery.
pub const SESSION_VARIABLE: &str = "RECOVER_SESSION_ID";

/// The variables of a strategy command.
pub(in crate::run) fn variables(call: &Call<'_>, around: &Around<'_>) -> Vec<(OsString, OsString)> {
    let failure = call.failure;
    let number = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
    let text = |value: &str| cut(value.as_bytes());
    let path = |path: &Path| cut(path.as_os_str().as_bytes());
    let exit_code = around.exit_code.map(|code| code.to_string());
    [
        (SESSION_VARIABLE, text(call.session_id.unwrap_or_default())),
        ("RECOVER_ATTEMPT", text(&call.attempt_number.to_string())),
        (
            "RECOVER_STRATEGY_ATTEMPT",
            text(&call.strategy_attempt.to_string()),
        ),
        ("RECOVER_MAX_ATTEMPTS", text(&call.max_attempts.to_string())),
        ("RECOVER_STRATEGY", text(call.strategy.as_str())),
        ("RECOVER_CATEGORY", text(call.category.as_str())),
        ("RECOVER_ERROR_TYPE", text(&failure.error_type)),
        ("RECOVER_ERROR_MESSAGE", text(&failure.message)),
        (
            "RECOVER_FILE",
            text(failure.file_path.as_deref().unwrap_or_default()),
        ),
        ("RECOVER_LINE", text(&number(failure.line_number))),
        ("RECOVER_COMMAND", command(around.argv)),
        ("RECOVER_EXIT_CODE", text(&exit_code.unwrap_or_default())),
        ("RECOVER_WORKSPACE", path(around.workspace)),
        ("RECOVER_OUTPUT", path(around.output_file)),
        ("RECOVER_FAILURE_JSON", path(around.failure_file)),
    ]
    .map(|(name, value)| (name.into(), value))
    .to_vec()
}

/// `argv` for a shell, byte for byte. Half of it would be another command, so what does not fit is
/// not given at all.
fn command(argv: &[OsString]) -> OsString {
    let words: Vec<_> = argv.iter().map(|word| quoted(word.as_bytes())).collect();
    let command = words.join(&b' ');
    match command.len() <= VALUE_BYTES_MAX {
        true => OsString::from_vec(command),
        false => OsString::new(),
    }
}

/// `word` as a shell reads it back. `=` makes an assignment of a first word.
fn quoted(word: &[u8]) -> Vec<u8> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./:@%+,".contains(byte);
    if !word.is_empty() && word.iter().all(is_plain) {
        return word.to_vec();
    }
    let parts: Vec<_> = word.split(|byte| *byte == b'\'').collect();
    [&b"'"[..], &parts.join(&br"'\''"[..]), b"'"].concat()
}

/// `value` as a variable can hold it: at most [`VALUE_BYTES_MAX`], cut at a character, without the
/// NUL that would end it.
fn cut(value: &[u8]) -> OsString {
    let mut end = value.len().min(VALUE_BYTES_MAX);
    while end < value.len() && end > 0 && (value[end] & 0b1100_0000) == 0b1000_0000 {
        end -= 1;
    }
    OsString::from_vec(
        value[..end]
            .iter()
            .copied()
            .filter(|byte| *byte != 0)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Category, Context, Failure};
    use crate::strategy::RecoveryStrategyType;

    #[test]
    fn hostile_text_is_cut_and_can_start_a_process() {
        let failure = Failure::new("T\0ype", "é".repeat(VALUE_BYTES_MAX), "tool");
        let context = Context::new();
        let call = Call {
            failure: &failure,
            category: Category::Unknown,
            context: &context,
            session_id: Some("s"),
            attempt_number: 4,
            strategy_attempt: 1,
            max_attempts: 3,
            strategy: &RecoveryStrategyType::Fix,
            time_left: None,
        };
        let around = Around {
            argv: &["grep".into(), "it's".into(), "A=1".into(), "".into()],
            exit_code: Some(2),
            workspace: Path::new("/w"),
            output_file: Path::new("/o"),
            failure_file: Path::new("/f"),
        };
        let given = variables(&call, &around);
        let value = |name: &str| {
            let found = given.iter().find(|(own, _)| own == name).unwrap();
            found.1.clone().into_string().unwrap()
        };
        assert_eq!(value("RECOVER_ERROR_TYPE"), "Type");
        assert_eq!(
            value("RECOVER_ERROR_MESSAGE"),
            "é".repeat(VALUE_BYTES_MAX / 2)
        );
        assert_eq!(value("RECOVER_ATTEMPT"), "4");
        assert_eq!(value("RECOVER_LINE"), "");
        assert_eq!(value("RECOVER_COMMAND"), r"grep 'it'\''s' 'A=1' ''");
        assert_eq!(value("RECOVER_EXIT_CODE"), "2");
        assert_eq!(value("RECOVER_WORKSPACE"), "/w");
    }

    #[test]
    fn a_command_that_does_not_fit_is_not_given_in_part() {
        let long = OsString::from("x y".repeat(VALUE_BYTES_MAX / 3));
        assert_eq!(command(&["rm".into(), long]), "");
        let bytes = OsString::from_vec(b"\xff'".to_vec());
        assert_eq!(command(&[bytes]).as_bytes(), b"'\xff'\\'''");
    }
}
