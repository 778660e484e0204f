//! The file that the CSV directory sink is writing.

use std::fs::File;

use csv_async::{AsyncWriter, AsyncWriterBuilder, ByteRecord};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::connectors::atomic_file::AtomicFile;
use crate::connectors::file_names::FileNames;
use crate::contract::{Error, ErrorKind, Result};

/// A larger buffer was not faster when measured.
const BUFFER_BYTES: usize = 256 * 1024;

/// A CSV file that is being written, with its header. If it is dropped before [`finish`](Self::finish), it is removed.
pub(super) struct OpenFile {
    writer: AsyncWriter<tokio::fs::File>,
    whole: AtomicFile,
    sequence: u64,
    columns: usize,
    rows: u64,
    roll_at: Option<Instant>,
}

impl OpenFile {
    /// Creates the file with the first free number from `sequence` on, and writes the header. `roll_at` is when it is to be
    /// finished, if it is not full before.
    pub(super) async fn create(
        names: &FileNames,
        sequence: u64,
        columns: &[&str],
        roll_at: Option<Instant>,
    ) -> Result<Self> {
        let names = names.clone();
        let (sequence, whole, file) = blocking(move || create(&names, sequence)).await?;
        let mut writer = AsyncWriterBuilder::new()
            .buffer_capacity(BUFFER_BYTES)
            .create_writer(tokio::fs::File::from_std(file));
        crate::crash_point!("csv_sink.created");
        let header = writer.write_record(columns).await;
        header.map_err(|err| Error::io("write", whole.temporary(), err.into()))?;
        Ok(Self {
            writer,
            whole,
            sequence,
            columns: columns.len(),
            rows: 0,
            roll_at,
        })
    }

    /// The number of columns in the header.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// The number of records so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// When it is to be finished; `None` for no time.
    pub(super) fn roll_at(&self) -> Option<Instant> {
        self.roll_at
    }

    /// Appends a record, through the buffer.
    pub(super) async fn write(&mut self, record: &ByteRecord) -> Result<()> {
        let written = self.writer.write_byte_record(record).await;
        written.map_err(|err| Error::io("write", self.whole.temporary(), err.into()))?;
        self.rows += 1;
        crate::crash_point!("csv_sink.row_written");
        Ok(())
    }

    /// Flushes the buffer and gives the file its name, or the next one that is free. Returns the number of the name. With `sync`,
    /// content and name are on disk when this completes.
    pub(super) async fn finish(mut self, names: &FileNames, sync: bool) -> Result<u64> {
        let flushed = self.writer.flush().await;
        flushed.map_err(|err| Error::io("write", self.whole.temporary(), err))?;
        let names = names.clone();
        let (mut whole, mut sequence) = (self.whole, self.sequence);
        blocking(move || {
            if sync {
                whole.sync()?;
            }
            crate::crash_point!("csv_sink.before_rename");
            while !whole.appear(&names.whole(sequence))? {
                sequence += 1;
            }
            crate::crash_point!("csv_sink.renamed");
            if sync {
                names.sync()?;
            }
            Ok(sequence)
        })
        .await
    }
}

/// Creates the temporary file with the first number from `sequence` on that no other writer has.
fn create(names: &FileNames, mut sequence: u64) -> Result<(u64, AtomicFile, File)> {
    loop {
        if let Some(whole) = AtomicFile::create(names.temporary(sequence))? {
            let file = whole.file().try_clone();
            let file = file.map_err(|err| Error::io("open", whole.temporary(), err))?;
            return Ok((sequence, whole, file));
        }
        sequence += 1;
    }
}

/// Runs `f` on a thread for blocking calls.
///
/// # Errors
///
/// Those of `f`; [`ErrorKind::Panicked`] when it panics, or when the runtime is shut down.
pub(super) async fn blocking<R: Send + 'static>(f: impl FnOnce() -> Result<R> + Send + 'static) -> Result<R> {
    match spawn_blocking(f).await {
        Ok(result) => result,
        Err(err) => Err(Error::new(
            ErrorKind::Panicked,
            "the thread that writes a CSV file panicked, or the runtime was shut down",
        )
        .caused_by(err)),
    }
}
