//! The fate of a write whose answer was lost.

use auto_recovery::Result;
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::connection::Connection;
use super::failure::explain;
use super::group::Group;
use super::session;

/// A trace by which a write whose answer was lost can be found: one row that it added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Probe {
    /// A session that the write locked.
    session_id: Option<String>,
    added: Added,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Added {
    Entry {
        session: i64,
        place: i64,
        id_hash: Vec<u8>,
    },
    /// The records with this token.
    Records { token: Vec<u8> },
}

impl Probe {
    /// The probe for `group`, if it got as far as having rows.
    pub(super) fn of(group: &Group) -> Option<Self> {
        let (entries, records) = group.added();
        let added = match (entries.first(), records.is_empty()) {
            (Some(entry), _) => Added::Entry {
                session: entry.session,
                place: entry.place,
                id_hash: entry.id_hash.clone(),
            },
            (None, false) => Added::Records {
                token: group.token.clone(),
            },
            (None, true) => return None,
        };
        Some(Probe {
            session_id: group.session_ids().pop(),
            added,
        })
    }
}

/// Whether a write took effect. A write that still runs is waited for: it holds the lock of its
/// session.
pub(super) async fn has_taken_effect(
    address: &Address,
    connection: &Connection,
    probe: &Probe,
) -> Result<bool> {
    const ENTRY: &str = "SELECT 1 FROM auto_recovery.stored_entry \
         WHERE session = $1 AND place = $2 AND id_hash = $3";
    const RECORDS: &str = "SELECT 1 FROM auto_recovery.journal WHERE token = $1 LIMIT 1";
    let asked = async {
        connection.batch("BEGIN").await?;
        if let Some(session_id) = &probe.session_id {
            connection
                .rows(session::LOCK, &[&[session_id].as_slice()])
                .await?;
        }
        let rows = match &probe.added {
            Added::Entry {
                session,
                place,
                id_hash,
            } => connection.rows(ENTRY, &[session, place, id_hash]).await?,
            Added::Records { token } => connection.rows(RECORDS, &[token]).await?,
        };
        connection.batch("ROLLBACK").await?;
        Ok(!rows.is_empty())
    };
    let asked: Result<bool, tokio_postgres::Error> = asked.await;
    asked.map_err(|error| explain(address, "ask what became of a write", error))
}
