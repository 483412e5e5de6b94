//! Running commands: process groups, time limits, signals, capture.
//!
//! [`run()`] starts one command in a process group of its own, passes its output on as it comes,
//! keeps a bounded copy, and returns when the command is over and everything that had to end with
//! it has ended. It waits on file descriptors with exact timeouts; nothing here ticks.
//!
//! This room is the only one that starts programs. It never prints: bytes go to the
//! [`OutputSink`] that the caller hands in. It never reads the environment, never becomes a
//! subreaper and never installs a signal handler by itself; [`become_subreaper`], [`Signals`] and
//! [`die_by_signal`] are for a binary to call. It runs on Linux.

mod arrivals;
mod capture;
mod children;
mod clock;
mod connect;
mod descendants;
mod ending;
mod events;
mod foreground;
mod held_output;
mod helper;
mod keys;
mod marker;
mod nonblocking_writer;
mod offsets;
mod once;
mod output_files;
mod packet;
mod pty;
mod pump;
mod rawsignal;
mod relay;
mod run;
mod sentinel;
mod sigmask;
mod signals;
mod sink;
mod spawn;
mod spec;
mod stdin;
mod unread;
mod watch;

pub use capture::{Capture, Piece, Stream};
pub use descendants::{Process, are_seen, become_subreaper, left_unseen};
pub use ending::{Remains, end};
pub use foreground::ControllingTerminal;
pub use held_output::{HeldOutput, HeldStreams};
pub use helper::{End, Finished, Helper, Patience};
pub use marker::Marker;
pub use nonblocking_writer::NonblockingWriter;
pub use offsets::InheritedFiles;
pub use once::read_once;
pub(crate) use output_files::output_files;
pub use pty::Terminals;
pub use run::run;
pub use signals::{Signals, die_by_signal};
pub use sink::{Discard, OutputSink, PassThrough};
pub use spec::{CommandSpec, Completion, DEFAULT_GRACE, Exit, Leftovers, Stdin};
pub use stdin::{InputLost, ReplayedInput};
