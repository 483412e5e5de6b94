//! How a message goes to each kind of destination. What programs wrote is text in each: no mention
//! of everybody, no markup, no link of its own.

mod alertmanager;
mod chat;
mod command;
#[cfg(feature = "smtp")]
mod mail;
mod send;
mod tried;
mod webhook;

pub use send::check_key;
pub(crate) use tried::{Means, Tried};
