//! What trails come to: sums that go on where they ended, in this process or an earlier one.

pub(super) mod aggregate;
pub(super) mod cache;
pub(super) mod cursor;
pub(super) mod grouped;
pub(super) mod parts;
pub(super) mod rollup;
