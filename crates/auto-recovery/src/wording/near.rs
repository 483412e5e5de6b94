//! Mistyped names, and the known ones that were probably meant: one measure for all that is typed.

/// How near a name is to what was typed, the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nearness {
    /// Letters that differ; two neighbours that changed places are one.
    distance: usize,
    begins_otherwise: bool,
}

/// How near `name` is to `typed`, unless it is another word: the longer the word, the more of it
/// may be mistyped. The first letter is seldom wrong, so that a name with another one must be
/// nearer. Upper case is as lower.
pub fn nearness(typed: &str, name: &str) -> Option<Nearness> {
    let far = far(typed);
    // A letter has at most four bytes.
    if name == typed || name.len().abs_diff(typed.len()) > 4 * (far + 1) {
        return None;
    }
    let (typed, name) = (typed.to_lowercase(), name.to_lowercase());
    let distance = distance(&typed, &name);
    let begins_otherwise = typed.chars().next() != name.chars().next();
    let is_near = match begins_otherwise {
        true => distance <= far.div_ceil(2) && has_letters_of(&typed, &name),
        false => distance <= far,
    };
    is_near.then_some(Nearness {
        distance,
        begins_otherwise,
    })
}

/// That of `names` which `typed` was probably meant to be: the nearest, and of those that are as
/// near as each other the first.
pub fn nearest<'n>(typed: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let near = names
        .into_iter()
        .filter_map(|name| Some((nearness(typed, name)?, name)));
    near.min_by_key(|(nearness, _)| *nearness)
        .map(|(_, name)| name)
}

/// How many letters of `typed` may be wrong. Of a single one, none.
fn far(typed: &str) -> usize {
    match typed.chars().count() {
        0 | 1 => 0,
        2..=4 => 1,
        5..=8 => 2,
        _ => 3,
    }
}

/// How many letters differ; a plural in `ies` is one letter from its singular.
fn distance(typed: &str, name: &str) -> usize {
    let whole = strsim::osa_distance(typed, name);
    match typed.strip_suffix("ies") {
        Some(stem) => whole.min(1 + strsim::osa_distance(&format!("{stem}y"), name)),
        None => whole,
    }
}

/// Whether `typed`, which begins otherwise, is `name` without its first letter, with one before it,
/// or with the first two in each other's place; or is long enough to be known by its other letters.
fn has_letters_of(typed: &str, name: &str) -> bool {
    let tail = |text: &str| text.chars().skip(1).collect::<String>();
    let mut swapped: Vec<char> = typed.chars().collect();
    if swapped.len() > 1 {
        swapped.swap(0, 1);
    }
    typed.chars().count() > 4
        || tail(name) == typed
        || tail(typed) == name
        || name.chars().eq(swapped)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const COMMANDS: &str = "run plan classify recipes explain log record sessions ls history show \
                            stats export report checkpoint checkpoints restore undo hold prune \
                            import copy clear config doctor init trust completions help";

    #[test]
    fn what_is_mistyped_is_known_and_another_word_is_not() {
        let check = |typed: &str, names: &str, expected: Option<&str>| {
            assert_eq!(nearest(typed, names.split(' ')), expected, "{typed}");
        };
        for (typed, meant) in [
            ("chekpoint", "checkpoint"),
            ("checkpont", "checkpoint"),
            ("chekpoints", "checkpoints"),
            ("hsitory", "history"),
            ("ihstory", "history"),
            ("exlpain", "explain"),
            ("xplain", "explain"),
            ("udno", "undo"),
            ("undoo", "undo"),
            ("completion", "completions"),
            ("session", "sessions"),
            ("RUN", "run"),
            ("rnu", "run"),
            ("shwo", "show"),
            ("sl", "ls"),
        ] {
            check(typed, COMMANDS, Some(meant));
        }
        for typed in [
            "frobnicate",
            "cargo",
            "git",
            "make",
            "npm",
            "go",
            "test",
            "true",
            "pytest",
            "sh",
            "x",
            "",
            "./check.sh",
        ] {
            check(typed, COMMANDS, None);
        }
        check("nosuch", "touch nohup", None);
        check("fxi", "ci fix if", Some("fix"));
        check("retries", "recipe retry", Some("retry"));
        check("cat", "at bat", Some("at"));
        check("größer", "grösser", Some("grösser"));
    }
}
