//! What redaction of a large output costs beside one bare pass over the same bytes that looks for
//! the literals of all kinds, and what the first text of a process costs.
//!
//! `cargo bench --bench redact` measures both in turn, on several kinds of output, and tells
//! medians.
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

mod side_by_side;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use auto_recovery::redaction::{RedactionStream, Redactor, kinds};
use serde_json::Value;
use side_by_side::{Pair, say};

/// How much output is read: several times what fits into any cache.
const BYTES: usize = 64 << 20;

/// Bytes of a piece of a stream.
const PIECE_BYTES: usize = 64 * 1024;

const ROUNDS: usize = 7;

/// Real outputs of failing tools, one JSON object a line.
const OUTPUTS: &str = include_str!("../tests/data/outputs.jsonl");

fn main() {
    first_text();
    say("| output | literals, MB/s | newlines, MB/s | redaction, MB/s | as a stream, MB/s |");
    say("|---|---|---|---|---|");
    measure("a build that goes well for long", &repeated(BUILD));
    measure("the same, in colours", &repeated(COLOURED));
    measure("real failures, one after another", &repeated(&failures()));
    measure("a secret in every 8 KiB", &repeated(&with_secret()));
    measure("random bytes", &noise());
}

fn first_text() {
    let began = Instant::now();
    let redactor = Redactor::new([7; 16]);
    let made = began.elapsed();
    redactor.redact(failures().as_bytes());
    let clean = began.elapsed();
    redactor.redact(with_secret().as_bytes());
    let secret = began.elapsed();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    say(&format!(
        "made in {:.3} ms, the first {} bytes looked through after {:.1} ms, the first secret masked \
         after {:.1} ms\n",
        ms(made),
        failures().len(),
        ms(clean),
        ms(secret)
    ));
}

fn measure(what: &str, output: &[u8]) {
    let literals = kinds().iter().flat_map(|kind| &kind.literals);
    let automaton = AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::DFA))
        .ascii_case_insensitive(true)
        .build(literals)
        .expect("a few hundred short literals");
    let bare = || {
        black_box(automaton.find_overlapping_iter(output).count());
    };
    let newlines = || {
        black_box(memchr::memchr_iter(b'\n', output).count());
    };
    let whole = || {
        black_box(Redactor::new([7; 16]).redact(output).found.len());
    };
    let streamed = || {
        let mut stream = RedactionStream::new(Arc::new(Redactor::new([7; 16])));
        let mut out = Vec::with_capacity(2 * PIECE_BYTES);
        for piece in output.chunks(PIECE_BYTES) {
            out.clear();
            black_box(stream.push(piece, &mut out).len());
        }
        black_box(stream.finish(&mut out).len());
    };
    let (whole, bare) = Pair::take(ROUNDS, bare, whole).medians();
    let (streamed, newlines) = Pair::take(ROUNDS, newlines, streamed).medians();
    let speed = |time: Duration| output.len() as f64 / 1e6 / time.as_secs_f64();
    say(&format!(
        "| {what} | {:.0} | {:.0} | {:.0} | {:.0} |",
        speed(bare),
        speed(newlines),
        speed(whole),
        speed(streamed)
    ));
}

const BUILD: &str = "\
2026-11-25T14:03:11.402Z INFO  [worker-3] resolving dependencies of @acme/web-client (412 of 1280)
   Compiling serde_json v1.0.154 (/home/dev/project/vendor/serde_json)
[ 47%] Building CXX object src/net/CMakeFiles/net.dir/connection_pool.cc.o
tests/test_price.py::test_discount_of_ten_pieces PASSED                          [ 71%]
ok      example.com/project/internal/cache      0.412s  coverage: 81.3% of statements
gcc -O2 -Wall -Wextra -Iinclude -MMD -c -o build/parser/lexer.o src/parser/lexer.c
\u{20}   \u{2713} renders the list of open orders (38 ms)
added 1 package, and audited 812 packages in 4s
";

const COLOURED: &str = "\
\x1b[2m2026-11-25T14:03:11.402Z\x1b[0m \x1b[32m INFO\x1b[0m \x1b[1mworker\x1b[0m: resolving 412 of 1280
\x1b[0m\x1b[1m\x1b[32m   Compiling\x1b[0m serde_json v1.0.154
\x1b[32m.\x1b[0m\x1b[32m.\x1b[0m\x1b[32m.\x1b[0m\x1b[32m.\x1b[0m\x1b[32m [ 71%]\x1b[0m
";

fn failures() -> String {
    let outputs = OUTPUTS.lines().map(|line| {
        let case: Value = serde_json::from_str(line).expect("a JSON object a line");
        case["stdout"].as_str().unwrap_or_default().to_owned()
    });
    outputs.collect::<Vec<_>>().join("\n")
}

/// 8 KiB of output with a token in it, made here.
fn with_secret() -> String {
    let body = "k3X9mQ2v".repeat(5);
    let output: String = BUILD.chars().cycle().take(8 << 10).collect();
    format!("{output}\nusing ghp_{body}\n")
}

fn repeated(text: &str) -> Vec<u8> {
    text.bytes().cycle().take(BYTES).collect()
}

/// Bytes of a xorshift generator: the same each time, and nothing like text.
fn noise() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..BYTES / 8).flat_map(|_| next().to_le_bytes()).collect()
}
