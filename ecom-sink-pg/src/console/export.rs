//! Exports dead letters as CSV files that can be corrected and retried.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use ecom_stream::csv_async::AsyncWriter;
use ecom_stream::{AtomicFile, Dialect, Error, ErrorKind, Result};

use super::columns::COLUMNS;
use super::console::{Console, read_error};
use super::dead_letters::{DeadLetter, DeadLetterFilter, after};

/// What was exported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// The files, one for each combination of header and mapping.
    pub files: Vec<ExportedFile>,
    /// How many dead letters they contain.
    pub letters: u64,
    /// The numbers of dead letters that cannot be a line of a file: their bytes are truncated, or
    /// would swallow the next line.
    pub unprintable: Vec<i64>,
    /// The numbers of dead letters whose file has an unknown header.
    pub headless: Vec<i64>,
}

/// A file of dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportedFile {
    /// Where it is.
    pub path: PathBuf,
    /// Whether its records come from files that were read with a mapping. Then it must be retried
    /// with one.
    pub is_mapped: bool,
    /// The pipelines whose records it has.
    pub pipelines: BTreeSet<String>,
}

/// What all dead letters in one file have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct FileKey {
    header: Vec<String>,
    read_by: ReadBy,
}

/// How their files were read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum ReadBy {
    /// By the names of their columns.
    TheirColumns,
    /// With the mapping that has this fingerprint.
    Mapping(String),
    /// With a mapping of this pipeline whose fingerprint the ledger does not have.
    SomeMappingOf(String),
}

impl ReadBy {
    /// How the file of this dead letter was read.
    fn of(letter: &DeadLetter) -> Self {
        match (&letter.mapping, letter.is_mapped) {
            (Some(fingerprint), true) => Self::Mapping(fingerprint.clone()),
            (None, true) => Self::SomeMappingOf(letter.pipeline.clone()),
            (_, false) => Self::TheirColumns,
        }
    }
}

/// A file that is being written.
struct OpenExport {
    path: PathBuf,
    is_mapped: bool,
    file: AtomicFile,
    pipelines: BTreeSet<String>,
}

/// Raw bytes of dead letters are kept up to this size.
const MAX_RAW_BYTES: usize = 64 << 10;

impl Console {
    /// Writes dead letters to files in the directory `to`, which is created: `rejects.csv`, and
    /// another file for each further header or mapping.
    ///
    /// Each line has the number of the dead letter, the reason, the file and the record number,
    /// followed by the record byte by byte as it was. A record of a file with other delimiters or
    /// quotes is written again field by field, so that all files have commas and double quotes.
    /// `columns` is the header for files whose header the ledger does not have. Existing files
    /// are not changed. Only the user of this process may read the new ones.
    ///
    /// # Errors
    ///
    /// Those of [`status`](Self::status), and [`ErrorKind::Sink`] when a file cannot be written
    /// or exists already.
    pub async fn export(&self, filter: &DeadLetterFilter, columns: Option<&[String]>, to: &Path) -> Result<Exported> {
        let connection = self.session().await?;
        fs::create_dir_all(to).map_err(|err| Error::io("make", to, err))?;
        let mut exported = Exported::default();
        let mut files: Vec<OpenExport> = Vec::new();
        let mut places: HashMap<FileKey, usize> = HashMap::new();
        let mut last = 0;
        loop {
            let letters = after(&connection, filter, last).await;
            let letters = letters.map_err(|failure| read_error(failure, "reading the dead letters"))?;
            let Some(newest) = letters.last() else { break };
            last = newest.id;
            for letter in &letters {
                let Some(header) = letter.columns.clone().or_else(|| columns.map(<[String]>::to_vec)) else {
                    exported.headless.push(letter.id);
                    continue;
                };
                let Some(line) = line(letter).await else {
                    exported.unprintable.push(letter.id);
                    continue;
                };
                let key = FileKey {
                    header,
                    read_by: ReadBy::of(letter),
                };
                let place = match places.get(&key) {
                    Some(place) => *place,
                    None => {
                        let place = files.len();
                        files.push(start_file(to, place, &key).await?);
                        places.insert(key, place);
                        place
                    }
                };
                if let Some(file) = files.get_mut(place) {
                    file.file.write(&line)?;
                    if !file.pipelines.contains(&letter.pipeline) {
                        file.pipelines.insert(letter.pipeline.clone());
                    }
                }
                exported.letters += 1;
            }
        }
        for mut file in files {
            if !file.file.appear(&file.path)? {
                return Err(there_already(&file.path));
            }
            exported.files.push(ExportedFile {
                path: file.path,
                is_mapped: file.is_mapped,
                pipelines: file.pipelines,
            });
        }
        Ok(exported)
    }
}

