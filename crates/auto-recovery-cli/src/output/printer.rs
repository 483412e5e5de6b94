//! Where commands write to.

use std::error::Error as _;
use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use auto_recovery::audit::Damage;
use auto_recovery::{Error, Hint, Result};
use rustix::io::Errno;
use serde::Serialize;

use crate::hints;
use crate::output::reader::{to_stderr, to_stdout};
use crate::output::{
    Escapes, EscapingWriter, JsonArray, Line, Pager, Tone, counted, escape_bytes, escape_text,
    fold, masked,
};

/// Columns taken for a terminal that does not say how wide it is.
const COLUMNS_DEFAULT: u16 = 80;
/// Bytes gathered before they are written to stdout.
const BUFFER_BYTES: usize = 64 * 1024;

/// How much is said on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// Errors and warnings.
    Quiet,
    /// What a person wants to know too.
    Normal,
    /// What explains it too.
    Verbose,
}

/// Where commands write to: data to stdout, everything else to stderr.
#[derive(Clone, Debug)]
pub(crate) struct Printer {
    /// Whether a program reads.
    pub(crate) json: bool,
    /// How much is said on stderr.
    pub(crate) verbosity: Verbosity,
    /// Whether stdout is a terminal.
    pub(crate) is_terminal: bool,
    /// Columns that a table may take; none where it is not for a terminal.
    pub(crate) columns: Option<u16>,
    /// Columns of the terminal that stderr is; none where it is none.
    pub(crate) columns_of_stderr: Option<u16>,
    /// Whether the terminal can take back a line that was shown.
    pub(crate) can_take_back: bool,
    /// What shows text that is longer than the terminal; none to print it as it is.
    pub(crate) pager: Option<Pager>,
}

impl Printer {
    /// A printer to this process's stdout and stderr. `columns` overrides what the terminal says.
    pub(crate) fn new(json: bool, verbosity: Verbosity, columns: Option<u16>) -> Self {
        let is_terminal = io::stdout().is_terminal();
        COLUMNS_WISHED.store(columns.unwrap_or(0), Ordering::Relaxed);
        Self {
            json,
            verbosity,
            is_terminal,
            columns: is_terminal.then(|| columns_of(io::stdout(), columns)),
            columns_of_stderr: columns_of_stderr(),
            can_take_back: true,
            pager: None,
        }
    }

