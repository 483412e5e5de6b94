//! The library's tests: one binary, one module a topic.

mod tidy;
mod process_ending;
mod process_run;
mod process_support;
