//! Redaction: what is found and what stays, however it is written and wherever it is cut.

use std::sync::{Arc, LazyLock};

use auto_recovery::redaction::{NotLearned, RedactionStream, Redactor, kinds};
use auto_recovery::testing::{Random, SAMPLES, Sample, sample};
use proptest::prelude::*;
use regex::Regex;

const KEY: [u8; 16] = [7; 16];

/// Pieces of a secret that are as long tell it.
const PIECE_BYTES: usize = 8;

fn redactor() -> Arc<Redactor> {
    Arc::new(Redactor::new(KEY))
}

fn redacted(text: &str) -> String {
    let redactor = redactor();
    redactor.redact_text(text).into_owned()
}

fn streamed(redactor: &Arc<Redactor>, pieces: &[&[u8]]) -> String {
    let mut stream = RedactionStream::new(redactor.clone());
    let mut out = Vec::new();
    for piece in pieces {
        stream.push(piece, &mut out);
    }
    stream.finish(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// A sample of each kind, by its name.
fn each(seed: u64, check: impl Fn(&str, &Sample)) {
    let mut random = Random::new(seed);
    for (kind, template) in SAMPLES {
        check(kind, &sample(template, &mut random));
    }
}

/// Whether `text` has a piece of `secret`, masks and its lines' ends aside.
fn has_piece(text: &str, secret: &str) -> bool {
    static MASKS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\[redacted [\w-]+ [0-9a-f]{4}\]").unwrap());

    let text = MASKS.replace_all(text, "…");
    let text: String = text.split('\n').map(str::trim).collect();
    let secret: Vec<u8> = secret.bytes().filter(|byte| *byte != b'\n').collect();
    let mut pieces = secret.windows(PIECE_BYTES.min(secret.len()));
    pieces.any(|piece| text.contains(std::str::from_utf8(piece).unwrap()))
}

#[test]
fn every_kind_has_a_sample() {
    let sampled: Vec<_> = SAMPLES.iter().map(|(kind, _)| *kind).collect();
    let known: Vec<_> = kinds().iter().map(|kind| kind.id.as_str()).collect();
    assert_eq!(sampled, known);
}

#[test]
fn every_kind_is_masked_and_named() {
    for seed in 0..20 {
        each(seed, |kind, Sample { text, secret }| {
            // Without redaction each is there.
            assert!(has_piece(text, secret), "{kind}");
            let line = format!("before\n{text}\nafter\n");
            let redactor = redactor();
            let redacted = redactor.redact(line.as_bytes());
            let out = String::from_utf8_lossy(&redacted.text).into_owned();
            assert!(!has_piece(&out, secret), "{kind}: {text}: {out}");
            let names: Vec<_> = redacted.found.iter().map(|one| &*one.kind).collect();
            assert_eq!(names, [kind], "{text}: {out}");
            assert_eq!(redacted.found[0].line, 2, "{kind}");
            assert!(
                out.starts_with("before\n") && out.ends_with("\nafter\n"),
                "{out}"
            );
            assert_eq!(redactor.find(line.as_bytes()), redacted.found);
        });
    }
}

#[test]
fn a_token_is_called_by_its_shape_wherever_it_stands() {
    let token = sample("ghp_<n36>", &mut Random::new(3)).secret;
    for text in [
        format!("deploy --token {token}"),
        format!("[\"deploy\",\"--token\",\"{token}\"]"),
        format!("Authorization: Bearer {token}"),
        format!("API_TOKEN={token}"),
    ] {
        let masked = redacted(&text);
        assert!(masked.contains("[redacted github-token "), "{masked}");
    }
}

#[test]
fn a_secret_is_found_by_its_shape_however_it_is_escaped() {
    let percent = |text: &str, all: bool| {
        let each = text.bytes().map(|byte| match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'_' if !all => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        });
        each.collect::<String>()
    };
    let json = |text: &str| {
        let each = text.bytes().map(|byte| format!("\\u{:04x}", byte));
        each.collect::<String>()
    };
    let slashes = |text: &str| text.replace('/', "\\/");
    each(17, |kind, Sample { text, secret }| {
        // What is told by blanks or lines is no word.
        if text.contains([' ', '\n', '"', '\'', '<']) {
            return;
        }
        let forms = [
            percent(text, false),
            percent(text, true),
            json(text),
            slashes(text),
        ];
        for form in forms {
            let masked = redacted(&format!("got \"{form}\" there"));
            let plain = percent_decoded(&masked);
            assert!(!has_piece(&plain, secret), "{kind}: {form} as {masked}");
            assert!(
                masked.starts_with("got \"") && masked.ends_with("\" there"),
                "{masked}"
            );
        }
    });
}

/// `text` without the escapes that were left.
fn percent_decoded(text: &str) -> String {
    let escapes = Regex::new(r"%([0-9A-F]{2})|\\u00([0-9a-f]{2})|\\/").unwrap();
    let decode = |found: &regex::Captures<'_>| {
        let digits = found.get(1).or(found.get(2));
        let digits = digits.map_or("2f", |digits| digits.as_str());
        char::from(u8::from_str_radix(digits, 16).unwrap()).to_string()
    };
    escapes.replace_all(text, decode).into_owned()
}

