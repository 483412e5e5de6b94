//! A model of words for outputs that no rule knows: the likelihood of each category, from the words
//! in the output. It is linear, so the words that decided can be named.
//!
//! Its weights are data, made by `words.py` from outputs and rules of our own. It is asked last,
//! answers only if it is sure, and must be surest of all that a failure is transient: such a
//! failure is tried again blindly.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

use memchr::{memchr2_iter, memrchr2};
use regex::bytes::Regex;

use super::line::{is_aside, line_at, undecorated};
use super::rule::{Rule, Sign, compile};
use crate::failure::Category;

/// A feature and its weights a line, sorted by feature; see `words.py`.
const WEIGHTS: &str = include_str!("words.txt");

/// The categories in the order of the weights.
const CATEGORIES: [Category; 5] = [
    Category::Transient,
    Category::CodeQuality,
    Category::TestFailure,
    Category::Dependency,
    Category::Unknown,
];

/// The place of the model's own word for "nothing known" in [`CATEGORIES`].
const UNKNOWN: usize = 4;

/// The weights in the file are whole numbers, a hundred to the unit.
const WEIGHTS_PER_UNIT: f64 = 100.0;

/// Lines read at either end of an output, and bytes of each.
const HEAD_LINES: usize = 10;
const TAIL_LINES: usize = 50;
const LINE_BYTES: usize = 400;

/// Bytes at either end of a stream that are searched for those lines.
const ENDS_BYTES: usize = 64 * 1024;

/// Share from which a category is given. Of outputs that the model had not seen, 2 of 32 that it
/// was this sure of were something else.
const SURE: f64 = 0.6;

/// The same for transient failures: no lasting one was called so.
const SURE_THAT_IT_PASSES: f64 = 0.9;

/// The same, for tests: programs expect things of their input, too.
const SURE_OF_A_TEST: f64 = 0.75;

/// The same, for dependencies: much is not found that no package brings. Of 15 outputs of 0.6 and
/// more, 8 missed something else, 6 of them below this.
const SURE_OF_A_DEPENDENCY: f64 = 0.75;

/// Least number of features in an output: a sentence or two say nothing.
const FEATURES_MIN: usize = 12;

/// Number of words named as the reason.
const TOLD_BY: usize = 4;

/// The shortest word that counts by itself.
const WORD_LENGTH_MIN: usize = 3;

/// The digits of a number that counts: the status of an answer.
const STATUS_DIGITS: usize = 3;

/// The number of a stream, and where a line starts in it.
type Place = (usize, usize);

/// The model's reading of an output's words.
#[derive(Debug, PartialEq)]
pub(super) struct Judged {
    pub(super) category: Category,
    /// The line that tells most.
    pub(super) line: Place,
    /// The words that decided, the most telling first.
    pub(super) words: Vec<String>,
}

