//! This process's own streams, lent to the commands of a run.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use auto_recovery::host::Host;
use auto_recovery::interrupt::Interrupt;
use auto_recovery::mutex;
use auto_recovery::process::{
    CommandSpec, ControllingTerminal, Discard, HeldOutput, HeldStreams, InheritedFiles, OutputSink,
    PassThrough, ReplayedInput, Stdin, Stream, Terminals, read_once,
};
use auto_recovery::run::{Console, Role, display_command};
use auto_recovery::{Error, Result};
use rustix::fs::FileType;
use rustix::termios::isatty;

use crate::hints;
use crate::output::{Printer, Status, human_seconds, masking_stream, passed_on, passed_to_stdout};

/// The streams of this process.
pub(super) struct Terminal {
    printer: Printer,
    terminals: Terminals,
    /// Whether stdout and stderr end at one place.
    one_place: bool,
    /// What `make` says to its jobs.
    makeflags: OsString,
    /// The command that runs, as a person would type it.
    command: String,
    controlling: Option<ControllingTerminal>,
    input: Option<Arc<ReplayedInput>>,
    files: InheritedFiles,
    held: Option<SharedOutput>,
    holds: Option<HeldStreams>,
    status: Arc<Status>,
}

/// What a [`Terminal`] is made of.
pub(super) struct Lent {
    /// Tells the person that a command is being stopped.
    pub(super) printer: Printer,
    /// Whether commands write to terminals where this process does.
    pub(super) pty: bool,
    /// What `make` says to its jobs.
    pub(super) makeflags: OsString,
    /// Where output goes, if it is held back.
    pub(super) held: Option<SharedOutput>,
    /// What of it is.
    pub(super) holds: Option<HeldStreams>,
    /// The moving line.
    pub(super) status: Arc<Status>,
}

impl Terminal {
    /// This process's streams.
    pub(super) fn new(lent: Lent) -> Result<Self> {
        let Lent {
            printer,
            pty,
            makeflags,
            held,
            holds,
            status,
        } = lent;
        let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
        let terminals = match pty {
            true => Terminals::among(stdout.as_fd(), stderr.as_fd())
                .map_err(|error| Error::os("look at stdout and stderr", error))?,
            false => Terminals::default(),
        };
        let input = match isatty(&stdin) {
            true => None,
            false => {
                let input = ReplayedInput::new(stdin.as_fd(), &std::env::temp_dir());
                Some(Arc::new(
                    input.map_err(|error| Error::os("look at stdin", error))?,
                ))
            }
        };
        let controlling = ControllingTerminal::open(stdin.as_fd(), stdout.as_fd());
        Ok(Self {
            printer,
            terminals,
            one_place: are_one_place(stdout.as_fd(), stderr.as_fd()),
            makeflags,
            command: String::new(),
            controlling,
            input,
            files: InheritedFiles::look(),
            held,
            holds,
            status,
        })
    }
}

impl Terminal {
    fn holds_both(&self) -> bool {
        self.holds == Some(HeldStreams::Both)
    }
}

impl Console for Terminal {
    fn prepare(&mut self, role: Role, spec: &mut CommandSpec) -> Result<()> {
        spec.terminals = self.terminals.clone();
        if role == Role::Command {
            self.files.set_back();
        }
        match role {
            Role::Helper if self.holds_both() => spec.terminals = Terminals::default(),
            Role::Helper | Role::Person => {
                spec.terminals.stdout = spec.terminals.stderr.clone();
                spec.one_output = true;
            }
            Role::Command if self.holds_both() => {
                spec.terminals = Terminals::default();
                spec.one_output = self.one_place;
            }
            Role::Command if self.held.is_some() => spec.terminals.stdout = None,
            Role::Command => spec.one_output = self.one_place,
        }
        self.command = match &spec.argv[..] {
            // How a strategy's command that was given as text is run.
            [sh, option, text] if sh == "sh" && option == "-c" && role != Role::Command => {
                text.to_string_lossy().into_owned()
            }
            argv => display_command(argv),
        };
        spec.controlling_terminal = self.controlling.clone();
        spec.stdin = match (&self.input, role) {
            (None, _) => Stdin::Inherit,
            (Some(input), Role::Command) => Stdin::Replay(Arc::clone(input)),
            // What is piped in is the command's.
            (Some(_), Role::Helper | Role::Person) => Stdin::Null,
        };
        Ok(())
    }

    fn sink(&mut self, role: Role) -> Result<Box<dyn OutputSink + '_>> {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        if role == Role::Helper && self.holds_both() {
            return Ok(Box::new(Discard));
        }
        if let (Role::Command, Some(held)) = (role, &self.held) {
            let passes_stderr = !self.holds_both();
            let mut held = mutex::lock(held);
            held.forget();
            // What follows is where stdout begins.
            passed_to_stdout(b"\n");
            return Ok(Box::new(Passing {
                to: Locked(held),
                moves: [false, passes_stderr && isatty(&stderr)],
                is_ours: [false, passes_stderr],
                is_stdout: true,
                console: self,
            }));
        }
        let out = match role {
            Role::Command => stdout.as_fd(),
            Role::Helper | Role::Person => stderr.as_fd(),
        };
        Ok(Box::new(Passing {
            to: pass_through(out, stderr.as_fd())?,
            moves: [isatty(out), isatty(&stderr)],
            is_ours: [self.one_place || role != Role::Command, true],
            is_stdout: role == Role::Command,
            console: self,
        }))
    }

    fn can_run_again(&self, argv: &[OsString]) -> std::result::Result<(), String> {
        let input = self.input.as_ref();
        let lost = input.and_then(|input| input.why_lost()).map(|why| {
            let says = why.to_string();
            why.hint()
                .map_or(says.clone(), |hint| hints::words(&says, &hint))
        });
        match lost.or_else(|| self.files.why_lost()) {
            Some(why) => Err(why),
            None => read_once(argv, &self.makeflags).map_or(Ok(()), Err),
        }
    }
}