    /// Lets `write` write data to stdout, and flushes it. On a terminal it is escaped as `escapes`
    /// says; elsewhere every byte passes as it is.
    ///
    /// # Errors
    /// What `write` returns, or if stdout cannot be written.
    pub(crate) fn data<T>(
        &self,
        escapes: Escapes,
        write: impl FnOnce(&mut dyn Write) -> Result<T>,
    ) -> Result<T> {
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock());
        if self.is_terminal {
            let mut escaping = EscapingWriter::new(out, escapes);
            let value = write(&mut escaping)?;
            escaping.finish().map_err(stdout_error)?;
            Ok(value)
        } else {
            let value = write(&mut out)?;
            out.flush().map_err(stdout_error)?;
            Ok(value)
        }
    }

    /// Writes text for people to stdout. Whoever made it has escaped what came from outside.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub(crate) fn text(&self, text: &str) -> Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(stdout_error)
    }

    /// Writes a line for people as [`Printer::text`] does. On a terminal it is folded, what goes on
    /// below set in by `indent`.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub(crate) fn line(&self, text: &str, indent: usize) -> Result<()> {
        let lines = match self.columns {
            Some(columns) => fold(text, columns.into(), indent).join("\n"),
            None => text.to_owned(),
        };
        self.text(&format!("{lines}\n"))
    }

    /// Writes text for people as [`Printer::text`] does, in the pager where it is longer than the
    /// terminal.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub(crate) fn long_text(&self, text: &str) -> Result<()> {
        let rows = || rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |size| size.ws_row);
        match (&self.pager, self.columns) {
            (Some(pager), Some(columns)) if rows_of(text, columns) >= rows().into() => {
                let missing = pager.missing();
                // Without `less` everybody is used to see all at once.
                if let Some(name) = missing.filter(|name| *name != "less") {
                    self.warn(format_args!(
                        "there is no program `{name}`, which PAGER names: this is shown without it"
                    ));
                }
                match missing.is_none() && pager.show(text) {
                    true => Ok(()),
                    false => self.text(text),
                }
            }
            _ => self.text(text),
        }
    }

    /// Writes `value` as JSON and ends the line.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<()> {
        self.data(Escapes::Json, |out| {
            serde_json::to_writer_pretty(&mut *out, value)
                .map_err(io::Error::from)
                .and_then(|()| out.write_all(b"\n"))
                .map_err(stdout_error)
        })
    }

    /// Writes `value` as JSON on one line, which is the last of stdout and no part of a line that
    /// came before.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub(crate) fn json_last_line(&self, value: &impl Serialize) -> Result<()> {
        let line = serde_json::to_string(value)
            .map_err(io::Error::from)
            .map_err(stdout_error)?;
        let line = match self.is_terminal {
            true => escape_bytes(line.as_bytes(), Escapes::Json),
            false => line,
        };
        let before = match STDOUT_IS_OPEN.swap(false, Ordering::Relaxed) {
            true => "\n",
            false => "",
        };
        to_stdout(format!("{before}{line}\n").as_bytes()).map_err(stdout_error)
    }

    /// Writes `items` as a JSON array, each on a line of its own.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub(crate) fn json_lines(&self, items: &[impl Serialize]) -> Result<()> {
        self.data(Escapes::Json, |out| {
            let mut array = JsonArray::begin(out).map_err(stdout_error)?;
            for item in items {
                array.item(item).map_err(stdout_error)?;
            }
            array.end().map_err(stdout_error)
        })
    }

    /// Tells a person something.
    pub(crate) fn note(&self, message: impl Display) {
        if self.verbosity >= Verbosity::Normal {
            print_line(format_args!("{message}"));
        }
    }

    /// Tells a person something in a line of several tones.
    pub(crate) fn note_line(&self, line: &Line) {
        if self.verbosity >= Verbosity::Normal {
            print_toned(line);
        }
    }

    /// Explains something to a person who asked for more.
    pub(crate) fn explain(&self, message: impl Display) {
        if self.verbosity >= Verbosity::Verbose {
            print_line(format_args!("{message}"));
        }
    }

    /// Writes whole lines to stderr that are for a program, beginning on a line of their own.
    /// Whoever made them has made harmless what came from outside.
    pub(crate) fn program_lines(&self, lines: &str) {
        let before = match LINE_IS_OPEN.swap(false, Ordering::Relaxed) {
            true => "\n",
            false => "",
        };
        let text = format!("{before}{lines}");
        to_stderr(text.as_bytes());
    }

    /// Warns a person, whatever the verbosity.
    pub(crate) fn warn(&self, message: impl Display) {
        print_toned(&Line::of(Tone::Doubtful, "warning:").and(Tone::Plain, format!(" {message}")));
    }

    /// Asks a person at the terminal of stderr `question`, below `lines`, whatever the verbosity.
    /// [`Printer::answered`] comes after it.
    pub(crate) fn ask(&self, lines: &[String], question: &str) {
        for line in lines {
            print_line(format_args!("{line}"));
        }
        let text = format!("recover: {} ", escape_text(&masked(question)));
        to_stderr(text.as_bytes());
        passed_on(text.as_bytes());
    }

    /// What was asked is answered, by a line that the terminal showed, or is not.
    pub(crate) fn answered(&self, by_line: bool) {
        if by_line {
            passed_on(b"\n");
        }
    }

    /// Says that `what` is read from standard input where that is a terminal: nothing comes from it
    /// until somebody types.
    pub(crate) fn reading_terminal(&self, what: &str) {
        if io::stdin().is_terminal() {
            self.note(format_args!(
                "reading {what} from this terminal; Ctrl-D ends it"
            ));
        }
    }

    /// Counts and locates what could not be read.
    pub(crate) fn damage(&self, damage: &[Damage]) {
        /// Places that are named; more are counted.
        const PLACES_MAX: usize = 10;

        if damage.is_empty() {
            return;
        }
        for place in damage.iter().take(PLACES_MAX) {
            self.warn(place);
        }
        if damage.len() > PLACES_MAX {
            let more = (damage.len() - PLACES_MAX) as u64;
            self.warn(format_args!("… and {}", counted(more, "more place")));
        }
        self.warn(format_args!(
            "{}; everything else is shown",
            counted(damage.len() as u64, "damaged place")
        ));
    }
}

