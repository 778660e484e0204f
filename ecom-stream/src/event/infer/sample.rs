//! The sample: the beginning of a file, with its delimiter, quote and header guessed.
//!
//! The text is parsed with every pair of four delimiters and two quotes. The pair whose rows fit together best is taken. The first row
//! is the header if none of its fields looks like a value.

use std::io;
use std::path::Path;

use super::column::Column;
use super::text_traits::TextTraits;
use super::{synonyms, time_formats};
use crate::csv::Dialect;
use crate::event::Event;

/// How much of the content is read.
const MAX_SAMPLE_BYTES: u64 = 1 << 20;
const MAX_ROWS: usize = 5_000;
/// How many usual names tell a header in which others are empty or come twice.
const MIN_KNOWN_NAMES: usize = 2;
/// The delimiters that are tried, the most common first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The beginning of a file as rows of fields.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) delimiter: u8,
    /// The delimiter that a mapping without one would have.
    pub(super) delimiter_of_name: u8,
    pub(super) quote: u8,
    /// The names in the first line, or `column_1`, `column_2` and so on if it is not a header.
    pub(super) header: Vec<String>,
    /// Whether the first line is a header.
    pub(super) has_header: bool,
    pub(super) rows: Vec<Vec<String>>,
    /// Whether the file goes on after the sample.
    pub(super) is_part: bool,
    /// What a mapping must say of the text.
    pub(super) traits: TextTraits,
    /// Whether all of it is UTF-8. What is not was replaced in `rows`.
    pub(super) is_utf8: bool,
}

impl Sample {
    /// Reads a sample and takes it apart in each dialect; the one with the best score is kept.
    pub(super) async fn read(path: &Path) -> io::Result<Self> {
        let (mut bytes, mut traits) = TextTraits::read(path, MAX_SAMPLE_BYTES, &DELIMITERS).await?;
        let is_part = bytes.len() as u64 == MAX_SAMPLE_BYTES;
        if is_part {
            // The last line may be incomplete.
            let last = |end: u8| bytes.iter().rposition(|byte| *byte == end);
            let end = last(b'\n').or_else(|| last(b'\r')).map_or(0, |at| at + 1);
            bytes.truncate(end);
        }
        let mut best = (0, b',', b'"', Vec::new());
        for delimiter in DELIMITERS {
            for quote in [b'"', b'\''] {
                let rows = dialect(&traits, delimiter, quote).rows(&bytes, MAX_ROWS);
                let score = score(&rows, quote);
                if score > best.0 {
                    best = (score, delimiter, quote, rows);
                }
            }
        }
        let (_, delimiter, quote, mut rows) = best;
        traits.has_blanks = has_blanks(&rows);
        if traits.has_blanks {
            rows = dialect(&traits, delimiter, quote).rows(&bytes, MAX_ROWS);
        }
        let is_part = is_part || rows.len() == MAX_ROWS;
        let has_header = rows.first().is_some_and(|first| is_header(first));
        let header = match has_header {
            true => rows.remove(0).iter().map(|name| name.trim().to_owned()).collect(),
            false => (1..=rows.first().map_or(0, Vec::len))
                .map(|n| format!("column_{n}"))
                .collect(),
        };
        Ok(Self {
            delimiter,
            delimiter_of_name: Dialect::default().of_file(path.as_os_str(), None).delimiter,
            quote,
            header,
            has_header,
            rows,
            is_part,
            traits,
            is_utf8: std::str::from_utf8(&bytes).is_ok(),
        })
    }

    /// The columns that can be named: without those that have no name, or that of another. Fields that short rows lack are empty; rows
    /// with more fields than the header are left out.
    pub(super) fn columns(&self) -> Vec<Column> {
        let is_name = |name: &str| !name.is_empty() && self.header.iter().filter(|other| *other == name).count() == 1;
        let column = |(at, name): (usize, &String)| {
            let values = self
                .rows
                .iter()
                .filter(|row| row.len() <= self.header.len())
                .map(|row| row.get(at).cloned().unwrap_or_default());
            Column::new(name.clone(), values)
        };
        let named = self.header.iter().enumerate().filter(|(_, name)| is_name(name));
        named.map(column).collect()
    }
}

