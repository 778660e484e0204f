//! Writes the manifest while the files are written.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use ecom_stream::{Error, ErrorKind, FileNames, Result};
use serde::{Deserialize, Serialize};

use super::entries::{FileEntry, Line, Totals};
use super::tally::CountedFile;
use super::user_set::UserSet;

/// Writes the manifest while the files are written.
///
/// The ids of all users so far are kept in a hidden file beside it, eight bytes each, so that a later run can continue
/// the count of distinct users.
#[derive(Debug)]
pub(crate) struct ManifestWriter {
    lines: AppendFile,
    user_ids: AppendFile,
    users: UserSet,
    total: Totals,
    /// The first version of a file that will be rewritten. It counts until the second version is written.
    first: Option<FileEntry>,
}

/// The lengths of the two files of a manifest, as far as they describe committed files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ManifestLengths {
    lines: u64,
    user_ids: u64,
}

/// A file that is appended to.
#[derive(Debug)]
struct AppendFile {
    path: PathBuf,
    file: File,
    len: u64,
}

impl ManifestWriter {
    /// Continues after what is committed. Anything beyond it was written by a run that ended before its commit, or is
    /// the totals.
    pub(crate) fn open(names: &FileNames, prefix: &str, durable: ManifestLengths) -> Result<Self> {
        let mut log = Self {
            lines: AppendFile::open(names.dir().join(format!("{prefix}.manifest.jsonl")), durable.lines)?,
            user_ids: AppendFile::open(names.dir().join(format!(".{prefix}.users")), durable.user_ids)?,
            users: UserSet::default(),
            total: Totals::default(),
            first: None,
        };
        let mut ids = Vec::new();
        log.user_ids.read(|mut file| file.read_to_end(&mut ids))?;
        let ids = ids.as_chunks().0.iter().map(|id| u64::from_le_bytes(*id));
        log.users.extend(ids);
        let mut files = Vec::new();
        log.lines.read(|file| {
            for line in file.lines() {
                if let Line::File(file) = serde_json::from_str(&line?)? {
                    files.push(*file);
                }
            }
            Ok(())
        })?;
        files.into_iter().for_each(|file| log.count(file));
        Ok(log)
    }

    /// Adds the entry of a file that has its final name.
    pub(crate) fn add(&mut self, name: String, counted: CountedFile) -> Result<()> {
        let CountedFile { entry: mut file, users } = counted;
        file.name = name;
        let new: Vec<u64> = users.into_iter().filter(|user| self.users.insert(*user)).collect();
        let new: Vec<u8> = new.iter().flat_map(|user| user.to_le_bytes()).collect();
        self.user_ids.append(&new)?;
        let line = Line::File(Box::new(file));
        self.lines.append(&json(&line))?;
        if let Line::File(file) = line {
            self.count(*file);
        }
        Ok(())
    }

    fn count(&mut self, file: FileEntry) {
        if file.version == 2 {
            self.first = None;
        }
        match file.is_first_of_two() {
            true => self.first = Some(file),
            false => self.total.add(&file),
        }
    }

    /// The current lengths of the files.
    pub(crate) fn lengths(&self) -> ManifestLengths {
        ManifestLengths {
            lines: self.lines.len,
            user_ids: self.user_ids.len,
        }
    }

    /// Forces to disk what was written.
    pub(crate) fn sync(&self) -> Result<()> {
        self.lines.sync()?;
        self.user_ids.sync()
    }

    /// Writes the totals. A run that continues removes them again.
    pub(crate) fn close(mut self) -> Result<()> {
        if let Some(first) = &self.first {
            self.total.add(first);
        }
        self.total.users = self.users.len() as u64;
        self.lines.append(&json(&Line::Total(Box::new(self.total))))
    }
}

fn json(line: &Line) -> Vec<u8> {
    // Serialisation cannot fail: an entry consists of numbers, strings and maps with plain keys.
    let mut line = serde_json::to_vec(line).unwrap_or_default();
    line.push(b'\n');
    line
}

