//! Checksums inside tokens. One that is right confirms a finding; one that is wrong proves nothing,
//! for formats change and checkers err.

/// Which checksum a kind has inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Check {
    /// CRC-32 of the 30 characters after the prefix, as six digits to the base 62.
    Github,
}

impl Check {
    /// Whether the checksum of `token`, whose prefix has `prefix` bytes, is right.
    pub(super) fn confirms(self, token: &[u8], prefix: usize) -> bool {
        match self {
            Self::Github => {
                let body = &token[prefix.min(token.len())..];
                body.len() == 36 && body[30..] == base62(crc32(&body[..30]))
            }
        }
    }
}

/// CRC-32 as zip and PNG have it.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    /// The polynomial, its bits in reverse.
    const POLYNOMIAL: u32 = 0xedb8_8320;

    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (POLYNOMIAL * (crc & 1))
        })
    };
    !bytes.iter().fold(!0, step)
}

/// `number` as six digits: `0-9`, `A-Z`, `a-z`.
pub(super) fn base62(mut number: u32) -> [u8; 6] {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    let mut text = [b'0'; 6];
    for digit in text.iter_mut().rev() {
        *digit = DIGITS[(number % 62) as usize];
        number /= 62;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Check, base62, crc32};

    #[test]
    fn a_right_checksum_confirms() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        let body = "q7".repeat(15);
        let sum = base62(crc32(body.as_bytes()));
        let token = [b"ghp_", body.as_bytes(), &sum].concat();
        assert!(Check::Github.confirms(&token, 4));
        assert!(!Check::Github.confirms(&token[..39], 4));
        assert!(!Check::Github.confirms(&[&token[..39], b"~"].concat(), 4));
        assert!(!Check::Github.confirms(b"", 4));
    }
}