/// Whether what is written to `a` and to `b` ends at one place, where its order matters.
fn are_one_place(a: BorrowedFd<'_>, b: BorrowedFd<'_>) -> bool {
    let (Ok(is), Ok(other)) = (rustix::fs::fstat(a), rustix::fs::fstat(b)) else {
        return false;
    };
    let keeps_order = match FileType::from_raw_mode(is.st_mode) {
        FileType::RegularFile | FileType::Fifo | FileType::Socket => true,
        _ => isatty(a),
    };
    keeps_order && (is.st_dev, is.st_ino) == (other.st_dev, other.st_ino)
}

/// The output of the run that decides, kept back until it is known which that is.
pub(super) type SharedOutput = Arc<Mutex<HeldOutput<PassThrough>>>;

/// Holds back what goes to `streams`.
///
/// # Errors
/// If the streams of this process cannot be used.
pub(super) fn hold(streams: HeldStreams) -> Result<SharedOutput> {
    let through = pass_through(io::stdout().as_fd(), io::stderr().as_fd())?;
    Ok(Arc::new(Mutex::new(HeldOutput::new(
        through,
        streams,
        &std::env::temp_dir(),
    ))))
}

fn pass_through(out: BorrowedFd<'_>, err: BorrowedFd<'_>) -> Result<PassThrough> {
    PassThrough::new(out, err).map_err(|error| Error::os("pass output on", error))
}

/// Passes output on, with the moving line out of its way.
struct Passing<'a, S> {
    to: S,
    /// Whether a stream ends on a terminal, where the moving line is.
    moves: [bool; 2],
    /// Whether a stream ends where lines of ours go.
    is_ours: [bool; 2],
    /// Whether the command's stdout ends on ours, now or when it is released.
    is_stdout: bool,
    console: &'a Terminal,
}

impl<S: OutputSink> OutputSink for Passing<'_, S> {
    fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<usize> {
        let written = match self.moves[stream as usize] {
            true => {
                let status = &self.console.status;
                status.passing(bytes, || self.to.write(stream, bytes))
            }
            false => self.to.write(stream, bytes),
        };
        if self.is_stdout
            && stream == Stream::Stdout
            && let Ok(count) = written
        {
            passed_to_stdout(&bytes[..count]);
        }
        if self.is_ours[stream as usize]
            && let Ok(count) = written
        {
            passed_on(&bytes[..count]);
        }
        written
    }

    fn stopping(&mut self, grace: Duration) {
        let Terminal {
            command,
            status,
            printer,
            ..
        } = self.console;
        status.over(|| {
            printer.note(format_args!(
                "stopping `{command}`, killed in {} · Ctrl-C again kills it now",
                human_seconds(grace.as_secs_f64())
            ));
        });
    }

    fn wait_on(&self, stream: Stream) -> Option<BorrowedFd<'_>> {
        self.to.wait_on(stream)
    }

    fn outlive(&self, stream: Stream) -> Option<OwnedFd> {
        self.to.outlive(stream)
    }
}

/// Held stdout for the length of one run.
struct Locked<'a>(MutexGuard<'a, HeldOutput<PassThrough>>);

impl OutputSink for Locked<'_> {
    fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(stream, bytes)
    }

    fn wait_on(&self, stream: Stream) -> Option<BorrowedFd<'_>> {
        self.0.wait_on(stream)
    }

    fn outlive(&self, stream: Stream) -> Option<OwnedFd> {
        self.0.outlive(stream)
    }
}

/// Bytes of held output that are released, where it is cut: a tenth of the text that a model of
/// today is given at once, at four bytes a word.
const CUT_BYTES_MAX: u64 = 16 * 1024;
/// The part of that which comes from the beginning; most tools say what matters at the end.
const CUT_HEAD: u64 = 4 * 1024;

/// Releases `held`, cut in the middle if `cut` and it is long; what is left out can be read in a
/// file that is named.
///
/// # Errors
/// If it cannot be written.
pub(super) fn release(
    held: &SharedOutput,
    cut: bool,
    interrupt: &Interrupt,
    host: &dyn Host,
) -> io::Result<()> {
    let mut held = mutex::lock(held);
    let (length, is_open) = (held.length(), held.is_open());
    if !cut || length <= CUT_BYTES_MAX {
        held.release(interrupt, host)?;
    } else {
        let left_out = CUT_HEAD..length - (CUT_BYTES_MAX - CUT_HEAD);
        let count = left_out.end - left_out.start;
        let mut masking = masking_stream();
        let masked = |piece: Option<&[u8]>| {
            let mut out = Vec::new();
            match piece {
                Some(piece) => masking.push(piece, &mut out),
                None => masking.finish(&mut out),
            };
            out
        };
        let all = match held.keep_in(&std::env::temp_dir(), masked) {
            Ok(path) => format!("all of it is in {}", path.display()),
            Err(error) => format!("all of it could not be kept: {error}"),
        };
        let note = format!("\n… {count} bytes left out; {all}\n");
        held.release_without(left_out, note.as_bytes(), (interrupt, host))?;
    }
    if is_open {
        // A line of ours is none of the command's.
        passed_on(b" ");
    }
    Ok(())
}
