//! Putting a tree back: what must change, and changing it without losing what is somebody else's.

pub(super) mod compare;
pub(super) mod contents;
pub(super) mod item;
pub(super) mod moved;
pub(super) mod plan;
pub(super) mod reserve;
pub(super) mod restored;
pub(super) mod restorer;
pub(super) mod rounds;
pub(super) mod secrets;
pub(super) mod standing;
pub(super) mod temp;
pub(super) mod tree_writer;
pub(super) mod writers;
