//! `recover show --diff`, `--stat` and `--output`: one part of a session, whole.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use auto_recovery::audit::encrypting::Opener;
use auto_recovery::checkpoint::PatchForm;
use auto_recovery::files::{Links, open_regular};
use auto_recovery::run::Place;
use auto_recovery::{Error, ErrorKind, Result};

use crate::commands::evidence::Evidence;
use crate::commands::session::tried_nothing;
use crate::commands::wanted::{Wanted, session_of};
use crate::exit::Exit;
use crate::kept_outputs::{KeptOutputs, is_encrypted, unread};
use crate::output::{Escapes, Printer, session_argument, session_word, stdout_error};

/// Columns of a `--stat` that no terminal shows, as in git.
const STAT_COLUMNS: u16 = 80;

/// The part of a session, or of one attempt, to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Its changes, as `git apply` takes them.
    Diff,
    /// Its changed files, with the size of each change.
    Stat,
    /// The output of the command's first failure, or of the attempt.
    Output,
}

/// Writes `part` of the `wanted` session or attempt to stdout, unchanged.
///
/// # Errors
/// If there is none, or it cannot be read.
pub(super) fn show_part(
    (place, opener): (&Place, &Opener),
    wanted: Wanted<'_>,
    part: Part,
    printer: &Printer,
) -> Result<Exit> {
    if printer.json {
        let context = "--diff, --stat and --output are no JSON: leave out --json, or them: \
                       `recover show --json` has the diff, and where the output is";
        return Err(Error::new(ErrorKind::InvalidInput, context));
    }
    let store = &*place.store;
    let number = wanted.attempt;
    let session = session_of(store, wanted.session, printer)?;
    match part {
        Part::Diff => patch(place, (&session, number), PatchForm::Apply, printer)?,
        Part::Stat => {
            let form = PatchForm::Stat(printer.columns.unwrap_or(STAT_COLUMNS));
            patch(place, (&session, number), form, printer)?;
        }
        Part::Output => output((place, opener), (&session, number), printer)?,
    }
    Ok(Exit::OK)
}

fn patch(
    place: &Place,
    (session, number): (&str, Option<u64>),
    form: PatchForm,
    printer: &Printer,
) -> Result<()> {
    let absent = |what: String| Error::new(ErrorKind::NotFound, what);
    let (word, typed) = (session_word(session), session_argument(session));
    if number.is_none() && tried_nothing(&*place.store, session)? {
        return Err(absent(format!(
            "nothing was tried in session {word}: `recover show {typed}` tells why"
        )));
    }
    let flag = match form {
        PatchForm::Stat(_) => "--stat",
        _ => "--diff",
    };
    let patch = place.patch(session, number)?.ok_or_else(|| match number {
        Some(number) => absent(format!(
            "no checkpoint tells what attempt {number} of session {word} changed: `recover \
             history {typed}` lists its attempts"
        )),
        None => absent(format!(
            "nothing that session {word} changed stayed, or no checkpoint tells: `recover show \
             {flag} {typed} N` has what attempt N did"
        )),
    })?;
    let mut length = 0;
    printer.data(Escapes::Text, |out| {
        let mut give = |piece: &[u8]| {
            length += piece.len();
            out.write_all(piece).map(ControlFlow::Continue)
        };
        patch.read(form, &mut give).map(drop)
    })?;
    for number in patch.left_out() {
        printer.note(format_args!(
            "an earlier cure of this session is not in it: `recover show {flag} {word} {number}` \
             has what attempt {number} did"
        ));
    }
    let beyond = patch.beyond();
    for line in &beyond {
        printer.warn(format_args!("not in the patch: {line}"));
    }
    if length == 0 && beyond.is_empty() {
        let who = match number {
            Some(number) => format!("attempt {number} of session {word}"),
            None => format!("the cure of session {word}"),
        };
        return Err(absent(format!(
            "{who} changed no file: `recover show {word}` tells what it did"
        )));
    }
    Ok(())
}

fn output(
    (place, opener): (&Place, &Opener),
    (session, number): (&str, Option<u64>),
    printer: &Printer,
) -> Result<()> {
    let (evidence, damage) = Evidence::of(&*place.store, session)?;
    let path = match number {
        Some(number) => evidence.output_file(number),
        None => evidence.first_output_file(),
    };
    printer.damage(&damage.into_iter().collect::<Vec<_>>());
    let absent = |why: &str| {
        let (word, typed) = (session_word(session), session_argument(session));
        let whose = match number {
            Some(number) => format!("of attempt {number} of session {word}"),
            None => format!("of the first failure of session {word}"),
        };
        let context = format!("no output {whose}: {why}; `recover show {typed}` tells the rest");
        Error::new(ErrorKind::NotFound, context)
    };
    let path = path.ok_or_else(|| absent("none is on record"))?;
    let kept = KeptOutputs::of((&*place.store, opener), &place.state_dir, session)?;
    // A record written by another program may name any file.
    let own = kept
        .own(Path::new(path))
        .ok_or_else(|| absent("the record names a file outside of this state"))?;
    if is_encrypted(&own) {
        let text = kept.opened(&own).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => absent("it is older than the state keeps outputs"),
            _ => unread(&own, error),
        })?;
        let text = text.ok_or_else(|| absent("it is encrypted, and nothing here opens it"))?;
        return printer.data(Escapes::Text, |out| {
            out.write_all(&text).map_err(stdout_error)
        });
    }
    let mut file: File = open_regular(&own, Links::Refuse).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => absent("it is older than the state keeps outputs"),
        _ => Error::io("open", &own, error),
    })?;
    printer.data(Escapes::Text, |out| {
        io::copy(&mut file, out).map(drop).map_err(stdout_error)
    })
}
