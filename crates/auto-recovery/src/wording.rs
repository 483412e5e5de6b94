//! Numbers of things, durations, what became of attempts, texts too long to be read at once and
//! names that were mistyped, in words for people.
//!
//! Pure, and only for texts that people see: records and data have every name whole.

mod near;

use std::time::Duration;

pub use near::{Nearness, nearest, nearness};

/// The units that durations are typed in, longest first, each with its milliseconds.
const UNITS: [(&str, u128); 5] = [
    ("d", 24 * 60 * 60 * 1000),
    ("h", 60 * 60 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// Most characters of one name or word: a name that is typed again, as a session's id of at most
/// 200, is whole, and a path of thousands leaves room for the text on it.
const SHOWN_CHARS: usize = 240;

/// `number` of `thing`: `1 entry`, `2 entries`, `0 paths`, `3 days`.
pub fn counted(number: u64, thing: &str) -> String {
    let stem = thing.strip_suffix('y');
    let stem = stem.filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match (number, stem) {
        (1, _) => format!("1 {thing}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {thing}s"),
    }
}

/// What became of an attempt that was a `success` or not, and whose changes were `undone` or not.
pub fn result(success: bool, undone: bool) -> &'static str {
    match (success, undone) {
        (true, false) => "cured",
        (true, true) => "cured, undone",
        (false, true) => "failed, undone",
        (false, false) => "failed",
    }
}

/// What was to come after an attempt, `next_action` on record: nobody is called where it says
/// `escalate`, nothing is left to try.
pub fn next(next_action: &str) -> &str {
    match next_action {
        "escalate" => "give up",
        other => other,
    }
}

/// `seconds` as people say them. A number that is no duration has no length.
pub fn long(seconds: f64) -> String {
    spelled(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default())
}

/// `duration` as people say it, in at most two units: `40 ms`, `1.8 s`, `61 s`, `8 h 40 min`.
pub fn spelled(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    let seconds = (duration.as_millis() + 500) / 1000;
    let minutes = (seconds + 30) / 60;
    let pair = |whole: u128, unit: &str, rest: u128, smaller: &str| match rest {
        0 => format!("{whole} {unit}"),
        rest => format!("{whole} {unit} {rest} {smaller}"),
    };
    match seconds {
        0 if tenths == 0 && duration.as_millis() > 0 => format!("{} ms", duration.as_millis()),
        0..10 if !tenths.is_multiple_of(10) => format!("{}.{} s", tenths / 10, tenths % 10),
        0..90 => format!("{seconds} s"),
        90..3600 => pair(seconds / 60, "min", seconds % 60, "s"),
        _ if minutes < 24 * 60 => pair(minutes / 60, "h", minutes % 60, "min"),
        _ => pair(minutes / (24 * 60), "d", minutes / 60 % 24, "h"),
    }
}

/// `duration` as it is typed for a flag, in whole milliseconds: `10ms`, `5m30s`, `8h40m`.
pub fn typed(duration: Duration) -> String {
    let mut rest_ms = duration.as_millis();
    if rest_ms == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, unit_ms) in UNITS {
        let amount = rest_ms / unit_ms;
        if amount > 0 {
            text.push_str(&format!("{amount}{unit}"));
            rest_ms %= unit_ms;
        }
    }
    text
}

/// `text` as one word for a shell: typed again as printed, it must mean the same.
pub fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./=:@%+,^".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// `text`, cut to at most `chars` characters; a last `…` stands for the rest.
pub fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        None => text.to_owned(),
        Some(_) => {
            let kept: String = text.chars().take(chars.saturating_sub(1)).collect();
            kept.trim_end().to_owned() + "…"
        }
    }
}

/// `name`, without its middle if it is long: a path says most at both ends.
pub fn shortened(name: &str) -> String {
    if name.chars().nth(SHOWN_CHARS).is_none() {
        return name.to_owned();
    }
    let half = SHOWN_CHARS / 2;
    let at = |nth| {
        name.char_indices()
            .nth(nth)
            .map_or(name.len(), |(at, _)| at)
    };
    let end = at(name.chars().count() - half);
    format!("{}…{}", &name[..at(half - 1)], &name[end..])
}

/// `text` with each long word shortened in its middle.
pub fn with_short_words(text: &str) -> String {
    let words = text.split_inclusive(char::is_whitespace);
    words
        .map(|word| match word.len() > SHOWN_CHARS {
            true => {
                let name = word.trim_end();
                shortened(name) + &word[name.len()..]
            }
            false => word.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{counted, shortened, spelled, typed, with_short_words};

    #[test]
    fn durations_are_said_as_people_say_them_and_typed_as_flags_take_them() {
        for (ms, said, flag) in [
            (0, "0 s", "0s"),
            (40, "40 ms", "40ms"),
            (1_840, "1.8 s", "1s840ms"),
            (9_980, "10 s", "9s980ms"),
            (61_000, "61 s", "1m1s"),
            (150_000, "2 min 30 s", "2m30s"),
            (3_600_000, "1 h", "1h"),
            (31_175_000, "8 h 40 min", "8h39m35s"),
            (86_390_000, "1 d", "23h59m50s"),
            (97_200_000, "1 d 3 h", "1d3h"),
        ] {
            let duration = Duration::from_millis(ms);
            assert_eq!((&*spelled(duration), &*typed(duration)), (said, flag));
        }
    }

    #[test]
    fn one_is_one_and_more_are_many() {
        let said = [0, 1, 2].map(|number| counted(number, "entry"));
        assert_eq!(said, ["0 entries", "1 entry", "2 entries"]);
        assert_eq!(counted(2, "day"), "2 days");
        assert_eq!(counted(1, "file") + &counted(3, "file"), "1 file3 files");
    }

    #[test]
    fn a_long_name_keeps_both_ends() {
        let whole = "ä".repeat(240);
        assert_eq!(shortened(&whole), whole);
        let path = format!("begin/{}/end", "ä".repeat(3_000));
        let short = shortened(&path);
        assert_eq!(short.chars().count(), 240);
        assert!(short.starts_with("begin/ä") && short.ends_with("ä/end") && short.contains('…'));
        let said = with_short_words(&format!("changed {path} \n and more"));
        assert_eq!(said, format!("changed {short} \n and more"));
    }
}
