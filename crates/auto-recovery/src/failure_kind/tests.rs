//! What is masked does not matter, and words do, whatever the bytes.

use proptest::prelude::*;

use super::*;

fn of(message: impl AsRef<[u8]>) -> String {
    failure_kind("tool", "Type", message)
}

#[test]
fn what_is_masked() {
    let check = |message: &str, expected: &str| {
        let text = String::from_utf8(masked(message.as_bytes())).unwrap();
        assert_eq!(text, expected, "{message}");
    };
    for (message, expected) in [
        ("expected 3 but got 1,024.5", "expected # but got #"),
        (
            "error[E0308]: i32 is no utf8",
            "error[E0308]: i32 is no utf8",
        ),
        (
            "line 12, column 7: test_2 of v1.2.3",
            "line #, column #: test_# of v1.#",
        ),
        ("-5 and +3 of 10%", "-# and +# of #%"),
        ("the 3rd of 1e10", "the #rd of #e#"),
        ("timed out after 950ms", "timed out after #"),
        ("timed out after 1.2 s", "timed out after #"),
        (
            "took 5m30s, then 3 seconds, then 2\u{b5}s",
            "took #, then #, then #",
        ),
        ("12 MiB of 900kB", "# of #"),
        ("2 samples of 5 dogs", "# samples of # dogs"),
        ("at 2026-11-29T01:58:17.123Z it", "at # it"),
        ("at 2026-11-29 01:58:17+02:00", "at # #"),
        ("Sun Nov 29 01:58:17 UTC 2026", "# # UTC #"),
        ("[29/Nov/2026:01:58:17 +0000] x", "[#/# +#] x"),
        ("May I? On a Sunday in March", "May I? On a Sunday in March"),
        (
            "connect ECONNREFUSED 127.0.0.1:8080",
            "connect ECONNREFUSED #",
        ),
        (
            "bind [::1]:80 on fe80::1ff:fe23:4567:890a",
            "bind [#]:# on #",
        ),
        (
            "aa:bb:cc:dd:ee:01 and std::fmt::Debug",
            "# and std::fmt::Debug",
        ),
        ("at 0x7ffd12ab and 00007f8a1c2b", "at # and #"),
        (
            "commit 3f9a1c2 of effaced facade",
            "commit # of effaced facade",
        ),
        ("id 123e4567-e89b-12d3-a456-426614174000.", "id #."),
        ("key AKIA3QZ7Y2X9K1M5N8P0 refused", "key # refused"),
        ("no '/tmp/tmp.aX9/out.txt' here", "no '#' here"),
        ("at /private/var/folders/zz/T/x: gone", "at #: gone"),
        ("in C:\\Users\\me\\AppData\\Local\\Temp\\x1 it", "in # it"),
        ("open /home/me/p/src/main.rs:10:5", "open #main.rs:#"),
        (
            "open /src/main.rs and ~/x/main.rs",
            "open #main.rs and #main.rs",
        ),
        ("see src/main.rs, or ./x/y", "see src/main.rs, or ./x/y"),
        (
            "GET https://host.example/a/b I/O",
            "GET https://host.example/a/b I/O",
        ),
        ("\u{1b}[31mred\u{1b}[0m  a\t\n b ", "red a b"),
        ("\u{1b}[31mred\u{1b}[m\u{f} a", "red a"),
        ("", ""),
    ] {
        check(message, expected);
    }
}

#[test]
fn a_kind_is_short_stable_and_has_its_version() {
    // Whoever changes this has changed the rules, and counts the version up.
    let kind = failure_kind("pytest", "AssertionError", "assert 3 == 4");
    assert_eq!(kind, "1-bad906ae5d5b8257");
    assert_eq!(
        failure_kind("/usr/bin/pytest", "AssertionError", "assert 5 == 6"),
        kind
    );
    for other in [
        failure_kind("cargo", "AssertionError", "assert 3 == 4"),
        failure_kind("pytest", "KeyError", "assert 3 == 4"),
        failure_kind("pytest", "AssertionError", "assert a == 4"),
        failure_kind("pytestA", "ssertionError", "assert 3 == 4"),
    ] {
        assert_ne!(other, kind);
    }
}

#[test]
fn the_same_failure_elsewhere_is_the_same_failure() {
    let at = |message: &str, file: &str| crate::failure::Failure {
        file_path: Some(file.to_owned()),
        line_number: Some(7),
        ..crate::failure::Failure::new("E", message, "tool")
    };
    let first = at("3 of 4 failed", "a.rs");
    assert!(first.is_same_as(&at("2 of 4 failed", "b.rs")));
    assert!(!first.is_same_as(&at("2 of 4 passed", "a.rs")));
}

#[test]
fn what_is_behind_the_limit_does_not_count() {
    let long = "word ".repeat(MESSAGE_BYTES_MAX);
    assert_eq!(of(&long), of(&long[..MESSAGE_BYTES_MAX]));
    let hostile = [
        "1:".repeat(1 << 19),
        "/".repeat(1 << 20),
        "a:".repeat(1 << 19),
    ];
    for text in hostile {
        of(text);
    }
}

/// One volatile thing, as two runs would print it.
fn volatile() -> impl Strategy<Value = (String, String)> {
    let number = || 0_u64..1_000_000_000;
    let two =
        |make: fn(u64) -> String| (number(), number()).prop_map(move |(a, b)| (make(a), make(b)));
    prop_oneof![
        two(|n| n.to_string()),
        two(|n| format!("{}.{:02}", n / 100, n % 100)),
        two(|n| format!("{n}ms")),
        two(|n| format!("{} s", n % 1000)),
        two(|n| format!("{}m{}s", n % 90, n % 60)),
        two(|n| format!("127.0.0.{}:{}", n % 256, n % 65_536)),
        two(|n| format!("0x{n:x}")),
        two(|n| format!("{:016x}1", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))),
        two(|n| format!(
            "20{:02}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            n % 100,
            n % 12 + 1,
            n % 28 + 1,
            n % 24,
            n % 60,
            n % 59
        )),
        two(|n| format!("/tmp/tmp.{n:x}/x{n}")),
        two(|n| format!("/home/u{n}/p/same.rs")),
        two(|n| format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            n,
            n % 65_536,
            n % 4096,
            n % 4096,
            n
        )),
    ]
}

proptest! {
    #[test]
    fn what_is_masked_does_not_matter(
        words in prop::collection::vec("[a-z]{3,9}", 1..5),
        things in prop::collection::vec(volatile(), 0..5),
    ) {
        let with = |of: &dyn Fn(&(String, String)) -> String| {
            let things = things.iter().map(of).collect::<Vec<_>>().join(" and ");
            format!("{} {things} {}", words.join(" "), words.join("-"))
        };
        let (a, b) = (with(&|thing| thing.0.clone()), with(&|thing| thing.1.clone()));
        prop_assert_eq!(masked(a.as_bytes()), masked(b.as_bytes()), "{} | {}", a, b);
    }

    #[test]
    fn words_matter(a in "[a-zA-Z]{1,12}( [a-zA-Z]{1,12}){0,4}", b in "[a-zA-Z]{1,12}( [a-zA-Z]{1,12}){0,4}") {
        prop_assert_eq!(of(&a) == of(&b), a == b);
    }

    #[test]
    fn any_bytes_have_a_kind_and_what_is_masked_stays_so(message in prop::collection::vec(any::<u8>(), 0..300)) {
        let kind = of(&message);
        prop_assert_eq!(kind.len(), 18);
        prop_assert!(kind.starts_with("1-"));
        let once = masked(&message);
        prop_assert!(!once.contains(&b'\t'));
    }
}