#[test]
fn a_secret_is_masked_wherever_two_writes_cut_it() {
    each(31, |kind, Sample { text, secret }| {
        let line = format!("x {text}\nafter\n");
        let whole = redacted(&line);
        for at in 0..=line.len() {
            let (first, second) = line.as_bytes().split_at(at);
            let out = streamed(&redactor(), &[first, second]);
            assert_eq!(out, whole, "{kind} at {at}: {secret}");
        }
    });
}

#[test]
fn a_secret_is_masked_in_colours_and_glued_to_codes() {
    each(32, |kind, Sample { text, secret }| {
        let middle = text.find(secret.as_str()).unwrap() + secret.len() / 2;
        let (start, end) = text.split_at(middle);
        let coloured = format!("\x1b[32m{start}\x1b[1;31m{end}\x1b[0m tail");
        let out = redacted(&coloured);
        assert!(
            !has_piece(&out, &secret[..secret.len() / 2]),
            "{kind}: {out}"
        );
        assert!(
            !has_piece(&out, &secret[secret.len() / 2..]),
            "{kind}: {out}"
        );
        let written_out = format!(
            "{{\"log\":\"\\u001b[32m{}\\n\"}}",
            text.replace('\n', "\\n")
        );
        let is_own = !text.contains(['"', '\'']) && kind != "putty-private-key";
        assert!(
            !is_own || !has_piece(&redacted(&written_out), secret),
            "{kind}"
        );
    });
    let link = format!(
        "\x1b]8;;https://me:{}@h/x\x07text\x1b]8;;\x07",
        "s3x".repeat(4)
    );
    assert!(!redacted(&link).contains("s3xs3x"));
}

#[test]
fn a_token_is_masked_where_its_line_was_folded() {
    let mut random = Random::new(33);
    for (kind, template) in SAMPLES {
        let about = kinds().iter().find(|one| one.id == *kind).unwrap();
        let Sample { text, .. } = sample(template, &mut random);
        if about.is_context() || text.contains('\n') {
            continue;
        }
        let literals = about.literals.iter();
        let literal = literals.filter_map(|literal| Some(text.find(literal)? + literal.len()));
        let first = literal.max().unwrap();
        for at in first..text.len() {
            let (start, end) = text.split_at(at);
            let folded = format!("{} {start}\n    {end}\nnext line\n", "-".repeat(60));
            let out = redacted(&folded);
            assert!(!has_piece(&out, &text[..at]), "{kind} at {at}: {out}");
            let is_long = end.len() >= PIECE_BYTES;
            assert!(!is_long || !has_piece(&out, end), "{kind} at {at}: {out}");
            assert!(out.ends_with("next line\n"), "{kind}: {out}");
            if at % 7 == 0 {
                let lines: Vec<_> = folded.split_inclusive('\n').map(str::as_bytes).collect();
                assert_eq!(streamed(&redactor(), &lines), out, "{kind} at {at}");
            }
        }
    }
}

