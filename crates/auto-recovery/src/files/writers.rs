//! Other users that may write a file, by its mode, its access list and the machine's lists of
//! users.
//!
//! Asks about the open file, not its path, so that it cannot be swapped in between.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::io::Errno;

use super::regular::{Links, read_small};

/// Permission of the group to write.
const GROUP_WRITES: u32 = 0o020;
/// Permission of everybody to write.
const OTHERS_WRITE: u32 = 0o002;

/// The extended attribute that gives further users and groups their permissions. With it, the
/// group's bits limit what any of these may do.
const ACCESS_LIST: &str = "system.posix_acl_access";

/// Longest of the machine's lists that is read: 16 MiB, some 200,000 users. A longer one is taken
/// as empty.
const LIST_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The reason why others than its owner may write `file`, which has `metadata`, if they may. A
/// group with no member but the owner does not count.
pub fn other_writers(file: &File, metadata: &Metadata) -> Option<String> {
    let ask = || rustix::fs::fgetxattr(file, ACCESS_LIST, &mut [0_u8; 0][..]);
    by_mode(metadata, ask)
}

/// The same for the file at `path`, which is not opened.
pub(super) fn other_writers_at(path: &Path, metadata: &Metadata) -> Option<String> {
    let ask = || rustix::fs::lgetxattr(path, ACCESS_LIST, &mut [0_u8; 0][..]);
    by_mode(metadata, ask)
}

fn by_mode(
    metadata: &Metadata,
    ask_for_list: impl FnOnce() -> Result<usize, Errno>,
) -> Option<String> {
    let mode = metadata.mode();
    if mode & OTHERS_WRITE != 0 {
        return Some(format!("others can write it (mode {:04o})", mode & 0o7777));
    }
    if mode & GROUP_WRITES != 0 && (is_list(ask_for_list()) || !is_group_its_owners(metadata)) {
        return Some(format!(
            "others can write it (mode {:04o}, group {})",
            mode & 0o7777,
            metadata.gid()
        ));
    }
    None
}

/// Whether the file's group has no member but its owner, by the machine's own lists.
fn is_group_its_owners(metadata: &Metadata) -> bool {
    // A list that cannot be read is taken as empty.
    let list = |path: &str| {
        let path = Path::new(path);
        let bytes = read_small(path, Links::Follow, LIST_BYTES_MAX).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    is_group_own(
        &list("/etc/passwd"),
        &list("/etc/group"),
        metadata.uid(),
        metadata.gid(),
    )
}

/// Whether the group `gid` is the user `uid`'s own, as most systems give each user one: by the
/// texts of `passwd` and `group`, it is the user's primary group, no other user's, and has no
/// member but the user. A user who is not listed has none.
fn is_group_own(passwd: &str, group: &str, uid: u32, gid: u32) -> bool {
    let mut own_names = Vec::new();
    let mut is_primary = false;
    for line in passwd.lines() {
        let fields: Vec<_> = line.split(':').collect();
        let [name, _, line_uid, line_gid, ..] = fields[..] else {
            continue;
        };
        let is_in_group = line_gid.parse() == Ok(gid);
        if line_uid.parse() == Ok(uid) {
            own_names.push(name);
            is_primary |= is_in_group;
        } else if is_in_group {
            return false;
        }
    }
    let is_other = |member: &str| !member.is_empty() && !own_names.contains(&member);
    let has_other = group.lines().any(|line| {
        let fields: Vec<_> = line.split(':').collect();
        match fields[..] {
            [_, _, line_gid, members, ..] if line_gid.parse() == Ok(gid) => {
                members.split(',').map(str::trim).any(is_other)
            }
            _ => false,
        }
    });
    is_primary && !has_other
}

/// Whether more users or groups than its own have permissions of their own. If the system cannot
/// say, they may have.
fn is_list(answer: Result<usize, Errno>) -> bool {
    !matches!(answer, Err(Errno::NODATA | Errno::OPNOTSUPP))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/bash
ann:x:1000:1000:Ann:/home/ann:/bin/sh
ann2:x:1000:1000:the same:/home/ann:/bin/sh
bob:x:1001:1001::/home/bob:/bin/sh
eve:x:1002:100::/home/eve:/bin/sh
dan:x:1003:100::/home/dan:/bin/sh
cut:x:1004
";

    #[test]
    fn a_group_is_own_where_nobody_else_is_in_it() {
        let group = "root:x:0:\nann:x:1000:ann,ann2\nbob:x:1001:\nusers:x:100:\nwheel:x:10:ann\n";
        for (uid, gid, expected) in [
            (1000, 1000, true),
            (1001, 1001, true),
            (0, 0, true),
            // Another's primary group as well.
            (1002, 100, false),
            // Not the owner's primary group.
            (1000, 1001, false),
            (1000, 10, false),
            (1000, 4242, false),
            // A user who is not listed.
            (4242, 1000, false),
            (4242, 4242, false),
            (1004, 1004, false),
        ] {
            assert_eq!(
                is_group_own(PASSWD, group, uid, gid),
                expected,
                "{uid} {gid}"
            );
        }
        for (group, expected) in [
            ("bob:x:1001:ann\n", false),
            ("bob:x:1001:bob, eve\n", false),
            ("bob:x:1001:bob\n", true),
            ("bob:x:1001:\nalias:x:1001:eve\n", false),
            ("bob:x:1001\n", true),
            ("", true),
            ("other:x:100:eve\n", true),
        ] {
            assert_eq!(is_group_own(PASSWD, group, 1001, 1001), expected, "{group}");
        }
        assert!(!is_group_own("", group, 1000, 1000));
        assert!(!is_group_own(
            "ann:x:-1:-1::/:\n",
            group,
            u32::MAX,
            u32::MAX
        ));
    }
}
