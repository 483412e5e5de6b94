//! The JSONL store.

/// A store of trails in a directory of text files.
#[derive(Debug)]
pub struct JsonlStore {}
