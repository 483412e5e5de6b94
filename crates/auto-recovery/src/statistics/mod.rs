//! What trails say when they are summed up.
//!
//! Pure: nothing here knows where entries come from. Stores feed an [`Accumulator`] as they read;
//! accumulators of parts merge into that of the whole without losing anything.

mod accumulator;
mod session;
mod time;

pub use accumulator::{Accumulator, Observation, Tally};
pub use session::RecoveryStatistics;
pub use time::{earlier, instant};
