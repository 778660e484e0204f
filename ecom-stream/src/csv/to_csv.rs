//! `ToCsv`: types that a CSV sink can write.

use csv_async::ByteRecord;

/// A type that can be written as a line of CSV, for example by [`CsvDirSink`](crate::CsvDirSink).
///
/// ```
/// use ecom_stream::ToCsv;
/// use ecom_stream::csv_async::ByteRecord;
///
/// struct Lamp { id: u32, name: String }
///
/// impl ToCsv for Lamp {
///     const COLUMNS: &'static [&'static str] = &["id", "name"];
///
///     fn to_csv(&self, record: &mut ByteRecord) {
///         record.push_field(self.id.to_string().as_bytes());
///         record.push_field(self.name.as_bytes());
///     }
/// }
///
/// let mut record = ByteRecord::new();
/// Lamp { id: 7, name: "red, small".into() }.to_csv(&mut record);
/// assert_eq!(record.get(1), Some(b"red, small".as_slice()));
/// ```
pub trait ToCsv {
    /// The names in the header, in the order in which the fields are written.
    const COLUMNS: &'static [&'static str];

    /// The columns of this value: [`COLUMNS`](Self::COLUMNS), or more of them behind those, which are only written where a value has
    /// them. A sink pads other values of the same file with empty fields.
    fn columns(&self) -> &'static [&'static str] {
        Self::COLUMNS
    }

    /// Adds one field to `record` for each of the [`columns`](Self::columns). `record` is empty; fields are added without quotes,
    /// which are the writer's business.
    fn to_csv(&self, record: &mut ByteRecord);
}
