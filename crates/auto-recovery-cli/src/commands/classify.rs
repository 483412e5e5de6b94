//! `recover classify`.

use std::io::{self, BufRead, Read};
use std::path::Path;

use auto_recovery::detect::{BatchInput, Detection, Observation, Rules, detect};
use auto_recovery::process::Stream;
use auto_recovery::{Category, Error, Result};
use serde::Serialize;

use crate::args::ClassifyArgs;
use crate::commands::captured::{named, read};
use crate::commands::not_json::in_words;
use crate::commands::run::user_rules;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Escapes, stdout_error};

/// The longest line of a batch: a captured output of 32 MiB with every byte escaped.
const LINE_BYTES_MAX: usize = 192 << 20;

/// One answer, in the order of the failure's fields.
#[derive(Serialize)]
struct Answer<'a> {
    category: Category,
    error_type: &'a str,
    message: &'a str,
    source: &'a str,
    file_path: Option<&'a str>,
    line_number: Option<u64>,
    stack_trace: Option<&'a str>,
    rule: &'a str,
}

/// Says what kind of failure an output shows, or many.
///
/// # Errors
/// If the input cannot be read, or a rule of the user's is not sound.
pub(crate) fn classify(context: &Context, args: ClassifyArgs) -> Result<Exit> {
    let own = user_rules(&context.settings.run)?;
    let rules = own.as_deref().unwrap_or_else(|| Rules::builtin());
    if args.batch {
        return batch(context, rules);
    }
    let file = named(args.file.as_deref());
    if file.is_none() {
        context.printer.reading_terminal("the output of a command");
    }
    let capture = read(file)?;
    let argv: Vec<String> = match args.command {
        Some(command) => vec!["sh".to_owned(), "-c".to_owned(), command],
        None => Vec::new(),
    };
    let output = capture.stream(Stream::Stderr);
    let observation = Observation {
        argv: &argv,
        exit_code: args.exit_code,
        signal: None,
        timed_out: false,
        stdout: b"",
        stderr: &output,
    };
    let Detection {
        mut failure,
        category,
        rule,
    } = detect(&observation, rules);
    if args.exit_code.is_none() && output.trim_ascii().is_empty() {
        failure.message = "there is no output, and --exit-code was not given".into();
    }
    context.printer.json(&Answer {
        category,
        error_type: &failure.error_type,
        message: &failure.message,
        source: &failure.source,
        file_path: failure.file_path.as_deref(),
        line_number: failure.line_number,
        stack_trace: failure.stack_trace.as_deref(),
        rule: &rule,
    })?;
    Ok(Exit::OK)
}

/// Answers each line of standard input with a line, in order. A line that cannot be read is named
/// by its number; the others are answered.
fn batch(context: &Context, rules: &Rules) -> Result<Exit> {
    context.printer.reading_terminal("failures, a line each,");
    let mut input = io::stdin().lock();
    let mut exit = Exit::OK;
    context.printer.data(Escapes::Json, |out| {
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            let limit = LINE_BYTES_MAX as u64 + 1;
            let count = input
                .by_ref()
                .take(limit)
                .read_until(b'\n', &mut line)
                .map_err(|error| Error::io("read", Path::new("standard input"), error))?;
            if count == 0 {
                break;
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            match answer(&line, rules) {
                Ok(text) => writeln!(out, "{text}").map_err(stdout_error)?,
                Err(why) => {
                    exit = Exit::NOT_FOUND;
                    context.printer.warn(format_args!("line {number}: {why}"));
                    skip_rest(&mut input, &line)?;
                }
            }
        }
        Ok(())
    })?;
    Ok(exit)
}

fn answer(line: &[u8], rules: &Rules) -> std::result::Result<String, String> {
    if line.len() > LINE_BYTES_MAX {
        return Err(format!("longer than {LINE_BYTES_MAX} bytes"));
    }
    let input: BatchInput = serde_json::from_slice(line)
        .map_err(|error| format!("not a case: {}", in_words(&error)))?;
    serde_json::to_string(&input.classify(rules)).map_err(|error| error.to_string())
}

/// Leaves the rest of a line that was too long to be read whole.
fn skip_rest(input: &mut impl BufRead, line: &[u8]) -> Result<()> {
    if line.ends_with(b"\n") || line.len() <= LINE_BYTES_MAX {
        return Ok(());
    }
    input
        .skip_until(b'\n')
        .map(drop)
        .map_err(|error| Error::io("read", Path::new("standard input"), error))
}
