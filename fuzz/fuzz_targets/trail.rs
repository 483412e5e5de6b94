//! The line reader and the repair of a trail's end: any bytes as a trail.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| auto_recovery::testing::fuzz::trail(bytes));
