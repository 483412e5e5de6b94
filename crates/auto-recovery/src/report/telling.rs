//! The words of a report: how a session ended, the facts about it and its attempts, what was not
//! tried and why. Each form writes the same words.

use super::particulars::particulars;
use super::story::Story;
use crate::audit::{
    AttemptFinished, AttemptStarted, FailureDetected, SessionOutcome, session_id::short,
};
use crate::entry::RecoveryAuditEntry;
use crate::failure::Failure;
use crate::report::chart::Tone;
use crate::wording::{self, counted, long, shell_word};

/// The rule of a failure that none knows, as records have it.
const NO_RULE: &str = "none";

/// How the reason begins that every session has in which nothing helped.
const NOTHING_HELPED: &str = "All recovery strategies failed";
/// How other reasons end in records; whether anybody was called stands elsewhere.
const NOBODY_CALLED: &str = " Human intervention required.";

/// A text, by how it is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Words.
    Words(String),
    /// A command, a path or an id.
    Code(String),
}

/// A name and what there is to say.
pub(super) type Fact = (&'static str, Said);

fn words(text: impl Into<String>) -> Said {
    Said::Words(text.into())
}

fn code(text: impl Into<String>) -> Said {
    Said::Code(text.into())
}

/// How a session ended.
pub(super) struct Verdict {
    pub(super) word: &'static str,
    pub(super) tone: Tone,
    /// What follows the word in the same sentence.
    pub(super) rest: String,
}

/// The verdict on `story`: as its record ends or, without an end, by its last attempt.
pub(super) fn verdict(story: &Story) -> Verdict {
    let statistics = &story.statistics;
    let attempts = counted(statistics.total_attempts, "attempt");
    let say = |word, tone, rest| Verdict { word, tone, rest };
    match (story.outcome, &story.last) {
        (SessionOutcome::Running, _) => {
            say("Under way", Tone::Plain, format!(": {attempts} so far."))
        }
        (SessionOutcome::Interrupted, _) => say(
            "Interrupted",
            Tone::Doubtful,
            format!(" after {attempts}{}.", because(story)),
        ),
        (_, None) => {
            let why = because(story);
            let why = why.strip_prefix(": ").map(|why| format!(" {why}."));
            say("Nothing was tried.", Tone::Bad, why.unwrap_or_default())
        }
        (SessionOutcome::Recovered, Some(last)) if last.success => {
            let is_flaky = story.finished.as_ref().is_some_and(|end| end.flaky);
            let (tone, how) = match is_flaky {
                true => (Tone::Doubtful, ": flaky, it passed by being run again"),
                false => (Tone::Good, ""),
            };
            let rest = format!(
                " by attempt {}, {}{how}.",
                last.number,
                first_line(&last.strategy)
            );
            say("Recovered", tone, rest)
        }
        (SessionOutcome::Recovered, Some(_)) => say("Recovered", Tone::Good, ".".to_owned()),
        (SessionOutcome::Unknown, Some(_)) => {
            let cured = statistics.successful_attempts;
            let rest = match cured {
                0 => format!(" how it ended: {attempts}, none helped."),
                _ => format!(" how it ended: {cured} of {attempts} succeeded, the last did not."),
            };
            say("Unknown", Tone::Doubtful, rest)
        }
        (_, Some(_)) if statistics.successful_attempts == 0 => {
            let rest = format!(": {attempts}, none helped{}.", because(story));
            say("Not recovered", Tone::Bad, rest)
        }
        (_, Some(_)) => {
            let cured = statistics.successful_attempts;
            let rest = format!(
                " in the end: {cured} of {attempts} succeeded, the last did not{}.",
                because(story)
            );
            say("Not recovered", Tone::Bad, rest)
        }
    }
}

/// The reason on record behind a colon, where it says more than the verdict.
fn because(story: &Story) -> String {
    let reason = story.finished.as_ref().map_or("", |end| &end.reason);
    let reason = reason.trim_end_matches(NOBODY_CALLED).trim_end_matches('.');
    match reason {
        "" => String::new(),
        reason if reason.starts_with(NOTHING_HELPED) => String::new(),
        reason => format!(": {}", first_line(reason)),
    }
}

/// The command that failed, or the session's id where it was only logged.
pub(super) fn subject(story: &Story) -> String {
    match &story.started.command {
        Some(command) => shell_words(command),
        None => format!("session {}", short(&story.statistics.session_id)),
    }
}

fn shell_words(argv: &[String]) -> String {
    let words: Vec<_> = argv.iter().map(|word| shell_word(word)).collect();
    words.join(" ")
}

/// The facts about what failed, and where.
pub(super) fn failure_facts(story: &Story) -> Vec<Fact> {
    let started = &story.started;
    let mut facts = Vec::new();
    if let Some(command) = &started.command {
        facts.push(("Command", code(shell_words(command))));
    }
    facts.extend(started.cwd.as_ref().map(|cwd| ("In", code(cwd))));
    let other = |workspace: &&String| Some(*workspace) != started.cwd.as_ref();
    let workspace = started.workspace.as_ref().filter(other);
    facts.extend(workspace.map(|path| ("Workspace", code(path))));
    facts.extend(started.host.as_ref().map(|host| {
        let by = started.user.as_ref().map(|user| format!(", by {user}"));
        (
            "On host",
            words(format!("{host}{}", by.unwrap_or_default())),
        )
    }));
    if let Some(detected) = story.failure() {
        facts.extend(detected.failure.location().map(|at| ("At", code(at))));
        facts.push(("Ended", words(command_end(detected))));
        let kind = match detected.rule == NO_RULE {
            true => format!("{} (no rule knows it)", detected.category),
            false => format!("{} (rule {})", detected.category, detected.rule),
        };
        facts.push(("Kind", words(kind)));
        facts.extend(order_of(detected).map(|order| ("Order", words(order))));
    }
    facts
}

/// In which order what helps was tried, where history had another than the shipped one.
pub fn order_of(detected: &FailureDetected) -> Option<String> {
    let advice = detected.advice.as_deref()?;
    if advice.status != "changed" {
        return None;
    }
    let expected = format!(
        "{} expected instead of {}",
        long(advice.expected.order),
        long(advice.expected.shipped)
    );
    Some(match (advice.applied, advice.control) {
        (true, _) => format!("by history: {expected}"),
        (false, true) => "the shipped one, as a control: history would have had another".to_owned(),
        (false, false) => format!("the shipped one; by history: {expected}"),
    })
}

fn command_end(detected: &FailureDetected) -> String {
    match (detected.timed_out, detected.signal, detected.exit_code) {
        (true, ..) => "stopped at its time limit".to_owned(),
        (_, Some(signal), _) => format!("by signal {signal}"),
        (.., Some(exit_code)) => format!("with exit code {exit_code}"),
        _ => "not on record".to_owned(),
    }
}

/// The facts about the session as a whole.
pub(super) fn session_facts(story: &Story, made_at: &str) -> Vec<Fact> {
    let statistics = &story.statistics;
    let mut facts = vec![("Session", code(&statistics.session_id))];
    let start = statistics.session_start.as_ref();
    facts.extend(start.map(|start| ("Session began", words(start))));
    let last = statistics.last_attempt_timestamp.as_ref();
    facts.extend(last.map(|last| ("Last attempt", words(last))));
    if let Some(finished) = &story.finished {
        facts.push(("Recovery took", words(long(finished.duration_seconds))));
        let code = finished.exit_code.map(|code| words(code.to_string()));
        facts.extend(code.map(|code| ("Exit code", code)));
    }
    let (total, cured) = (statistics.total_attempts, statistics.successful_attempts);
    facts.push(("Attempts", words(total.to_string())));
    if total > 0 {
        let rate = format!("{cured} ({:.1}%)", statistics.success_rate);
        facts.push(("Successful", words(rate)));
        facts.push(("Undone", words(statistics.rollback_count.to_string())));
        let total = long(statistics.total_duration_seconds);
        let average = long(statistics.average_duration_seconds);
        let time = format!("{total}, {average} on average");
        facts.push(("Time in attempts", words(time)));
        facts.push(("Strategies", words(counts(&statistics.strategies_used))));
        facts.push((
            "Failures",
            words(counts(&statistics.error_type_distribution)),
        ));
        let files = statistics.files_modified_count.to_string();
        facts.push(("Files modified", words(files)));
    }
    for (at, restored) in &story.put_back {
        facts.push(("Put back", words(format!("{at}: {}", restored.in_words()))));
    }
    if story.earlier_recoveries > 0 {
        let earlier = counted(story.earlier_recoveries, "earlier recovery");
        let text = format!("{earlier} under this id, whose attempts stand here too");
        facts.push(("Before it", words(text)));
    }
    if !story.started.version.is_empty() {
        facts.push((
            "Recorded by",
            words(format!("recover {}", story.started.version)),
        ));
    }
    facts.push(("Report made", words(made_at)));
    facts
}

/// Names with their numbers, the most frequent first.
fn counts(counts: &std::collections::BTreeMap<String, u64>) -> String {
    /// Names that are told; more are counted.
    const NAMED_MAX: usize = 12;

    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let name = |(name, count): &(&String, &u64)| format!("{} × {count}", first_line(name));
    let mut parts: Vec<String> = counts.iter().take(NAMED_MAX).map(name).collect();
    if counts.len() > NAMED_MAX {
        parts.push(format!("{} more", counts.len() - NAMED_MAX));
    }
    parts.join(", ")
}

/// A failure that an attempt turned the first one into.
pub(super) fn in_short(failure: &Failure) -> String {
    let at = failure.location().map(|at| format!(" · {at}"));
    let message = first_line(&failure.message);
    format!(
        "{}: {message}{}",
        failure.error_type,
        at.unwrap_or_default()
    )
}

/// What was planned or possible and not tried, with the reason of each.
pub(super) fn not_tried(story: &Story) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for detected in &story.failures {
        let unbegun = detected
            .plan
            .iter()
            .filter(|step| !was_begun(story, &detected.plan, step));
        let why = why_not_begun(story);
        let unbegun = unbegun.map(|step| format!("{step}: planned, {why}"));
        for text in detected.skipped.iter().cloned().chain(unbegun) {
            if !told.contains(&text) {
                told.push(text);
            }
        }
    }
    told
}

