//! Trails as a report: JSON for programs, Markdown for people. Streamed in constant memory. And one
//! run as what CI systems read.
//!
//! A report draws conclusions from nothing but the trail, and says what of it could not be read.

mod ci;
mod github;
mod gitlab;
mod json;
mod junit;
mod markdown;
mod sarif;
mod short;
mod text;

pub use ci::{CiReport, CiTry};
pub use github::{SUMMARY_BYTES_MAX, github_log, github_outputs, github_summary};
pub use gitlab::gitlab;
pub use json::write_json;
pub use junit::junit;
pub use markdown::write_markdown;
pub use sarif::sarif;
