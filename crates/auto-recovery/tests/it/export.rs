//! Exports: shapes, formulas, hostile text, damage, files that are never overwritten.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use auto_recovery::audit::AuditStore;
use auto_recovery::export::{
    ExportFormat, ExportOptions, create_in, export_all, export_session, file_stamp, replace,
};
use auto_recovery::{ErrorKind, RecoveryAuditEntry};
use serde_json::Value;

use crate::audit_support::{entry, given, original, store};

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045)
}

fn options(format: ExportFormat) -> ExportOptions {
    ExportOptions {
        format,
        ..ExportOptions::default()
    }
}

fn exported(store: &dyn AuditStore, session_id: &str, options: ExportOptions) -> String {
    let mut out = Vec::new();
    export_session(store, session_id, &options, now(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_format_is_known_by_its_name() {
    for &format in ExportFormat::ALL {
        assert_eq!(format.as_str().parse::<ExportFormat>().unwrap(), format);
        let upper = format.as_str().to_uppercase();
        assert_eq!(upper.parse::<ExportFormat>().unwrap(), format);
    }
    let error = "xml".parse::<ExportFormat>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(
        error.to_string().contains("use one of json, csv, jsonl"),
        "{error}"
    );
}

#[test]
fn json_is_indented_by_two_and_says_the_same_every_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let mut one = entry("s", 1);
    one.changes_made.clear();
    store.append(vec![given(one)]).unwrap();
    let text = exported(&store, "s", options(ExportFormat::Json));
    let expected = r#"{
  "session_id": "s",
  "session_start": "2026-01-02T03:00:01.000Z",
  "export_timestamp": "2026-01-02T03:04:05.000Z",
  "total_entries": 1,
  "entries": [
    {
      "entry_id": "entry_00000000000000000000000000000001",
      "timestamp": "2026-01-02T03:00:01.000Z",
      "session_id": "s",
      "error_type": "TestError",
      "strategy": "fix",
      "attempt_number": 1,
      "success": false,
      "changes_made": [],
      "files_modified": [
        "src/file1.rs"
      ],
      "rollback_performed": true,
      "next_action": "continue",
      "duration_seconds": 0.25,
      "error_message": "it \"failed\"\nbadly",
      "recovery_message": "tried"
    }
  ]
}
"#;
    assert_eq!(text, expected);
    assert_eq!(exported(&store, "s", options(ExportFormat::Json)), expected);
}

#[test]
fn all_sessions_are_one_document_or_one_table() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let mut out = Vec::new();
    export_all(&store, &options(ExportFormat::Json), now(), &mut out).unwrap();
    let empty: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(empty["total_sessions"], 0);
    assert_eq!(empty["sessions"], Value::Array(Vec::new()));

    store
        .append(vec![
            given(entry("old", 1)),
            given(entry("new", 20)),
            given(entry("new", 21)),
        ])
        .unwrap();
    let all = |format| {
        let mut out = Vec::new();
        let summary = export_all(&store, &options(format), now(), &mut out).unwrap();
        assert_eq!(summary.entries, 3);
        assert!(summary.damage.is_empty());
        String::from_utf8(out).unwrap()
    };
    let document: Value = serde_json::from_str(&all(ExportFormat::Json)).unwrap();
    let keys: Vec<&String> = document.as_object().unwrap().keys().collect();
    let expected = [
        "export_timestamp",
        "total_sessions",
        "total_entries",
        "sessions",
    ];
    assert_eq!(keys, expected);
    assert_eq!(document["total_sessions"], 2);
    assert_eq!(document["total_entries"], 3);
    assert_eq!(document["sessions"][0]["session_id"], "new");
    assert_eq!(document["sessions"][0]["total_entries"], 2);
    assert_eq!(document["sessions"][1]["entries"][0]["attempt_number"], 1);
    let table = all(ExportFormat::Csv);
    assert_eq!(table.matches("entry_id,timestamp").count(), 1);
    assert_eq!(
        csv::Reader::from_reader(table.as_bytes()).records().count(),
        3
    );
    assert_eq!(all(ExportFormat::Jsonl).lines().count(), 3);
}

