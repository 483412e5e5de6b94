//! One attempt: act, look at what changed, verify, keep or undo, record.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Hint, Result};
use crate::exit::shell_code;
use crate::failure::Failure;
use crate::host::new_id;
use crate::manager::Event;
use crate::manager::judged::{Judged, OVERFLOW, join};
use crate::manager::step::{After, RecoveryEnd};
use crate::manager::tree::{Acted, Before, ChangeUnderReview, Proof, Undone, Verified};
use crate::manager::tried::{Aftermath, Confirmation, Times, Tried, Turn, Verdict};
use crate::manager::under_way::Recovering;
use crate::strategy::{Call, Did, HandlerResult, Outcome, RecoveryStrategyType, Verification};

impl<'m> Recovering<'m> {
    /// Makes one attempt and records it; `None` if the tree cannot be kept safe for it.
    pub(super) fn attempt(&mut self, turn: &Turn<'_, '_>) -> Result<Option<Tried>> {
        self.faced = self.current.clone();
        let number = self.parts.next_attempt_number(self.session_id.as_deref())?;
        let before = match self.parts.tree.as_mut().map(|tree| tree.before(number)) {
            Some(Err(error)) if error.kind() == ErrorKind::NoSpace => {
                self.stopped = Some(error.chain());
                return Ok(None);
            }
            Some(before) => before.map_err(|error| self.abandon(error))?,
            None => Before::default(),
        };
        self.note_deed(turn.step, before.fingerprint.as_deref());
        self.attempt_id = new_id("attempt");
        let recorded = self.record_intent(turn, number, &before);
        recorded.map_err(|error| self.abandon(error))?;
        if let (Some(logger), Some(session_id)) = (self.parts.audit_logger, &self.session_id) {
            logger.seal_before_attempt(session_id);
        }
        self.parts.observe(&Event::Attempt {
            strategy: &turn.step.candidate.kind,
            strategy_attempt: turn.strategy_attempt,
            max_attempts: turn.step.candidate.max_attempts,
            ends_early: turn.step.candidate.ends_early,
            action: &turn.step.candidate.action,
            recipe: turn.step.candidate.recipe.as_ref(),
            foreign: &before.foreign,
            left: &before.left,
        });
        let started = self.parts.host.monotonic();
        let tried = self.act_and_settle(turn, number, before, started);
        let tried = tried.map_err(|error| self.abandon(error))?;
        if let Err(error) = self.record_attempt(turn, number, &tried) {
            return Err(if tried.aftermath == Aftermath::Undone {
                error
            } else {
                self.abandon(error)
            });
        }
        if let Some(error) = self.not_put_back.take() {
            return Err(self.abandon(error));
        }
        if tried.verdict.is_cure()
            && let Some(tree) = self.parts.tree.as_mut()
        {
            tree.accept(if tried.verdict == Verdict::StoodIn {
                Proof::StoodIn
            } else {
                Proof::Passed
            })?;
        }
        let span = tried.before.checkpoint.as_deref();
        let span = span.zip(tried.acted.checkpoint.as_deref());
        self.parts.observe(&Event::Tried {
            attempt_number: number,
            strategy: &turn.step.candidate.kind,
            action: &turn.step.candidate.action,
            success: tried.verdict.is_cure(),
            verdict: &tried.decisive,
            failure: tried.failure.as_ref(),
            files_modified: &tried.files_modified,
            undone: tried.aftermath == Aftermath::Undone,
            is_ground: tried.is_ground && tried.aftermath == Aftermath::Kept,
            verification_modified: &tried.verified.files_modified,
            not_covered: &tried.not_covered,
            span,
            output_file: tried.output_file.as_deref(),
        });
        Ok(Some(tried))
    }

