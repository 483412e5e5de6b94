//! The command's tests: whole stories through the binary, one module a topic.

mod attacked;
mod clear;
mod completions;
mod config;
mod consent;
mod export;
mod fixers;
mod fuzz_config;
mod harness;
mod keep;
mod killed;
mod log;
mod newest;
mod outside;
mod projects;
mod read;
mod refused;
mod run;
mod secrets;
mod session;
mod stores;
mod terminal;
mod transfer;
mod trust;
mod unread;
mod usage;
