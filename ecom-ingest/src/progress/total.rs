//! How much there is to read: the size of the CSV files in a directory.

use std::io;
use std::path::Path;

use ecom_sink_pg::Console;
use ecom_stream::NamePatterns;

/// How much a run has to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Total {
    /// There is no end: the run waits for new files.
    Endless,
    /// It is not known, because files are compressed: progress is counted in bytes of their
    /// content.
    Unknown,
    /// This number of bytes.
    Bytes(u64),
}

/// The size of the CSV files in a directory, without what the pipeline has read before.
///
/// # Cancel safety
///
/// Safe: it only reads.
pub async fn bytes_to_read(
    input: &Path,
    recursive: bool,
    names: &NamePatterns,
    console: &Console,
    pipeline: &str,
) -> Total {
    let mut files = Files::default();
    let Ok(()) = files.walk(input, "", recursive, names) else {
        return Total::Unknown;
    };
    if files.compressed > 0 {
        return Total::Unknown;
    }
    // Before the first run there is no ledger.
    let read = console.bytes_read(pipeline, &files.paths).await.unwrap_or_default();
    Total::Bytes(files.bytes.saturating_sub(read))
}

/// The number of CSV files in a directory, compressed ones included. What cannot be read is not
/// counted.
pub fn count_csv_files(input: &Path, recursive: bool, names: &NamePatterns) -> usize {
    let mut files = Files::default();
    // What cannot be read was told by the run.
    let _ = files.walk(input, "", recursive, names);
    files.paths.len() + files.compressed
}

/// The files that the source will find, with the names that it uses.
#[derive(Debug, Default, PartialEq, Eq)]
struct Files {
    paths: Vec<String>,
    bytes: u64,
    compressed: usize,
}

impl Files {
    /// Adds the files of a directory whose path in the ledger begins with `prefix`. Symbolic
    /// links are skipped.
    fn walk(&mut self, dir: &Path, prefix: &str, recursive: bool, names: &NamePatterns) -> io::Result<()> {
        for entry in std::fs::read_dir(dir)?.flatten() {
            let (Ok(file), Ok(name)) = (entry.metadata(), entry.file_name().into_string()) else {
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            let path = format!("{prefix}{name}");
            if file.is_dir() && recursive {
                self.walk(&entry.path(), &format!("{path}/"), recursive, names)?;
            }
            if !file.is_file() || !names.reads(&name) {
                continue;
            }
            let name = name.to_ascii_lowercase();
            match name.ends_with(".gz") || name.ends_with(".zst") {
                true => self.compressed += 1,
                false => {
                    self.bytes += file.len();
                    self.paths.push(path);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;

    use super::*;

    #[test]
    fn files_to_read_are_found_as_the_source_finds_them() {
        let dir = tempfile::tempdir().unwrap();
        let put = |path: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "0123456789").unwrap();
        };
        for path in [
            "a.csv",
            "B.CSV",
            ".c.csv",
            "d.txt",
            "e.csv.tmp",
            "day=1/hour=2/f.csv",
            ".aside/g.csv",
        ] {
            put(path);
        }
        std::os::unix::fs::symlink(dir.path().join("day=1"), dir.path().join("day=2")).unwrap();
        let names = NamePatterns::default();
        let found = |recursive| {
            let mut files = Files::default();
            files.walk(dir.path(), "", recursive, &names).unwrap();
            files.paths.sort();
            (files.paths.join(" "), files.bytes, files.compressed)
        };
        assert_eq!(found(false), ("B.CSV a.csv".to_owned(), 20, 0));
        assert_eq!(found(true), ("B.CSV a.csv day=1/hour=2/f.csv".to_owned(), 30, 0));
        put("day=1/h.csv.gz");
        assert_eq!((found(false).2, found(true).2), (0, 1));
        let counted = |recursive| count_csv_files(dir.path(), recursive, &names);
        assert_eq!((counted(false), counted(true)), (2, 4));
        let more = NamePatterns::new(["*.txt"]).unwrap();
        assert_eq!(count_csv_files(dir.path(), false, &more), 3);
    }
}