    fn act_and_settle(
        &mut self,
        turn: &Turn<'_, '_>,
        number: u64,
        before: Before,
        started: Duration,
    ) -> Result<Tried> {
        let outcome = self.act(turn, number);
        let mut times = Times {
            act: self.since(started),
            ..Times::default()
        };
        let acted = self.acted(&outcome)?;
        let acted_at = self.parts.host.monotonic();
        let mut judged = self.judge(turn, number, &outcome, &acted);
        times.verification = judged.verification.is_some().then(|| self.since(acted_at));
        judged.tell_of_exit(turn.step.candidate.recipe.is_some(), &outcome, &acted);
        let verified = self.look_after(turn, number, &mut judged, &acted)?;
        let verification = judged.verification.unwrap_or_default();
        let exit = shell_code(verification.exit_code, verification.signal);
        self.last_exit = exit.or(self.last_exit);
        let is_retry = turn.step.candidate.kind == RecoveryStrategyType::Retry;
        let mut tried = Tried {
            verdict: Verdict::of(judged.success, outcome.did, is_retry && !self.kept),
            confirmation: Confirmation::None,
            aftermath: Aftermath::AsItIs,
            repeatable: outcome.did.may_differ_next_time(),
            is_ground: false,
            mended_before: outcome.did == Did::FollowedMend,
            message: judged.message,
            decisive: judged.verdict,
            changes_made: outcome.changes_made,
            files_modified: acted.files_modified.clone(),
            before,
            acted,
            verified,
            kept_foreign: Vec::new(),
            not_put_back: Vec::new(),
            holding: Vec::new(),
            moved_aside: Vec::new(),
            not_covered: Vec::new(),
            failure: verification.failure.or(outcome.failure),
            strategy_exit_code: outcome.exit_code,
            exit_code: verification.exit_code,
            signal: verification.signal,
            left_running: [outcome.left_running, verification.left_running].concat(),
            not_ended: outcome.not_ended || verification.not_ended,
            output_file: verification.output_file.or(outcome.output_file),
            times,
            after: After::NextStrategy,
        };
        self.confirm(turn, number, &mut tried)?;
        self.approve(turn, number, &mut tried);
        if tried.failure.is_none() && !tried.verdict.is_cure() {
            tried.failure = Some(self.current.clone());
        }
        self.look_for_ground(turn, &mut tried);
        tried.after = self.after(turn, &mut tried);
        self.settle(turn, &mut tried);
        if tried.verdict.is_cure() || tried.aftermath == Aftermath::Kept {
            self.changed.extend(tried.files_modified.iter().cloned());
        }
        self.not_covered.extend(tried.not_covered.iter().cloned());
        tried.times.all = self.since(started);
        Ok(tried)
    }

    /// What `outcome` changed: as the tree shows it, else as it says itself.
    fn acted(&mut self, outcome: &Outcome) -> Result<Acted> {
        match self.parts.tree.as_mut() {
            Some(tree) => tree.acted(),
            None => Ok(Acted {
                files_modified: outcome.files_modified.clone(),
                ..Acted::default()
            }),
        }
    }

    /// The time from `moment` to now, on the host's monotonic clock.
    fn since(&self, moment: Duration) -> Duration {
        self.parts.host.monotonic().saturating_sub(moment)
    }

    /// Looks at the tree after the verification. What a failed strategy left running is ended
    /// first: what it writes meanwhile is its own, and goes with the rest.
    fn look_after(
        &mut self,
        turn: &Turn<'_, '_>,
        number: u64,
        judged: &mut Judged,
        acted: &Acted,
    ) -> Result<Verified> {
        if acted.overflow.is_some() {
            self.strategy_failed(turn, number);
            return Ok(Verified::default());
        }
        if !judged.success {
            let verified = self.end_and_look(turn, number)?;
            judged.hold_against(&verified);
            return Ok(verified);
        }
        let mut verified = self.look()?;
        judged.hold_against(&verified);
        if !judged.success {
            verified.checkpoint = self.end_and_look(turn, number)?.checkpoint;
        }
        Ok(verified)
    }

    fn end_and_look(&mut self, turn: &Turn<'_, '_>, number: u64) -> Result<Verified> {
        self.strategy_failed(turn, number);
        self.look()
    }

