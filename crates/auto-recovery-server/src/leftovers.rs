//! Changes and outputs that sessions left on this machine, for their pages.

use auto_recovery::Result;
use auto_recovery::audit::Removed;
use auto_recovery::report::{Kept, NothingKept};

/// What sessions left on this machine beside their record: changes and outputs.
pub trait Leftovers: Send + Sync {
    /// Calls `take` with what `session_id` left.
    ///
    /// # Errors
    /// If `take` fails, or there can be no such session.
    fn of(&self, session_id: &str, take: &mut dyn FnMut(&dyn Kept) -> Result<()>) -> Result<()>;

    /// Removes what `session_id` left, and its trail by `remove`, in the order in which nothing is
    /// left over if one of them fails.
    ///
    /// # Errors
    /// If something of it cannot be removed.
    fn clearing(
        &self,
        session_id: &str,
        remove: &mut dyn FnMut() -> Result<Removed>,
    ) -> Result<Removed>;
}

/// Nobody knows of any.
impl Leftovers for NothingKept {
    fn of(&self, _session_id: &str, take: &mut dyn FnMut(&dyn Kept) -> Result<()>) -> Result<()> {
        take(self)
    }

    fn clearing(
        &self,
        _session_id: &str,
        remove: &mut dyn FnMut() -> Result<Removed>,
    ) -> Result<Removed> {
        remove()
    }
}
