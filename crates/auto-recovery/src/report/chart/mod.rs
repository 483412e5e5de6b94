//! Charts as SVG, from data: a time line, bars, columns, and shares of a whole. Pure: the same data
//! give the same bytes.
//!
//! A chart is drawn for a page of HTML that includes [`STYLE`], which holds its colours, light and
//! dark. It has no width of its own: across, everything is placed in percent, so that letters stay
//! letters on a narrow screen. Every text that comes in is escaped; none of it is ever markup.

mod bars;
mod columns;
mod shares;
mod svg;
mod time_line;

pub use bars::{Bar, bars};
pub use columns::{Column, columns, sparkline};
pub use shares::{Share, shares};
pub use svg::{Chart, STYLE, Tone};
pub use time_line::{Span, time_line};
