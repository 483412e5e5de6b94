//! The pieces a page is put together from. All text is escaped here, and cut to its bound.

use std::fmt::Write as _;

use crate::report::kept::Excerpt;
use crate::report::markup::{escaped, escaped_lines};
use crate::report::telling::{Fact, Said};

/// Bytes of one fact, of a failure's message, of an output, and of a diff's line, escaped.
const FACT_BYTES_MAX: usize = 700;
const FAILURE_BYTES_MAX: usize = 4_000;
const OUTPUT_BYTES_MAX: usize = 10_000;
const LINE_BYTES_MAX: usize = 1_200;

/// Files that a list names, and items of another list; more are counted.
const FILES_MAX: usize = 30;
const ITEMS_MAX: usize = 60;

/// A section with its heading; nothing if it has no `content`.
pub(super) fn section(id: &str, title: &str, content: &str) -> String {
    if content.is_empty() {
        return String::new();
    }
    format!(
        "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>\n{content}</section>\n"
    )
}

/// Facts by their names.
pub(super) fn dl(facts: &[Fact]) -> String {
    if facts.is_empty() {
        return String::new();
    }
    let mut text = String::from("<dl>\n");
    for (name, said) in facts {
        let value = match said {
            Said::Words(value) => escaped(value, FACT_BYTES_MAX),
            Said::Code(value) => format!("<code>{}</code>", escaped(value, FACT_BYTES_MAX)),
        };
        let _ = writeln!(text, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
    text + "</dl>\n"
}

/// Items in their order.
pub(super) fn list(items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let mut text = String::from("<ul>\n");
    for item in items.iter().take(ITEMS_MAX) {
        let _ = writeln!(text, "<li>{}</li>", escaped(item, FACT_BYTES_MAX));
    }
    if items.len() > ITEMS_MAX {
        let _ = writeln!(text, "<li>… {} more</li>", items.len() - ITEMS_MAX);
    }
    text + "</ul>\n"
}

/// Paths.
pub(super) fn files(paths: &[String]) -> String {
    let mut text = String::from("<ul class=\"files\">\n");
    for path in paths.iter().take(FILES_MAX) {
        let _ = writeln!(
            text,
            "<li><code>{}</code></li>",
            escaped(path, FACT_BYTES_MAX)
        );
    }
    if paths.len() > FILES_MAX {
        let _ = writeln!(text, "<li>… {} more</li>", paths.len() - FILES_MAX);
    }
    text + "</ul>\n"
}

/// A failure's message under its type.
pub(super) fn failure_block(error_type: &str, message: &str) -> String {
    let kind = match error_type {
        "" => "failure".to_owned(),
        kind => escaped(kind, FACT_BYTES_MAX),
    };
    if message.trim().is_empty() {
        return format!("<p class=\"failure\">{kind}</p>\n");
    }
    format!(
        "<figure>\n<figcaption class=\"failure\">{kind}</figcaption>\n<pre>{}</pre>\n</figure>\n",
        escaped_lines(message, FAILURE_BYTES_MAX),
    )
}

/// The end of an output under its `name`, with the `command` that shows all of it.
pub(super) fn excerpt(name: &str, shown: &Excerpt, command: Option<String>) -> String {
    let more = match shown.is_cut {
        true => rest("its end", command),
        false => String::new(),
    };
    let text = escaped_lines(&shown.text, OUTPUT_BYTES_MAX);
    format!("<figure>\n<figcaption>{name}{more}</figcaption>\n<pre>{text}</pre>\n</figure>\n")
}

/// The beginning of a diff under its `name`, of about `bytes_max` bytes, with the `command` that
/// shows all of it.
pub(super) fn diff(
    name: &str,
    shown: &Excerpt,
    command: Option<String>,
    bytes_max: usize,
) -> String {
    let mut is_cut = shown.is_cut;
    let mut text = String::new();
    for line in shown.text.lines() {
        let escaped = escaped_lines(line, LINE_BYTES_MAX);
        if text.len() + escaped.len() > bytes_max {
            is_cut = true;
            break;
        }
        match line_class(line) {
            "" => text.push_str(&escaped),
            class => {
                let _ = write!(text, "<span class=\"{class}\">{escaped}</span>");
            }
        }
        text.push('\n');
    }
    let more = match is_cut {
        true => rest("its beginning", command),
        false => String::new(),
    };
    let text = text.trim_end_matches('\n');
    format!(
        "<figure>\n<figcaption>{name}{more}</figcaption>\n<pre class=\"diff\">{text}</pre>\n\
         </figure>\n"
    )
}

fn rest(which: &str, command: Option<String>) -> String {
    match command {
        None => format!(" <small>({which})</small>"),
        Some(command) => {
            let command = escaped(&command, FACT_BYTES_MAX);
            format!(" <small>({which}; <code>{command}</code> has all)</small>")
        }
    }
}

/// A paragraph that says what has no room, and then which `command` shows it and `how`.
pub(super) fn no_room(said: &str, command: Option<String>, how: &str) -> String {
    match command {
        None => format!("<p>{said}.</p>\n"),
        Some(command) => {
            let command = escaped(&command, FACT_BYTES_MAX);
            format!("<p>{said}: <code>{command}</code> {how}.</p>\n")
        }
    }
}

/// The class of a diff's line.
fn line_class(line: &str) -> &'static str {
    let heads = [
        "diff ",
        "index ",
        "--- ",
        "+++ ",
        "new file",
        "deleted file",
        "old mode",
        "new mode",
    ];
    match line.as_bytes().first() {
        _ if heads.iter().any(|head| line.starts_with(head)) => "head",
        Some(b'+') => "add",
        Some(b'-') => "cut",
        Some(b'@') => "hunk",
        _ => "",
    }
}
