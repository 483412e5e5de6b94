//! A session as spans and log records.

use auto_recovery::RecoveryAuditEntry;
use auto_recovery::audit::{
    AttemptFinished, AttemptStarted, FailureDetected, JournalEvent, JournalRecord, SessionFinished,
    SessionOutcome, SessionStarted,
};
use auto_recovery::exit::EXIT_TIMED_OUT;
use jiff::Timestamp;

use super::ids::{span_id, trace_id};
use super::message::{Attributes, INTERNAL, Log, SERVER, Span};

/// Longest second word that is a subcommand, in characters.
const SUBCOMMAND_CHARS_MAX: usize = 24;

const NANOSECONDS: f64 = 1e9;

/// What the feed has of a session up to some row.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) records: Vec<JournalRecord>,
    pub(super) entries: Vec<RecoveryAuditEntry>,
    /// The page that shows it, if it is known where browsers reach the server.
    pub(super) page: Option<String>,
}

impl Session {
    /// Whether a session begins with `record`.
    pub(super) fn begins(record: &JournalRecord) -> bool {
        matches!(record.event, JournalEvent::SessionStarted(_))
    }

    /// Whether a session ends with `record`.
    pub(super) fn ends(record: &JournalRecord) -> bool {
        matches!(record.event, JournalEvent::SessionFinished(_)) || record.event.is_removal()
    }

    /// The attributes of its recorder.
    pub(super) fn resource(&self) -> Attributes {
        let mut attributes = Attributes::default();
        attributes.text("service.name", "recover");
        if let Some(started) = self.started() {
            attributes
                .text("service.version", &started.version)
                .text("host.name", started.host.as_deref().unwrap_or_default())
                .text(
                    "recover.project",
                    started.project.as_deref().unwrap_or_default(),
                );
        }
        attributes
    }

    /// The failure that `record` tells of, as a log record; `None` if it tells of none.
    pub(super) fn log(&self, record: &JournalRecord) -> Option<Log> {
        let detected = match &record.event {
            JournalEvent::FailureDetected(detected) | JournalEvent::FailureChanged(detected) => {
                detected
            }
            _ => return None,
        };
        let failure = &detected.failure;
        let mut attributes = Attributes::default();
        attributes
            .text("exception.type", &failure.error_type)
            .text("exception.message", &failure.message)
            .text(
                "exception.stacktrace",
                failure.stack_trace.as_deref().unwrap_or_default(),
            )
            .text(
                "code.file.path",
                failure.file_path.as_deref().unwrap_or_default(),
            )
            .text("recover.category", detected.category.as_str())
            .text("recover.rule", &detected.rule)
            .text("recover.session_id", &self.id);
        if let Some(line) = failure.line_number {
            attributes.number("code.line.number", i64::try_from(line).unwrap_or(i64::MAX));
        }
        Some(Log {
            trace_id: trace_id(&self.id),
            span_id: self.root_id(),
            at: nanoseconds(&record.at)?,
            text: failure.message.clone(),
            attributes,
        })
    }

    /// The spans that end with `record`: those of an attempt, or the root with that of the first
    /// run.
    pub(super) fn spans(&self, record: &JournalRecord) -> Vec<Span> {
        match &record.event {
            JournalEvent::AttemptFinished(finished) => self.attempt(&record.at, finished),
            JournalEvent::SessionFinished(finished) => self.whole(&record.at, finished),
            _ => Vec::new(),
        }
    }

    /// The root of a session that died: no record says that it ended.
    pub(super) fn dead(&self) -> Vec<Span> {
        let Some(last) = self.records.last() else {
            return Vec::new();
        };
        let finished = SessionFinished {
            outcome: SessionOutcome::Unknown,
            reason: "recover died in it".to_owned(),
            ..SessionFinished::default()
        };
        self.whole(&last.at, &finished)
    }