/// The category from the words of `streams`, standard error first as everywhere; none if the model
/// is not sure of one.
pub(super) fn judge(streams: [&[u8]; 2]) -> Option<Judged> {
    // The known features of each line.
    let lines: Vec<(Place, BTreeMap<String, Weights>)> = looked_at(streams)
        .into_iter()
        .filter(|(stream, range)| !names_a_step(&streams[*stream][range.clone()]))
        .map(|(stream, range)| ((stream, range.start), known_in(&streams[stream][range])))
        .collect();
    let known: BTreeMap<&str, Weights> = lines
        .iter()
        .flat_map(|(_, found)| {
            found
                .iter()
                .map(|(feature, weights)| (feature.as_str(), *weights))
        })
        .collect();
    if known.len() < FEATURES_MIN {
        return None;
    }
    let shares = shares(known.values());
    let best = (0..CATEGORIES.len()).max_by(|one, two| shares[*one].total_cmp(&shares[*two]))?;
    let sure = match CATEGORIES[best] {
        Category::Unknown => return None,
        Category::Transient => SURE_THAT_IT_PASSES,
        Category::TestFailure => SURE_OF_A_TEST,
        Category::Dependency => SURE_OF_A_DEPENDENCY,
        _ => SURE,
    };
    if shares[best] < sure {
        return None;
    }
    let tells = |weights: &Weights| weights[best] - weights[UNKNOWN];
    let of_line = |found: &BTreeMap<String, Weights>| found.values().map(tells).sum::<i32>();
    // The first of the most telling lines.
    let (line, _) = lines.iter().rev().max_by_key(|(_, found)| of_line(found))?;
    // What a tool only warns of is seldom what to wait or to install for.
    let seeks_help = matches!(CATEGORIES[best], Category::Transient | Category::Dependency);
    if seeks_help && is_aside(undecorated(line_at(streams[line.0], line.1))) {
        return None;
    }
    let mut words: Vec<_> = known.iter().collect();
    words.sort_by_key(|(_, weights)| -tells(weights));
    Some(Judged {
        category: CATEGORIES[best],
        line: *line,
        words: words
            .iter()
            .take(TOLD_BY)
            .map(|(word, _)| (**word).to_owned())
            .collect(),
    })
}

/// The features of a line that the model knows.
fn known_in(line: &[u8]) -> BTreeMap<String, Weights> {
    let known = features(line).filter_map(|feature| Some((weights_of(&feature)?, feature)));
    known.map(|(weights, feature)| (feature, weights)).collect()
}

/// Whether the words of a line are a command's or a build step's, and none of why it failed.
fn names_a_step(line: &[u8]) -> bool {
    static STEP: OnceLock<Regex> = OnceLock::new();
    STEP.get_or_init(|| compile(STEP_PATTERN).expect("the tests of this file try the pattern"))
        .is_match(line)
}

/// See [`names_a_step`].
const STEP_PATTERN: &str = concat!(
    // ` => [2/5] RUN npm ci`, `=> CANCELED [internal] load metadata`
    r"^ *=> ",
    // `process "/bin/sh -c npm ci" did not complete successfully: exit code: 1`
    r#"|\bprocess ".*" did not complete successfully: exit code"#,
);

/// The model's answer as a rule: the name for its answers, and the type of a failure with nothing
/// known but its category.
pub(super) fn as_rule(category: Category) -> Rule {
    let error_type = match category {
        Category::Transient => "NetworkError",
        Category::CodeQuality => "CompileError",
        Category::TestFailure => "AssertionError",
        Category::Dependency => "MissingDependency",
        Category::Unknown => "Error",
    };
    Rule {
        category,
        sign: Sign::Words,
        error_type: Some(error_type.into()),
        ..Rule::named("words")
    }
}

/// The weights of a feature for each category.
type Weights = [i32; CATEGORIES.len()];

fn table() -> &'static Vec<(&'static str, &'static str)> {
    static TABLE: OnceLock<Vec<(&str, &str)>> = OnceLock::new();
    TABLE.get_or_init(|| {
        WEIGHTS
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .collect()
    })
}

/// The weights of `feature`; those of the empty one are the start of every output.
fn weights_of(feature: &str) -> Option<Weights> {
    let table = table();
    let at = table
        .binary_search_by_key(&feature, |(feature, _)| feature)
        .ok()?;
    let mut weights = Weights::default();
    let numbers = table[at].1.split(' ');
    for (weight, number) in weights.iter_mut().zip(numbers) {
        *weight = number.parse().ok()?;
    }
    Some(weights)
}

/// The likelihood of each category, given these features.
fn shares<'a>(known: impl ExactSizeIterator<Item = &'a Weights>) -> [f64; CATEGORIES.len()] {
    let scale = 1.0 / (known.len() as f64).sqrt();
    let mut sums = [0; CATEGORIES.len()];
    for weights in known {
        for (sum, weight) in sums.iter_mut().zip(weights) {
            *sum += weight;
        }
    }
    let bias = weights_of("").unwrap_or_default();
    let mut shares = [0.0; CATEGORIES.len()];
    for ((share, sum), bias) in shares.iter_mut().zip(sums).zip(bias) {
        *share = ((f64::from(bias) + scale * f64::from(sum)) / WEIGHTS_PER_UNIT).exp();
    }
    let whole: f64 = shares.iter().sum();
    shares.map(|share| share / whole)
}

