//! What is to be recorded, as it is sent.

use auto_recovery::Result;
use auto_recovery::audit::{JournalLine, RecordedEntry};

/// What is sent together, at most: less than a server takes.
pub(crate) const LINES_MAX: usize = 1000;
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// One thing to be recorded.
pub(crate) enum Item {
    /// An entry and, if its id is the caller's, how many with that id stand before it.
    Entry(Box<RecordedEntry>, Option<u64>),
    Record(Box<JournalLine>),
}

/// The lines of the first of `items`, as many as are sent together, and their number.
pub(crate) fn body_of(items: &[Item]) -> Result<(Vec<u8>, usize)> {
    let (mut body, mut count) = (Vec::new(), 0);
    for item in items.iter().take(LINES_MAX) {
        let line = match item {
            Item::Record(line) => format!("{{\"record\":{}}}\n", line.json()),
            Item::Entry(entry, occurrence) => {
                let occurrence = occurrence.map(|before| format!(",\"occurrence\":{before}"));
                format!(
                    "{{\"entry\":{},\"number_by_store\":{}{}}}\n",
                    entry.text(),
                    entry.number_by_store(),
                    occurrence.unwrap_or_default()
                )
            }
        };
        if count > 0 && body.len() + line.len() > BYTES_MAX {
            break;
        }
        body.extend(line.into_bytes());
        count += 1;
    }
    Ok((body, count))
}
