//! A checker of the pages that we write: stricter than browsers, which take anything.

use std::collections::BTreeSet;

/// Elements that have no end.
const VOID: [&str; 2] = ["meta", "br"];

/// All elements that our pages have. None of them runs or loads anything.
const KNOWN: [&str; 45] = [
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "header",
    "main",
    "footer",
    "section",
    "article",
    "figure",
    "figcaption",
    "div",
    "p",
    "h1",
    "h2",
    "h3",
    "ul",
    "li",
    "dl",
    "dt",
    "dd",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "pre",
    "code",
    "span",
    "small",
    "strong",
    "time",
    "a",
    "br",
    "svg",
    "desc",
    "rect",
    "line",
    "text",
    "b",
    "i",
    "em",
];

/// Fails unless `page` is well formed: every element known, closed in turn, every attribute quoted,
/// ids unique, targets there; no script, no handler, nothing loaded, every control escaped.
pub(crate) fn check_page(page: &str) {
    let rest = page
        .strip_prefix("<!DOCTYPE html>\n")
        .expect("a document type");
    let mut open: Vec<&str> = Vec::new();
    let mut ids = BTreeSet::new();
    let mut targets = BTreeSet::new();
    let mut rest = rest;
    while let Some(at) = rest.find('<') {
        check_text(&rest[..at], &open);
        rest = &rest[at + 1..];
        let end = rest.find('>').expect("a tag has an end");
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "an end in its turn");
            continue;
        }
        let is_closed = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(KNOWN.contains(&name), "<{tag}>");
        check_attributes(attributes, &mut ids, &mut targets);
        if name == "style" {
            let end = rest.find("</style>").expect("a style has an end");
            check_style(&rest[..end]);
            rest = &rest[end + "</style>".len()..];
        } else if !is_closed && !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest}");
    let missing: Vec<_> = targets.difference(&ids).collect();
    assert!(missing.is_empty(), "no such ids: {missing:?}");
    for landmark in [
        "<html lang=\"en\">",
        "<header>",
        "<main>",
        "<footer>",
        "<h1>",
    ] {
        assert_eq!(page.matches(landmark).count(), 1, "{landmark}");
    }
}

fn check_text(text: &str, open: &[&str]) {
    assert!(!text.contains('>'), "{text}");
    assert!(
        !open.is_empty() || text.trim().is_empty(),
        "text outside: {text}"
    );
    let is_odd = |c: char| c.is_control() && c != '\n' && c != '\t';
    assert!(!text.contains(is_odd), "{text:?}");
    for after in text.split('&').skip(1) {
        let name = after.split(';').next().unwrap_or_default();
        assert!(
            ["amp", "lt", "gt", "quot", "#39"].contains(&name),
            "&{name}"
        );
    }
}

fn check_attributes(text: &str, ids: &mut BTreeSet<String>, targets: &mut BTreeSet<String>) {
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").expect("a quoted attribute");
        let (value, after) = after.split_once('"').expect("an end of the quote");
        rest = after.trim_start();
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        assert!(is_name && !name.starts_with("on"), "{name}");
        assert!(
            !["src", "srcset", "style", "xlink:href", "action"].contains(&name),
            "{name}"
        );
        match name {
            "id" => assert!(ids.insert(value.to_owned()), "the id {value} twice"),
            "href" => {
                let target = value.strip_prefix('#').expect("a place in the page");
                targets.insert(target.to_owned());
            }
            "aria-labelledby" => targets.extend(value.split(' ').map(str::to_owned)),
            _ => {}
        }
    }
}

fn check_style(style: &str) {
    for loading in ["url(", "@import", "http", "<", "expression"] {
        assert!(!style.contains(loading), "{loading}");
    }
    assert!(style.contains("prefers-color-scheme: dark") && style.contains("@media print"));
    assert_eq!(style.matches('{').count(), style.matches('}').count());
}

#[test]
fn the_checker_refuses_what_is_wrong() {
    let page = |body: &str| {
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><body><header><h1>x</h1></header>\
             <main>{body}</main><footer></footer></body></html>\n"
        )
    };
    let is_fine = |body: &str| {
        let page = page(body);
        std::panic::catch_unwind(move || check_page(&page)).is_ok()
    };
    assert!(is_fine("<p id=\"a\">x &amp; y</p><a href=\"#a\">a</a>"));
    for wrong in [
        "<p>",
        "</p>",
        "<p><b></p></b>",
        "<script>x</script>",
        "<img src=\"x\">",
        "<p id=\"a\"></p><p id=\"a\"></p>",
        "<a href=\"http://x\">x</a>",
        "<a href=\"#nowhere\">x</a>",
        "<p onclick=\"x\"></p>",
        "<p class=x></p>",
        "x & y",
        "x > y",
        "\u{1b}",
    ] {
        assert!(!is_fine(wrong), "{wrong}");
    }
}