/// Prints `error` with its causes, as the last thing this process says.
pub(crate) fn print_error(error: &Error) {
    let way_out = way_out(error)
        .map(|way| format!("; {way}"))
        .unwrap_or_default();
    let says = format!(" {}{way_out}", hints::chain(error));
    print_toned(&Line::of(Tone::Bad, "error:").and(Tone::Plain, says));
    if let Some(Hint::GiveMore { of }) = error.hint() {
        for one in of {
            print_line(format_args!("  {one}"));
        }
    }
}

/// Prints what is wrong with the command line, as the last thing this process says.
pub(crate) fn print_mistake(what: &str) {
    print_line(format_args!("error: {what}"));
}

/// Where the state and the record are, which settings can name elsewhere.
static OWN_PLACES: OnceLock<Vec<String>> = OnceLock::new();

/// Notes that `paths` are where the state and the record are.
pub(crate) fn know_own_places(paths: impl IntoIterator<Item = PathBuf>) {
    let shown = paths.into_iter().map(|path| path.display().to_string());
    // A process has one context; of a second one, the places are the same.
    OWN_PLACES.get_or_init(|| shown.collect());
}

/// What helps when the operating system says no, which knows nothing of our settings.
fn way_out(error: &Error) -> Option<&'static str> {
    let said = error.chain();
    let is_own = OWN_PLACES.get().is_some_and(|places| {
        let mut places = places.iter();
        places.any(|place| said.contains(place.as_str()))
    });
    way_out_of(error, is_own)
}

/// The same; `is_own` where the error is about the state or the record.
fn way_out_of(error: &Error, is_own: bool) -> Option<&'static str> {
    let is_stdout = error.to_string().ends_with(STDOUT);
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            let is = |errno: Errno| error.raw_os_error() == Some(errno.raw_os_error());
            return match error.kind() {
                _ if is(Errno::MFILE) => {
                    Some("`ulimit -n` has the limit, `ulimit -n 1024` raises it")
                }
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded if !is_own => {
                    Some("make room there")
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
                    if !is_own && !is_stdout =>
                {
                    Some("make it accessible to you, or name another one")
                }
                _ if !is_own => None,
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(
                    "make room there, or name another place (RECOVER_STATE_DIR keeps the state, \
                     --store the record)",
                ),
                io::ErrorKind::NotADirectory => {
                    Some("`recover doctor` says what is wrong and how to go on")
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Some(
                    "make it accessible to you, or name another place (RECOVER_STATE_DIR keeps \
                     the state, --store the record)",
                ),
                _ => None,
            };
        }
        cause = error.source();
    }
    None
}

/// The error of a stdout that cannot be written.
pub(crate) fn stdout_error(error: io::Error) -> Error {
    Error::io("write", Path::new(STDOUT), error)
}

/// What stdout is called.
const STDOUT: &str = "standard output";

/// Whether the last line on stderr, or where stderr goes, is somebody else's and not ended.
static LINE_IS_OPEN: AtomicBool = AtomicBool::new(false);

/// Notes that a command's `bytes` were passed on to where lines of ours go, too: none of ours
/// continues one of the command's.
pub(crate) fn passed_on(bytes: &[u8]) {
    if let Some(last) = bytes.last() {
        LINE_IS_OPEN.store(*last != b'\n', Ordering::Relaxed);
    }
}

/// Whether the last line on stdout is a command's and not ended.
static STDOUT_IS_OPEN: AtomicBool = AtomicBool::new(false);

/// Notes that a command's `bytes` were passed on to stdout.
pub(crate) fn passed_to_stdout(bytes: &[u8]) {
    if let Some(last) = bytes.last() {
        STDOUT_IS_OPEN.store(*last != b'\n', Ordering::Relaxed);
    }
}

