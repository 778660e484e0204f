//! Measures the CSV files of a directory.

mod columns;
mod rfc3339;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use csv::{ErrorKind, ReaderBuilder, StringRecord};

use self::columns::Columns;
use super::error::ProfileError;
use super::measure::{Measure, MeasureOptions};
use super::sections::Profile;

const BUFFER_BYTES: usize = 256 * 1024;

/// The options for measuring a directory.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ReadOptions {
    /// The options of the measurement.
    pub measure: MeasureOptions,
    /// Whether files that cannot be used are counted and skipped, in place of failing at the first one. The default is
    /// `false`.
    pub skip_unusable_files: bool,
}

impl ReadOptions {
    /// Sets the options of the measurement.
    #[must_use]
    pub fn measure(mut self, options: MeasureOptions) -> Self {
        self.measure = options;
        self
    }

    /// Sets whether files that cannot be used are counted and skipped, in place of failing at the first one.
    #[must_use]
    pub fn skip_unusable_files(mut self, skip: bool) -> Self {
        self.skip_unusable_files = skip;
        self
    }
}

/// Measures the events in all files of `dir` whose name ends in `.csv`, in the order of their names. Hidden files are
/// left out. The columns are those of [`Event::BASE_COLUMNS`](ecom_stream::Event::BASE_COLUMNS), in any order. Rows that are not
/// events are counted and skipped.
///
/// # Errors
///
/// If the directory or a file cannot be read, if a file lacks a required column, or if there is no file that can be
/// used.
pub fn read_dir(dir: impl AsRef<Path>, options: ReadOptions) -> Result<Profile, ProfileError> {
    let dir = dir.as_ref();
    let files = files(dir).map_err(|err| ProfileError::directory(dir, err))?;
    let mut measure = Measure::new(options.measure);
    let mut none_used = ProfileError::no_files(dir);
    let mut is_one_used = false;
    for file in files {
        match read_file(&file, &mut measure) {
            Ok(()) => is_one_used = true,
            Err(err) if options.skip_unusable_files => {
                measure.add_unusable_file();
                none_used = err;
            }
            Err(err) => return Err(err),
        }
    }
    match is_one_used {
        true => Ok(measure.finish()),
        false => Err(none_used),
    }
}

fn files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let is_hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !is_hidden && path.extension().is_some_and(|extension| extension == "csv") && path.is_file() {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn read_file(path: &Path, measure: &mut Measure) -> Result<(), ProfileError> {
    let file = File::open(path).map_err(|err| ProfileError::open(path, err))?;
    let mut reader = ReaderBuilder::new()
        .flexible(true)
        .buffer_capacity(BUFFER_BYTES)
        .from_reader(file);
    let header = reader.headers().map_err(|err| ProfileError::record(path, 0, err))?;
    let columns = Columns::new(header).map_err(|absent| ProfileError::column(path, absent))?;
    let mut record = StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => return Ok(()),
            Ok(true) => match columns.event(&record) {
                Some(seen) => measure.add(&seen),
                None => measure.add_unusable_row(),
            },
            Err(err) if matches!(err.kind(), ErrorKind::Utf8 { .. }) => measure.add_unusable_row(),
            Err(err) => return Err(ProfileError::record(path, reader.position().record(), err)),
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const HEADER: &str = "event_time,user_id,session_id,product_id,event_type,colour\n";

    fn dir(files: &[(&str, &str)]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    #[test]
    fn files_are_read_in_order_and_unusable_rows_are_counted() {
        let dir = dir(&[
            (
                "b.csv",
                &format!("\u{feff}{HEADER}2026-11-01T00:00:02Z,u,s,p,view,red\n"),
            ),
            (
                "a.csv",
                &format!("{HEADER}2026-11-01T00:00:00Z,u,s,p,view,red\r\nnow,u,s,p,view,red\ntorn"),
            ),
            ("c.csv", HEADER),
            (".hidden.csv", "nothing"),
            ("d.csv.tmp", "nothing"),
        ]);
        fs::create_dir(dir.path().join("e.csv")).unwrap();
        let profile = read_dir(dir.path(), ReadOptions::default()).unwrap();
        assert_eq!((profile.volume.events, profile.flaws.unusable_rows), (2, 2));
        assert_eq!(profile.arrival.late_share, 0.0);
        assert_eq!(profile.sessions.seconds.unwrap().max, 2.0);
    }

    #[test]
    fn rows_with_invalid_utf_8_are_unusable() {
        let dir = dir(&[]);
        let rows: [&[u8]; 4] = [
            HEADER.as_bytes(),
            b"2026-11-01T00:00:00Z,\xff,s,p,view,red\n",
            b"2026-11-01T00:00:01Z,u,s,p,view,\xff\n",
            b"2026-11-01T00:00:02Z,\xc3\xbc,s,p,view,red\n",
        ];
        fs::write(dir.path().join("a.csv"), rows.concat()).unwrap();
        let profile = read_dir(dir.path(), ReadOptions::default()).unwrap();
        assert_eq!((profile.volume.events, profile.flaws.unusable_rows), (1, 2));
    }

    #[test]
    fn unusable_files_are_named_or_counted() {
        let dir = dir(&[
            ("a.csv", "event_time;user_id\n"),
            ("b.csv", &format!("{HEADER}2026-11-01T00:00:02Z,u,s,p,view,red\n")),
        ]);
        let err = read_dir(dir.path(), ReadOptions::default()).unwrap_err().to_string();
        assert!(err.contains("a.csv has no column event_time"), "{err}");
        let lenient = ReadOptions {
            skip_unusable_files: true,
            ..ReadOptions::default()
        };
        let profile = read_dir(dir.path(), lenient.clone()).unwrap();
        assert_eq!((profile.volume.events, profile.flaws.unusable_files), (1, 1));

        fs::remove_file(dir.path().join("b.csv")).unwrap();
        let err = read_dir(dir.path(), lenient.clone()).unwrap_err().to_string();
        assert!(err.contains("a.csv"), "{err}");
        fs::remove_file(dir.path().join("a.csv")).unwrap();
        let err = read_dir(dir.path(), lenient.clone()).unwrap_err().to_string();
        assert!(err.contains("contains no file of events"), "{err}");
        assert!(read_dir(dir.path().join("none"), lenient).is_err());
    }
}
