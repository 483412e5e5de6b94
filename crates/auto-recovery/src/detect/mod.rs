//! Output of a command to failure.
