//! The limits on what is read from CSV files.
//!
//! Too small a limit on fields or records rejects good data; too large a limit lets a damaged file use much memory. The defaults hold a
//! thousand times more than an event needs.

/// Limits on the size of fields, records and batches. They bound the memory that a file can make its reader use.
///
/// | limit | what happens at the limit |
/// |---|---|
/// | [`max_field_bytes`](field@Self::max_field_bytes) | the record is rejected, reading goes on |
/// | [`max_record_bytes`](field@Self::max_record_bytes) | the file is damaged, reading stops |
/// | [`max_batch_rows`](field@Self::max_batch_rows), [`max_batch_bytes`](field@Self::max_batch_bytes) | the batch is full, the next one begins |
///
/// ```
/// use ecom_stream::CsvLimits;
///
/// let limits = CsvLimits::default().max_batch_rows(100);
/// assert_eq!(limits.max_batch_rows, 100);
/// assert_eq!(limits.max_field_bytes, 1 << 20);
/// assert_eq!(limits.max_record_bytes, 8 << 20);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CsvLimits {
    /// A field longer than this makes its record a reject. 1 MiB by default.
    pub max_field_bytes: usize,
    /// A record longer than this is damage: what follows is not read. The usual cause is a quote that is never closed. 8 MiB by
    /// default.
    pub max_record_bytes: usize,
    /// A batch is full when it has this many records. 1,024 by default.
    pub max_batch_rows: usize,
    /// A batch is full when it stands for this many bytes of input. 512 KiB by default.
    pub max_batch_bytes: usize,
}

impl Default for CsvLimits {
    fn default() -> Self {
        Self {
            max_field_bytes: 1 << 20,
            max_record_bytes: 8 << 20,
            max_batch_rows: 1_024,
            max_batch_bytes: 512 << 10,
        }
    }
}

impl CsvLimits {
    /// Sets [`max_field_bytes`](field@Self::max_field_bytes).
    #[must_use]
    pub fn max_field_bytes(mut self, bytes: usize) -> Self {
        self.max_field_bytes = bytes;
        self
    }

    /// Sets [`max_record_bytes`](field@Self::max_record_bytes). It also bounds how far the reader reads ahead while it looks for the end of
    /// a record.
    #[must_use]
    pub fn max_record_bytes(mut self, bytes: usize) -> Self {
        self.max_record_bytes = bytes;
        self
    }

    /// Sets [`max_batch_rows`](field@Self::max_batch_rows); 0 counts as 1.
    #[must_use]
    pub fn max_batch_rows(mut self, rows: usize) -> Self {
        self.max_batch_rows = rows;
        self
    }

    /// Sets [`max_batch_bytes`](field@Self::max_batch_bytes); 0 counts as 1. A batch exceeds it by at most one record.
    #[must_use]
    pub fn max_batch_bytes(mut self, bytes: usize) -> Self {
        self.max_batch_bytes = bytes;
        self
    }
}
