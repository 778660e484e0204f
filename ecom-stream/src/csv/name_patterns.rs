//! Which files are read, by patterns beside the usual endings.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::file_name::{compression_ending_len, csv_ending_len, is_hidden, is_temporary};
use crate::contract::{Error, ErrorKind, Result};

/// The names of the files that a directory source reads: those of CSV files, which end in `.csv` or `.tsv`, and those that fit one of
/// some patterns. Each may have `.gz` or `.zst` behind it.
///
/// In a pattern `*` stands for any characters, also none; upper and lower case are the same. A pattern is compared with the name of the
/// file, without its directories. Hidden names, and those that end in `.tmp` or `.part`, are never read.
///
/// ```
/// use ecom_stream::NamePatterns;
///
/// # fn main() -> ecom_stream::Result<()> {
/// let names = NamePatterns::new(["*.txt", "orders_*"])?;
/// for name in ["a.csv", "a.tsv", "A.TXT", "north/a.txt.gz", "orders_7"] {
///     assert!(names.reads(name), "{name}");
/// }
/// for name in ["a.dat", ".a.txt", "a.txt.tmp", "a.txt.bak"] {
///     assert!(!names.reads(name), "{name}");
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamePatterns(Vec<NamePattern>);

/// A pattern: the texts between its stars, in lower case. There are two or more.
#[derive(Debug, Clone, PartialEq, Eq)]
struct NamePattern(Vec<Vec<u8>>);

impl NamePatterns {
    /// The usual names, and those that fit one of `patterns`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when a pattern has no `*`, has a `/`, or fits only names that are never read, or that are read
    /// without it.
    pub fn new<P: AsRef<str>>(patterns: impl IntoIterator<Item = P>) -> Result<Self> {
        let patterns = patterns.into_iter().map(|pattern| NamePattern::new(pattern.as_ref()));
        Ok(Self(patterns.collect::<Result<_>>()?))
    }

    /// Whether a file of that name is read when it is in the directory of a source.
    pub fn reads(&self, path: impl AsRef<Path>) -> bool {
        let name = path.as_ref().as_os_str();
        !is_hidden(name) && !is_temporary(name) && self.fit(name)
    }

    /// Whether the name is that of a CSV file, or fits a pattern.
    pub(crate) fn fit(&self, name: &OsStr) -> bool {
        csv_ending_len(name) > 0 || self.0.iter().any(|pattern| pattern.ending_len(name).is_some())
    }

    /// The length of the ending that must stay where the name is changed, so that the file is read by the new name too, and in the same
    /// way. Anything can be put in front of the ending.
    pub(crate) fn ending_len(&self, name: &OsStr) -> usize {
        let of_patterns = || self.0.iter().find_map(|pattern| pattern.ending_len(name));
        match csv_ending_len(name) {
            0 => of_patterns().unwrap_or_else(|| compression_ending_len(name)),
            len => len,
        }
    }
}

impl NamePattern {
    fn new(pattern: &str) -> Result<Self> {
        let refused = |what: &str, hint: &'static str| {
            Err(Error::new(ErrorKind::Configuration, format!("the names {pattern:?} {what}")).hint(hint))
        };
        let name = OsStr::new(pattern);
        if pattern.contains('/') {
            return refused(
                "have a directory",
                "a pattern is for the name of a file; files in subdirectories are found by recursive reading",
            );
        }
        if !pattern.contains('*') {
            // A file whose name is taken must be able to get another one that is read.
            return refused("have no *", "write a pattern such as *.txt or orders_*");
        }
        if is_hidden(name) || is_temporary(name) {
            return refused(
                "are never read",
                "hidden files, .tmp and .part are those that are still being written",
            );
        }
        if csv_ending_len(name) > 0 {
            return refused(
                "are read without being named",
                "patterns are for other names than .csv and .tsv; files that are not to be read belong in another directory",
            );
        }
        let parts = pattern.to_ascii_lowercase();
        Ok(Self(parts.split('*').map(|part| part.as_bytes().to_vec()).collect()))
    }

    /// If the name fits: the length of its end that the text behind the last star stands for, with the ending of a compressed file.
    fn ending_len(&self, name: &OsStr) -> Option<usize> {
        let file = Path::new(name).file_name()?.as_bytes().to_ascii_lowercase();
        let compressed = compression_ending_len(name);
        let last = self.0.last().map_or(0, Vec::len);
        // A pattern may name the ending of a compressed file itself.
        let bare = file.get(..file.len().saturating_sub(compressed))?;
        match (self.fits(bare), self.fits(&file)) {
            (true, _) => Some(last + compressed),
            (false, true) => Some(last.max(compressed)),
            (false, false) => None,
        }
    }

    /// Whether the name, in lower case, has the texts in their order, the first at its start and the last at its end.
    fn fits(&self, name: &[u8]) -> bool {
        let [first, middle @ .., last] = self.0.as_slice() else {
            return false;
        };
        let inner = name.strip_prefix(first.as_slice());
        let Some(mut rest) = inner.and_then(|inner| inner.strip_suffix(last.as_slice())) else {
            return false;
        };
        for part in middle {
            // The earliest place leaves the most for the others.
            let Some(at) = memchr::memmem::find(rest, part) else {
                return false;
            };
            rest = &rest[at + part.len()..];
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_the_whole_name_in_any_case_and_compression() {
        let names = NamePatterns::new(["*.txt", "Orders_*", "a*b*c.dat", "*.dump.gz"]).unwrap();
        for (name, ending) in [
            ("a.txt", ".txt"),
            ("x/A.TXT", ".TXT"),
            ("a.txt.gz", ".txt.gz"),
            ("a.TXT.ZST", ".TXT.ZST"),
            ("orders_", ""),
            ("orders_7.gz", ".gz"),
            ("abc.dat", "c.dat"),
            ("a-b-b-c.dat.gz", "c.dat.gz"),
            ("a.dump.gz", ".dump.gz"),
            ("a.csv.gz", ".csv.gz"),
            ("a.tsv", ".tsv"),
        ] {
            assert!(names.fit(name.as_ref()), "{name}");
            let len = names.ending_len(name.as_ref());
            assert!(name.ends_with(ending) && len == ending.len(), "{name}: {len}");
            // The name stays one that is read whatever is put in front of the ending.
            let changed = format!("{}.2{}", &name[..name.len() - len], &name[name.len() - len..]);
            assert!(names.fit(changed.as_ref()), "{changed}");
        }
        for name in [
            "a.txt.bak",
            "txt",
            "orders7",
            "b.dat",
            "acb.dat",
            "a.dump",
            "a.txt.bz2",
            "x/orders_7/y",
        ] {
            assert!(!names.fit(name.as_ref()), "{name}");
        }
    }

    #[test]
    fn patterns_that_do_nothing_are_refused() {
        for (pattern, says) in [
            ("a.txt", "have no *"),
            ("", "have no *"),
            ("in/*.txt", "have a directory"),
            (".*", "are never read"),
            ("*.tmp", "are never read"),
            ("orders_*.csv", "are read without being named"),
            ("*.tsv.gz", "are read without being named"),
        ] {
            let err = NamePatterns::new([pattern]).unwrap_err().to_string();
            assert!(err.starts_with(&format!("the names {pattern:?} {says}")), "{err}");
        }
    }
}
