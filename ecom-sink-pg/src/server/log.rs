//! The log file of a server.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

const TAIL_LINES: usize = 20;
const TAIL_BYTES: u64 = 64 * 1024;

/// A file that the server appends to.
#[derive(Debug)]
pub(super) struct Log(PathBuf);

impl Log {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn open(&self) -> io::Result<File> {
        File::options().create(true).append(true).open(&self.0)
    }

    /// Where the next line will be.
    pub(super) fn end(&self) -> u64 {
        fs::metadata(&self.0).map_or(0, |found| found.len())
    }

    /// The last lines after `start`; what cannot be read is left out.
    pub(super) fn tail(&self, start: u64) -> String {
        let from = start.max(self.end().saturating_sub(TAIL_BYTES));
        let mut bytes = Vec::new();
        let read = File::open(&self.0).and_then(|mut file| {
            file.seek(SeekFrom::Start(from))?;
            file.take(TAIL_BYTES).read_to_end(&mut bytes)
        });
        if let Err(error) = read {
            return format!("(not readable: {error})");
        }
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_short_and_only_of_this_run() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::new(dir.path().join("server.log"));
        assert_eq!(log.end(), 0);
        fs::write(log.path(), "an earlier run\n").unwrap();
        let start = log.end();
        assert_eq!(log.tail(start), "");
        let lines: Vec<String> = (0..100).map(|n| format!("line {n}")).collect();
        fs::write(log.path(), format!("an earlier run\n{}\n", lines.join("\n"))).unwrap();
        assert_eq!(log.tail(start), lines[80..].join("\n"));
    }
}
