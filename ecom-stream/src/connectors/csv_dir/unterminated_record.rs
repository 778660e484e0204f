//! What becomes of the last record of a file while no line end follows it.

/// What becomes of a last record that no line end follows; see
/// [`CsvDirSource::unterminated_record`](crate::CsvDirSource::unterminated_record).
///
/// A file that ends inside `129.90` may end behind `12`. Nothing in it says that the value is half.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnterminatedRecord {
    /// It waits: the split stays open in front of it, until a line end follows or the file is renamed into the directory. Half a
    /// value is never stored, however long an upload is interrupted.
    #[default]
    Wait,
    /// It is stored once the file has not changed for the settle time. Choose this for files that are always written as a whole
    /// and have no line end at their end. If the line goes on after all, its rest is a reject (`grew_mid_record`), and the
    /// records behind it are read.
    Store,
}
