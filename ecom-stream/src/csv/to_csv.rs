use csv_async::ByteRecord;

/// A type that can be written as a line of CSV.
pub trait ToCsv {
    /// The names in the header.
    const COLUMNS: &'static [&'static str];

    /// Adds one field for each of the [`COLUMNS`](Self::COLUMNS) to an empty record, unquoted.
    fn to_csv(&self, record: &mut ByteRecord);
}