    fn whole(&self, at: &str, finished: &SessionFinished) -> Vec<Span> {
        let Some(end) = nanoseconds(at) else {
            return Vec::new();
        };
        let first = self
            .records
            .first()
            .and_then(|first| nanoseconds(&first.at));
        let took = (finished.duration_seconds * NANOSECONDS) as i128;
        let begin = first.unwrap_or(end).min(end - took);
        let mut attributes = Attributes::default();
        attributes
            .text("cicd.pipeline.name", &self.pipeline())
            .text("cicd.pipeline.run.id", &self.id)
            .text("cicd.pipeline.action.name", "RUN")
            .text("cicd.pipeline.result", result(finished))
            .text(
                "cicd.pipeline.run.url.full",
                self.page.as_deref().unwrap_or_default(),
            )
            .text("recover.outcome", outcome(finished.outcome))
            .text(
                "recover.strategy",
                finished.strategy.as_deref().unwrap_or_default(),
            )
            .number(
                "recover.attempts",
                i64::try_from(finished.attempts).unwrap_or(i64::MAX),
            )
            .flag("recover.flaky", finished.flaky);
        let failure = self.failure();
        if let Some((_, detected)) = failure {
            attributes.text("recover.category", detected.category.as_str());
        }
        let is_cured = finished.outcome == SessionOutcome::Recovered;
        if !is_cured {
            let own = failure.map(|(_, detected)| &*detected.failure.error_type);
            attributes.text("error.type", own.unwrap_or("_OTHER"));
        }
        let root = Span {
            trace_id: trace_id(&self.id),
            span_id: self.root_id(),
            parent_id: None,
            name: format!("RUN {}", self.pipeline()),
            kind: SERVER,
            begin,
            end,
            attributes,
            failed: (!is_cured).then(|| finished.reason.clone()),
        };
        let first_run = failure.and_then(|(record, detected)| {
            let end = nanoseconds(&record.at)?;
            let mut attributes = self.run_attributes(detected.exit_code);
            attributes.text("error.type", &detected.failure.error_type);
            Some(self.part(&["first_run"], "first run", (begin, end), attributes, true))
        });
        std::iter::once(root).chain(first_run).collect()
    }

    fn attempt(&self, at: &str, finished: &AttemptFinished) -> Vec<Span> {
        let Some(end) = nanoseconds(at) else {
            return Vec::new();
        };
        let (begun, started) = self.intent(finished).unzip();
        let entry = self
            .entries
            .iter()
            .find(|entry| entry.entry_id == finished.entry_id);
        let took = entry.map_or(0.0, |entry| entry.duration_seconds);
        let begin = begun.unwrap_or(end - (took * NANOSECONDS) as i128);
        let strategy = match (started, entry) {
            (Some(started), _) => &started.strategy,
            (None, Some(entry)) => &entry.strategy,
            (None, None) => "attempt",
        };
        let recipe = started.and_then(|started| started.recipe.as_deref());
        let name = [Some(strategy), recipe].into_iter().flatten();
        let name = name.collect::<Vec<_>>().join(" ");
        let of = &*key(finished);
        let mut attributes = Attributes::default();
        let result = if finished.success {
            "success"
        } else {
            "failure"
        };
        attributes
            .text("cicd.pipeline.task.name", &name)
            .text("cicd.pipeline.task.run.id", &finished.entry_id)
            .text("cicd.pipeline.task.run.result", result)
            .text("recover.strategy", strategy)
            .flag("recover.undone", finished.undone)
            .flag("recover.flaky", finished.flaky)
            .number("recover.attempt_number", count(finished.attempt_number))
            .number(
                "recover.files_modified_count",
                count(finished.files_modified.len() as u64),
            );
        if let Some(tier) = started.and_then(|started| started.tier) {
            attributes.text("recover.tier", tier.as_str());
        }
        let left = finished.failure.as_ref();
        if !finished.success {
            let own = left.map_or("_OTHER", |failure| &*failure.error_type);
            attributes.text("error.type", own);
        }
        let mut spans = vec![Span {
            trace_id: trace_id(&self.id),
            span_id: span_id(&self.id, &["attempt", of]),
            parent_id: Some(self.root_id()),
            name,
            kind: INTERNAL,
            begin,
            end,
            attributes,
            failed: (!finished.success)
                .then(|| left.map_or_else(String::new, |failure| failure.message.clone())),
        }];
        spans.extend(self.parts_of((begin, end), finished, of));
        spans
    }

    /// What the strategy did, and the verification, as far as their times are on record.
    fn parts_of(
        &self,
        (begin, end): (i128, i128),
        finished: &AttemptFinished,
        of: &str,
    ) -> Vec<Span> {
        let parent = span_id(&self.id, &["attempt", of]);
        let ended = |from: i128, seconds: f64| (from + (seconds * NANOSECONDS) as i128).min(end);
        let mut spans = Vec::new();
        let mut from = begin;
        if let Some(seconds) = finished.act_seconds {
            let until = ended(from, seconds);
            let failed = finished.strategy_exit_code.is_some_and(|code| code != 0);
            let mut attributes = Attributes::default();
            if let Some(code) = finished.strategy_exit_code {
                attributes.number("process.exit.code", code.into());
            }
            spans.push(self.part(&["act", of], "act", (from, until), attributes, failed));
            from = until;
        }
        if let Some(seconds) = finished.verification_seconds {
            let attributes = self.run_attributes(finished.exit_code);
            let failed = finished.exit_code != Some(0);
            let times = (from, ended(from, seconds));
            spans.push(self.part(
                &["verification", of],
                "verification",
                times,
                attributes,
                failed,
            ));
        }
        for span in &mut spans {
            span.parent_id = Some(parent.clone());
        }
        spans
    }

