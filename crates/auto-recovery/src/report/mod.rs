//! Trails as a report: JSON for programs, Markdown for people. Streamed in constant memory.
//!
//! A report draws conclusions from nothing but the trail, and says what of it could not be read.

mod json;
mod markdown;
mod text;

pub use json::write_json;
pub use markdown::write_markdown;
