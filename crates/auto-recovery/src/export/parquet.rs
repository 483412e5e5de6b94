//! Entries as a Parquet file: the 14 fields as typed columns, list fields as lists, compressed with
//! Zstandard.
//!
//! Rows are gathered into groups, and a group is written when it is full, so memory is bounded
//! whatever is exported. The format wants a writer that other threads might use and `dyn Write` is
//! none, so each group is made in memory and passed on.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Mutex};

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use crate::entry::RecoveryAuditEntry;
use crate::error::{Error, ErrorKind, Result};
use crate::mutex;

/// How many rows a group has at most: what its readers work on at once.
const GROUP_ROWS_MAX: usize = 65_536;

/// How many bytes of text a group has at most.
const GROUP_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The columns: the fields of an entry, in their order.
const SCHEMA: &str = "message entry {
    required binary entry_id (STRING);
    required binary timestamp (STRING);
    required binary session_id (STRING);
    required binary error_type (STRING);
    required binary strategy (STRING);
    required int64 attempt_number (INTEGER(64,false));
    required boolean success;
    required group changes_made (LIST) { repeated group list { required binary element (STRING); } }
    required group files_modified (LIST) { repeated group list { required binary element (STRING); } }
    required boolean rollback_performed;
    required binary next_action (STRING);
    required double duration_seconds;
    required binary error_message (STRING);
    required binary recovery_message (STRING);
}";

/// A file in the making.
pub(super) struct Table<'o> {
    out: &'o mut dyn Write,
    made: Made,
    file: SerializedFileWriter<Made>,
    group: Group,
}

/// Bytes that were made and not passed on yet.
#[derive(Clone, Default)]
struct Made(Arc<Mutex<Vec<u8>>>);

