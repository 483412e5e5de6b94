//! What trails say when they are summed up.
//!
//! Pure: nothing here knows where entries come from. Stores feed an [`Accumulator`] as they read;
//! accumulators of parts merge into that of the whole without losing anything. An [`Aggregate`]
//! sums up many sessions.

mod accumulator;
mod aggregate;
mod aggregate_statistics;
mod document;
mod durations;
mod groups;
mod most_modified;
mod query;
mod session;
mod sums;
mod time;

pub use accumulator::{Accumulator, EntryFigures, EntrySink, Tally};
pub use aggregate::{Aggregate, SessionEnd};
pub use aggregate_statistics::AggregateStatistics;
pub use durations::{Durations, bucket_of};
pub use groups::{GroupSink, Grouping, SessionGroups, SessionTraits};
pub use most_modified::{MOST_MODIFIED_MAX, MostModified};
pub use query::{AggregateGroup, AggregateQuery, Aggregates, Dimension};
pub use session::RecoveryStatistics;
pub use sums::{AggregateSums, EntrySums, whole_ms, wilson};
pub use time::{earlier, hour_of, instant, later, rfc3339_us};
