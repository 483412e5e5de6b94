//! The command's tests: whole stories through the binary, one module a topic.

mod clear;
mod completions;
mod config;
mod export;
mod fixers;
mod fuzz_config;
mod harness;
mod keep;
mod killed;
mod log;
mod outside;
mod projects;
mod read;
mod run;
mod session;
mod stores;
mod terminal;
mod transfer;
mod usage;