    pub(super) fn look(&mut self) -> Result<Verified> {
        match self.parts.tree.as_mut() {
            Some(tree) => tree.verified(),
            None => Ok(Verified::default()),
        }
    }

    /// Asks the strategy to act. Errors and panics of a handler are outcomes, not ours.
    fn act(&mut self, turn: &Turn<'_, '_>, number: u64) -> Outcome {
        let (failure, session_id) = (self.current.clone(), self.session_id.clone());
        let call = self.call(turn, number, &failure, session_id.as_deref());
        let mut strategy = turn.step.strategy.borrow_mut();
        let result = guarded(|| strategy.act(&call));
        result.unwrap_or_else(|message| Outcome {
            did: Did::Nothing,
            ..Outcome::not_possible(message)
        })
    }

    /// Whether the attempt cured the failure: the verifier's word where there is one.
    fn judge(
        &mut self,
        turn: &Turn<'_, '_>,
        number: u64,
        outcome: &Outcome,
        acted: &Acted,
    ) -> Judged {
        let judged = |success, message: String| Judged {
            success,
            verdict: message.clone(),
            message,
            verification: None,
        };
        if let Some(why) = &acted.overflow {
            return Judged {
                verdict: OVERFLOW.to_owned(),
                ..judged(false, format!("{OVERFLOW}: {why}"))
            };
        }
        if !acted.protected.is_empty() {
            return judged(
                false,
                format!("{} is protected", acted.protected.join(", ")),
            );
        }
        if self.parts.host.is_interrupted() {
            return judged(false, join(&outcome.message, "interrupted"));
        }
        if outcome.not_ended {
            return judged(false, join(&outcome.message, "could not be ended"));
        }
        if !outcome.did.is_verified() {
            return judged(outcome.did.worked(), outcome.message.clone());
        }
        let (failure, session_id) = (self.current.clone(), self.session_id.clone());
        let call = self.call(turn, number, &failure, session_id.as_deref());
        let parts = &mut self.parts;
        let Some(verifier) = parts.verifier.as_mut() else {
            return judged(outcome.did.worked(), outcome.message.clone());
        };
        let verifying = Event::Verifying {
            files_modified: &acted.files_modified,
        };
        if let Some(observer) = parts.observer.as_mut() {
            observer.observe(&verifying);
        }
        match guarded(|| verifier.verify(&call)) {
            Ok(verification) => {
                let message = join(&outcome.message, &seen(&verification));
                Judged {
                    success: verification.passed && !self.parts.host.is_interrupted(),
                    verdict: match turn.step.candidate.kind {
                        // Where it went, and how far that is, is what a person must know of it.
                        RecoveryStrategyType::Rollback => message.clone(),
                        _ => seen(&verification),
                    },
                    message,
                    verification: Some(verification),
                }
            }
            Err(message) => judged(
                false,
                join(&outcome.message, &format!("verification failed: {message}")),
            ),
        }
    }

    /// Asks the approver, if there is one and a cure, or what it was built upon, changed files: all
    /// that would stay is one change. No answer is a no.
    fn approve(&mut self, turn: &Turn<'_, '_>, number: u64, tried: &mut Tried) {
        self.refused = None;
        let files_modified: BTreeSet<_> =
            self.changed.iter().chain(&tried.files_modified).collect();
        let files_modified: Vec<_> = files_modified.into_iter().cloned().collect();
        if !tried.verdict.is_cure() || files_modified.is_empty() {
            return;
        }
        let built_upon = self.parts.tree.as_ref().and_then(|tree| tree.built_upon());
        let Some(approver) = self.parts.approver.as_mut() else {
            return;
        };
        let before = built_upon.or_else(|| tried.before.checkpoint.clone());
        let before = before.unwrap_or_default();
        let after = tried.verified.checkpoint.clone();
        let after = after.or(tried.acted.checkpoint.clone()).unwrap_or_default();
        let change = ChangeUnderReview {
            failure: &self.current,
            category: self.incident.category,
            strategy: &turn.step.candidate.kind,
            attempt_number: number,
            before: &before,
            after: &after,
            files_modified: &files_modified,
        };
        let refusal = match guarded(|| approver.approve(&change)) {
            Ok(true) => match self.is_as_verified() {
                true => return,
                false => "not kept: the tree changed while it was being approved".to_owned(),
            },
            Ok(false) => "not approved".to_owned(),
            Err(reason) => format!("not approved: {reason}"),
        };
        tried.verdict = Verdict::NotCured;
        tried.add(&refusal);
        self.refused = Some(refusal);
        tried.repeatable = turn.step.candidate.recipe.is_none();
        // What changed while somebody was asked may be theirs: the tree is not looked at again.
        self.strategy_failed(turn, number);
    }