/// Forms of `value` that its bytes do not show.
fn forms(value: &str) -> Vec<String> {
    let json = serde_json::to_string(value).unwrap();
    let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let percent = value.bytes().map(|byte| match is_kept(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02x}"),
    });
    let letters: Vec<_> = value.chars().collect();
    let folded = letters
        .chunks(5)
        .map(|line| line.iter().collect::<String>());
    let folded = match value.contains([' ', '\n']) {
        // Blanks at a fold are the indent of the next line.
        true => String::new(),
        false => folded.collect::<Vec<_>>().join("\r\n  "),
    };
    vec![
        value.to_owned(),
        format!("{{\"x\":{json}}}"),
        serde_json::to_string(&json).unwrap(),
        percent.collect(),
        format!("'{}'", value.replace('\'', "'\\''")),
        folded,
    ]
}

#[test]
fn what_was_found_once_is_masked_in_every_form() {
    each(34, |kind, Sample { text, secret }| {
        let redactor = redactor();
        redactor.redact(text.as_bytes());
        for form in forms(secret) {
            let later = format!("again: {form}.\n");
            let out = redactor.redact_text(&later).into_owned();
            assert!(!has_piece(&out, secret), "{kind}: {form}: {out}");
        }
    });
}

#[test]
fn registered_values_are_masked_in_every_form_and_at_every_cut() {
    let mut random = Random::new(35);
    let part = sample("<n9>", &mut random).text;
    let value = format!("{part}'\"$&\\{part}é/");
    let redactor = redactor();
    redactor.learn("DEPLOY PASS", value.as_bytes()).unwrap();
    let mut masks = Vec::new();
    for form in forms(&value) {
        let text = format!("a {form} b\n");
        let out = redactor.redact_text(&text).into_owned();
        assert!(!has_piece(&out, &part), "{form}: {out}");
        masks.extend(out.split(['[', ']']).nth(1).map(str::to_owned));
        for at in 0..=text.len() {
            let (first, second) = text.as_bytes().split_at(at);
            assert_eq!(streamed(&redactor, &[first, second]), out, "{form} at {at}");
        }
    }
    masks.dedup();
    assert_eq!(masks.len(), 1, "equal secrets have equal masks: {masks:?}");
    assert!(masks[0].starts_with("redacted DEPLOY-PASS "), "{masks:?}");
}

#[test]
fn base_64_of_a_registered_value_is_masked_at_each_offset() {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encode = |bytes: &[u8]| -> String {
        let encoded = bytes.chunks(3).flat_map(|three| {
            let bits = three
                .iter()
                .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
            let bits = bits << (24 - 8 * three.len());
            let sextets = (0..=three.len()).map(move |at| bits >> (18 - 6 * at) & 63);
            sextets.map(|sextet| char::from(ALPHABET[sextet as usize]))
        });
        encoded.collect()
    };
    let redactor = redactor();
    let value = sample("<n20>", &mut Random::new(36)).text;
    redactor.learn("A_TOKEN", value.as_bytes()).unwrap();
    for before in ["", "x", "xy", "xyz", "user:"] {
        for after in ["", "!", "!?"] {
            let whole = encode(format!("{before}{value}{after}").as_bytes());
            for text in [whole.clone(), whole.replace('+', "-").replace('/', "_")] {
                let out = redactor.redact_text(&text).into_owned();
                assert!(out.contains("[redacted A_TOKEN "), "{text}: {out}");
                assert!(!has_piece(&out, &text), "{text}: {out}");
            }
        }
    }
}

#[test]
fn what_would_mask_what_is_no_secret_is_refused() {
    let check = |value: &str, expected: Result<(), NotLearned>| {
        assert_eq!(redactor().learn("X", value.as_bytes()), expected, "{value}");
    };
    check("true", Err(NotLearned::TooShort));
    check("1", Err(NotLearned::TooShort));
    check("localhost", Err(NotLearned::Common));
    check("********", Err(NotLearned::Common));
    check("/run/secrets/key", Err(NotLearned::Path));
    check("https://example.org/path", Err(NotLearned::PlainUrl));
    check(&"ab1".repeat(10_000), Err(NotLearned::TooLong));
    check("correct horse", Ok(()));
    let redactor = redactor();
    let password = sample("<n12>", &mut Random::new(37)).text;
    let url = format!("postgres://me:{password}@db.example.org/shop");
    redactor.learn("DATABASE_URL", url.as_bytes()).unwrap();
    let text = format!("db.example.org said no to {password}");
    let out = redactor.redact_text(&text).into_owned();
    assert!(
        out.starts_with("db.example.org said no to [redacted DATABASE_URL "),
        "{out}"
    );
}

