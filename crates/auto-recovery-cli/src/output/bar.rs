//! Small bars: a share seen at a glance.

/// Characters that a bar takes.
const CELLS: usize = 10;

/// Parts of a character, from an eighth to seven.
const PARTS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// A bar as long as `percent` of the whole.
pub(crate) fn bar(percent: f64) -> String {
    // A share of a percent is less than a part of a character; casts saturate.
    let parts = (percent.clamp(0.0, 100.0) / 100.0 * (CELLS * 8) as f64).round() as usize;
    let mut text = "█".repeat(parts / 8);
    text.extend((parts % 8).checked_sub(1).map(|eighths| PARTS[eighths]));
    let used = parts.div_ceil(8);
    text.push_str(&"·".repeat(CELLS - used));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        for (percent, expected) in [
            (0.0, "··········"),
            (1.0, "▏·········"),
            (50.0, "█████·····"),
            (66.67, "██████▋···"),
            (100.0, "██████████"),
            (250.0, "██████████"),
            (f64::NAN, "··········"),
        ] {
            assert_eq!(bar(percent), expected, "{percent}");
        }
    }
}
