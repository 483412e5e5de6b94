//! `recover explain`: which rule told a failure, by which line, and what each recipe made of it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use auto_recovery::audit::encrypting::Opener;
use auto_recovery::audit::session_id::{self, short};
use auto_recovery::audit::{AuditStore, FailureDetected, FoundSession, find_session};
use auto_recovery::detect::{self, Detection, Explained, Observation, Rules};
use auto_recovery::process::Stream;
use auto_recovery::recipe::Situation;
use auto_recovery::run::{RunRequest as Request, Verdict, display_command};
use auto_recovery::{Category, Error, ErrorKind, Failure, Result};

use crate::args::ExplainArgs;
use crate::commands::captured::{named, read};
use crate::commands::evidence::{Evidence, Faced};
use crate::commands::explain_text::{self, Shape};
use crate::commands::explanation::{Explanation, Line, OfRecipe};
use crate::commands::run::library_request;
use crate::commands::session::{self, Asked};
use crate::context::Context;
use crate::exit::Exit;
use crate::kept_outputs::{KeptOutputs, is_encrypted, unread};
use crate::output::{Printer, Verbosity, counted, session_argument};
use crate::settings::RunRequest;

/// What a command wrote, in a file or on standard input (`-`), and what is known of that.
struct CapturedOutput {
    file: String,
    /// How the command ended.
    exit_code: Option<i32>,
    /// The command, as one would type it.
    command: Option<String>,
}

/// Explains a session, or an output that is there already.
pub(crate) fn explain(context: &Context, args: ExplainArgs) -> Result<Exit> {
    let ExplainArgs {
        what,
        last: _,
        exit_code,
        command,
        any_project,
    } = args;
    let is_told_of = command.is_some() || exit_code.is_some();
    let output = |file| CapturedOutput {
        file,
        exit_code,
        command,
    };
    let mut request = library_request(context, &RunRequest::of(Vec::new()))?;
    let printer = &context.printer;
    match what {
        Some(file) if is_told_of || file == "-" => explain_output(request, &output(file), printer),
        Some(what) if !is_session(&*context.store()?, &what)? => {
            explain_output(request, &output(what), printer)
        }
        session => {
            let (place, opener) = context.readable_place()?;
            request.state.store = place.store;
            let asked = context.asked(session, any_project);
            explain_session((request, &opener), asked, printer)
        }
    }
}

/// Whether `text` means a session of `store`: the id of one, or a piece that is no file's name.
///
/// # Errors
/// If the store cannot be read.
fn is_session(store: &dyn AuditStore, text: &str) -> Result<bool> {
    if session_id::encode(text).is_err() {
        return Ok(false);
    }
    if store.is_known(text)? || Path::new(text).exists() {
        return store.is_known(text);
    }
    let found = find_session(store, text)?;
    Ok(!matches!(found, FoundSession::Nothing(_)))
}

/// Explains the failures of the last recovery of the session `asked` for, each in turn.
///
/// # Errors
/// [`ErrorKind::NotFound`] if there is no such session, or nothing failed in it.
fn explain_session(
    (mut request, opener): (Request, &Opener),
    asked: Asked<'_>,
    printer: &Printer,
) -> Result<Exit> {
    let store = request.state.store.clone();
    let session = session::asked_for(&*store, asked, printer)?;
    let (evidence, damage) = Evidence::of(&*store, &session)?;
    let started = evidence.session_started();
    let argv = started.and_then(|one| one.command.clone());
    request.command.argv = argv.into_iter().flatten().map(OsString::from).collect();
    if let Some(cwd) = started.and_then(|one| one.cwd.as_ref()) {
        request.command.cwd = PathBuf::from(cwd);
    }
    let (failures, earlier) = evidence.failures();
    let outputs = KeptOutputs::of((&*store, opener), &request.state.dir, &session)?;
    let mut told = failures
        .iter()
        .map(|faced| recorded((&request, &outputs), faced, printer));
    let mut first = told.next().ok_or_else(|| {
        let context = format!("no failure is on record in session {}", short(&session));
        Error::new(ErrorKind::NotFound, context)
    })??;
    first.session_id = Some(&session);
    first.then = told.collect::<Result<_>>()?;
    if earlier > 0 {
        printer.note(format_args!(
            "{} of earlier recoveries in this session are not explained; `recover show {}` has \
             what was tried",
            counted(earlier as u64, "failure"),
            session_argument(&session)
        ));
    }
    tell(&first, printer)?;
    printer.damage(&damage);
    Ok(Exit::OK)
}

/// What is said of a failure on record.
fn recorded<'a>(
    (request, outputs): (&Request, &KeptOutputs<'_>),
    faced: &Faced<'a>,
    printer: &Printer,
) -> Result<Explanation<'a>> {
    let found = faced.found;
    let output = kept_output((found, outputs), printer)?.unwrap_or_default();
    let explained = detected(request, &output, found);
    // What is on record decided; a line is known only where the same rule would decide again.
    let would_again = explained.detection.rule == found.rule;
    let line = explained.line.filter(|_| would_again);
    let detection = Detection {
        failure: found.failure.clone(),
        category: found.category,
        rule: found.rule.clone(),
    };
    let mut explanation = explained_by(request, detection, &output)?;
    explanation.output_file.clone_from(&found.output_file);
    explanation.skipped = &found.skipped;
    if would_again {
        explanation.words = explained.words;
    }
    explanation.line = line.map(|line| Line {
        // Above the output stands what was run.
        number: line.number + 1,
        text: line.text,
    });
    for (name, number, cured) in &faced.ran {
        let end = match cured {
            Some(true) => "recovered",
            Some(false) => "no cure by itself",
            None => "without an end",
        };
        let mut recipes = explanation.recipes.iter_mut();
        if let Some(recipe) = recipes.find(|recipe| recipe.name == *name) {
            recipe.ran.push(format!("ran in attempt {number}: {end}"));
        }
    }
    Ok(explanation)
}

