//! Trails as a report: JSON for programs, Markdown and HTML for people; and one run as what CI
//! systems read. JSON and Markdown are streamed in constant memory, a page of HTML has a bound.
//!
//! A report draws conclusions from nothing but the trail, and says what of it could not be read.

pub mod chart;

mod ci;
mod excerpts;
mod github;
mod gitlab;
mod html;
mod json;
mod junit;
mod kept;
mod markdown;
mod markup;
mod particulars;
mod sarif;
mod short;
mod source;
mod story;
mod telling;
mod text;

pub use ci::{CiReport, CiTry};
pub use github::{SUMMARY_BYTES_MAX, github_log, github_outputs, github_summary};
pub use gitlab::gitlab;
pub use html::{HtmlReport, PAGE_BYTES_MAX, PAGE_STYLE, html_report, write_html};
pub use json::write_json;
pub use junit::junit;
pub use kept::{Kept, NothingKept, Rest, Visit};
pub use markdown::write_markdown;
pub use particulars::{Particular, particulars};
pub use sarif::sarif;
pub use source::Source;
pub use telling::order_of;
