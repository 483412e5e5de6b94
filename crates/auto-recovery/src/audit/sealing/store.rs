//! What a store must do so that it can be sealed.

use crate::audit::JournalEvent;
use crate::error::Result;
use crate::integrity::Seal;

/// A log whose leaves are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log<'a> {
    /// The journal.
    Journal,
    /// The trail of this session, since it was last removed.
    Trail(&'a str),
}

/// Which seals are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealsWanted {
    /// All of them.
    All,
    /// A few of the newest, among them the newest one. Where machines share a store, the newest of
    /// each chain.
    Newest,
}

/// A store that keeps seals.
pub trait SealStore: Send + Sync {
    /// Where the seals are, in messages.
    fn seals_place(&self) -> String;

    /// Where the trail of `session_id` is, or was, in messages.
    fn trail_place(&self, session_id: &str) -> String;

    /// Calls `visit` for each whole line of the seals that are `wanted`, in order.
    ///
    /// # Errors
    /// If they cannot be read, or `visit` fails.
    fn read_seals(
        &self,
        wanted: SealsWanted,
        visit: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()>;

    /// Makes the last line of the seals a whole one, and brings all of them to the disk.
    ///
    /// # Errors
    /// If they cannot be written.
    fn settle_seals(&self) -> Result<()>;

    /// Appends `line`, which is that of `seal`, to the seals, and returns once it is on the disk.
    ///
    /// # Errors
    /// If it cannot be written.
    fn add_seal(&self, seal: &Seal, line: &str) -> Result<()>;

    /// Appends `event`, the head of `trail`, which is that of `session_id` and held, to the
    /// journal. Returns whether it did: it does not if readers no longer find that trail.
    ///
    /// # Errors
    /// If it cannot be written.
    fn record_head(
        &self,
        trail: &dyn LeafLog,
        session_id: &str,
        event: JournalEvent,
    ) -> Result<bool>;

    /// Opens a log; `None` if there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`](crate::ErrorKind::Damaged) if what is there cannot be opened.
    fn open_log(&self, log: Log<'_>) -> Result<Option<Box<dyn LeafLog + '_>>>;

    /// The sessions that have a trail.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn trails(&self) -> Result<Vec<String>>;

    /// Brings the names of the logs to the disk.
    ///
    /// # Errors
    /// If that fails.
    fn sync_names(&self) -> Result<()>;

    /// In what the sums that are kept of `session_id` differ from its entries, in words; `None` if
    /// they do not, or none are kept.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn recount(&self, session_id: &str) -> Result<Option<String>>;

    /// In what the sums that are kept of all sessions together differ from their entries.
    ///
    /// # Errors
    /// If the store cannot be read.
    fn recount_all(&self) -> Result<Option<String>> {
        Ok(None)
    }

    /// Whether several machines write to it, each with a chain of its own.
    fn is_shared(&self) -> bool {
        false
    }
}

/// A log that is open: its leaves stand one after the other.
pub trait LeafLog {
    /// Its name in messages.
    fn place(&self) -> String;

    /// A number that another log of its name does not have, and that is not 0.
    fn identity(&self) -> u64;

    /// Where its leaves begin.
    fn start(&self) -> u64;

    /// Where its last leaf ends that has its place for good. Somebody may be writing behind that.
    ///
    /// # Errors
    /// If it cannot be read.
    fn end(&self) -> Result<u64>;

    /// Gives what is there its place for good, and keeps whoever would write to it or remove it
    /// from doing so until [`LeafLog::let_go`], unless what they do leaves these leaves as they
    /// are. Returns whether it is still the one that readers find.
    ///
    /// # Errors
    /// If somebody else keeps it for long.
    fn hold(&self) -> Result<bool>;

    /// Ends what [`LeafLog::hold`] began.
    fn let_go(&self);

    /// Brings it to the disk.
    ///
    /// # Errors
    /// If that fails.
    fn sync(&self) -> Result<()>;

    /// Calls `visit` for each leaf from `from`, where one begins, up to `to`. Returns where the
    /// last whole one ends.
    ///
    /// # Errors
    /// If it cannot be read, or `visit` fails.
    fn read(&self, from: u64, to: u64, visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<u64>;

    /// Calls `visit` for each leaf that is there, in order; at the end those that have no place
    /// yet.
    ///
    /// # Errors
    /// As [`LeafLog::read`].
    fn read_all(&self, visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.read(self.start(), self.end()?, visit).map(drop)
    }

    /// A number that is another once something was added.
    ///
    /// # Errors
    /// If it cannot be read.
    fn state(&self) -> Result<u64> {
        self.end()
    }
}
