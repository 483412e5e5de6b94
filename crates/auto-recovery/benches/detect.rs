//! What detection of a large output costs beside one bare scan of the same bytes for newlines.
//!
//! `cargo bench --bench detect` measures both in turn, on several kinds of output, and tells
//! medians.
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

mod side_by_side;

use std::hint::black_box;
use std::time::Duration;

use auto_recovery::detect::{Observation, Rules, detect};
use serde_json::Value;
use side_by_side::{Pair, say};

/// How much output is read: several times what fits into any cache.
const BYTES: usize = 64 << 20;

const ROUNDS: usize = 9;

/// Real outputs of failing tools, one JSON object a line.
const OUTPUTS: &str = include_str!("../tests/data/outputs.jsonl");

fn main() {
    say("| output | newlines, MB/s | detection, MB/s |");
    say("|---|---|---|");
    measure("a build that goes well for long", &repeated(BUILD));
    measure("the same, in colours", &repeated(COLOURED));
    measure("real failures, one after another", &repeated(&failures()));
    measure("one line without an end", &repeated("x"));
    measure("random bytes", &noise());
}

fn measure(what: &str, output: &[u8]) {
    let argv = ["make".to_owned()];
    let observation = Observation {
        argv: &argv,
        exit_code: Some(2),
        stdout: output,
        ..Observation::default()
    };
    let rules = Rules::builtin();
    let bare = || {
        black_box(memchr::memchr_iter(b'\n', output).count());
    };
    let ours = || {
        black_box(detect(&observation, rules));
    };
    let (ours, bare) = Pair::take(ROUNDS, bare, ours).medians();
    let speed = |time: Duration| output.len() as f64 / 1e6 / time.as_secs_f64();
    say(&format!(
        "| {what} | {:.0} | {:.0} |",
        speed(bare),
        speed(ours)
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
