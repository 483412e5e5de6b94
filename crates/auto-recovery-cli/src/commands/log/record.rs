//! Recording what comes in: read what is there, append it as one batch, acknowledge, go on.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use auto_recovery::audit::sealing::RecordSeals;
use auto_recovery::audit::{
    Appended, AuditStore, JournalEvent, NewEntry, SessionStarted, encoding,
};
use auto_recovery::host::new_id;
use auto_recovery::{Error, Result};

use crate::commands::log::entry;
use crate::commands::log::lines::{Input, LINE_BYTES_MAX, Line, Lines};
use crate::context::Context;
use crate::exit::{Exit, is_closed_output};
use crate::hints;
use crate::identity;
use crate::output::{Escapes, Printer, counted, stdout_error};

/// Entries appended at once: more would only delay the acknowledgement of the first.
const BATCH_ENTRIES_MAX: usize = 1024;

/// Sessions remembered as known to the journal, at some 100 bytes each. When there are more, they
/// are forgotten and looked up again.
const SESSIONS_REMEMBERED_MAX: usize = 100_000;

/// Records attempts that something else made, as they come in on stdin.
pub(crate) fn log(context: &Context) -> Result<Exit> {
    let started = identity::session_started(&context.settings, None);
    context.printer.reading_terminal("attempts, a line each,");
    let store = context.store()?;
    let sealed = (
        &*context.settings.state_dir.value,
        context.settings.seal_when(),
    );
    let seals = RecordSeals::new(store.clone(), sealed, context.host.clone());
    let recorder = Recorder {
        store: &*store,
        seals: &seals,
        started,
        journaled: Journaled::default(),
        printer: &context.printer,
        has_reader: true,
    };
    let exit = record(recorder, io::stdin().lock(), &new_id("session"));
    // Also what was recorded before something failed.
    if let Err(error) = seals.close() {
        let why = hints::chain(&error);
        context
            .printer
            .warn(format_args!("what is on record is not sealed: {why}"));
    }
    exit
}

/// Records each line of `input` with `recorder`, and acknowledges it once it is durable. Lines
/// without a session go to `new_session`.
fn record(mut recorder: Recorder<'_>, input: impl Input, new_session: &str) -> Result<Exit> {
    let mut lines = Lines::new(input);
    let printer = recorder.printer;
    let mut line_number: u64 = 0;
    let mut refused: u64 = 0;
    let mut is_readable = true;
    let read_error = |error| Error::io("read", Path::new("standard input"), error);
    while let Some(available) = lines.available().map_err(read_error)? {
        let mut batch = Vec::new();
        for mut line in available {
            line_number += 1;
            if line_number == 1
                && let Err(reason) = begin(&mut line)
            {
                is_readable = false;
                printer.warn(format_args!("line 1: {reason}"));
            }
            if !is_readable {
                refused += 1;
                continue;
            }
            match parse(&line, new_session) {
                None => {}
                Some(Ok(entry)) => batch.push(entry),
                Some(Err(reason)) => {
                    refused += 1;
                    printer.warn(format_args!("line {line_number}: {reason}"));
                }
            }
            if batch.len() == BATCH_ENTRIES_MAX {
                recorder.record(std::mem::take(&mut batch))?;
            }
        }
        recorder.record(batch)?;
    }
    if refused == 0 {
        return Ok(Exit::OK);
    }
    let others = match is_readable && refused < line_number {
        true => "; all others were",
        false => "",
    };
    let were = if refused == 1 { "was" } else { "were" };
    printer.warn(format_args!(
        "{refused} of {} {were} not recorded{others}",
        counted(line_number, "line")
    ));
    Ok(Exit::NOT_FOUND)
}

/// Takes from the first line what an editor may have put before it.
///
/// # Errors
/// If the text that it begins is none that is read: said once, not of every line.
fn begin(line: &mut Line) -> Result<(), String> {
    let Line::Whole(bytes) = line else {
        return Ok(());
    };
    if let Some(reason) = encoding::refusal(bytes) {
        return Err(reason);
    }
    let mark = bytes.len() - encoding::without_mark(bytes).len();
    bytes.drain(..mark);
    Ok(())
}

/// The entry that `line` says; none for a blank line.
fn parse(line: &Line, new_session: &str) -> Option<Result<NewEntry, String>> {
    match line {
        Line::TooLong => Some(Err(format!("longer than {LINE_BYTES_MAX} bytes"))),
        Line::Whole(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => None,
        Line::Whole(bytes) => Some(entry::parse(bytes, new_session)),
    }
}

struct Recorder<'a> {
    store: &'a dyn AuditStore,
    seals: &'a RecordSeals,
    /// What the journal says of a session that begins here.
    started: SessionStarted,
    journaled: Journaled,
    printer: &'a Printer,
    /// Whether somebody still reads the acknowledgements.
    has_reader: bool,
}

impl Recorder<'_> {
    /// Appends `batch`, waits until it is durable, and acknowledges it in order. What came is then
    /// sealed, if it is time.
    fn record(&mut self, batch: Vec<NewEntry>) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        for new in &batch {
            let session = &new.entry.session_id;
            if !self.journaled.contains(self.store, session)? {
                let event = JournalEvent::SessionStarted(self.started.clone());
                self.store.record(Some(session), event)?;
            }
        }
        let appended = self.store.append(batch)?;
        self.acknowledge(&appended)?;
        let sessions = appended.iter().map(|one| one.session_id.as_str());
        // What could not be sealed is tried again at the end, which tells.
        drop(self.seals.appended(sessions));
        Ok(())
    }

    fn acknowledge(&mut self, appended: &[Appended]) -> Result<()> {
        if !self.has_reader {
            return Ok(());
        }
        let acknowledged = self.printer.data(Escapes::Json, |out| {
            for one in appended {
                serde_json::to_writer(&mut *out, one)
                    .map_err(|error| stdout_error(error.into()))?;
                out.write_all(b"\n").map_err(stdout_error)?;
            }
            Ok(())
        });
        match acknowledged {
            // Whoever wrote the lines may not care for the answers, but does want them recorded.
            Err(error) if is_closed_output(&error) => {
                self.has_reader = false;
                Ok(())
            }
            other => other,
        }
    }
}

/// Which sessions are known to have begun, so that the journal says it once a session and never
/// once an entry.
#[derive(Default)]
struct Journaled {
    known: HashSet<String>,
}

impl Journaled {
    /// Whether `session` has begun. From now on it has.
    fn contains(&mut self, store: &dyn AuditStore, session: &str) -> Result<bool> {
        if self.known.contains(session) {
            return Ok(true);
        }
        if self.known.len() >= SESSIONS_REMEMBERED_MAX {
            self.known.clear();
        }
        let has_begun = store.is_known(session)?;
        self.known.insert(session.to_owned());
        Ok(has_begun)
    }
}
