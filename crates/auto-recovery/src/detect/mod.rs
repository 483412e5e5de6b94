//! Output of a command to failure: what went wrong, as a person would name it.
//!
//! One pass over the output finds the few lines that any rule could mean; the rules, ordered by how
//! telling they are, are then tried on those lines alone. The rules are data (`rules/*.toml`), and
//! a user's own come first. Pure: no clock, no files, no processes, and nothing here interprets the
//! text it reads. It refuses to guess: when no rule speaks, the category is unknown.

mod batch;
mod codes;
mod detector;
mod edges;
mod findings;
mod folders;
mod found;
mod line;
mod manifest;
mod naming;
mod nearby;
mod observation;
mod position;
mod retry_after;
mod rule;
mod rules;
mod scan;
mod settled;
mod shipped;
mod test_file;
mod text;
mod tools;
mod trace;
mod whose;
mod words;

pub use batch::{BatchInput, BatchOutput};
pub use detector::{Detection, Explained, NO_RULE, TellingLine, detect, explain};
pub use findings::{FILES_MAX, files_of};
pub(crate) use folders::{line_of, places_of};
pub use observation::Observation;
pub use retry_after::retry_after;
pub use rule::{Rule, Sign, Trace};
pub use rules::Rules;
pub use text::Text;
pub use tools::Tools;
