//! How long attempts took, drawn as a histogram whose columns are about three times as long each.

use std::time::Duration;

use auto_recovery::report::chart::{Chart, Column, Tone, columns};
use auto_recovery::wording::spelled;
use maud::{Markup, PreEscaped, html};

use crate::feed::TOOK_MS;

/// The histogram of `counts`, with its data as a table; nothing of nothing.
pub(super) fn took(title: &str, counts: &[u64; TOOK_MS.len() + 1]) -> Markup {
    let total: u64 = counts.iter().sum();
    let rows: Vec<(String, u64)> = (0..counts.len())
        .map(|place| (range(place), counts[place]))
        .collect();
    let drawn: Vec<Column> = rows
        .iter()
        .map(|(range, count)| Column {
            parts: vec![(*count, Tone::Plain)],
            label: range.clone(),
            title: format!("{range}: {count}"),
        })
        .collect();
    let words = format!("{total} attempts by how long they took, in steps of about three times.");
    let chart = Chart {
        id: "took",
        title,
        words: &words,
    };
    html! {
        @if total > 0 {
            figure class="plot" {
                figcaption { (title) }
                (PreEscaped(columns(&chart, &drawn)))
                details {
                    summary { "As a table" }
                    table {
                        caption { (title) }
                        thead { tr { th scope="col" { "Took" } th scope="col" class="number" { "Attempts" } } }
                        tbody {
                            @for (range, count) in &rows {
                                tr { th scope="row" { (range) } td class="number" { (count) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The durations of the column `place`, in words.
fn range(place: usize) -> String {
    match (TOOK_MS.get(place), TOOK_MS.last()) {
        (Some(most), _) => format!("≤ {}", spelled(Duration::from_millis(*most))),
        (None, Some(most)) => format!("> {}", spelled(Duration::from_millis(*most))),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_its_range() {
        let mut counts = [0; TOOK_MS.len() + 1];
        assert_eq!(took("t", &counts).into_string(), "");
        counts[0] = 7;
        counts[TOOK_MS.len()] = 1;
        let shown = took("t", &counts).into_string();
        for piece in ["≤ 0.1 s: 7", "&gt; 3 h: 1", "8 attempts"] {
            assert!(shown.contains(piece), "{piece}: {shown}");
        }
    }
}