#[test]
fn jsonl_is_the_entries_as_they_are_stored() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s_audit.jsonl");
    let ours = entry("s", 1).to_json() + "\n";
    // Numbers as the original may have written them, and white space within texts.
    let mut spaced = entry("s", 2);
    spaced.error_message = "a  \"b\" \\ \n c".to_owned();
    let theirs = original(&spaced).replace("0.25", "2.50e-1");
    fs::write(&path, ours.clone() + &theirs).unwrap();
    let text = exported(&store(dir.path()), "s", options(ExportFormat::Jsonl));
    let expected = spaced.to_json().replace("0.25", "2.50e-1") + "\n";
    assert_eq!(text, ours + &expected);
}

#[test]
fn formulas_are_made_harmless_in_csv_unless_raw_cells_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let texts = [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "a=1",
        "",
        "'=1",
        "\n=1",
        "a,\"b\"\n",
    ];
    for (number, text) in texts.iter().enumerate() {
        let mut one = entry("s", number as u64 + 1);
        one.error_message = (*text).to_owned();
        one.strategy = (*text).to_owned();
        one.files_modified = vec![(*text).to_owned()];
        store.append(vec![given(one)]).unwrap();
    }
    for raw_cells in [false, true] {
        let options = ExportOptions {
            format: ExportFormat::Csv,
            raw_cells,
        };
        let table = exported(&store, "s", options);
        let mut rows = csv::Reader::from_reader(table.as_bytes());
        let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), texts.len());
        for (index, (row, text)) in rows.iter().zip(texts).enumerate() {
            let guarded = index < 6 && !raw_cells;
            let expected = if guarded {
                format!("'{text}")
            } else {
                text.to_owned()
            };
            assert_eq!(&row[12], expected);
            assert_eq!(&row[4], expected);
            assert_eq!(row[8], serde_json::to_string(&[text]).unwrap());
        }
    }
}

#[test]
fn a_csv_export_holds_all_that_the_entries_do() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let entries: Vec<RecoveryAuditEntry> = (1..=9).map(|number| entry("s", number)).collect();
    store
        .append(entries.iter().cloned().map(given).collect())
        .unwrap();
    let table = exported(&store, "s", options(ExportFormat::Csv));
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let header = rows.headers().unwrap().clone();
    let read: Vec<RecoveryAuditEntry> = rows
        .records()
        .map(|row| {
            let row = row.unwrap();
            let fields = header.iter().zip(&row).map(|(name, cell)| {
                let is_text = entries[0].to_dict()[name].is_string();
                let value = match is_text {
                    true => Value::String(cell.to_owned()),
                    false => serde_json::from_str(cell).unwrap(),
                };
                (name.to_owned(), value)
            });
            RecoveryAuditEntry::from_dict(fields.collect()).unwrap()
        })
        .collect();
    assert_eq!(read, entries);
}

#[test]
fn damage_is_told_and_the_rest_exported() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "{}\nx\n{}\n",
        entry("s", 1).to_json(),
        entry("s", 2).to_json()
    );
    fs::write(dir.path().join("s_audit.jsonl"), text).unwrap();
    let store = store(dir.path());
    for &format in ExportFormat::ALL {
        let mut out = Vec::new();
        let summary = export_session(&store, "s", &options(format), now(), &mut out).unwrap();
        assert_eq!(summary.entries, 2);
        assert_eq!(summary.damage.len(), 1);
        assert_eq!(summary.damage[0].line, 2);
    }
}

#[test]
fn an_empty_session_has_nothing_to_export() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    for &format in ExportFormat::ALL {
        let mut out = Vec::new();
        let error =
            export_session(&store, "nobody", &options(format), now(), &mut out).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(out.is_empty());
    }
}

