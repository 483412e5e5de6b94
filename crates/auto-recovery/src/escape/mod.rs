//! What a terminal, a page or a log acts upon and does not draw: left out, or shown as what it is.
//!
//! Escape sequences are left out where a text is compared; hostile characters are shown wherever a
//! text is written for people or into a document.

mod progress;
mod sequences;
mod visible;

pub use progress::strip_progress;
pub use sequences::strip_escapes;
pub(crate) use visible::push_visible;
pub use visible::{Escapes, EscapingWriter, escape_bytes, escape_text};
