//! What a process waits to read from. The system tells it to whoever may trace that process.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::told;

/// Descriptors that a waiting process is asked about: more than interactive programs have.
const POLLED_MAX: usize = 64;
/// Bytes of a `pollfd`: a descriptor, what is waited for, what happened.
const POLLFD_BYTES: usize = 8;
const POLLIN: i16 = 1;

/// The descriptors that the main thread of `pid` waits to read from.
pub(crate) fn awaited_by(pid: i32) -> Vec<i32> {
    let call = told::read_text(format!("/proc/{pid}/syscall")).unwrap_or_default();
    let Some((number, arguments)) = parse(&call) else {
        return Vec::new();
    };
    match number {
        libc::SYS_read | libc::SYS_readv => {
            arguments.first().map(|&fd| fd as i32).into_iter().collect()
        }
        number if is_poll(number) => polled_by(pid, &arguments).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// The number of the system call and its arguments: `7 0x7ffd 0x2 …`; a process that runs has none.
fn parse(call: &str) -> Option<(i64, Vec<u64>)> {
    let mut words = call.split_ascii_whitespace();
    let number = words.next()?.parse().ok()?;
    let arguments = words.map(|word| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok());
    Some((number, arguments.collect::<Option<_>>()?))
}

fn is_poll(number: i64) -> bool {
    #[cfg(target_arch = "x86_64")]
    if number == libc::SYS_poll {
        return true;
    }
    number == libc::SYS_ppoll
}

/// What `pid` polls to read from.
fn polled_by(pid: i32, arguments: &[u64]) -> Option<Vec<i32>> {
    let (&at, &count) = (arguments.first()?, arguments.get(1)?);
    let count = usize::try_from(count).ok()?.min(POLLED_MAX);
    let mut list = vec![0; count * POLLFD_BYTES];
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    memory.read_exact_at(&mut list, at).ok()?;
    let entries = list.chunks_exact(POLLFD_BYTES).filter_map(|entry| {
        let (number, rest) = entry.split_first_chunk::<4>()?;
        let (wanted, _) = rest.split_first_chunk::<2>()?;
        let reads = i16::from_ne_bytes(*wanted) & POLLIN != 0;
        reads.then(|| i32::from_ne_bytes(*number))
    });
    Some(entries.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_its_number_and_arguments() {
        for (call, expected) in [
            ("0 0x2 0x7f00 0x9 0x0 0x0 0x0 0x7ff 0x7fe\n", Some((0, 2))),
            ("7 0x7fff31492790 0x2\n", Some((7, 0x7fff_3149_2790))),
            ("running\n", None),
            ("", None),
        ] {
            let found = parse(call).map(|(number, arguments)| (number, arguments[0]));
            assert_eq!(found, expected, "{call}");
        }
    }
}
