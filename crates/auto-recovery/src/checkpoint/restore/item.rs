//! One path of a restore: what must stand there, what shall, and what goes elsewhere. Plain data.

use crate::checkpoint::tree::manifest::Node;
use crate::checkpoint::tree::path::RelPath;

/// What a path must be for a restore to touch it.
#[derive(Clone, Debug)]
pub(in crate::checkpoint) enum Expect {
    /// Just this (`None`: nothing).
    Node(Option<Node>),
    /// Anything: there is no snapshot of the present.
    Any,
}

/// One path to put back.
#[derive(Clone, Debug)]
pub(in crate::checkpoint) struct Item {
    pub(in crate::checkpoint) path: RelPath,
    pub(in crate::checkpoint) from: Expect,
    pub(in crate::checkpoint) to: Option<Node>,
}

/// A path under the name it has now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::checkpoint) struct Moved {
    pub(in crate::checkpoint) now: RelPath,
    pub(in crate::checkpoint) was: RelPath,
    /// Whether a checkpoint holds it all the same, so that its name is a shorter way back and no
    /// more.
    pub(in crate::checkpoint) is_held: bool,
    /// Whether it was written since the name changed, or before.
    pub(in crate::checkpoint) is_changed: bool,
}

/// What is older than the snapshot that a restore goes back to.
#[derive(Debug, Default)]
pub(in crate::checkpoint) struct Older {
    /// What gets its name back.
    pub(in crate::checkpoint) moved: Vec<Moved>,
    /// What is left, for nobody knows what it was called.
    pub(in crate::checkpoint) left: Vec<RelPath>,
}
