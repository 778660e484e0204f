//! Lines among the records that are none: a header that is repeated, another header, a line of dashes.

use csv_async::ByteRecord;

use super::Header;
use crate::contract::{Reason, Refusal};

/// A line that looks like a record and is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderLine {
    /// The header again, as in files that were put together.
    Repeated,
    /// A line of dashes, as some programs write it below the header.
    Rule,
    /// A header with other columns, or in another order.
    Other,
}

impl HeaderLine {
    /// What the record is; `None` if it is a record.
    ///
    /// A record that has more than half of the names in the header, and at least three, is a header; of a header with two names it
    /// must have both.
    pub(super) fn of(record: &ByteRecord, header: &Header) -> Option<Self> {
        if is_rule(record) {
            return Some(Self::Rule);
        }
        let names = header.names();
        if names.len() < 2 || record.len() < 2 {
            return None;
        }
        let is_name =
            |field: &[u8]| std::str::from_utf8(field).is_ok_and(|field| header.index_of(field.trim()).is_some());
        if record.len() == names.len() {
            let trimmed = |field| std::str::from_utf8(field).map(str::trim);
            if record
                .iter()
                .zip(names)
                .all(|(field, name)| trimmed(field).is_ok_and(|field| field == name))
            {
                return Some(Self::Repeated);
            }
        }
        let known = record
            .iter()
            .filter(|field| !field.is_empty() && is_name(field))
            .count();
        let is_header = match names.len() {
            2 => known >= 2,
            _ => known >= 3 && known * 2 > names.len(),
        };
        is_header.then_some(Self::Other)
    }
}

/// Whether the record is a line of dashes.
fn is_rule(record: &ByteRecord) -> bool {
    let is_dashes = |field: &[u8]| field.len() >= 2 && field.iter().all(|byte| matches!(byte, b'-' | b'=' | b'+'));
    let is_long = record.as_slice().len() >= 3;
    is_long && record.iter().all(|field| is_dashes(field.trim_ascii()))
}

/// The refusal of what is behind another header. `at` is its offset.
pub(super) fn header_changed(record: &ByteRecord, at: u64) -> Refusal {
    let names: Vec<_> = record.iter().map(String::from_utf8_lossy).collect();
    Refusal::new(
        Reason::HEADER_CHANGED,
        format!(
            "the line at byte {at} is a header with other columns, or in another order: {}",
            names.join(", ")
        ),
    )
}

/// The delimiter that a line above the header announces: `sep=;`, as Excel reads and writes it.
pub(super) fn announced_delimiter(line: &[u8]) -> Option<u8> {
    let line = line.trim_ascii_end();
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let line = line
        .strip_prefix(b"\"")
        .and_then(|line| line.strip_suffix(b"\""))
        .unwrap_or(line);
    let (word, rest) = line.split_at_checked(4)?;
    // A tab was trimmed from the end.
    match rest {
        _ if !word.eq_ignore_ascii_case(b"sep=") => None,
        [] => Some(b'\t'),
        [delimiter] if delimiter.is_ascii_punctuation() => Some(*delimiter),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_among_records_are_recognized() {
        let header = Header::new(["time", "kind", "user", "item"]);
        for (record, line) in [
            (vec!["time", "kind", "user", "item"], Some(HeaderLine::Repeated)),
            (vec![" time", "kind", "user", "item "], Some(HeaderLine::Repeated)),
            (vec!["item", "kind", "user", "time"], Some(HeaderLine::Other)),
            (vec!["time", "kind", "user", "item", "price"], Some(HeaderLine::Other)),
            (vec!["id", "time", "kind", "user"], Some(HeaderLine::Other)),
            (vec!["time", "kind", "user"], Some(HeaderLine::Other)),
            (vec!["----", "----", "----", "----"], Some(HeaderLine::Rule)),
            (vec!["-----+------"], Some(HeaderLine::Rule)),
            (vec!["1", "kind", "user", "7"], None),
            (vec!["-", "-", "-", "-"], None),
            (vec!["", "", "", ""], None),
        ] {
            assert_eq!(
                HeaderLine::of(&ByteRecord::from(record.clone()), &header),
                line,
                "{record:?}"
            );
        }
        let one = Header::new(["id"]);
        assert_eq!(HeaderLine::of(&ByteRecord::from(vec!["id"]), &one), None);
    }

    #[test]
    fn a_delimiter_is_announced() {
        for (line, delimiter) in [
            ("sep=;", Some(b';')),
            ("SEP=,", Some(b',')),
            ("\"sep=;\"", Some(b';')),
            ("\u{feff}sep=|\r", Some(b'|')),
            ("sep=\t", Some(b'\t')),
            ("sep=ab", None),
            ("september", None),
            ("", None),
        ] {
            assert_eq!(announced_delimiter(line.as_bytes()), delimiter, "{line:?}");
        }
    }
}