impl Write for Made {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        mutex::lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'o> Table<'o> {
    /// A file without rows that goes to `out`.
    pub(super) fn new(out: &'o mut dyn Write) -> Result<Self> {
        let schema = parse_message_type(SCHEMA).map_err(failed)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(concat!("auto-recovery ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let made = Made::default();
        let file = SerializedFileWriter::new(made.clone(), Arc::new(schema), Arc::new(properties));
        Ok(Self {
            out,
            made,
            file: file.map_err(failed)?,
            group: Group::default(),
        })
    }

    /// Adds an entry.
    pub(super) fn push(&mut self, entry: RecoveryAuditEntry) -> Result<()> {
        self.group.push(entry);
        match self.group.is_full() {
            true => self.write_group(),
            false => Ok(()),
        }
    }

    /// Writes what is left, and the file's end.
    pub(super) fn finish(mut self) -> Result<()> {
        if self.group.rows > 0 {
            self.write_group()?;
        }
        self.file.finish().map_err(failed)?;
        self.pass_on()
    }

    fn write_group(&mut self) -> Result<()> {
        let mut writer = self.file.next_row_group().map_err(failed)?;
        mem::take(&mut self.group)
            .write(&mut writer)
            .map_err(failed)?;
        writer.close().map_err(failed)?;
        self.pass_on()
    }

    fn pass_on(&mut self) -> Result<()> {
        let mut made = mutex::lock(&self.made.0);
        self.out
            .write_all(&made)
            .map_err(|error| Error::os("write the export", error))?;
        made.clear();
        Ok(())
    }
}

/// Rows that are gathered, by column.
#[derive(Default)]
struct Group {
    rows: usize,
    bytes: usize,
    entry_id: Vec<ByteArray>,
    timestamp: Vec<ByteArray>,
    session_id: Vec<ByteArray>,
    error_type: Vec<ByteArray>,
    strategy: Vec<ByteArray>,
    attempt_number: Vec<i64>,
    success: Vec<bool>,
    changes_made: Lists,
    files_modified: Lists,
    rollback_performed: Vec<bool>,
    next_action: Vec<ByteArray>,
    duration_seconds: Vec<f64>,
    error_message: Vec<ByteArray>,
    recovery_message: Vec<ByteArray>,
}

impl Group {
    fn push(&mut self, entry: RecoveryAuditEntry) {
        let RecoveryAuditEntry {
            entry_id,
            timestamp,
            session_id,
            error_type,
            strategy,
            attempt_number,
            success,
            changes_made,
            files_modified,
            rollback_performed,
            next_action,
            duration_seconds,
            error_message,
            recovery_message,
        } = entry;
        let bytes = &mut self.bytes;
        let mut text = |column: &mut Vec<ByteArray>, text: String| {
            *bytes += text.len();
            column.push(text.into_bytes().into());
        };
        text(&mut self.entry_id, entry_id);
        text(&mut self.timestamp, timestamp);
        text(&mut self.session_id, session_id);
        text(&mut self.error_type, error_type);
        text(&mut self.strategy, strategy);
        text(&mut self.next_action, next_action);
        text(&mut self.error_message, error_message);
        text(&mut self.recovery_message, recovery_message);
        // The column says that it has no sign.
        self.attempt_number.push(attempt_number.cast_signed());
        self.success.push(success);
        self.bytes += self.changes_made.push(changes_made);
        self.bytes += self.files_modified.push(files_modified);
        self.rollback_performed.push(rollback_performed);
        self.duration_seconds.push(duration_seconds);
        self.rows += 1;
    }

    fn is_full(&self) -> bool {
        self.rows >= GROUP_ROWS_MAX || self.bytes >= GROUP_BYTES_MAX
    }

    fn write(self, group: &mut RowGroup<'_>) -> Result<(), ParquetError> {
        column::<ByteArrayType>(group, &self.entry_id)?;
        column::<ByteArrayType>(group, &self.timestamp)?;
        column::<ByteArrayType>(group, &self.session_id)?;
        column::<ByteArrayType>(group, &self.error_type)?;
        column::<ByteArrayType>(group, &self.strategy)?;
        column::<Int64Type>(group, &self.attempt_number)?;
        column::<BoolType>(group, &self.success)?;
        self.changes_made.write(group)?;
        self.files_modified.write(group)?;
        column::<BoolType>(group, &self.rollback_performed)?;
        column::<ByteArrayType>(group, &self.next_action)?;
        column::<DoubleType>(group, &self.duration_seconds)?;
        column::<ByteArrayType>(group, &self.error_message)?;
        column::<ByteArrayType>(group, &self.recovery_message)
    }
}

/// A column of lists: the items of all, and which of them begin one.
#[derive(Default)]
struct Lists {
    items: Vec<ByteArray>,
    /// 1 for an item, 0 for a list that has none.
    definition: Vec<i16>,
    /// 0 where a list begins.
    repetition: Vec<i16>,
}

impl Lists {
    /// Adds a list, and returns how many bytes it has.
    fn push(&mut self, list: Vec<String>) -> usize {
        if list.is_empty() {
            self.definition.push(0);
            self.repetition.push(0);
        }
        let mut bytes = 0;
        for (index, item) in list.into_iter().enumerate() {
            bytes += item.len();
            self.definition.push(1);
            self.repetition.push(i16::from(index > 0));
            self.items.push(item.into_bytes().into());
        }
        bytes
    }

    fn write(&self, group: &mut RowGroup<'_>) -> Result<(), ParquetError> {
        let levels = (&self.definition[..], &self.repetition[..]);
        write_column::<ByteArrayType>(group, &self.items, Some(levels))
    }
}

type RowGroup<'g> = SerializedRowGroupWriter<'g, Made>;

fn column<T: DataType>(group: &mut RowGroup<'_>, values: &[T::T]) -> Result<(), ParquetError> {
    write_column::<T>(group, values, None)
}

fn write_column<T: DataType>(
    group: &mut RowGroup<'_>,
    values: &[T::T],
    levels: Option<(&[i16], &[i16])>,
) -> Result<(), ParquetError> {
    let mut column = group
        .next_column()?
        .ok_or_else(|| ParquetError::General("the schema has fewer columns".to_owned()))?;
    let (definition, repetition) = levels.unzip();
    column
        .typed::<T>()
        .write_batch(values, definition, repetition)?;
    column.close()
}

fn failed(error: ParquetError) -> Error {
    Error::new(ErrorKind::Io, "write the export as Parquet").with_source(error)
}
