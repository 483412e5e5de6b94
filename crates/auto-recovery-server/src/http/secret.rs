//! Secrets that this server makes, and how they are kept: as hashes, for they are random.

use auto_recovery::host::Host;
use sha2::{Digest as _, Sha256};

/// The beginning of a token, by which people and scanners know it.
const TOKEN_PREFIX: &str = "rcv_";

/// Random 64-bit words of a secret.
const WORDS: usize = 4;

/// A new secret: some 240 random bits, in hex.
pub(crate) fn secret(host: &dyn Host) -> String {
    (0..WORDS)
        .map(|_| format!("{:016x}", host.random()))
        .collect()
}

/// A new token.
pub(crate) fn new_token(host: &dyn Host) -> String {
    TOKEN_PREFIX.to_owned() + &secret(host)
}

/// What is kept of `secret`.
pub(crate) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