/// The dialect of a text with these traits.
fn dialect(traits: &TextTraits, delimiter: u8, quote: u8) -> Dialect {
    let dialect = Dialect::default()
        .delimiter(delimiter)
        .quote(Some(quote))
        .escape(traits.has_escapes.then_some(b'\\'))
        .skip_lines(traits.skip)
        .trim(traits.has_blanks);
    match traits.has_comments {
        true => dialect.comment("#"),
        false => dialect,
    }
}

/// Whether all values of a column begin or end with a blank.
fn has_blanks(rows: &[Vec<String>]) -> bool {
    let Some((header, rows)) = rows.split_first() else {
        return false;
    };
    (0..header.len()).any(|at| {
        let values = rows
            .iter()
            .filter_map(|row| row.get(at))
            .filter(|value| !value.is_empty());
        let mut values = values.peekable();
        values.peek().is_some() && values.all(|value| value.starts_with(' ') || value.ends_with(' '))
    })
}

/// How well rows fit together: the more rows have as many fields as the first one, and the more fields they have, the better. Quotes of
/// the other kind that are left around fields count against it.
fn score(rows: &[Vec<String>], quote: u8) -> usize {
    let width = rows.first().map_or(0, Vec::len);
    let alike = rows.iter().filter(|row| row.len() == width).count();
    let others = if quote == b'"' { '\'' } else { '"' };
    let quoted = rows
        .iter()
        .flatten()
        .filter(|field| field.len() > 1 && field.starts_with(others) && field.ends_with(others));
    let unlike = rows.len() - alike;
    // In the wrong dialect, the first row often has another number of fields than all others.
    let fit = (alike * width * 4).saturating_sub(unlike * width * 4);
    // Rows without their last fields are alike among themselves.
    let lengths = rows.iter().skip(1).map(Vec::len);
    let short = lengths.filter(|len| (2..width).contains(len));
    let shortest = short.clone().min().unwrap_or_default();
    fit.max((short.count() + alike) * shortest * 2)
        .saturating_sub(quoted.count())
        + usize::from(quote == b'"')
        + usize::from(width > 0)
}

/// Whether a row is a header: none of its names is a number or a time, and none comes twice. If names are empty or come twice, as
/// spreadsheets write them, some must be usual names of columns. One may be empty, because pandas leaves the name of its row numbers so.
fn is_header(row: &[String]) -> bool {
    let mut names: Vec<&str> = row.iter().map(|name| name.trim()).collect();
    let is_value = |name: &str| {
        let is_number = name.parse::<f64>().is_ok();
        is_number || time_formats::guess(&[name.to_owned()]).is_some()
    };
    if names.iter().all(|name| name.is_empty()) {
        return false;
    }
    if names.iter().any(|name| is_value(name)) {
        return false;
    }
    names.sort_unstable();
    let is_known = |name: &&&str| {
        Event::COLUMNS
            .iter()
            .any(|field| synonyms::standing(field, name).is_some())
    };
    let comes_twice = names.windows(2).any(|two| two[0] == two[1]);
    !comes_twice || names.iter().filter(is_known).count() >= MIN_KNOWN_NAMES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    #[test]
    fn a_header_with_empty_names_is_told_from_values() {
        for header in ["time,type,user,,", "user_id,note,note,sku", ",a,b", "a,b"] {
            assert!(is_header(&row(header)), "{header}");
        }
        for values in ["lamp,red,red", "view,,", "1,a", ",,", "2026-11-01,a"] {
            assert!(!is_header(&row(values)), "{values}");
        }
    }

    #[test]
    fn short_rows_fit_together_better_than_rows_that_are_not_taken_apart() {
        let rows = |text: &[&str]| -> Vec<Vec<String>> { text.iter().map(|text| row(text)).collect() };
        let short = rows(&["t,u,p,note", "1,2,3", "1,2,3", "1,2,3", "1,2,3,x"]);
        let whole: Vec<Vec<String>> = short.iter().map(|row| vec![row.join(",")]).collect();
        assert!(score(&short, b'"') > score(&whole, b'"'));
        // Commas in the values of another dialect.
        let values = rows(&["t;u;p", "1;2,5;3", "1;2,5;3"]);
        let right = rows(&["t,u,p", "1,2.5,3", "1,2.5,3"]);
        assert!(score(&right, b'"') > score(&values, b'"'));
    }
}
