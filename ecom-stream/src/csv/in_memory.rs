//! Texts in memory, taken apart by a dialect.

use csv_async::{AsyncReaderBuilder, ByteRecord};
use futures::FutureExt;

use super::Dialect;
use super::mask::Mask;

impl Dialect {
    /// The fields of one record, given without its line end; `None` if the text is not one whole record, because a quote is open in it or
    /// it has a line end that is not quoted.
    ///
    /// ```
    /// # use ecom_stream::Dialect;
    /// let dialect = Dialect::default().escape(Some(b'\\')).trim(true);
    /// let record = dialect.fields(br#"1, "27\" monitor, black" "#).unwrap();
    /// assert_eq!(record.iter().collect::<Vec<_>>(), [b"1".as_slice(), b"27\" monitor, black"]);
    /// assert_eq!(dialect.fields(br#"1, "27"#), None);
    /// ```
    pub fn fields(&self, record: &[u8]) -> Option<ByteRecord> {
        const NEXT: &[u8] = b"next\n";
        // In front of the record and behind it, so that an empty one counts, and an open quote shows.
        let mut text = [b"first", &[self.delimiter][..], record, b"\n", NEXT].concat();
        let alone = self.clone().skip_lines(0);
        Mask::new(
            &Self {
                comments: Vec::new(),
                ..alone
            },
            false,
        )
        .apply(&mut text, true);
        let records = self.parsed(&text, 3);
        match &*records {
            [first, next] if next.len() == 1 => Some(first.iter().skip(1).map(|field| self.value(field)).collect()),
            _ => None,
        }
    }

    /// The first rows of a text that begins at the start of a line, with their fields as text: what is not UTF-8 is replaced. Quotes are
    /// not checked.
    #[cfg(all(feature = "csv-dir", feature = "mapping"))]
    pub(crate) fn rows(&self, text: &[u8], max: usize) -> Vec<Vec<String>> {
        let mut text = text.to_vec();
        if self.needs_mask() {
            Mask::new(self, true).apply(&mut text, true);
        }
        let to_text = |field| String::from_utf8_lossy(self.value(field)).into_owned();
        let rows = self.parsed(&text, max);
        rows.iter().map(|row| row.iter().map(to_text).collect()).collect()
    }

    /// The first records of a text, as the parser reads them.
    fn parsed(&self, text: &[u8], max: usize) -> Vec<ByteRecord> {
        let mut reader = AsyncReaderBuilder::new()
            .delimiter(self.delimiter)
            .quote(self.quote.unwrap_or_default())
            .quoting(self.quote.is_some())
            .escape(self.escape)
            .has_headers(false)
            .flexible(true)
            .create_reader(text);
        let mut records = Vec::new();
        let mut next = ByteRecord::new();
        // In memory everything is ready.
        while records.len() < max
            && let Some(Ok(true)) = reader.read_byte_record(&mut next).now_or_never()
        {
            records.push(next.clone());
        }
        records
    }
}
