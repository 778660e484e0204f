/// Bounds on what is read from CSV files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
