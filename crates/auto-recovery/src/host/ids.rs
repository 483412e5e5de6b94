//! Ids: UUIDv7, with the time to a 4096th of a millisecond and 62 random bits.
//!
//! A system call for each id's randomness would be a tenth of the cost of logging an entry, so each
//! thread draws for many at once. A forked child draws anew: its parent uses the bytes drawn
//! before.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use rustix::rand::{GetRandomFlags, getrandom};
use uuid::{Builder, Uuid};

/// Bytes of randomness in one id.
const ID_BYTES: usize = 8;

/// Draws for 32 ids. The system gives up to 256 bytes whole, whatever interrupts it.
const DRAWN_BYTES: usize = 32 * ID_BYTES;

/// Randomness that was drawn and not used yet.
struct Drawn {
    /// The process that drew it.
    pid: u32,
    bytes: [u8; DRAWN_BYTES],
    used: usize,
}

thread_local! {
    static DRAWN: RefCell<Drawn> = const {
        RefCell::new(Drawn {
            pid: 0,
            bytes: [0; DRAWN_BYTES],
            used: DRAWN_BYTES,
        })
    };
}

/// A new id, in the process `pid`, which is this one.
#[expect(clippy::disallowed_methods, reason = "this is the host")]
pub(super) fn next(pid: u32) -> Uuid {
    match DRAWN.with_borrow_mut(|drawn| drawn.take(pid)) {
        Some(random) => at(SystemTime::now(), random),
        None => Uuid::now_v7(),
    }
}

fn at(time: SystemTime, random: [u8; ID_BYTES]) -> Uuid {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    let fraction = u64::from(since.subsec_nanos() % 1_000_000) * 4096 / 1_000_000;
    let [.., high, low] = fraction.to_be_bytes();
    let mut rest = [0; 2 + ID_BYTES];
    rest[0] = high;
    rest[1] = low;
    rest[2..].copy_from_slice(&random);
    let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    Builder::from_unix_timestamp_millis(millis, &rest).into_uuid()
}

impl Drawn {
    /// Takes randomness for one use only; `None` if the system gives none.
    fn take(&mut self, pid: u32) -> Option<[u8; ID_BYTES]> {
        if self.pid != pid || self.used == DRAWN_BYTES {
            let count = getrandom(&mut self.bytes, GetRandomFlags::empty()).ok()?;
            if count != DRAWN_BYTES {
                return None;
            }
            self.pid = pid;
            self.used = 0;
        }
        let taken = self.bytes[self.used..].first_chunk().copied();
        self.used += ID_BYTES;
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_sort_by_time_and_never_repeat() {
        let ids: Vec<Uuid> = (0..10_000).map(|_| next(1)).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
        let time = |id: &Uuid| id.as_u128() >> 68;
        assert!(ids.is_sorted_by_key(time));
    }

    #[test]
    fn an_id_holds_the_time_to_a_4096th_of_a_millisecond() {
        let time = SystemTime::UNIX_EPOCH + Duration::new(1, 2_500_000);
        let id = at(time, [0xff; ID_BYTES]).simple().to_string();
        assert_eq!(id, "0000000003ea7800bfffffffffffffff");
    }
}
