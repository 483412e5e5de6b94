//! Bech32 (BIP 173) in its one canonical form, with no limit on its length, as age uses it.

const DIGITS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// What the checksum of a sound text comes to.
const SOUND: u32 = 1;

/// Number of the digits of a checksum.
const CHECKSUM_DIGITS: usize = 6;

/// `bytes` under the name `prefix`, which is lowercase.
pub(super) fn encode(prefix: &str, bytes: &[u8]) -> String {
    let mut values = regroup(bytes, 8, 5, true).unwrap_or_default();
    let mut checked = expanded(prefix);
    checked.extend(&values);
    checked.extend([0; CHECKSUM_DIGITS]);
    let checksum = polymod(&checked) ^ SOUND;
    for digit in 0..CHECKSUM_DIGITS {
        let bits = checksum >> (5 * (CHECKSUM_DIGITS - 1 - digit)) & 31;
        values.push(u8::try_from(bits).unwrap_or_default());
    }
    let digits = values
        .iter()
        .map(|value| char::from(DIGITS[usize::from(*value)]));
    format!("{prefix}1{}", digits.collect::<String>())
}

/// The bytes that the lowercase `text` has under the name `prefix`; `None` if it has none.
pub(super) fn decode(prefix: &str, text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix(prefix)?.strip_prefix('1')?;
    let value = |byte: u8| DIGITS.iter().position(|&digit| digit == byte);
    let values = digits.bytes().map(|byte| u8::try_from(value(byte)?).ok());
    let values = values.collect::<Option<Vec<u8>>>()?;
    let mut checked = expanded(prefix);
    checked.extend(&values);
    let length = values.len().checked_sub(CHECKSUM_DIGITS)?;
    match polymod(&checked) == SOUND {
        true => regroup(&values[..length], 5, 8, false),
        false => None,
    }
}

fn expanded(prefix: &str) -> Vec<u8> {
    let high = prefix.bytes().map(|byte| byte >> 5);
    let low = prefix.bytes().map(|byte| byte & 31);
    high.chain([0]).chain(low).collect()
}

fn polymod(values: &[u8]) -> u32 {
    const GENERATOR: [u32; 5] = [
        0x3b6a_57b2,
        0x2650_8e6d,
        0x1ea1_19fa,
        0x3d42_33dd,
        0x2a14_62b3,
    ];
    let mut sum = 1_u32;
    for value in values {
        let top = sum >> 25;
        sum = (sum & 0x01ff_ffff) << 5 ^ u32::from(*value);
        for (bit, generator) in GENERATOR.iter().enumerate() {
            if top >> bit & 1 == 1 {
                sum ^= generator;
            }
        }
    }
    sum
}

/// The bits of `values`, `from` in each, in groups of `to`. The rest is filled up with zeros, or
/// must be of zeros that filled it up.
fn regroup(values: &[u8], from: u32, to: u32, fills_up: bool) -> Option<Vec<u8>> {
    let (mut bits, mut count) = (0_u32, 0);
    let mut groups = Vec::with_capacity(values.len() * from as usize / to as usize + 1);
    for value in values {
        bits = bits << from | u32::from(*value);
        count += from;
        while count >= to {
            count -= to;
            groups.push(u8::try_from(bits >> count & ((1 << to) - 1)).ok()?);
        }
        bits &= (1 << count) - 1;
    }
    if fills_up {
        if count > 0 {
            groups.push(u8::try_from(bits << (to - count)).ok()?);
        }
        return Some(groups);
    }
    (count < from && bits == 0).then_some(groups)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_standards_own_examples() {
        assert_eq!(decode("a", "a12uel5l"), Some(Vec::new()));
        assert_eq!(encode("a", &[]), "a12uel5l");
        // Their bytes are not whole, their checksum is.
        let all = "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw";
        let bytes = decode("abcdef", all).unwrap();
        assert_eq!(bytes.len(), 20);
        assert_eq!(encode("abcdef", &bytes), all);
        let split = "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w";
        assert_eq!(encode("split", &decode("split", split).unwrap()), split);
        for wrong in ["a12uel5m", "a1lqfn3a", "A12UEL5L", "a", "1a", "", "a12uel5"] {
            assert_eq!(decode("a", wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_and_no_digit_may_change(
            bytes in proptest::collection::vec(any::<u8>(), 0..80), at: usize, to in 0..32_usize,
        ) {
            let text = encode("age", &bytes);
            prop_assert_eq!(decode("age", &text), Some(bytes));
            let mut changed = text.clone().into_bytes();
            let at = 4 + at % (changed.len() - 4);
            changed[at] = DIGITS[to];
            let changed = String::from_utf8(changed).unwrap();
            prop_assert_eq!(decode("age", &changed).is_some(), changed == text);
        }
    }
}