/// The error for a file that exists already.
fn there_already(name: &Path) -> Error {
    let message = format!("{} already exists", name.display());
    Error::new(ErrorKind::Sink, message).hint("choose another directory, or move the file away")
}

/// Creates a file that only its owner may read, since rows may have personal data, and writes its header. It gets its name
/// when it is complete.
async fn start_file(to: &Path, place: usize, key: &FileKey) -> Result<OpenExport> {
    let path = match place {
        0 => to.join("rejects.csv"),
        n => to.join(format!("rejects-{}.csv", n + 1)),
    };
    if path.exists() {
        return Err(there_already(&path));
    }
    let mut file = AtomicFile::create_private(path.with_extension("csv.tmp"))?.ok_or_else(|| there_already(&path))?;
    let names = COLUMNS.into_iter().chain(key.header.iter().map(String::as_str));
    let text = encoded(names.map(str::as_bytes)).await;
    file.write(&text)?;
    Ok(OpenExport {
        path,
        is_mapped: key.read_by != ReadBy::TheirColumns,
        file,
        pipelines: BTreeSet::new(),
    })
}

/// The line of a dead letter; `None` if its bytes are not one record.
async fn line(letter: &DeadLetter) -> Option<Vec<u8>> {
    let raw = letter.raw.as_deref().filter(|raw| raw.len() < MAX_RAW_BYTES)?;
    let text = plain(raw, &letter.written).await?;
    let (id, record) = (
        letter.id.to_string(),
        letter.record.map(|record| record.to_string()).unwrap_or_default(),
    );
    let path = letter.split.as_ref().map(|split| split.path()).unwrap_or_default();
    let fields = [&id, &letter.reason, &letter.detail, path, &record];
    let mut line = encoded(fields.into_iter().map(str::as_bytes)).await;
    line.pop();
    line.push(b',');
    line.extend_from_slice(&text);
    line.push(b'\n');
    Some(line)
}

/// A record as it is with commas and double quotes; `None` if its bytes would change the next
/// line.
async fn plain<'a>(raw: &'a [u8], written: &Dialect) -> Option<Cow<'a, [u8]>> {
    let fields = written.fields(raw)?;
    if *written == Dialect::default() {
        return Some(raw.into());
    }
    let mut text = encoded(fields.iter()).await;
    text.pop();
    Some(text.into())
}

/// The fields as a line of CSV.
async fn encoded<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut text = Vec::new();
    let mut writer = AsyncWriter::from_writer(&mut text);
    // Into memory nothing fails.
    let _ = writer.write_record(fields).await;
    let _ = writer.flush().await;
    drop(writer);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn raw_bytes_that_would_swallow_the_next_line_are_found() {
        for (raw, is_one) in [
            ("1,2,3", true),
            ("\"a\nb\",2", true),
            ("", true),
            ("x\"y,2", true),
            ("\"open,2", false),
            ("x\"y,\"z", false),
            ("\"a\"x,2", true),
        ] {
            let plain = plain(raw.as_bytes(), &Dialect::default()).await;
            assert_eq!(plain.as_deref(), is_one.then_some(raw.as_bytes()), "{raw:?}");
        }
    }

    fn dialect((delimiter, quote): (u8, Option<u8>)) -> Dialect {
        Dialect::default().delimiter(delimiter).quote(quote)
    }

    #[tokio::test]
    async fn escapes_and_blanks_become_the_common_form() {
        let written = Dialect::default().escape(Some(b'\\')).trim(true);
        let plain = plain(br#"1, "27\", black" ,x"#, &written).await.unwrap();
        assert_eq!(std::str::from_utf8(&plain).unwrap(), r#"1,"27"", black",x"#);
    }

    #[tokio::test]
    async fn other_delimiters_and_quotes_become_the_common_ones() {
        for (raw, written, expected) in [
            ("1;2,5;", (b';', Some(b'"')), "1,\"2,5\","),
            ("'a;''b''\nc';2", (b';', Some(b'\'')), "\"a;'b'\nc\",2"),
            ("5\" disk\t2", (b'\t', None), "\"5\"\" disk\",2"),
        ] {
            let plain = plain(raw.as_bytes(), &dialect(written)).await.unwrap();
            assert_eq!(std::str::from_utf8(&plain).unwrap(), expected, "{raw:?}");
        }
        assert_eq!(plain(b"'open;2", &dialect((b';', Some(b'\'')))).await, None);
    }
}