fn why_not_begun(story: &Story) -> &'static str {
    match story.outcome {
        SessionOutcome::Recovered => "not needed any more",
        SessionOutcome::Running => "its turn has not come",
        _ => "its turn did not come",
    }
}

/// Whether an attempt did the planned `step`: it names the strategy, then the action.
fn was_begun(story: &Story, plan: &[String], step: &str) -> bool {
    let of = |started: &AttemptStarted| step.starts_with(&format!("{}: ", started.strategy));
    let is_it = |started: &AttemptStarted| {
        let is_named = step.starts_with(&format!("{}: {}", started.strategy, started.action));
        let is_recipe = started
            .recipe
            .as_ref()
            .is_some_and(|recipe| step.contains(recipe.as_str()));
        // An action may be worded otherwise than in the plan; a strategy that stands there once is
        // the one that was begun.
        let is_only = plan
            .iter()
            .filter(|step| step.starts_with(&format!("{}: ", started.strategy)));
        is_named || is_recipe || is_only.count() == 1
    };
    let mut begun = story
        .attempts
        .values()
        .filter_map(|told| told.started.as_ref());
    begun.any(|started| of(started) && is_it(started))
}

/// The words for a tree on which a recovery left nothing changed, where the record says so.
pub(super) fn nothing_left(story: &Story) -> Option<&'static str> {
    let finished = story.finished.as_ref()?;
    if finished.outcome != SessionOutcome::Escalated {
        return None;
    }
    if story.attempts.is_empty() {
        return Some("Nothing is left changed: nothing was tried.");
    }
    // Whoever recovers no tree says nothing of one.
    finished.put_back.filter(|is_back| *is_back)?;
    let mut ended = story.attempts.values().map(|told| told.finished.as_ref());
    let is_clean = |end: Option<&AttemptFinished>| {
        end.is_some_and(|end| {
            end.not_put_back.is_empty() && end.left_behind.is_empty() && end.not_covered.is_empty()
        })
    };
    ended
        .all(is_clean)
        .then_some("Nothing is left changed: the tree is as it was before the recovery.")
}