/// The lines at either end that are not blank, standard output's before standard error's.
fn looked_at(streams: [&[u8]; 2]) -> Vec<(usize, Range<usize>)> {
    let order = [1, 0];
    let forwards = order.into_iter().flat_map(|stream| {
        let end = streams[stream].len().min(ENDS_BYTES);
        lines_in(streams[stream], 0..end).map(move |line| (stream, line))
    });
    let mut lines: Vec<_> = forwards.take(HEAD_LINES).collect();
    let mut tail = Vec::with_capacity(TAIL_LINES);
    for stream in order.into_iter().rev() {
        let text = streams[stream];
        let floor = text.len().saturating_sub(ENDS_BYTES);
        let mut end = text.len();
        while end > floor && tail.len() < TAIL_LINES {
            let start = memrchr2(b'\n', b'\r', &text[..end]).map_or(0, |at| at + 1);
            if !text[start..end].trim_ascii().is_empty() {
                tail.push((stream, start..end));
            }
            end = start.saturating_sub(1);
        }
    }
    lines.extend(tail.into_iter().rev());
    lines
}

/// The lines within a range of a text that are not blank.
fn lines_in(text: &[u8], range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let ends = memchr2_iter(b'\n', b'\r', &text[range.clone()]).chain([range.end]);
    let mut start = range.start;
    let lines = ends.map(move |end| {
        let line = start..end;
        start = end + 1;
        line
    });
    lines.filter(|line| {
        text.get(line.clone())
            .is_some_and(|line| !line.trim_ascii().is_empty())
    })
}

/// The features of a line: its words, pairs of them, and whether it names a place.
fn features(line: &[u8]) -> impl Iterator<Item = String> {
    static PLACE: OnceLock<Regex> = OnceLock::new();
    let place = PLACE
        .get_or_init(|| compile(PLACE_PATTERN).expect("the tests of this file try the pattern"));
    let line = &line[..line.len().min(LINE_BYTES)];
    let words = tokens(line);
    let pairs: Vec<String> = words
        .windows(2)
        .map(|pair| format!("{} {}", pair[0], pair[1]))
        .collect();
    let place = place.is_match(line).then(|| "<place>".to_owned());
    let words = words
        .into_iter()
        .filter(|word| word.len() >= WORD_LENGTH_MIN);
    words.chain(pairs).chain(place)
}

/// See [`features`].
const PLACE_PATTERN: &str = r"(?:^|[\s(])[\w./\\@+-]+\.[A-Za-z]\w{0,5}[:(]\d+";

/// Words in lower case, split where `CamelCase` turns; addresses as one; numbers of three digits.
fn tokens(line: &[u8]) -> Vec<String> {
    let is_letter = |at: usize| line.get(at).is_some_and(u8::is_ascii_alphabetic);
    let run =
        |from: usize, is: &dyn Fn(usize) -> bool| (from..).find(|at| !is(*at)).unwrap_or(from);
    let lower = |range: Range<usize>| String::from_utf8_lossy(&line[range]).to_ascii_lowercase();
    let mut found = Vec::new();
    let mut at = 0;
    while at < line.len() {
        let start = at;
        let rest = &line[at..];
        if rest.starts_with(b"http://") || rest.starts_with(b"https://") {
            let is_address = |at: usize| line.get(at).is_some_and(|byte| !is_blank(*byte));
            at = run(at, &is_address);
            found.push("<url>".to_owned());
        } else if is_letter(at) {
            let goes_on = |at: usize| {
                let turns = at > start
                    && line.get(at).is_some_and(u8::is_ascii_uppercase)
                    && line[at - 1].is_ascii_lowercase();
                is_letter(at) && !turns
            };
            at = run(at, &goes_on);
            if line[at..].starts_with(b"'t") && !is_letter(at + 2) {
                at += 2;
            }
            found.push(lower(start..at));
        } else if line[at].is_ascii_digit() {
            at = run(at, &|at| line.get(at).is_some_and(u8::is_ascii_digit));
            let stands_alone = (start == 0 || !is_letter(start - 1)) && !is_letter(at);
            if at - start == STATUS_DIGITS && stands_alone {
                found.push(lower(start..at));
            }
        } else {
            at += 1;
        }
    }
    found
}

