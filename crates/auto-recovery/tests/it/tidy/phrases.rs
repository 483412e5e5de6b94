//! Phrases that hide who does what: a sentence with one of them is said again, with a noun first.

use regex::Regex;

use super::tree::Tree;

/// In halves, or this file would hold what it forbids.
const PHRASES: [&str; 11] = [
    concat!("of ", "which"),
    concat!("of ", "what"),
    concat!("by ", "what"),
    concat!("who", "m"),
    concat!("who", "mever"),
    concat!("so ", "many"),
    concat!("told ", "apart"),
    concat!("as ", "there"),
    concat!("a queue of ", "nobody"),
    concat!("sees ", "to it"),
    concat!("goes ", "on with"),
];

/// Sentences in code with one of the phrases, also where a comment is wrapped inside of it.
pub(super) fn unclear(tree: &Tree) -> Vec<String> {
    let wrapped = Regex::new(r"\n *//[/!]? ?").expect("a pattern of ours");
    let phrases = PHRASES.join("|");
    // "Such as there" is no opening of a sentence.
    let pattern = format!(r"(?i)(?P<before>\b\w+ )?\b(?P<phrase>{phrases})\b[^\n]{{0,40}}");
    let pattern = Regex::new(&pattern).expect("a pattern of ours");
    let is_part = |before: &str, phrase: &str| {
        phrase.eq_ignore_ascii_case(concat!("as ", "there")) && !before.is_empty()
    };
    let mut findings = Vec::new();
    for file in tree.rust() {
        let text = wrapped.replace_all(&file.text, " ");
        for found in pattern.captures_iter(&text) {
            let before = found.name("before").map_or("", |before| before.as_str());
            if !is_part(before, &found["phrase"]) {
                let (path, said) = (&file.path, &found[0]);
                findings.push(format!(
                    "{path}: `{said}`: open with the noun, say who does what"
                ));
            }
        }
    }
    findings
}

#[test]
fn rejects_a_sentence_that_hides_who_does_what() {
    let findings = |text: &str| unclear(&Tree::of(&[("crates/a/src/b.rs", text)])).len();
    let [of_which, as_there] = [PHRASES[0], PHRASES[7]];
    assert_eq!(
        findings(&format!("/// A store {of_which} one is ours.\n")),
        1
    );
    let broken = of_which.replace(' ', "\n    // ");
    assert_eq!(
        findings(&format!("    // A store {broken} one is ours.\n")),
        1
    );
    assert_eq!(findings(&format!("f(\"a store {of_which} one is\");\n")), 1);
    assert_eq!(findings(&format!("// {as_there}.\n")), 1);
    assert_eq!(findings(&format!("// Such {as_there} are.\n")), 0);
    assert_eq!(findings("/// The store that is ours.\n"), 0);
}
