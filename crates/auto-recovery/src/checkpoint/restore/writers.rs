//! Files of the tree that programs have open for writing which are none of ours.
//!
//! A server goes on writing into the file that it opened, whatever stands at that name by now. To
//! replace it would lose all that it writes from then on, so an undo leaves it. It looks and
//! changes nothing; a program that may not be seen (another user's, one in another container) is
//! not found.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use crate::checkpoint::tree::root::Root;
use crate::platform::descriptors::opened_by;
use crate::platform::processes::{self, Stat};

/// The variable that everything started for a recovery carries.
pub(crate) const RUN_VARIABLE: &str = "RECOVER_RUN_ID";

/// The inodes of regular files below the root that others have open for writing.
pub(in crate::checkpoint) fn written_by_others(root: &Root) -> HashSet<u64> {
    let Some(ours) = Stat::ours() else {
        return HashSet::new();
    };
    let Ok(device) = fs::metadata(root.path()).map(|is| is.dev()) else {
        return HashSet::new();
    };
    let others = processes::scan()
        .into_iter()
        .filter(|stat| stat.pid != ours.pid && !stat.is_over());
    let mut written = HashSet::new();
    for other in others {
        let open = opened_by(other.pid).into_iter();
        let open = open.filter(|open| open.is_written && open.name.starts_with(root.path()));
        let files: Vec<u64> = open
            .filter_map(|open| fs::metadata(open.path).ok())
            .filter(|is| is.is_file() && is.dev() == device && is.nlink() > 0)
            .map(|is| is.ino())
            .collect();
        if !files.is_empty() && !is_of_a_recovery(&other, &ours) {
            written.extend(files);
        }
    }
    written
}

/// Whether `other` was started for a recovery: after ours began, and with its mark.
fn is_of_a_recovery(other: &Stat, ours: &Stat) -> bool {
    let is_marked = || {
        let environment = processes::environment(other.pid).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        variables.any(|variable| {
            let value = variable.strip_prefix(RUN_VARIABLE.as_bytes());
            value.is_some_and(|value| value.starts_with(b"="))
        })
    };
    other.started >= ours.started && is_marked()
}
