//! Encryption of private texts: the age format for keys and outputs, and the box of an entry.
//!
//! A session has a [`SessionKey`], kept in an ordinary age file that only the owner of an
//! [`Identity`] can open. It closes the [`boxes`] that stand in entries and journal records, and
//! the identity that kept outputs are encrypted to is derived from it: whoever destroys the key of
//! a session destroys its texts, wherever copies of them are.
//!
//! Pure: it reaches no host, store or file, and is given the randomness it needs ([`Draw`]).
//! Ciphers and curves come from crates; the formats are read in one form only, so no byte of a file
//! or box can be changed unnoticed. Files are those of the specification `age-encryption.org/v1`
//! with recipients of the kind X25519, and the program `age` opens them.

pub mod age;
mod bech32;
pub mod boxes;
mod draw;
mod key;
mod session_key;
mod stream;

pub use self::draw::{Draw, draw_with};
pub use self::key::{Identity, KeyRefused, Recipient};
pub use self::session_key::SessionKey;
