//! The native half of the Python package `auto_recovery`.
//!
//! It parses, calls and renders: every rule is the library's. Waiting, disk and statistics happen
//! with the interpreter released; it is attached only where Python objects are read, made or
//! called.

mod attempt;
mod case;
mod encryption;
mod entry;
mod error;
mod failure;
mod foreign;
mod host;
mod log;
mod module;
mod numbers;
mod output;
mod recover;
mod strategy;
mod value;
mod watch;
