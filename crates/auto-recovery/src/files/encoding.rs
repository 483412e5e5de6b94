//! Texts as file names: what may not stand in one is percent-encoded, byte by byte.

/// `text` with each byte that is not `plain`, by its index and itself, as `%` and two upper-case
/// digits.
pub(crate) fn encode(text: &str, plain: impl Fn(usize, u8) -> bool) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut name = String::with_capacity(text.len());
    for (index, byte) in text.bytes().enumerate() {
        if plain(index, byte) {
            name.push(char::from(byte));
        } else {
            name.push('%');
            name.push(char::from(HEX[usize::from(byte >> 4)]));
            name.push(char::from(HEX[usize::from(byte & 0xf)]));
        }
    }
    name
}

/// The text that [`encode`] turns into `name`, whatever was plain there; `None` if there is none.
pub(crate) fn decode(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        rest = after;
        bytes.push(hex_value(digits[0])? << 4 | hex_value(digits[1])?);
    }
    String::from_utf8(bytes).ok()
}

/// The value of a hexadecimal digit.
fn hex_value(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}
