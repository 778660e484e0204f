//! The limits at which an epoch is full.

/// When an epoch is full. What it holds stays in memory until it is committed, so that it can be
/// written again.
///
/// By default an epoch has at most 10,240 rows and 2.5 MiB, and keeps at most 5 MiB of the input
/// that its rows come from. Larger epochs need fewer commits; smaller ones need less memory and
/// commit sooner under load.
///
/// # Examples
///
/// ```
/// use ecom_sink_pg::EpochLimits;
///
/// let limits = EpochLimits::default().max_rows(50_000).max_bytes(16 << 20);
/// assert_eq!((limits.max_rows, limits.max_bytes), (50_000, 16 << 20));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct EpochLimits {
    /// Rows of all tables and rejects.
    pub max_rows: usize,
    /// Bytes of encoded rows, of rejects and of operator state. Twice as many bytes of input are
    /// kept, for the dead letters of rows that the server rejects.
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
    /// The limit on the bytes of input that an epoch keeps in memory.
    pub(crate) fn max_kept_bytes(self) -> usize {
        self.max_bytes.saturating_mul(2)
    }

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
