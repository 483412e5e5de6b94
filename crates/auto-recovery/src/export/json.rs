//! JSON documents.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use super::entries::{Entries, Outcome};
use crate::audit::{AuditStore, Damage, SessionSummary};
use crate::error::{Error, Result};

/// The trail of one session.
#[derive(Serialize)]
pub(super) struct SessionDocument<'s> {
    pub session_id: &'s str,
    pub session_start: Option<&'s str>,
    pub export_timestamp: &'s str,
    pub total_entries: u64,
    pub entries: Entries<'s>,
}

/// The trails of all sessions.
#[derive(Serialize)]
pub(super) struct AllDocument<'s> {
    pub export_timestamp: &'s str,
    pub total_sessions: u64,
    pub total_entries: u64,
    pub sessions: Sessions<'s>,
}

/// Each session as a document, serialised while it is read.
pub(super) struct Sessions<'s> {
    pub store: &'s dyn AuditStore,
    pub summaries: &'s [SessionSummary],
    pub export_timestamp: &'s str,
    pub outcome: &'s Outcome,
}

impl Serialize for Sessions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.summaries.len()))?;
        for summary in self.summaries {
            let id = &summary.session_id;
            let count = summary.total_attempts;
            list.serialize_element(&SessionDocument {
                session_id: id,
                session_start: summary.session_start.as_deref(),
                export_timestamp: self.export_timestamp,
                total_entries: count,
                entries: Entries::new(self.store, id, count, self.outcome),
            })?;
        }
        list.end()
    }
}

/// Writes `document`, whose lists report to `outcome`, indented by 2, and returns the damage met on the way.
pub(crate) fn write_pretty<T: Serialize>(
    document: &T,
    outcome: &Outcome,
    out: &mut dyn Write,
) -> Result<Vec<Damage>> {
    let mut out = BufWriter::with_capacity(64 * 1024, out);
    serde_json::to_writer_pretty(&mut out, document).map_err(|error| {
        let written = |error| Error::os("write the document", error);
        outcome
            .take_error()
            .unwrap_or_else(|| written(io::Error::from(error)))
    })?;
    out.write_all(b"\n")
        .and_then(|()| out.flush())
        .map_err(|error| Error::os("write the document", error))?;
    Ok(outcome.take_damage())
}
