//! The ways that lead out of this machine.

use super::told;

/// Whether there is a way out of this machine. Where that cannot be told, there is none.
pub(crate) fn lead_out() -> bool {
    let has_default = |table: &str, column: usize, zeros: &str| {
        let table = told::read_text(table).unwrap_or_default();
        table.lines().any(|line| {
            let mut words = line.split_ascii_whitespace();
            words.nth(column) == Some(zeros) && !line.trim_end().ends_with(" lo")
        })
    };
    has_default("/proc/net/route", 1, "00000000")
        || has_default(
            "/proc/net/ipv6_route",
            0,
            "00000000000000000000000000000000",
        )
}