/// Explains the failure that an output shows.
///
/// # Errors
/// If it cannot be read.
fn explain_output(
    mut request: Request,
    output: &CapturedOutput,
    printer: &Printer,
) -> Result<Exit> {
    let path = named(Some(Path::new(&output.file)));
    if path.is_none() {
        printer.reading_terminal("the output of a command");
    }
    if path.is_some_and(|path| !path.exists()) {
        let name = &output.file;
        return Err(Error::new(
            ErrorKind::NotFound,
            format!("no session and no file {name}; `recover sessions --all` lists the sessions"),
        ));
    }
    let capture = read(path)?;
    let text = String::from_utf8_lossy(&capture.stream(Stream::Stderr)).into_owned();
    if let Some(command) = &output.command {
        request.command.argv = ["sh", "-c", command].map(OsString::from).to_vec();
    }
    let as_if = FailureDetected {
        exit_code: output.exit_code,
        ..nothing_known()
    };
    let Explained {
        detection,
        line,
        words,
    } = detected(&request, &text, &as_if);
    let mut explanation = explained_by(&request, detection, &text)?;
    explanation.words = words;
    explanation.output_file = Some(output.file.clone());
    explanation.line = line.map(|line| Line {
        number: line.number,
        text: line.text,
    });
    if let Some(typed) = &output.command {
        explanation.command.clone_from(typed);
    }
    tell(&explanation, printer)?;
    Ok(Exit::OK)
}

fn nothing_known() -> FailureDetected {
    FailureDetected::new(Failure::default(), Category::Unknown)
}

/// What the command wrote when it failed, if that is still there: without the line above it and
/// the one below.
fn kept_output(
    (found, outputs): (&FailureDetected, &KeptOutputs<'_>),
    printer: &Printer,
) -> Result<Option<String>> {
    let Some(path) = found.output_file.as_deref().map(Path::new) else {
        return Ok(None);
    };
    if !path.exists() {
        printer.note(format_args!(
            "{} is gone: nothing but the record is left",
            path.display()
        ));
        return Ok(None);
    }
    let text = if is_encrypted(path) {
        let opened = outputs.own(path).map(|own| outputs.opened(&own));
        let opened = opened.transpose().map_err(|error| unread(path, error))?;
        let Some(text) = opened.flatten() else {
            return Ok(None);
        };
        String::from_utf8_lossy(&text).into_owned()
    } else {
        let capture = read(Some(path))?;
        String::from_utf8_lossy(&capture.stream(Stream::Stderr)).into_owned()
    };
    let (_, rest) = text.split_once('\n').unwrap_or(("", &text));
    let end = rest.trim_end().rfind("\n[").map_or(0, |at| at + 1);
    Ok(Some(rest[..end].to_owned()))
}

fn detected(request: &Request, output: &str, ended: &FailureDetected) -> Explained {
    let own = request.tries.rules.as_deref();
    let rules = own.unwrap_or_else(|| Rules::builtin());
    let argv = request.words();
    let observation = Observation {
        argv: &argv,
        exit_code: ended.exit_code,
        signal: ended.signal,
        timed_out: ended.timed_out,
        stdout: b"",
        stderr: output.as_bytes(),
    };
    detect::explain(&observation, rules)
}

/// What is said of a failure that `detection` tells: its recipes are judged as they are now.
fn explained_by<'a>(
    request: &Request,
    detection: Detection,
    output: &str,
) -> Result<Explanation<'a>> {
    let argv = request.words();
    let situation = Situation {
        argv: &argv,
        failure: Some(&detection.failure),
        category: detection.category,
        output,
    };
    let verdicts = request.verdicts(&situation)?;
    Ok(Explanation {
        session_id: None,
        command: display_command(&argv),
        category: detection.category,
        failure: detection.failure,
        rule: detection.rule,
        output_file: None,
        line: None,
        words: Vec::new(),
        skipped: &[],
        recipes: verdicts.into_iter().map(of_recipe).collect(),
        then: Vec::new(),
    })
}

fn tell(explanation: &Explanation<'_>, printer: &Printer) -> Result<()> {
    let shape = Shape {
        width: printer.columns,
        is_verbose: printer.verbosity >= Verbosity::Verbose,
    };
    match printer.json {
        true => printer.json(explanation),
        false => printer.text(&explain_text::text(explanation, shape)),
    }
}

fn of_recipe(verdict: Verdict) -> OfRecipe {
    OfRecipe {
        name: verdict.recipe.name,
        tier: verdict.recipe.tier,
        remedy: verdict.recipe.remedy,
        is_for_it: verdict.is_for_it,
        runs: verdict.commands,
        why_not: verdict.obstacles,
        ran: Vec::new(),
    }
}
