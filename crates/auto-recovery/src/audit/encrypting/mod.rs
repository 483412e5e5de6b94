//! Encryption of texts in a store, to the recipients that its user named.
//!
//! The machine that records holds no key that opens what it recorded: each session has a key of its
//! own, which is kept in age files for the recipients ([`KeyStore`]). A recorder closes the private
//! texts of an entry, or of a journal record, into one box that stands in it ([`Encryption`]).
//! Counting, undoing and sealing need no text. An [`OpenedStore`] opens the boxes again for whoever
//! has an identity.

mod cache;
mod encryption;
mod keys;
mod opened;
mod opener;
mod private;
mod taking_over;

pub use self::encryption::Encryption;
pub use self::keys::{KeyFile, KeyStamp, KeyStore};
pub use self::opened::OpenedStore;
pub use self::opener::{Opener, Unlocked, Unopened};
pub(super) use self::private::{close_entry, close_record, entry_kid, is_closed_record};
pub use self::taking_over::take_over_keys;
