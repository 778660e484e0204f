//! Letters as CSV files that can be mended and put in again.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use ecom_stream::csv_async::{AsyncReaderBuilder, AsyncWriter, ByteRecord};
use ecom_stream::{Error, ErrorKind, Result, WholeFile};

use super::letters::{Letter, LetterFilter, after};
use super::{Console, retry};

/// What was exported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// The files, one for each header.
    pub files: Vec<PathBuf>,
    /// How many letters they hold.
    pub letters: u64,
    /// The numbers of letters that can't stand in a file: their bytes are cut off or would swallow the next line.
    pub unprintable: Vec<i64>,
    /// The numbers of letters for which nobody knows the header of their file.
    pub headless: Vec<i64>,
}

/// Stand in front of the columns of the original.
pub(super) const COLUMNS: [&str; 5] = [
    retry::ID,
    "reject_reason",
    "reject_detail",
    "reject_file",
    "reject_record",
];

/// Raw bytes are kept up to here.
const MOST_KEPT_BYTES: usize = 64 << 10;

impl Console {
    /// Writes letters to files in the directory `to`, which is made: `rejects.csv`, and another for each further header.
    ///
    /// A line has the number of the letter, why it was refused and where it stood, then the record byte by byte as it was.
    /// `columns` is the header for letters of files whose own the ledger doesn't have. Files that are there are not touched.
    ///
    /// # Errors
    ///
    /// As [`status`](Self::status), and [`ErrorKind::Sink`] when a file can't be written, or is
    /// there already.
    pub async fn export(&self, filter: &LetterFilter, columns: Option<&[String]>, to: &Path) -> Result<Exported> {
        let connection = self.session().await?;
        fs::create_dir_all(to).map_err(|err| Error::cant("make", to, err))?;
        let mut exported = Exported::default();
        let mut files: HashMap<Vec<String>, WholeFile> = HashMap::new();
        let mut names = Vec::new();
        let mut last = 0;
        loop {
            let letters = after(&connection.client, filter, last).await;
            let letters = letters.map_err(|failure| failure.into_error("reading the dead letters"))?;
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
                if !files.contains_key(&header) {
                    let name = match files.len() {
                        0 => to.join("rejects.csv"),
                        n => to.join(format!("rejects-{}.csv", n + 1)),
                    };
                    let file = begun(&name, &header).await?;
                    names.push((name, header.clone()));
                    files.insert(header.clone(), file);
                }
                if let Some(file) = files.get_mut(&header) {
                    file.write(&line)?;
                }
                exported.letters += 1;
            }
        }
        for (name, header) in names {
            if let Some(mut file) = files.remove(&header) {
                if !file.appear(&name)? {
                    return Err(there_already(&name));
                }
                exported.files.push(name);
            }
        }
        Ok(exported)
    }
}

fn there_already(name: &Path) -> Error {
    let message = format!("{} is there already", name.display());
    Error::new(ErrorKind::Sink, message).hint("name another directory, or move the file away")
}

async fn begun(name: &Path, header: &[String]) -> Result<WholeFile> {
    if name.exists() {
        return Err(there_already(name));
    }
    let mut file = WholeFile::create(name.with_extension("csv.tmp"))?.ok_or_else(|| there_already(name))?;
    let names = COLUMNS.into_iter().chain(header.iter().map(String::as_str));
    let text = encoded(names.map(str::as_bytes)).await;
    file.write(&text)?;
    Ok(file)
}

/// The line of a letter; nothing where its bytes are not one record.
async fn line(letter: &Letter) -> Option<Vec<u8>> {
    let raw = letter.raw.as_deref()?;
    if raw.len() >= MOST_KEPT_BYTES || !is_one_record(raw).await {
        return None;
    }
    let (id, record) = (
        letter.id.to_string(),
        letter.record.map(|record| record.to_string()).unwrap_or_default(),
    );
    let path = letter.split.as_ref().map(|split| split.path()).unwrap_or_default();
    let fields = [&id, &letter.reason, &letter.detail, path, &record];
    let mut line = encoded(fields.into_iter().map(str::as_bytes)).await;
    line.pop();
    line.push(b',');
    line.extend_from_slice(raw);
    line.push(b'\n');
    Some(line)
}

/// Whether the bytes leave the next line alone.
async fn is_one_record(raw: &[u8]) -> bool {
    const NEXT: &[u8] = b"next\n";
    let text = [b"first,", raw, b"\n", NEXT].concat();
    let mut reader = AsyncReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .create_reader(&*text);
    let mut record = ByteRecord::new();
    let mut seen = Vec::new();
    while let Ok(true) = reader.read_byte_record(&mut record).await {
        seen.push(record.len());
    }
    seen.len() == 2 && seen[1] == 1
}

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
    async fn what_would_swallow_the_next_line_is_found() {
        for (raw, is_one) in [
            ("1,2,3", true),
            ("\"a\nb\",2", true),
            ("", true),
            ("x\"y,2", true),
            ("\"open,2", false),
            ("x\"y,\"z", false),
            ("\"a\"x,2", true),
        ] {
            assert_eq!(is_one_record(raw.as_bytes()).await, is_one, "{raw:?}");
        }
    }
}
