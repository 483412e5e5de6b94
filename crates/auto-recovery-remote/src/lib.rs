//! The store of another machine, over the server there (`recover serve`): for machines that have no
//! password of a database.
//!
//! It records, reads, sums up, holds and removes as far as its token lets it. What only those can
//! do who have the store itself is refused by name: removing by rule, taking over, sealing,
//! verifying, encrypting. While the server cannot be reached, what is recorded waits in a spool and
//! is delivered in order, once.
//!
//! It is blocking, as the library is. Its token is never part of a URL, and it follows no redirect.

mod address;
mod certificate;
mod client;
mod deliver;
mod events;
mod exchange;
mod failure;
mod follow;
mod head;
mod item;
mod options;
mod outbox;
mod read;
mod store;

pub use address::{Address, DEFAULT_URL};
pub use events::{Event, EventKind, Events, Wanted};
pub use options::RemoteOptions;
pub use store::RemoteStore;
