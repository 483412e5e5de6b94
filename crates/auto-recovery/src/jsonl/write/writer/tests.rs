//! Writing on a disk that fails under it, by file operations that fail on demand.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::Writer;
use crate::audit::{Durability, JournalEvent, Recorder};
use crate::host::SystemHost;
use crate::jsonl::dir::Dir;
use crate::jsonl::io::SystemIo;
use crate::jsonl::keys::KeyDir;
use crate::jsonl::root::Root;
use crate::jsonl::write::batch::Batch;
use crate::jsonl::write::kind::Kind;

fn writer(dir: &Path) -> Writer {
    let root = Root::new(Dir {
        keys: Arc::new(KeyDir::new(dir.to_path_buf(), Arc::new(SystemIo))),
        path: dir.to_path_buf(),
        io: Arc::new(SystemIo),
        recorder: Recorder::new(Arc::new(SystemHost::new())),
        durability: Durability::Flush,
        rollup_bytes_min: u64::MAX,
        is_placed: AtomicBool::new(false),
    });
    let path = root.dir.journal_path();
    Writer::new(Arc::new(root), path, Kind::Journal)
}

fn write(writer: &mut Writer) -> &File {
    let mut batch = Batch::new();
    let line = writer.root.dir.recorder.record(None, JournalEvent::Other);
    batch.push_record(&line.unwrap());
    writer.write(&mut [batch]).unwrap();
    &writer.open.as_ref().unwrap().file
}

#[test]
fn the_child_of_a_fork_opens_the_file_anew() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path());
    // A file that is shared, as by parent and child, has its flags in common.
    let shared = write(&mut writer).try_clone().unwrap();
    fcntl_setfl(&shared, OFlags::APPEND).unwrap();
    let is_shared = |file: &File| !fcntl_getfl(file).unwrap().contains(OFlags::NONBLOCK);
    assert!(
        is_shared(write(&mut writer)),
        "the same process continues it"
    );
    writer.open.as_mut().unwrap().pid = 0;
    assert!(!is_shared(write(&mut writer)));
    let text = std::fs::read_to_string(&writer.path).unwrap();
    let is_whole = |line: &str| line.starts_with('{') && line.ends_with(r#""event":"other"}"#);
    assert_eq!(text.lines().map(is_whole).collect::<Vec<_>>(), [true; 3]);
}
