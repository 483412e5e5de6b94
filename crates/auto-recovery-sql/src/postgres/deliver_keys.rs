//! Bringing the keys that wait in the spool to the server: before what they closed, each once.

use auto_recovery::Result;
use auto_recovery::spool::Spool;

use super::key_rows::{DOING, NewKey, add_waiting};
use super::link::Lease;
use super::server::Server;

/// How often the keys of a session are delivered again because others came meanwhile.
const ROUNDS_MAX: u32 = 100;

/// Delivers the keys that wait in `spool`. The caller has the turn.
pub(super) fn deliver_keys(server: &Server, spool: &Spool, lease: &Lease) -> Result<()> {
    let limit = server.options.write_timeout;
    for session_id in spool.key_sessions()? {
        for _ in 0..ROUNDS_MAX {
            let files = spool.keys(&session_id)?;
            for file in &files {
                let key = NewKey {
                    session_id: &session_id,
                    kid: "",
                    file,
                };
                let added = add_waiting(&server.address, lease, &key);
                lease.link().run(DOING, limit, added)?;
            }
            if spool.destroy_keys(&session_id, &files)? {
                break;
            }
        }
    }
    Ok(())
}