    /// A span of something that ran, below the root.
    fn part(
        &self,
        id: &[&str],
        name: &str,
        (begin, end): (i128, i128),
        attributes: Attributes,
        failed: bool,
    ) -> Span {
        Span {
            trace_id: trace_id(&self.id),
            span_id: span_id(&self.id, id),
            parent_id: Some(self.root_id()),
            name: name.to_owned(),
            kind: INTERNAL,
            begin,
            end,
            attributes,
            failed: failed.then(String::new),
        }
    }

    /// What a run of the command is told by. Its words may hold what nobody is to see.
    fn run_attributes(&self, exit_code: Option<i32>) -> Attributes {
        let mut attributes = Attributes::default();
        attributes.text("process.executable.name", program(self.command()));
        if let Some(code) = exit_code {
            attributes.number("process.exit.code", code.into());
        }
        attributes
    }

    fn root_id(&self) -> String {
        span_id(&self.id, &["session"])
    }

    fn started(&self) -> Option<&SessionStarted> {
        self.records.iter().find_map(|record| match &record.event {
            JournalEvent::SessionStarted(started) => Some(started),
            _ => None,
        })
    }

    fn failure(&self) -> Option<(&JournalRecord, &FailureDetected)> {
        self.records.iter().find_map(|record| match &record.event {
            JournalEvent::FailureDetected(detected) => Some((record, &**detected)),
            _ => None,
        })
    }

    /// When the attempt that `finished` began, and with what intent.
    fn intent(&self, finished: &AttemptFinished) -> Option<(i128, &AttemptStarted)> {
        let of = key(finished);
        self.records
            .iter()
            .rev()
            .find_map(|record| match &record.event {
                JournalEvent::AttemptStarted(started) if key_of_intent(started) == of => {
                    Some((nanoseconds(&record.at)?, started))
                }
                _ => None,
            })
    }

    fn command(&self) -> &[String] {
        let started = self.started();
        started
            .and_then(|started| started.command.as_deref())
            .unwrap_or_default()
    }

    /// The command by its program and subcommand: few distinct names, and no secret.
    fn pipeline(&self) -> String {
        let command = self.command();
        let program = match program(command) {
            "" => return "session".to_owned(),
            program => program,
        };
        match command.get(1).filter(|word| is_subcommand(word)) {
            Some(word) => format!("{program} {word}"),
            None => program.to_owned(),
        }
    }
}

/// The name of the program that `command` begins with.
fn program(command: &[String]) -> &str {
    let path = command.first().map_or("", |path| path);
    path.rsplit('/').next().unwrap_or_default()
}

/// Whether a second word is the name of something that a program does, and no file or value.
fn is_subcommand(word: &str) -> bool {
    word.len() <= SUBCOMMAND_CHARS_MAX
        && word.starts_with(|c: char| c.is_ascii_lowercase())
        && word
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

/// What joins the records of an attempt: its id or, in those of older releases, its number.
fn key(finished: &AttemptFinished) -> String {
    match finished.attempt_id.is_empty() {
        true => finished.attempt_number.to_string(),
        false => finished.attempt_id.clone(),
    }
}

fn key_of_intent(started: &AttemptStarted) -> String {
    match started.attempt_id.is_empty() {
        true => started.attempt_number.to_string(),
        false => started.attempt_id.clone(),
    }
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The time that `text` says, in nanoseconds since 1970.
fn nanoseconds(text: &str) -> Option<i128> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_nanosecond)
}

fn outcome(outcome: SessionOutcome) -> &'static str {
    match outcome {
        SessionOutcome::Recovered => "recovered",
        SessionOutcome::Escalated => "escalated",
        SessionOutcome::Interrupted => "interrupted",
        SessionOutcome::Running => "running",
        SessionOutcome::Unknown => "unknown",
    }
}

/// The result in the words of the conventions for pipelines.
fn result(finished: &SessionFinished) -> &'static str {
    match finished.outcome {
        SessionOutcome::Recovered => "success",
        _ if finished.exit_code == Some(EXIT_TIMED_OUT) => "timeout",
        SessionOutcome::Escalated => "failure",
        SessionOutcome::Interrupted => "cancellation",
        SessionOutcome::Running | SessionOutcome::Unknown => "error",
    }
}

#[cfg(test)]
mod tests;
