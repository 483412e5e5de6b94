//! Being the only server over a store.

use crate::error::Result;

/// Being the only server over a store, for as long as this is kept.
pub trait Claim: Send {
    /// Makes sure that it is still so.
    ///
    /// # Errors
    /// If that cannot be told any more, as where a connection was lost: another may be it by now.
    fn check(&mut self) -> Result<()>;
}
