//! The live stream: rows of the feed as they come.

mod events;
mod wire;

pub(crate) use events::events;
