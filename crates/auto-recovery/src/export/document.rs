//! JSON documents of any size in constant memory: written as they are read, indented by 2.
//!
//! What stands in them is given as compact JSON and laid out by the byte; nothing is decoded for
//! it.

use std::io::Write;

use memchr::memchr2;
use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};

/// What is gathered before it is written.
const BUFFER_BYTES: usize = 64 * 1024;

/// A document, an object, in the making.
pub(crate) struct Document<'o> {
    out: &'o mut dyn Write,
    buffer: Vec<u8>,
    depth: usize,
    /// Whether nothing stands yet in the object or list that is open.
    is_empty: bool,
}

impl<'o> Document<'o> {
    /// A document that goes to `out`.
    pub(crate) fn begin(out: &'o mut dyn Write) -> Self {
        let mut document = Self {
            out,
            buffer: Vec::with_capacity(BUFFER_BYTES + BUFFER_BYTES / 4),
            depth: 0,
            is_empty: true,
        };
        document.open(b'{');
        document
    }

    /// Adds a field.
    pub(crate) fn field(&mut self, name: &str, value: &impl Serialize) -> Result<()> {
        let json = serde_json::to_vec(value).map_err(|error| {
            Error::new(ErrorKind::InvalidInput, format!("write {name}")).with_source(error)
        })?;
        self.name(name);
        indent(&json, self.depth, &mut self.buffer);
        self.flush_if_full()
    }

    /// Begins a field that is a list.
    pub(crate) fn begin_list(&mut self, name: &str) {
        self.name(name);
        self.open(b'[');
    }

    /// Adds an item, given as compact JSON.
    pub(crate) fn item(&mut self, json: &[u8]) -> Result<()> {
        self.next();
        indent(json, self.depth, &mut self.buffer);
        self.flush_if_full()
    }

    /// Begins an item that is an object.
    pub(crate) fn begin_item(&mut self) {
        self.next();
        self.open(b'{');
    }

    /// Ends the item that was begun last.
    pub(crate) fn end_item(&mut self) {
        self.close(b'}');
    }

    /// Ends the list that was begun last.
    pub(crate) fn end_list(&mut self) {
        self.close(b']');
    }

    /// Ends the document, with a line end.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.close(b'}');
        self.buffer.push(b'\n');
        self.flush()?;
        self.out.flush().map_err(failed)
    }

    fn name(&mut self, name: &str) {
        self.next();
        self.buffer.push(b'"');
        self.buffer.extend_from_slice(name.as_bytes());
        self.buffer.extend_from_slice(b"\": ");
    }

    fn next(&mut self) {
        if !self.is_empty {
            self.buffer.push(b',');
        }
        self.is_empty = false;
        new_line(self.depth, &mut self.buffer);
    }

    fn open(&mut self, bracket: u8) {
        self.buffer.push(bracket);
        self.depth += 1;
        self.is_empty = true;
    }

    fn close(&mut self, bracket: u8) {
        self.depth -= 1;
        if !self.is_empty {
            new_line(self.depth, &mut self.buffer);
        }
        self.buffer.push(bracket);
        self.is_empty = false;
    }

    fn flush_if_full(&mut self) -> Result<()> {
        match self.buffer.len() >= BUFFER_BYTES {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<()> {
        self.out.write_all(&self.buffer).map_err(failed)?;
        self.buffer.clear();
        Ok(())
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::os("write the document", error)
}

/// Appends compact `json` to `out`, a token a line where a list or an object goes on, as it stands
/// `depth` levels deep.
fn indent(json: &[u8], mut depth: usize, out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        let start = at;
        at += 1;
        match byte {
            b'"' => {
                at = string_end(json, at);
                out.extend_from_slice(&json[start..at]);
            }
            b'[' | b'{' if matches!(json.get(at), Some(b']' | b'}')) => {
                at += 1;
                out.extend_from_slice(&json[start..at]);
            }
            b'[' | b'{' => {
                out.push(byte);
                depth += 1;
                new_line(depth, out);
            }
            b']' | b'}' => {
                depth = depth.saturating_sub(1);
                new_line(depth, out);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                new_line(depth, out);
            }
            b':' => out.extend_from_slice(b": "),
            _ => out.push(byte),
        }
    }
}

/// Where the string ends whose contents begin at `at`, its quote included.
fn string_end(json: &[u8], mut at: usize) -> usize {
    while let Some(found) = memchr2(b'"', b'\\', json.get(at..).unwrap_or_default()) {
        at += found + 1;
        if json[at - 1] == b'"' {
            return at;
        }
        at += 1;
    }
    json.len()
}

fn new_line(depth: usize, out: &mut Vec<u8>) {
    const SPACES: &[u8; 16] = b"                ";
    out.push(b'\n');
    let spaces = 2 * depth;
    match SPACES.get(..spaces) {
        Some(spaces) => out.extend_from_slice(spaces),
        None => out.resize(out.len() + spaces, b' '),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<u32>().prop_map(Value::from),
            "[a-z\"\\\\,:{}\\[\\]\n]{0,6}".prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z\"]{0,3}", inner, 0..4)
                    .prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_is_laid_out_as_serde_does(first in values(), items in prop::collection::vec(values(), 0..4)) {
            let mut ours = Vec::new();
            let mut document = Document::begin(&mut ours);
            document.field("first", &first).unwrap();
            document.begin_list("items");
            for item in &items {
                document.item(item.to_string().as_bytes()).unwrap();
            }
            document.end_list();
            document.begin_list("objects");
            document.begin_item();
            document.field("last", &1).unwrap();
            document.end_item();
            document.end_list();
            document.finish().unwrap();
            let theirs = json!({"first": first, "items": items, "objects": [{"last": 1}]});
            let theirs = serde_json::to_string_pretty(&theirs).unwrap() + "\n";
            prop_assert_eq!(String::from_utf8(ours).unwrap(), theirs);
        }
    }
}
