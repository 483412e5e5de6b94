//! Sealing a store, and verifying that it is as it was sealed.
//!
//! A [`Sealer`] brings what is to be sealed to the disk, records the heads of trails in the
//! journal, and signs the head of the journal. Appends know nothing of it. Whoever cannot get the
//! lock leaves it to the one who has it, and a key that should be there and is not is never
//! replaced silently.
//!
//! [`verify`] reads the seals first, then the journal, then the trails: what is sealed, recorded or
//! removed meanwhile is no finding.
//!
//! # On disk
//!
//! - The seals, one line each: `{"v":1,"at":"…","note":"…"}`; `note` is a signed note, see
//!   [`crate::integrity`]. The store keeps them.
//! - `STATE/seal-keys/<origin>`: a sector of 512 bytes, JSON padded with blanks, overwritten in
//!   place: the seeds of the key that signs the next seal and of the one after it, and the last
//!   seal. A key signs once and is then overwritten.
//! - `STATE/seal-keys/<origin>.identity`, where somebody asked for it: the seed of the key by which
//!   witnesses know the store, as JSON. It stays.
//! - `STATE/seal-keys/<origin>.lock`, locked while somebody seals.
//! - `STATE/seal-keys/<origin>.tree`, the hashes from which the next seal goes on. Derived.
//! - `STATE/seal-keys/seen.jsonl`, the chains that this machine began, and the store of each.

mod cosigned;
mod identity;
mod keys;
mod proof;
mod record;
mod request;
mod sealer;
mod store;
mod submission;
mod told;
mod unsealed;
mod verify;
mod when;

pub use self::cosigned::{Cosigned, keep_cosignatures};
pub use self::keys::{Keys, SeenChain};
pub use self::proof::receipt;
pub use self::record::RecordSeals;
pub use self::request::{
    ChainReport, Outside, Requirements, VerifyRequest, Voucher, Witness, Witnessed,
};
pub use self::sealer::{NewChain, Sealed, Sealer, WhatToSeal};
pub use self::store::{LeafLog, Log, SealStore, SealsWanted};
pub use self::submission::add_checkpoint;
pub use self::told::{kept_seals, newest_seal};
pub use self::unsealed::{Unsealed, unsealed};
pub use self::verify::{Verification, verify};
pub use self::when::SealWhen;
