//! Redaction: finding what must not be kept in a text, and masking it. Pure.
//!
//! Three things say that something is secret: its value, registered by name or found before; its
//! shape, such as a prefix that only tokens of one service have; and its context, such as
//! `Authorization:` in front of it. Nothing is secret for being random alone, so that hashes of
//! commits, of lock files and UUIDs stay. Kinds are data, in `kinds.toml`.
//!
//! A [`Redactor`] lives as long as a session. What it found once it masks from then on by value, in
//! every encoding. A mask reads `[redacted github-token 7f3a]`: the kind, and a few bits of a hash
//! under a key that lives in memory only, so equal secrets have equal masks and nothing can be
//! guessed from one. Text that is masked already stays as it is.

mod checksum;
mod decoded;
mod encodings;
mod judge;
mod kind;
mod known;
mod limits;
mod mask;
mod names;
mod private_key;
mod redactor;
mod rule;
mod scanner;
mod squeezed;
mod stream;
mod unlikely;

pub use kind::{Kind, kinds};
pub use known::NotLearned;
pub use mask::without_marks;
pub use names::{is_secret_file_name, is_secret_name};
pub use redactor::{Finding, Redacted, Redactor};
pub use rule::RedactionRule;
pub use stream::RedactionStream;
