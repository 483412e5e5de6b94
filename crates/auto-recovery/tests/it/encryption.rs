//! Encryption: the formats beside the program `age`, and stores that encrypt.

mod age_program;
mod stored;
