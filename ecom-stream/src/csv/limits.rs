/// Bounds on what is read from CSV files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CsvLimits {
    /// A field longer than this makes its record a reject.
    pub max_field_bytes: usize,
    /// A record longer than this is damage, most often a quote that is never closed: what follows is not read.
    pub max_record_bytes: usize,
    /// A batch is full at this many records.
    pub max_batch_rows: usize,
    /// A batch is full at this many bytes of input.
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
    /// The same limits with another [`max_field_bytes`](field@Self::max_field_bytes).
    #[must_use]
    pub fn max_field_bytes(mut self, bytes: usize) -> Self {
        self.max_field_bytes = bytes;
        self
    }

    /// The same limits with another [`max_record_bytes`](field@Self::max_record_bytes).
    #[must_use]
    pub fn max_record_bytes(mut self, bytes: usize) -> Self {
        self.max_record_bytes = bytes;
        self
    }

    /// The same limits with another [`max_batch_rows`](field@Self::max_batch_rows).
    #[must_use]
    pub fn max_batch_rows(mut self, rows: usize) -> Self {
        self.max_batch_rows = rows;
        self
    }

    /// The same limits with another [`max_batch_bytes`](field@Self::max_batch_bytes).
    #[must_use]
    pub fn max_batch_bytes(mut self, bytes: usize) -> Self {
        self.max_batch_bytes = bytes;
        self
    }
}
