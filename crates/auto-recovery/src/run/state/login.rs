//! Directories in memory, for what must not reach a disk.

use std::path::{Path, PathBuf};

use crate::platform::memory::is_in_memory;

/// Memory that every Linux has, in which each user makes a directory of their own.
const SHARED_MEMORY: &str = "/dev/shm";

/// The directory `named` of this login, if it is there and in memory.
pub fn login_dir(named: Option<&Path>) -> Option<PathBuf> {
    let named = named.filter(|dir| is_in_memory(dir));
    named.map(Path::to_owned)
}

/// The directory for what strategy commands are given in the session `name`, in memory: that of
/// this login, else one of the user's own in shared memory. It need not be there. `None` where
/// nothing is in memory.
pub fn given_dir(login_dir: Option<&Path>, name: &str) -> Option<PathBuf> {
    let user = rustix::process::geteuid().as_raw();
    let base = match login_dir {
        Some(login_dir) => login_dir.join("auto-recovery"),
        None if is_in_memory(SHARED_MEMORY.as_ref()) => {
            Path::new(SHARED_MEMORY).join(format!("auto-recovery-{user}"))
        }
        None => return None,
    };
    Some(base.join("given").join(name))
}
