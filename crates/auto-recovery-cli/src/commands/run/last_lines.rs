//! The last lines of a run: at most two, neither wider than the terminal.

use crate::output::{columns, cut_to, fold};

/// The least columns of a command, where the terminal is narrow.
const COMMAND_COLUMNS_MIN: usize = 12;

/// What is said of the command that undoes, where there is room.
pub(super) const TAKES_BACK: &str = " takes it back";

/// `text` with the command in it cut, down to a few columns, so that it fits a line of `width`:
/// what is said of it says more. Where that is not enough, it is cut no more than for two lines.
/// The end of the second, `last` columns, is for something else.
pub(super) fn fitted(text: &str, width: usize, last: usize) -> String {
    let long = columns(text);
    let (Some(start), Some(end)) = (text.find('`'), text.rfind('`')) else {
        return text.to_owned();
    };
    if long <= width || start == end {
        return text.to_owned();
    }
    let command = &text[start + 1..end];
    let wide = columns(command);
    let left = (wide + width).saturating_sub(long);
    let left = match left < COMMAND_COLUMNS_MIN {
        true => (wide + 2 * width).saturating_sub(long + last + columns(" · ")),
        false => left,
    };
    let short = cut_to(command, left.max(COMMAND_COLUMNS_MIN));
    format!("{}{short}{}", &text[..=start], &text[end..])
}

/// `head` and as many of `more` behind it as a line of `width` takes, then the others: neither
/// line is wider. What the first line has no room for of `head` begins the second. Of the others
/// the last is kept, and of those before it what there is room for.
pub(super) fn two_lines(head: &str, more: &[String], width: usize) -> (String, String) {
    let mut lines = fold(head, width, 0).into_iter();
    let mut first = lines.next().unwrap_or_default();
    let rest = lines.collect::<Vec<_>>().join(" ");
    let mut others = more;
    while let [next, after @ ..] = others
        && rest.is_empty()
        && columns(&first) + columns(" · ") + columns(next) <= width
    {
        first = format!("{first} · {next}");
        others = after;
    }
    let others = others.iter().map(|part| within(part, width));
    let rest = Some(rest).filter(|rest| !rest.is_empty());
    let mut others: Vec<_> = rest.into_iter().chain(others).collect();
    while others.len() > 2 && columns(&others.join(" · ")) > width {
        others.remove(others.len() - 2);
    }
    if let [first, last] = &mut *others
        && columns(first) + columns(" · ") + columns(last) > width
        && let Some(command) = last.strip_suffix(TAKES_BACK)
    {
        *last = command.to_owned();
    }
    if let [first, last] = &mut *others
        && columns(first) + columns(" · ") + columns(last) > width
    {
        *first = cut_to(first, width.saturating_sub(columns(last) + columns(" · ")));
    }
    (first, cut_to(&others.join(" · "), width))
}

/// `part` without what it says of the command in it, where there is room for the command alone.
fn within(part: &str, width: usize) -> String {
    let room = width.saturating_sub(columns("… · "));
    match part.strip_suffix(TAKES_BACK) {
        Some(command) if columns(part) > room => command.to_owned(),
        _ => part.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{fitted, two_lines};

    #[test]
    fn the_end_takes_two_lines_and_keeps_what_to_type() {
        let check = |width, head: &str, more: &[&str], first: &str, second: &str| {
            let more: Vec<_> = more.iter().map(|part| (*part).to_owned()).collect();
            let expected = (first.to_owned(), second.to_owned());
            assert_eq!(two_lines(head, &more, width), expected);
        };
        let more = ["the tree is as it was", "45b2f01c", "recover show 45b2f01c"];
        let one = "not recovered · the tree is as it was · 45b2f01c · recover show 45b2f01c";
        check(80, "not recovered", &more, one, "");
        let second = "45b2f01c · recover show 45b2f01c";
        check(
            40,
            "not recovered",
            &more,
            "not recovered · the tree is as it was",
            second,
        );
        check(
            32,
            "not recovered · the tree is as it was",
            &more[1..],
            "not recovered · the tree is as",
            "it was · recover show 45b2f01c",
        );
        let second = "the tre… · recover show 45b2f01c";
        check(32, &"x".repeat(32), &more, &"x".repeat(32), second);
        check(5, "abc", &[], "abc", "");
    }

    #[test]
    fn a_command_is_cut_where_that_saves_a_line_and_no_more_than_that() {
        let check = |width, command: &str, expected: &str| {
            let of = |command: &str| format!("not recovered: `{command}` fails (exit 101, E0308)");
            assert_eq!(fitted(&of(command), width, 21), of(expected));
        };
        check(60, "cargo test", "cargo test");
        check(60, "cargo test --workspace", "cargo test --works…");
        check(44, "cargo test", "cargo test");
        let long = "x".repeat(200);
        check(60, &long, &format!("{}…", "x".repeat(18)));
        check(44, &long, &format!("{}…", "x".repeat(22)));
        check(20, &long, &format!("{}…", "x".repeat(11)));
        let at_once = "stopped at the deadline (exit 124): `sleep 10`";
        assert_eq!(fitted(at_once, 71, 21), at_once);
    }

    #[test]
    fn the_command_to_type_is_whole_on_a_narrow_terminal() {
        let more = [
            "45b2f01c",
            "recover show 45b2f01c",
            "recover undo 45b2f01c takes it back",
        ]
        .map(str::to_owned);
        let check = |width, second: &str| {
            let said = two_lines("recovered by fix, 1 attempt, 0.6 s", &more, width);
            assert_eq!(said.1, second, "{width}");
        };
        check(31, "0.6 s · recover undo 45b2f01c");
        check(
            60,
            "recover show 45b2f01c · recover undo 45b2f01c takes it back",
        );
    }

    #[test]
    fn a_reason_that_is_too_long_is_wrapped() {
        let said = "not recovered: `./build.sh` fails (exit 7, LinkError)";
        let more = ["nothing was tried, 0.2 s", "recover show 45b2f01c"].map(str::to_owned);
        let expected = (
            "not recovered: `./build.sh` fails (exit 7,".to_owned(),
            "LinkError) · recover show 45b2f01c".to_owned(),
        );
        assert_eq!(two_lines(said, &more, 46), expected);
        let expected = (
            said.to_owned(),
            "nothing was tried, 0.2 s · recover show 45b2f01c".to_owned(),
        );
        assert_eq!(two_lines(said, &more, 71), expected);
    }
}
