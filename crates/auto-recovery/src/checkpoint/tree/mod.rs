//! The tree of a workspace as it is: its paths, what of it belongs to a snapshot, and one walk
//! over it.

pub(super) mod cache;
pub(super) mod ignore_files;
pub(super) mod kind;
pub(super) mod manifest;
pub(super) mod mounts;
pub(super) mod names;
pub(super) mod opened;
pub(super) mod path;
pub(super) mod protect;
pub(super) mod root;
pub(super) mod rules;
pub(super) mod scan;
pub(super) mod scripts;
mod shell_text;
pub(super) mod stamp;
pub(super) mod tracked;
pub(super) mod uncopied;
pub(super) mod watch;
