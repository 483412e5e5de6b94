//! The encoding of a trail's text: UTF-8, with or without the mark that some editors begin it with.
//! UTF-16, as some shells redirect output, is recognised rather than taken for damage, and not
//! read.

/// The mark that some editors put before UTF-8 text. It means nothing.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Bytes examined to recognise UTF-16 without a mark: four characters, which in any JSON are ASCII.
const UTF_16_LOOK_BYTES: usize = 8;

/// The beginning of a text, `bytes`, without a byte order mark.
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)
}

/// The reason why the text that begins with `bytes` is not read, and the way out, if it is UTF-16:
/// by its mark, or by a zero in every second byte.
pub fn refusal(bytes: &[u8]) -> Option<String> {
    let zero_at = |odd: usize| {
        let looked = &bytes[..bytes.len().min(UTF_16_LOOK_BYTES) & !1];
        let is_so = |(at, byte): (usize, &u8)| (*byte == 0) == (at % 2 == odd);
        looked.len() >= 4 && looked.iter().enumerate().all(is_so)
    };
    let (name, from) = match bytes {
        [0xff, 0xfe, ..] => ("little-endian", "UTF-16"),
        [0xfe, 0xff, ..] => ("big-endian", "UTF-16"),
        _ if zero_at(1) => ("little-endian", "UTF-16LE"),
        _ if zero_at(0) => ("big-endian", "UTF-16BE"),
        _ => return None,
    };
    Some(format!(
        "this is UTF-16 ({name}), and only UTF-8 is read: `iconv -f {from} -t UTF-8` converts it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_of_utf_8_is_left_out_once() {
        for (bytes, expected) in [
            (&b"\xef\xbb\xbf{}"[..], &b"{}"[..]),
            (b"{}", b"{}"),
            (b"\xef\xbb", b"\xef\xbb"),
            (b"\xef\xbb\xbf\xef\xbb\xbf", b"\xef\xbb\xbf"),
            (b"", b""),
        ] {
            assert_eq!(without_mark(bytes), expected);
        }
    }

    #[test]
    fn utf_16_is_known_by_its_mark_or_its_zeros() {
        for (bytes, expected) in [
            (&b"\xff\xfe{\0"[..], Some("UTF-16 ")),
            (b"\xfe\xff\0{", Some("UTF-16 ")),
            (b"{\0\"\0s\0t\0", Some("UTF-16LE ")),
            (b"\0{\0\"\0s\0t", Some("UTF-16BE ")),
            (b"{\0\"\0s", Some("UTF-16LE ")),
            (b"{\"strategy\"", None),
            (b"{\0", None),
            (b"\0\0\0\0\0\0\0\0", None),
            (b"\0\0\0\0{\"", None),
            (b"\xef\xbb\xbf{}", None),
            (b"", None),
        ] {
            let said = refusal(bytes);
            let from = expected.map(|from| format!("`iconv -f {from}-t UTF-8`"));
            assert_eq!(said.is_some(), from.is_some(), "{bytes:?}");
            assert!(
                said.unwrap_or_default().contains(&from.unwrap_or_default()),
                "{bytes:?}"
            );
        }
    }
}
