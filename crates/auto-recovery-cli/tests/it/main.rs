//! The command's tests: whole stories through the binary, one module a topic.

#[cfg(feature = "serve")]
mod alerts;
mod attacked;
mod bad_input;
mod broken_config;
mod clear;
mod completions;
mod config;
mod consent;
mod encrypted;
mod explain;
mod export;
mod fixers;
mod fuzz_config;
mod generated;
mod going_back;
mod harness;
mod ids;
mod keep;
mod killed;
mod learn;
mod left_out;
mod log;
mod masking;
mod newest;
mod output_files;
mod outside;
mod planted;
mod projects;
mod read;
mod redact;
mod refused;
#[cfg(all(feature = "remote", feature = "serve"))]
mod remote;
mod remote_seals;
mod run;
mod screens;
mod seals;
mod secrets;
#[cfg(feature = "serve")]
mod serve;
mod session;
mod stores;
mod tail;
mod terminal;
mod transfer;
mod trust;
mod typing;
mod unread;
mod usage;
mod widths;
mod witnesses;
