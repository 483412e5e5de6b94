//! The file of `RECOVER_CONTEXT_JSON`: everything known of the failure that a command must mend.
//!
//! One JSON object. `version` is 1 while no field is removed or changes its meaning; readers ignore
//! unknown fields. Texts are cut at a character, lists at whole items, and omitted items are
//! counted: the file stays below [`BRIEFING_BYTES_MAX`].

use std::borrow::Cow;
use std::path::PathBuf;

use serde::Serialize;

use crate::failure::{Category, Context, Failure};
use crate::redaction::Redactor;

/// The version of the shape.
pub(super) const VERSION: u32 = 1;

/// Earlier tries in the file, the newest; a reader needs no more.
pub(super) const TRIES_MAX: usize = 16;

/// Paths of each list.
const PATHS_MAX: usize = 64;

/// Bytes of a text: a message, a path, a verdict.
const TEXT_BYTES_MAX: usize = 8 * 1024;

/// Bytes of a path.
const PATH_BYTES_MAX: usize = 1024;

/// Bytes of a failure's stack trace and, as JSON, of its context; its own file has all of both.
const DETAIL_BYTES_MAX: usize = 16 * 1024;

/// Words of the command, and bytes of all of them; the user knows what was typed.
const ARGV_BYTES_MAX: usize = 64 * 1024;

/// The largest file: 16 tries of 64 paths of a KiB and some texts are 1.6 MiB, JSON escapes at most
/// sixfold, and the rest is below 1 MiB.
#[cfg(test)]
const BRIEFING_BYTES_MAX: usize = 12 << 20;

/// The briefing of a command.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Briefing {
    pub(super) version: u32,
    pub(super) session_id: Option<String>,
    /// The command that failed, word by word; invalid UTF-8 is replaced.
    pub(super) argv: Vec<String>,
    pub(super) cwd: String,
    pub(super) workspace: String,
    /// The strategy that is tried, and its action.
    pub(super) strategy: String,
    pub(super) action: String,
    /// Number of this try of the strategy, number of its tries, and number of the session's
    /// attempt.
    pub(super) attempt: u32,
    pub(super) of: u32,
    pub(super) attempt_number: u64,
    pub(super) time_left_seconds: Option<f64>,
    /// Globs, from the root of the workspace, for paths that no attempt may change.
    pub(super) protected: Vec<String>,
    /// The worst effect that a built-in recipe may have.
    pub(super) allow: String,
    pub(super) category: Category,
    pub(super) rule: String,
    pub(super) failure: Failure,
    /// The end of the command, as a shell reports it.
    pub(super) exit_code: Option<i32>,
    pub(super) timed_out: bool,
    pub(super) output: Output,
    /// `None` if no good tree is known.
    pub(super) changed_since_good: Option<SinceGood>,
    /// Earlier tries of this run, oldest first.
    pub(super) attempts: Vec<Try>,
    /// Number of earlier tries that are left out.
    pub(super) attempts_left_out: u64,
}

/// The command's output.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Output {
    /// The file with the kept output.
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    /// The lines around the error.
    pub(super) excerpt: String,
}

/// The changes since the tree was last good.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SinceGood {
    pub(super) checkpoint: String,
    /// The time at which it was good.
    pub(super) at: String,
    pub(super) patch: Patch,
}

/// An earlier try.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Try {
    pub(super) attempt_number: u64,
    pub(super) strategy: String,
    pub(super) action: String,
    pub(super) files_modified: Vec<String>,
    /// Its changes; `None` if there are none, or none are known.
    pub(super) patch: Option<Patch>,
    /// The failure after it.
    pub(super) failed_with: Option<Failed>,
    /// The reason why it was no cure, in words.
    pub(super) verdict: String,
    pub(super) undone: bool,
    /// Set if this try builds upon its changes.
    pub(super) kept: bool,
    /// The output of it and of its verification.
    pub(super) output: Option<String>,
}

/// A failure, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Failed {
    pub(super) error_type: String,
    pub(super) message: String,
    pub(super) file_path: Option<String>,
    pub(super) line_number: Option<u64>,
}

/// A patch in a file, as `git apply` takes it where it is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Patch {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    /// Set if it was cut at its limit.
    pub(super) cut: bool,
    /// Its beginning, for the prompt.
    #[serde(skip)]
    pub(super) head: Vec<u8>,
}

impl Failed {
    pub(super) fn of(failure: &Failure) -> Self {
        Self {
            error_type: text(&failure.error_type),
            message: text(&failure.message),
            file_path: failure.file_path.as_deref().map(text),
            line_number: failure.line_number,
        }
    }
}

impl Briefing {
    /// Masks the secrets in it, but for the command, which must be run as it is.
    pub(super) fn redact(&mut self, redactor: &Redactor) {
        let mut mask = |text: &mut String| {
            if let Cow::Owned(masked) = redactor.redact_text(text) {
                *text = masked;
            }
        };
        mask(&mut self.action);
        mask(&mut self.output.excerpt);
        for one in &mut self.attempts {
            mask(&mut one.action);
            mask(&mut one.verdict);
            one.files_modified.iter_mut().for_each(&mut mask);
            if let Some(failed) = &mut one.failed_with {
                mask(&mut failed.error_type);
                mask(&mut failed.message);
                failed.file_path.iter_mut().for_each(&mut mask);
            }
        }
    }
}

