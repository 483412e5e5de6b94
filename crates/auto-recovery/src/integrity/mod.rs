//! Proof that what was recorded is what is there: hashes, seals, receipts, and what can be found.
//!
//! A store's journal is the log: its records are the leaves of one tree of hashes (RFC 6962), and
//! the head of a trail is one more record. A [`Seal`] is a signed head of that tree, in the format
//! of a C2SP checkpoint. Each key signs one seal and names its successor, so whoever takes the key
//! that is at hand can change nothing that was sealed before.
//!
//! Pure: it reaches no host, store or file. It refuses whatever is not written as it would write it
//! itself; there is no second way to write a seal, so no bit of one can be changed unnoticed.

mod base64;
mod chain;
mod consistency;
mod finding;
mod hex;
mod merkle;
mod note;
mod receipt;
mod seal;
mod witness;

pub(crate) use self::base64::decode_hash;
pub use self::base64::{decode as decode_base64, encode as base64};
pub use self::chain::{Broken, Chain};
pub(crate) use self::consistency::{Grown, Growth, is_consistent};
pub use self::finding::{Finding, FindingKind, Verdict};
pub use self::hex::hex;
pub use self::merkle::{Hash, Range, Tree, leads_to, leaf_hash};
pub use self::receipt::{EntryProof, Receipt};
pub(crate) use self::seal::{KEY_BYTES, chain_of, origin_line, public_key};
pub use self::seal::{Seal, SealRefused, ShortSeal};
pub use self::witness::{Cosignature, LogKey, WitnessKey};
pub(crate) use self::witness::{Testimony, has_line_of};
