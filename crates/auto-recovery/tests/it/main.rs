//! The library's tests: one binary, one module a topic.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod audit_contract;
mod audit_crowd;
mod audit_damage;
mod audit_entry;
mod audit_faults;
mod audit_limits;
mod audit_logger;
mod audit_model;
mod audit_places;
mod audit_processes;
mod audit_reading;
mod audit_rollups;
mod audit_support;
mod audit_torn;
mod checkpoint;
mod classify;
mod detect;
mod detect_input;
mod examples;
mod export;
mod fuzz_corpus;
mod manager;
mod power_cuts;
mod process_ending;
mod process_run;
mod process_stdin;
mod process_support;
mod process_terminal;
mod recipes;
mod recipes_reach;
mod report;
mod run;
mod statistics;
mod tidy;
mod waiting;
