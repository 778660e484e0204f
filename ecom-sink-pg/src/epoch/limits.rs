//! The limits at which an epoch is full.

/// When an epoch is full. What it holds is kept until it is committed, so that it can be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct EpochLimits {
    /// Rows and rejects.
    pub max_rows: usize,
    /// Bytes of encoded rows and of rejects.
    pub max_bytes: usize,
}

impl Default for EpochLimits {
    fn default() -> Self {
        Self {
            max_rows: 10_240,
            max_bytes: 5 << 19,
        }
    }
}

impl EpochLimits {
    /// The same limits with another [`max_rows`](field@Self::max_rows).
    #[must_use]
    pub fn max_rows(mut self, rows: usize) -> Self {
        self.max_rows = rows;
        self
    }

    /// The same limits with another [`max_bytes`](field@Self::max_bytes).
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }
}
