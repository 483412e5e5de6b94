//! `recover redact`.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use auto_recovery::audit::{encoding, redaction_key};
use auto_recovery::redaction::{Finding, NotLearned, RedactionStream, Redactor, kinds};
use auto_recovery::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::args::RedactArgs;
use crate::commands::captured::{Source, named};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Column, Escapes, Printer, Table, stdout_error};

/// A kind, for programs.
#[derive(Serialize)]
struct Listed<'a> {
    kind: &'a str,
    of: &'a str,
    context: bool,
    literals: &'a [String],
}

/// Something secret that was found, for programs.
#[derive(Serialize)]
struct Shown<'a> {
    file: &'a str,
    line: usize,
    kind: &'a str,
    proved: bool,
}

/// Masks the secrets in a text, names them, or lists what is found.
///
/// # Errors
/// If the text cannot be read.
pub(crate) fn redact(context: &Context, args: RedactArgs) -> Result<Exit> {
    let printer = &context.printer;
    if args.list {
        return list(printer);
    }
    let file = named(args.file.as_deref());
    if file.is_none() {
        printer.reading_terminal("the text to mask");
    }
    let source = Source::open(file)?;
    let stream = RedactionStream::new(redactor(context)?);
    match args.check {
        true => check(stream, source, file.unwrap_or(Path::new("-")), printer),
        false => filter(stream, source, printer),
    }
}

/// A redactor that knows what the settings and the environment say. It masks also where records
/// are kept as they are: whoever calls it wants that.
///
/// # Errors
/// If a file of values cannot be read.
pub(crate) fn redactor(context: &Context) -> Result<Arc<Redactor>> {
    let (settings, printer) = (&context.settings.redact, &context.printer);
    let redactor = settings.redactor(redaction_key(&*context.host));
    for (name, value) in settings.values()? {
        match redactor.learn(&name, &value) {
            Ok(()) => {}
            Err(NotLearned::Path | NotLearned::PlainUrl) => {
                printer.explain(format_args!("{name} holds no secret"));
            }
            Err(why) => printer.note(format_args!("the value of {name} is not masked: {why}")),
        }
    }
    Ok(Arc::new(redactor))
}

/// How many secrets there are of each kind, in words.
pub(super) fn kinds_counted(counts: &BTreeMap<impl Display, u64>) -> String {
    let counts = counts.iter().map(|(kind, count)| format!("{count} {kind}"));
    counts.collect::<Vec<_>>().join(", ")
}

/// Writes `source` to stdout, masked, and says what was.
fn filter(mut stream: RedactionStream, source: Source<'_>, printer: &Printer) -> Result<Exit> {
    let mut counts = BTreeMap::<Arc<str>, u64>::new();
    let mut count = |found: Vec<Finding>| {
        for one in found {
            *counts.entry(one.kind).or_default() += 1;
        }
    };
    printer.data(Escapes::Text, |out| {
        let mut masked = Vec::new();
        each_piece(source, |piece| {
            count(stream.push(piece, &mut masked));
            // Whoever reads sees a line as soon as it can be told.
            out.write_all(&masked)
                .and_then(|()| out.flush())
                .map_err(stdout_error)?;
            masked.clear();
            Ok(())
        })?;
        count(stream.finish(&mut masked));
        out.write_all(&masked).map_err(stdout_error)
    })?;
    if !counts.is_empty() {
        printer.note(format_args!("masked {}", kinds_counted(&counts)));
    }
    Ok(Exit::OK)
}

/// Gives `take` each piece of `source`. A text that begins as UTF-16 does is refused: what is
/// secret in it would not be seen.
fn each_piece(source: Source<'_>, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut is_first = true;
    source.each(|piece| {
        if std::mem::take(&mut is_first)
            && let Some(why) = encoding::refusal(piece)
        {
            return Err(Error::new(ErrorKind::InvalidInput, why));
        }
        take(piece)
    })
}

/// Names what is secret in `source`, the text in `file`.
fn check(
    mut stream: RedactionStream,
    source: Source<'_>,
    file: &Path,
    printer: &Printer,
) -> Result<Exit> {
    let file = file.to_string_lossy();
    let mut found: Vec<Finding> = Vec::new();
    let mut masked = Vec::new();
    each_piece(source, |piece| {
        masked.clear();
        found.extend(stream.push(piece, &mut masked));
        Ok(())
    })?;
    found.extend(stream.finish(&mut masked));
    if printer.json {
        let shown = found.iter().map(|one| Shown {
            file: &file,
            line: one.line,
            kind: &one.kind,
            proved: one.is_proved,
        });
        printer.json_lines(&shown.collect::<Vec<_>>())?;
    } else {
        printer.data(Escapes::Text, |out| {
            found.iter().try_for_each(|one| {
                writeln!(out, "{file}:{}: {}", one.line, one.kind).map_err(stdout_error)
            })
        })?;
    }
    Ok(match found.is_empty() {
        true => Exit::OK,
        false => Exit::NOT_FOUND,
    })
}

fn list(printer: &Printer) -> Result<Exit> {
    if printer.json {
        let listed = kinds().iter().map(|kind| Listed {
            kind: &kind.id,
            of: &kind.of,
            context: kind.is_context(),
            literals: &kind.literals,
        });
        printer.json_lines(&listed.collect::<Vec<_>>())?;
        return Ok(Exit::OK);
    }
    let columns = [
        Column::whole("KIND"),
        Column::whole("KNOWN BY"),
        Column::flexible("OF", 20),
    ];
    let mut table = Table::new(&columns, printer.columns);
    for kind in kinds() {
        let by = match kind.is_context() {
            true => "its place",
            false => "its shape",
        };
        table.row([kind.id.as_str(), by, &kind.of]);
    }
    printer.long_text(&table.render())?;
    Ok(Exit::OK)
}
