//! Hashes against accidents: names derived from contents, and sums that reveal a torn write.
//!
//! None resists forgery: a user of one as a name keeps the contents beside it, and compares. All
//! are parts of formats on disk, so their results never change. Anything worth forging has a
//! SHA-256.

const PRIME_64: u64 = 0x0000_0100_0000_01b3;
const START_64: u64 = 0xcbf2_9ce4_8422_2325;

/// 64-bit FNV-1a.
pub(crate) fn fnv64(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME_64);
    bytes.into_iter().fold(START_64, step)
}

/// 128-bit FNV-1a: a stable name for a path.
pub(crate) fn fnv128(bytes: &[u8]) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(OFFSET, |hash, byte| {
        (hash ^ u128::from(*byte)).wrapping_mul(PRIME)
    })
}

/// The sum of a whole file, as FNV-1a by eight bytes at a time: files of a gigabyte are summed up.
pub(crate) fn sum_of_file(bytes: &[u8]) -> u64 {
    let mut hash = START_64 ^ bytes.len() as u64;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        hash = (hash ^ word).wrapping_mul(PRIME_64).rotate_left(23);
    }
    for byte in rest {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME_64);
    }
    hash
}

/// The sum of the whole words of block `number`, which distinguishes it from any other block too.
/// It takes eight bytes at a time, for every block that is read is summed up.
pub(crate) fn sum_of_block(number: u64, bytes: &[u8]) -> u64 {
    let start = fnv64(number.to_le_bytes());
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().fold(start, |sum, word| {
        let mixed = (sum ^ u64::from_le_bytes(*word)).wrapping_mul(PRIME_64);
        mixed ^ (mixed >> 29)
    })
}

#[cfg(test)]
mod tests {
    use super::{fnv64, fnv128, sum_of_block, sum_of_file};

    #[test]
    fn sums_are_what_files_on_disk_have() {
        let text = b"recover: 19 bytes..";
        assert_eq!(fnv64(*text), 0x3c97_4b4f_6044_a21c);
        assert_eq!(fnv128(text), 0xad95_06df_fd4e_393e_1236_c1d4_506f_9744);
        assert_eq!(sum_of_file(text), 0xefa0_0338_231d_b085);
        assert_eq!(sum_of_block(7, text), 0x3ec7_6e37_bbad_4822);
    }
}
