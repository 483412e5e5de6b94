//! The report for people as one page of HTML: no script, nothing loaded from anywhere, light and
//! dark, fit for print. It has a bound, whatever the record holds: what has no room is said, with
//! the command that shows it.

mod attempts;
mod page;
mod pieces;
mod plots;

pub use page::{HtmlReport, PAGE_BYTES_MAX, PAGE_STYLE, html_report, write_html};
