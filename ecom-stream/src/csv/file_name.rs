//! Which files are read, by their names alone.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// The endings of names of files that are read; upper and lower case are the same.
const ENDINGS: [&str; 6] = [".csv", ".csv.gz", ".csv.zst", ".tsv", ".tsv.gz", ".tsv.zst"];

/// Whether a file of that name is read when it is in the directory of a source: it is a CSV file, and neither hidden nor still
/// being written.
///
/// | name | is read |
/// |---|---|
/// | `a.csv`, `a.CSV.gz`, `day=1/a.csv.zst`, `a.tsv` | yes |
/// | `a.txt` | no: not CSV; unless a [pattern](super::NamePatterns) fits |
/// | `.a.csv`, `_temporary/a.csv` | no: hidden |
/// | `a.csv.tmp`, `a.csv.part` | no: still being written |
pub(crate) fn is_to_be_read(name: &OsStr) -> bool {
    !is_hidden(name) && !is_temporary(name) && is_csv(name)
}

/// Whether a part of the path begins with a dot, or is `_temporary`: the directory in which Spark and Hadoop write files that they
/// may discard and write again.
pub(crate) fn is_hidden(name: &OsStr) -> bool {
    name.as_bytes()
        .split(|byte| *byte == b'/')
        .any(|part| part.starts_with(b".") || part == b"_temporary")
}

/// Whether the name ends with `.tmp` or `.part`, which says that the file is still being written.
pub(crate) fn is_temporary(name: &OsStr) -> bool {
    ends_with(name, ".tmp") || ends_with(name, ".part")
}

/// Whether the name is that of a CSV file, compressed or not.
pub(crate) fn is_csv(name: &OsStr) -> bool {
    ENDINGS.iter().any(|ending| ends_with(name, ending))
}

/// Whether the name is that of a file with tabs between its fields, compressed or not.
pub(crate) fn is_tsv(name: &OsStr) -> bool {
    [".tsv", ".tsv.gz", ".tsv.zst"]
        .iter()
        .any(|ending| ends_with(name, ending))
}

/// The length of `.gz` or `.zst` at the end of the name; 0 if it has neither.
pub(crate) fn compression_ending_len(name: &OsStr) -> usize {
    let ending = [".gz", ".zst"].into_iter().find(|ending| ends_with(name, ending));
    ending.map_or(0, str::len)
}

/// The length of the ending that makes the name that of a CSV file; 0 if there is none.
pub(crate) fn csv_ending_len(name: &OsStr) -> usize {
    let ending = ENDINGS.iter().find(|ending| ends_with(name, ending));
    ending.map_or(0, |ending| ending.len())
}

/// Whether the name is that of a CSV file with a number behind it, such as `a.csv.1`. Earlier versions gave such names to files in
/// the archive, and programs that rotate files do.
pub(crate) fn is_numbered_csv(name: &OsStr) -> bool {
    let name = name.as_bytes();
    let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = &name[..name.len() - digits];
    digits > 0
        && rest
            .strip_suffix(b".")
            .is_some_and(|rest| is_csv(OsStr::from_bytes(rest)))
}

/// Whether `name` ends with `ending`; upper and lower case are the same.
pub(crate) fn ends_with(name: &OsStr, ending: &str) -> bool {
    let name = name.as_bytes();
    name.len() >= ending.len() && name[name.len() - ending.len()..].eq_ignore_ascii_case(ending.as_bytes())
}
