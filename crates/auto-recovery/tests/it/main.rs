//! The library's tests: one binary, one module a topic.

mod manager;
mod process_ending;
mod process_run;
mod process_stdin;
mod process_support;
mod recipes;
mod run;
mod tidy;
mod audit_logger;
mod audit_support;
mod statistics;
mod checkpoint;
mod detect;
