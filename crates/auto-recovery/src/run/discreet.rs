//! What a run keeps and tells of its command and of the failure, without its secrets.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::audit::redact_failure;
use crate::failure::Failure;
use crate::integrity::hex;
use crate::process::Completion;
use crate::redaction::without_marks;
use crate::run::runner::Runner;
use crate::run::state::masked_output::masked;

/// Bytes of the hash that stands for a command that is encrypted.
const HASH_BYTES: usize = 8;

impl Runner {
    /// What a run wrote, without its secrets.
    pub(super) fn masked(&self, ran: &Completion) -> Arc<[u8]> {
        ran.capture.text(|capture| masked(capture, &self.redactor))
    }

    /// Removes what told strategy commands of the command as it is, if that has secrets: nobody
    /// needs it any more.
    pub(super) fn forget_argv(&self) {
        let words = self.request.words();
        if let Some(outputs) = self.outputs() {
            outputs.forget_given();
        }
        if self.redactor.redact_words(&words) != words
            && let Some(outputs) = self.outputs()
        {
            outputs.remove_own("context", "json");
        }
    }

    /// The command without its secrets, the same in each session: for files that runs share.
    pub(super) fn shared_words(&self) -> Vec<String> {
        let words = self.redactor.redact_words(&self.request.words());
        let words = words.iter().map(|word| without_marks(word).into_owned());
        let words: Vec<String> = words.collect();
        match self.request.masking.encryption {
            None => words,
            // Those files must be equal for equal commands, and say no more.
            Some(_) => vec!["(encrypted)".to_owned(), hash_of(&words)],
        }
    }

    /// `failure` without its secrets.
    pub(super) fn redacted(&self, failure: &Failure) -> Failure {
        let mut failure = failure.clone();
        redact_failure(&mut failure, &self.redactor);
        failure
    }

    /// `failure` as strategy commands are told of it.
    pub(super) fn for_helpers(&self, failure: &Failure) -> Failure {
        match self.request.masking.real_for_fixers {
            true => failure.clone(),
            false => self.redacted(failure),
        }
    }
}

/// The beginning of a hash of `words`.
fn hash_of(words: &[String]) -> String {
    let hash = Sha256::digest(words.join("\0"));
    hex(&hash[..HASH_BYTES])
}