    /// Whether the tree is as it was verified. What cannot be told is a no.
    fn is_as_verified(&mut self) -> bool {
        let tree = self.parts.tree.as_mut();
        tree.is_none_or(|tree| tree.is_as_verified().unwrap_or(false))
    }

    /// Lets the strategy end what it left running, before anything is undone.
    fn strategy_failed(&mut self, turn: &Turn<'_, '_>, number: u64) {
        let (failure, session_id) = (self.current.clone(), self.session_id.clone());
        let call = self.call(turn, number, &failure, session_id.as_deref());
        turn.step.strategy.borrow_mut().failed(&call);
    }

    /// Keeps what the attempt left, or puts it back. If it cannot be put back, the attempt is on
    /// record all the same, and nothing more is tried.
    fn settle(&mut self, turn: &Turn<'_, '_>, tried: &mut Tried) {
        if let Err(error) = self.keep_or_undo(turn, tried) {
            tried.add(&format!("could not be put back: {}", error.chain()));
            tried.after = After::End(RecoveryEnd::Escalated);
            self.not_put_back = Some(error);
        }
        tried.tell_of_left();
    }

    fn keep_or_undo(&mut self, turn: &Turn<'_, '_>, tried: &mut Tried) -> Result<()> {
        let Some(tree) = self.parts.tree.as_mut() else {
            return Ok(());
        };
        tried.not_covered = tree.not_covered();
        let moved = tree.history_moved();
        let put_back = self.put_back_unless_kept(turn, tried);
        // What had another name and has its own again is not gone.
        let is_git = |(_, was): &(String, String)| was == ".git";
        let has_git_back = match &put_back {
            Ok(Some(undone)) => undone.renamed_back.iter().any(is_git),
            _ => false,
        };
        if let Some(moved) = moved.filter(|_| !has_git_back) {
            tried.add(&moved);
        }
        if let Some(undone) = put_back? {
            tried.tell_of(&undone);
            self.note_what_stays(&undone);
        }
        Ok(())
    }

    /// Puts back what the attempt left; `None` where it is kept.
    fn put_back_unless_kept(
        &mut self,
        turn: &Turn<'_, '_>,
        tried: &mut Tried,
    ) -> Result<Option<Undone>> {
        let Some(tree) = self.parts.tree.as_mut() else {
            return Ok(None);
        };
        if tried.verdict.is_cure() {
            return Ok(None);
        }
        if self.parts.settings.keep_failed_changes {
            tried.aftermath = Aftermath::Kept;
            self.kept = true;
            return Ok(None);
        }
        let is_end = matches!(tried.after, After::End(_)) || tried.passed_without();
        if tried.is_ground && !is_end {
            tried.aftermath = Aftermath::Kept;
            self.kept = true;
            tried.message = join(&tried.message, "kept as progress");
            return Ok(None);
        }
        let changed = tried.before.checkpoint != tried.verified.checkpoint;
        let tries_again = matches!(tried.after, After::SameStrategy(_));
        let is_retry = turn.step.candidate.kind == RecoveryStrategyType::Retry;
        if tries_again && is_retry && tried.touched_nothing_protected() {
            // A retry changes nothing by itself. What the command left may be what lets it pass
            // next time: half a download, a warm cache. It goes when no try is left.
            tree.leave();
            if changed {
                tried.aftermath = Aftermath::Kept;
            }
            self.left |= changed;
            return Ok(None);
        }
        if is_end && (self.kept || self.left) {
            // What it was built upon goes with it, and its entry says so.
            let undone = tree.undo_all()?;
            (self.kept, self.left, self.put_back) = (false, false, true);
            return Ok(Some(undone));
        }
        tree.undo().map(Some)
    }

