//! A file says the same in parts as in one.

use std::io::Write;

use proptest::prelude::*;

use super::*;

fn lines() -> impl Strategy<Value = Vec<String>> {
    let line = prop_oneof![
        4 => (0..100_u32).prop_map(|number| format!("{{\"n\":{number}}}\n")),
        1 => Just("{\n  \"n\": 7\n}\n".to_owned()),
        1 => Just("{\"n\":\n".to_owned()),
        1 => Just("garbage\n".to_owned()),
        1 => Just("\n".to_owned()),
        1 => Just("\0\0\0{\"n\":1}\n".to_owned()),
        1 => Just("{\"n\":1}{\"n\":2}\n".to_owned()),
        1 => Just("  }\n".to_owned()),
    ];
    prop::collection::vec(line, 0..40)
}

fn take(seen: &mut Vec<String>, raw: &[u8]) -> Verdict {
    match serde_json::from_slice::<serde_json::Value>(raw) {
        Ok(value) if value["n"].is_u64() => {
            seen.push(value.to_string());
            Verdict::Taken
        }
        Ok(_) => Verdict::Bad("no number".to_owned()),
        Err(error) => error.into(),
    }
}

proptest! {
    #[test]
    fn parts_say_what_the_whole_says(
        lines in lines(),
        cut in 0..12_usize,
        part_bytes_min in 1..64_u64,
    ) {
        let mut text = lines.concat();
        text.truncate(text.len().saturating_sub(cut));
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let length = text.len() as u64;
        let from = Position::START;
        let (whole, walked) = walk_from(&file, from, &[], "f", Vec::new(), take).unwrap();
        let mut starts = Vec::new();
        let mut near = 0;
        while let Some(start) = next_record(&file, near).unwrap() {
            starts.push(start);
            near = start + part_bytes_min;
        }
        let (parts, in_parts) = walk_from(&file, from, &starts, "f", Vec::new(), take).unwrap();
        prop_assert_eq!(parts.concat(), whole.concat());
        prop_assert_eq!(format!("{in_parts:?}"), format!("{walked:?}"));
        let starts = part_starts(&file, 0, length, part_bytes_min).unwrap();
        prop_assert!(starts.is_sorted());
        let begins = |&start: &u64| text.as_bytes()[start as usize] == b'{';
        prop_assert!(starts.iter().all(begins), "{:?}", starts);
    }
}
