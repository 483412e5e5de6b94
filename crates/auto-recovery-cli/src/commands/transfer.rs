//! `recover import` and `recover copy`: trails brought into a store as they are.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::Path;

use auto_recovery::transfer::{self, CopiedSession, CopyReport, Counts, ImportReport};
use auto_recovery::{Error, ErrorKind, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::args::{CopyArgs, ImportArgs};
use crate::commands::captured::named;
use crate::commands::copy_exact::{copy_exactly, tell_what_differs};
use crate::commands::redact::kinds_counted;
use crate::context::Context;
use crate::exit::Exit;
use crate::hints;
use crate::output::{Printer, Verbosity, counted, escape_text};

/// What to do where trails are to go to a server.
const NOT_TO_A_SERVER: &str =
    "name the server's own store as TO, on its machine or where its database can be reached";

/// What became of a file.
#[derive(Serialize)]
struct ImportedFile {
    file: String,
    entries: u64,
    added: u64,
    records: u64,
    records_added: u64,
    unknown_records: u64,
    damaged: usize,
    secrets: BTreeMap<String, u64>,
}

/// What became of a copy.
#[derive(Serialize)]
struct Copied {
    from: String,
    to: String,
    sessions: u64,
    entries: u64,
    added: u64,
    records: u64,
    records_added: u64,
    unknown_records: u64,
    damaged: usize,
    different: Vec<Different>,
    /// Whether all that is new was encrypted on the way, and so has other bytes.
    re_encoded: bool,
}

/// A session whose trail there is another than here.
#[derive(Serialize)]
struct Different {
    session_id: String,
    reason: String,
}

/// Brings what `files` hold into `store`. One that cannot be read keeps none of the others out.
pub(crate) fn import(context: &Context, args: ImportArgs) -> Result<Exit> {
    let ImportArgs { files } = args;
    let (store, printer) = (&*context.store()?, &context.printer);
    let mut exit = Exit::OK;
    let mut imported = Vec::new();
    for file in &files {
        let file = match named(Some(file)) {
            Some(file) => file,
            None => Path::new("/dev/stdin"),
        };
        // Of several, one that cannot be opened or understood is left out; a store that fails ends
        // it.
        let report = match transfer::open(file) {
            Err(error) => Err(error),
            Ok(opened) => match transfer::import(opened, file, store, &context.redactor) {
                Err(error) if error.kind() != ErrorKind::InvalidInput => return Err(error),
                report => report,
            },
        };
        let report = match report {
            Ok(report) => report,
            Err(error) if files.len() > 1 => {
                printer.warn(hints::chain(&error));
                exit = Exit::NOT_FOUND;
                continue;
            }
            Err(error) => return Err(error),
        };
        let ImportReport {
            entries,
            records,
            unknown_records,
            damage,
            secrets,
        } = report;
        printer.note(format_args!(
            "{}: {}{}",
            file.display(),
            all_counted(entries, records),
            unknown(unknown_records)
        ));
        printer.damage(&damage);
        warn_of_secrets(&secrets, file, printer);
        if !damage.is_empty() {
            exit = Exit::NOT_FOUND;
        }
        imported.push(ImportedFile {
            file: file.display().to_string(),
            entries: entries.read,
            added: entries.added,
            records: records.read,
            records_added: records.added,
            unknown_records,
            damaged: damage.len(),
            secrets,
        });
    }
    if printer.json {
        printer.json_lines(&imported)?;
    }
    Ok(exit)
}

/// Says which secrets came with `file`: what others recorded is kept as it is.
fn warn_of_secrets(secrets: &BTreeMap<String, u64>, file: &Path, printer: &Printer) {
    if secrets.is_empty() {
        return;
    }
    printer.warn(format_args!(
        "{} has what looks secret, and it is kept as it came: {}; reports mask it, and so does \
         `recover export --redact`",
        file.display(),
        kinds_counted(secrets)
    ));
}

/// Copies every session of one store to another.
pub(crate) fn copy(context: &Context, args: CopyArgs) -> Result<Exit> {
    let printer = &context.printer;
    let from = &*context.existing_store_at("FROM", &args.from)?;
    let target = context.settings.store_at("TO", &args.to)?;
    target.value.check_own("copy", NOT_TO_A_SERVER)?;
    if args.encrypt {
        check_recipients(context)?;
    }
    let (to, recorder) = context.store_at("TO", &args.to)?;
    if args.exact {
        return copy_exactly(context, from, &to);
    }
    let to = &*to;
    let bar = progress_bar(printer);
    let mut progress = |copied: CopiedSession<'_>| {
        bar.set_length(copied.entries_of_all);
        bar.inc(copied.session.total_attempts);
        bar.set_message(escape_text(&copied.session.session_id));
    };
    let report = match args.encrypt {
        true => transfer::copy_encrypting(&recorder, from, to, &mut progress),
        false => transfer::copy(from, to, &mut progress),
    };
    bar.finish_and_clear();
    let CopyReport {
        sessions,
        entries,
        records,
        unknown_records,
        damage,
        different,
    } = report?;
    let is_whole = tell_what_differs(printer, &damage, &different);
    printer.note(format_args!(
        "{}, {}{}; {}",
        counted(sessions, "session"),
        all_counted(entries, records),
        unknown(unknown_records),
        match different.len() {
            0 if is_whole && args.encrypt => {
                "re-encoded: every trail there has as many entries, encrypted".to_owned()
            }
            0 if is_whole => "every trail there has the same entries and digest".to_owned(),
            0 => "what could be read is the same there".to_owned(),
            count => format!("{count} differ"),
        }
    ));
    if printer.json {
        let different = different.into_iter();
        printer.json(&Copied {
            from: from.url(),
            to: to.url(),
            sessions,
            entries: entries.read,
            added: entries.added,
            records: records.read,
            records_added: records.added,
            unknown_records,
            damaged: damage.len(),
            different: different
                .map(|(session_id, reason)| Different { session_id, reason })
                .collect(),
            re_encoded: args.encrypt,
        })?;
    }
    Ok(match is_whole {
        true => Exit::OK,
        false => Exit::NOT_FOUND,
    })
}

fn check_recipients(context: &Context) -> Result<()> {
    if context.encryption.is_some() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        "--encrypt needs somebody to encrypt to: name `recipients` in [encryption] of your own \
         configuration",
    ))
}

/// A bar of how many entries were copied, where a person waits.
fn progress_bar(printer: &Printer) -> ProgressBar {
    if printer.verbosity == Verbosity::Quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = "{bar:30} {human_pos}/{human_len} entries, {per_sec}, {eta} left  {msg:.dim}";
    let style =
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.with_style(style)
}

fn all_counted(entries: Counts, records: Counts) -> String {
    let entries = told(entries, "entry");
    match records.read {
        0 => entries,
        _ => format!("{entries}; {}", told(records, "journal record")),
    }
}

fn told(counts: Counts, what: &str) -> String {
    let known = counts.read - counts.added;
    let added = counted(counts.added, what);
    match (counts.added, known) {
        (_, 0) => added,
        (0, 1) => format!("nothing new, the 1 {what} was there"),
        (0, known) => format!("nothing new, all {} were there", counted(known, what)),
        (_, 1) => format!("{added}, 1 more was there"),
        (_, known) => format!("{added}, {known} more were there"),
    }
}

fn unknown(records: u64) -> String {
    match records {
        0 => String::new(),
        count => {
            let records = counted(count, "journal record");
            format!(", but not {records} of a kind that this release does not know")
        }
    }
}
