//! The configuration: any bytes as a file, through the binary in `RECOVER`, since that has no
//! library.
#![no_main]

use std::io::Write as _;
use std::process::{Command, Stdio};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let recover = std::env::var_os("RECOVER").expect("RECOVER names the binary");
    let path = std::env::temp_dir().join(format!("recover-fuzz-{}.toml", std::process::id()));
    let mut file = std::fs::File::create(&path).expect("a temporary file");
    file.write_all(bytes).expect("written");
    let status = Command::new(recover)
        .args(["config", "--json", "--config"])
        .arg(&path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("it runs");
    assert!(matches!(status.code(), Some(0 | 2)), "{status:?}");
});
