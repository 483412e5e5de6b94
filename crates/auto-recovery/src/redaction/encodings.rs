//! How else a value may stand in a text: escaped for JSON, URLs or a shell, in base 64, in UTF-16.

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const FOR_URLS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What markup writes for these.
const AMP: (u8, &str) = (b'&', "&amp;");
const LESS: (u8, &str) = (b'<', "&lt;");
const MORE: (u8, &str) = (b'>', "&gt;");

/// The fewest characters of base 64 that tell a value.
const BASE64_LENGTH_MIN: usize = 8;

/// `value` as it is and as it may be written elsewhere, each form once.
pub(super) fn forms(value: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![value.to_vec()];
    forms.extend(json(value));
    for is_kept in [is_unreserved, is_kept_by_browsers, is_kept_in_paths] {
        for is_upper in [true, false] {
            let encoded = percent(value, is_kept, is_upper);
            forms.push(
                memchr::memmem::find(&encoded, b"%20").map_or_else(Vec::new, |_| {
                    String::from_utf8_lossy(&encoded)
                        .replace("%20", "+")
                        .into_bytes()
                }),
            );
            forms.push(encoded);
        }
    }
    for quote in ["'\\''", "'\"'\"'", "''", "\\'"] {
        forms.push(replaced(value, &[(b'\'', quote)]));
    }
    forms.push(escaped(value));
    for apostrophe in ["&#39;", "&#x27;", "&apos;", "'"] {
        forms.push(replaced(
            value,
            &[(b'\'', apostrophe), (b'"', "&quot;"), AMP, LESS, MORE],
        ));
    }
    forms.push(replaced(value, &[AMP, LESS, MORE]));
    for alphabet in [STANDARD, FOR_URLS] {
        let shifted = (0..3).map(|offset| base64(value, offset, alphabet));
        forms.extend(shifted.filter(|form| form.len() >= BASE64_LENGTH_MIN));
    }
    forms.extend(utf_16(value));
    forms.retain(|form| !form.is_empty());
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// In UTF-16 of either order of bytes, as some shells write what they redirect.
fn utf_16(value: &[u8]) -> Vec<Vec<u8>> {
    let Ok(text) = std::str::from_utf8(value) else {
        return Vec::new();
    };
    let of = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect();
    vec![of(u16::to_le_bytes), of(u16::to_be_bytes)]
}

/// As JSON has it inside a string, with slashes escaped too, and inside a string in a string.
fn json(value: &[u8]) -> Vec<Vec<u8>> {
    let Ok(text) = std::str::from_utf8(value) else {
        return Vec::new();
    };
    let inner = |text: &str| {
        let quoted = serde_json::Value::from(text).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    };
    let once = inner(text);
    let ascii: String = once
        .chars()
        .map(|letter| match letter.is_ascii() {
            true => letter.to_string(),
            false => {
                let units = letter.encode_utf16(&mut [0; 2]).to_vec();
                units.iter().map(|unit| format!("\\u{unit:04x}")).collect()
            }
        })
        .collect();
    // As programs write it that put JSON into pages.
    let for_pages = |text: &str| {
        let text = text.replace('&', "\\u0026").replace('<', "\\u003c");
        text.replace('>', "\\u003e").replace('\'', "\\u0027")
    };
    let without_quotes = |text: &str| for_pages(text).replace("\\u0027", "'");
    let forms = [
        inner(&once),
        inner(&ascii),
        once.replace('/', "\\/"),
        ascii.replace('/', "\\/"),
        for_pages(&once),
        without_quotes(&once),
        without_quotes(&ascii),
        ascii,
        once,
    ];
    forms.map(String::into_bytes).to_vec()
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn is_kept_by_browsers(byte: u8) -> bool {
    is_unreserved(byte) || b"!*'()/".contains(&byte)
}

fn is_kept_in_paths(byte: u8) -> bool {
    is_unreserved(byte) || byte == b'/'
}

fn percent(value: &[u8], is_kept: fn(u8) -> bool, is_upper: bool) -> Vec<u8> {
    let mut form = Vec::with_capacity(value.len());
    for byte in value {
        match (is_kept(*byte), is_upper) {
            (true, _) => form.push(*byte),
            (false, true) => form.extend(format!("%{byte:02X}").bytes()),
            (false, false) => form.extend(format!("%{byte:02x}").bytes()),
        }
    }
    form
}

/// With some bytes written otherwise, as shells, YAML and markup have them inside quotes.
fn replaced(value: &[u8], with: &[(u8, &str)]) -> Vec<u8> {
    let mut form = Vec::with_capacity(value.len());
    for byte in value {
        match with.iter().find(|(special, _)| special == byte) {
            Some((_, written)) => form.extend(written.bytes()),
            None => form.push(*byte),
        }
    }
    form
}

/// As a shell has it without quotes.
fn escaped(value: &[u8]) -> Vec<u8> {
    let mut form = Vec::with_capacity(value.len());
    for byte in value {
        if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"-._/+:@%,=".contains(byte) {
            form.push(b'\\');
        }
        form.push(*byte);
    }
    form
}

/// The characters of base 64 that `value` alone decides where it stands `offset` bytes behind a
/// multiple of three: neither the first ones, which what is before has a part in, nor the last.
pub(super) fn base64(value: &[u8], offset: usize, alphabet: &[u8; 64]) -> Vec<u8> {
    let bits = [vec![0; offset], value.to_vec()].concat();
    let first = (offset * 8).div_ceil(6);
    let whole = bits.len() * 8 / 6;
    let sextet = |number: usize| {
        let at = number * 6 / 8;
        let next = bits.get(at + 1).copied().unwrap_or_default();
        let pair = u16::from(bits[at]) << 8 | u16::from(next);
        alphabet[usize::from(pair >> (10 - number * 6 % 8) & 63)]
    };
    (first..whole).map(sextet).collect()
}

#[cfg(test)]
mod tests {
    use super::{STANDARD, base64, forms};

    #[test]
    fn base_64_is_right_at_each_offset() {
        assert_eq!(base64(b"Man", 0, STANDARD), b"TWFu");
        // "xMan" is eE1hbg, "xyMan" is eHlNYW4.
        assert_eq!(base64(b"Man", 1, STANDARD), b"1hb");
        assert_eq!(base64(b"Man", 2, STANDARD), b"NYW");
    }

    #[test]
    fn forms_are_what_programs_write() {
        let forms = forms("a\"b c/é'".as_bytes());
        let has = |form: &str| forms.contains(&form.as_bytes().to_vec());
        for form in [
            "a\"b c/é'",
            "a\\\"b c/é'",
            "a\\\"b c\\/é'",
            "a\\\"b c/\\u00e9'",
            "a%22b%20c%2F%C3%A9%27",
            "a%22b%20c%2f%c3%a9%27",
            "a%22b+c%2F%C3%A9%27",
            "a\"b c/é'\\''",
            "a\\\"b\\ c/é\\'",
            "a\"b c/é'\"'\"'",
            "a&quot;b c/é&#39;",
            "a\\\"b c/é\\u0027",
        ] {
            assert!(has(form), "{form}");
        }
    }
}
