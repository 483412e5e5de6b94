//! Processes of a machine that are still there.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, getpgid};

/// The processes with `home` as theirs, as `pid command`, but for those of the group `known`.
///
/// Only where `/proc` tells: elsewhere none can be found.
pub(super) fn left(home: &Path, known: Option<Pid>) -> Vec<String> {
    let wanted = format!("HOME={}", home.display());
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
        let is_ours = read("environ")
            .split(|byte| *byte == 0)
            .any(|variable| variable == wanted.as_bytes());
        if is_ours && (known.is_none() || getpgid(Pid::from_raw(pid)).ok() != known) {
            let command = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            found.push(format!("{pid} {command}"));
        }
    }
    found
}
