//! How the files of a store are named.

use crate::audit::session_id;

/// What the name of a trail ends with.
pub(super) const TRAIL_SUFFIX: &str = "_audit.jsonl";

/// The session whose trail a file of that name is. A name that we do not give is none's.
pub(super) fn session_of(file_name: &str) -> Option<String> {
    session_id::decode(file_name.strip_suffix(TRAIL_SUFFIX)?)
}