/// One line on stderr, escaped.
fn print_line(message: std::fmt::Arguments<'_>) {
    print_toned(&Line::of(Tone::Plain, message.to_string()));
}

/// One line on stderr, escaped. A stderr that is gone is nobody's to tell.
fn print_toned(line: &Line) {
    let before = match LINE_IS_OPEN.swap(false, Ordering::Relaxed) {
        true => "\n",
        false => "",
    };
    let line = line.clone().map(|text| masked(text).into_owned());
    let named = Line::of(Tone::Aside, NAME)
        .and(Tone::Plain, " ")
        .join(&line);
    let shown = named.on_stderr(columns_of_stderr(), NAME.len() + 1);
    to_stderr(format!("{before}{shown}\n").as_bytes());
}

/// Whose each line on stderr is.
const NAME: &str = "recover:";

/// How wide the user says that terminals are; 0 if that is not said.
static COLUMNS_WISHED: AtomicU16 = AtomicU16::new(0);

/// Columns of the terminal that stderr is, now; none where it is none.
fn columns_of_stderr() -> Option<u16> {
    let wished = Some(COLUMNS_WISHED.load(Ordering::Relaxed)).filter(|wished| *wished > 0);
    let stderr = io::stderr();
    stderr.is_terminal().then(|| columns_of(stderr, wished))
}

/// How many rows `text` takes on a terminal of `columns`, about.
fn rows_of(text: &str, columns: u16) -> usize {
    let columns = usize::from(columns).max(1);
    let rows = text
        .lines()
        .map(|line| line.chars().count().div_ceil(columns).max(1));
    rows.sum()
}

/// Columns of the terminal that help goes to, `wished` by the user; none where it is none.
pub(crate) fn columns_of_help(on_stderr: bool, wished: Option<u16>) -> u16 {
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let columns = match on_stderr {
        true => stderr.is_terminal().then(|| columns_of(stderr, wished)),
        false => stdout.is_terminal().then(|| columns_of(stdout, wished)),
    };
    columns.unwrap_or(COLUMNS_DEFAULT)
}

/// How wide the terminal `of` is, unless the user says it is `wished`.
fn columns_of(of: impl AsFd, wished: Option<u16>) -> u16 {
    let terminal_columns = || {
        let size = rustix::termios::tcgetwinsize(of).ok()?;
        (size.ws_col > 0).then_some(size.ws_col)
    };
    wished.or_else(terminal_columns).unwrap_or(COLUMNS_DEFAULT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_place_is_offered_only_for_what_settings_place() {
        let check = |kind: io::ErrorKind, is_own, expected: Option<&str>| {
            let error = Error::io("write", Path::new("/x/y"), kind.into());
            let begin = way_out_of(&error, is_own).map(|way| way.split(',').next());
            assert_eq!(begin.flatten(), expected, "{kind} {is_own}");
        };
        check(io::ErrorKind::StorageFull, true, Some("make room there"));
        check(io::ErrorKind::StorageFull, false, Some("make room there"));
        let accessible = Some("make it accessible to you");
        check(io::ErrorKind::PermissionDenied, true, accessible);
        check(io::ErrorKind::PermissionDenied, false, accessible);
        let doctor = Some("`recover doctor` says what is wrong and how to go on");
        check(io::ErrorKind::NotADirectory, true, doctor);
        check(io::ErrorKind::NotADirectory, false, None);
        let few = io::Error::from_raw_os_error(Errno::MFILE.raw_os_error());
        let error = Error::io("open", Path::new("/x/y"), few);
        assert!(way_out_of(&error, false).unwrap().contains("ulimit -n"));
        let closed = || io::Error::from(io::ErrorKind::PermissionDenied);
        let error = Error::io("write", Path::new("/x/y"), closed());
        assert!(!way_out_of(&error, false).unwrap().contains("--store"));
        assert!(way_out_of(&error, true).unwrap().contains("--store"));
        assert_eq!(way_out_of(&stdout_error(closed()), false), None);
    }
}
