//! Whether a directory is in memory, so that what is written there reaches no disk of its own.

use std::path::Path;

/// File systems in memory, by their numbers: tmpfs and ramfs.
const IN_MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];

/// Whether the directory `dir` is in memory, as far as can be told.
pub(crate) fn is_in_memory(dir: &Path) -> bool {
    let found = rustix::fs::statfs(dir);
    found.is_ok_and(|found| IN_MEMORY.contains(&found.f_type))
}