/// Whether it is a blank as patterns mean it, the vertical tab included.
fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::{
        CATEGORIES, Category, features, judge, looked_at, names_a_step, table, weights_of,
    };

    #[test]
    fn weights_are_sorted_and_complete() {
        let table = table();
        assert!(table.is_sorted_by(|one, two| one.0 < two.0));
        for (feature, numbers) in table {
            assert_eq!(numbers.split(' ').count(), CATEGORIES.len(), "{feature}");
            assert!(weights_of(feature).is_some(), "{feature}");
        }
        assert!(weights_of("").is_some());
        assert_eq!(weights_of("no such word"), None);
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a script of ours, which ends with its input"
    )]
    fn the_script_that_learns_sees_what_is_judged() {
        let text = "TypeError: can't read 404 of https://example.org/a?b=1, code 12345 x404\n\n\
                    \tsrc/Cart.test.ts:31:7 - cannotFind a PackageXML don'ts\r\n  (lib/a.rb:3)\n";
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/detect/words.py");
        let mut child = Command::new("python3")
            .args([script, "features"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        let text = text.as_bytes();
        let lines = looked_at([b"", text]);
        let mut ours: Vec<String> = lines
            .into_iter()
            .flat_map(|(_, line)| features(&text[line]))
            .collect();
        ours.sort();
        ours.dedup();
        assert_eq!(ours, said.lines().collect::<Vec<_>>());
    }

    #[test]
    fn what_no_rule_knows_is_told_by_its_words_and_what_is_not_sure_is_not() {
        let check = |text: &str, expected: Option<Category>| {
            let judged = judge([b"", text.as_bytes()]);
            let category = judged.as_ref().map(|judged| judged.category);
            assert_eq!(category, expected, "{text}: {judged:?}");
        };
        check(
            "checking carts\nthe shelf package that is required could not be found in the registry\n\
             install the missing package and its dependencies\n",
            Some(Category::Dependency),
        );
        check(
            "warning: the shelf package that is required could not be found in the registry, \
             install the missing package and its dependencies\n",
            None,
        );
        check("it is over\n", None);
        check(
            "the moon is in the seventh house and nobody knows what to do about it\n",
            None,
        );
    }

    #[test]
    fn words_of_a_command_that_failed_do_not_tell_why() {
        let line = "failed to solve: process \"/bin/sh -c install missing package could not find \
                    module required dependency\" did not complete successfully: exit code: 1\n";
        assert!(names_a_step(line.as_bytes()));
        assert!(names_a_step(b" => CANCELED [internal] load metadata"));
        assert!(!names_a_step(b"the package could not be found"));
        assert_eq!(judge([line.as_bytes(), b""]), None);
    }

    #[test]
    fn the_line_that_tells_most_and_its_words_are_named() {
        let text = b"on we go\nnothing to see here\n\
                     expected 2 to equal 3 in test cart totals\nbye\n";
        let judged = judge([text, b""]).unwrap();
        assert_eq!(judged.category, Category::TestFailure);
        assert_eq!(judged.line, (0, 29));
        assert!(
            judged.words.iter().any(|word| word.contains("expected")),
            "{judged:?}"
        );
    }
}