/// Cuts `failure` to the limits of the file.
pub(super) fn bounded(failure: &Failure) -> Failure {
    let context_bytes = serde_json::to_string(&failure.context).map_or(0, |json| json.len());
    Failure {
        error_type: text(&failure.error_type),
        message: text(&failure.message),
        source: text(&failure.source),
        context: match context_bytes <= DETAIL_BYTES_MAX {
            true => failure.context.clone(),
            false => Context::new(),
        },
        stack_trace: failure.stack_trace.as_deref().map(|trace| {
            // The innermost calls are at one of its ends; the message says the rest.
            cut(trace, DETAIL_BYTES_MAX)
        }),
        file_path: failure.file_path.as_deref().map(text),
        line_number: failure.line_number,
    }
}

/// Cuts a text to its limit.
pub(super) fn text(text: &str) -> String {
    cut(text, TEXT_BYTES_MAX)
}

/// Cuts paths to their limit, with the number of the others.
pub(super) fn paths(paths: &[String]) -> Vec<String> {
    let mut told: Vec<_> = paths.iter().take(PATHS_MAX).collect::<Vec<_>>();
    let more = paths.len() - told.len();
    let mut told: Vec<String> = told
        .drain(..)
        .map(|path| cut(path, PATH_BYTES_MAX))
        .collect();
    if more > 0 {
        told.push(format!("… {more} more"));
    }
    told
}

/// Cuts the words of a command to their limit, with the number of the others.
pub(super) fn words(argv: Vec<String>) -> Vec<String> {
    let all = argv.len();
    let mut left = ARGV_BYTES_MAX;
    let mut told = Vec::new();
    for word in argv {
        if word.len() >= left {
            told.push(format!("… {} more", all - told.len()));
            break;
        }
        // One byte for each word beside its own.
        left -= word.len() + 1;
        told.push(word);
    }
    told
}

/// Cuts `text` at a character, with a mark at the cut.
pub(super) fn cut(text: &str, bytes_max: usize) -> String {
    const MARK: &str = " …";
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(bytes_max.saturating_sub(MARK.len()));
    format!("{}{MARK}", &text[..end])
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A briefing in which every text is `text` and every list as long as it may be.
    pub(in crate::run::helpers::told) fn briefing(hostile: &str) -> Briefing {
        let failure = Failure {
            stack_trace: Some(hostile.repeat(20)),
            file_path: Some(hostile.to_owned()),
            ..Failure::new(hostile, hostile.repeat(20), hostile)
        };
        let patch = |path: &str| Patch {
            path: path.into(),
            bytes: 9,
            cut: true,
            head: hostile.repeat(20).into_bytes(),
        };
        let names = vec![hostile.to_owned(); PATHS_MAX + 5];
        let one = |attempt_number| Try {
            attempt_number,
            strategy: "fix".to_owned(),
            action: text(hostile),
            files_modified: paths(&names),
            patch: Some(patch("/try.patch")),
            failed_with: Some(Failed::of(&failure)),
            verdict: text(hostile),
            undone: true,
            kept: false,
            output: Some("/001.log".to_owned()),
        };
        Briefing {
            version: VERSION,
            session_id: Some("s".to_owned()),
            argv: words(vec![hostile.to_owned(); 400]),
            cwd: "/w".to_owned(),
            workspace: "/w".to_owned(),
            strategy: "fix".to_owned(),
            action: text(hostile),
            attempt: 2,
            of: 3,
            attempt_number: 2,
            time_left_seconds: Some(61.5),
            protected: paths(&names),
            allow: "safe".to_owned(),
            category: Category::TestFailure,
            rule: "r".to_owned(),
            failure: bounded(&failure),
            exit_code: Some(1),
            timed_out: false,
            output: Output {
                path: "/failure.log".into(),
                bytes: 10,
                excerpt: hostile.repeat(20),
            },
            changed_since_good: Some(SinceGood {
                checkpoint: "c".to_owned(),
                at: "2026-01-01T00:00:00Z".to_owned(),
                patch: patch("/good.patch"),
            }),
            attempts: (0..TRIES_MAX as u64).map(one).collect(),
            attempts_left_out: 7,
        }
    }

    #[test]
    fn the_largest_file_is_bounded() {
        let mut largest = briefing(&"\u{1}é".repeat(2048));
        largest.output.excerpt = cut(&largest.output.excerpt, 8 * 1024);
        let json = serde_json::to_vec(&largest).unwrap();
        assert!(json.len() <= BRIEFING_BYTES_MAX, "{}", json.len());
        assert_eq!(largest.failure.message.len(), TEXT_BYTES_MAX);
        assert_eq!(largest.attempts[0].files_modified.len(), PATHS_MAX + 1);
        assert_eq!(largest.attempts[0].files_modified[PATHS_MAX], "… 5 more");
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut(&"é".repeat(9), 9), "éé …");
        let told = words(vec![
            "x".repeat(ARGV_BYTES_MAX - 10),
            "y".repeat(20),
            "z".into(),
        ]);
        assert_eq!(told[1..], ["… 2 more"]);
    }
}