    /// Remembers what an undo left in the tree.
    pub(super) fn note_what_stays(&mut self, undone: &Undone) {
        let beside = undone.beside.iter().map(|(path, _)| path);
        let refused = undone.refused.iter().map(|(path, _)| path);
        let aside = undone.moved_aside.iter().map(|(_, is)| is);
        let stays = undone.foreign.iter().chain(&undone.holding);
        let stays = stays.chain(beside).chain(refused).chain(aside);
        self.not_covered.extend(stays.cloned());
    }

    /// What a strategy or verifier is told. Borrows nothing of `self`, whose handlers are asked
    /// next.
    fn call<'c>(
        &self,
        turn: &Turn<'c, '_>,
        number: u64,
        failure: &'c Failure,
        session_id: Option<&'c str>,
    ) -> Call<'c>
    where
        'm: 'c,
    {
        let now = self.parts.host.monotonic();
        Call {
            failure,
            category: self.incident.category,
            context: self.context,
            session_id,
            attempt_number: number,
            strategy_attempt: turn.strategy_attempt,
            max_attempts: turn.step.candidate.max_attempts,
            strategy: &turn.step.candidate.kind,
            time_left: self
                .parts
                .settings
                .deadline
                .map(|end| end.saturating_sub(now)),
        }
    }

    /// Puts the tree back because of `error`, which stays the reason.
    fn abandon(&mut self, error: Error) -> Error {
        if self.parts.settings.keep_failed_changes {
            return error;
        }
        let Some(tree) = self.parts.tree.as_mut() else {
            return error;
        };
        match tree.undo_all() {
            Ok(_) => error,
            Err(_) if !tree.is_kept() => Error::new(
                ErrorKind::Io,
                "the tree is as the attempt left it and cannot be put back: something that ran \
                 removed its checkpoints",
            )
            .with_source(error),
            Err(undo) => {
                // What kept the attempt from going on often keeps the tree from being put back.
                let why = match (undo.chain(), error.chain()) {
                    (undo, error) if error.contains(&undo) => String::new(),
                    (undo, _) => format!(" ({undo})"),
                };
                let context = format!("the tree was not put back{why} after a failure");
                Error::new(ErrorKind::Io, context)
                    .with_hint(Hint::RestoreTree)
                    .with_source(error)
            }
        }
    }
}

impl Recovering<'_> {
    /// Asks the verifier once more.
    pub(super) fn verify_again(
        &mut self,
        turn: &Turn<'_, '_>,
        number: u64,
    ) -> Result<Verification, String> {
        let (failure, session_id) = (self.current.clone(), self.session_id.clone());
        let call = self.call(turn, number, &failure, session_id.as_deref());
        match self.parts.verifier.as_mut() {
            Some(verifier) => guarded(|| verifier.verify(&call)),
            None => Err("nothing verifies it".to_owned()),
        }
    }
}

/// Runs a caller's code: its errors and panics become text.
fn guarded<T>(action: impl FnOnce() -> HandlerResult<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(action)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(format!(
                "panicked: {}",
                text.as_deref().unwrap_or("without a message")
            ))
        }
    }
}

fn seen(verification: &Verification) -> String {
    match (&verification.message, verification.passed) {
        (message, _) if !message.is_empty() => message.clone(),
        (_, true) => "verified".to_owned(),
        (_, false) => "verification failed".to_owned(),
    }
}
