//! Orphans: a process may have those below it become its children when their parents end.

use rustix::process::{child_subreaper, getpid, set_child_subreaper};

/// Whether orphans below us become our children.
pub(crate) fn are_adopted() -> bool {
    matches!(child_subreaper(), Ok(Some(_)))
}

/// Makes orphans below us our children from now on.
pub(crate) fn adopt() -> rustix::io::Result<()> {
    set_child_subreaper(Some(getpid()))
}