/// Takes some bytes, then its reader is gone.
struct Gone(usize);

impl Write for Gone {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(1).ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_is_gone_can_be_told_from_other_errors() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let entries = (1..=2000).map(|number| given(entry("s", number)));
    store.append(entries.collect()).unwrap();
    for &format in ExportFormat::ALL {
        // A Parquet file is written group by group, and has one here, and its end.
        let writes = match format {
            ExportFormat::Parquet => &[0, 1][..],
            _ => &[0, 1, 3],
        };
        for &writes in writes {
            let error = export_session(&store, "s", &options(format), now(), &mut Gone(writes))
                .unwrap_err();
            let source = std::error::Error::source(&error).unwrap();
            let source = source.downcast_ref::<io::Error>().unwrap();
            assert_eq!(
                source.kind(),
                io::ErrorKind::BrokenPipe,
                "{format} {writes}"
            );
        }
    }
}

#[test]
fn a_new_file_never_takes_the_place_of_another() {
    let dir = tempfile::tempdir().unwrap();
    let create = |text: &'static str| {
        create_in(dir.path(), "x", "txt", &mut |out| {
            out.write_all(text.as_bytes())
                .map_err(|error| auto_recovery::Error::os("write", error))
        })
        .unwrap()
    };
    let names: Vec<String> = ["one", "two", "three"]
        .map(|text| {
            create(text)
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .to_vec();
    assert_eq!(names, ["x.txt", "x-2.txt", "x-3.txt"]);
    assert_eq!(fs::read(dir.path().join("x-2.txt")).unwrap(), b"two");
    let error = create_in(dir.path(), "x", "txt", &mut |_| {
        Err(auto_recovery::Error::new(ErrorKind::Damaged, "no"))
    });
    assert!(error.is_err());
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        3,
        "nothing is left"
    );
    assert_eq!(file_stamp(now()), "20260102_030405");
}

#[test]
fn replacing_keeps_links_devices_and_what_was_there_if_it_fails() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("target");
    let link = dir.path().join("link");
    fs::write(&target, "old").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let mut fill = |out: &mut dyn Write| {
        out.write_all(b"new")
            .map_err(|error| auto_recovery::Error::os("write", error))
    };
    replace(&link, &mut fill).unwrap();
    assert!(link.is_symlink());
    assert_eq!(fs::read(&target).unwrap(), b"new");
    replace(Path::new("/dev/null"), &mut fill).unwrap();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    let failed = replace(&target, &mut |out| {
        out.write_all(b"half").unwrap();
        Err(auto_recovery::Error::new(ErrorKind::Damaged, "no"))
    });
    assert!(failed.is_err());
    assert_eq!(fs::read(&target).unwrap(), b"new");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn a_file_that_is_replaced_keeps_its_owner_and_a_pipe_without_a_reader_is_refused() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let dir = tempfile::tempdir().unwrap();
    let mut fill = |out: &mut dyn std::io::Write| {
        out.write_all(b"new").unwrap();
        Ok(())
    };
    let path = dir.path().join("report");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    // Only root can give a file away.
    let owner = std::os::unix::fs::chown(&path, Some(54_321), None).map(|()| 54_321);
    replace(&path, &mut fill).unwrap();
    let there = fs::metadata(&path).unwrap();
    assert_eq!(there.mode() & 0o7777, 0o600);
    assert!(owner.is_err() || there.uid() == 54_321);
    assert_eq!(fs::read(&path).unwrap(), b"new");

    let pipe = dir.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
    let refused = replace(&pipe, &mut fill).unwrap_err().to_string();
    assert!(refused.contains("nobody reads"), "{refused}");
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read(pipe).unwrap()
    });
    while replace(&pipe, &mut fill).is_err() {
        std::thread::yield_now();
    }
    assert_eq!(reader.join().unwrap(), b"new");
}