#[test]
fn keys_of_several_lines_are_masked_line_by_line_and_cut() {
    let template = "-----BEGIN PRIVATE KEY-----\n<b64>\n<b64>\n-----END PRIVATE KEY-----";
    let key = sample(template, &mut Random::new(38)).text;
    let written_out = key.replace('\n', "\\n");
    let body = key.lines().nth(1).unwrap();
    for text in [
        format!("KEY=\"{key}\"\n"),
        format!("\"private_key\": \"{written_out}\",\n"),
        format!("+{}\n", key.replace('\n', "\n+")),
        key[..key.len() - 40].to_owned(),
        written_out[..written_out.len() - 40].to_owned(),
    ] {
        let out = redacted(&text);
        assert!(!has_piece(&out, body), "{text}: {out}");
    }
    let redactor = redactor();
    redactor.learn("KEY", key.as_bytes()).unwrap();
    let out = redactor
        .redact_text(&format!("line 2 is {body}\n"))
        .into_owned();
    assert!(!has_piece(&out, body), "{out}");
    let mention = "expected -----BEGIN PRIVATE KEY----- at the start\nand so on\n";
    assert_eq!(redacted(mention), mention);
}

/// Lines of tools, of documentation and of lock files, with nothing secret in them.
const CLEAN: &str = include_str!("../data/clean.txt");

#[test]
fn nothing_is_masked_in_clean_output_and_lock_files() {
    let outputs = include_str!("../data/outputs.jsonl");
    let lock = include_str!("../../../../Cargo.lock");
    for text in [CLEAN, outputs, lock] {
        let found = redactor().find(text.as_bytes());
        let shown = found
            .iter()
            .map(|one| (&one.kind, one.line, &text[one.range.clone()]));
        assert!(found.is_empty(), "{:?}", shown.collect::<Vec<_>>());
    }
}

#[test]
fn memory_stays_bounded_in_a_stream() {
    let redactor = redactor();
    let mut stream = RedactionStream::new(redactor);
    let mut out = Vec::new();
    let mut read = 0;
    let token = sample("ghp_<n36>", &mut Random::new(39)).text;
    for round in 0..200 {
        let piece = format!(
            "{}{token}{}",
            "x ".repeat(4_000),
            "-----BEGIN PRIVATE KEY-----ab"
        );
        stream.push(piece.as_bytes(), &mut out);
        read += piece.len();
        assert!(round < 40 || out.len() > read / 4, "{round}: {}", out.len());
    }
    stream.finish(&mut out);
    assert!(!has_piece(&String::from_utf8_lossy(&out), &token));
}

#[test]
fn texts_that_are_full_of_one_literal_pass_through_a_stream() {
    /// More than a stream keeps of a line without an end.
    const BYTES: usize = 160 * 1024;

    for unit in [
        "ghp_",
        "ghs_",
        "eyJ",
        "glpat-",
        "TOKEN=",
        "-----BEGIN PRIVATE KEY-----ab",
    ] {
        let text: Vec<u8> = unit.bytes().cycle().take(BYTES).collect();
        let mut stream = RedactionStream::new(redactor());
        let mut out = Vec::new();
        let mut found = stream.push(&text, &mut out);
        assert!(!out.is_empty(), "{unit}");
        found.extend(stream.finish(&mut out));
        let masked: usize = found.iter().map(|one| one.range.len()).sum();
        let masks = String::from_utf8_lossy(&out).matches("[redacted ").count();
        assert_eq!(masks, found.len(), "{unit}");
        assert!(out.len() + masked >= BYTES, "{unit}: nothing is lost");
    }
}

