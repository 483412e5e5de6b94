//! Sizes as people write them: `500M`, `2GiB`, `1048576`.

/// The units. One letter and `iB` are powers of 1024, as disks are filled; `B` alone behind the
/// letter is a power of 1000, as disks are sold.
const UNITS: [(&str, u64); 14] = [
    ("", 1),
    ("B", 1),
    ("K", 1 << 10),
    ("KiB", 1 << 10),
    ("kB", 1000),
    ("KB", 1000),
    ("M", 1 << 20),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("G", 1 << 30),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("T", 1 << 40),
    ("TiB", 1 << 40),
];

/// How many bytes `text` says.
///
/// # Errors
/// What is wrong with it and how to write it.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let unreadable = || format!("`{text}` is no size: write it like 500M, 2G or 1048576 (bytes)");
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let amount: u64 = text[..digits].parse().map_err(|_| unreadable())?;
    let unit = UNITS.iter().find(|(name, _)| *name == &text[digits..]);
    let (_, bytes) = unit.ok_or_else(unreadable)?;
    amount.checked_mul(*bytes).ok_or_else(unreadable)
}

/// `bytes` for people: `1.2 MiB`.
pub(crate) fn human_size(bytes: u64) -> String {
    const STEP: f64 = 1024.0;
    let mut amount = bytes as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if amount < STEP {
            break;
        }
        amount /= STEP;
        unit = larger;
    }
    match unit {
        "B" => format!("{bytes} B"),
        _ if amount < 10.0 => format!("{amount:.1} {unit}"),
        _ => format!("{amount:.0} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_as_it_is_written() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1048576", Some(1_048_576)),
            ("500M", Some(500 << 20)),
            ("2GiB", Some(2 << 30)),
            ("2GB", Some(2_000_000_000)),
            ("1T", Some(1 << 40)),
            ("", None),
            ("M", None),
            ("1.5G", None),
            ("-1", None),
            ("5 M", None),
            ("5m", None),
            ("99999999T", None),
        ] {
            assert_eq!(parse_size(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_size_is_shown_in_two_figures_that_matter() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_300_000, "1.2 MiB"),
            (52_428_800, "50 MiB"),
        ] {
            assert_eq!(human_size(bytes), expected);
        }
    }
}
