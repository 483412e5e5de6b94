//! The original's format: any record, pretty-printed and compact, in any mixture.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| auto_recovery::testing::fuzz::original(bytes));