/// What came of an attempt, as `history` says it.
pub(super) fn result(entry: &RecoveryAuditEntry) -> (&'static str, Tone) {
    let tone = match (entry.success, entry.rollback_performed) {
        (true, false) => Tone::Good,
        (true, true) => Tone::Doubtful,
        (false, true) => Tone::Undone,
        (false, false) => Tone::Bad,
    };
    let said = wording::result(entry.success, entry.rollback_performed);
    (said, tone)
}

/// What was to come after it.
pub(super) fn next(entry: &RecoveryAuditEntry) -> &str {
    wording::next(&entry.next_action)
}

/// What an attempt did, in short.
pub(super) fn did(story: &Story, entry: &RecoveryAuditEntry) -> String {
    match story.started(entry.attempt_number) {
        Some(started) if !started.action.is_empty() => started.action.clone(),
        _ => entry.changes_made.join("; "),
    }
}

/// The facts about one attempt that neither its heading nor its excerpts say.
pub(super) fn attempt_facts(story: &Story, entry: &RecoveryAuditEntry) -> Vec<Fact> {
    let number = entry.attempt_number;
    let mut facts = Vec::new();
    if let Some(started) = story.started(number) {
        if !started.action.is_empty() {
            facts.push(("Did", code(&started.action)));
        }
        let tier = started
            .tier
            .map(|tier| format!(", {tier}"))
            .unwrap_or_default();
        let recipe = started.recipe.as_ref();
        facts.extend(recipe.map(|name| ("Recipe", words(format!("{name}{tier}")))));
    }
    let action = story.started(number).map_or("", |started| &started.action);
    let says_it = |change: &str| change == format!("ran `{action}`");
    let changes = entry.changes_made.join("; ");
    if !changes.is_empty() && !says_it(&changes) {
        facts.push(("Changes", words(changes)));
    }
    if !entry.recovery_message.is_empty() {
        facts.push(("Result", words(&entry.recovery_message)));
    }
    if let Some(finished) = story.finished(number) {
        facts.extend(verification(finished).map(|text| ("Verification", words(text))));
        let particulars = particulars(finished).into_iter();
        facts.extend(particulars.map(|one| (one.name, words(one.says))));
        let other = finished.failure.as_ref().filter(|left| {
            (&*left.error_type, &*left.message) != (&*entry.error_type, &*entry.error_message)
        });
        facts.extend(other.map(|left| ("Then failed with", words(in_short(left)))));
    }
    facts.push(("Next", words(next(entry))));
    facts
}

/// What came of running the command again.
fn verification(finished: &AttemptFinished) -> Option<String> {
    let text = match (finished.signal, finished.exit_code) {
        // That is said as a fact of its own.
        _ if finished.stood_in => return None,
        (Some(signal), _) => format!("the command ended by signal {signal}"),
        (_, Some(0)) => "the command passed".to_owned(),
        (_, Some(code)) => format!("the command failed, exit code {code}"),
        _ => return None,
    };
    Some(match finished.confirmed {
        Some(true) => text + "; without the change it failed",
        Some(false) => text + "; it passed without the change as well",
        None => text,
    })
}

/// The first line of `text`, and `…` where there is more.
pub(super) fn first_line(text: &str) -> String {
    const CHARS_MAX: usize = 200;

    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= CHARS_MAX && line.len() == text.trim_end().len() {
        return line.to_owned();
    }
    let mut short: String = line.chars().take(CHARS_MAX).collect();
    short.push('…');
    short
}
