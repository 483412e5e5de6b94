//! A control group for what one strategy starts, where one may be made: whoever is in it leaves it
//! by no detaching, and all of it is killed at once, however fast it starts others.
//!
//! Groups are made below our own in the second version's hierarchy, and only where that tree is
//! for us to divide: in a container that has its own, or below a group that the service manager
//! has delegated. Elsewhere there is none, and what a strategy starts is found by reading `/proc`
//! alone. No limit is set, and no controller switched on.
#![expect(unsafe_code, reason = "only the child itself can join before it runs")]

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::told;

/// How the names of our groups begin.
const NAME: &str = "recover-";

/// The extended attributes by which a service manager says that a group is somebody's to divide.
const DELEGATED: [&str; 2] = ["user.delegate", "trusted.delegate"];

/// How old a group without members is before it is taken for one that nobody joins any more.
const STALE_AGE: Duration = Duration::from_secs(60 * 60);

/// Groups below a group that are looked into, as those of a `recover` inside of `recover`.
const DEPTH_MAX: usize = 8;

/// A group of ours. Dropping it removes it, unless somebody is in it still.
#[derive(Debug)]
pub(crate) struct ControlGroup {
    dir: PathBuf,
}

impl ControlGroup {
    /// A new group for what is marked `marker`, if one may be made here.
    pub(crate) fn make(marker: &OsStr) -> Option<Self> {
        let parent = divisible()?;
        let dir = parent.join(name_of(marker));
        fs::create_dir(&dir).ok()?;
        let made = Self { dir };
        remove_stale(&parent);
        made.dir.join("cgroup.kill").exists().then_some(made)
    }

    /// The group that an earlier program made for what is marked `marker`.
    pub(crate) fn find(marker: &OsStr) -> Option<Self> {
        let dir = divisible()?.join(name_of(marker));
        dir.is_dir().then_some(Self { dir })
    }

    /// Lets what `command` starts be in it from its first moment on.
    ///
    /// # Errors
    /// If nobody can join it.
    pub(crate) fn take(&self, command: &mut Command) -> io::Result<()> {
        let members = File::options()
            .write(true)
            .open(self.dir.join("cgroup.procs"))?;
        let join = move || {
            // Without it there is still the rest by which it is found.
            let _ = rustix::io::write(&members, b"0");
            Ok(())
        };
        // SAFETY: between fork and exec the closure makes one system call on a descriptor that it
        // owns, and touches no memory but a constant.
        unsafe {
            command.pre_exec(join);
        }
        Ok(())
    }

    /// The ids of all that are in it, also in groups that were made below it.
    pub(crate) fn members(&self) -> HashSet<i32> {
        let mut members = HashSet::new();
        add_members(&self.dir, DEPTH_MAX, &mut members);
        members
    }

    /// Kills all that are in it, and what they are starting.
    pub(crate) fn kill(&self) {
        // Where that is refused, they are killed one by one.
        let _ = fs::write(self.dir.join("cgroup.kill"), "1");
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        remove(&self.dir, DEPTH_MAX);
    }
}

fn name_of(marker: &OsStr) -> String {
    let value = marker.to_string_lossy();
    let plain = value.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_', "-");
    format!("{NAME}{plain}")
}

/// The directory of our own group, if it is for us to divide.
fn divisible() -> Option<PathBuf> {
    let groups = told::read_text("/proc/self/cgroup").ok()?;
    let ours = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mounts = told::read_text("/proc/self/mountinfo").ok()?;
    let (root, top) = mounts.lines().find_map(hierarchy)?;
    let below = Path::new(ours).strip_prefix(root).ok()?;
    let dir = Path::new(top).join(below);
    let names = || below.components().map(|part| part.as_os_str());
    let is_whole = ours == "/";
    let is_in_ours = || names().any(|name| name.to_string_lossy().starts_with(NAME));
    let is_delegated = || {
        dir.ancestors()
            .take_while(|up| up.starts_with(top))
            .any(is_delegated)
    };
    (is_whole || is_in_ours() || is_delegated()).then_some(dir)
}

/// Which part of the second version's hierarchy a line of the mounts shows, and where.
fn hierarchy(mount: &str) -> Option<(&str, &str)> {
    let (before, after) = mount.split_once(" - ")?;
    let mut fields = before.split(' ').skip(3);
    let (root, top) = (fields.next()?, fields.next()?);
    let is_plain = !before.contains('\\');
    (after.starts_with("cgroup2 ") && is_plain).then_some((root, top))
}

fn is_delegated(dir: &Path) -> bool {
    DELEGATED.iter().any(|name| {
        let mut value = [0; 1];
        rustix::fs::getxattr(dir, *name, &mut value[..]) == Ok(1) && value == *b"1"
    })
}

/// Removes groups of ours without members: what was in them lived on as part of a cure.
fn remove_stale(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(NAME);
        let age = || entry.metadata().ok()?.modified().ok()?.elapsed().ok();
        if is_ours && age().is_some_and(|age| age > STALE_AGE) {
            remove(&entry.path(), DEPTH_MAX);
        }
    }
}

/// Removes a group and those below it, if nobody is in them: the system refuses all others.
fn remove(dir: &Path, depth: usize) {
    if fs::remove_dir(dir).is_ok() || depth == 0 {
        return;
    }
    for below in groups_below(dir) {
        remove(&below, depth - 1);
    }
    let _ = fs::remove_dir(dir);
}

fn add_members(dir: &Path, depth: usize, members: &mut HashSet<i32>) {
    let list = told::read_text(dir.join("cgroup.procs")).unwrap_or_default();
    members.extend(list.lines().filter_map(|pid| pid.parse::<i32>().ok()));
    if depth > 0 {
        for below in groups_below(dir) {
            add_members(&below, depth - 1, members);
        }
    }
}

fn groups_below(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let dirs = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    dirs.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_versions_hierarchy_is_found_among_the_mounts() {
        let line = "35 25 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate";
        assert_eq!(hierarchy(line), Some(("/", "/sys/fs/cgroup")));
        let first = "36 25 0:31 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids";
        assert_eq!(hierarchy(first), None);
        let odd = r"35 25 0:30 / /sys/fs/a\040b rw - cgroup2 cgroup2 rw";
        assert_eq!(hierarchy(odd), None);
        assert_eq!(hierarchy("nonsense"), None);
    }

    #[test]
    fn a_groups_name_is_plain_whatever_the_marker_holds() {
        let marker = OsStr::new("run_1/../2:3");
        assert_eq!(name_of(marker), "recover-run_1----2-3");
    }
}
