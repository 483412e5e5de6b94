//! Detection: any output of a command.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| auto_recovery::testing::fuzz::detection(bytes));