impl AppendFile {
    /// Opens the file and truncates it to `len` bytes.
    fn open(path: PathBuf, len: u64) -> Result<Self> {
        let cant = |act, err| Error::io(act, &path, err);
        let options = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .clone();
        let mut file = options.open(&path).map_err(|err| cant("open", err))?;
        let found = file.metadata().map_err(|err| cant("open", err))?.len();
        if found < len {
            let message = format!(
                "{} has only {found} bytes, but {len} bytes were committed",
                path.display()
            );
            return Err(
                Error::new(ErrorKind::Sink, message).hint("restore the file, or start anew in another directory")
            );
        }
        file.set_len(len).map_err(|err| cant("shorten", err))?;
        file.seek(SeekFrom::End(0)).map_err(|err| cant("open", err))?;
        Ok(Self { path, file, len })
    }

    fn read<R>(&mut self, read: impl FnOnce(BufReader<&mut File>) -> std::io::Result<R>) -> Result<R> {
        let rewound = || {
            self.file.rewind()?;
            let found = read(BufReader::new(&mut self.file))?;
            self.file.seek(SeekFrom::End(0))?;
            Ok(found)
        };
        rewound().map_err(|err| Error::io("read", &self.path, err))
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.len += bytes.len() as u64;
        let written = self.file.write_all(bytes);
        written.map_err(|err| Error::io("write", &self.path, err))
    }

    fn sync(&self) -> Result<()> {
        let synced = self.file.sync_all();
        synced.map_err(|err| Error::io("sync", &self.path, err))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dirt::FaultKind;
    use crate::manifest::entries::Manifest;
    use crate::manifest::tally::Tally;

    fn counted(number: u64, version: u32, users: &[u64], rewritten: bool) -> CountedFile {
        let mut tally = Tally::new();
        if rewritten {
            tally.fault(FaultKind::Rewritten);
        }
        let mut counted = tally.finish(number, version, 100);
        counted.users = users.to_vec();
        *counted
    }

    #[test]
    fn it_continues_after_what_is_committed() {
        let dir = tempfile::tempdir().unwrap();
        let names = FileNames::new(dir.path(), "events").unwrap();
        let path = dir.path().join("events.manifest.jsonl");
        let mut log = ManifestWriter::open(&names, "events", ManifestLengths::default()).unwrap();
        log.add("a".into(), counted(1, 1, &[1, 2], false)).unwrap();
        let durable = log.lengths();
        log.add("b".into(), counted(2, 1, &[2, 3], true)).unwrap();
        log.close().unwrap();
        let stopped = Manifest::read(&path).unwrap();
        assert_eq!(stopped.files.len(), 2);
        let total = stopped.total.unwrap();
        assert_eq!((total.files, total.users, total.bytes), (2, 3, 200));

        let mut log = ManifestWriter::open(&names, "events", durable).unwrap();
        assert_eq!(Manifest::read(&path).unwrap().files.len(), 1);
        log.add("b".into(), counted(2, 1, &[2], true)).unwrap();
        let after_first = log.lengths();
        drop(log);
        let mut log = ManifestWriter::open(&names, "events", after_first).unwrap();
        log.add("b".into(), counted(2, 2, &[2, 4], true)).unwrap();
        log.close().unwrap();
        let ended = Manifest::read(&path).unwrap();
        let versions: Vec<_> = ended
            .files
            .iter()
            .map(|file| (file.name.as_str(), file.version))
            .collect();
        assert_eq!(versions, [("a", 1), ("b", 2)]);
        let total = ended.total.unwrap();
        assert_eq!((total.files, total.users), (2, 3));
        assert_eq!(total.faults[&FaultKind::Rewritten], 1);

        std::fs::write(&path, "").unwrap();
        let err = ManifestWriter::open(&names, "events", after_first).unwrap_err();
        assert!(err.report().contains("restore the file"), "{}", err.report());
    }
}