fn any_text() -> impl Strategy<Value = Vec<u8>> {
    let sampled = (0..SAMPLES.len(), any::<u64>()).prop_map(|(at, seed)| {
        sample(SAMPLES[at].1, &mut Random::new(seed))
            .text
            .into_bytes()
    });
    let literals: Vec<_> = kinds().iter().flat_map(|kind| &kind.literals).collect();
    let literal =
        proptest::sample::select(literals).prop_map(|literal| literal.clone().into_bytes());
    let glue: Vec<&[u8]> = vec![
        b"\n",
        b" ",
        b"=",
        b"\"",
        b"'",
        b"\x1b[3",
        b"m",
        b"\\n",
        b"[redacted ",
        b"[redacted x-y 0a1b]",
        b":",
        b"@",
        b"&",
        b"\xff",
        b"; ",
        b"a=b",
    ];
    let glue = proptest::sample::select(glue).prop_map(<[u8]>::to_vec);
    let noise = proptest::collection::vec(any::<u8>(), 0..12);
    let piece = prop_oneof![2 => sampled, 2 => literal, 4 => glue, 1 => noise];
    proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn redacting_twice_is_redacting_once(text in any_text()) {
        let redactor = redactor();
        let once = redactor.redact(&text).text.into_owned();
        prop_assert!(once.len() <= 24 * text.len() + 96);
        let same = redactor.redact(&once).text.into_owned();
        prop_assert_eq!(String::from_utf8_lossy(&same), String::from_utf8_lossy(&once));
        let other = Redactor::new([1; 16]).redact(&once).text.into_owned();
        prop_assert_eq!(String::from_utf8_lossy(&other), String::from_utf8_lossy(&once));
    }

    #[test]
    fn pieces_hide_nothing_that_the_whole_shows(text in any_text(), at in any::<prop::sample::Index>()) {
        let whole = Redactor::new(KEY).find(&text);
        let cut = at.index(text.len() + 1);
        let mut stream = RedactionStream::new(redactor());
        let mut out = Vec::new();
        let mut found = stream.push(&text[..cut], &mut out);
        found.extend(stream.push(&text[cut..], &mut out));
        found.extend(stream.finish(&mut out));
        let masked = |at: usize| found.iter().any(|one| one.range.contains(&at));
        for finding in whole {
            let first = found.iter().find(|one| one.range.end > finding.range.start);
            prop_assert!(finding.range.clone().all(masked), "{:?} {:?}", finding, first);
        }
    }
}

#[test]
fn what_follows_on_the_next_line_is_no_part_of_a_whole_token() {
    let token = format!("ghp_{}", "k3X9mQ2v5".repeat(4));
    let hash = "3f785a1c9d0e4b2f6a8c7d5e1f3b2a4c6d8e0f1a";
    for next in [hash, &hash[..9], &token] {
        let out = redacted(&format!("token {token}\n{next}\nend\n"));
        let lines: Vec<_> = out.lines().collect();
        assert_eq!(lines.len(), 3, "{out}");
        assert!(
            lines[1] == next || lines[1].starts_with("[redacted "),
            "{out}"
        );
    }
    let folded: Vec<_> = token.as_bytes().chunks(8).collect();
    let folded = folded.join(&b'\n');
    let folded = String::from_utf8(folded).unwrap();
    let out = redacted(&format!("{token}\n{folded}\nend\n"));
    assert!(!has_piece(&out, &token), "{out}");
}

#[test]
fn a_token_behind_an_underscore_is_one() {
    each(33, |kind, Sample { text, secret }| {
        if text == secret && !text.contains('\n') {
            let out = redacted(&format!("cannot open creds_{text}.json"));
            assert!(!has_piece(&out, secret), "{kind}: {out}");
        }
    });
}

#[test]
fn known_values_are_masked_as_programs_escape_them() {
    for (value, written) in [
        ("it's4Secret9Qz", r#"it'"'"'s4Secret9Qz"#),
        ("it's4Secret9Qz", "it''s4Secret9Qz"),
        ("it's4Secret9Qz", "it&#39;s4Secret9Qz"),
        (r#"qu"ote4Secret9Qz"#, "qu&quot;ote4Secret9Qz"),
        ("am&p4Secret9Qz", r"am\u0026p4Secret9Qz"),
        ("am&p4Secret9Qz", "am&amp;p4Secret9Qz"),
        ("le<ss/4Secret9Qz", r"le\u003css/4Secret9Qz"),
        ("le/ss 4Secret9Qz", "le/ss%204Secret9Qz"),
        ("Grün4Secret9Qz", r"Gr\\u00fcn4Secret9Qz"),
    ] {
        let redactor = redactor();
        redactor.learn("VALUE", value.as_bytes()).unwrap();
        let out = redactor.redact_text(&format!("x {written} y")).into_owned();
        assert!(
            out.starts_with("x [redacted VALUE "),
            "{value} as {written}: {out}"
        );
    }
}
